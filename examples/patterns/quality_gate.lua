-- A run can complete and still be no good. `expect` looks at its exit value: when it says no, the
-- step has failed with that reason, what builds on it does not start, and it is never tried again.
-- Ask for a year without observations to see the gate close:
--
--   luafabric run examples/patterns/quality_gate.lua --local examples/seattle
--   luafabric run examples/patterns/quality_gate.lua --local examples/seattle -P first_year=2011

local fabric = require "luafabric"

return fabric.workflow("quality gate", function(flow)
  local first_year = flow:input("first_year", { type = "Integer", default = 2012,
    description = "the first year that must be complete" })
  flow:defaults { workspace = "Weather" }

  local ingest = flow:notebook("Ingest", {
    parameters = { first_year = first_year },
    expect = function(exit)
      return exit.problem_count == 0, "problems: " .. table.concat(exit.problems, "; ")
    end,
  })

  flow:notebook("publish", {
    notebook = "Summarize year",
    parameters = { year = 2012 },
    after = ingest,
  })
  flow:notebook("alert", {
    notebook = "Finish",
    parameters = { outcome = ingest:outcome() },
    after = ingest,
    when = "any_failed",
  })
end)
