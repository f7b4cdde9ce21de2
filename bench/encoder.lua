-- Run requests as JSON: bodies a second of core.encode_run, which checks every field, beside
-- lua-cjson on the same values already in their wire form. Median of 5 alternating rounds.

local cjson = require "cjson"
local core = require "luafabric.core"
local machine = require "bench.machine"

local ROUNDS, BODIES = 5, 20000

local workspace = "cfafbeb1-8037-4d0c-896e-a46fb27ff229"
local lakehouse = { referenceType = "ById", itemId = workspace, workspaceId = workspace }
local parameters = {}
for index = 1, 8 do
  parameters[index] = { name = "parameter_" .. index, type = index % 2 == 0 and "Integer" or "Text",
    value = index % 2 == 0 and index * 1000 or "value number " .. index }
end
local request = {
  executionData = { compute = "Spark", computeConfiguration = {
    name = "nightly", driverCores = 8, driverMemory = "56g", executorCores = 8,
    executorMemory = "56g", numExecutors = 4, defaultLakehouse = lakehouse,
    attachedEnvironment = lakehouse, sparkProperties = { { key = "spark.x", value = "y" } },
    highConcurrencyModeOptions = { enabled = true, sessionTag = "tag" },
  } },
  parameters = parameters,
}

local function rate(encode)
  local started = core.monotonic()
  for _ = 1, BODIES do encode(request) end
  return BODIES / (core.monotonic() - started)
end

local ours, theirs, ratios = {}, {}, {}
for round = 1, ROUNDS do
  ours[round], theirs[round] = rate(core.encode_run), rate(cjson.encode)
  ratios[round] = ours[round] / theirs[round]
end
print(("body of %d bytes, 8 parameters, Spark compute"):format(#core.encode_run(request)))
print(("core.encode_run   %8.0f bodies/s"):format(machine.median(ours)))
print(("cjson.encode      %8.0f bodies/s (unchecked, integers through %%g)")
  :format(machine.median(theirs)))
print(("ratio             %8.2f"):format(machine.median(ratios)))
