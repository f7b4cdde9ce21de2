--- The submission of a run that is no step's: that of `luafabric doctor --prove`. While it is open
--- nobody who shares the store submits its notebook, and its job is nobody else's: otherwise it
--- could be taken for the run of a step whose answer was lost. Done at once.

local direct = require "luafabric.store.sqlite_direct"
local errors = require "luafabric.errors"
local messages = require "luafabric.store.sqlite_messages"
local statements = require("luafabric.store.sqlite_run").statements

local M = {}

local ATTEMPT = 1

---@class luafabric.Claim
---@field id string            of the submission, no run's
---@field path string          who submits, for people
---@field notebook string      workspace and notebook ids
---@field blocks_until number  unix seconds: no other submission of the notebook until then

--- Opens it, or opens it again where surely nothing was started.
---@param store luafabric.SqliteStore
---@param claim luafabric.Claim
---@return boolean|nil ok
---@return luafabric.Error|nil err  store_code "intent_open": another submission is not settled
function M.open(store, claim)
  local now = store.now()
  local ok, message, code = direct.transact(store.db, {
    { statements.expire_intent, claim.notebook, now },
    { statements.forget_intent, claim.id, claim.path, ATTEMPT },
    { statements.open_intent, claim.id, claim.path, ATTEMPT, claim.notebook, now,
      claim.blocks_until } })
  if ok then return true end
  if not message:find("intents.notebook", 1, true) then
    return nil, messages.error(store.path, message, code)
  end
  return nil, errors.new { kind = "usage", store_code = "intent_open",
    message = "another submission of this notebook is not settled yet" }
end

--- It is known what became of it.
---@param store luafabric.SqliteStore
---@param claim luafabric.Claim
---@param job_id string|nil  its run; nil: surely none was started
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.close(store, claim, job_id)
  local unit = { { statements.close_intent, claim.id, claim.path, ATTEMPT } }
  if job_id then
    unit[2] = { statements.insert_job, claim.id, claim.path, ATTEMPT, job_id }
  end
  local ok, message, code = direct.transact(store.db, unit)
  if ok then return true end
  return nil, messages.error(store.path, message, code)
end

return M
