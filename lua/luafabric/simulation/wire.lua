--- What happens to a request of a simulated world between a client and Fabric, by the weather of
--- that world: it arrives or not, is applied or not, now or minutes later, and its answer comes,
--- comes late, comes again or never.

local faults = require "luafabric.simulation.faults"

local M = {}

local BREAKS = { "fin", "rst", "half_header", "header_then_rst", "silence" }

local function refusal(status, retry_after)
  return { status = status, body = "", headers = retry_after
    and { ["Retry-After"] = ("%d"):format(retry_after) } or {} }
end

--- Fabric takes it now.
local function apply(world, request, now)
  local response = world.service:handle(request, now)
  world:applied(request, response)
  return response
end

local function broken(world, response)
  response = response or refusal(503)
  response.wire = world.chance.one(BREAKS)
  return response
end

-- ---- what each fault does to a request that it strikes, by what the request is for ----

local strikes = { submit = {}, get = {}, cancel = {} }

--- A list of ways, of which one is taken.
local function one_of(...)
  local ways = { ... }
  return function(world, request, now) return world.chance.one(ways)(world, request, now) end
end

local function lost_answer(world, request, now)
  return broken(world, apply(world, request, now))
end

local function lost_request(world) return broken(world) end

local function late(world, request)
  world:later(request, world.chance.whole(1, faults.LATE))
  return { failure = { code = "reset", message = "the connection was reset" }, sent = "maybe" }
end

local function error_after(world, request, now)
  apply(world, request, now)
  return refusal(world.chance.one { 500, 502, 504 })
end

local function error_instead(world) return refusal(world.chance.one { 500, 502, 503, 504 }) end

local function slow(world, request, now)
  local response = apply(world, request, now)
  response.delay = (response.delay or 0) + world.chance.whole(1, 130)
  return response
end

local function unreachable()
  return { failure = { code = "connect", message = "nobody is there" }, sent = "no" }
end

--- Accepted, and nothing says as what.
local function no_id(world, request, now)
  local response = apply(world, request, now)
  if response.status ~= 202 then return response end
  response.headers["x-ms-job-id"] = nil
  response.headers["Location"] = nil
  if world.chance.chance(0.5) then response.headers["RequestId"] = nil end
  return response
end

strikes.submit = { lost = one_of(lost_answer, lost_request), late = late,
  ["429"] = function(world) return refusal(429, world.chance.whole(1, 90)) end,
  ["430"] = function(world) return refusal(430, world.chance.whole(1, 90)) end,
  ["5xx"] = one_of(error_after, error_instead), no_id = no_id, slow = slow,
  unreachable = unreachable }

strikes.cancel = { lost = one_of(lost_answer, lost_request), late = late,
  ["429"] = strikes.submit["429"], ["5xx"] = one_of(error_after, error_instead), slow = slow,
  unreachable = unreachable }

--- What was answered to the same question a little while ago; never older than Fabric may be.
local function stale(world, request, now)
  local before = world.told[request.url]
  local age = before and now - before.at or math.huge
  if age + world.weather.list_lag > faults.VISIBLE then return apply(world, request, now) end
  local again = {}
  for name, value in pairs(before.response) do again[name] = value end
  return again
end

strikes.get = { lost = lost_request, ["429"] = strikes.submit["429"], ["5xx"] = error_instead,
  slow = slow, stale = stale, unreachable = unreachable }

-- In one order, so that the same numbers choose the same.
local names = {}
for index, entry in ipairs(faults.ALL) do names[index] = entry[1] end

--- The ways in which requests of each kind are struck in this weather.
---@param weather luafabric.Weather
---@return table<string, table[]>  kind -> { name, strike }
function M.ways(weather)
  local ways = {}
  for kind, by_name in pairs(strikes) do
    ways[kind] = {}
    for _, name in ipairs(names) do
      if weather.has[name] and by_name[name] then
        table.insert(ways[kind], { name = name, strike = by_name[name] })
      end
    end
  end
  return ways
end

local kinds = { submit = "submit", cancel = "cancel" }

local function remember(world, request, response, now)
  if not world.weather.has.stale or request.method ~= "GET" then return end
  world.told[request.url] = { at = now, response = response }
end

--- Answers a request of a client.
---@param world luafabric.World
---@param request table
---@param now number  unix seconds of Fabric's clock
---@return table answer  of the virtual host
function M.answer(world, request, now)
  local ways = world.ways[kinds[request.purpose] or "get"]
  local is_struck = #ways > 0 and not world:is_healed()
    and world.chance.chance(world.weather.rate)
  local response
  if is_struck then
    local way = world.chance.one(ways)
    world:note("%s of %s: %s", request.purpose or "request", world:place(request), way.name)
    response = way.strike(world, request, now)
  else
    response = apply(world, request, now)
    remember(world, request, response, now)
  end
  response.delay = (response.delay or 0) + world.weather.latency
  return response
end

return M
