-- One entry for every field of the run request's model: what passes; what is refused, and with
-- which words. The message begins with the field's path; what is wrong further down says so, as in
-- "[2]: is empty".
-- run_request_spec walks the model and fails for a field that has no entry here.

local core = require "luafabric.core"

local M = {}

local GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
local null = core.null

--- The smallest object of each kind that is complete.
M.complete = {
  RunNotebookRequest = function() return {} end,
  RunSparkNotebookExecutionData = function() return { compute = "Spark" } end,
  RunJupyterNotebookExecutionData = function() return { compute = "Jupyter" } end,
  RunDataWarehouseNotebookExecutionData = function() return { compute = "DataWarehouse" } end,
  SparkNotebookComputeConfiguration = function() return {} end,
  JupyterNotebookComputeConfiguration = function() return {} end,
  SparkProperty = function() return {} end,
  InstancePool = function() return {} end,
  MountPoint = function() return { mountPointPath = "/data", source = "abfss://a@b/c" } end,
  ItemReferenceById = function()
    return { referenceType = "ById", itemId = GUID, workspaceId = GUID }
  end,
  HighConcurrencyModeOptions = function() return { enabled = true } end,
  Parameter = function() return { name = "day", type = "Text", value = "Monday" } end,
}

local text = {
  passes = { "x", "", "Łódź 🛰", ("x"):rep(10000) },
  refused = { { 5, "expected text, got 5" }, { true, "expected text, got boolean" },
    { {}, "expected text, got table" }, { "a\255", "byte 2 is not valid UTF-8" } },
}

local required_text = {
  passes = { "x", "Łódź 🛰" },
  refused = { { "", "is empty" }, { 5, "expected text, got 5" } },
}

local texts = {
  passes = { {}, { "abfss://files@account/a.jar" }, { "a", "b", "" } },
  refused = { { "a", 'expected a list, got "a"' }, { { 5 }, "[1]: expected text, got 5" },
    { { "a", null }, "[2]: expected text, got null" },
    { { "a", "\192" }, "[2]: byte 1 is not valid" },
    { { a = "b" }, "expected a list, got a table with names or holes" },
    { { [2] = "b" }, "expected a list, got a table with names or holes" } },
}

local function words(...)
  return { passes = { ... }, refused = { { 5, "expected text, got 5" } } }
end

local function required_words(...)
  local cases = words(...)
  cases.refused[2] = { "", "is empty" }
  return cases
end

local spark_cores = {
  passes = { 4, 8, 16, 32, 64 },
  refused = { { 2, "2 is not one of 4, 8, 16, 32, 64" }, { 0, "0 is not one of 4" },
    { 5, "5 is not one of 4, 8, 16, 32, 64" }, { 128, "128 is not one of" },
    { -4, "-4 is not one of" }, { 4.5, "4.5 is not one of" },
    { "4", 'expected a whole number, got "4"' } },
}

local memories = words("28g", "56g", "112g", "224g", "400g")

local guid = {
  passes = { GUID, GUID:upper() },
  refused = { { "Sales", '"Sales" is not a GUID; a name does not do here' },
    { GUID .. "0", "is not a GUID" }, { "{" .. GUID .. "}", "is not a GUID" },
    { GUID .. "\0", "is not a GUID" }, { GUID:gsub("-", "") .. "0000", "is not a GUID" },
    { 5, "expected a GUID, got 5" } },
}

local function object(passing)
  return { passes = { passing },
    refused = { { "x", 'expected an object, got "x"' }, { true, "expected an object" },
      { { "x" }, "expected an object with named fields" } } }
end

local function list(passing)
  return { passes = { {}, { passing }, { passing, passing } },
    refused = { { "x", 'expected a list, got "x"' },
      { { "x" }, '[1]: expected an object, got "x"' },
      { passing, "expected a list, got a table with names or holes" } } }
end

local reference = object(M.complete.ItemReferenceById())

