--- What one process at a time does for a whole store, such as carrying out its orders: a lease with
--- a name, held like a run. One owner at a time; whose process is gone, or who has not renewed it
--- for as long as a run is held, has it no more.

local committing = require "luafabric.store.committing"
local json = require "luafabric.json"
local owning = require "luafabric.store.sqlite_owning"

local M = {}

local ADD = "insert or ignore into leases (name, fence) values (?1, 0)"
local TAKE = [[update leases set owner = ?2, fence = ?3, lease_until = ?4
  where name = ?1 and fence = ?5 and lease_until is ?6]]
local HOLD = "update leases set lease_until = ?3 where name = ?1 and fence = ?2"
local RELEASE = "update leases set owner = null, lease_until = null where name = ?1 and fence = ?2"

---@class luafabric.Lease
---@field name string
---@field fence integer  grows with every owner
---@field till number    unix seconds
local Lease = {}
Lease.__index = Lease

--- Who has, or had, a lease.
---@param store luafabric.SqliteStore
---@param name string
---@return { owner: string|nil, fence: integer, lease_until: number|nil, held: boolean }|nil row
---  nil without an error: nobody ever had it
---@return luafabric.Error|nil err
function M.look(store, name)
  local rows, err = store:rows("select * from leases where name = ?1", name)
  local row = rows and rows[1]
  if not row then return nil, err end
  row.held = owning.is_held(store, row)
  return row
end

--- Takes a lease that nobody holds; in a task. Quick where somebody does.
---@param store luafabric.SqliteStore
---@param name string
---@return luafabric.Lease|nil lease  nil without an error: somebody holds it
---@return luafabric.Error|nil err
function M.take(store, name)
  local row, err = M.look(store, name)
  if err then return nil, err end
  row = row or { fence = 0 }
  if row.held then return nil end
  local fence, till = row.fence + 1, store.now() + store.lease
  local ok
  ok, err = committing.commit(store, { { ADD, name },
    { TAKE, name, store.owner, fence, till, row.fence, row.lease_until or json.null,
      changes = 1 } })
  if ok then
    return setmetatable({ store = store, name = name, fence = fence, till = till }, Lease)
  end
  if committing.is_refused(err) then return nil end -- somebody was quicker
  return nil, err
end

--- Holds it for another while; in a task.
---@return boolean|nil held
---@return luafabric.Error|nil err  it could not be written, and is held for as long as before; nil
---  as well: somebody else has it
function Lease:renew()
  local till = self.store.now() + self.store.lease
  local ok, err = committing.commit(self.store, { { HOLD, self.name, self.fence, till,
    changes = 1 } })
  if ok then
    self.till = till
    return true
  end
  if not committing.is_refused(err) then return nil, err end
  self.till = -math.huge
end

--- Whether it is surely ours.
---@return boolean
function Lease:is_held()
  return self.till > self.store.now()
end

--- Lets go: another process may take it at once. In a task; twice does no harm.
---@return boolean|nil ok
---@return luafabric.Error|nil err
function Lease:release()
  self.till = -math.huge
  return committing.commit(self.store, { { RELEASE, self.name, self.fence } })
end

return M
