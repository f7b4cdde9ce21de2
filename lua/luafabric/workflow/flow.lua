--- The `flow` that a workflow's function is given: declares inputs, steps and defaults. Everything
--- goes into one state, from which `luafabric.workflow.plan` makes the plan. Pure.

local dependencies = require "luafabric.workflow.dependencies"
local field_value = require "luafabric.workflow.field_value"
local fields = require "luafabric.workflow.fields"
local handle = require "luafabric.workflow.handle"
local inputs = require "luafabric.workflow.inputs"
local items = require "luafabric.workflow.items"
local json = require "luafabric.json"
local mistake = require "luafabric.workflow.mistake"
local ordered = require "luafabric.workflow.ordered"
local reference = require "luafabric.workflow.reference"
local secret = require "luafabric.workflow.secret"
local types = require "luafabric.types"
local value_module = require "luafabric.workflow.value"
local when = require "luafabric.workflow.when"

local M = {}

local STATE = {} -- the key under which a flow keeps its state

local MANY = 500 -- steps

---@class luafabric.Flow
---@field name string
---@field run_id string
---@field started_at number  unix seconds
local Flow = { __name = "luafabric.flow" }
local methods = {}

-- The state behind `flow`, in a method that was called as one.
local function own(flow, method)
  if type(flow) ~= "table" or getmetatable(flow) ~= Flow then
    mistake.raise_here(("flow.%s(…) was called with a dot: write flow:%s(…)"):format(method,
      method))
  end
  local state = rawget(flow, STATE)
  if state.closed then
    mistake.raise_here(("flow:%s was called after the workflow's function had ended"):format(
      method))
  end
  return state
end

-- ---- steps ----

local function check_name(state, name, place, method)
  local other = name ~= nil and state.by_name[name]
  if not other and type(name) == "string" and name:find("^[%w _%-]+$") then return end
  if type(name) ~= "string" then
    mistake.raise(place, ("flow:%s: expected a name as first argument, got %s"):format(method,
      handle.is(name) and "a step" or mistake.show(name)))
  end
  if name == "" or name:find("[%c%[%]]") then
    mistake.raise(place, ("flow:%s: %s is no name for a step: it has to be a text without control "
      .. "characters, [ and ]"):format(method, mistake.show(name)))
  end
  if mistake.is_marked(name) then
    mistake.raise(place, ("flow:%s: the name holds a reference or a secret"):format(method))
  end
  if other then
    mistake.raise(place, ("two steps are named \"%s\"; the other is at %s"):format(name,
      other.place))
  end
end

-- A step has its own fields, and reads through its metatable what all steps of the flow share: what
-- the defaults say, once they are known, and what holds where nobody says anything.
---@class luafabric.workflow.Step
---@field name string
---@field kind "notebook"|"each"|"switch"
---@field is_finally boolean
---@field index integer
---@field place string  "nightly.lua:12"
---@field after luafabric.workflow.Step[]
---@field when luafabric.workflow.When
---@field fields table  notebook, workspace, parameters, compute
---@field owner table   the flow's state: steps of other workflows are told apart by it
---@field item_functions boolean|nil  each: some field is a function of the item
---@field defaults table|nil  with such a function: what holds where it returns nothing
---@field items any[]|luafabric.Reference|nil
---@field branches table<string, table|false>|nil

local function declare(state, name, kind, place, method)
  check_name(state, name, place, method)
  local steps = state.steps
  local index = #steps + 1
  -- What steps have in common is in one table behind them: it is a hundred thousand times nothing.
  local step = setmetatable({ name = name, index = index, place = place,
    fields = { notebook = nil, workspace = nil }, after = nil }, state.shared)
  if kind ~= "notebook" then step.kind = kind end
  steps[index] = step
  if index == MANY and state.on_many then state.on_many() end
  state.by_name[name] = step
  return step
end

