--- What was found out about a tenant by a run that was started for it (`luafabric doctor --prove`):
--- how Fabric behaves at an endpoint, in a workspace, where it promises nothing. The last finding
--- on a question counts, and has its date.

local core = require "luafabric.core"
local json = require "luafabric.json"
local messages = require "luafabric.store.sqlite_messages"

local M = {}

local PUT = [[insert or replace into findings (endpoint, workspace_id, question, answer, at)
  values (?1, ?2, ?3, ?4, ?5)]]

local ALL = [[select workspace_id, question, answer, at from findings where endpoint = ?1
  order by workspace_id, question]]

---@class luafabric.Finding
---@field workspace_id string
---@field question string  "typed_route", "tag/Spark", "visible_after", …
---@field answer any       what was found: true, false, seconds
---@field at number        unix seconds when it was

--- Writes findings down: all of them, or none.
---@param store luafabric.SqliteStore
---@param endpoint string
---@param workspace_id string
---@param answers table<string, any>  by question
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.put(store, endpoint, workspace_id, answers)
  local db, at = store.db, store.now()
  local ok, message, code = db:exec "begin immediate"
  for question, answer in pairs(answers) do
    if not ok then break end
    ok, message, code = db:exec(PUT, endpoint, workspace_id, question, core.encode_json(answer), at)
  end
  if ok then ok, message, code = db:exec "commit" end
  if ok then return true end
  if db:in_transaction() then db:exec "rollback" end
  return nil, messages.error(store.path, message, code)
end

--- What was found at an endpoint.
---@param store luafabric.SqliteStore
---@param endpoint string
---@return luafabric.Finding[]|nil list
---@return luafabric.Error|nil err
function M.all(store, endpoint)
  local rows, err = store:rows(ALL, endpoint)
  if not rows then return nil, err end
  for _, row in ipairs(rows) do row.answer = json.decode(row.answer) end
  return rows
end

return M
