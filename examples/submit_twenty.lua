-- Twenty runs of one notebook, submitted one after the other and then awaited together: while two
-- or more are active, one list call watches them all. Needs the same environment as one_run.lua.

local fabric = require "luafabric"

local client = fabric.client {
  endpoint = os.getenv("LUAFABRIC_ENDPOINT"),
  credential = assert(fabric.credentials.from_environment()),
}

local years = {}
for index = 1, 20 do years[index] = 2012 + index % 4 end

local runs, errors = fabric.parallel(years, { max_concurrency = 20 }, function(year)
  return client:run_notebook {
    workspace = "Weather",
    notebook = "Ingest",
    parameters = { first_year = year, last_year = year },
    timeout = "10m",
  }
end)

local succeeded = 0
for index, year in ipairs(years) do
  local run = runs[index]
  if run and run:ok() then succeeded = succeeded + 1 end
  print(year, run and run.outcome or "not submitted", run and run.exit_value or errors[index])
end
print(("%d of %d succeeded"):format(succeeded, #years))
os.exit(succeeded == #years and 0 or 1)
