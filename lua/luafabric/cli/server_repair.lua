-- luafabric repair of a run of a service: the service does it, and this follows the new run to its
-- end. What is said, written and returned is that of a repair on this machine, but that a signal
-- ends only the following.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local history = require "luafabric.history"
local repair = require "luafabric.cli.workflow_repair"
local results = require "luafabric.cli.workflow_results"
local server_option = require "luafabric.cli.server_option"
local stored_run = require "luafabric.cli.stored_run"
local terminal_module = require "luafabric.cli.terminal"
local types = require "luafabric.types"
local view = require "luafabric.view.stored_run"
local workflow_inputs = require "luafabric.cli.workflow_inputs"

local usage = workflow_inputs.usage

local M = {}

-- What the service decides: its own file, client and limits.
local of_the_service = { { "file", "FILE" }, { "local_dir", "--local" },
  { "max_concurrency", "--max-concurrency" }, { "timeout", "--timeout" },
  { "deadline", "--deadline" }, { "exclusive", "--exclusive" },
  { "submission", "--submission" }, { "route", "--route" }, { "endpoint", "--endpoint" } }

local function check(options)
  for _, pair in ipairs(of_the_service) do
    if options[pair[1]] then
      return usage(("%s is for a repair on this machine: the service repairs its runs with its own "
        .. "files and settings (--store default repairs a run of this machine)"):format(pair[2]))
    end
  end
  return true
end

local function secret_of(declared, values)
  for _, input in ipairs(declared) do
    if input.secret and values[input.name] ~= nil then return input.name end
  end
end

--- The inputs that are given anew, as JSON has them.
local function read_inputs(options, store, row)
  local is_given = options.params or #options.parameter > 0 or #options.parameter_env > 0
  if not is_given then return nil end
  local declared, err = store:declared(row)
  if not declared then return nil, err end
  local values, message = workflow_inputs.collect(options, declared)
  if not values then return usage(message) end
  local secret = secret_of(declared, values)
  if secret then
    return usage(("the input '%s' is a secret, which the service has of its own configuration: "
      .. "leave it out"):format(secret))
  end
  for name, value in pairs(values) do
    if types.is(value) then values[name] = value.value end
  end
  return next(values) and values or nil
end

--- Finds the run, and the inputs that are given anew.
---@param options table  of the command line, with `remote`
---@param job table      gets store, served; `whole`, too: see workflow_repair
---@return table|nil job
---@return luafabric.Error|nil err
function M.prepare(options, job)
  local ok, err = check(options)
  if not ok then return nil, err end
  local store = server_option.open(options)
  job.store = store
  local row
  row, err = store:find(options.repair)
  if not row then return nil, err end
  job.known.workflow, job.known.file = row.workflow, row.file
  local inputs
  inputs, err = read_inputs(options, store, row)
  if err then return nil, err end
  local only = #options.only > 0 and options.only or nil
  job.served = { row = row, given = { only = only, again = options.again, inputs = inputs } }
  if row.outcome == "succeeded" and not only and not inputs then
    job.whole, err = view.fold(store, row)
    if not job.whole then return nil, err end
  end
  return job
end

-- ---- following ----

local function look_command(options, run_id)
  return ("luafabric %s%s"):format(run_id and "show " .. run_id or "runs",
    stored_run.store_words(options))
end

--- Words of a command that leaves the new run to the service.
local function left_words(job, run_id, options)
  if not run_id then
    return ("interrupted: whether the service has begun a repair is not known. Look with: %s")
      :format(look_command(options))
  end
  return ("no longer following %s %s, which the service runs on. Look with: %s"):format(
    terminal_module.one_line(job.served.row.workflow), run_id, look_command(options, run_id))
end

--- Follows the new run: its state, and what went wrong with the following.
local function follow(job, run_id, take)
  local state, problem = history.new(), nil
  local ended, err = job.store:follow(run_id, function(event)
    if problem then return end
    local ok, message = pcall(history.apply, state, event)
    if not ok then
      problem = job.store.call:nonsense(("an event %s that cannot have happened: %s"):format(
        tostring(event.type), tostring(message)))
      return
    end
    take(event, state)
  end)
  return state, problem or not ended and err or nil
end

--- The end of a command that lost the run out of sight.
local function lost(job, terminal, state, run_id, err)
  local words = left_words(job, run_id, job.options)
  terminal:tell("luafabric: " .. terminal_module.one_line(err.message))
  terminal:tell(words)
  state.run_id, state.workflow = state.run_id or run_id, state.workflow or job.served.row.workflow
  return results.finish(terminal, state, { reports = job.reports, code = exit_codes.detached,
    error = err, next = look_command(job.options, run_id) })
end

--- What was asked for and never became a run: cancelled while it waited, or refused.
local function never_began(job, terminal, run_id)
  local row, err = job.store:find(run_id)
  if not row then return results.failure(terminal, job.known, err) end
  return results.failure(terminal, job.known, errors.new {
    kind = row.outcome == "cancelled" and "cancelled" or "rejected",
    message = ("run %s never began: %s"):format(run_id, row.problem or tostring(row.outcome)) })
end

--- The worker: asks for the repair, and follows it to its end.
---@param job table
---@param terminal table
---@param interrupt table
---@param screen table
---@param print_event fun(event: table)
---@return integer code
function M.work(job, terminal, interrupt, screen, print_event)
  local options, run_id = job.options, nil
  interrupt:following(function() return left_words(job, run_id, options) end)
  local err
  run_id, err = job.store:repair(job.served.row.run_id, job.served.given)
  if not run_id then return results.failure(terminal, job.known, err) end
  job.known.run_id = run_id
  screen:tell(("the service repairs run %s in run %s; this follows it (Ctrl-C ends only the "
    .. "following)"):format(job.served.row.run_id, run_id))
  local state
  state, err = follow(job, run_id, function(event, current)
    print_event(event)
    screen:event(event, current)
  end)
  screen:finish(terminal.json or terminal.jsonl or not core.isatty(1))
  if err then return lost(job, terminal, state, run_id, err) end
  if not state.run_id then return never_began(job, terminal, run_id) end
  return results.finish(terminal, state, { reports = job.reports,
    next = repair.command(job.store, state, options, terminal.look_options) })
end

return M
