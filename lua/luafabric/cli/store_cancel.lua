-- luafabric cancel: asks the process that runs a run of the store to cancel it, and waits until the
-- run has ended. What nobody runs cannot be cancelled so: it is said how to go on with it, and
-- which of its notebooks may be running.

local advice = require "luafabric.view.advice"
local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local outcome_code = require "luafabric.view.outcome_code"
local output = require "luafabric.view.run_document"
local results = require "luafabric.cli.workflow_results"
local stored_run = require "luafabric.cli.stored_run"
local words = require "luafabric.view.words"

local M = {}

local PAUSE = 0.5 -- seconds between two looks at the store
local MOST_COMMANDS = 20

local function fail(terminal, err)
  return results.failure(terminal, {}, err)
end

-- ---- a run that has ended ----

local function finish(stored, terminal)
  local state, err = stored:state()
  if not state then return fail(terminal, err) end
  return results.finish(terminal, state, { reports = {}, code = outcome_code.of_run(stored.row) })
end

-- ---- a run that nobody runs ----

local function line_of(step, known, look_options)
  if known == "running" then
    local command = advice.cancel_command(step, look_options)
    return ("  %s may still run in Fabric%s"):format(step.path, command and ": " .. command or "")
  end
  local command = advice.list_command(step, look_options)
  return ("  %s may or may not run in Fabric%s"):format(step.path,
    command and ": look with " .. command or "")
end

--- What is on in Fabric, or may be, and the commands that settle it.
local function under_way(state, look_options)
  local lines, count = {}, 0
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    local known = words.under_way(step)
    if known then
      count = count + 1
      if count <= MOST_COMMANDS then lines[count] = line_of(step, known, look_options) end
    end
  end
  if count > MOST_COMMANDS then
    lines[#lines + 1] = ("  … and %d more"):format(count - MOST_COMMANDS)
  end
  return lines, count
end

local function left(stored, options, terminal)
  local state, err = stored:state()
  if not state then return fail(terminal, err) end
  local lines, count = under_way(state, terminal.look_options)
  err = errors.new { kind = "usage", message = ("nobody runs %s %s: %s. Nothing was cancelled; "
    .. "go on with it: %s"):format(stored.row.workflow, stored.short_id,
    stored_run.why_left(stored.row), stored:resume_command(options)) }
  local code = (count > 0 or stored.row.state == "detached") and exit_codes.detached
    or exit_codes.usage
  if terminal.json then
    terminal:print(output.document(state, { exit_code = code, error = err }))
  end
  terminal:tell("luafabric: " .. err.message)
  for _, line in ipairs(lines) do terminal:tell(line) end
  return code
end

-- ---- asking and waiting ----

local function is_over(row)
  return row.state == "ended" or stored_run.is_left(row)
end

local function conclude(stored, options, terminal)
  if stored.row.state == "ended" then return finish(stored, terminal) end
  return left(stored, options, terminal)
end

local function interrupted(stored, options, terminal)
  local message = ("interrupted; %s still cancels the run. Look with: luafabric show %s%s"):format(
    stored_run.owner(stored.row), stored.short_id, stored_run.store_words(options))
  terminal:tell(message)
  if terminal.json then
    local state = stored:state()
    local err = errors.new { kind = "cancelled", message = message }
    if state then
      terminal:print(output.document(state, { exit_code = exit_codes.detached, error = err }))
    end
  end
  return exit_codes.detached
end

--- Asks the owner. One that ended the run meanwhile needs no asking.
local function ask(stored, options)
  local ok, err = stored.store:request(stored.row.run_id, options.now and "cancel_now" or "cancel")
  if ok or err.store_code == "ended" then return true end
  return nil, err
end

local function cancel(stored, options, terminal, pause)
  if stored.row.state == "ended" then
    terminal:say(("run %s has ended already"):format(stored.short_id))
  end
  if is_over(stored.row) then return conclude(stored, options, terminal) end
  local asked_fence
  while true do
    if stored.row.fence ~= asked_fence then
      local ok, err = ask(stored, options)
      if not ok then return fail(terminal, err) end
      asked_fence = stored.row.fence
      terminal:say(("asked %s to cancel %s %s; waiting for its end (Ctrl-C ends only the waiting)")
        :format(stored_run.owner(stored.row), stored.row.workflow, stored.short_id))
    end
    if pause(PAUSE) then return interrupted(stored, options, terminal) end
    local row, err = stored:refresh()
    if not row then return fail(terminal, err) end
    if is_over(row) then return conclude(stored, options, terminal) end
  end
end

---@param options table  of the command line
---@param terminal table
---@param pause nil|fun(seconds: number): boolean  waits; true when a signal came
---@return integer code
function M.run(options, terminal, pause)
  local stored, err = stored_run.find(options)
  if not stored then return fail(terminal, err) end
  local close
  if not pause then pause, close = stored:new_pause() end
  local ok, code = pcall(cancel, stored, options, terminal, pause)
  if close then close() end
  stored:close()
  if not ok then error(code, 0) end
  return code
end

return M
