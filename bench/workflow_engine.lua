-- What the engine costs beside HTTP: the same runs through a workflow and through the client alone,
-- in one process on the virtual host, CPU time. Then what 10,000 runs of a fan-out take in memory
-- while they are watched, and how many hours are simulated in a second.

local fabric = require "luafabric"
local fabric_world = require "bench.fabric_world"
local tasks = require "luafabric.tasks"

local TRIALS = 7

local function heap_mib()
  collectgarbage()
  collectgarbage()
  return collectgarbage("count") / 1024
end

local function cpu(fn)
  collectgarbage()
  collectgarbage()
  local start = os.clock()
  fn()
  return os.clock() - start
end

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

local function chain(steps)
  return fabric.workflow("chain", function(flow)
    local last
    for index = 1, steps do
      last = flow:notebook("step " .. index, { workspace = "Sales", notebook = "Clean",
        after = last })
    end
  end)
end

local function fan_out(items, most)
  return fabric.workflow("fan-out", { max_concurrency = most }, function(flow)
    local list = {}
    for index = 1, items do list[index] = index end
    flow:each("clean", list, { workspace = "Sales", notebook = "Clean",
      parameters = function(item) return { item = item } end })
  end)
end

local function run_workflow(definition, seconds)
  local client = fabric_world.new(seconds)
  local report = assert(definition:run { client = client, exit_values = true })
  assert(report:ok(), tostring(report))
end

local function compare(name, steps, definition, seconds, alone)
  local with, without = {}, {}
  for trial = 1, TRIALS do
    with[trial] = cpu(function() run_workflow(definition, seconds) end)
    without[trial] = cpu(alone)
  end
  local a, b = median(with), median(without)
  print(("%-22s %.3f ms a step in a workflow, %.3f ms through the client alone: %.3f ms for the "
    .. "engine"):format(name, 1e3 * a / steps, 1e3 * b / steps, 1e3 * (a - b) / steps))
end

compare("chain of 40", 40, chain(40), 0, function()
  local client = fabric_world.new(0)
  local request = { workspace = "Sales", notebook = "Clean" }
  client:blocking(function()
    for _ = 1, 40 do assert(client:run_notebook(request)) end
  end)
end)

TRIALS = 3
compare("fan-out of 10,000", 10000, fan_out(10000, 200), 0, function()
  local client = fabric_world.new(0)
  local items = {}
  for index = 1, 10000 do items[index] = index end
  fabric.parallel(items, { max_concurrency = 200, client = client }, function(item)
    return assert(client:run_notebook { workspace = "Sales", notebook = "Clean",
      parameters = { item = item } })
  end)
end)

-- Memory: what the model of Fabric keeps for its jobs is measured beside it, and taken off.
local function watched(most)
  local client, host, service = fabric_world.new(7200)
  local before, during
  local definition = fan_out(most, most)
  local loop = tasks.new(host)
  local task = loop:spawn(function()
    assert(client:find_notebook("Sales", "Clean"))
    before = heap_mib()
    return definition:run { client = client }
  end)
  loop:spawn(function()
    tasks.sleep(5000)
    during = heap_mib()
    local total = during - before
    service.jobs, service.catalog = nil, nil
    print(("%d runs watched by a workflow: %.1f MiB of Lua heap, of which %.1f MiB are the model "
      .. "of Fabric"):format(most, total, during - heap_mib()))
    task:cancel()
  end)
  loop:run()
end

watched(10000)

local function simulate(runs, hours)
  local seconds = cpu(function()
    local client = fabric_world.new(hours * 3600)
    assert(assert(fan_out(runs, runs):run { client = client }):ok())
  end)
  print(("%d run%s of %d hours, polled: %.0f simulated hours a second"):format(runs,
    runs == 1 and "" or "s at once", hours, hours / seconds))
end

simulate(1, 30 * 24)
simulate(20, 24)
