--- References: what a step will have given when it has ended, and what is made of it. A reference
--- is an object without a value; used in a field, it is the dependency. What stands behind it is a
--- node, a plain table, which `luafabric.workflow.evaluate` works out when the steps have ended.
--- Pure.

local core = require "luafabric.core"
local json = require "luafabric.json"
local mistake = require "luafabric.workflow.mistake"
local secret = require "luafabric.workflow.secret"
local types = require "luafabric.types"
local value_module = require "luafabric.workflow.value"

local M = {}

local NODE = {} -- the key under which a reference keeps its node: users see no fields

-- A text made with %s from a reference or a step begins so; it is refused wherever it turns up.
local MARKER = "<luafabric:"

local list_meta = getmetatable(json.array {})

---@class luafabric.Reference
local Reference = { __name = "luafabric.reference" }
local methods = {}

---@alias luafabric.ReferenceNode table
---  op: "exit" { step, path?, shown? }, "outcome" { step? }, "failures" { step? } (no step: of the
---  workflow), "default" { of, value }, "is" { of, value }, "test" { of, fn }, "map" { of, fn },
---  "concat" { parts = texts and nodes }, "matrix" { names, lists };
---  and in all: steps, the steps it reads

---@param value any
---@return boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == Reference
end

---@return luafabric.Reference
local function wrap(node)
  return setmetatable({ [NODE] = node }, Reference)
end

M.wrap = wrap

---@param ref luafabric.Reference
---@return luafabric.ReferenceNode
function M.node(ref)
  return rawget(ref, NODE)
end

--- The steps that it reads.
---@param ref luafabric.Reference
---@return luafabric.workflow.Step[]
function M.steps(ref)
  return rawget(ref, NODE).steps
end

--- The place of a text in which a reference or a step was written by %s or tostring.
---@param text string
---@return boolean
function M.is_marked(text)
  return text:find(MARKER, 1, true) ~= nil
end

---@param shown string
---@return string
function M.marker(shown)
  return MARKER .. shown .. ">"
end

-- ---- how it is shown ----

local function literal(value)
  if type(value) == "string" then return '"' .. value .. '"' end
  if value_module.is(value) then return '"' .. tostring(value) .. '"' end
  return json.encode(types.is(value) and value.value or value) or tostring(value)
end

local describers = {}

local function describe(node)
  return describers[node.op](node)
