--- Whether a step gets another attempt, and when. What never started a run (a full capacity, no way
--- to reach Fabric) costs no attempt: it waits and is submitted again. Pure.

local M = {}

--- How long a step keeps coming back without an attempt being spent, seconds, by cause. All but
--- `capacity` are on top of the client's own tries. `not_started`: a submission that was lost, by
--- all that Fabric lists; `unknown`: one that may have been, where that is enough to send another.
M.PATIENCE = { capacity = 24 * 3600, network = 10 * 60, platform = 10 * 60, throttled = 10 * 60,
  not_started = 3600, unknown = 60 }

local BRIEF = { first = 10, ceiling = 60 }

local PAUSES = { capacity = { first = 30, ceiling = 600 }, network = BRIEF, platform = BRIEF,
  throttled = BRIEF, not_started = BRIEF, unknown = { first = 30, ceiling = 30 } }

local JITTER = 0.1 -- of a pause, so that many steps do not come back in step

local function spread(seconds, random)
  return seconds * (1 + JITTER * random)
end

--- Seconds until the next attempt of a policy that wants one.
---@param policy { attempts: integer, interval: number, backoff: number, max_interval: number }
---  seconds; attempts counts the first
---@param spent integer    attempts that counted so far
---@param random number    [0, 1)
---@return number|nil seconds  nil: they are used up
function M.delay(policy, spent, random)
  if spent >= policy.attempts then return nil end
  local pause = policy.interval * policy.backoff ^ (spent - 1)
  return spread(math.min(pause, policy.max_interval), random)
end

--- Seconds until a submission that costs no attempt is made again.
---@param cause "capacity"|"network"|"platform"|"throttled"|"not_started"|"unknown"
---@param times integer    how often it has come back for that cause, this time included
---@param since number     seconds since it did so first
---@param random number    [0, 1)
---@return number|nil seconds  nil: the patience is used up
function M.requeue(cause, times, since, random)
  if since >= M.PATIENCE[cause] then return nil end
  local pause = PAUSES[cause]
  return spread(math.min(pause.ceiling, pause.first * 2 ^ math.min(times - 1, 10)), random)
end

return M
