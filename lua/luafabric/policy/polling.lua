--- When to ask for a status. Functions of what the server said and of the time. Pure.

local M = {}

--- For so long after the submission a 404 means "not visible yet" (reported up to a minute).
M.GRACE = 120

-- A list of n pages costs n of the 50 status requests that an identity has a minute
-- (fabric-docs, fundamentals/job-scheduler.md); this leaves room for others.
local SECONDS_PER_CALL = 2

local LONGEST_JITTER = 5 -- seconds
local JITTER = 0.1 -- of the interval

--- Later by up to a tenth, never earlier, so that many clients do not ask in step.
local function spread(seconds, random)
  return seconds + math.min(seconds * JITTER, LONGEST_JITTER) * random
end

--- Seconds from the acceptance to the first look.
---@param hint number|nil   Retry-After of the 202: "should wait at least this many seconds before
---                         the first status poll" (Microsoft's notebook/swagger.json)
---@param floor number      used where there is no hint, or 0
---@param random number     [0, 1)
---@return number seconds
function M.first(hint, floor, random)
  if not hint or hint <= 0 then hint = floor end
  return spread(hint, random)
end

--- Seconds from one answer to the next question. The server's Retry-After is never shortened; a
--- missing one does not mean that the run ended (recorded).
---@param hint number|nil   Retry-After of the answer
---@param floor number      seconds
---@param random number     [0, 1)
---@param calls integer|nil how many requests the question takes (pages of a list)
---@return number seconds
function M.next(hint, floor, random, calls)
  local quota = calls and calls > 1 and calls * SECONDS_PER_CALL or 0
  return spread(math.max(hint or 0, floor, quota), random)
end

--- Nobody is left without a look for longer, whatever is expected.
M.CEILING = 600 -- seconds

-- From the durations of so many runs on, they say when the next one may end.
local ENOUGH = 3
-- A run may be shorter than all that were seen: by a part of the difference between them.
local EARLIER = 0.25
-- While it may end at any time, the looks are so many over the time in which others ended; when it
-- takes longer than all of them, they grow rarer with the time that it is late.
local LOOKS, LATE = 40, 0.1

--- Seconds to the next look at a run that was seen to run, where earlier runs of its notebook tell
--- when it may end.
---@param delay number    seconds, as given by `next`: never less
---@param elapsed number  seconds since the run was accepted
---@param known { count: integer, shortest: number, longest: number }|nil  of policy/durations
---@return number seconds
function M.expect(delay, elapsed, known)
  if not known or known.count < ENOUGH then return delay end
  local range = known.longest - known.shortest
  local early = known.shortest - EARLIER * range
  local wanted
  if elapsed + delay < early then
    wanted = early - elapsed
  elseif elapsed < known.longest then
    wanted = range / LOOKS
  else
    wanted = (elapsed - known.longest) * LATE
  end
  return math.max(delay, math.min(wanted, M.CEILING))
end

--- Seconds from an accepted cancel to the next look. A cancel changes what there is to see, and its
--- Retry-After speaks of repeating the request, so the run's countdown does not count here.
---@param hint number|nil   Retry-After of the cancel's 202
---@param floor number
---@return number seconds
function M.after_cancel(hint, floor)
  if hint and hint > 0 and hint < floor then return hint end
  return floor
end

--- Whether a 404 may still mean "not visible yet".
---@param accepted_at number|nil  nil: the submission is long past
---@param now number              same clock
---@return boolean
function M.may_be_invisible(accepted_at, now)
  return accepted_at ~= nil and now - accepted_at < M.GRACE
end

return M
