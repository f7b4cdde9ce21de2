--- An input that Lua has no type for (DateTime, Guid, …): it is sent as that type, and otherwise
--- behaves like its text: `..`, `tostring`, `<`, and the methods of strings (`day:sub(1, 10)`).
--- Compare it by `tostring(day) == "…"`: Lua's == is false between different types. Pure.

local types = require "luafabric.types"

local M = {}

local Value = { __name = "luafabric.value" }

local function text_of(value)
  if M.is(value) then return rawget(value, "value") end
  return value
end

function Value.__index(_, name)
  local method = string[name]
  if type(method) ~= "function" then return nil end
  return function(value, ...) return method(text_of(value), ...) end
end

function Value:__tostring() return rawget(self, "value") end

function Value.__concat(a, b)
  return text_of(a) .. text_of(b) -- a reference or a secret on the other side joins by its own rule
end

function Value.__len(a) return #text_of(a) end
function Value.__lt(a, b) return text_of(a) < text_of(b) end
function Value.__le(a, b) return text_of(a) <= text_of(b) end
function Value.__eq(a, b) return text_of(a) == text_of(b) end

---@param type_name string  one of types.names
---@param text string
function M.new(type_name, text)
  return setmetatable({ type = type_name, value = text }, Value)
end

---@param value any
---@return boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == Value
end

--- The same as a typed value that is sent.
---@return luafabric.Typed
function M.typed(value)
  return types.unchecked(rawget(value, "type"), rawget(value, "value"))
end

return M
