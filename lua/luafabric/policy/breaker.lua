--- Whether an origin is there at all: after many failures in a row it is asked now and then with
--- one GET, and nothing else is sent until it answers. A submission is never that question. Pure.

local M = {}

--- Failures in a row, of the transport or of the server, that open it.
M.FAILURES = 10
-- Pauses between the questions, seconds: from, up to.
local FIRST, LONGEST = 5, 60
-- A question whose answer never came (its task was ended) does not keep others from asking.
local LOST = 120 -- seconds

-- Ended by ourselves, or a matter of one answer.
local not_the_origin = { cancelled = true, expired = true, too_large = true, memory = true }

---@class luafabric.Breaker
local Breaker = {}
Breaker.__index = Breaker

--- A breaker, closed.
---@return luafabric.Breaker
function M.new()
  return setmetatable({ failures = 0 }, Breaker)
end

--- Whether an answer says that the origin is not well; nil where it says nothing about that.
---@param completion table
---@return boolean|nil
function M.is_failure(completion)
  if completion.failure then
    if not_the_origin[completion.failure.code] then return nil end
    return true
  end
  return completion.status >= 500
end

--- When a request may go.
---@param now number
---@param may_probe boolean  it is a GET
---@return number|nil at  nil: not before another request has found the origin well
function Breaker:ask(now, may_probe)
  if not self.probe_at then return now end
  if not may_probe then return nil end
  if self.probing_since and now < self.probing_since + LOST then return nil end
  return math.max(now, self.probe_at)
end

--- A request goes out.
function Breaker:sent(now)
  if self.probe_at then self.probing_since = now end
end

--- It did not go out after all.
function Breaker:withdrawn()
  self.probing_since = nil
end

--- What came of a request.
---@param completion table
---@param now number
---@param random fun(): number  [0, 1)
---@return boolean changed  it opened or closed
function Breaker:answered(completion, now, random)
  local failed = M.is_failure(completion)
  local was_open, was_asked = self.probe_at ~= nil, self.probing_since ~= nil
  self.probing_since = nil
  if failed == nil then return false end
  if not failed then
    self.failures, self.probe_at, self.pause = 0, nil, nil
    return was_open
  end
  self.failures = self.failures + 1
  -- Those that were on their way when it opened say nothing new.
  if self.failures < M.FAILURES or was_open and not was_asked then return false end
  self.pause = self.pause and math.min(LONGEST, self.pause * 2) or FIRST
  self.probe_at = now + self.pause * (0.5 + random() / 2)
  return not was_open
end

return M
