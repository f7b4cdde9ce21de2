--- What stands behind a reference: a plain table that says what is read and what is made of it.
--- Here is how one is shown. Pure.

local json = require "luafabric.json"
local mistake = require "luafabric.workflow.mistake"
local types = require "luafabric.types"
local value_module = require "luafabric.workflow.value"

local M = {}

--- The metatable of a list of JSON, by which an empty one is told from an empty object.
M.list_meta = getmetatable(json.array {})

--- The key under which a reference keeps its node: users see no fields.
M.KEY = {}

---@alias luafabric.ReferenceNode table
---  op: "exit" { step, path?, dotted? }, "outcome" { step? }, "failures" { step? } (no step: of the
---  workflow), "default" { of, value }, "is" { of, value }, "test" { of, fn }, "map" { of, fn },
---  "concat" { parts = texts and nodes }, "matrix" { names, lists };
---  and in all: steps, the steps it reads; is_used, once a field or another node has it

--- The node of a value that is a reference; nil for any other.
---@param value any
---@return luafabric.ReferenceNode|nil
function M.of(value)
  return type(value) == "table" and rawget(value, M.KEY) or nil
end

-- ---- how it is shown ----

--- A value as Lua writes it.
---@param value any
---@return string
local function literal(value)
  if type(value) == "string" then return '"' .. value .. '"' end
  if value_module.is(value) then return '"' .. tostring(value) .. '"' end
  return json.encode(types.is(value) and value.value or value) or tostring(value)
end

local describers = {}

--- As the user wrote it: `ingest:exit("regions")`.
---@param node luafabric.ReferenceNode
---@return string
local function describe(node)
  return describers[node.op](node)
end

--- Whose it is: the step's name, or `flow`.
---@param node luafabric.ReferenceNode
---@return string
local function owner(node)
  return node.step and node.step.name or "flow"
end

function describers.exit(node)
  if not node.path then return owner(node) .. ":exit()" end
  if node.dotted then return ('%s:exit("%s")'):format(owner(node), node.dotted) end
  local keys = {}
  for index, key in ipairs(node.path) do keys[index] = literal(key) end
  return ("%s:exit(%s)"):format(owner(node), table.concat(keys, ", "))
end

function describers.outcome(node) return owner(node) .. ":outcome()" end
function describers.failures(node) return owner(node) .. ":failures()" end

function describers.default(node)
  return ("%s:default(%s)"):format(describe(node.of), literal(node.value))
end

function describers.is(node) return ("%s:is(%s)"):format(describe(node.of), literal(node.value)) end

function describers.test(node)
  return ("%s:test(function at %s)"):format(describe(node.of), mistake.place_of(node.fn))
end

function describers.map(node)
  return ("%s:map(function at %s)"):format(describe(node.of), mistake.place_of(node.fn))
end

function describers.concat(node)
  local parts = {}
  for index, part in ipairs(node.parts) do
    parts[index] = type(part) == "table" and describe(part) or literal(part)
  end
  return table.concat(parts, " .. ")
end

local function each_list(node, show, between)
  local words = {}
  for index, name in ipairs(node.names) do
    local list = node.lists[name]
    words[index] = ("%s%s%s"):format(name, between,
      M.of(list) and show(M.of(list)) or ("%d values"):format(#list))
  end
  return table.concat(words, ", ")
end

function describers.matrix(node)
  return ("fabric.matrix { %s }"):format(each_list(node, describe, " = "))
end

local inner = {}

local function inside(node)
  return inner[node.op](node)
end

function inner.exit(node)
  local words = { owner(node), "exit" }
  for _, key in ipairs(node.path or {}) do words[#words + 1] = tostring(key) end
  return table.concat(words, ".")
end

local function of_step(word)
  return function(node) return node.step and node.step.name .. "." .. word or word end
end

inner.outcome, inner.failures = of_step "outcome", of_step "failures"
function inner.default(node) return inside(node.of) .. " or " .. literal(node.value) end
function inner.is(node) return inside(node.of) .. " is " .. literal(node.value) end
function inner.test(node) return inside(node.of) .. " test " .. mistake.place_of(node.fn) end
function inner.map(node) return inside(node.of) .. " map " .. mistake.place_of(node.fn) end
function inner.matrix(node) return ("matrix %s"):format(each_list(node, inside, ": ")) end
function inner.concat(node) return describe(node) end

--- As a plan shows it: `${ingest.exit.regions}`.
---@param node luafabric.ReferenceNode
---@return string
local function placeholder(node)
  if node.op ~= "concat" then return "${" .. inside(node) .. "}" end
  local parts = {}
  for index, part in ipairs(node.parts) do
    parts[index] = type(part) == "table" and placeholder(part) or part
  end
  return table.concat(parts)
end

M.describe, M.placeholder, M.literal, M.owner = describe, placeholder, literal, owner

-- ---- what they hold ----

--- A copy of a JSON-like value, so that nobody who changes a table changes it for others.
---@param value any
---@return any
function M.copy(value)
  if type(value) ~= "table" then return value end
  local own = {}
  for key, item in next, value do own[key] = M.copy(item) end
  return setmetatable(own, getmetatable(value))
end

return M
