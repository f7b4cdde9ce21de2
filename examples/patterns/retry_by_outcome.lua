-- What to try again, and how often, depends on how an attempt ended. `transient` is what has
-- nothing to do with the notebook; a function may decide for itself. What the notebook itself got
-- wrong (`failed`) is not tried again here: it would only fail once more, and cost once more.
--
--   luafabric run examples/patterns/retry_by_outcome.lua --local examples/seattle

local fabric = require "luafabric"

return fabric.workflow("retry by outcome", function(flow)
  flow:defaults {
    workspace = "Weather",
    retry = { attempts = 4, on = "transient", interval = "30s", backoff = 2, max_interval = "5m" },
  }

  local ingest = flow:notebook("Ingest")

  -- One more attempt when Fabric gave up or somebody cancelled the run; none for anything else.
  flow:notebook("Summarize year", {
    after = ingest,
    parameters = { year = 2013 },
    retry = { attempts = 2, interval = "1m", on = function(outcome)
      return outcome == "platform" or outcome == "cancelled"
    end },
  })
end)
