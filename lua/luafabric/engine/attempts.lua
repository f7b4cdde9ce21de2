--- What is recorded of a unit's attempts, once they are written down as intended.

local core = require "luafabric.core"
local reasons = require "luafabric.engine.reasons"

local M = {}

--- The number of a unit's last attempt, 0 before the first. Those from before the workflow's file
--- was changed count on.
---@param engine table
---@param unit table
---@return integer
function M.number_of(engine, unit)
  local attempts, before = engine.state.steps[unit.path].attempts, engine.state.numbers
  local last = attempts[#attempts]
  return last and last.number or before and before[unit.path] or 0
end

--- The attempt that is under way, if the history knows one.
---@param engine table
---@param unit table
---@return luafabric.AttemptState|nil
function M.open(engine, unit)
  local attempts = engine.state.steps[unit.path].attempts
  local last = attempts[#attempts]
  return last and last.state ~= "ended" and last or nil
end

--- It waits for its place among the requests of the identity, before anything is written down.
function M.record_pace(engine, unit, event)
  engine:record { type = "step_waiting", path = unit.path, cause = event.cause,
    seconds = event.seconds }
end

--- It is not sent, or not looked at, for some seconds.
function M.record_wait(engine, unit, event)
  if not M.open(engine, unit) then return end
  engine:record { type = "attempt_waiting", path = unit.path, cause = event.cause,
    attempt = M.number_of(engine, unit), seconds = event.seconds }
end

--- It is to end, and whether it runs is not known: it has to be looked for.
function M.tell_stop_in_doubt(engine, unit)
  local attempt = M.open(engine, unit)
  local till = attempt and attempt.doubt and attempt.doubt.till
  engine:warn(unit.path, ("whether its submission started a run is looked for%s, and a run that "
    .. "is found is cancelled"):format(
    till and ", until " .. core.format_time(till) .. " at the latest" or ""))
end

--- Fabric took it.
function M.record_acceptance(engine, unit, event)
  engine:record { type = "attempt_submitted", path = unit.path, job_id = event.job_id,
    attempt = M.number_of(engine, unit), request_id = event.request_id }
end

--- Fabric has another word for where its run is.
function M.record_status(engine, unit, event)
  if not M.open(engine, unit) then return end
  engine:record { type = "status_changed", path = unit.path, status = event.status,
    attempt = M.number_of(engine, unit) }
end

--- What tells one notebook from all others.
---@param request { workspace_id: string, notebook_id: string }
---@return string
function M.notebook_key(request)
  return request.workspace_id .. "/" .. request.notebook_id
end

--- What a later run with `once` finds it by.
local function success_of(engine, unit, outcome)
  if outcome ~= "succeeded" then return nil end
  local attempts = engine.state.steps[unit.path].attempts
  local request = attempts[#attempts].request
  if not request.fingerprint then return nil end
  return { notebook = M.notebook_key(request), fingerprint = request.fingerprint }
end

--- It has ended, with a run or without.
---@param engine table
---@param unit table
---@param outcome string
---@param err luafabric.Error|nil  where there was no run
function M.record_end(engine, unit, outcome, err)
  local run, unclaimed = unit.run or {}, unit.unclaimed
  local job_id = run.job_id or M.open(engine, unit).job_id
  unit.unclaimed = nil
  engine:record({ type = "attempt_ended", path = unit.path, attempt = M.number_of(engine, unit),
    outcome = outcome, success = success_of(engine, unit, outcome), job_id = job_id,
    may_run = job_id ~= nil and not run.ended or nil,
    request_id = run.request_id or err and err.request_id,
    exit_value = run.exit_value, exit_read = run.details_read, failure_reason = run.failure_reason,
    error = reasons.error_fields(err or run.error), started_at = run.started_at,
    ended_at = run.ended_at, links = run.links,
    unblocks = outcome == "unknown" and engine.submission == "at_least_once" or nil }, nil,
    unclaimed)
end

return M
