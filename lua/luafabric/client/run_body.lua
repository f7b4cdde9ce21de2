--- The body of a submission from what the user wrote: parameters as a map or a list, compute,
--- route. Wrong values raise here, before anything is sent, naming the field as the user wrote it.
--- Pure.

local core = require "luafabric.core"
local types = require "luafabric.types"

local M = {}

local function sorted_names(map)
  local names = {}
  for name in pairs(map) do
    if type(name) ~= "string" then
      return nil, ("parameters: expected a table of names and values, or a list of { name =, "
        .. "type =, value = }; found the key %s"):format(tostring(name))
    end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function read_map(map)
  local names, message = sorted_names(map)
  if not names then return nil, message end
  local list = {}
  for index, name in ipairs(names) do
    local typed
    typed, message = types.of(map[name])
    if not typed then return nil, ("parameters.%s: %s"):format(name, message) end
    list[index] = { name = name, type = typed.type, value = typed.value }
  end
  return list, nil, names
end

--- An entry without a type is typed by its value, as in a map.
local function read_list(given)
  local list = {}
  for index, entry in ipairs(given) do
    local path = ("parameters[%d]"):format(index)
    if type(entry) ~= "table" or types.is(entry) then
      return nil, path .. ": expected { name =, type =, value = }"
    end
    local own = {}
    for name, value in pairs(entry) do own[name] = value end
    if own.type == nil and own.value ~= nil then
      local typed, message = types.of(own.value)
      if not typed then return nil, ("%s.value: %s"):format(path, message) end
      own.type, own.value = typed.type, typed.value
    end
    list[index] = own
  end
  for key in pairs(given) do
    if type(key) ~= "number" or key < 1 or key > #list or key % 1 ~= 0 then
      return nil, "parameters: expected a list, found the key " .. tostring(key) .. " in it"
    end
  end
  return list
end

local function read_parameters(given)
  if given == nil then return {} end
  if type(given) ~= "table" or types.is(given) then
    return nil, "parameters: expected a table, got a " .. type(given)
  end
  if given[1] ~= nil then return read_list(given) end
  return read_map(given)
end

--- "parameters[2].value: …" in the user's words, where there was a map of names.
local function by_name(message, names)
  if not names then return message end
  return (message:gsub("parameters%[(%d+)%]", function(index)
    return "parameters." .. tostring(names[tonumber(index)])
  end))
end

--- The body and what is to be said about it. Raises for what is wrong.
---@param given { parameters: table|nil, compute: table|nil }
---@param route "typed"|"generic"
---@param level integer  as for `error`, seen from the caller
---@return { text: string|nil, warnings: string[], workspace_id: string|nil } body
---        text: nil when there is nothing to say; workspace_id: of the environment, where the older
---        body can name it only if the notebook is in the same workspace
function M.build(given, route, level)
  local compute = given.compute
  if compute ~= nil and type(compute) ~= "table" then
    error(("compute: expected fabric.spark { … } or the like, got a %s"):format(type(compute)),
      level + 1)
  end
  local list, message, names = read_parameters(given.parameters)
  if not list then error(message, level + 1) end
  if #list == 0 and not compute then return { warnings = {} } end
  local text, warnings = core.encode_run { executionData = compute,
    parameters = #list > 0 and list or nil }
  if not text then error(by_name(warnings, names), level + 1) end
  for index, warning in ipairs(warnings) do warnings[index] = by_name(warning, names) end
  if route ~= "generic" then return { text = text, warnings = warnings } end
  local older, note = require("luafabric.api.older_run").encode(compute, list, text)
  if not older then error(by_name(note, names), level + 1) end
  return { text = older ~= "" and older or nil, warnings = warnings, workspace_id = note }
end

return M
