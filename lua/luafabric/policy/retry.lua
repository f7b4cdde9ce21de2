--- Which failures of a safe call (a GET, a cancel) may be repeated, and when. A submission is none
--- of these: see policy/answer. Pure.

local M = {}

--- As Microsoft's own provider repeats reads; 430 is Spark's capacity.
local statuses = { [408] = true, [425] = true, [429] = true, [430] = true, [500] = true,
  [502] = true, [503] = true, [504] = true }

-- Trying again would end the same.
local lasting_failures = { tls = true, too_large = true, cancelled = true, expired = true }

--- Tries and pauses of a call that somebody waits for, seconds.
M.patience = { tries = 5, first = 1, ceiling = 30, throttled = 60 }

--- Whether another try may help.
---@param completion table
---@return boolean
function M.may_help(completion)
  if completion.failure then return not lasting_failures[completion.failure.code] end
  return statuses[completion.status] == true
end

--- Why we wait, for people.
---@param completion table
---@return "network"|"throttled"|"capacity"|"platform"
function M.cause(completion)
  if completion.failure then return "network" end
  if completion.status == 429 then return "throttled" end
  if completion.status == 430 then return "capacity" end
  return "platform"
end

--- Seconds until the next try: full jitter over a doubling pause, never before the server's
--- Retry-After. Where a 429 or 430 names no time, a whole window of the quota (60 s, fixed).
---@param completion table|nil  nil: there was no answer
---@param attempt integer       1 after the first failure
---@param hint number|nil       Retry-After, seconds
---@param random number         [0, 1)
---@param settings { first: number, ceiling: number, throttled: number }|nil  seconds
---@return number seconds
function M.delay(completion, attempt, hint, random, settings)
  settings = settings or M.patience
  local own = random * math.min(settings.ceiling, settings.first * 2 ^ (attempt - 1))
  local status = completion and not completion.failure and completion.status
  if (status == 429 or status == 430) and (not hint or hint <= 0) then
    return settings.throttled + own
  end
  return math.max(own, hint or 0)
end

return M
