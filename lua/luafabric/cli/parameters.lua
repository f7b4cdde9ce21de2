-- A run's parameters from the command line and from files. What the user wrote is checked and
-- typed, never rewritten: without a type it is Text, and the exact digits of a file's numbers go
-- out.

local json = require "luafabric.json"
local types = require "luafabric.types"

local M = {}

local known = {}
for _, name in ipairs(types.names) do known[name] = true end

-- What looks like another type is still sent as Text; the user is told once how to say otherwise.
local function hint(name, value)
  if value == "true" or value == "false" then
    return ("%s is sent as Text; for a Boolean write %s:Boolean=%s"):format(name, name, value)
  end
  if value:find("^%-?%d+$") then
    return ("%s is sent as Text; for an Integer write %s:Integer=%s"):format(name, name, value)
  end
  if value:find("^%-?%d+%.%d+$") then
    return ("%s is sent as Text; for a Number write %s:Number=%s"):format(name, name, value)
  end
  return nil
end

--- One -P argument, "name=value" or "name:Type=value": cut at the first "=", and the suffix counts
--- only if it is one of the eight types.
---@param argument string
---@return string|nil name
---@return luafabric.Typed|string typed  or the message
---@return string|nil hint
function M.parse(argument)
  local left, value = argument:match("^([^=]*)=(.*)$")
  if not left then
    return nil, ("-P %s: expected name=value or name:Type=value"):format(argument)
  end
  local name, suffix = left:match("^(.*):(%a+)$")
  local type_name = suffix and known[suffix] and suffix or nil
  if not type_name then name = left end
  if name == "" then return nil, ("-P %s: the name is empty"):format(argument) end
  local typed, message = types.parse(type_name or "Text", value)
  if not typed then return nil, ("-P %s: %s"):format(argument, message) end
  return name, typed, not type_name and hint(name, value) or nil
end

--- The text of a file, or of standard input for "-".
---@param path string
---@param option string  for the message
---@return string|nil text
---@return string|nil message
function M.read_file(path, option)
  if path == "-" then return io.read("*a") end
  local file, message = io.open(path, "rb")
  if not file then return nil, ("%s: %s"):format(option, message) end
  local text, problem = file:read("*a")
  file:close()
  if not text then return nil, ("%s: %s: %s"):format(option, path, tostring(problem)) end
  return text
end

-- A number of the file, with the digits it has there.
local function typed_number(slice)
  local whole = slice:find("^%-?%d+$") ~= nil
  return types.parse(whole and "Integer" or "Number", slice)
end

local function typed_plain(value, slice)
  if type(value) == "number" then return typed_number(slice) end
  return types.of(value)
end

local function typed_explicit(entry, text, step)
  if type(entry.type) ~= "string" then return nil, "its type is missing" end
  if entry.value == nil or entry.value == json.null then return nil, "its value is missing" end
  for field in pairs(entry) do
    if field ~= "name" and field ~= "type" and field ~= "value" then
      return nil, ("'%s' is not one of name, type, value"):format(field)
    end
  end
  if type(entry.value) ~= "number" then return types.unchecked(entry.type, entry.value) end
  local slice = assert(json.slice(text, step, "value"))
  if entry.type == "Integer" or entry.type == "Number" then
    return types.parse(entry.type, slice)
  end
  return types.unchecked(entry.type, entry.value)
end

local function read_list(list, text)
  local found = {}
  for index, entry in ipairs(list) do
    if type(entry) ~= "table" or type(entry.name) ~= "string" then
      return nil, ("entry %d has no name"):format(index)
    end
    local typed, message = typed_explicit(entry, text, index)
    if not typed then return nil, ("%s: %s"):format(entry.name, message) end
    found[#found + 1] = { name = entry.name, typed = typed }
  end
  return found
end

local function read_object(object, text)
  local found = {}
  for name, value in pairs(object) do
    local typed, message
    if type(value) == "table" and value.type ~= nil then
      typed, message = typed_explicit(value, text, name)
    else
      typed, message = typed_plain(value, assert(json.slice(text, name)))
    end
    if not typed then return nil, ("%s: %s"):format(name, message) end
    found[#found + 1] = { name = name, typed = typed }
  end
  table.sort(found, function(a, b) return a.name < b.name end)
  return found
end

--- The parameters of a JSON text: { "name": value }, { "name": { "type": …, "value": … } } or
--- [ { "name": …, "type": …, "value": … } ].
---@param text string
---@return { name: string, typed: luafabric.Typed }[]|nil list
---@return string|nil message
function M.read_json(text)
  local value, message = json.decode(text)
  if value == nil then return nil, message end
  if type(value) ~= "table" or value == json.null then
    return nil, "expected an object of names and values, or a list of parameters"
  end
  if #value > 0 then return read_list(value, text) end
  return read_object(value, text)
end

local function add(list, seen, name, typed, source)
  local key = name:lower()
  if seen[key] and seen[key].source == source then
    return nil, ("%s: the parameter '%s' is there twice; letter case does not count")
      :format(source, name)
  end
  if seen[key] then
    seen[key].name, seen[key].type, seen[key].value = name, typed.type, typed.value
    seen[key].source = source
    return true
  end
  local entry = { name = name, type = typed.type, value = typed.value, source = source }
  seen[key] = entry
  list[#list + 1] = entry
  return true
end

--- All parameters of a command line. -P wins over --params.
---@param given { parameter: string[]|nil, params: string|nil }
---@return table[]|nil list  { name, type, value } each, for the client
---@return string|nil message
---@return string[]|nil hints
function M.collect(given)
  local list, seen, hints = {}, {}, {}
  if given.params then
    local text, message = M.read_file(given.params, "--params")
    if not text then return nil, message end
    local found
    found, message = M.read_json(text)
    if not found then return nil, ("--params %s: %s"):format(given.params, message) end
    for _, entry in ipairs(found) do
      local ok
      ok, message = add(list, seen, entry.name, entry.typed, "--params")
      if not ok then return nil, message end
    end
  end
  for _, argument in ipairs(given.parameter or {}) do
    local name, typed, tip = M.parse(argument)
    if not name then return nil, typed end
    local ok, message = add(list, seen, name, typed, "-P")
    if not ok then return nil, message end
    hints[#hints + 1] = tip
  end
  for _, entry in ipairs(list) do entry.source = nil end
  return list, nil, hints
end

return M
