--- Parameters as they are sent: typed, sorted by name, checked by the encoder. Pure.

local core = require "luafabric.core"
local json = require "luafabric.json"
local run_body = require "luafabric.client.run_body"
local types = require "luafabric.types"
local value_module = require "luafabric.workflow.value"

local M = {}

--- The typed value of a plain one; a table becomes its JSON text.
---@param value any
---@return luafabric.Typed|nil typed
---@return string|nil message
function M.typed(value)
  if value_module.is(value) then return value_module.typed(value) end
  if type(value) == "table" and not types.is(value) then
    local text, message = json.encode(value)
    if not text then return nil, message end
    return types.unchecked("Text", text)
  end
  return types.of(value)
end

---@param map table<string, any>
---@return string[] names
function M.sorted_names(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function named(message, list)
  return (message:gsub("parameters%[(%d+)%]", function(index)
    local entry = list[tonumber(index)]
    return entry and "parameters." .. tostring(entry.name) or nil
  end))
end

-- A message without secrets. It quotes a value whole, cut short or with signs replaced, so that no
-- quoted value is shown at all where a secret is in the body.
local function hide(message, masks)
  for _, text in ipairs(masks) do
    message = message:gsub('".*"', "***")
    local number = tonumber(text)
    message = message:gsub("%-?%d[%w%.%+%-]*", function(word)
      return number and tonumber(word) == number and "***" or nil
    end)
  end
  return message
end

--- The body of a run.
---@param list { name: string, type: string, value: any }[]|nil
---@param compute table|nil
---@return string|nil text
---@return string[]|string warnings  or the message
function M.encode(list, compute)
  list = list or {}
  local text, warnings = core.encode_run { executionData = compute,
    parameters = #list > 0 and list or nil }
  if not text then return nil, named(warnings, list) end
  for index, warning in ipairs(warnings) do warnings[index] = named(warning, list) end
  return text, warnings
end

--- Whether Fabric's model takes the body.
---@param list table[]
---@param compute table|nil
---@param masks string[]  the secrets in them, which are shown as ***
---@return string[]|nil warnings
---@return string|nil message
function M.check_body(list, compute, masks)
  if #list == 0 and compute == nil then return {} end
  local ok, body = pcall(run_body.build, { parameters = list, compute = compute }, "typed", -1)
  if not ok then return nil, hide(named(tostring(body), list), masks) end
  for index, warning in ipairs(body.warnings) do
    body.warnings[index] = hide(named(warning, list), masks)
  end
  return body.warnings
end

return M
