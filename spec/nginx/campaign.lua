-- 200 workflow runs through 100 reloads and 20 kill -9 of the worker that runs the engine: each run
-- succeeds, each of its steps is started once, no worker stays behind, and neither descriptors nor
-- memory grow. With a number of minutes as argument it goes on with more rounds of the same.

local core = require "luafabric.core"
local world_module = require "spec.nginx.world"

local RUNS, RELOADS, KILLS, STEPS = 200, 100, 20, 2
local PATIENCE = 180 -- seconds for the runs that are left when the last worker was disturbed

math.randomseed(tonumber(os.getenv "SEED") or os.time())

--- The numbers of a process that are not to grow.
local function size_of(pid)
  local file = assert(io.open(("/proc/%d/status"):format(pid), "r"))
  local kilobytes = tonumber(file:read("*a"):match "VmRSS:%s+(%d+)")
  file:close()
  local pipe = io.popen(("ls /proc/%d/fd | wc -l"):format(pid))
  local descriptors = tonumber(pipe:read "*l")
  pipe:close()
  return { kilobytes = kilobytes, descriptors = descriptors }
end

--- Of the master, and the largest of the workers, when they are new and nothing is under way.
local function sizes(world)
  world:signal "HUP"
  local deadline = core.monotonic() + 60
  local before = table.concat(world:workers(), " ")
  repeat
    world.transport:wait(0.1)
    local workers = world:workers()
    local is_new = #workers == 2 and not before:find(tostring(workers[1]), 1, true)
    if is_new and not world:engine_worker() then is_new = false end
    assert(core.monotonic() < deadline, "workers stay behind: " .. table.concat(workers, " "))
  until is_new
  for _ = 1, 20 do world:ask("GET", "/runs?limit=1") end
  local found = { master = size_of(world.child.pid) }
  for _, pid in ipairs(world:workers()) do
    local size = size_of(pid)
    if not found.worker or size.kilobytes > found.worker.kilobytes then found.worker = size end
  end
  return found
end

--- An answer that was lost is asked for again: the key makes it the same run.
local function order_surely(world, key)
  for _ = 1, 100 do
    local answer = world:ask("POST", "/workflows/two/runs",
      { inputs = { seconds = math.random() * 2, label = key } }, { ["Idempotency-Key"] = key })
    if answer.status == 202 or answer.status == 200 then return answer.fields.id end
    assert(not answer.status or answer.status == 503 or answer.status == 422, answer.body)
    world.transport:wait(0.1)
  end
  error("no order was taken: " .. world:log())
end

--- Reloads and kills in random order.
local function disturbances()
  local list = {}
  for index = 1, RELOADS + KILLS do
    table.insert(list, math.random(#list + 1), index <= RELOADS and "reload" or "kill")
  end
  return list
end

local function disturb(world, what)
  if what == "reload" then return world:signal "HUP" end
  for _ = 1, 200 do
    local pid = world:engine_worker()
    if pid then return os.execute("kill -9 " .. pid) end
    world.transport:wait(0.05)
  end
  error("no worker runs the engine: " .. world:log())
end

local function round(world, number)
  local before, began, ids = world:started(), core.monotonic(), {}
  for index, what in ipairs(disturbances()) do
    while #ids < RUNS * index / (RELOADS + KILLS) do
      ids[#ids + 1] = order_surely(world, ("round-%d-run-%d"):format(number, #ids + 1))
    end
    disturb(world, what)
    world.transport:wait(0.2 + math.random())
  end
  local outcomes, deadline = {}, core.monotonic() + PATIENCE
  for _, id in ipairs(ids) do
    local fields
    repeat
      fields = world:ask("GET", "/runs/" .. id .. "?steps=false").fields or {}
      if fields.state ~= "ended" then world.transport:wait(0.2) end
    until fields.state == "ended" or core.monotonic() > deadline
    local outcome = fields.outcome or fields.state or "lost"
    outcomes[outcome] = (outcomes[outcome] or 0) + 1
  end
  local words = {}
  for outcome, count in pairs(outcomes) do words[#words + 1] = count .. " " .. tostring(outcome) end
  table.sort(words)
  local started = world:started() - before
  print(("round %d: %d reloads, %d kills in %.0f s; %d runs: %s; steps started %d of %d"):format(
    number, RELOADS, KILLS, core.monotonic() - began, RUNS, table.concat(words, ", "), started,
    RUNS * STEPS))
  io.stdout:flush()
  return outcomes.succeeded == RUNS and started == RUNS * STEPS
end

--- A few more pages are the allocator's business.
local function has_grown(name, first, last)
  print(("%-7s %d -> %d KiB, %d -> %d descriptors"):format(name, first.kilobytes, last.kilobytes,
    first.descriptors, last.descriptors))
  return last.descriptors > first.descriptors + 1 or last.kilobytes > first.kilobytes * 1.15 + 1024
end

local reason = world_module.missing()
if reason then
  io.stderr:write("nginx-campaign: not possible: ", reason, "\n")
  os.exit(2)
end

local world = world_module.start()
local finished, result = pcall(function()
  local is_good = round(world, 1) -- what is allocated once is there now
  local first, number, till = sizes(world), 1, core.monotonic() + (tonumber(arg[1]) or 0) * 60
  repeat
    number = number + 1
    is_good = round(world, number) and is_good
  until core.monotonic() >= till or not is_good
  local last = sizes(world)
  is_good = not has_grown("master", first.master, last.master) and is_good
  is_good = not has_grown("worker", first.worker, last.worker) and is_good
  print(("workers at the end: %d"):format(#world:workers()))
  if world:log():find("exited on signal 11", 1, true) then
    print "a worker crashed"
    return false
  end
  return is_good
end)
if not (finished and result) then
  local log = io.open("nginx-campaign.log", "w")
  if log then log:write(world:log()):close() end
  os.execute(("cp %s/runs.db nginx-campaign.db"):format(world.dir))
  print("nginx's log: nginx-campaign.log; the store: nginx-campaign.db")
end
world:close()
if not finished then io.stderr:write(tostring(result), "\n") end
os.exit(finished and result and 0 or 1)
