--- A unit that ends with an earlier success instead of a run of its own.

local request_module = require "luafabric.workflow.request"
local units = require "luafabric.engine.unit"

local M = {}

--- Whether a restricted repair names the unit.
---@param engine table
---@param unit table
---@return boolean
function M.is_chosen(engine, unit)
  local only = engine.earlier and engine.earlier.only
  return only ~= nil and (only[unit.path] or only[unit.step.name]) or false
end

--- Writes down where the end comes from that follows.
---@param engine table
---@param path string
---@param source table
---@param why string
function M.record(engine, path, source, why)
  engine:record { type = "step_kept", path = path, from_run = source.run_id,
    from_path = source.path ~= path and source.path or nil, why = why, job_id = source.job_id,
    attempt = source.attempt, ran_at = source.ran_at, exit_read = source.exit_read,
    request = source.request }
end

local function finish(engine, unit, source, why, exit_value, is_masked)
  M.record(engine, unit.path, source, why)
  units.drop(engine, unit, "succeeded", nil, exit_value, is_masked)
end

--- Whether somebody needs the exit value, and it was masked, or nobody read it.
---@param unit table
---@param source table  of the success
---@return boolean
function M.lacks_exit(unit, source)
  if not unit.step.wants_exit or not source.job_id then return false end
  return source.is_exit_masked or source.exit_value == nil and not source.exit_read
end

--- Ends a unit with an earlier success, if that is good by what is asked of it now. An exit value
--- that is not there is read again, which costs one request, and no run; in a task then.
---@param engine table
---@param unit table
---@param source table  run_id, path, job_id, request, exit_value, is_exit_masked, exit_read
---@param why string
---@return boolean kept  false: it has to run
function M.keep(engine, unit, source, why)
  if not M.lacks_exit(unit, source) then
    if not request_module.expect(unit.branch, source.exit_value) then return false end
    finish(engine, unit, source, why, source.exit_value, source.is_exit_masked)
    return true
  end
  local run = engine.port:known_run(source.request, source.job_id)
  if run then engine.port:read_details(run) end
  if unit.over then return true end
  if not run or not run.details_read then
    engine:warn(unit.path, ("the exit value of job %s of run %s is not to be had any more: it runs "
      .. "again"):format(source.job_id, source.run_id))
    return false
  end
  if not request_module.expect(unit.branch, run.exit_value) then return false end
  finish(engine, unit, source, why, run.exit_value)
  return true
end

return M
