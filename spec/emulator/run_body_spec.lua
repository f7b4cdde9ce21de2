-- Which run requests the emulated Fabric takes, and which parameters of them count.

local json = require "luafabric.json"
local new_caller = require("spec.emulator.caller").new

--- The parameters with which a submission started, or the error's message.
local function started_with(path, body)
  local caller = new_caller()
  local response, value = caller.call("POST", caller[path[1]]() .. path[2], body)
  if response.status ~= 202 then
    assert.equal(0, caller.service:started())
    return nil, value.message, response.status
  end
  local values = {}
  for name, parameter in pairs(caller.service:take_started()[1].parameters) do
    values[name] = parameter.value
  end
  return values
end

local TYPED = { "notebook_path", "/jobs/execute/instances?beta=false" }
local NO_BETA = { "notebook_path", "/jobs/execute/instances" }
local BETA = { "notebook_path", "/jobs/execute/instances?beta=true" }
local GENERIC = { "item_path", "/jobs/RunNotebook/instances" }
local OLDER = { "item_path", "/jobs/instances?jobType=RunNotebook" }

local LIST = { parameters = { { name = "day", type = "Text", value = "list" } } }
local MAP = { executionData = { parameters = { day = { type = "string", value = "map" } } } }

describe("parameters of a run request", function()
  it("count as a list on the typed route with beta=false", function()
    assert.same({ day = "list" }, started_with(TYPED, LIST))
  end)

  it("as a list are taken and silently ignored everywhere else", function()
    for _, path in ipairs { NO_BETA, BETA, GENERIC, OLDER } do
      assert.same({}, started_with(path, LIST))
    end
  end)

  it("as a map count everywhere else", function()
    for _, path in ipairs { NO_BETA, BETA, GENERIC, OLDER } do
      assert.same({ day = "map" }, started_with(path, MAP))
    end
    assert.same({}, started_with(GENERIC, { executionData = {} }))
  end)

  it("may be absent, with no body at all", function()
    for _, path in ipairs { TYPED, NO_BETA, GENERIC, OLDER } do
      assert.same({}, started_with(path, nil))
      assert.same({}, started_with(path, "{}"))
    end
  end)

  it("are of eight types", function()
    local body = { parameters = {
      { name = "a", type = "Text", value = "ü" }, { name = "b", type = "Integer", value = -3 },
      { name = "c", type = "Number", value = 0.5 }, { name = "d", type = "Boolean", value = false },
      { name = "e", type = "DateTime", value = "2026-11-23T00:00:00Z" },
      { name = "f", type = "Guid", value = "2d6aa964-5f3a-4c95-a878-cc761ae71391" },
      { name = "g", type = "VariableReference", value = "$(/**/Library/Name)" },
      { name = "h", type = "Automatic", value = { x = 1 } },
    } }
    assert.same({ a = "ü", b = -3, c = 0.5, d = false, e = "2026-11-23T00:00:00Z",
      f = "2d6aa964-5f3a-4c95-a878-cc761ae71391", g = "$(/**/Library/Name)", h = { x = 1 } },
      started_with(TYPED, body))
  end)
end)