end

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
      M.is(list) and show(rawget(list, NODE)) or ("%d values"):format(#list))
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

local function placeholder(node)
  if node.op ~= "concat" then return "${" .. inside(node) .. "}" end
  local parts = {}
  for index, part in ipairs(node.parts) do
    parts[index] = type(part) == "table" and placeholder(part) or part
  end
  return table.concat(parts)
end

--- As the user wrote it: `ingest:exit("regions")`.
---@param ref luafabric.Reference
---@return string
function M.describe(ref)
  return describe(rawget(ref, NODE))
end

M.describe_node = describe

--- As a plan shows it: `${ingest.exit.regions}`.
---@param ref luafabric.Reference
---@return string
function M.placeholder(ref)
  return placeholder(rawget(ref, NODE))
end

--- Whether it gives true or false: made by :is or :test, whatever :default comes after.
---@param ref luafabric.Reference
---@return boolean
function M.is_condition(ref)
  local node = rawget(ref, NODE)
  while node.op == "default" do node = node.of end
  return node.op == "is" or node.op == "test"
end

--- What is known before: its steps, and whether it reads the whole workflow's end.
---@param ref luafabric.Reference
---@return boolean
function M.reads_workflow(ref)
  return rawget(ref, NODE).reads_workflow == true
end

--- Its value, once its steps have ended: see luafabric.workflow.evaluate.
---@param ref luafabric.Reference
---@param view table
---@return any value
---@return luafabric.ReferenceProblem|nil problem
function M.value(ref, view)
  return require("luafabric.workflow.evaluate").value(ref, view)
end

-- ---- made by a step or the flow ----

local function read_path(what, count, ...)
  if count == 0 then return nil end
  local keys = { ... }
  for index = 1, count do
    local key = keys[index]
    local good = type(key) == "string" and key ~= ""
      or type(key) == "number" and key >= 1 and key % 1 == 0
    if not good then
      mistake.raise_here(("%s:exit: expected a path such as \"a.b\", or keys (texts, and indices "
        .. "from 1 up), got %s"):format(what, mistake.show(key)))
    end
  end
  if count > 1 or type(keys[1]) == "number" then return keys end
  for _, key in ipairs(json.split_path(keys[1])) do
    if key == "" then
      mistake.raise_here(("%s:exit: \"%s\" has an empty name between its dots; write a name with "
        .. "dots as one of several keys"):format(what, keys[1]))
    end
  end
  return json.split_path(keys[1]), keys[1]
end

--- A step's exit value, or a part of it.
---@param step luafabric.workflow.Step
---@param ... string|integer  a dotted path, or exact keys
function M.exit(step, ...)
  local path, dotted = read_path(step.name, select("#", ...), ...)
  return wrap { op = "exit", step = step, path = path, dotted = dotted, steps = { step } }
end

--- A step's outcome; the workflow's without a step.
function M.outcome(step)
  return wrap { op = "outcome", step = step, steps = { step }, reads_workflow = step == nil }
end

--- What failed in a step; in the workflow without a step.
function M.failures(step)
  return wrap { op = "failures", step = step, steps = { step }, reads_workflow = step == nil }
end

-- ---- made from another ----

local function check_self(ref, what)
  if M.is(ref) then return end
  mistake.raise_here((":%s was called with a dot: write ref:%s(…)"):format(what, what))
end

local function derive(ref, fields, what)
  local of = rawget(ref, NODE)
  fields.op, fields.of, fields.steps = what, of, of.steps
  fields.reads_workflow = of.reads_workflow
  return wrap(fields)
end

local function check_plain(value, what)
  local kind = type(value)
  if kind == "string" and not M.is_marked(value) or kind == "boolean" then return value end
  if kind == "number" or value_module.is(value) or types.is(value) then return value end
  if M.is(value) then
    mistake.raise_here((":%s takes a value, not another reference"):format(what))
  end
  mistake.raise_here((":%s takes a text, a number or a boolean, got %s"):format(what,
    mistake.show(value)))
end

--- A value to go on with where the exit value, or the part of it, is missing, null or not JSON, or
--- where its step was skipped or failed.
---@param value any  JSON-like: text, number, boolean, table
---@return luafabric.Reference
function methods:default(value)
  check_self(self, "default")
  local meta = type(value) == "table" and getmetatable(value)
  if type(value) == "table" and (not meta or meta == list_meta) then
    local text, message = core.encode_json(value)
    if not text then mistake.raise_here(":default: " .. message) end
    if next(value) == nil then value = json.array {} end -- an empty list far sooner than an object
    return derive(self, { value = value }, "default")
  end
  return derive(self, { value = check_plain(value, "default") }, "default")
end

--- A condition: whether the value is this one. Numbers compare by value, all else exactly.
---@param value string|number|boolean
---@return luafabric.Reference
function methods:is(value)
  check_self(self, "is")
  return derive(self, { value = check_plain(value, "is") }, "is")
end

local function check_function(fn, what)
  if type(fn) == "function" then return fn end
  mistake.raise_here((":%s takes a function of the value, got %s"):format(what, mistake.show(fn)))
end

--- A condition: whether the function says true of the value.
---@param fn fun(value: any): boolean
---@return luafabric.Reference
function methods:test(fn)
  check_self(self, "test")
  return derive(self, { fn = check_function(fn, "test") }, "test")
end

--- What the function makes of the value.
---@param fn fun(value: any): any
---@return luafabric.Reference
function methods:map(fn)
  check_self(self, "map")
  return derive(self, { fn = check_function(fn, "map") }, "map")
end

-- ---- what Lua may do with one ----

function Reference:__tostring()
  return M.marker(describe(rawget(self, NODE)))
end

local function add_part(parts, steps, part)
  if M.is(part) then
    local node = rawget(part, NODE)
    for _, step in ipairs(node.steps) do steps[#steps + 1] = step end
    if node.op ~= "concat" then
      parts[#parts + 1] = node
      return node.reads_workflow
    end
    for _, piece in ipairs(node.parts) do parts[#parts + 1] = piece end
    return node.reads_workflow
  end
  if secret.is(part) then
    mistake.raise_here("a secret and a reference cannot be joined: give them as two parameters, "
      .. "and join them in the notebook")
  end
  if type(part) == "number" then part = json.encode(part) end
  if value_module.is(part) then part = tostring(part) end
  if type(part) ~= "string" then
    mistake.raise_here(("a reference cannot be joined with %s"):format(
      type(part) == "table" and tostring(part) or mistake.show(part)))
  end
  if M.is_marked(part) then
    mistake.raise_here("the text holds a reference written into it by %s or tostring: join with .."
      .. " instead, as in \"Files/\" .. step:exit(\"folder\")")
  end
  parts[#parts + 1] = part
  return nil
end

function Reference.__concat(a, b)
  local parts, steps = {}, {}
  local reads_a = add_part(parts, steps, a)
  local reads_b = add_part(parts, steps, b)
  return wrap { op = "concat", parts = parts, steps = steps, reads_workflow = reads_a or reads_b }
end

local advice = {
  arithmetic = "cannot be calculated with, since its value is not there yet: use "
    .. ":map(function(value) … end)",
  comparison = "cannot be compared, since its value is not there yet: use :is(value) or "
    .. ":test(function(value) … end)",
  ["#"] = "has no length yet: use :map(function(list) return #list end)",
  ["a call"] = "is not a function",
  ["an assignment"] = "cannot be changed",
  pairs = "cannot be walked through, since its value is not there yet: use flow:each, or "
    .. ":map(function(value) … end)",
}

mistake.trap(Reference, M.is, function(ref, deed)
  return ("%s %s"):format(M.describe(ref), advice[deed])
end)

function Reference:__index(name)
  local method = methods[name]
  if method then return method end
  local node = rawget(self, NODE)
  if node.op == "exit" and not node.path then
    mistake.raise_here(("%s has no field %s: write %s:exit(%s)"):format(describe(node),
      mistake.show(name), owner(node), literal(name)))
  end
  mistake.raise_here(("%s has no field %s: a reference has the methods default, is, test and map; "
    .. "a part of an exit value is step:exit(\"a.b\")"):format(describe(node), mistake.show(name)))
end

return M
