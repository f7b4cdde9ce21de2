--- The number that stands for the outcome of a run, for shells and whatever else asks for one. What
--- each means is in the command's help. Pure.

local M = {}

--- A run that nobody watches any more.
M.detached = 7

local FAILED = 1

local outcomes = {
  succeeded = 0, skipped = 0, failed = 1, deduped = 1, rejected = 1, capacity = 1, throttled = 1,
  platform = 1, cancelled = 3, timed_out = 4, unauthorized = 5, unknown = 6,
}

---@param outcome string
---@return integer code
function M.of(outcome)
  return outcomes[outcome] or FAILED
end

--- Of a run in a store; nil while it goes on.
---@param row luafabric.RunRow
---@return integer|nil code
function M.of_run(row)
  if row.state == "ended" then return M.of(row.outcome) end
  return row.state == "detached" and M.detached or nil
end

return M
