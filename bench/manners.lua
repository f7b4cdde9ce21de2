-- How much of Fabric's quotas and of a capacity is used, and how often they are overrun: a thousand
-- runs in workflows, and beside them the same with one GET for each run each 30 seconds; the same
-- in two processes that share what they know, and in two that do not; then a hundred runs on a
-- capacity for eight, beside the best there is, in one process and in two. Virtual time.

local manners_world = require "spec.simulation.manners_world"

local QUOTA, RUN, LAG = 50, 900, 60

--- The file through which processes share what they know; nobody has it afterwards.
local function with_file(fn)
  local path = os.tmpname()
  os.remove(path)
  fn(path)
  os.remove(path)
end

local function minutes(seconds)
  return ("%.1f min"):format(seconds / 60)
end

local function show(name, world, seconds)
  local share = world.use("submit", QUOTA)
  print(("%-34s %10s %6d requests %6d of them 429, %d after the first; submissions used %.1f %%")
    :format(name, minutes(seconds), #world.log, #world.refused, world.further_refusals(),
      share * 100))
end

local function quota_world(notebooks)
  return manners_world.new { notebooks = notebooks, settings = { quota = true },
    seconds = function() return RUN end }
end

print("1,000 runs of 15 minutes, 50 submissions and 50 status requests a minute")
for _, shape in ipairs { { 1, 1000 }, { 10, 100 } } do
  local notebooks = {}
  for index = 1, shape[1] do notebooks[index] = "Notebook " .. index end
  local name = ("%d of %d notebook%s"):format(shape[2], shape[1], shape[1] == 1 and "" or "s")
  for _, exit_values in ipairs { false, true } do
    local world = quota_world(notebooks)
    local report = assert(manners_world.workflow(notebooks, shape[2], 1000):run {
      client = world.client, exit_values = exit_values })
    assert(report:ok())
    show(name .. (exit_values and ", all exit values" or ""), world, world.host.now())
  end
  local world = quota_world(notebooks)
  show(name .. ", a GET each 30 s", world, manners_world.naive(world, notebooks, shape[2]))
end

local two = { "Notebook 1", "Notebook 2" }
local halves = { manners_world.workflow({ two[1] }, 500, 500),
  manners_world.workflow({ two[2] }, 500, 500) }
with_file(function(path)
  for _, shared in ipairs { path, false } do
    local world = quota_world(two)
    manners_world.together(world, halves,
      { world.process(shared or nil), world.process(shared or nil) })
    show(shared and "2 processes of 500, that share" or "2 processes of 500, that do not", world,
      world.host.now())
  end
end)

print("\n100 runs of 30 to 60 minutes, a capacity for 8, status a minute late")
local durations = manners_world.durations(100)
local best = manners_world.best(durations, 8, LAG)
for _, answer in ipairs { "failure", "post" } do
  local world = manners_world.new { notebooks = { "Clean" },
    settings = { quota = true, capacity = 8, capacity_answer = answer, status_lag = LAG },
    seconds = function(job) return durations[job.parameters.item.value] end }
  local report = assert(manners_world.workflow({ "Clean" }, 100, 100):run {
    client = world.client })
  assert(report:ok())
  local took = world.host.now()
  print(("refused by %-9s %10s, at best in that order %s: %.3f; %d submissions for %d runs"):format(
    answer, minutes(took), minutes(best), took / best, world.service:responses().posts,
    world.service:started()))
end

local function two_on_a_capacity(name, path)
  local world = manners_world.new { notebooks = two,
    settings = { quota = true, capacity = 8, capacity_answer = "post", status_lag = LAG },
    seconds = function(job) return durations[job.parameters.item.value] end }
  manners_world.together(world, { manners_world.workflow({ two[1] }, 50, 50),
    manners_world.workflow({ two[2] }, 50, 50) }, { world.process(path), world.process(path) })
  local both = {}
  for index = 1, 100 do both[index] = durations[math.ceil(index / 2)] end
  local took, ideal = world.host.now(), manners_world.best(both, 8, LAG)
  print(("%-20s %10s, at best in that order %s: %.3f; %d submissions for %d runs"):format(name,
    minutes(took), minutes(ideal), took / ideal, world.service:responses().posts,
    world.service:started()))
end

with_file(function(path) two_on_a_capacity("2 that share", path) end)
two_on_a_capacity("2 that do not", nil)
