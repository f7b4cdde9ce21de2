--- Holds many runs of one store for another while, in one commit: a thousand runs that wait would
--- otherwise keep the disk busy with nothing else.

local committing = require "luafabric.store.committing"

local M = {}

local AT_A_TIME = 500

local HOLD = "update runs set lease_until = ?3 where run_id = ?1 and fence = ?2"

local function hold(store, runs, host_time)
  local till, unit = store.now() + store.lease, {}
  for index, run in ipairs(runs) do
    unit[index] = { HOLD, run.run_id, run.fence, till, changes = 1 }
  end
  local ok, err = committing.commit(store, unit)
  if not ok and not committing.is_refused(err) then return nil, err end
  for _, run in ipairs(runs) do
    run:owned_until() -- takes in what was renewed before
    if ok and not run.closed and not run.lost then
      run.lease_until, run.held = till, host_time + store.lease
    elseif not ok then
      run:renew(host_time) -- one of them is another's; which one, each finds out
    end
  end
  return true
end

--- Renews the leases of runs of one store; in a task. Which were lost `owned_until` knows then.
---@param runs luafabric.StoredRun[]
---@param host_time number  of a clock that nobody sets, for `held_until`
---@return boolean|nil ok
---@return luafabric.Error|nil err  the file is gone, or nothing is written any more
function M.renew(runs, host_time)
  local first = runs[1]
  if not first.store:is_there() then return first:renew(host_time) end -- says so
  for start = 1, #runs, AT_A_TIME do
    local some = {}
    for index = start, math.min(start + AT_A_TIME - 1, #runs) do some[#some + 1] = runs[index] end
    local ok, err = hold(first.store, some, host_time)
    if not ok then return nil, err end
  end
  return true
end

return M
