--- Messages about the ends of ordered runs that have to arrive elsewhere. One is written together
--- with the end it tells, and stays until it was delivered or given up; what it says is read from
--- the run when it is sent (service/webhook.lua).

local committing = require "luafabric.store.committing"
local core = require "luafabric.core"
local json = require "luafabric.json"

local M = {}

local ID_BYTES = 16

local ADD = [[insert or ignore into webhooks (id, run_id, at, next_at, state)
  values (?1, ?2, ?3, ?3, 'waiting')]]

--- The statement that adds one, for the commit that tells the run's end.
---@param store luafabric.SqliteStore
---@param run_id string
---@return table statement
function M.statement(store, run_id)
  return { ADD, "msg_" .. core.random_hex(ID_BYTES), run_id, store.now() }
end

---@class luafabric.WebhookRow
---@field id string          the same for all tries
---@field run_id string
---@field at number          unix seconds when the end was told
---@field tries integer
---@field next_at number     unix seconds
---@field state "waiting"|"delivered"|"given_up"
---@field problem string|nil what came of the last try

--- Those whose time has come, the longest due first.
---@param store luafabric.SqliteStore
---@param limit integer
---@return luafabric.WebhookRow[]|nil rows
---@return luafabric.Error|nil err
function M.due(store, limit)
  return store:rows([[select * from webhooks where state = 'waiting' and next_at <= ?1
    order by next_at limit ?2]], store.now(), limit)
end

--- The one of a run.
---@param store luafabric.SqliteStore
---@param run_id string
---@return luafabric.WebhookRow|nil row  nil without an error: there is none
---@return luafabric.Error|nil err
function M.of_run(store, run_id)
  local rows, err = store:rows("select * from webhooks where run_id = ?1", run_id)
  return rows and rows[1], err
end

local TRIED = [[update webhooks set tries = tries + 1, state = ?2, problem = ?3,
  next_at = coalesce(?4, next_at) where id = ?1 and state = 'waiting']]

--- What came of a try; in a task.
---@param store luafabric.SqliteStore
---@param id string
---@param result { state: "waiting"|"delivered"|"given_up", problem: string|nil,
---  next_at: number|nil }
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.tried(store, id, result)
  return committing.commit(store, { { TRIED, id, result.state, result.problem or json.null,
    result.next_at or json.null } })
end

return M
