--- What is written down before a unit is submitted: the request as it goes out, and the claim that
--- keeps other processes from submitting the same notebook meanwhile.

local attempts = require "luafabric.engine.attempts"
local fingerprint = require "luafabric.workflow.fingerprint"
local journal = require "luafabric.engine.journal"

local M = {}

-- It is sent a little later than it is written down, and the last look at the list comes when all
-- is settled and takes its time: who submits before that would be seen as its run.
local MARGIN = 90 -- seconds, at most; beside short times of V and D no more than they are

--- Seconds from when a submission may have been sent until its notebook is free again.
---@param settings { V: number, D: number }  of the port
---@return number
function M.blocked_for(settings)
  local settled = settings.V + settings.D
  return settled + math.min(MARGIN, settled)
end

--- What keeps every process that shares the store from submitting this notebook meanwhile; `again`:
--- it surely came to nothing before.
local function intent_of(engine, unit, prepared, number, again)
  local settings, run = engine.port:reconciliation(), prepared.run
  return { notebook = attempts.notebook_key(run), path = unit.path,
    attempt = number, again = again,
    blocks_until = engine.host.wall() + M.blocked_for(settings) }
end

--- Writes down that it is about to be sent.
---@param engine table
---@param unit table
---@param prepared luafabric.Submission
---@return any ticket
---@return table event
function M.intend(engine, unit, prepared)
  local run, request = prepared.run, unit.request
  local number = attempts.number_of(engine, unit) + 1
  local body = engine.masks:body(request, prepared.body)
  local event = { type = "attempt_intended", path = unit.path, attempt = number, request = {
    workspace = request.workspace, notebook = request.notebook, workspace_id = run.workspace_id,
    notebook_id = run.notebook_id, timeout = request.timeout, tag = prepared.tag,
    route = prepared.route,
    exclusive = engine:is_exclusive(unit) or nil, deadline = request.deadline,
    fingerprint = fingerprint.of(engine.masks.key, request), body = body,
    is_masked = body ~= prepared.body or nil } }
  return engine:record(event, intent_of(engine, unit, prepared, number)), event
end

--- Before it is sent once more, after a wait: that is written down first, too; in a task.
---@return boolean|nil durable
---@return luafabric.Error|nil err  another process has an intent of the same notebook open
function M.intend_again(engine, unit, prepared)
  local number = attempts.number_of(engine, unit)
  local ticket = engine:record({ type = "attempt_repeated", path = unit.path, attempt = number },
    intent_of(engine, unit, prepared, number, true))
  local durable, err = journal.await(engine, ticket)
  if durable then return true end
  if err.store_code == "intent_open" then return nil, err end
  error(err, 0)
end

return M
