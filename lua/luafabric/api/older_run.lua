--- The older body of a run request, for the generic route: `executionData` with a map of parameters
--- and a Spark session's `configuration` (fabric-docs, notebook-public-api.md, and traffic that was
--- recorded for Microsoft's fabric-cli). What it cannot say is refused, since that route takes the
--- newer shape with a 202 and ignores it. The encoder of the typed route checks and writes values.
--- Pure.

local core = require "luafabric.core"
local json = require "luafabric.json"

local M = {}

local older_types = { Text = "string", Integer = "int", Number = "float", Boolean = "bool" }

local ROUTE = "the generic route's older body"

local function refuse(path, what)
  return nil, ("%s: %s cannot say this%s; the typed route can (route = \"typed\")"):format(path,
    ROUTE, what and " (" .. what .. ")" or "")
end

--- The map of parameters as JSON text, each value exactly as the typed route would send it.
local function write_parameters(list, typed_body)
  local parts = {}
  for index, parameter in ipairs(list) do
    local older = older_types[parameter.type]
    if not older then
      return refuse(("parameters[%d].type"):format(index),
        ("it knows Text, Integer, Number and Boolean, not %s"):format(tostring(parameter.type)))
    end
    local value = assert(core.json_slice(typed_body, { "parameters", index, "value" }))
    parts[index] = ('%s:{"type":"%s","value":%s}'):format(core.encode_json(parameter.name), older,
      value)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local readers = {}

--- A list of { key, value }, or a map: both become the map `conf`.
function readers.sparkProperties(value, path)
  local conf = {}
  for key, item in pairs(value) do
    local name, text = key, item
    if type(item) == "table" then name, text = item.key, item.value end
    if name == nil or text == nil then
      return refuse(path, "a property without key or value")
    end
    if conf[name] ~= nil and conf[name] ~= text then
      return refuse(path, ("\"%s\" is there twice"):format(name))
    end
    conf[name] = text
  end
  return "conf", next(conf) ~= nil and conf or nil
end

local function by_id(value, path)
  if value.referenceType == "ById" then return true end
  return refuse(path .. ".referenceType", "it takes references by id only")
end

function readers.defaultLakehouse(value, path)
  local ok, message = by_id(value, path)
  if not ok then return nil, message end
  return "defaultLakehouse", { id = value.itemId, workspaceId = value.workspaceId }
end

--- An environment is named by its id alone, so it must be in the notebook's workspace.
function readers.attachedEnvironment(value, path)
  local ok, message = by_id(value, path)
  if not ok then return nil, message end
  return "environment", { id = value.itemId }, value.workspaceId
end

function readers.instancePool(value, path)
  if value.type ~= nil and value.type ~= json.null and value.type ~= "Workspace" then
    return refuse(path .. ".type", "it takes the pools of the workspace only")
  end
  if type(value.name) ~= "string" then return refuse(path, "it takes a pool by its name") end
  if value.id ~= nil and value.id ~= json.null then
    return refuse(path .. ".id", "it takes a pool by its name")
  end
  return "useWorkspacePool", value.name
end

local function sorted_names(map)
  local names = {}
  for name, value in pairs(map) do
    if value ~= json.null then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- The compute as `configuration`; an empty one is none.
local function read_configuration(compute)
  if compute.compute ~= "Spark" then
    return refuse("executionData.compute", "it starts Spark sessions, with no word for "
      .. tostring(compute.compute))
  end
  local given = compute.computeConfiguration
  if given == nil or given == json.null then return {} end
  local configuration, environment_workspace = {}, nil
  for _, field in ipairs(sorted_names(given)) do
    local path = "executionData.computeConfiguration." .. field
    if not readers[field] then return refuse(path) end
    local name, value, workspace = readers[field](given[field], path)
    if not name then return nil, value end
    configuration[name], environment_workspace = value, workspace or environment_workspace
  end
  return configuration, environment_workspace
end

--- The body for the generic route.
---@param compute table|nil  execution data of the typed route
---@param parameters { name: string, type: string, value: any }[]
---@param typed_body string  what the typed route's encoder made of the same
---@return string|nil body   "" when there is nothing to say
---@return string|nil message  names the path; or, with a body, the id of the workspace that the
---                            notebook must be in, since the older body cannot name another
function M.encode(compute, parameters, typed_body)
  local parts = {}
  if #parameters > 0 then
    local map, message = write_parameters(parameters, typed_body)
    if not map then return nil, message end
    parts[1] = '"parameters":' .. map
  end
  local configuration, note = {}, nil
  if compute then
    configuration, note = read_configuration(compute)
    if not configuration then return nil, note end
  end
  if next(configuration) ~= nil then
    parts[#parts + 1] = '"configuration":' .. assert(core.encode_json(configuration))
  end
  if #parts == 0 then return "", note end
  return '{"executionData":{' .. table.concat(parts, ",") .. "}}", note
end

return M
