-- The older body for the generic route: what it can say, and that everything else is refused.

local core = require "luafabric.core"
local json = require "luafabric.json"
local older_run = require "luafabric.api.older_run"

local WS, ID = "11111111-2222-4333-8444-555555555555", "22222222-2222-4333-8444-555555555555"

local function encode(compute, parameters)
  parameters = parameters or {}
  local typed = assert(core.encode_run { executionData = compute,
    parameters = #parameters > 0 and parameters or nil })
  return older_run.encode(compute, parameters, typed)
end

local function spark(configuration)
  return { compute = "Spark", computeConfiguration = configuration }
end

local function refused(message, ...)
  local body, given = encode(...)
  assert.is_nil(body)
  assert.equal(message, given)
end

local function cannot(path, why)
  return ("%s: the generic route's older body cannot say this%s; the typed route can "
    .. '(route = "typed")'):format(path, why and " (" .. why .. ")" or "")
end

describe("the older body", function()
  it("is none where there is nothing to say", function()
    assert.equal("", (encode(nil)))
    assert.equal("", (encode(spark())))
    assert.equal("", (encode(spark {})))
  end)

  it("has a map of parameters with the older types, values exact", function()
    local body = encode(nil, { { name = "s", type = "Text", value = "10" },
      { name = "i", type = "Integer", value = "9007199254740993" },
      { name = "f", type = "Number", value = 0.1234 },
      { name = "b\"ä", type = "Boolean", value = true } })
    assert.equal('{"executionData":{"parameters":{"s":{"type":"string","value":"10"},'
      .. '"i":{"type":"int","value":9007199254740993},"f":{"type":"float","value":0.1234},'
      .. '"b\\"ä":{"type":"bool","value":true}}}}', body)
  end)

  it("has the settings of a Spark session that it knows", function()
    local body, workspace = encode(spark {
      sparkProperties = { { key = "spark.x", value = "y" }, { key = "spark.z", value = "1" } },
      defaultLakehouse = { referenceType = "ById", itemId = ID, workspaceId = WS },
      attachedEnvironment = { referenceType = "ById", itemId = ID, workspaceId = WS },
      instancePool = { name = "small", type = "Workspace" },
    })
    assert.same({ executionData = { configuration = {
      conf = { ["spark.x"] = "y", ["spark.z"] = "1" },
      defaultLakehouse = { id = ID, workspaceId = WS }, environment = { id = ID },
      useWorkspacePool = "small",
    } } }, json.decode(body))
    assert.equal(WS, workspace)
    assert.same({ ["spark.a"] = "b" }, json.decode((encode(spark {
      sparkProperties = { ["spark.a"] = "b" } }))).executionData.configuration.conf)
  end)

  it("refuses the other types of parameters, and names the path and the typed route", function()
    local values = { DateTime = "2026-11-23T00:00:00Z", Guid = ID,
      VariableReference = "$(/**/lib/var)", Automatic = 5 }
    for name, value in pairs(values) do
      refused(cannot("parameters[2].type",
        "it knows Text, Integer, Number and Boolean, not " .. name), nil,
        { { name = "a", type = "Text", value = "x" }, { name = "b", type = name, value = value } })
    end
  end)

  it("refuses every other setting", function()
    local reference = { referenceType = "ByVariable", variableReference = "$(/**/a/b)" }
    local mount = { mountPointPath = "/m", source = "abfss://x" }
    local settings = { name = "n", driverCores = 4, driverMemory = "28g", executorCores = 4,
      executorMemory = "28g", numExecutors = 2, jars = { "a" }, pyFiles = { "a" }, files = { "a" },
      archives = { "a" }, mountPoints = { mount },
      highConcurrencyModeOptions = { enabled = true } }
    local count = 0
    for name, value in pairs(settings) do
      refused(cannot("executionData.computeConfiguration." .. name), spark { [name] = value })
      count = count + 1
    end
    assert.equal(12, count)
    local path = "executionData.computeConfiguration."
    refused(cannot(path .. "defaultLakehouse.referenceType", "it takes references by id only"),
      spark { defaultLakehouse = reference })
    refused(cannot(path .. "instancePool.type", "it takes the pools of the workspace only"),
      spark { instancePool = { name = "p", type = "Capacity" } })
    refused(cannot(path .. "instancePool.id", "it takes a pool by its name"),
      spark { instancePool = { name = "p", id = ID } })
    refused(cannot(path .. "sparkProperties", '"a" is there twice'),
      spark { sparkProperties = { { key = "a", value = "1" }, { key = "a", value = "2" } } })
  end)

  it("refuses the computes of other languages", function()
    for _, compute in ipairs { "Jupyter", "DataWarehouse" } do
      refused(cannot("executionData.compute",
        "it starts Spark sessions, with no word for " .. compute), { compute = compute })
    end
  end)
end)