M.fields = {
  ["RunNotebookRequest.executionData"] = { passes = { { compute = "Spark" } },
    refused = { { "x", 'expected an object, got "x"' }, { { "x" }, ".compute: is required" } } },
  ["RunNotebookRequest.parameters"] = { passes = { {}, { M.complete.Parameter() } },
    refused = { { "x", "expected a list" }, { { "x" }, '[1]: expected an object, got "x"' },
      { { day = "Monday" }, "expected a list, got a table with names or holes" } } },

  ["RunSparkNotebookExecutionData.compute"] = required_words("Spark", "Jupyter", "DataWarehouse"),
  ["RunJupyterNotebookExecutionData.compute"] = required_words("Spark", "Jupyter", "DataWarehouse"),
  ["RunDataWarehouseNotebookExecutionData.compute"] =
    required_words("Spark", "Jupyter", "DataWarehouse"),
  ["RunSparkNotebookExecutionData.computeConfiguration"] = object {},
  ["RunJupyterNotebookExecutionData.computeConfiguration"] = object {},

  ["SparkNotebookComputeConfiguration.name"] = text,
  ["SparkNotebookComputeConfiguration.driverCores"] = spark_cores,
  ["SparkNotebookComputeConfiguration.driverMemory"] = memories,
  ["SparkNotebookComputeConfiguration.executorCores"] = spark_cores,
  ["SparkNotebookComputeConfiguration.executorMemory"] = memories,
  ["SparkNotebookComputeConfiguration.numExecutors"] = { passes = { 1, 2, 200, 2147483647 },
    refused = { { 0, "0 is not a whole number from 1 to 2147483647" }, { -1, "-1 is not" },
      { 1.5, "1.5 is not a whole number" }, { 2147483648, "2147483648 is not" },
      { 1 / 0, "inf is not a whole number" }, { 0 / 0, "nan is not a whole number" },
      { "2", 'expected a whole number, got "2"' } } },
  ["SparkNotebookComputeConfiguration.jars"] = texts,
  ["SparkNotebookComputeConfiguration.pyFiles"] = texts,
  ["SparkNotebookComputeConfiguration.files"] = texts,
  ["SparkNotebookComputeConfiguration.archives"] = texts,
  ["SparkNotebookComputeConfiguration.sparkProperties"] = {
    passes = { {}, { { key = "spark.a", value = "1" } } },
    refused = { { "x", 'expected a list, got "x"' },
      { { "x" }, '[1]: expected an object, got "x"' },
      { { ["spark.a"] = true }, '.spark.a: Spark properties are texts; write "true"' },
      { { ["spark.a"] = 5 }, '.spark.a: Spark properties are texts; write "5"' },
      { { ["spark.a"] = {} }, ".spark.a: expected text, got table" },
      { { ["spark.a"] = "1", "x" }, "a table with both names and indices" } } },
  ["SparkNotebookComputeConfiguration.instancePool"] = object {},
  ["SparkNotebookComputeConfiguration.mountPoints"] = list(M.complete.MountPoint()),
  ["SparkNotebookComputeConfiguration.defaultLakehouse"] = reference,
  ["SparkNotebookComputeConfiguration.attachedEnvironment"] = reference,
  ["SparkNotebookComputeConfiguration.highConcurrencyModeOptions"] = object { enabled = false },

  ["JupyterNotebookComputeConfiguration.name"] = text,
  ["JupyterNotebookComputeConfiguration.numCores"] = { passes = { 2, 4, 8, 16, 32, 64 },
    refused = { { 1, "1 is not one of 2, 4, 8, 16, 32, 64" }, { 128, "128 is not one of" },
      { "2", 'expected a whole number, got "2"' } } },
  ["JupyterNotebookComputeConfiguration.mountPoints"] = list(M.complete.MountPoint()),
  ["JupyterNotebookComputeConfiguration.defaultLakehouse"] = reference,
  ["JupyterNotebookComputeConfiguration.attachedEnvironment"] = reference,

  ["SparkProperty.key"] = text,
  ["SparkProperty.value"] = text,

  ["InstancePool.name"] = text,
  ["InstancePool.type"] = words("Workspace", "Capacity"),
  ["InstancePool.id"] = guid,

  ["MountPoint.mountPointPath"] = required_text,
  ["MountPoint.source"] = required_text,

  -- ByVariable, and its reference, have no ids: run_request_spec tries them whole.
  ["ItemReferenceById.referenceType"] = required_words("ById"),
  ["ItemReferenceById.itemId"] = guid,
  ["ItemReferenceById.workspaceId"] = guid,
  ["ItemReferenceById.variableReference"] = { passes = {},
    refused = { { "$(/**/lib/name)", "belongs to a reference whose referenceType is ByVariable" },
      { 5, "expected text, got 5" } } },

  ["HighConcurrencyModeOptions.enabled"] = { passes = { true, false },
    refused = { { "true", 'expected true or false, got "true"' },
      { 1, "expected true or false, got 1" } } },
  ["HighConcurrencyModeOptions.sessionTag"] = text,

  ["Parameter.name"] = {
    passes = { "x", "día", ("x"):rep(256), ("é"):rep(256), ("🛰"):rep(128) },
    refused = { { "", "is empty" }, { 5, "expected text, got 5" },
      { ("x"):rep(257), "257 characters long; at most 256 are allowed" },
      { ("🛰"):rep(128) .. "x", "257 characters long" },
      { "\237\160\128", "byte 1 is not valid" } },
  },
  ["Parameter.type"] = { passes = { "Text", "Automatic" }, -- the others, with their values: below
    refused = { { "", "is empty" }, { 5, "expected text, got 5" },
      { "Integer", '"Monday" is not a value for Integer', path = "parameters[1].value" } } },
}

