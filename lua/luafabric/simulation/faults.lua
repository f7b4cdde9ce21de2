--- What may go wrong in a simulated world, by name, and which of it does in one world: its weather.
--- Pure.

local nearest = require "luafabric.nearest"

local M = {}

-- In the order of the help; where each strikes is in simulation/wire, process and world.
M.ALL = {
  { "lost", "connections that end without an answer, before or after Fabric took the request" },
  { "late", "submissions that reach Fabric minutes after the connection was lost" },
  { "429", "quotas that are used up" },
  { "430", "a full capacity" },
  { "5xx", "errors of Fabric, with and without a run behind them" },
  { "no_id", "acceptances that name no run" },
  { "slow", "answers that take long, some of them too long" },
  { "stale", "answers that tell again what was told before" },
  { "unreachable", "connections that cannot be made" },
  { "lag", "runs that are listed late, and news that is old" },
  { "foreign", "somebody else who runs the same notebooks" },
  { "skew", "a clock that is not Fabric's" },
  { "clock", "a clock that is set while the workflow runs" },
  { "restart", "processes that end anywhere, and others that take the run up" },
  { "freeze", "processes that stand still for longer than they hold the run" },
  { "cancel", "somebody who cancels the run" },
  { "disk", "a disk that takes its time, and loses what it had not finished" },
}

local words, known = {}, {}
for index, entry in ipairs(M.ALL) do words[index], known[entry[1]] = entry[1], true end

--- Reads a list of names: "all", "none", or "lost,429".
---@param text string
---@return table<string, boolean>|nil set
---@return string|nil message
function M.read(text)
  local set = {}
  if text == "none" then return set end
  for word in text:gmatch("[^,]+") do
    if word == "all" then
      for _, name in ipairs(words) do set[name] = true end
    elseif known[word] then
      set[word] = true
    else
      local near = nearest.find(word, words, 1)[1]
      return nil, ("%s is not a fault%s; there are %s, and all or none"):format(word,
        near and (", did you mean %s?"):format(near) or "", table.concat(words, ", "))
    end
  end
  if next(set) then return set end
  return nil, "no fault is named; there are " .. table.concat(words, ", ") .. ", and all or none"
end

-- What Fabric may take at most for what a client reckons with 30 s (visible) and 300 s (late).
M.VISIBLE, M.LATE = 29, 295 -- seconds

---@class luafabric.Weather
---@field has table<string, boolean>  the faults of this world
---@field rate number         share of the requests that meet one
---@field heals_at number|nil seconds from the start after which nothing goes wrong any more
---@field connect_delay number  seconds until a request is on the wire
---@field latency number      seconds until its answer
---@field list_lag number     seconds until a run is listed
---@field status_lag number
---@field offset number       seconds by which the clients' clock is ahead of Fabric's
---@field commit_delay number seconds that a commit takes at most
---@field lease number        seconds that a process holds its run without a word

local function lags(random, weather)
  local has = weather.has
  weather.connect_delay = has.slow and random.one { 0, 0.05, 2 } or 0.05
  weather.latency = random.one { 0.05, 0.2, 1 }
  weather.list_lag = has.lag and random.whole(0, M.VISIBLE) or 0
  weather.status_lag = has.lag and random.one { 0, 0, 30, 75 } or 0
  weather.visibility = has.lag and random.one { 0, 2, 20 } or 0
  weather.offset = has.skew and random.one { 1, -1, 40, -40, 3600, -3600 } or 0
  weather.commit_delay = has.disk and random.one { 0.001, 0.05, 2 } or 0
  weather.lease = (has.freeze or random.chance(0.2)) and 30 or 900
end

--- The weather of one world.
---@param random luafabric.Choices
---@param allowed table<string, boolean>
---@param options { each: boolean|nil, heals: boolean|nil }|nil  each: all that is allowed, instead
---  of a part of it; heals: nothing goes wrong any more after a while
---@return luafabric.Weather
function M.weather(random, allowed, options)
  options = options or {}
  local weather = { has = {}, rate = random.one { 0.03, 0.15, 0.4 } }
  local share = random.one { 0.15, 0.4, 0.7 }
  for _, name in ipairs(words) do
    local is_in = random.chance(share)
    weather.has[name] = allowed[name] and (options.each or is_in) or nil
  end
  weather.heals_at = options.heals and random.whole(60, 1800) or nil
  lags(random, weather)
  return weather
end

return M
