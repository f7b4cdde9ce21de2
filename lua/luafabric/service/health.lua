--- Whether the service can do its work: the store can be read, and whether a worker carries out
--- what is ordered. Open to everybody, so it tells nothing else.

local lease = require "luafabric.store.lease"
local looking = require "luafabric.service.looking"
local orders = require "luafabric.store.orders"
local run_document = require "luafabric.view.run_document"
local version = require "luafabric.version"

local M = {}

--- Whether some worker, of whatever process, carries out orders.
---@param store luafabric.SqliteStore
---@return boolean|nil is_held
---@return luafabric.Error|nil err
function M.has_engine(store)
  local row, err = lease.look(store, orders.LEASE)
  if err then return nil, err end
  return row ~= nil and row.held == true
end

--- GET /healthz
---@param service luafabric.Service
---@return luafabric.service.Response|nil response
---@return any err
function M.answer(service)
  local store, err = service:desk()
  if not store then return nil, err end
  local has_engine
  has_engine, err = M.has_engine(store)
  if has_engine == nil then return nil, err end
  return looking.json(200, run_document.encode { status = "ok", version = version,
    engine = { state = has_engine and "held" or "away" } })
end

return M