describe("a run request that Fabric would refuse", function()
  local function refused(body, path)
    local values, message, status = started_with(TYPED, body)
    assert.is_nil(values)
    assert.equal(400, status)
    assert.truthy(message:find(path, 1, true), message)
  end
  local function parameter(fields) return { parameters = { fields } } end
  local function spark(configuration)
    return { executionData = { compute = "Spark", computeConfiguration = configuration } }
  end

  it("is not JSON, or not an object", function()
    refused("{", "not JSON")
    refused("[1]", "not a JSON object")
    refused('"x"', "not a JSON object")
    refused('{"parameters":[{"name":"a","type":"Text","value":"\255"}]}', "not UTF-8")
  end)

  it("lacks a part of a parameter, or has a wrong one", function()
    refused({ parameters = { x = 1 } }, "parameters: expected an array")
    refused(parameter { type = "Text", value = "x" }, "parameters[0].name: required")
    refused(parameter { name = "a", value = "x" }, "parameters[0].type: required")
    refused(parameter { name = "a", type = "Text" }, "parameters[0].value: required")
    refused(parameter { name = "a", type = "text", value = "x" }, "parameters[0].type")
    refused(parameter { name = ("n"):rep(257), type = "Text", value = "x" }, "parameters[0].name")
    -- Characters are counted, not bytes.
    local _, response = new_caller().submit(parameter { name = ("ü"):rep(256), type = "Text",
      value = "x" })
    assert.equal(202, response.status)
    refused(parameter { name = ("ü"):rep(257), type = "Text", value = "x" }, "parameters[0].name")
    refused({ parameters = { { name = "Day", type = "Text", value = "x" },
      { name = "dAY", type = "Text", value = "x" } } }, "parameters[1].name")
    for type_name, value in pairs { Text = 1, Integer = 1.5, Number = "1", Boolean = "true",
      DateTime = "2026-11-23", Guid = "x", VariableReference = "x" } do
      refused(parameter { name = "a", type = type_name, value = value }, "parameters[0].value")
    end
  end)

  it("has a compute that is missing, unknown, or badly configured", function()
    refused({ executionData = json.array { 1 } }, "executionData: expected an object")
    refused({ executionData = { computeConfiguration = {} } }, "executionData.compute")
    refused({ executionData = { compute = "Quantum" } }, "executionData.compute")
    refused({ executionData = { compute = "DataWarehouse",
      computeConfiguration = { name = "x" } } }, "computeConfiguration")
    refused(spark { driverCores = 5 }, "computeConfiguration.driverCores")
    refused(spark { driverCores = 2 }, "computeConfiguration.driverCores")
    refused(spark { executorMemory = "57g" }, "computeConfiguration.executorMemory")
    refused(spark { numExecutors = 0 }, "computeConfiguration.numExecutors")
    refused(spark { jars = "a.jar" }, "computeConfiguration.jars")
    refused(spark { sparkProperties = { a = "b" } }, "computeConfiguration.sparkProperties")
    refused(spark { highConcurrencyModeOptions = { sessionTag = "x" } },
      "highConcurrencyModeOptions.enabled: required")
    refused(spark { mountPoints = { { source = "abfss://x" } } }, "mountPoints[0].mountPointPath")
    refused(spark { instancePool = { type = "Own" } }, "instancePool.type")
    refused(spark { defaultLakehouse = { referenceType = "ById", itemId = "x",
      workspaceId = "y" } }, "defaultLakehouse.itemId")
    refused({ executionData = { compute = "Jupyter", computeConfiguration = { numCores = 3 } } },
      "computeConfiguration.numCores")
  end)

  it("is refused on the older contract, too, where its map is malformed", function()
    local values, message = started_with(GENERIC,
      { executionData = { parameters = { n = { type = "int", value = "7" } } } })
    assert.is_nil(values)
    assert.truthy(message:find("executionData.parameters.n.value", 1, true))
  end)
end)

describe("a compute", function()
  it("decides the details of the notebook's instance", function()
    for _, case in ipairs { { "Spark", "livyId" }, { "Jupyter", "activityId" },
      { "DataWarehouse", "primaryWarehouse" } } do
      local caller = new_caller()
      local job = caller.submit { executionData = { compute = case[1] } }
      local properties = caller.instance(job).properties
      assert.equal(case[1], properties.compute)
      assert.truthy(properties.computeDetails[case[2]])
    end
  end)

  it("echoes the session tag of high concurrency", function()
    local caller = new_caller()
    local job = caller.submit { executionData = { compute = "Spark", computeConfiguration = {
      highConcurrencyModeOptions = { enabled = true, sessionTag = "tag1" } } } }
    local status = caller.instance(job).properties.computeDetails.highConcurrencyModeStatus
    assert.same({ sessionSource = "Created", sessionTag = "tag1" }, status)
  end)
end)
