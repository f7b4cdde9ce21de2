-- Many runs at a time, without a workflow: plain Lua, results in the order of the items. A run that
-- failed is still a run; only what surely never started is an error. Needs an endpoint and a token:
--
--   luafabric emulator --notebooks examples/seattle        (prints its address)
--   LUAFABRIC_ENDPOINT=http://127.0.0.1:PORT/v1 LUAFABRIC_TOKEN=any \
--     ./dev lua examples/patterns/parallel_without_a_workflow.lua

local fabric = require "luafabric"

local client = fabric.client {
  endpoint = os.getenv("LUAFABRIC_ENDPOINT"), -- nil: Microsoft Fabric itself
  credential = assert(fabric.credentials.from_environment()),
}

local years = { 2012, 2013, 2014, 2015 }
local runs, errors = fabric.parallel(years, { max_concurrency = 3 }, function(year)
  return client:run_notebook { workspace = "Weather", notebook = "Summarize year",
    parameters = { year = year }, timeout = "10m" }
end)

for index, year in ipairs(years) do
  local run = runs[index]
  if run and run:ok() then
    print(year, run.outcome, fabric.json.path(run.exit_value, "rainy_days") .. " rainy days")
  else
    print(year, run and run.outcome or "not started", tostring(run and run.error or errors[index]))
  end
end
