-- luafabric doctor --prove: the one run, and what may come in between.

local beliefs = require "luafabric.doctor.beliefs"
local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local interrupt_module = require "luafabric.cli.interrupt"
local progress = require "luafabric.cli.progress"
local proving = require "luafabric.doctor.proving"
local results = require "luafabric.cli.results"

local M = {}

local COMPUTE_ADVICE = "say which compute the notebook has: --compute spark, jupyter or none"

--- The run's own check.
local function tell_run(report, run)
  local is_good = run.outcome == "succeeded"
  local message = ("job %s %s"):format(run.job_id or "?", run.outcome or "goes on")
  if run.error then message = run.error.message:gsub("%.$", "") end
  local reason = require("luafabric.view.words").failure_reason(run.failure_reason)
  report:tell { name = "run", state = is_good and "ok" or "failed",
    kind = not is_good and (run.error and run.error.kind or "platform") or nil,
    outcome = run.outcome, job_id = run.job_id, message = reason and message .. ": " .. reason
      or message, advice = not is_good and run.job_id and "look with " .. results.look_up(
      report.terminal, run) or nil }
end

---@return boolean ok
local function keep(report, store, client, workspace_id, answers)
  if next(answers) == nil then return true end
  if not store then
    report:tell { name = "kept", state = "note", message = "nothing is kept (--store "
      .. "memory): runs do not go by it" }
    return true
  end
  local ok, err = store:put_findings(client.endpoint, workspace_id, answers)
  if not ok then
    report:fail("kept", err)
    return false
  end
  report:tell { name = "kept", state = "ok", message = ("in %s, for the runs of workflows in this "
    .. "workspace"):format(store.path), store = store.path }
  return true
end

--- What the run has settled.
---@return boolean ok  it is kept, where it was to be
local function tell_beliefs(report, proof, look, store)
  local checks = beliefs.judge(proof:seen())
  for _, check in ipairs(checks) do report:tell(check) end
  return keep(report, store, look.client, look.workspace_id, beliefs.answers(checks))
end

--- The worker: from the names to the run's end. Gives the exit code.
local function work(state, options, report, interrupt, store)
  local err
  state.proof, err = proving.prepare(state.client, { workspace = options.workspace,
    notebook = options.notebook, compute = options.compute, store = store })
  if state.proof then
    state.run, err = state.proof:submit()
    interrupt:answered()
  end
  local run = state.run
  if not run then
    report:fail("run", err, err.code == "ComputeTypeMismatch" and COMPUTE_ADVICE or nil)
    return exit_codes.of_error(err)
  end
  if not run.outcome then
    interrupt:accepted(run)
    state.proof:watch()
  end
  tell_run(report, run)
  return exit_codes.of_outcome(run.outcome)
end

--- An error that nobody expected: what was under way is not forgotten.
local function raised(state, report, interrupt, err)
  local terminal = report.terminal
  local message = "internal error: " .. (errors.is(err) and err.message or tostring(err))
  local code, kind = exit_codes.failed, "raised"
  local advice
  if interrupt.active_run then
    code, advice = exit_codes.detached, "the run goes on in Fabric: look with "
      .. results.look_up(terminal, interrupt.active_run)
  elseif interrupt.in_flight then
    code, kind = exit_codes.unknown, "unknown"
    advice = "the notebook may or may not run: look with "
      .. results.look_for(terminal, interrupt.in_flight)
    state.run = { outcome = "unknown", workspace_id = interrupt.in_flight.workspace_id,
      notebook_id = interrupt.in_flight.notebook_id }
  end
  report:tell { name = "run", state = "failed", kind = kind, message = message, advice = advice }
  return code
end

local function conclude(state, report, interrupt, decision)
  if decision.raised then return raised(state, report, interrupt, decision.raised) end
  if not decision.interrupted then return decision.code end
  state.run = decision.run or state.run
  if decision.ended then
    tell_run(report, decision.run)
    return exit_codes.of_outcome(decision.run.outcome)
  end
  report:tell { name = "run", state = "failed", kind = "cancelled", message = decision.reason }
  return decision.code
end

--- Starts the run, and tells what it shows; on a loop of its own.
---@param look luafabric.Looking     what was seen before; nothing failed
---@param options table              of the command line
---@param report table
---@param connection table
---@param store luafabric.SqliteStore|nil
---@return integer code
---@return table|nil run  its fields for the document
function M.run(look, options, report, connection, store)
  local client, show = look.client, progress.new(report.terminal)
  local interrupt = interrupt_module.new(connection.loop, report.terminal, {})
  local state = { client = client }
  client.on_event = function(event)
    interrupt:note(event)
    show(event)
  end
  local ok, decision = pcall(interrupt.run_worker, interrupt, function()
    return work(state, options, report, interrupt, store)
  end)
  if not ok then decision = { raised = decision } end
  local code = conclude(state, report, interrupt, decision)
  local is_kept = not state.proof or tell_beliefs(report, state.proof, look, store)
  if not is_kept and code == exit_codes.ok then code = exit_codes.failed end
  return code, state.run and results.run_fields(state.run)
end

return M
