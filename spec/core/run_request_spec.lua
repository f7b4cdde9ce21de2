-- The encoder of run requests: every field and enumeration value of its model passes and is refused
-- as spec/core/run_cases.lua says, and the rules between fields hold.

local cases = require "spec.core.run_cases"
local core = require "luafabric.core"
local json = require "luafabric.json"

local GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"

local model = core.run_model()

-- Calls visit(object, path, wrap) for every object of the model in every place where it may stand;
-- wrap(table) is the request with the table in that place.
local function walk(object, path, wrap, visit)
  visit(object, path, wrap)
  for _, field in ipairs(object.fields) do
    if field.object and field.object.name ~= "RunNotebookExecutionData" then
      local below = path == "" and field.name or path .. "." .. field.name
      local function wrap_below(value)
        local owner = cases.complete[object.name]()
        owner[field.name] = field.kind == "list" and { value } or value
        return wrap(owner)
      end
      walk(field.object, field.kind == "list" and below .. "[1]" or below, wrap_below, visit)
    end
  end
end

local function each_object(visit)
  walk(model.request, "", function(request) return request end, visit)
  for _, object in pairs(model.execution_data) do
    walk(object, "executionData", function(data) return { executionData = data } end, visit)
  end
end

local function each_field(visit)
  each_object(function(object, path, wrap)
    for _, field in ipairs(object.fields) do
      local function with(value)
        local owner = cases.complete[object.name]()
        owner[field.name] = value
        return wrap(owner)
      end
      visit(field, path == "" and field.name or path .. "." .. field.name, with, object)
    end
  end)
end

local function cases_of(object, field)
  local name = object.name .. "." .. field.name
  return assert(cases.fields[name] or field.kind == "parameter" and { passes = {}, refused = {} },
    "no case for the field " .. name)
end

-- The value at a path such as "parameters[1].name".
local function at(value, path)
  for step in path:gmatch("[^.%[%]]+") do value = value[tonumber(step) or step] end
  return value
end

