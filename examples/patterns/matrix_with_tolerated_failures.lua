-- Every combination of two lists, one of which cannot work: a range that ends before it begins.
-- With `tolerate` the step still succeeds, and the next one is told what failed. Over the limit no
-- new item would start.
--
--   luafabric run examples/patterns/matrix_with_tolerated_failures.lua --local examples/seattle

local fabric = require "luafabric"

return fabric.workflow("matrix", function(flow)
  flow:defaults { workspace = "Weather" }

  -- The fields of an item are the parameters of its run: ranges[first_year=2012,last_year=2013] …
  local ranges = flow:each("ranges", fabric.matrix {
    first_year = { 2012, 2013, 2014 },
    last_year = { 2013, 2014 },
  }, { notebook = "Ingest", max_concurrency = 4, tolerate = "20%" })

  flow:notebook("Finish", {
    parameters = { outcome = ranges:outcome(), failures = ranges:failures() },
  })
end)
