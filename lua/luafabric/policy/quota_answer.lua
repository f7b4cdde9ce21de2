--- What an answer says about quotas: whether it is a 429, and how long that holds. Pure.

local core = require "luafabric.core"
local response = require "luafabric.api.response"

local M = {}

-- A limit of its own, which no window refills.
local OTHER_LIMITS = { TooManyRequestsForJobs = true }

-- The header and the message speak of the same moment; one that differs by more is another's, or
-- of another order of day and month.
local SAME = 2 -- seconds
local LONGEST = 120 -- seconds, of a message alone

--- Unix seconds of "9/3/2025 6:54:11 AM (UTC)", as Fabric writes it (recorded).
local function read_until(text)
  local month, day, year, hour, minute, second, half =
    text:match("until:%s*(%d+)/(%d+)/(%d%d%d%d) (%d+):(%d%d):(%d%d) ([AP]M)")
  if not month then return nil end
  hour = tonumber(hour) % 12 + (half == "PM" and 12 or 0)
  return core.parse_time(("%s-%02d-%02dT%02d:%s:%sZ"):format(year, tonumber(month), tonumber(day),
    hour, minute, second))
end

--- Seconds until the time in the message, by the server's own clock.
local function wait_in_message(completion)
  local date = (completion.headers or {}).date
  local now = date and core.parse_http_date(date)
  local text = now and response.error_fields(completion).message
  local at = text and read_until(text)
  return at and at > now and at - now or nil
end

--- Reads an answer.
---@param completion table
---@return { is_limited: boolean, wait: number|nil, is_window: boolean|nil }  wait: seconds, rather
---  too long by up to one than too short; is_window: until a window of the quota ends
function M.read(completion)
  if completion.failure or completion.status ~= 429 then return { is_limited = false } end
  local wait, other = response.retry_after(completion), wait_in_message(completion)
  if wait and wait <= 0 then wait = nil end
  if other and wait and math.abs(other - wait) <= SAME then
    wait = math.min(wait, other)
  elseif other and not wait and other <= LONGEST then
    wait = other
  end
  return { is_limited = true, wait = wait,
    is_window = not OTHER_LIMITS[response.error_fields(completion).code] }
end

return M
