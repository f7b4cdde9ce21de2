-- Each of examples/patterns does what its head says. Notebooks are Lua functions and time is
-- virtual, so that a night takes milliseconds.

local fabric = require "luafabric"
local script = require "spec.support.script"
local world_module = require "spec.client.world"

local HOUR = 3600

-- The notebooks of examples/seattle, as far as the patterns look at them. `given` replaces some.
local function notebooks(given)
  local all = {
    Ingest = function(parameters)
      local first, last = parameters.first_year or 2012, parameters.last_year or 2015
      if first > last then error("first_year is after last_year") end
      local years, problems = {}, {}
      for year = first, last do
        if year < 2012 then
          problems[#problems + 1] = year .. ": no observations"
        else
          years[#years + 1] = year
        end
      end
      return { years = fabric.array(years), days = 365 * #years, problem_count = #problems,
        problems = fabric.array(problems) }
    end,
    ["Summarize year"] = function(parameters)
      return { year = parameters.year, rainy_days = 150 }
    end,
    Finish = function(parameters) return parameters.outcome end,
  }
  for name, fn in pairs(given or {}) do all[name] = fn end
  local named = {}
  for name, fn in pairs(all) do named["Weather/" .. name] = fn end
  return named
end

-- Runs examples/patterns/NAME.lua, or NAME that ends in .json; the report, and the lab.
local function run(name, inputs, options)
  options = options or {}
  local lab = fabric.lab { notebooks = notebooks(options.notebooks), start = options.start }
  local path = "examples/patterns/" .. name
  return assert(lab:run(name:find("%.json$") and path or path .. ".lua", inputs)), lab
end

describe("examples/patterns/retry_by_outcome.lua", function()
  -- A notebook that ends so on each of its first attempts, and well on the next.
  local function ending(...)
    local outcomes = { ... }
    return function(_, attempt)
      local outcome = outcomes[attempt.attempt]
      if outcome then attempt:fail(outcome) end
      return "done"
    end
  end

  local function attempts(outcomes_of)
    local report, lab = run("retry_by_outcome", nil, { notebooks = outcomes_of })
    return report.outcome, lab:started("Weather/Ingest"), lab:started("Weather/Summarize year")
  end

  it("tries again what had nothing to do with the notebook", function()
    assert.same({ "succeeded", 3, 1 }, { attempts { Ingest = ending("platform", "platform") } })
    assert.same({ "failed", 4, 0 },
      { attempts { Ingest = ending("platform", "platform", "platform", "platform") } })
  end)

  it("tries what the notebook got wrong once only", function()
    assert.same({ "failed", 1, 0 }, { attempts { Ingest = ending("failed") } })
    assert.same({ "failed", 1, 1 }, { attempts { ["Summarize year"] = ending("failed") } })
  end)

  it("lets a function decide", function()
    assert.same({ "succeeded", 1, 2 }, { attempts { ["Summarize year"] = ending("cancelled") } })
    assert.same({ "succeeded", 1, 2 }, { attempts { ["Summarize year"] = ending("platform") } })
  end)
end)

describe("examples/patterns/switch.lua", function()
  it("takes the branch of clean data", function()
    local report, lab = run("switch")
    assert.equal("succeeded", report.outcome)
    assert.equal("clean", report.steps.handle.branch)
    assert.equal(1, lab:started("Weather/Summarize year"))
    assert.equal(1, lab:started("Weather/Finish"))
    assert.is_true(report.steps.Finish.attempts[1].intended_at >= report.steps.handle.ended_at)
  end)

  it("takes the other one when a year has no observations", function()
    local report, lab = run("switch", { year = 2011 })
    assert.equal("succeeded", report.outcome)
    assert.equal("broken", report.steps.handle.branch)
    assert.equal("without clean data of 2011", report.steps.handle.exit_value)
    assert.equal(0, lab:started("Weather/Summarize year"))
    assert.equal(2, lab:started("Weather/Finish"))
  end)
end)

describe("examples/patterns/matrix_with_tolerated_failures.lua", function()
  local function finish_that_keeps(seen)
    return function(parameters)
      seen[#seen + 1] = fabric.json.decode(parameters.failures)
      return parameters.outcome
    end
  end

  it("succeeds with the one range that cannot be, and says which", function()
    local seen = {}
    local report = run("matrix_with_tolerated_failures", nil,
      { notebooks = { Finish = finish_that_keeps(seen) } })
    assert.equal("succeeded", report.outcome)
    assert.equal(6, #report.steps.ranges.items)
    assert.equal("failed", report.steps["ranges[first_year=2014,last_year=2013]"].outcome)
    assert.equal("succeeded", report.steps["ranges[first_year=2014,last_year=2014]"].outcome)
    assert.equal("succeeded", report.steps.Finish.exit_value)
    assert.equal(1, #seen[1])
    assert.equal("first_year=2014,last_year=2013", seen[1][1].label)
  end)

  it("does not tolerate a second one", function()
    local report, lab = run("matrix_with_tolerated_failures", nil, { notebooks = {
      Ingest = function(parameters) assert(parameters.first_year < 2014) return "{}" end } })
    assert.equal("failed", report.outcome)
    assert.equal("failed", report.steps.ranges.outcome)
    assert.equal("skipped", report.steps.Finish.outcome)
    assert.equal(0, lab:started("Weather/Finish"))
  end)
end)

describe("examples/patterns/deadline.lua", function()
  -- One in the morning by the clock on the wall here: five hours are left.
  local night = os.time { year = 2026, month = 1, day = 20, hour = 1, min = 0, sec = 0 }

  -- Runs it with an Ingest that takes so many hours.
  local function night_with(hours)
    return run("deadline", nil, { start = night, notebooks = {
      Ingest = function() return { years = { 2012, 2013 } }, hours * HOUR end,
      ["Summarize year"] = function() return "{}", 20 * 60 end } })
  end

  it("is not met by a quick night", function()
    local report = night_with(1)
    assert.equal("succeeded", report.outcome)
    assert.same({}, report.warnings)
    assert.equal("succeeded", report.steps.Finish.exit_value)
  end)

  it("warns of a late step, and lets it go on", function()
    local report = night_with(4)
    assert.equal("succeeded", report.outcome)
    assert.equal(1, #report.warnings)
    assert.equal("Ingest", report.warnings[1].path)
  end)

  it("cuts off what runs at six, and says so at the end", function()
    local report = night_with(4.8)
    assert.equal("timed_out", report.outcome)
    assert.equal("succeeded", report.steps.Ingest.outcome)
    assert.equal("timed_out", report.steps["year[2012]"].outcome)
    assert.equal("deadline", report.steps["year[2012]"].reason.kind)
    assert.equal("succeeded", report.steps.Finish.outcome)
    assert.equal("timed_out", report.steps.Finish.exit_value)
    assert.is_true(report.steps.Finish.attempts[1].submitted_at >= night + 5 * HOUR)
  end)
end)

describe("examples/patterns/quality_gate.lua", function()
  it("lets clean data through", function()
    local report = run("quality_gate")
    assert.equal("succeeded", report.outcome)
    assert.equal("succeeded", report.steps.publish.outcome)
    assert.equal("skipped", report.steps.alert.outcome)
  end)

  it("closes before broken data, once, and says why", function()
    local report, lab = run("quality_gate", { first_year = 2010 })
    assert.equal("failed", report.outcome)
    assert.equal("expect", report.steps.Ingest.reason.kind)
    assert.matches("problems: 2010: no observations; 2011: no observations",
      report.steps.Ingest.reason.message, 1, true)
    assert.equal(1, lab:started("Weather/Ingest"))
    assert.equal(0, lab:started("Weather/Summarize year"))
    assert.equal("failed", report.steps.alert.exit_value)
  end)
end)

describe("examples/patterns/run_multiple.json", function()
  local workspace = { workspace = "Weather" }

  it("runs the notebooks in the order of its dependencies, and hands an exit value on", function()
    local report, lab = run("run_multiple.json", workspace)
    assert.equal("succeeded", report.outcome)
    assert.equal(0, #report.warnings)
    assert.equal(4, lab:started())
    assert.matches('^2014: {.*"year": *2014', report.steps.Finish.exit_value)
    assert.is_true(report.steps["Summarize 2014"].attempts[1].intended_at
      >= report.steps["Check 2014"].ended_at)
    assert.is_true(report.steps["Summarize 2015"].attempts[1].intended_at
      < report.steps["Check 2014"].ended_at)
  end)

  it("tries again what may be tried again, and finishes nothing without it", function()
    local report, lab = run("run_multiple.json", workspace, { notebooks = {
      Ingest = function(_, attempt) attempt:fail("failed") end } })
    assert.equal("failed", report.outcome)
    assert.equal(3, lab:started("Weather/Ingest"))
    assert.equal("upstream", report.steps.Finish.reason.kind)
    assert.equal(0, lab:started("Weather/Finish"))
  end)
end)

describe("examples/patterns/parallel_without_a_workflow.lua", function()
  it("prints a line for each year, in their order, whatever became of it", function()
    local world = world_module.new {
      workspaces = { { name = "Weather", notebooks = { { name = "Summarize year" } } } },
      settings = { run = function(job)
        local year = job.parameters.year.value
        if year == 2014 then return { status = "Failed" }, 30 end
        return { exit_value = ('{"rainy_days": %d}'):format(year - 1900) }, (2016 - year) * 60
      end },
    }
    local stand_in = setmetatable({
      client = function(options)
        return world.client { credential = options.credential }
      end,
      credentials = { from_environment = function() return "secret-token" end },
    }, { __index = fabric })
    local output
    world.run(function()
      output = script.run("examples/patterns/parallel_without_a_workflow.lua", {
        require = function(name)
          return name == "luafabric" and stand_in or require(name)
        end,
      })
    end)
    local lines = {}
    for line in output:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal("2012\tsucceeded\t112 rainy days", lines[1])
    assert.equal("2013\tsucceeded\t113 rainy days", lines[2])
    assert.matches("^2014\tfailed\t", lines[3])
    assert.equal("2015\tsucceeded\t115 rainy days", lines[4])
    assert.equal(4, #world.asked("submit"))
  end)
end)

describe("examples/patterns/test_a_workflow.lua", function()
  it("finds the workflow as it should be", function()
    assert.equal("examples/seattle/nightly.lua: as it should be\n",
      script.run("examples/patterns/test_a_workflow.lua"))
  end)
end)
