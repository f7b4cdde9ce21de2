-- What a host adds to the time of what waits in it: the scenario's chains, endings and 1,000 timers
-- against an emulator on loopback, beside its ideal, which is the same on the virtual host, where
-- nothing but waiting takes time. And how many POSTs leave for a submission while the fault server
-- breaks its answers in every way. Median of 5.

local machine = require "bench.machine"
local programs = require "spec.hosts.programs"

local TIMES = 5

--- What the scenario takes where nothing but its waits takes time.
local function ideal()
  local service = require("spec.hosts.scenario_fabric").new()
  local host = require("luafabric.hosts.virtual").new { log = false,
    handle = function(request, now) return service:handle(request, now) end }
  local client = require("luafabric").client { endpoint = "http://127.0.0.1/v1",
    credential = "any", poll_floor = 0.02, host = function() return host end }
  return require("spec.hosts.scenario").measure(client)
end

local function served(start, path)
  return function(world)
    local child, url = start(world)
    local answer = programs.get(child, url .. path)
    child:close()
    return answer
  end
end

local function plain(lua)
  return { "plain, " .. lua, { lua = lua, package = lua },
    function(world) return programs.run_lua(world, lua, "plain") end }
end

local function library(name, lua)
  return { ("%s, %s"):format(name, lua), { lua = lua, module = name, package = "lua-" .. name },
    function(world) return programs.run_lua(world, lua, name) end }
end

local rows = {
  plain "lua5.4", plain "luajit", plain "lua5.1", library("luv", "lua5.4"),
  library("cqueues", "lua5.4"),
  { "Neovim", programs.neovim_needs, programs.run_neovim },
  { "nginx, content", programs.nginx_needs, served(programs.start_nginx, "/content") },
  { "nginx, timer", programs.nginx_needs, served(programs.start_nginx, "/timer") },
  { "HAProxy, task", programs.haproxy_needs, served(programs.start_haproxy, "/") },
}

--- Runs it in a world of its own: in one that has runs of before, lists have more pages.
local function in_new_world(run)
  local world = programs.world()
  world.figures = true
  local output = run(world)
  world.close()
  return output
end

local best = {}
for index = 1, TIMES do best[index] = ideal() end
best = machine.median(best)
print(("%-18s %6s  %s"):format("host", "time", "POSTs per submission, all faults"))
print(("%-18s %4.0f ms"):format("ideal (virtual)", best * 1000))
for _, row in ipairs(rows) do
  local name, needs, run = row[1], row[2], row[3]
  local reason = programs.missing(needs)
  if reason then
    print(("%-18s not tried: %s"):format(name, reason))
  else
    local seconds, submissions, posts = {}, 0, 0
    for index = 1, TIMES do
      local output = in_new_world(run)
      local time, submitted, sent = output:match("([%d.]+) s, (%d+) submissions[^,]*, (%d+) POSTs")
      assert(time, name .. ": " .. output)
      seconds[index], submissions, posts = tonumber(time), submissions + submitted, posts + sent
    end
    print(("%-18s %4.0f ms  %.3f of %d"):format(name, machine.median(seconds) * 1000,
      posts / submissions, submissions))
  end
end
