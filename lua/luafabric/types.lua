--- The eight parameter types of a Fabric job (Microsoft's common/job_scheduling.json,
--- ItemJobParameterType). Plain Lua values are typed by themselves; these say it explicitly. A
--- typed value is { type = …, value = … }; whether the value fits is checked when the request is
--- built, by the encoder in luafabric.core, and by `parse` for the command line.

local core = require "luafabric.core"

local M = {}

local Typed = {}
Typed.__index = Typed
Typed.__name = "luafabric.typed"

function Typed:__tostring()
  return ("%s %s"):format(self.type, tostring(self.value))
end

--- The names, as they go on the wire.
M.names = {
  "Text", "Integer", "Number", "Boolean", "DateTime", "Guid", "VariableReference", "Automatic",
}

local function typed(type_name, value)
  return setmetatable({ type = type_name, value = value }, Typed)
end

---@class luafabric.Typed
---@field type string  one of `types.names`
---@field value any

-- What the encoder says about one value, without the place it names.
local function check(type_name, value)
  local encoded, message = core.encode_run {
    parameters = { { name = "p", type = type_name, value = value } },
  }
  if encoded then return true end
  return nil, (message:gsub("^parameters%[1%]%.value: ", ""))
end

local function constructor(type_name)
  return function(value)
    local ok, message = check(type_name, value)
    if not ok then error("types: " .. message, 2) end
    return typed(type_name, value)
  end
end

---@type fun(value: string): luafabric.Typed
M.text = constructor "Text"
--- A whole number; its digits as text where Lua has no exact integer ("9007199254740993").
---@type fun(value: integer|string): luafabric.Typed
M.integer = constructor "Integer"
--- Digits given as text are sent as they are.
---@type fun(value: number|string): luafabric.Typed
M.number = constructor "Number"
---@type fun(value: boolean): luafabric.Typed
M.boolean = constructor "Boolean"
--- A UTC time in whole seconds, "2026-11-23T00:00:00Z".
---@type fun(value: string): luafabric.Typed
M.datetime = constructor "DateTime"
---@type fun(value: string): luafabric.Typed
M.guid = constructor "Guid"
--- "$(/**/library/variable)"
---@type fun(value: string): luafabric.Typed
M.variable_reference = constructor "VariableReference"
--- Any JSON value; Fabric decides.
---@type fun(value: any): luafabric.Typed
M.automatic = constructor "Automatic"

---@param value any
---@return boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == Typed
end

local function is_whole(value)
  if math.type then return math.type(value) == "integer" end
  return value % 1 == 0 and value >= -9007199254740992 and value <= 9007199254740992
end

--- The typed value a plain Lua value stands for: string Text, whole number Integer, other number
--- Number, boolean Boolean. Where Lua has integers, 1.0 is a Number; elsewhere it is an Integer.
---@param value any
---@return luafabric.Typed|nil typed
---@return string|nil message  what cannot be a parameter
function M.of(value)
  if M.is(value) then return value end
  local kind = type(value)
  if kind == "string" then return typed("Text", value) end
  if kind == "boolean" then return typed("Boolean", value) end
  if kind == "number" then return typed(is_whole(value) and "Integer" or "Number", value) end
  if value == core.null then return nil, "null is not a value Fabric can bind" end
  return nil, ("a %s is not a parameter value; JSON text, or types.automatic, can carry a table")
    :format(kind)
end

local from_text = {
  Boolean = function(text)
    if text == "true" then return true end
    if text == "false" then return false end
    return nil, ('"%s" is not a value for Boolean, which takes true or false'):format(text)
  end,
  Automatic = function(text)
    local json = require "luafabric.json"
    local value, message = json.decode(text)
    if value == nil then return nil, "Automatic takes JSON; " .. message end
    return value
  end,
}

local function leading_zeros(type_name, text)
  if type_name ~= "Integer" and type_name ~= "Number" then return nil end
  local digits = text:match("^%-?0+(%d+)$")
  local sign = digits ~= "0" and text:match("^%-") or ""
  return digits and ("; write %s, or use Text"):format(sign .. digits)
end

--- A typed value from the text of a command line. The text is checked, never rewritten.
---@param type_name string  one of `types.names`, spelled exactly
---@param text string
---@return luafabric.Typed|nil typed
---@return string|nil message
function M.parse(type_name, text)
  local value, message = text
  if from_text[type_name] then
    value, message = from_text[type_name](text)
    if value == nil then return nil, message end
  end
  local ok
  ok, message = check(type_name, value)
  if not ok then return nil, message .. (leading_zeros(type_name, text) or "") end
  return typed(type_name, value)
end

--- A typed value without a check, for values that others have checked or that are checked later.
---@param type_name string
---@param value any
---@return luafabric.Typed
function M.unchecked(type_name, value)
  return typed(type_name, value)
end

return M
