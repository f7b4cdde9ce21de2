-- Done by six in the morning, or not at all: a deadline is a time of day (the next one, local
-- unless it says "06:00Z"), fixed when the run starts. What still runs then is cancelled, in Fabric
-- too; what must be said is said in `finally`. A step that only warns is never cut off.
--
--   luafabric run examples/patterns/deadline.lua --local examples/seattle

local fabric = require "luafabric"

return fabric.workflow("deadline", { deadline = "06:00" }, function(flow)
  flow:defaults { workspace = "Weather" }

  local ingest = flow:notebook("Ingest", { deadline = "04:30", on_deadline = "warn" })

  flow:each("year", ingest:exit("years"), {
    notebook = "Summarize year",
    parameters = function(year) return { year = year } end,
    timeout = "30m", -- of each run, from the moment Fabric accepted it
  })

  flow:finally("Finish", { parameters = { outcome = flow:outcome(), failures = flow:failures() } })
end)
