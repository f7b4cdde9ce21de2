--- `once`: a unit whose request succeeded in an earlier run of the store ends with that success. It
--- is looked for when the ids behind the names are known, right before it would be sent.

local attempts = require "luafabric.engine.attempts"
local fingerprint = require "luafabric.workflow.fingerprint"
local keeping = require "luafabric.engine.keeping"
local units = require "luafabric.engine.unit"

local M = {}

--- Since when a success counts; nil: none does.
local function since(engine, unit)
  local once = unit.branch.once
  local has_begun = #engine.state.steps[unit.path].attempts > 0
  if not once or engine.again or has_begun or not engine.store.success then return nil end
  if keeping.is_chosen(engine, unit) then return nil end
  return once == true and 0 or engine.host.wall() - once
end

local function find(engine, unit, run, oldest)
  local digits = fingerprint.of(engine.masks.key, unit.request)
  if not digits then return nil end
  local row, err = engine.store:success(attempts.notebook_key(run), digits, oldest)
  if err then error(err, 0) end
  return row, digits
end

--- Ends the unit with an earlier success, where there is one; in its own task.
---@param engine table
---@param unit table
---@param prepared luafabric.Submission
---@return boolean taken
function M.take(engine, unit, prepared)
  local oldest = since(engine, unit)
  if not oldest then return false end
  local run, request = prepared.run, unit.request
  local row, digits = find(engine, unit, run, oldest)
  if not row then return false end
  units.withdraw(engine, unit)
  local is_kept = keeping.keep(engine, unit, { run_id = row.run_id, path = row.path,
    attempt = row.attempt, job_id = row.job_id, ran_at = row.ended_at,
    exit_value = row.exit_value, exit_read = row.exit_read == 1,
    request = { workspace = request.workspace, notebook = request.notebook,
      workspace_id = run.workspace_id, notebook_id = run.notebook_id, fingerprint = digits } },
    "once")
  unit.prepared = not is_kept and prepared or nil
  return is_kept
end

return M
