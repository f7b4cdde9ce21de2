--- The workflow that runs one notebook: what somebody who asks for a single run gets, so that it is
--- as durable as any. It is built from what was asked, which is JSON, and from the same once more
--- when the run is taken up again. Pure.

local core = require "luafabric.core"
local duration = require "luafabric.duration"
local errors = require "luafabric.errors"
local json = require "luafabric.json"
local mistake = require "luafabric.workflow.mistake"
local nearest = require "luafabric.nearest"
local types = require "luafabric.types"
local workflow = require "luafabric.workflow"

local M = {}

--- The name of its only step.
M.STEP = "run"

---@class luafabric.NotebookRequest  what can be asked; null is nothing
---@field workspace string   name or id
---@field notebook string    name or id
---@field parameters table|nil  name -> a value, or { type =, value = }; or a list of { name =,
---  type =, value = }; the type may be left out where the value says it
---@field compute table|nil  { compute = "Spark", computeConfiguration = { … } }, as Fabric has it
---@field timeout number|string|nil  from acceptance to end; then the run is cancelled
---@field exclusive boolean|nil      nobody else runs the notebook
---@field tag boolean|nil            false: no tag in the name of its session
---@field exit_value boolean|nil     false: it is not read

local known = { workspace = true, notebook = true, parameters = true, compute = true,
  timeout = true, exclusive = true, tag = true, exit_value = true }

local known_entry = { name = true, type = true, value = true }

local function is_map(value)
  return type(value) == "table" and (next(value) == nil or value[1] == nil)
end

-- Raises without a place: the message is for the one who asked.
local function refuse(message, ...)
  error(message:format(...), 0)
end

