-- Reads the body of a run request as Fabric would. Two contracts, never mixed: the typed route with
-- beta=false honours `parameters` and checks `executionData` against the published notebook model
-- (fabric-rest-api-specs, notebook/definitions.json, RunNotebookRequest); the older one honours the
-- map `executionData.parameters` and accepts and ignores the list. Unknown fields are ignored, as
-- Fabric's binding does.

local json = require "luafabric.json"
local ids = require "luafabric.emulator.ids"

local M = {}

local function set(...)
  local values = {}
  for _, value in ipairs { ... } do values[value] = true end
  return values
end

local function whole(value)
  return type(value) == "number" and value == math.floor(value)
    and value ~= math.huge and value ~= -math.huge
end

local function object(value)
  return type(value) == "table" and #value == 0
end

-- A check is a function (value, path) -> nil, or what is wrong.
local function kind(name, test)
  return function(value, path)
    if not test(value) then return ("%s: expected %s"):format(path, name) end
  end
end

local text = kind("a string", function(value) return type(value) == "string" end)
local flag = kind("true or false", function(value) return type(value) == "boolean" end)
local guid = kind("a GUID", ids.is_guid)
local count = kind("a whole number of at least 1", function(value)
  return whole(value) and value >= 1 and value <= 2147483647
end)

local function one_of(...)
  local allowed, list = set(...), table.concat({ ... }, ", ")
  return function(value, path)
    if not allowed[value] then return ("%s: expected one of %s"):format(path, list) end
  end
end

