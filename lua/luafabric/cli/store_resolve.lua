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

--- Whether the job is the step's own already, whose end was not seen.
local function is_own(state, options)
  local step = state.steps[options.step]
  local own = step and doubt_module.loose_job(step)
  return own ~= nil and own == options.adopt
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

--- What became of the attempt: whether it is what was said, once it is no more in doubt; nil
--- while it is.
---@return boolean|nil is_so
---@return string|nil why  it is not
local function judge(step, number, options)
  local found
  for _, attempt in ipairs(step.attempts) do
    if attempt.number == number then found = attempt end
  end
  if not found then return nil end
  local resolved = found.resolved
  local job_id = found.job_id or resolved and resolved.job_id
  if options.adopt and job_id == options.adopt then return true end
  local is_nothing = resolved ~= nil or found.outcome == "not_started"
    or found.outcome == "cancelled" or found.outcome == "timed_out"
  if not job_id and is_nothing then
    return not options.adopt, "it was found not to have been started"
  end
  if job_id then return false, "its run is job " .. job_id end
end

--- Looks until it is settled, for a while or until a signal comes.
---@return boolean|nil is_so  nil: it is not settled yet
---@return string|luafabric.Error|nil why  it is not, or the error
local function wait_for_answer(stored, step, attempt, options, pause)
  for _ = 1, LOOKS do
    local is_interrupted = pause(PAUSE)
    local state, err = stored:state()
    if not state then return nil, err end
    local is_so, why = judge(state.steps[step.path], attempt.number, options)
    if is_so ~= nil then return is_so, why end
    if is_interrupted then break end
  end
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
  local is_so, why = wait_for_answer(stored, step, attempt, options, pause)
  if close then close() end
  if is_so then return true end
  if is_so == false then
    return usage("run %s: %s was not settled as you said: %s", stored.short_id, step.path, why)
  end
  if why then return nil, why end
  return nil, errors.new { kind = "usage", message = ("%s was asked, and has not answered yet: "
    .. "look with luafabric show %s %s%s"):format(stored_run.owner(stored.row), stored.short_id,
    text.shell_word(step.path), stored_run.store_words(options)) }, exit_codes.detached
end

local function record(stored, state, step, attempt, options)
  return settling.record(stored.store, state, doubt_module.event(step.path, attempt, {
    by = "user", job_id = options.adopt }))
end

local function next_words(stored, options)
  if stored_run.is_left(stored.row) then
    return "go on with it: " .. stored:resume_command(options)
  end
  return "go on with it: " .. stored:repair_command(options)
end

---@return boolean|nil ok
---@return luafabric.Error|nil err
---@return integer|nil code  instead of the error's
local function resolve(stored, options, terminal, pause)
  local state, err = stored:state()
  if not state then return nil, err end
  if is_own(state, options) then
    terminal:print(("%s of run %s is job %s already: a repair watches it to its end"):format(
      options.step, stored.short_id, options.adopt))
    if stored.row.state == "ended" then terminal:say(next_words(stored, options)) end
    return true
  end
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