local function check_known(given, fields, path)
  for name in pairs(given) do
    if not fields[name] then
      local names = {}
      for field in pairs(fields) do names[#names + 1] = field end
      local near = nearest.find(tostring(name), names, 1)[1]
      refuse("%s%s: unknown field%s", path, tostring(name),
        near and (", did you mean %s?"):format(near) or "")
    end
  end
end

-- ---- parameters ----

local function read_typed(path, type_name, value)
  if value == nil or value == json.null then refuse("%s: a value is required", path) end
  if type_name == nil then
    local typed, message = types.of(value)
    return typed or refuse("%s: %s", path, message)
  end
  local is_type = false
  for _, name in ipairs(types.names) do is_type = is_type or name == type_name end
  if is_type then return types.unchecked(type_name, value) end
  refuse("%s: its type is not one of %s", path, table.concat(types.names, ", "))
end

local function read_map(given)
  local list = {}
  for name, value in pairs(given) do
    local path, type_name = "parameters." .. name, nil
    if type(value) == "table" and value ~= json.null then
      if not is_map(value) then refuse("%s: a list is not a parameter value", path) end
      check_known(value, { type = true, value = true }, path .. ".")
      type_name, value = value.type, value.value
    end
    list[#list + 1] = { name = name, path = path, typed = read_typed(path, type_name, value) }
  end
  return list
end

local function read_list(given)
  local list, seen = {}, {}
  for index, entry in ipairs(given) do
    local path = ("parameters[%d]"):format(index)
    if not is_map(entry) then refuse("%s: expected { name, type, value }", path) end
    check_known(entry, known_entry, path .. ".")
    local name = entry.name
    if type(name) ~= "string" or name == "" then refuse("%s.name: expected a text", path) end
    if seen[name] then refuse("%s.name: there is another parameter %s", path, name) end
    seen[name] = true
    list[index] = { name = name, path = path .. ".value",
      typed = read_typed(path .. ".value", entry.type, entry.value) }
  end
  return list
end

--- In the order of their names, each checked.
local function read_parameters(given)
  if given == nil then return {} end
  if type(given) ~= "table" then refuse("parameters: expected an object") end
  local list = is_map(given) and read_map(given) or read_list(given)
  table.sort(list, function(a, b) return a.name < b.name end)
  for _, entry in ipairs(list) do
    local _, message = core.encode_run { parameters = { { name = entry.name,
      type = entry.typed.type, value = entry.typed.value } } }
    if type(message) == "string" then
      refuse("%s: %s", entry.path, (message:gsub("^parameters%[1%]%.?%w*: ", "")))
    end
  end
  return list
end

-- ---- the other fields ----

local function read_name(given, field)
  local value = given[field]
  if type(value) == "string" and value ~= "" and not value:find("%c") then return value end
  refuse("%s: expected a name or an id", field)
end

local function read_compute(given)
  if given == nil then return nil end
  if not is_map(given) then
    refuse("compute: expected an object such as { \"compute\": \"Spark\" }")
  end
  local text, message = core.encode_run { executionData = given }
  if not text then refuse("%s", (message:gsub("^executionData", "compute"))) end
  return given
end

local function read_timeout(given)
  if given == nil then return nil end
  local seconds, message = duration.parse(given)
  if seconds == 0 then message = "must be more than 0" end
  if message then refuse("timeout: %s", message) end
  return seconds
end

local function read_booleans(given)
  for _, field in ipairs { "exclusive", "tag", "exit_value" } do
    local value = given[field]
    if value ~= nil and type(value) ~= "boolean" then
      refuse("%s: expected true or false", field)
    end
  end
end

local function without_nulls(given)
  if not is_map(given) then refuse("expected an object with workspace and notebook") end
  local own = {}
  for name, value in pairs(given) do
    if value ~= json.null then own[name] = value end
  end
  return own
end

local function read(given)
  given = without_nulls(given)
  check_known(given, known, "")
  read_booleans(given)
  return { workspace = read_name(given, "workspace"), notebook = read_name(given, "notebook"),
    parameters = read_parameters(given.parameters), compute = read_compute(given.compute),
    timeout = read_timeout(given.timeout), exclusive = given.exclusive, tag = given.tag,
    exit_value = given.exit_value }
end

local function checked(given)
  local ok, request = pcall(read, given)
  if ok then return request end
  if type(request) ~= "string" then error(request, 0) end
  return nil, errors.new { kind = "usage", message = request }
end

-- ---- what is made of it ----

--- The workflow of a request, which has no inputs.
---@param given luafabric.NotebookRequest
---@return luafabric.Definition|nil definition  its name is "WORKSPACE/NOTEBOOK"
---@return luafabric.Error|nil err  kind "usage": the message begins with the path of the field
function M.new(given)
  local request, err = checked(given)
  if not request then return nil, err end
  local parameters = {}
  for _, entry in ipairs(request.parameters) do parameters[entry.name] = entry.typed end
  local name = ("%s/%s"):format(request.workspace, request.notebook)
  local definition = workflow.new(name, {}, function(flow)
    mistake.at("the request", flow.notebook, flow, M.STEP, { workspace = request.workspace,
      notebook = request.notebook, parameters = parameters, compute = request.compute,
      timeout = request.timeout, exclusive = request.exclusive, tag = request.tag })
  end)
  definition.file = nil -- it comes from no file, least of all from this one
  return definition
end

--- What makes two requests the same: the notebook, its parameters and compute, as a fingerprint.
---@param given luafabric.NotebookRequest
---@param fingerprint_key string  16 bytes, of the store
---@return string|nil key
---@return luafabric.Error|nil err
function M.key(given, fingerprint_key)
  local request, err = checked(given)
  if not request then return nil, err end
  local list = {}
  for index, entry in ipairs(request.parameters) do
    list[index] = { entry.name, entry.typed.type, entry.typed.value }
  end
  local text = assert(json.encode { parameters = json.array(list), compute = request.compute })
  return ("%s/%s %s"):format(request.workspace, request.notebook,
    core.fingerprint(fingerprint_key, text))
end

return M
