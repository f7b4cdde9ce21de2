--- Who runs a run of the store, or why nobody does, in words; and how the store is named on a
--- command line.

local owners = require "luafabric.store.owner"

local M = {}

--- Whether it has not ended, and no process will end it.
---@param row luafabric.RunRow
---@return boolean
function M.is_left(row)
  return row.orphaned or row.state == "detached"
end

--- The process that runs it, or the service that does.
---@param row luafabric.RunRow
---@return string  "process 1234"
function M.owner(row)
  if row.owned_by then return row.owned_by end
  local pid = row.owner and owners.pid(row.owner)
  return pid and "process " .. pid or "another process"
end

--- Why nobody runs it.
---@param row luafabric.RunRow  that is left
---@return string  "process 1234 is gone"
function M.why_left(row)
  if row.state == "detached" then return "it was detached" end
  if not row.owner then return "the process that ran it let it go" end
  if owners.is_gone(row.owner) then return M.owner(row) .. " is gone" end
  return M.owner(row) .. " has not been heard of for a while"
end

return M
