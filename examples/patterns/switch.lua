-- One step, two ways to do it: which notebook runs depends on what an earlier one found. What comes
-- after the switch needs no join. Ask for a year without observations to see the other branch:
--
--   luafabric run examples/patterns/switch.lua --local examples/seattle
--   luafabric run examples/patterns/switch.lua --local examples/seattle -P year=2011

local fabric = require "luafabric"

return fabric.workflow("switch", function(flow)
  local year = flow:input("year", { type = "Integer", default = 2013,
    description = "the year to summarize" })
  flow:defaults { workspace = "Weather" }

  local ingest = flow:notebook("Ingest", { parameters = { first_year = year, last_year = year } })

  local verdict = ingest:exit("problem_count"):map(function(count)
    return count == 0 and "clean" or "broken"
  end)
  local handled = flow:switch("handle", verdict, {
    clean = { notebook = "Summarize year", parameters = { year = year } },
    broken = { notebook = "Finish", parameters = { outcome = "without clean data of " .. year } },
    -- any other value would end the step as failed, and name the value; `default` takes it instead
  })

  flow:notebook("Finish", { after = handled, parameters = { outcome = "handled" } })
end)