--- One run of a notebook.
---@param name string        of the step, and of the notebook unless a field says otherwise
---@param given table|nil    the step's fields
---@return luafabric.StepHandle
function methods:notebook(name, given)
  local state = own(self, "notebook")
  local step = declare(state, name, "notebook", mistake.place(2), "notebook")
  if given ~= nil then fields.read(step, given, "notebook") end
  return handle.new(step)
end

--- A run that comes last, whatever happened before.
---@param name string
---@param given table|nil
---@return luafabric.StepHandle
function methods:finally(name, given)
  local state = own(self, "finally")
  local step = declare(state, name, "notebook", mistake.place(2), "finally")
  step.is_finally, step.when = true, when.all_done
  if given ~= nil then fields.read(step, given, "notebook") end
  return handle.new(step)
end

-- ---- each ----

-- The fields in the place of the list.
local function check_swapped(step, list, given)
  if type(list) ~= "table" or getmetatable(list) ~= nil or list[1] ~= nil then return end
  if reference.is(given) or type(given) == "table" and given[1] ~= nil or fields.of_each(list) then
    field_value.refuse(step, ("the list comes before the fields: write flow:each(\"%s\", list, "
      .. "{ … })"):format(step.name))
  end
end

local function read_items(step, given)
  if handle.is(given) then
    local word = handle.word(handle.step(given))
    field_value.refuse(step, ("a step is no list of items: use %s:exit(\"name\")"):format(word))
  end
  if reference.is(given) then
    field_value.read_reference(step, given, "items")
    return given
  end
  if type(given) ~= "table" or field_value.is_special(given) then
    field_value.refuse(step, ("expected a list of items, or a reference to one, got %s"):format(
      mistake.show(given)))
  end
  local list, message = items.read_list(given)
  if not list then field_value.refuse(step, message) end
  return list
end

--- One run for each item of a list.
---@param name string
---@param list any[]|luafabric.Reference
---@param given table|nil  the step's fields; many of them may be function(item, index)
---@return luafabric.StepHandle
function methods:each(name, list, given)
  local state = own(self, "each")
  local step = declare(state, name, "each", mistake.place(2), "each")
  check_swapped(step, list, given)
  step.items = read_items(step, list)
  if given ~= nil then fields.read(step, given, "each") end
  if not reference.is(step.items) then
    local labelled, message = items.label(step, step.items)
    if not labelled then field_value.refuse(step, message) end
    step.labelled = labelled
  end
  return handle.new(step)
end

-- ---- switch ----

local function branch_key(step, key)
  local kind = type(key)
  if kind == "string" then return key end
  if kind == "number" then return json.encode(key) end
  if kind == "boolean" then return tostring(key) end
  field_value.refuse(step, ("branches: %s is no value to match: expected texts, numbers, "
    .. "booleans"):format(reference.is(key) and reference.describe(key) or "a " .. kind))
end

