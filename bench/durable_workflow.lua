-- What keeping a run costs: a chain of 40 steps that take no time, in a store on the disk and in
-- memory, on the virtual host, CPU time; commits are counted, and timed apart, on the clock. Then
-- recovery: a fan-out with 100,000 events that was left in the middle is read, folded, and goes on.

local core = require "luafabric.core"
local fabric = require "luafabric"
local fabric_world = require "bench.fabric_world"
local journal = require "luafabric.engine.journal"
local machine = require "bench.machine"
local shell = require "spec.support.shell"
local sqlite_store = require "luafabric.store.sqlite"

local ROUNDS, STEPS, EVENTS = 5, 40, 100000
local RUN_ID = "bench"

local folder = shell.scratch()
local files = 0

local function world(seconds, settings)
  local client, host = fabric_world.new(seconds, settings)
  return { host = host, client = client }
end

--- A store on the disk that commits at once, as a virtual world needs it.
local function new_store(host)
  files = files + 1
  return assert(sqlite_store.open(("%s/%d.db"):format(folder, files), { synchronous = true,
    now = host.wall }))
end

local chain = fabric.workflow("chain", function(flow)
  local last
  for index = 1, STEPS do
    last = flow:notebook("step " .. index, { workspace = "Sales", notebook = "Clean",
      after = last })
  end
end)

--- Counts and times what a store commits. The thread that commits in a real run takes all that
--- wait at once, so what is written between two looks of the loop at its host is one commit there.
local function metered(store, host)
  local counts = { units = 0, commits = 0, leases = 0, seconds = 0, cpu = 0, waited = 0 }
  local append, wait, is_new = store.writer.append, host.wait, true
  function store.writer.append(writer, unit)
    local began, clock = core.monotonic(), os.clock()
    local ticket, message, code = append(writer, unit)
    counts.seconds = counts.seconds + core.monotonic() - began
    counts.cpu = counts.cpu + os.clock() - clock
    if unit[1][1]:find("^update runs set lease") then
      counts.leases = counts.leases + 1
      return ticket, message, code
    end
    counts.units = counts.units + 1
    if is_new then counts.commits = counts.commits + 1 end
    is_new = false
    return ticket, message, code
  end
  function host.wait(...)
    is_new = true
    return wait(...)
  end
  return counts
end

local function time(fn)
  collectgarbage()
  collectgarbage()
  local began = core.monotonic()
  fn()
  return core.monotonic() - began
end

local function run_chain(is_kept)
  -- Short polls: what is asked of the store each second of a run is asked in virtual seconds here.
  local here = world(0, { retry_after = 1 })
  local store = is_kept and new_store(here.host) or nil
  local counts = store and metered(store, here.host) or {}
  local await = journal.await
  function journal.await(...)
    counts.waited = (counts.waited or 0) + 1
    return await(...)
  end
  local virtual_began = here.host.now()
  collectgarbage()
  collectgarbage()
  local clock = os.clock()
  assert(assert(chain:run { client = here.client, store = store }):ok())
  local seconds = os.clock() - clock
  counts.virtual = here.host.now() - virtual_began
  journal.await = await
  if store then store:close() end
  return seconds, counts
end

local kept, apart, memory, last = {}, {}, {}, nil
for round = 1, ROUNDS do
  local seconds, counts = run_chain(true)
  kept[round], apart[round], last = seconds - counts.cpu, counts.seconds, counts
  memory[round] = run_chain(false)
end
print(("chain of %d, %.1f virtual seconds a step: %.3f ms of CPU a step beside the commits when it "
  .. "is kept, %.3f ms in memory"):format(STEPS, last.virtual / STEPS,
  1e3 * machine.median(kept) / STEPS, 1e3 * machine.median(memory) / STEPS))
print(("%.1f commits a step (%.1f writes, of which %.1f are waited for before something is sent), "
  .. "and %d renewals of the lease; committed one by one, %.2f ms a step"):format(
  last.commits / STEPS, last.units / STEPS, last.waited / STEPS, last.leases,
  1e3 * machine.median(apart) / STEPS))

-- ---- recovery ----

local ITEMS = EVENTS / 5 -- each is intended, submitted, seen twice, and ends twice

local fan_out = fabric.workflow("fan-out", { max_concurrency = 2000 }, function(flow)
  local list = {}
  for index = 1, ITEMS do list[index] = index end
  flow:each("clean", list, { workspace = "Sales", notebook = "Clean",
    parameters = function(item) return { item = item } end })
end)

local function leave_after(events)
  local here = world(60)
  local store = new_store(here.host)
  -- Only to be done sooner: nothing is measured here.
  assert(store.db:exec "pragma synchronous = off; pragma journal_mode = memory")
  local count, control = 0, nil
  local report = assert(fan_out:run { client = here.client, store = store, run_id = RUN_ID,
    on_start = function(given) control = given end,
    on_event = function()
      count = count + 1
      if count == events then control:detach() end
    end })
  assert(report.detached)
  return here, store
end

local here, store = leave_after(EVENTS)
local found = #assert(store:events(RUN_ID))
local fold = time(function()
  local state = require("luafabric.history").new()
  for _, event in ipairs(assert(store:events(RUN_ID))) do
    require("luafabric.history").apply(state, event)
  end
end)
-- From the call to the moment when the engine has restored every step and goes on.
local began, restored = core.monotonic(), nil
local control
assert(fan_out:run { client = here.client, store = store, resume = RUN_ID,
  on_start = function(given) control = given end,
  on_event = function()
    restored = restored or core.monotonic() - began
    control:detach()
  end })
print(("recovery of a run with %d events: %.2f s to read and fold them, %.2f s until it goes on")
  :format(found, fold, restored))
store:close()
shell.remove(folder)
