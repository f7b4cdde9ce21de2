-- How to test a workflow: `fabric.lab` runs it with Lua functions in place of notebooks, in virtual
-- time, in milliseconds. A function gets the run's parameters and gives the exit value and how long
-- the run took; `run:fail` ends it otherwise. Raises, and so exits with 1, when something is wrong.
--
--   ./dev lua examples/patterns/test_a_workflow.lua

local fabric = require "luafabric"

--- A lab in which Ingest finds this many problems, and 2013 meets a full capacity once.
local function lab_with(problems)
  return fabric.lab { notebooks = {
    ["Weather/Ingest"] = function()
      local list = {}
      for index = 1, problems do list[index] = "line " .. index .. ": it rains upwards" end
      return { years = { 2012, 2013 }, days = 731, problem_count = problems, problems = list }, "5m"
    end,
    ["Weather/Summarize year"] = function(parameters, run)
      if parameters.year == 2013 and run.attempt == 1 then run:fail("capacity") end
      return { year = parameters.year, rainy_days = 150 }, "10m"
    end,
    ["Weather/Report"] = function(parameters)
      assert(parameters.summaries:find("2012"), "the report gets every summary")
      return { chart = "out/chart.svg" }
    end,
    ["Weather/Finish"] = function(parameters) return parameters.outcome end,
  } }
end

-- A good night: a full capacity costs some minutes, and no attempt.
local lab = lab_with(0)
local report = assert(lab:run("examples/seattle/nightly.lua"))
assert(report:ok() and report.steps.report.outcome == "succeeded")
assert(lab:started("Weather/Summarize year") == 3, "one of the two years was started twice")

-- A bad one: the gate closes, nothing is summarized, and somebody is told.
lab = lab_with(2)
report = assert(lab:run("examples/seattle/nightly.lua"))
assert(report.outcome == "failed" and report.steps.ingest.reason.message:find("it rains upwards"))
assert(report.steps.year.outcome == "skipped" and lab:started("Weather/Summarize year") == 0)
assert(report.steps.finish.exit_value == "failed")

print("examples/seattle/nightly.lua: as it should be")