local function list_of(check)
  return function(value, path)
    if type(value) ~= "table" or (next(value) ~= nil and #value == 0) then
      return path .. ": expected an array"
    end
    for index, element in ipairs(value) do
      local message = check(element, ("%s[%d]"):format(path, index - 1))
      if message then return message end
    end
  end
end

local function record(fields, required)
  return function(value, path)
    if not object(value) then return path .. ": expected an object" end
    for _, name in ipairs(required or {}) do
      if value[name] == nil or value[name] == json.null then
        return ("%s.%s: required"):format(path, name)
      end
    end
    local names = {}
    for name in pairs(fields) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do
      if value[name] ~= nil and value[name] ~= json.null then
        local message = fields[name](value[name], path .. "." .. name)
        if message then return message end
      end
    end
  end
end

local cores = one_of(4, 8, 16, 32, 64)
local memory = one_of("28g", "56g", "112g", "224g", "400g")
local mounts = list_of(record({ mountPointPath = text, source = text },
  { "mountPointPath", "source" }))
local reference = record({ referenceType = one_of("ById"), itemId = guid, workspaceId = guid },
  { "referenceType", "itemId", "workspaceId" })

local CONFIGURATION = {
  Spark = record {
    name = text, driverCores = cores, executorCores = cores, driverMemory = memory,
    executorMemory = memory, numExecutors = count, jars = list_of(text), pyFiles = list_of(text),
    files = list_of(text), archives = list_of(text), mountPoints = mounts,
    sparkProperties = list_of(record { key = text, value = text }),
    instancePool = record { name = text, type = one_of("Workspace", "Capacity"), id = guid },
    defaultLakehouse = reference, attachedEnvironment = reference,
    highConcurrencyModeOptions = record({ enabled = flag, sessionTag = text }, { "enabled" }),
  },
  Jupyter = record {
    name = text, numCores = one_of(2, 4, 8, 16, 32, 64), mountPoints = mounts,
    defaultLakehouse = reference, attachedEnvironment = reference,
  },
  DataWarehouse = function(_, path)
    return path .. ": the compute type DataWarehouse has no configuration"
  end,
}

local VALUE = {
  Text = text,
  Integer = kind("a whole number", whole),
  Number = kind("a number", function(value) return type(value) == "number" end),
  Boolean = flag,
  DateTime = kind("a time as YYYY-MM-DDTHH:mm:ssZ", function(value)
    return type(value) == "string" and value:find("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$") ~= nil
  end),
  Guid = guid,
  VariableReference = kind("a reference as $(/**/_VarLibrary_/_VarName_)", function(value)
    return type(value) == "string" and value:find("^%$%(/%*%*/.+/.+%)$") ~= nil
  end),
  Automatic = function() end,
}

local OLDER_VALUE = { string = text, int = VALUE.Integer, float = VALUE.Number, bool = flag }

local function read_list(list)
  if list == nil or list == json.null then return {} end
  local check_list = list_of(record({ name = text, type = text }, { "name", "type" }))
  local message = check_list(list, "parameters")
  if message then return nil, message end
  local parameters, seen = {}, {}
  for index, parameter in ipairs(list) do
    local path = ("parameters[%d]"):format(index - 1)
    local check = VALUE[parameter.type]
    if not check then return nil, ("%s.type: %s is not known"):format(path, parameter.type) end
    if parameter.value == nil then return nil, path .. ".value: required" end
    message = check(parameter.value, path .. ".value")
    if message then return nil, message end
    local characters = select(2, parameter.name:gsub("[^\128-\191]", ""))
    if parameter.name == "" or characters > 256 then
      return nil, path .. ".name: 1 to 256 characters"
    end
    if seen[parameter.name:lower()] then
      return nil, ("%s.name: %s is given twice"):format(path, parameter.name)
    end
    seen[parameter.name:lower()] = true
    parameters[parameter.name] = { type = parameter.type, value = parameter.value }
  end
  return parameters
end

local function read_map(map)
  if map == nil or map == json.null then return {} end
  if not object(map) then return nil, "executionData.parameters: expected an object" end
  local parameters = {}
  for name, parameter in pairs(map) do
    local path = "executionData.parameters." .. name
    if not object(parameter) or parameter.value == nil then
      return nil, path .. ": expected an object of type and value"
    end
    local check = OLDER_VALUE[parameter.type]
    local message = check and check(parameter.value, path .. ".value")
    if message then return nil, message end
    parameters[name] = { type = parameter.type, value = parameter.value }
  end
  return parameters
end

local function read_typed(request, execution)
  local parameters, message = read_list(request.parameters)
  if not parameters then return nil, message end
  local result = { parameters = parameters, source = "list", execution_data = execution }
  if not execution then return result end
  if not CONFIGURATION[execution.compute] then
    return nil, "executionData.compute: expected one of Spark, Jupyter, DataWarehouse"
  end
  local configuration = execution.computeConfiguration
  if configuration ~= nil and configuration ~= json.null then
    message = CONFIGURATION[execution.compute](configuration, "executionData.computeConfiguration")
    if message then return nil, message end
    local options = configuration.highConcurrencyModeOptions
    if object(options) and options.enabled then result.session_tag = options.sessionTag or "" end
  end
  result.compute = execution.compute
  return result
end

--- Read a body.
---@param body string|nil
---@param contract "typed"|"older"
---@return table|nil request  { parameters: name -> { type, value }, source: "list"|"map"|nil (where
---  they stand in the body), execution_data, compute, session_tag }
---@return string|nil message  what Fabric would refuse, with the field's path
function M.read(body, contract)
  if body == nil or body == "" then return { parameters = {} } end
  local request, message = json.decode(body)
  if request == nil then return nil, "The request body is not JSON: " .. tostring(message) end
  if not json.encode(body) then return nil, "The request body is not UTF-8" end
  if request == json.null then return { parameters = {} } end
  if not object(request) then return nil, "The request body is not a JSON object" end
  local execution = request.executionData
  if execution == json.null then execution = nil end
  if execution ~= nil and not object(execution) then
    return nil, "executionData: expected an object"
  end
  if contract == "typed" then return read_typed(request, execution) end
  local parameters
  parameters, message = read_map(execution and execution.parameters)
  if not parameters then return nil, message end
  return { parameters = parameters, source = "map", execution_data = execution }
end

return M