local function read_branches(step, given)
  if type(given) ~= "table" or handle.is(given) or field_value.is_special(given) then
    field_value.refuse(step, "branches: expected a table such as { full = { notebook = "
      .. "\"Full load\" }, default = false }, got " .. mistake.show(given))
  end
  local keys, branches = {}, {}
  for key, value in ordered.pairs(given) do
    local text = branch_key(step, key)
    if branches[text] ~= nil then
      field_value.refuse(step, ("branches: two of them match \"%s\""):format(text))
    end
    if value ~= false then
      local branch = { step = step, key = text, place = step.place, fields = {} }
      fields.read(branch, value, "branch")
      value = branch
    end
    branches[text] = value
    keys[#keys + 1] = text
  end
  if #keys == 0 then field_value.refuse(step, "branches: there are none") end
  table.sort(keys)
  local default = branches.default
  branches.default = nil
  return branches, default, keys
end

local function read_on(step, given)
  if handle.is(given) then
    local word = handle.word(handle.step(given))
    field_value.refuse(step, ("a step is no value to switch on: use %s:exit(\"mode\") or "
      .. "%s:outcome()"):format(word, word))
  end
  if reference.is(given) then
    field_value.read_reference(step, given, "on")
    return given
  end
  local kind = type(given)
  local plain = kind == "string" or kind == "number" or kind == "boolean"
  if plain or value_module.is(given) then return given end
  if types.is(given) then return given.value end
  field_value.refuse(step, ("expected a reference or a value to switch on, got %s"):format(
    secret.is(given) and "a secret" or mistake.show(given)))
end

--- One run: that of the branch whose key is the value.
---@param name string
---@param on luafabric.Reference|string|number|boolean
---@param branches table<string|number|boolean, table|false>  fields of each; false: nothing runs
---@param common table|nil  after, when, may_fail, …, and what holds for all branches
---@return luafabric.StepHandle
function methods:switch(name, on, branches, common)
  local state = own(self, "switch")
  local step = declare(state, name, "switch", mistake.place(2), "switch")
  step.on = read_on(step, on)
  if common ~= nil then fields.read(step, common, "switch") end
  step.branches, step.default, step.branch_keys = read_branches(step, branches)
  return handle.new(step)
end

-- ---- what is no step ----

--- What holds for all steps, wherever they are declared. Later calls win.
---@param given table
function methods:defaults(given)
  local state = own(self, "defaults")
  local defaults = state.defaults
  defaults.place = mistake.place(2)
  local before = defaults.fields.parameters
  fields.read(defaults, given, "defaults")
  local now = defaults.fields.parameters
  if not before or not now or before == now then return end
  for key, value in pairs(before) do
    if now[key] == nil then now[key] = value end
  end
end

--- An input's value.
---@param name string
---@param options table|nil  type (one of types.names, default Text), default, description, secret
---@return any value  of Lua where it has such a type
function methods:input(name, options)
  return inputs.declare(own(self, "input"), name, options, mistake.place(2))
end

--- In a finally step: what failed in the workflow.
---@return luafabric.Reference
function methods:failures()
  own(self, "failures")
  return reference.failures(nil)
end

--- In a finally step: how the workflow ended.
---@return luafabric.Reference
function methods:outcome()
  own(self, "outcome")
  return reference.outcome(nil)
end

-- ---- the object ----

local plain_fields = { name = true, run_id = true, started_at = true }

function Flow:__index(name)
  local method = methods[name]
  if method then return method end
  local words = {}
  for word in pairs(methods) do words[word] = true end
  for word in pairs(plain_fields) do words[word] = true end
  local hint = mistake.suggest(name, words)
  mistake.raise_here(("flow has no %s%s"):format(mistake.show(name), hint ~= "" and hint
    or ": it has notebook, each, switch, finally, defaults, input, failures, outcome"))
end

function Flow:__newindex(name)
  mistake.raise_here(("flow.%s cannot be set: give flow:defaults { … }, or use a local variable")
    :format(tostring(name)))
end

--- A flow for one call of the workflow's function.
---@param given { name: string, run_id: string, started_at: number, began_at: number|nil,
---  inputs: table, on_many: nil|fun() }  began_at: what deadlines count from, where that is another
---  time; on_many: called when many steps are declared
---@return luafabric.Flow flow
---@return table state
function M.new(given)
  local state = { name = given.name, run_id = given.run_id, started_at = given.started_at,
    began_at = given.began_at or given.started_at,
    inputs_given = given.inputs, inputs = {}, inputs_by_name = {}, missing = {}, steps = {},
    on_many = given.on_many, by_name = {}, warnings = {}, warned = {}, conditions = {},
    short_secrets = {} }
  state.common = { kind = "notebook", is_finally = false, after = dependencies.none, owner = state }
  state.shared = { __index = state.common }
  state.defaults = { is_defaults = true, fields = {}, owner = state }
  local flow = setmetatable({ name = given.name, run_id = given.run_id,
    started_at = given.started_at, [STATE] = state }, Flow)
  return flow, state
end

return M