local warned = { "outside 32 bits" }

--- The value of a parameter by its type: { value } passes as it is, { value, wire } is on the wire
--- as that text, { value, wire, warning } with a warning.
M.values = {
  Text = { passes = { { "" }, { "x" }, { "Łódź 🛰" }, { "5", '"5"' } },
    refused = { 5, true, {}, "\128" } },
  Integer = {
    passes = { { 0, "0" }, { -1, "-1" }, { 2147483647, "2147483647" },
      { -2147483648, "-2147483648" },
      { 2147483648, "2147483648", warned }, { -2147483649, "-2147483649", warned },
      { "17", "17" }, { "9223372036854775807", "9223372036854775807", warned },
      { "-9223372036854775808", "-9223372036854775808", warned },
      { "9007199254740993", "9007199254740993", warned },
      { 2 ^ 53, "9007199254740992", warned } },
    refused = { 1.5, 2 ^ 53 * 2, 1 / 0, -1 / 0, 0 / 0, "", "x", "1.0", "1e3", "0x10", "01", "-0",
      "+1", " 1", "1 ", "1\0", "--1", "-", "9223372036854775808", "-9223372036854775809",
      true, {} },
  },
  Number = {
    passes = { { 0.1 + 0.2, "0.30000000000000004" }, { 5, "5" }, { -1.5, "-1.5" },
      { 1e308, "1e+308" }, { 5e-324, "4.94065645841247e-324" }, { "0.10", "0.10" },
      { "1e400", "1e400" },
      { "-0.0", "-0.0" }, { "1E+2", "1E+2" }, { tonumber("-0.0"), "-0.0" },
      { "123456789012345678901234567890.5", "123456789012345678901234567890.5" } },
    refused = { 1 / 0, -1 / 0, 0 / 0, "", "x", ".5", "5.", "1e", "1e+", "0x10", "01", "nan", "inf",
      "1,5", "1\0", true, {} },
  },
  Boolean = { passes = { { true, "true" }, { false, "false" } },
    refused = { "true", 0, 1, {} } },
  DateTime = {
    passes = { { "2026-11-23T00:00:00Z" }, { "2024-02-29T23:59:59Z" }, { "0001-01-01T00:00:00Z" } },
    refused = { "2026-11-23", "2026-11-23T00:00:00", "2026-11-23T00:00:00+00:00",
      "2026-11-23 00:00:00Z", "2026-11-23T00:00:00.5Z", "2026-11-23T00:00:00z",
      "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-23T24:00:00Z",
      "2026-11-23T23:59:60Z", "", 5, true },
  },
  Guid = { passes = { { GUID }, { GUID:upper() } },
    refused = { "x", "", GUID .. "0", "{" .. GUID .. "}", (GUID:gsub("-", "")), 5 } },
  VariableReference = { passes = { { "$(/**/library/variable)" }, { "$(/**/Łódź/ä b)" } },
    refused = { "", "x", "$(/**/library)", "$(/**//variable)", "$(/**/library/)", "$(/**/a/b/c)",
      "(/**/a/b)", "$(/**/a/b) ", "$(/**/a/b)c)", "$(/**/a/b\0)", 5 } },
  Automatic = { passes = { { "x" }, { 5, "5" }, { true, "true" }, { 1.5, "1.5" },
      { { 1, { a = null } }, '[1,{"a":null}]' } },
    refused = { 0 / 0, print, "\255" } },
}

return M
