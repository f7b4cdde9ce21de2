--- Conditions, made by :is and :test: what they may compare with, and whether anything uses them.
--- One that nothing uses was looked at by Lua's own and, or, if or not, which take every reference
--- for true. Pure.

local mistake = require "luafabric.workflow.mistake"
local node_module = require "luafabric.workflow.node"
local types = require "luafabric.types"

local M = {}

--- Whether it gives true or false: made by :is or :test, whatever :default comes after.
---@param node luafabric.ReferenceNode
---@return boolean
function M.is_condition(node)
  while node.op == "default" do node = node.of end
  return node.op == "is" or node.op == "test"
end

-- The conditions made while a workflow's function runs, with their places.
local made

--- Calls a workflow's function and keeps the conditions that are made meanwhile.
---@param list table[]  gets { node =, place = }
---@param fn function
function M.recording(list, fn, ...)
  local before = made
  made = list
  local ok, problem = fn(...)
  made = before
  return ok, problem
end

--- Keeps a new node in mind, if it is a condition.
---@param node luafabric.ReferenceNode
function M.record(node)
  if made and M.is_condition(node) then
    made[#made + 1] = { node = node, place = mistake.user_place() }
  end
end

local MAX_DEPTH = 8 -- of the tables and functions in a function

-- What a function, or a table that it sees, holds may be used when it is called.
local function use_inside(value, depth, seen)
  local kind = type(value)
  if depth > MAX_DEPTH or kind ~= "table" and kind ~= "function" or seen[value] then return end
  seen[value] = true
  local node = node_module.of(value)
  if node then
    node.is_used = true
  elseif kind == "table" then
    if getmetatable(value) then return end -- ours, or an object of the user's
    for _, inner in next, value do use_inside(inner, depth + 1, seen) end
  else
    for index = 1, debug.getinfo(value, "u").nups do
      local name, inner = debug.getupvalue(value, index)
      if name ~= "_ENV" then use_inside(inner, depth + 1, seen) end
    end
  end
end

--- Marks the conditions that a user's function sees as used: it may give them when it is called.
---@param fn function
function M.use_in_function(fn)
  if made and made[1] then use_inside(fn, 1, {}) end
end

--- Refuses the first condition that nothing uses.
---@param list table[]  as `recording` filled it
function M.check_used(list)
  for _, entry in ipairs(list) do
    if not entry.node.is_used then
      mistake.raise(entry.place, ("%s is used nowhere: Lua's and, or, if and not cannot look into "
        .. "a condition, whose value is not there yet: give it as when = …, or several as when = "
        .. "function(results) … end"):format(node_module.describe(entry.node)))
    end
  end
end

-- ---- what :is compares with ----

local run_outcomes = { "succeeded", "failed", "cancelled", "timed_out", "unauthorized", "unknown" }
local step_outcomes = { "succeeded", "failed", "cancelled", "deduped", "timed_out", "rejected",
  "unauthorized", "capacity", "throttled", "platform", "unknown", "skipped" }

local function outcome_problem(node, value)
  local words, known = node.step and step_outcomes or run_outcomes, {}
  for _, word in ipairs(words) do known[word] = true end
  if known[value] then return nil end
  return ("%s is none of %s%s"):format(mistake.show(value), table.concat(words, ", "),
    type(value) == "string" and mistake.suggest(value, known) or "")
end

--- Why a value can never be what the node gives.
---@param node luafabric.ReferenceNode
---@param value any  a text, a number, a boolean, a typed value
---@return string|nil message
function M.problem(node, value)
  if node.op == "outcome" then return outcome_problem(node, value) end
  if node.op ~= "exit" or node.path then return nil end
  if types.is(value) then value = value.value end
  if type(value) ~= "number" and type(value) ~= "boolean" then return nil end
  return ("an exit value is a text, and %s is none: write :is(\"%s\"), or read it as JSON with "
    .. "exit(\"name\")"):format(tostring(value), tostring(value))
end

return M
