-- The workflow of examples/seattle: in the lab with functions in place of notebooks, and once with
-- the real notebooks, whose figures are checked against the observations themselves.

local command = require "spec.cli.command"
local fabric = require "luafabric"
local shell = require "spec.support.shell"

local WORKFLOW = "examples/seattle/nightly.lua"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

describe("examples/seattle/nightly.lua", function()
  local function notebooks(given)
    local all = {
      ["Weather/Ingest"] = function()
        return { years = { 2012, 2013, 2014 }, days = 1096, problem_count = 0, problems = {} }
      end,
      ["Weather/Summarize year"] = function(parameters) return { year = parameters.year } end,
      ["Weather/Report"] = function(parameters)
        return { chart = parameters.out .. "/chart.svg", summaries = parameters.summaries }
      end,
      ["Weather/Finish"] = function(parameters) return parameters end,
    }
    for name, fn in pairs(given or {}) do all["Weather/" .. name] = fn end
    return all
  end

  local function run(given, inputs)
    local lab = fabric.lab { notebooks = notebooks(given) }
    local report = assert(lab:run(WORKFLOW, inputs))
    return report, fabric.json.decode(report.steps.finish.exit_value), lab
  end

  it("summarizes every year that Ingest found, and hands all of them to the report", function()
    local report, told = run(nil, { out = "charts" })
    assert.is_true(report:ok())
    local summaries = fabric.json.path(report.steps.report.exit_value, "summaries")
    for index, summary in ipairs(fabric.json.decode(summaries)) do
      assert.same({ year = 2011 + index }, fabric.json.decode(summary))
    end
    assert.equal(3, #fabric.json.decode(summaries))
    assert.same({ outcome = "succeeded", failures = "[]", chart = "charts/chart.svg",
      out = "charts" }, told)
  end)

  it("tries what Fabric got wrong again", function()
    local report, _, lab = run { ["Summarize year"] = function(parameters, attempt)
      if parameters.year == 2013 and attempt.attempt == 1 then attempt:fail("platform") end
      return { year = parameters.year }
    end }
    assert.is_true(report:ok())
    assert.equal(4, lab:started("Weather/Summarize year"))
  end)

  it("stops at the gate when the observations are not clean", function()
    local report, told, lab = run { Ingest = function()
      return { years = { 2012 }, problem_count = 2, problems = { "line 7: no date", "line 9" } }
    end }
    assert.equal("failed", report.outcome)
    assert.equal("the observations have problems (2), the first: line 7: no date",
      fabric.json.path(told.failures, 1, "reason"))
    assert.equal("", told.chart)
    assert.equal(0, lab:started("Weather/Summarize year"))
  end)

  it("tells at the end which year failed", function()
    local report, told = run { ["Summarize year"] = function(parameters)
      assert(parameters.year ~= 2013, "no column day")
      return { year = parameters.year }
    end }
    assert.equal("failed", report.outcome)
    assert.equal("skipped", report.steps.report.outcome)
    assert.equal("failed", told.outcome)
    assert.matches("year%[2013%]", told.failures)
  end)
end)

describe("the notebooks of examples/seattle #process", function()
  local scratch

  setup(function() scratch = shell.scratch() end)
  teardown(function() shell.remove(scratch) end)

  -- From the observations, with no notebook in between: precipitation, rainy days, hottest.
  local function figures(year)
    local total, rainy, hottest = 0, 0, -100
    for rain, high in read("examples/seattle/seattle-weather.csv")
      :gmatch(year .. "%-%d%d%-%d%d,([%d.]+),([%d.-]+)") do
      total, hottest = total + tonumber(rain), math.max(hottest, tonumber(high))
      if tonumber(rain) > 0 then rainy = rainy + 1 end
    end
    return total, rainy, hottest
  end

  it("make a chart of the observations", function()
    local ran = command.start({ "run", WORKFLOW, "--local", "examples/seattle",
      "-P", "first_year=2014", "-P", "out=" .. scratch .. "/new", "--output", "json" }):finish()
    assert.equal(0, ran.code, ran.err)
    local steps = {}
    for _, step in ipairs(fabric.json.decode(ran.out).steps) do steps[step.path] = step end

    for _, year in ipairs { 2014, 2015 } do
      local total, rainy, hottest = figures(year)
      local summary = steps[("year[%d]"):format(year)].exit_value
      assert.near(total, fabric.json.path(summary, "precipitation"), 0.06)
      assert.equal(rainy, fabric.json.path(summary, "rainy_days"))
      assert.equal(hottest, fabric.json.path(summary, "hottest_day", "value"))
    end

    local chart = fabric.json.path(steps.report.exit_value, "chart")
    assert.equal(scratch .. "/new/seattle-weather.svg", chart)
    local svg = read(chart)
    assert.matches("^<svg .*>Seattle weather, 2014 to 2015<.*</svg>\n$", svg)
    assert.matches("1,233 mm on 150 days", svg, 1, true)
    assert.equal(2 * 12, select(2, svg:gsub("<rect [^>]*><title>", "")))
    assert.equal("outcome: succeeded\nchart: " .. chart .. "\n",
      read(scratch .. "/new/finish.txt"))
  end)
end)
