--- The inputs of a workflow: declared by flow:input, given by whoever runs it, converted to the
--- declared type, and handed to the user's function as plain Lua values. Pure.

local json = require "luafabric.json"
local mistake = require "luafabric.workflow.mistake"
local ordered = require "luafabric.workflow.ordered"
local reference = require "luafabric.workflow.reference"
local secret = require "luafabric.workflow.secret"
local types = require "luafabric.types"
local value_module = require "luafabric.workflow.value"

local M = {}

local known = { type = true, default = true, description = true, secret = true }

local known_types = {}
for _, name in ipairs(types.names) do known_types[name] = true end

local constructors = {
  Text = types.text, Integer = types.integer, Number = types.number, Boolean = types.boolean,
  DateTime = types.datetime, Guid = types.guid, VariableReference = types.variable_reference,
  Automatic = types.automatic,
}

-- What stands for an input that is missing, so that the function can go on to the next one.
local samples = {
  Text = "2024-01", Integer = 1, Number = 1, Boolean = false, DateTime = "2024-01-01T00:00:00Z",
  Guid = "00000000-0000-0000-0000-000000000000", VariableReference = "$(/**/library/variable)",
  Automatic = "text",
}

local function construct(type_name, value)
  local ok, result = pcall(constructors[type_name], value)
  if ok then return result end
  return nil, (tostring(result):gsub("^.-types: ", ""))
end

--- A value of the declared type from what was given: text, a typed or a plain value.
---@param type_name string
---@param given any
---@return luafabric.Typed|nil typed
---@return string|nil message
function M.convert(type_name, given)
  if secret.is(given) then given = secret.reveal(given) end
  if value_module.is(given) then given = value_module.typed(given) end
  if types.is(given) and given.type ~= type_name then
    local numeric = given.type == "Integer" and type_name == "Number"
    if given.type ~= "Text" and not numeric and type_name ~= "Automatic" then
      return nil, ("expected %s, got %s"):format(type_name, given.type)
    end
    given = given.value
  end
  if types.is(given) then given = given.value end
  if reference.is(given) then return nil, "expected a value, got a reference" end
  if type(given) == "string" then return types.parse(type_name, given) end
  return construct(type_name, given)
end

-- Digits as the number they are, where this Lua can hold it exactly.
local function to_number(typed)
  local value = typed.value
  if type(value) ~= "string" then return value end
  local number = json.decode(value)
  if typed.type == "Number" then return number or tonumber(value) end
  local integer = math.tointeger and math.tointeger(tonumber(value))
  if integer then return integer end
  if number and number > -9007199254740992 and number < 9007199254740992 then return number end
  return typed
end

-- In Lua 5.3 and later 1.0 stays apart from 1, so that it is sent as a Number.
local function to_float(number)
  if type(number) == "number" and math.type then return number + 0.0 end
  return number
end

--- What the user's function computes with. Text, Boolean and numbers are Lua's own; DateTime, Guid
--- and VariableReference behave like their text and are sent as what they are; an Automatic is a
--- typed value, and so is an Integer that this Lua cannot hold exactly.
---@param typed luafabric.Typed
---@return any
function M.to_lua(typed)
  local name = typed.type
  if name == "Text" or name == "Boolean" then return typed.value end
  if name == "Integer" then return to_number(typed) end
  if name == "Number" then return to_float(to_number(typed)) end
  if name == "Automatic" then return typed end
  return value_module.new(name, typed.value)
end

-- What other languages call the types.
local aliases = { string = "Text", str = "Text", int = "Integer", float = "Number",
  double = "Number", bool = "Boolean", date = "DateTime", time = "DateTime", uuid = "Guid" }

local function suggest_type(given)
  local alias = type(given) == "string" and aliases[given:lower()]
  if alias then return (", did you mean %s?"):format(alias) end
  return mistake.suggest(given, known_types)
end

local function refuse(entry, message)
  mistake.raise(entry.place, ('input "%s": %s'):format(entry.name, message))
end

local function check_options(entry, options)
  if options == nil then return {} end
  if type(options) ~= "table" or reference.is(options) then
    refuse(entry, "expected a table such as { type = \"DateTime\" }, got " .. mistake.show(options))
  end
  for name in ordered.pairs(options) do
    if not known[name] then
      refuse(entry, ("%s: unknown field%s"):format(tostring(name), mistake.suggest(name, known)))
    end
  end
  return options
end

