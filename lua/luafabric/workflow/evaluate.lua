--- What a reference stands for once its steps have ended. The engine hands in a view of what has
--- happened: `view.result(name)`, `view.failures()`, `view.outcome()`. Pure.

local json = require "luafabric.json"
local mistake = require "luafabric.workflow.mistake"
local node_module = require "luafabric.workflow.node"
local reference = require "luafabric.workflow.reference"
local tasks = require "luafabric.tasks"
local types = require "luafabric.types"
local value_module = require "luafabric.workflow.value"
local core = require "luafabric.core"

local M = {}

local unpack = table.unpack or unpack

---@class luafabric.ReferenceProblem
---@field message string
---@field step string|nil   the step whose value is not there
---@field cause "failed"|"condition"|nil  why that step has none; nil: it succeeded without it
---@field fatal boolean|nil a default does not help

local evaluators = {}

local function evaluate(node, view)
  return evaluators[node.op](node, view)
end

-- ---- exit values ----

-- An empty list of JSON is an empty table in Lua: it is marked, to be written as a list again.
local function mark_empty_lists(value, text, path)
  if type(value) ~= "table" then return end
  if next(value) == nil then
    local slice = core.json_slice(text, path)
    if slice and slice:find("^%s*%[") then json.array(value) end
    return
  end
  local depth = #path + 1
  for key, item in pairs(value) do
    if type(item) == "table" then
      path[depth] = key
      mark_empty_lists(item, text, path)
      path[depth] = nil
    end
  end
end

--- A value out of a JSON text; lists stay lists even when they are empty.
---@param text string
---@param path (string|integer)[]
---@return any value  nil when it is missing, null or not JSON
---@return string|nil message
---@return boolean|nil fatal  it is there, and cannot be carried
function M.decode(text, path)
  local value, message = json.path(text, unpack(path))
  if value == nil then
    return nil, message, message:find("beyond 2^53", 1, true) ~= nil or nil
  end
  if value == json.null then return nil, "it is null" end
  local own = {}
  for index, key in ipairs(path) do own[index] = key end
  mark_empty_lists(value, text, own)
  return value
end

local function no_value(node, result)
  local step = node.step
  if result == nil then
    return { message = ("%s: step \"%s\" has not ended"):format(node_module.describe(node),
      step.name), step = step.name, fatal = true }
  end
  if result.outcome == "skipped" then
    local by_condition = result.skipped == "condition"
    return { step = step.name, cause = by_condition and "condition" or "failed",
      message = ("%s: step \"%s\" was skipped%s, so it has no exit value; :default(…) gives one")
        :format(node_module.describe(node), step.name,
          result.skipped and (" (%s)"):format(result.skipped) or "") }
  end
  if result.outcome ~= "succeeded" then
    return { step = step.name, cause = "failed",
      message = ("%s: step \"%s\" ended as %s, so it has no exit value; :default(…) gives one")
        :format(node_module.describe(node), step.name, tostring(result.outcome)) }
  end
  return nil
end

-- The part of one exit value that the node wants.
local function part(node, text, name)
  if text == nil then
    return nil, { step = node.step.name,
      message = ("%s: \"%s\" gave no exit value"):format(node_module.describe(node), name) }
  end
  if not node.path then return text end
  local value, message, fatal = M.decode(text, node.path)
  if value ~= nil then return value end
  return nil, { step = node.step.name, fatal = fatal,
    message = ("%s: in the exit value of \"%s\", %s"):format(node_module.describe(node), name,
      message) }
end

-- A list in item order, null (or the default) where an item has no value.
local function of_items(node, result, default)
  local list = json.array {}
  local function instead()
    if not default then return json.null end
    return node_module.copy(default.value)
  end
  for index, item in ipairs(result.items) do
    if item.outcome ~= "succeeded" then
      list[index] = instead()
    else
      local value, problem = part(node, item.exit_value,
        ("%s[%s]"):format(node.step.name, tostring(item.label)))
      if value == nil and (not default or problem.fatal) then return nil, problem end
      if value == nil then value = instead() end
      list[index] = value
    end
  end
  return list
end

local function exit(node, view, default)
  local result = view.result(node.step.name)
  if node.step.kind == "each" and result and result.items then
    return of_items(node, result, default)
  end
  local problem = no_value(node, result)
  if problem then return nil, problem end
  return part(node, result.exit_value, node.step.name)
end

