--- Deadlines as people write them, "06:00", "06:00Z", "06:00+02:00" or a full time, fixed to one
--- moment. Pure but for the time zone of the machine: `os.date` is asked what the local clock shows
--- at a given moment, never what time it is now.

local core = require "luafabric.core"

local M = {}

local DAY = 86400
local EXPECTED = 'expected a time such as "06:00" (local), "06:00Z", "06:00+02:00" or '
  .. '"2026-11-24T06:00:00Z"'

--- Seconds by which the local clock is ahead of UTC at a moment.
local function machine_offset(at)
  local whole = math.floor(at)
  return core.parse_time(os.date("%Y-%m-%dT%H:%M:%S", whole)) - whole
end

local function as_function(offset)
  if offset == nil then return machine_offset end
  if type(offset) == "function" then return offset end
  return function() return offset end
end

--- The moment at which a clock shows something. `shown` is what it shows, as if it were UTC. Twice
--- it shows it where it is put back: the first such moment after `later_than`. Where it is put
--- forward past it, it counts as not yet put forward: "02:30" is then what shows as 03:30.
local function moment(shown, offset_at, later_than)
  local before, after = offset_at(shown - DAY), offset_at(shown + DAY)
  local first, second = shown - math.max(before, after), shown - math.min(before, after)
  local first_is_real = offset_at(first) == shown - first
  if first_is_real and first > later_than then return first end
  return second
end

--- The next moment at which a clock shows a time of day.
local function next_time(of_day, offset_at, now)
  local today = math.floor((now + offset_at(now)) / DAY) * DAY
  for day = -1, 2 do
    local at = moment(today + day * DAY + of_day, offset_at, now)
    if at > now then return at end
  end
end

local function fixed_offset(zone)
  if zone == "" then return nil, true end
  if zone == "Z" or zone == "z" then return 0, true end
  local sign, hours, minutes = zone:match("^([+-])(%d%d):?(%d%d)$")
  if not sign or tonumber(hours) > 14 or tonumber(minutes) > 59 then return nil, false end
  local seconds = tonumber(hours) * 3600 + tonumber(minutes) * 60
  return sign == "-" and -seconds or seconds, true
end

local function split(text)
  local date, clock, zone = text:match("^(%d%d%d%d%-%d%d%-%d%d)[Tt ](%d%d:%d%d)(.*)$")
  if not date then clock, zone = text:match("^(%d%d:%d%d)(.*)$") end
  if not clock then return nil end
  local seconds, rest = zone:match("^(:%d%d)(.*)$")
  return date, clock .. (seconds or ":00"), rest or zone
end

local function refuse(text, why)
  return nil, ("%q is no deadline: %s"):format(text, why)
end

--- Why a text is none, where a common slip is seen.
local function explain(text)
  if text:find("^%d:%d%d") then return refuse(text, ('write "0%s"'):format(text)) end
  if text:find("^%d%d%d%d%-%d%d%-%d%d$") then
    return refuse(text, ('a date needs its time of day, such as "%sT06:00"'):format(text))
  end
  if require("luafabric.duration").parse(text) then
    return refuse(text, ('it is a duration, which is written timeout = "%s"; a deadline is a time '
      .. 'such as "06:00"'):format(text))
  end
  return refuse(text, EXPECTED)
end

--- Reads a deadline.
---@param text string
---@param now number  unix seconds; a time of day is the next one after it
---@param local_offset number|(fun(unix: number): number)|nil  seconds by which the local clock is
---  ahead of UTC; nil: as this machine has it
---@return number|nil unix
---@return string|nil message  what was expected instead
function M.parse(text, now, local_offset)
  if type(text) ~= "string" then
    return nil, ("a %s is no deadline: %s"):format(type(text), EXPECTED)
  end
  local date, clock, zone = split(text)
  if not clock then return explain(text) end
  local offset, known = fixed_offset(zone)
  if not known then
    return refuse(text, ('"%s" is no time zone: write Z or +02:00, or nothing for local time')
      :format(zone))
  end
  local shown = core.parse_time((date or "1970-01-01") .. "T" .. clock)
  if not shown or clock:sub(-2) == "60" then return refuse(text, "there is no such time") end
  local offset_at = as_function(offset or local_offset)
  if date then return moment(shown, offset_at, -math.huge) end
  return next_time(shown, offset_at, now)
end

return M