local function check_name(state, name, place)
  if type(name) ~= "string" or not name:find("^[^%c=:]+$") then
    mistake.raise(place, ("flow:input: expected a name, as in flow:input(\"day\"), got %s"):format(
      mistake.show(name)))
  end
  local other = state.inputs_by_name[name]
  if other then
    mistake.raise(place, ("two inputs are named \"%s\"; the other is at %s"):format(name,
      other.place))
  end
end

-- The message of a secret's value may quote it.
local function refuse_value(entry, context, message)
  if entry.secret then message = "its value is no " .. entry.type end
  refuse(entry, context .. message)
end

local function read_default(entry, options)
  local typed, message = M.convert(entry.type, options.default)
  if typed then
    entry.default = typed
    return
  end
  local own = type(options.default) ~= "table" and types.of(options.default)
  if own and options.type == nil then
    refuse(entry, ("default: %s is no Text: say type = \"%s\""):format(tostring(options.default),
      own.type))
  end
  refuse_value(entry, "default: ", message)
end

local function read_declaration(entry, options)
  options = check_options(entry, options)
  entry.type = options.type or "Text"
  if not known_types[entry.type] then
    refuse(entry, ("type: %s is none of %s%s"):format(mistake.show(entry.type),
      table.concat(types.names, ", "), suggest_type(entry.type)))
  end
  if options.description ~= nil and type(options.description) ~= "string" then
    refuse(entry, "description: expected a text, got " .. mistake.show(options.description))
  end
  if options.secret ~= nil and type(options.secret) ~= "boolean" then
    refuse(entry, "secret: expected true or false, got " .. mistake.show(options.secret))
  end
  entry.description = options.description
  entry.secret = options.secret == true or secret.is(options.default)
  if options.default ~= nil then read_default(entry, options) end
end

local function shown(entry, typed)
  if entry.secret then return "***" end
  return typed.value
end

local function take_value(state, entry)
  local given = state.inputs_given[entry.name]
  if given == nil then
    entry.is_default = entry.default ~= nil
    if entry.default then return entry.default end
    state.missing[#state.missing + 1] = entry
    return types.unchecked(entry.type, samples[entry.type])
  end
  entry.secret = entry.secret or secret.is(given)
  local typed, message = M.convert(entry.type, given)
  if typed then return typed end
  refuse_value(entry, "", message)
end

--- Declares an input and gives its value.
---@param state table  the flow's
---@param name string
---@param options table|nil
---@param place string
---@return any value
function M.declare(state, name, options, place)
  check_name(state, name, place)
  local entry = { name = name, place = place }
  state.inputs_by_name[name] = entry
  state.inputs[#state.inputs + 1] = entry
  read_declaration(entry, options)
  local typed = take_value(state, entry)
  entry.shown = shown(entry, typed)
  local value = M.to_lua(typed)
  if not entry.secret then return value end
  entry.held = secret.new(value_module.is(value) and typed or value)
  return entry.held
end

--- What is declared, for help and for the command line.
---@param state table
---@return table[] declared  name, type, default, description, secret, required
function M.declared(state)
  local list = {}
  for index, entry in ipairs(state.inputs) do
    list[index] = { name = entry.name, type = entry.type, description = entry.description,
      secret = entry.secret, required = entry.default == nil }
    if entry.default then list[index].default = shown(entry, entry.default) end
  end
  return list
end

local function missing_sentence(missing)
  local names, hints = {}, {}
  for index, entry in ipairs(missing) do
    names[index] = ("%s (%s)"):format(entry.name, entry.type)
    hints[index] = entry.secret and ("--parameter-env %s=VARIABLE"):format(entry.name)
      or ("-P %s=…"):format(entry.name)
  end
  return ("missing input%s: %s: give %s"):format(#missing > 1 and "s" or "",
    table.concat(names, ", "), table.concat(hints, " "))
end

--- What is wrong between the inputs given and those declared, in one sentence.
---@param state table
---@param is_cut boolean  the function raised: what it would have declared later is not known
---@return string|nil message
function M.check(state, is_cut)
  local sentences = {}
  if #state.missing > 0 then sentences[1] = missing_sentence(state.missing) end
  if is_cut then return sentences[1] end
  local unknown = {}
  for name in pairs(state.inputs_given) do
    if not state.inputs_by_name[name] then unknown[#unknown + 1] = name end
  end
  table.sort(unknown, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(unknown) do
    local hint = mistake.suggest(name, state.inputs_by_name)
    if hint == "" and #state.inputs == 0 then hint = ", which has none" end
    sentences[#sentences + 1] = ("%s is no input of \"%s\"%s"):format(mistake.show(name),
      state.name, hint)
  end
  if #sentences == 0 then return nil end
  return table.concat(sentences, "; ")
end

return M
