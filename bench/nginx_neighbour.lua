-- What 1,000 runs of ten notebooks that wait in an nginx worker cost its neighbours: /healthz
-- beside a second nginx of the same configuration that is idle, in five alternating pairs, and a
-- location of nginx's own, /ping; the worker's share of a processor, and its memory. First, while
-- the runs are submitted.

local core = require "luafabric.core"
local machine = require "bench.machine"
local process = require "spec.support.process"
local world_module = require "spec.nginx.world"

local RUNS, NOTEBOOKS, PAIRS, REQUESTS, PAUSE = 1000, 10, 5, 4000, 500

local reason = world_module.missing()
if reason then
  print("not measured: " .. reason)
  os.exit(0)
end

local function start(fabric)
  local workflows = {}
  for index = 1, NOTEBOOKS do
    workflows["notebook" .. index] = ([[
      local fabric = require "luafabric"
      return fabric.workflow("notebook %d", function(flow)
        local number = flow:input("number", { type = "Integer" })
        flow:notebook("only", { workspace = "Sales", notebook = "Notebook %d",
          parameters = { number = number } })
      end)]]):format(index, index)
  end
  return world_module.start { fabric = fabric, more_workflows = workflows, replace = {
    { "worker_processes 2", "worker_processes 1" },
    { "access_log logs/access.log", "access_log off" },
    -- As with Fabric itself, and not as with an emulator on this machine.
    { "credential = fabric", "poll_floor = 10, credential = fabric" },
    { "# An event from elsewhere", 'location = /ping { return 200 "pong"; }\n    #' },
  } }
end

local function latency(world, path, requests)
  local pipe = io.popen(("build/bin/latency %s%s %d %d"):format(world.url, path, requests, PAUSE))
  local text = pipe:read "*a"
  pipe:close()
  local middle, late, longest = text:match "([%d.]+) ([%d.]+) ([%d.]+)"
  assert(middle, "no latency of " .. path .. ": " .. world:log())
  return { tonumber(middle) / 1000, tonumber(late) / 1000, tonumber(longest) / 1000 }
end

--- Seconds of a processor that the worker took, and KiB that it has.
local function worker_use(world)
  local pid = world:workers()[1]
  local file = assert(io.open(("/proc/%d/stat"):format(pid), "r"))
  local fields = {}
  for field in file:read("*a"):match("%) (.*)"):gmatch "%S+" do fields[#fields + 1] = field end
  file:close()
  file = assert(io.open(("/proc/%d/status"):format(pid), "r"))
  local kilobytes = file:read("*a"):match "VmRSS:%s+(%d+)"
  file:close()
  return (fields[12] + fields[13]) / 100, tonumber(kilobytes)
end

local function show(name, value)
  print(("%-34s p50 %6.3f ms  p99 %6.3f ms  longest %7.3f ms"):format(name, value[1], value[2],
    value[3]))
end

local function medians(list)
  local found = {}
  for column = 1, 3 do
    local values = {}
    for index, row in ipairs(list) do values[index] = row[column] end
    found[column] = machine.median(values)
  end
  return found
end

local busy, idle = start(process.start "bench/nginx_fabric.lua"),
  start(process.start "bench/nginx_fabric.lua")

local ok, problem = pcall(function()
  local began = core.monotonic()
  for number = 1, RUNS do
    busy:order("notebook" .. (number - 1) % NOTEBOOKS + 1, { number = number })
  end
  print(("%d runs were ordered in %.1f s"):format(RUNS, core.monotonic() - began))
  local during, deadline = {}, core.monotonic() + 600
  repeat
    during[#during + 1] = latency(busy, "/healthz", 500)
    assert(core.monotonic() < deadline, "they are not submitted: " .. busy:log())
  until busy:started() >= RUNS
  print(("all were submitted after %.1f s"):format(core.monotonic() - began))
  show("/healthz, while submitting", medians(during))
  for _ = 1, 20 do busy.transport:wait(1) end -- the burst of first polls is over

  local rows = { busy = { ["/healthz"] = {}, ["/ping"] = {} },
    idle = { ["/healthz"] = {}, ["/ping"] = {} } }
  local worlds, shares, kilobytes = { busy = busy, idle = idle }, {}, {}
  local wall = core.monotonic()
  for name, world in pairs(worlds) do shares[name] = worker_use(world) end
  for _ = 1, 60 do busy.transport:wait(1) end
  for name, world in pairs(worlds) do
    local after
    after, kilobytes[name] = worker_use(world)
    shares[name] = (after - shares[name]) / (core.monotonic() - wall) * 100
  end
  for _ = 1, PAIRS do
    for _, path in ipairs { "/healthz", "/ping" } do
      table.insert(rows.idle[path], latency(idle, path, REQUESTS))
      table.insert(rows.busy[path], latency(busy, path, REQUESTS))
    end
  end
  for _, path in ipairs { "/healthz", "/ping" } do
    local quiet, waiting = medians(rows.idle[path]), medians(rows.busy[path])
    show(path .. ", idle", quiet)
    show(("%s, %d runs waiting"):format(path, RUNS), waiting)
    print(("%-34s p50 %+6.3f ms  p99 %+6.3f ms"):format("  difference", waiting[1] - quiet[1],
      waiting[2] - quiet[2]))
  end
  for _, name in ipairs { "idle", "busy" } do
    print(("the worker, %s: %.2f %% of a processor, %.1f MiB"):format(name, shares[name],
      kilobytes[name] / 1024))
  end
end)
busy:close()
idle:close()
if not ok then error(problem, 0) end
