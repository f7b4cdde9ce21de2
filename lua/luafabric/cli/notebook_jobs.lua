-- luafabric notebook status, cancel and list: runs that were submitted before.

local errors = require "luafabric.errors"
local connection_module = require "luafabric.cli.connection"
local exit_codes = require "luafabric.cli.exit_codes"
local progress = require "luafabric.cli.progress"
local results = require "luafabric.cli.results"
local terminal_module = require "luafabric.cli.terminal"

local M = {}

-- Runs one function on a client, to its end or to the first signal.
local function with_client(options, terminal, fn)
  local connection = connection_module.new(options)
  local loop, interrupted = connection.loop, false
  local task = loop:spawn(function()
    local client, err = connection:client(progress.new(terminal))
    if not client then return results.failure(terminal, err) end
    return fn(client)
  end)
  loop:on("signal", function(event)
    if event.name ~= "INT" and event.name ~= "TERM" then return end
    interrupted = true
    task:cancel()
  end)
  local driven, ok, code = pcall(loop.run, loop, task)
  connection:close()
  if not driven then return results.internal(terminal, tostring(ok)) end
  if interrupted and not ok then
    terminal:tell("interrupted")
    return results.interrupted(terminal, { code = exit_codes.cancelled, reason = "interrupted",
      run = { job_id = options.job }, untouched = true })
  end
  if ok then return code end
  if errors.is(code) and code.kind ~= "raised" then return results.failure(terminal, code) end
  local message = errors.is(code) and code.message or tostring(code)
  local own = message:match("^[^\n]*notebook_jobs%.lua:%d+: (.*)$")
  if own then return results.failure(terminal, own) end
  return results.internal(terminal, message)
end

local function attach(client, options)
  return client:attach {
    workspace = options.workspace, notebook = options.notebook, job_id = options.job,
  }
end

---@param options table
---@param terminal table
---@return integer code  0 while the run is active; of its outcome when it has ended
function M.status(options, terminal)
  return with_client(options, terminal, function(client)
    local run, err = attach(client, options)
    if run then
      local found
      found, err = run:refresh()
      if not found then run = nil end
    end
    if not run then return results.failure(terminal, err) end
    if run.outcome then return results.run(terminal, run) end
    if terminal.json then return results.running(terminal, run, exit_codes.ok) end
    if not terminal:print(run.status or "NotStarted") then return exit_codes.failed end
    return exit_codes.ok
  end)
end

---@param options table
---@param terminal table
---@return integer code  0 when the run was cancelled, or had succeeded before; else of its outcome
function M.cancel(options, terminal)
  return with_client(options, terminal, function(client)
    local run, err = attach(client, options)
    if not run then return results.failure(terminal, err) end
    local ok
    ok, err = run:cancel { wait = true }
    if not ok then return results.failure(terminal, err) end
    local code = results.run(terminal, run)
    if code == exit_codes.cancelled then return exit_codes.ok end
    return code
  end)
end

local function line_of(row)
  return ("%s  %-11s  %s  %s"):format(row.job_id, row.status or "?", row.started_at or "-",
    row.ended_at or "-")
end

local function newest_first(a, b)
  local first, second = a.started_at or "", b.started_at or ""
  if first ~= second then return first > second end
  return tostring(a.job_id) < tostring(b.job_id)
end

---@param options table
---@param terminal table
---@return integer code
function M.list(options, terminal)
  return with_client(options, terminal, function(client)
    local rows, err = client:list_runs {
      workspace = options.workspace, notebook = options.notebook,
    }
    if not rows then return results.failure(terminal, err) end
    table.sort(rows, newest_first)
    if terminal.json then
      local list = require("luafabric.json").array {}
      for index, row in ipairs(rows) do list[index] = results.run_fields(row) end
      local written = terminal:print(terminal_module.encode(list))
      return written and exit_codes.ok or exit_codes.failed
    end
    for _, row in ipairs(rows) do
      if not terminal:print(line_of(row)) then return exit_codes.failed end
    end
    if #rows == 0 then terminal:say("no runs") end
    return exit_codes.ok
  end)
end

return M
