--- What the views of a plan share: names, placeholders and the requests of its steps. Pure.

local json = require "luafabric.json"
local reference = require "luafabric.workflow.reference"
local request = require "luafabric.workflow.request"
local types = require "luafabric.types"

local M = {}

--- The names of steps.
---@param steps luafabric.workflow.Step[]
---@return string[]
function M.names_of(steps)
  local names = {}
  for index, step in ipairs(steps) do names[index] = step.name end
  return names
end

--- A value of a plan for a reader: references as placeholders, what depends on the item so.
---@param value any
---@return string
function M.shown(value)
  if reference.is(value) then return reference.placeholder(value) end
  if type(value) == "function" then return "by item" end
  if types.is(value) then value = value.value end
  if type(value) == "table" and not getmetatable(value) then
    return json.encode(value) or tostring(value)
  end
  return tostring(value)
end

---@param map table|nil
---@return string[] keys
function M.sorted_keys(map)
  local keys = {}
  for key in pairs(map or {}) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

--- The items of an `each` whose list is known.
---@param step luafabric.workflow.Step
---@return table[]|nil items  { label, item }
---@return string|nil problem
function M.known_items(step)
  if step.kind ~= "each" or reference.is(step.items) then return nil end
  return request.items(step, nil)
end

--- The request of a step or a branch: of an `each`, that of its first item where that is known.
---@param part table
---@param items table[]|nil
---@return { workspace: string, notebook: string, body: string|nil }|nil shown
---@return string|nil problem
function M.request_of(part, items)
  local first = items and items[1]
  return request.shown(part, first and first.item, first and 1)
end

return M