function evaluators.exit(node, view)
  return exit(node, view)
end

function evaluators.default(node, view)
  local value, problem
  if node.of.op == "exit" then
    value, problem = exit(node.of, view, node)
  else
    value, problem = evaluate(node.of, view)
  end
  if value ~= nil then return value end
  if problem.fatal then return nil, problem end
  if value_module.is(node.value) then return tostring(node.value) end
  if types.is(node.value) then return node.value.value end
  return node_module.copy(node.value)
end

-- ---- outcomes ----

function evaluators.outcome(node, view)
  if not node.step then return view.outcome() end
  local result = view.result(node.step.name)
  if not result then return nil, no_value(node, nil) end
  return result.outcome
end

local function failure(label, result)
  return { label = label, outcome = result.outcome, reason = result.reason,
    job_id = result.job_id }
end

function evaluators.failures(node, view)
  local list = json.array {}
  if not node.step then
    for index, entry in ipairs(view.failures()) do list[index] = entry end
    return list
  end
  local result = view.result(node.step.name)
  if not result then return nil, no_value(node, nil) end
  for _, item in ipairs(result.items or { result }) do
    if item.outcome ~= "succeeded" and item.outcome ~= "skipped" then
      list[#list + 1] = failure(item.label or node.step.name, item)
    end
  end
  return list
end

-- ---- conditions and transformations ----

local function plain(value)
  if value_module.is(value) then return tostring(value) end
  if types.is(value) then return value.value end
  return value
end

-- As JSON gives it: the number of one whose digits were given.
local function comparable(given)
  local value = plain(given)
  local is_number = types.is(given) and (given.type == "Integer" or given.type == "Number")
  return is_number and type(value) == "string" and json.decode(value) or value
end

evaluators["is"] = function(node, view)
  local value, problem = evaluate(node.of, view)
  if value == nil then return nil, problem end
  return value == comparable(node.value)
end

local function call(node, view, what)
  local value, problem = evaluate(node.of, view)
  if value == nil then return nil, problem end
  local ok, result = pcall(tasks.forbid_waiting, ("the function given to :%s"):format(what),
    node.fn, value)
  if ok then return true, result end
  return nil, { fatal = true, message = mistake.caught(result,
    ("in the function given to %s:%s: "):format(node_module.describe(node.of), what)) }
end

function evaluators.test(node, view)
  local ok, result = call(node, view, "test")
  if not ok then return nil, result end
  if type(result) == "boolean" then return result end
  return nil, { fatal = true, message = ("%s: the function must return true or false, it returned "
    .. "%s"):format(node_module.describe(node), mistake.show(result)) }
end

function evaluators.map(node, view)
  local ok, result = call(node, view, "map")
  if not ok then return nil, result end
  if result == nil or result == json.null then
    return nil, { step = node.steps[1] and node.steps[1].name,
      message = ("%s: the function returned %s"):format(node_module.describe(node),
        tostring(result)) }
  end
  local kind = type(result)
  if kind == "function" or kind == "userdata" or kind == "thread" or reference.is(result) then
    return nil, { fatal = true, message = ("%s: the function must return a value, it returned a %s")
      :format(node_module.describe(node), reference.is(result) and "reference" or kind) }
  end
  -- A function that collects and found nothing meant a list.
  if kind == "table" and next(result) == nil then return json.array {} end
  return result
end

--- The text of a value, as it is joined and sent.
---@param value any
---@return string|nil text
---@return string|nil message
function M.text(value)
  value = plain(value)
  if type(value) == "string" then return value end
  return json.encode(value)
end

function evaluators.concat(node, view)
  local texts = {}
  for index, piece in ipairs(node.parts) do
    local value = piece
    if type(piece) == "table" then
      local problem
      value, problem = evaluate(piece, view)
      if value == nil then return nil, problem end
    end
    local text, message = M.text(value)
    if not text then
      return nil, { fatal = true, message = node_module.describe(node) .. ": " .. message }
    end
    texts[index] = text
  end
  return table.concat(texts)
end

function evaluators.matrix(node, view)
  return require("luafabric.workflow.matrix").evaluate(node, view)
end

--- The value of a reference.
---@param ref luafabric.Reference
---@param view table  result(name), failures(), outcome()
---@return any value  nil when it is missing; a condition gives true or false
---@return luafabric.ReferenceProblem|nil problem
function M.value(ref, view)
  return evaluate(reference.node(ref), view)
end

return M
