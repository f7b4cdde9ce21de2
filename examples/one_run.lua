-- One notebook run, from names to exit value.
--
--   luafabric emulator --notebooks examples/seattle        (prints its address)
--   LUAFABRIC_ENDPOINT=http://127.0.0.1:PORT/v1 LUAFABRIC_TOKEN=any lua5.4 examples/one_run.lua
--
-- Without LUAFABRIC_ENDPOINT it talks to Microsoft Fabric itself.

local fabric = require "luafabric"

local client = fabric.client {
  endpoint = os.getenv("LUAFABRIC_ENDPOINT"),
  credential = assert(fabric.credentials.from_environment()),
}

local run = assert(client:run_notebook {
  workspace = "Weather",
  notebook = "Ingest",
  parameters = { first_year = 2013, last_year = 2014 },
  timeout = "10m",
})

print(run.outcome, run.exit_value)
os.exit(run:ok() and 0 or 1)
