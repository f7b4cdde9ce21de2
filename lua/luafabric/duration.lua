--- Durations as people write them: seconds, or "90s", "15m", "2h", "1d", "1h30m". Pure.

local M = {}

local seconds_of = { s = 1, m = 60, h = 3600, d = 86400 }
local rank_of = { d = 4, h = 3, m = 2, s = 1 }
local expected = 'expected seconds or a text such as "90s", "15m", "2h", "1d" or "1h30m"'

local function show(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) == "number" then return tostring(value) end
  return "a " .. type(value)
end

-- "1.5" in any locale: `tonumber` of Lua 5.1 wants the locale's decimal point.
local function to_number(digits)
  local whole, fraction = digits:match("^(%d+)%.?(%d*)$")
  if fraction == "" then return tonumber(whole) end
  return tonumber(whole) + tonumber(fraction) / 10 ^ #fraction
end

--- Units go from large to small and none twice, so that "5m1h" and "30s30s" are seen as slips.
local function parse_text(text)
  local position, rank, sum = 1, 5, 0
  while position <= #text do
    local digits, unit, next_position = text:match("^(%d+%.?%d*)([smhd])()", position)
    if not digits or rank_of[unit] >= rank then return nil end
    sum, rank, position = sum + to_number(digits) * seconds_of[unit], rank_of[unit], next_position
  end
  return rank < 5 and sum or nil
end

--- Reads a duration.
---@param value number|string  seconds ≥ 0, or a text such as "1h30m"
---@return number|nil seconds
---@return string|nil message  what was expected instead
function M.parse(value)
  if type(value) == "number" then
    if value >= 0 and value < math.huge then return value end
    return nil, show(value) .. " is no duration: expected seconds from 0 up"
  end
  local seconds = type(value) == "string" and parse_text(value)
  if seconds and seconds < math.huge then return seconds end
  return nil, show(value) .. " is no duration: " .. expected
end

--- Reads a duration or raises, naming the field: `timeout: "2 hours" is no duration: …`.
---@param value number|string
---@param path string    the field's path, for the message
---@param level? integer as for `error`, seen from the caller; default 1, the caller itself
---@return number seconds
function M.check(value, path, level)
  local seconds, message = M.parse(value)
  if not seconds then error(path .. ": " .. message, (level or 1) + 1) end
  return seconds
end

--- Shows a duration: `0.8s`, `42s`, `12m04s`, `3h05m`, `2d04h`.
---@param seconds number  ≥ 0
---@return string
function M.format(seconds)
  if seconds < 9.95 and seconds % 1 ~= 0 then
    local tenths = ("%.1f"):format(seconds):gsub("%D", ".") -- the locale's point may be a comma
    return (tenths:gsub("%.0$", "")) .. "s"
  end
  local whole = math.floor(seconds + 0.5)
  if whole < 60 then return ("%ds"):format(whole) end
  if whole < 3600 then return ("%dm%02ds"):format(math.floor(whole / 60), whole % 60) end
  if whole < 86400 then
    return ("%dh%02dm"):format(math.floor(whole / 3600), math.floor(whole % 3600 / 60))
  end
  return ("%dd%02dh"):format(math.floor(whole / 86400), math.floor(whole % 86400 / 3600))
end

return M
