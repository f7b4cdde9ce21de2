--- How many calls may be repeated: a part of those that succeed, so that a service in trouble is
--- not asked several times as much. Waits for a quota are no retries. Pure.

local M = {}

-- A retry for five calls that succeed (Finagle's RetryBudget: 20 %), and so many saved up at most.
local SHARE, MOST = 0.2, 20

---@class luafabric.RetryBudget
---@field tokens number
local Budget = {}
Budget.__index = Budget

--- A full budget.
---@param options { share: number|nil, most: number|nil }|nil
---@return luafabric.RetryBudget
function M.new(options)
  local most = options and options.most or MOST
  return setmetatable({ share = options and options.share or SHARE, most = most, tokens = most },
    Budget)
end

--- A call succeeded.
function Budget:earn()
  self.tokens = math.min(self.most, self.tokens + self.share)
end

--- Takes a retry.
---@return boolean granted  false: the budget is used up
function Budget:spend()
  if self.tokens < 1 then return false end
  self.tokens = self.tokens - 1
  return true
end

return M
