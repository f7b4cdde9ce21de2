--- Whether a step gets another attempt, and when. What never started a run (a full capacity, no way
--- to reach Fabric) costs no attempt: it waits and is submitted again. Pure.

local M = {}

--- How long a step keeps coming back without an attempt being spent, seconds, by cause. `network`
--- is on top of the client's own tries for one submission.
M.PATIENCE = { capacity = 24 * 3600, network = 10 * 60 }

local PAUSES = { capacity = { first = 30, ceiling = 600 }, network = { first = 10, ceiling = 60 } }

local JITTER = 0.1 -- of a pause, so that many steps do not come back in step

local function spread(seconds, random)
  return seconds * (1 + JITTER * random)
end

-- After these nothing is ever sent again, whatever a policy's function says.
local never = { succeeded = true, skipped = true, unknown = true, unauthorized = true,
  rejected = true }

--- Whether the user's policy wants another attempt after that outcome.
---@param policy { on: table<string, boolean>|fun(outcome: string): boolean }
---@param outcome string
---@return boolean
local function is_wanted(policy, outcome)
  if never[outcome] then return false end
  if type(policy.on) == "function" then return policy.on(outcome) == true end
  return policy.on[outcome] == true
end

--- Seconds until the next attempt, where the user's policy gives one.
---@param policy { attempts: integer, on: any, interval: number, backoff: number,
---  max_interval: number }  seconds; attempts counts the first
---@param outcome string   of the attempt that ended
---@param spent integer    attempts that counted so far
---@param random number    [0, 1)
---@return number|nil seconds  nil: no other attempt
function M.delay(policy, outcome, spent, random)
  if spent >= policy.attempts or not is_wanted(policy, outcome) then return nil end
  local pause = policy.interval * policy.backoff ^ (spent - 1)
  return spread(math.min(pause, policy.max_interval), random)
end

--- Seconds until a submission that costs no attempt is made again.
---@param cause "capacity"|"network"
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
