--- References: what a step will have given when it has ended, and what is made of it. A reference
--- is an object without a value; used in a field, it is the dependency. What stands behind it is a
--- node, a plain table, which `luafabric.workflow.evaluate` works out when the steps have ended.
--- Pure.

local condition = require "luafabric.workflow.condition"
local core = require "luafabric.core"
local json = require "luafabric.json"
local mistake = require "luafabric.workflow.mistake"
local node_module = require "luafabric.workflow.node"
local secret = require "luafabric.workflow.secret"
local types = require "luafabric.types"
local value_module = require "luafabric.workflow.value"

local M = {}

local NODE = node_module.KEY
local describe = node_module.describe

---@class luafabric.Reference
local Reference = { __name = "luafabric.reference" }
local methods = {}

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

--- As the user wrote it: `ingest:exit("regions")`.
---@param ref luafabric.Reference
---@return string
function M.describe(ref)
  return describe(rawget(ref, NODE))
end

--- As a plan shows it: `${ingest.exit.regions}`.
---@param ref luafabric.Reference
---@return string
function M.placeholder(ref)
  return node_module.placeholder(rawget(ref, NODE))
end

--- Whether it gives true or false: made by :is or :test, whatever :default comes after.
---@param ref luafabric.Reference
---@return boolean
function M.is_condition(ref)
  return condition.is_condition(rawget(ref, NODE))
end

--- Whether it says how the whole workflow ended, which only a finally step can know.
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
  of.is_used = true
  condition.record(fields)
  return wrap(fields)
end

local function check_plain(value, what)
  local kind = type(value)
  if kind == "string" and not mistake.is_marked(value) or kind == "boolean" then return value end
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
  if type(value) == "table" and (not meta or meta == node_module.list_meta) then
    local text, message = core.encode_json(value)
    if not text then mistake.raise_here(":default: " .. message) end
    if next(value) == nil then value = json.array {} end -- an empty list far sooner than an object
    return derive(self, { value = node_module.copy(value) }, "default")
  end
  return derive(self, { value = check_plain(value, "default") }, "default")
end

--- A condition: whether the value is this one. Numbers compare by value, all else exactly.
---@param value string|number|boolean
---@return luafabric.Reference
function methods:is(value)
  check_self(self, "is")
  check_plain(value, "is")
  local node = rawget(self, NODE)
  local message = condition.problem(node, value)
  if message then mistake.raise_here(("%s:is: %s"):format(describe(node), message)) end
  return derive(self, { value = value }, "is")
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

--- The name of a method, where a value is one.
---@param value any
---@return string|nil
function M.method_name(value)
  for name, method in pairs(methods) do
    if method == value then return name end
  end
  return nil
end

-- ---- what Lua may do with one ----

function Reference:__tostring()
  return mistake.marker(describe(rawget(self, NODE)))
end

local function add_part(parts, steps, part)
  if M.is(part) then
    local node = rawget(part, NODE)
    node.is_used = true
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
  if mistake.is_marked(part) then
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
      mistake.show(name), node_module.owner(node),
      node_module.literal(name)))
  end
  mistake.raise_here(("%s has no field %s: a reference has the methods default, is, test and map; "
    .. "a part of an exit value is step:exit(\"a.b\")"):format(describe(node), mistake.show(name)))
end

return M
