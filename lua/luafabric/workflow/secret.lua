--- Values that are sent to Fabric and shown nowhere: a password, a key. A secret is shown as `***`,
--- and its value comes out by `reveal` alone. Pure.

local core = require "luafabric.core"
local mistake = require "luafabric.workflow.mistake"
local types = require "luafabric.types"

local M = {}

local MASK = "***"

--- Bytes. Shorter ones would be found everywhere in what others say, and are not looked for.
M.SHORTEST = 4

local Secret = {}
Secret.__name = "luafabric.secret"

-- Secret -> value. Not a field, so that printing, copying or encoding the object shows nothing.
local values = setmetatable({}, { __mode = "k" })

local function plain_text(value)
  if types.is(value) then value = value.value end
  if type(value) == "string" then return value end
  return assert(core.encode_json(value)) -- numbers in any locale
end

--- Wraps a value; a secret stays itself. Raises for what cannot be a parameter.
---@param value string|number|boolean|luafabric.Typed|luafabric.Secret
---@return luafabric.Secret
function M.new(value)
  if M.is(value) then return value end
  local typed, message = types.of(value)
  if not typed then error("secret: " .. (value == nil and "a value is needed" or message), 2) end
  local encoded, problem = core.encode_json(typed.value)
  if not encoded then error("secret: " .. problem, 2) end
  local secret = setmetatable({}, Secret)
  values[secret] = value
  return secret
end

---@param value any
---@return boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == Secret
end

--- The value itself, for the request to Fabric and for nothing else.
---@param secret luafabric.Secret
---@return string|number|boolean|luafabric.Typed
function M.reveal(secret)
  return values[secret]
end

--- The value as the text that must not be seen anywhere, for whoever masks what others wrote.
---@param secret luafabric.Secret
---@return string
function M.text(secret)
  return plain_text(values[secret])
end

--- What is shown in the place of any.
M.MASK = MASK

-- ---- what Lua may do with one ----

-- A text made of it is no secret any more, and is refused in every field.
function Secret.__tostring()
  return mistake.marker(MASK)
end

--- Text with a secret in it is a secret. What is neither text nor a secret, such as a reference to
--- a step's exit value, knows by itself what to do.
function Secret.__concat(a, b)
  local parts = { a, b }
  for index = 1, 2 do
    local part = parts[index]
    local meta = type(part) == "table" and getmetatable(part)
    if M.is(part) then
      parts[index] = plain_text(values[part])
    elseif type(meta) == "table" and meta.__concat then
      return meta.__concat(a, b)
    elseif type(part) ~= "string" and type(part) ~= "number" then
      error(("a secret cannot be joined with a %s"):format(type(part)), 2)
    end
  end
  return M.new(parts[1] .. parts[2])
end

function Secret.__eq(a, b)
  return values[a] == values[b]
end

local function forbid(sentence)
  return function() error(sentence, 2) end
end

local calculation = "a secret cannot be calculated with: compute in the notebook, or give the "
  .. "result as the secret"
for _, name in ipairs { "__add", "__sub", "__mul", "__div", "__mod", "__pow", "__unm", "__idiv",
  "__band", "__bor", "__bxor", "__shl", "__shr", "__bnot" } do
  Secret[name] = forbid(calculation)
end

local comparison = "a secret cannot be compared: the order of steps must not depend on it"
Secret.__lt, Secret.__le = forbid(comparison), forbid(comparison)
Secret.__len = forbid "a secret does not tell its length"
Secret.__call = forbid "a secret is a value, not a function"
Secret.__newindex = forbid "a secret cannot be changed: make a new one with fabric.secret(value)"

function Secret.__index(_, field)
  error(("a secret has no field '%s': it can be a parameter's value and be joined to text with .."
    .. ", and nothing else"):format(tostring(field)), 2)
end

---@class luafabric.Secret

return M
