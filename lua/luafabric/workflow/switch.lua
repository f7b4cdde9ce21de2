--- Which branch a switch takes, once its value is known. Pure.

local evaluate = require "luafabric.workflow.evaluate"
local mistake = require "luafabric.workflow.mistake"
local reference = require "luafabric.workflow.reference"
local value_module = require "luafabric.workflow.value"

local M = {}

local function branch_text(value)
  if value_module.is(value) then return tostring(value) end
  if type(value) == "table" then return nil end
  return evaluate.text(value)
end

local function keys_of(step)
  local words = {}
  for index, key in ipairs(step.branch_keys) do
    if key ~= "default" then words[#words + 1] = ('"%s"'):format(step.branch_keys[index]) end
  end
  return table.concat(words, ", ")
end

--- The branch that a switch takes.
---@param step luafabric.workflow.Step
---@param view table
---@return string|nil key          "default" where no other matched
---@return table|false|string branch  false: nothing runs; the message when key is nil
---@return "failed"|"rejected"|nil outcome  of the step, when key is nil: no branch matched, or the
---  value is missing
function M.branch(step, view)
  local value = step.on
  if reference.is(value) then
    local problem
    value, problem = evaluate.value(value, view)
    if value == nil then return nil, problem.message, "rejected" end
  end
  local text = branch_text(value)
  if text and step.branches[text] ~= nil then return text, step.branches[text] end
  if step.default ~= nil then return "default", step.default end
  return nil, ("no branch matches %s: there are %s, and no default"):format(
    text and mistake.show(text) or "a table", keys_of(step)), "failed"
end

--- The branch that a switch took.
---@param step luafabric.workflow.Step
---@param key string|nil
---@return table|false|nil branch  false: nothing runs; nil: there is none of that name
function M.taken(step, key)
  if key == nil then return nil end
  if step.branches[key] == nil and key == "default" then return step.default end
  return step.branches[key]
end

return M
