-- The weather of Seattle: check the observations, summarize every year that they hold, draw one
-- chart of all of them, and say at the end how it went. On the emulator:
--
--   luafabric run examples/seattle/nightly.lua --local examples/seattle --report nightly.html

local fabric = require "luafabric"

-- The quality gate: a run that completed, but read something that cannot be, is no good.
local function clean(exit)
  if exit.problem_count == 0 then return true end
  return false, ("the observations have problems (%d), the first: %s"):format(exit.problem_count,
    exit.problems[1])
end

return fabric.workflow("nightly", function(flow)
  local first_year = flow:input("first_year", { type = "Integer", default = 2012,
    description = "the first year to look at" })
  local last_year = flow:input("last_year", { type = "Integer", default = 2015,
    description = "the last year to look at" })
  local out = flow:input("out", { default = "out",
    description = "folder of the chart; a relative one is beside the notebooks" })

  flow:defaults {
    workspace = "Weather",
    timeout = "10m",
    retry = { attempts = 3, on = "transient" },
  }

  local ingest = flow:notebook("ingest", {
    notebook = "Ingest",
    parameters = { first_year = first_year, last_year = last_year },
    expect = clean,
  })

  -- As many runs as Ingest found years, three at a time.
  local years = flow:each("year", ingest:exit("years"), {
    notebook = "Summarize year",
    parameters = function(year) return { year = year } end,
    max_concurrency = 3,
  })

  local report = flow:notebook("report", {
    notebook = "Report",
    parameters = { summaries = years:exit(), out = out },
  })

  flow:finally("finish", {
    notebook = "Finish",
    parameters = {
      outcome = flow:outcome(),
      failures = flow:failures(),
      chart = report:exit("chart"):default(""), -- there is none when something failed before
      out = out,
    },
  })
end)
