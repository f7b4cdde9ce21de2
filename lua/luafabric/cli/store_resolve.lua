-- luafabric resolve: the user says what became of a submission that Fabric does not tell: which job
-- its run is, or that there is none. Written down in the run, or by the process that runs it.

local core = require "luafabric.core"
local doubt_module = require "luafabric.history.doubt"
local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local results = require "luafabric.cli.results"
local settling = require "luafabric.workflow.settling"
local stored_run = require "luafabric.cli.stored_run"
local text = require "luafabric.view.text"

local M = {}

local PAUSE = 0.5 -- seconds between two looks at the store
local LOOKS = 20

local function usage(message, ...)
  return nil, errors.new { kind = "usage", message = message:format(...) }
end

--- The step, and its attempt in doubt.
local function find(stored, state, path)
  local step = state.steps[path]
  if not step then return nil, stored:no_such_step(state, path) end
  local attempt, why = doubt_module.of(step)
  if attempt then return step, attempt end
  return usage("run %s: %s: there is nothing to resolve: %s", stored.short_id, path, why)
end

--- Looks at the job in Fabric; in a task.
---@return luafabric.Error|nil err
---@return boolean|nil has_no_credential
local function look_at(connection, attempt, job_id)
  local client, err = connection:client()
  if not client then
    return err, err.kind == "unauthorized" or err.kind == "configuration"
  end
  local run
  run, err = client:attach { workspace = attempt.request.workspace_id,
    notebook = attempt.request.notebook_id, job_id = job_id }
  local found
  if run then found, err = run:refresh() end
  return not found and err or nil
end

--- Whether Fabric knows the job as a run of the notebook; without a credential nobody can tell.
---@return boolean|nil ok
---@return luafabric.Error|nil err
---@return string|nil note
local function check_in_fabric(options, attempt)
  local connection = require("luafabric.cli.connection").new(options)
  local loop = connection.loop
  local driven, ok, err, has_no_credential = pcall(loop.run, loop,
    loop:spawn(look_at, connection, attempt, options.adopt))
  connection:close()
  if not driven then error(ok, 0) end
  if not ok then return nil, err end -- the task's own error
  if has_no_credential then
    return true, nil, "without a credential it was not looked for in Fabric"
  end
  return not err, err
end

--- Whether a job can be the run of an attempt.
---@return boolean|nil ok
---@return luafabric.Error|nil err
---@return string|nil note
local function check_job(stored, options, attempt)
  local owner, err = stored.store:job(options.adopt)
  if err then return nil, err end
  if owner then
    return usage("job %s is the run of %s in run %s already: give another one", options.adopt,
      owner.path, owner.run_id)
  end
  return check_in_fabric(options, attempt)
end

--- Whether something became of an attempt that was in doubt.
---@return boolean|nil is_settled
---@return luafabric.Error|nil err
local function is_settled(stored, step, attempt)
  local state, err = stored:state()
  if not state then return nil, err end
  local attempts = state.steps[step.path].attempts
  local now = attempts[#attempts]
  return now.number ~= attempt.number or now.resolved ~= nil or now.state ~= attempt.state
end

--- Looks until it is settled, for a while or until a signal comes.
local function wait_for_answer(stored, step, attempt, pause)
  for _ = 1, LOOKS do
    local is_interrupted = pause(PAUSE)
    local settled, err = is_settled(stored, step, attempt)
    if settled or err then return settled, err end
    if is_interrupted then break end
  end
  return false
end

--- Asks the process that runs it, and waits a little for what it makes of it.
---@return boolean|nil ok
---@return luafabric.Error|nil err
---@return integer|nil code
local function ask(stored, step, attempt, options, pause)
  local kind = options.adopt and "resolve_adopt" or "resolve_not_started"
  local ok, err = stored.store:request(stored.row.run_id, kind, nil, { path = step.path,
    job_id = options.adopt })
  if not ok then return nil, err end
  local close
  if not pause then pause, close = stored_run.new_pause() end
  local settled, problem = wait_for_answer(stored, step, attempt, pause)
  if close then close() end
  if settled or problem then return settled, problem end
  return nil, errors.new { kind = "usage", message = ("%s was asked, and has not answered yet: "
    .. "look with luafabric show %s %s%s"):format(stored_run.owner(stored.row), stored.short_id,
    text.shell_word(step.path), stored_run.store_words(options)) }, exit_codes.detached
end

local function record(stored, state, step, attempt, options)
  return settling.record(stored.store, state, doubt_module.event(step.path, attempt, {
    by = "user", job_id = options.adopt }))
end

local function next_words(stored, options)
  local command = ("luafabric repair %s%s"):format(stored.short_id,
    stored_run.store_words(options))
  if stored_run.is_left(stored.row) then command = stored:resume_command(options) end
  return "go on with it: " .. command
end

---@return boolean|nil ok
---@return luafabric.Error|nil err
---@return integer|nil code  instead of the error's
local function resolve(stored, options, terminal, pause)
  local state, err = stored:state()
  if not state then return nil, err end
  local step, attempt = find(stored, state, options.step)
  if not step then return nil, attempt end
  local ok, note, code
  if options.adopt then
    ok, err, note = check_job(stored, options, attempt)
    if not ok then return nil, err end
  end
  local is_run = stored.row.state ~= "ended" and not stored_run.is_left(stored.row)
  if is_run then
    ok, err, code = ask(stored, step, attempt, options, pause)
  else
    ok, err = record(stored, state, step, attempt, options)
  end
  if not ok then return nil, err, code end
  terminal:print(("%s of run %s %s%s"):format(step.path, stored.short_id, options.adopt
    and "is job " .. options.adopt or "was not started", note and "; " .. note or ""))
  if not is_run then terminal:say(next_words(stored, options)) end
  return true
end

---@param options table  of the command line
---@param terminal table
---@param pause nil|fun(seconds: number): boolean  waits; true when a signal came
---@return integer code
function M.run(options, terminal, pause)
  if options.adopt and not core.is_guid(options.adopt) then
    return results.failure(terminal, errors.new { kind = "usage", message = ("--adopt %s: expected "
      .. "the id of a job, as luafabric notebook list shows it"):format(options.adopt) })
  end
  if not options.adopt and not options.not_started then
    return results.failure(terminal, errors.new { kind = "usage", message = "resolve: say --adopt "
      .. "JOB, the job that is its run, or --not-started" })
  end
  options.adopt = options.adopt and options.adopt:lower()
  local stored, err = stored_run.find(options)
  if not stored then return results.failure(terminal, err) end
  local called, ok, problem, code = pcall(resolve, stored, options, terminal, pause)
  stored:close()
  if not called then error(ok, 0) end
  if not ok then return results.failure(terminal, problem, code) end
  return exit_codes.ok
end

return M