-- `words` begin with the path, unless the path is given apart.
local function refused_with(request, words, path)
  local text, message = core.encode_run(request)
  assert.is_nil(text, ("passed, but should not: %s %s"):format(path or "", words))
  local starts = path and path .. ": " or words
  assert.is_true(message:sub(1, #starts) == starts and message:find(words, 1, true) ~= nil,
    ("%s\n  is not: %s %s"):format(message, path or "", words))
end

local function passed(request, what)
  local text, warnings = core.encode_run(request)
  assert.is_string(text, (what or "") .. " " .. tostring(warnings))
  return text, warnings
end

local function parameter(type_name, value)
  return { parameters = { { name = "p", type = type_name, value = value } } }
end

local function spark(configuration)
  return { executionData = { compute = "Spark", computeConfiguration = configuration } }
end

describe("a field of the run request", function()
  it("passes with each of its good values, unchanged, in every place where it may stand", function()
    local count = 0
    each_field(function(field, path, with, object)
      for index, value in ipairs(cases_of(object, field).passes) do
        local text, warnings = passed(with(value), ("%s, value %d"):format(path, index))
        assert.same(value, at(json.decode(text), path))
        assert.same({}, warnings)
        count = count + 1
      end
    end)
    assert.is_true(count > 100, count)
  end)

  it("is refused with each of its bad values, in words that name its path", function()
    each_field(function(field, path, with, object)
      for _, case in ipairs(cases_of(object, field).refused) do
        local below, words = case[2]:match("^([%[.]%S*): (.*)$")
        refused_with(with(case[1]), words or case[2], case.path or path .. (below or ""))
      end
    end)
  end)

  it("has a good case for every value of its enumeration, and a bad one", function()
    each_field(function(field, path, _, object)
      local good = {}
      local entry = cases_of(object, field)
      for _, value in ipairs(entry.passes) do good[value] = true end
      for _, value in ipairs(field.numbers or {}) do assert.is_true(good[value], path .. value) end
      for _, word in ipairs(field.words or {}) do
        if object.name == "Parameter" then
          assert.is_table(cases.values[word], "no cases for the parameter type " .. word)
        elseif word ~= "ByVariable" then
          assert.is_true(good[word], path .. ": " .. word)
        end
      end
      if field.minimum then assert.is_true(good[field.minimum], path) end
      assert.is_true(field.kind == "parameter" or #entry.refused > 0, path)
    end)
  end)

  it("of an open enumeration passes with a value of the future and one warning", function()
    local count = 0
    each_field(function(field, path, with)
      if not field.words then return end
      local text, warnings = passed(with("Novel"), path)
      assert.equal("Novel", at(json.decode(text), path))
      assert.same({ path .. ': "Novel" is not one of ' .. table.concat(field.words, ", ")
        .. "; sent as it is, since Fabric may know it" }, warnings)
      count = count + 1
    end)
    assert.is_true(count >= 10)
  end)

  it("that is required is missed when it is absent or null, and only then", function()
    each_field(function(field, path, with, object)
      -- What a reference requires depends on its type.
      local needed = field.required or object.name == "ItemReferenceById"
        and field.name ~= "variableReference"
      for _, nothing in ipairs { "absent", "null" } do
        local request = with(nothing == "null" and core.null or nil)
        if needed then
          refused_with(request, "is required", path)
        else
          local text = passed(request, path)
          assert.is_nil(at(json.decode(text), path), path)
        end
      end
    end)
  end)

  it("that is unknown gets its nearest neighbour, wherever it stands", function()
    each_object(function(object, path, wrap)
      for _, field in ipairs(object.fields) do
        local slip = field.name:sub(1, -2) .. "x"
        local owner = cases.complete[object.name]()
        owner[slip] = "x"
        refused_with(wrap(owner), "unknown field, did you mean " .. field.name .. "?",
          path == "" and slip or path .. "." .. slip)
      end
    end)
    refused_with(spark { numExecutor = 2 },
      "executionData.computeConfiguration.numExecutor: unknown field, did you mean numExecutors?")
    refused_with(spark { NUMEXECUTORS = 2 },
      "executionData.computeConfiguration.NUMEXECUTORS: unknown field, did you mean numExecutors?")
    refused_with(spark { conf = {} }, "executionData.computeConfiguration.conf: unknown field; "
      .. "SparkNotebookComputeConfiguration has no such field")
    refused_with({ executionData = { compute = "Spark", parameters = {} } },
      "executionData.parameters: unknown field; RunSparkNotebookExecutionData has no such field")
  end)

  it("is not taken for another because of a zero byte", function()
    refused_with({ ["parameters\0"] = {} }, "parameters\\x00: unknown field")
    refused_with(spark { ["name\0x"] = "x" }, "unknown field",
      "executionData.computeConfiguration.name\\x00x")
    local _, warnings = passed({ executionData = { compute = "Spark\0" } })
    assert.matches('"Spark\\x00" is not one of', warnings[1], 1, true)
    _, warnings = passed(parameter("Integer\0", "any"))
    assert.matches('"Integer\\x00" is not one of', warnings[1], 1, true)
  end)

  it("has a message of bounded length, however long its name or value", function()
    local long = ("x"):rep(1000000)
    for _, request in ipairs { { [long] = 1 }, spark { [long] = 1 }, spark { name = 5, [long] = 2 },
      spark { driverCores = long }, spark { sparkProperties = { [long] = true } },
      spark { instancePool = { id = long } }, parameter("Integer", long), parameter("Guid", long),
      { executionData = long }, parameter(5, long), { [("\27\255"):rep(100)] = 1 } } do
      local text, message = core.encode_run(request)
      assert.is_nil(text)
      assert.is_true(#message < 400, #message)
      assert.is_nil(message:find("[%z\1-\31\127]"))
    end
    local _, warnings = passed(spark { driverMemory = long })
    assert.is_true(#warnings[1] < 400)
  end)
end)

describe("a parameter's value", function()
  for type_name, entry in pairs(cases.values) do
    it("of the type " .. type_name .. " passes exactly or is refused", function()
      for _, case in ipairs(entry.passes) do
        local value, wire, warning = case[1], case[2], case[3]
        local text, warnings = passed(parameter(type_name, value), tostring(value))
        local sent = text:match('^{"parameters":%[{"name":"p","type":"%w+","value":(.*)}%]}$')
        if wire then assert.equal(wire, sent) else assert.equal(value, (json.decode(sent))) end
        assert.equal(warning and 1 or 0, #warnings)
        if warning then assert.matches("^parameters%[1%].value: " .. warning[1], warnings[1]) end
      end
      for _, value in ipairs(entry.refused) do
        refused_with(parameter(type_name, value), "", "parameters[1].value")
      end
    end)
  end

  it("of a type of the future is any JSON, with a warning about the type", function()
    local text, warnings = passed(parameter("Decimal", { a = { 1.5 } }))
    assert.equal('{"parameters":[{"name":"p","type":"Decimal","value":{"a":[1.5]}}]}', text)
    assert.equal(1, #warnings)
    assert.matches("^parameters%[1%].type: ", warnings[1])
  end)

  it("as an integer is exact to the last of 64 bits, where Lua has them", function()
    if not math.type then return end
    for _, value in ipairs { math.maxinteger, math.mininteger, math.tointeger(2 ^ 53) + 1 } do
      local text = passed(parameter("Integer", value), tostring(value))
      assert.is_truthy(text:find('"value":' .. ("%d"):format(value), 1, true))
    end
  end)
end)

describe("the rules between fields", function()
  it("want names of parameters that differ in more than letter case", function()
    local function named(...)
      local list = {}
      for index, name in ipairs { ... } do
        list[index] = { name = name, type = "Text", value = "" }
      end
      return { parameters = list }
    end
    refused_with(named("day", "DAY"),
      'parameters[2].name: "DAY" is there twice (parameters[1]); letter case does not count')
    refused_with(named("a", "b", "c", "B"),
      'parameters[4].name: "B" is there twice (parameters[2])')
    refused_with(named("a\0b", "A\0B"), 'parameters[2].name: "A\\x00B" is there twice')
    passed(named("a", "b", "ab", "a\0b", "a\0c"))
  end)

  it("warn of driver and executors that differ in size", function()
    local _, warnings = passed(spark { driverCores = 4, executorCores = 8, driverMemory = "28g",
      executorMemory = "56g" })
    assert.same({ "executionData.computeConfiguration: driverCores and executorCores differ; "
      .. "Fabric wants driver and executors of one size",
      "executionData.computeConfiguration: driverMemory and executorMemory differ; Fabric wants "
      .. "driver and executors of one size" }, warnings)
    for _, same in ipairs { { driverCores = 8, executorCores = 8 }, { driverCores = 8 },
      { executorMemory = "56g" }, { driverMemory = "56g", executorMemory = "56g" } } do
      assert.same({}, select(2, passed(spark(same))))
    end
  end)

  it("let a reference by variable pass with a warning, and do not mix the two kinds", function()
    local reference = { referenceType = "ByVariable", variableReference = "$(/**/lib/name)" }
    local text, warnings = passed(spark { defaultLakehouse = reference })
    assert.same(reference, json.decode(text).executionData.computeConfiguration.defaultLakehouse)
    assert.equal(1, #warnings)
    assert.matches("^executionData.computeConfiguration.defaultLakehouse: a reference by variable",
      warnings[1])
    local path = "executionData.computeConfiguration.defaultLakehouse."
    reference.itemId = GUID
    refused_with(spark { defaultLakehouse = reference },
      path .. "itemId: belongs to a reference whose referenceType is ById")
    refused_with(spark { defaultLakehouse = { referenceType = "ByVariable" } },
      path .. "variableReference: is required")
    reference = { referenceType = "ByVariable", variableReference = "x" }
    refused_with(spark { defaultLakehouse = reference },
      path .. 'variableReference: "x" is not a reference as $(/**/library/variable)')
  end)

  it("let a compute decide which fields its execution data has", function()
    refused_with({ executionData = { compute = "DataWarehouse", computeConfiguration = {} } },
      "executionData.computeConfiguration: DataWarehouse takes no compute configuration")
    refused_with({ executionData = { computeConfiguration = {} } },
      "executionData.compute: is required")
    local jupyter = { compute = "Jupyter", computeConfiguration = { driverCores = 4 } }
    refused_with({ executionData = jupyter },
      "executionData.computeConfiguration.driverCores: unknown field")
    local future = { compute = "Quantum", computeConfiguration = { qubits = 4 } }
    assert.same(future, json.decode(passed({ executionData = future })).executionData)
  end)

  it("make a table of Spark properties the list that goes on the wire, in one order", function()
    local text = passed(spark { sparkProperties = { ["spark.b"] = "2", ["spark.a"] = "1",
      ["1"] = "n", ["a\0b"] = "z" } })
    assert.equal('{"executionData":{"compute":"Spark","computeConfiguration":{"sparkProperties":['
      .. '{"key":"1","value":"n"},{"key":"a\\u0000b","value":"z"},{"key":"spark.a","value":"1"},'
      .. '{"key":"spark.b","value":"2"}]}}}', text)
  end)
end)

describe("a run request", function()
  it("has the same bytes every time, in the model's order", function()
    local request = { parameters = { { value = true, type = "Boolean", name = "full" } },
      executionData = { computeConfiguration = { numCores = 2, name = "n" }, compute = "Jupyter" } }
    assert.equal('{"executionData":{"compute":"Jupyter","computeConfiguration":{"name":"n",'
      .. '"numCores":2}},"parameters":[{"name":"full","type":"Boolean","value":true}]}',
      (core.encode_run(request)))
    assert.equal("{}", (core.encode_run {}))
  end)

  it("is a table; a list is none", function()
    for _, wrong in ipairs { "x", 5, true } do
      assert.has_error(function() core.encode_run(wrong) end)
    end
    refused_with({ "x" }, "value: expected an object with named fields (RunNotebookRequest)")
    refused_with({ [5] = "x" }, "value: expected an object with named fields")
  end)

  it("is read without its metamethods", function()
    local trap = setmetatable({}, { __index = function() error("__index was called") end,
      __len = function() error("__len was called") end,
      __pairs = function() error("__pairs was called") end,
      __tostring = function() error("__tostring was called") end,
      __eq = function() error("__eq was called") end })
    assert.equal("{}", (core.encode_run(trap)))
    rawset(trap, "parameters", setmetatable({}, getmetatable(trap)))
    rawset(trap, "executionData", setmetatable({ compute = "Spark",
      computeConfiguration = setmetatable({}, getmetatable(trap)) }, getmetatable(trap)))
    passed(trap)
    refused_with(parameter("Text", setmetatable({}, getmetatable(trap))),
      "parameters[1].value: table is not a value for Text")
  end)

  it("may have very many parameters", function()
    local list = {}
    for index = 1, 100000 do
      list[index] = { name = "p" .. index, type = "Integer", value = index }
    end
    local text = passed({ parameters = list })
    assert.is_truthy(text:find('{"name":"p100000","type":"Integer","value":100000}]}', 1, true))
    list[100001] = { name = "P777", type = "Text", value = "" }
    refused_with({ parameters = list }, 'parameters[100001].name: "P777" is there twice '
      .. "(parameters[777])")
  end)
end)
