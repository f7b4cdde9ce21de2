-- How a client behaves towards a Fabric that counts requests and runs: it uses what there is, and
-- does not ask for more. In virtual time; bench/manners.lua prints the figures.

local manners_world = require "spec.simulation.manners_world"
local shell = require "spec.support.shell"

local QUOTA = 50 -- submissions, and status requests, a minute

-- The others show that it is the same for them with the shorter ones.
local is_main_lua = _VERSION == "Lua 5.4"

local ten = {}
for index = 1, 10 do ten[index] = "Notebook " .. index end

local function check_manners(world)
  assert.is_true(#world.refused > 0, "no quota was met")
  assert.equal(0, world.further_refusals())
  -- What was on its way with the first one: no more than are sent at a time.
  assert.is_true(#world.refused <= 8, #world.refused .. " refused")
end

describe("a thousand runs within the quotas", function()
  for name, case in pairs {
    ["of one notebook"] = { { "Clean" }, 1000, 90 },
    ["of one notebook, long ones"] = is_main_lua and { { "Clean" }, 1000, 900 } or nil,
    ["of ten notebooks"] = { ten, 100, 90 },
    ["of ten notebooks, long ones"] = is_main_lua and { ten, 100, 900 } or nil,
  } do
    it(name .. " use all of the tightest one, and get no 429 after the first", function()
      local world = manners_world.new { notebooks = case[1], settings = { quota = true },
        seconds = function() return case[3] end }
      local report = assert(manners_world.workflow(case[1], case[2], 1000):run {
        client = world.client })
      check_manners(world)
      local ended, succeeded = manners_world.ends(report)
      assert.same({ 1000, 1000 }, { ended, succeeded })
      assert.equal(1000, world.service:started())
      local share, least, windows = world.use("submit", QUOTA)
      assert.is_true(windows >= 17)
      assert.is_true(share >= 0.95 and least >= 0.95,
        ("%g of it, %g at least"):format(share, least))
      assert.is_nil(world.calls().instance) -- nobody reads their exit values
    end)
  end

  it("whose exit values are all asked for use all of the status requests", function()
    local world = manners_world.new { notebooks = ten, settings = { quota = true },
      seconds = function() return 90 end }
    local report = assert(manners_world.workflow(ten, 100, 1000):run { client = world.client,
      exit_values = true })
    check_manners(world)
    for _, path in ipairs(report.order) do
      local step = report.steps[path]
      if step.kind == "item" then assert.equal("done", step.exit_value) end
    end
    local share, least = world.use("get", QUOTA)
    assert.is_true(share >= 0.95 and least >= 0.95, ("%g of it, %g at least"):format(share, least))
  end)

  it("through two clients with one credential share its quota", function()
    local world = manners_world.new { notebooks = ten, settings = { quota = true },
      seconds = function() return 90 end }
    local other = require("luafabric").client { credential = world.client.credential }
    local reports = manners_world.together(world, { manners_world.workflow({ ten[1] }, 300, 300),
      manners_world.workflow({ ten[2] }, 300, 300) }, { world.client, other })
    for _, report in ipairs(reports) do assert.is_true(report:ok()) end
    assert.equal(0, world.further_refusals())
    local share = world.use("submit", QUOTA)
    assert.is_true(share >= 0.95, share .. " of it")
  end)
end)

describe("two processes with one identity", function()
  local folder

  before_each(function() folder = shell.scratch() end)

  after_each(function() shell.remove(folder) end)

  it("use all of its quota together, and get no 429 after the first", function()
    local world = manners_world.new { notebooks = ten, settings = { quota = true },
      seconds = function() return 90 end }
    local path = folder .. "/runs.db-shared"
    local clients = { world.process(path), world.process(path) }
    local reports = manners_world.together(world, { manners_world.workflow({ ten[1] }, 300, 300),
      manners_world.workflow({ ten[2], ten[3] }, 150, 300) }, clients)
    for _, report in ipairs(reports) do assert.is_true(report:ok()) end
    assert.is_true(#world.refused > 0, "no quota was met")
    assert.is_true(#world.refused <= 16, #world.refused .. " refused") -- on their way: 8 of each
    assert.equal(0, world.further_refusals())
    local share, least = world.use("submit", QUOTA)
    assert.is_true(share >= 0.95 and least >= 0.95, ("%g of it, %g at least"):format(share, least))
  end)

  it("need no 429 where one of them has met it before", function()
    local world = manners_world.new { notebooks = ten, settings = { quota = true },
      seconds = function() return 90 end }
    local path = folder .. "/runs.db-shared"
    assert(manners_world.workflow({ ten[1] }, 60, 60):run { client = world.process(path) })
    local before = #world.refused
    assert.is_true(before > 0)
    assert(manners_world.workflow({ ten[2] }, 150, 150):run { client = world.process(path) })
    assert.equal(before, #world.refused)
  end)
end)

describe("a hundred runs of half an hour to an hour on a capacity for eight", function()
  local durations = manners_world.durations(100)

  for _, answer in ipairs { "failure", "post" } do
    it(('that refuses by "%s" lose no attempt, and take no longer than they must'):format(answer),
      function()
        local lag = 60
        local world = manners_world.new { notebooks = { "Clean" },
          settings = { quota = true, capacity = 8, capacity_answer = answer, status_lag = lag },
          seconds = function(job) return durations[job.parameters.item.value] end }
        local report = assert(manners_world.workflow({ "Clean" }, 100, 100):run {
          client = world.client })
        assert.is_true(report:ok())
        assert.equal(100, world.service:started())
        local spent = 0
        for _, item in ipairs(report.steps["run Clean"].items) do spent = spent + item.spent end
        assert.equal(100, spent)
        local best = manners_world.best(durations, 8, lag)
        local took = world.host.now()
        assert.is_true(took <= best * 1.05, ("%.0f s, and %.0f s at best"):format(took, best))
      end)
  end
end)

describe("two processes on a capacity for eight", function()
  local folder

  before_each(function() folder = shell.scratch() end)

  after_each(function() shell.remove(folder) end)

  local function new_world(answer, seconds)
    return manners_world.new { notebooks = ten,
      settings = { capacity = 8, capacity_answer = answer }, seconds = seconds }
  end

  it("learn its limit together, share it, and leave none of it unused", function()
    local durations = manners_world.durations(60)
    local world = new_world("failure", function(job)
      return durations[job.parameters.item.value]
    end)
    local path = folder .. "/runs.db-shared"
    local reports = manners_world.together(world, { manners_world.workflow({ ten[1] }, 30, 30),
      manners_world.workflow({ ten[2] }, 30, 30) }, { world.process(path), world.process(path) })
    local last, first_end = 0, math.huge
    for _, report in ipairs(reports) do
      assert.is_true(report:ok())
      last = math.max(last, report.ended_at)
      first_end = math.min(first_end, report.ended_at)
    end
    local both = {}
    for index = 1, 60 do both[index] = durations[(index + index % 2) / 2] end
    local best = manners_world.best(both, 8, 10)
    assert.is_true(world.host.now() <= best * 1.12,
      ("%.0f s, and %.0f s at best"):format(world.host.now(), best))
    -- Each gets half of it: both end at about the same time.
    assert.is_true(last - first_end <= 3600 * 1.5, last - first_end .. " s apart")
  end)

  it("submit no run too many where one of them has found the limit", function()
    local world = new_world("post", function() return 600 end)
    local path = folder .. "/runs.db-shared"
    local one, two = world.process(path), world.process(path)
    assert(manners_world.workflow({ ten[1] }, 9, 9):run { client = one })
    local refused = world.service:responses().by_status["430"]
    assert.is_true(refused > 0)
    local report = assert(manners_world.workflow({ ten[2] }, 8, 8):run { client = two })
    assert.is_true(report:ok())
    assert.equal(refused, world.service:responses().by_status["430"])
  end)
end)
