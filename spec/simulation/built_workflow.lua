-- A random workflow's description as a real definition, and as the notebooks of a lab that do what
-- its scripts say.

local description = require "spec.simulation.description"
local fabric = require "luafabric"

local M = {}

local function copy(value)
  if type(value) ~= "table" then return value end
  local result = {}
  for key, item in pairs(value) do result[key] = copy(item) end
  return result
end

-- ---- as a definition ----

local function reference(handles, read)
  if read.failures then return handles[read.step]:failures() end
  local ref = handles[read.step]:exit(read.field)
  if read.default == nil then return ref end
  return ref:default(read.default)
end

local function condition(handles, when)
  if when.preset then return when.preset end
  if when.outcome then return handles[when.outcome.step]:outcome():is(when.outcome.value) end
  if when.fn then
    return function(results) return results[when.fn.step].outcome == when.fn.value end
  end
  local ref, wanted = reference(handles, when.exit), when.exit.value
  if not when.exit.test then return ref:is(wanted) end
  return ref:test(function(value) return value == wanted end)
end

local function retry_of(step)
  if not step.attempts then return nil end
  local on = step.on
  if step.on_is_function then
    local set = {}
    for _, outcome in ipairs(on) do set[outcome] = true end
    on = function(outcome) return set[outcome] == true end
  end
  return { attempts = step.attempts, on = on }
end

local function is_good(exit)
  if type(exit) ~= "table" then return false, "there is no table in the exit value" end
  return exit.good == true, "it is not good"
end

local function fields_of(step, notebook)
  return { workspace = "W", notebook = notebook, retry = retry_of(step), timeout = step.timeout,
    exclusive = step.exclusive, expect = step.expect and is_good or nil }
end

local function step_fields(step, handles, notebook)
  local fields = fields_of(step, notebook)
  for index, name in ipairs(step.after) do
    fields.after = fields.after or {}
    fields.after[index] = handles[name]
  end
  fields.when = step.when and condition(handles, step.when)
  fields.may_fail, fields.priority = step.may_fail, step.priority
  return fields
end

local builders = {}

function builders.notebook(flow, step, handles)
  local fields = step_fields(step, handles, step.name)
  local parameters = {}
  for index, read in ipairs(step.reads) do
    parameters["p" .. index] = reference(handles, read)
  end
  if step.failures then parameters.failures = flow:failures() end
  fields.parameters = parameters
  if step.finally then return flow:finally(step.name, fields) end
  return flow:notebook(step.name, fields)
end

function builders.each(flow, step, handles)
  local fields, list = step_fields(step, handles, step.name), step.list
  fields.max_concurrency = step.max_concurrency
  local tolerate = step.tolerate
  if tolerate then fields.tolerate = tolerate.count or tolerate.percent .. "%" end
  if list.kind == "matrix" then
    return flow:each(step.name,
      fabric.matrix { region = list.regions, product = list.products }, fields)
  end
  if list.kind == "records" then return flow:each(step.name, list.items, fields) end
  fields.parameters = function(item) return { item = item } end
  if step.urgency then
    fields.priority = function(item) return step.urgency[item] end
  end
  local items = list.kind == "values" and list.items or reference(handles, list.read)
  return flow:each(step.name, items, fields)
end

function builders.switch(flow, step, handles)
  local branches = {}
  for key, branch in pairs(step.branches) do
    branches[key] = branch and fields_of(branch, step.name .. "-" .. key)
  end
  local common = step_fields(step, handles, nil)
  return flow:switch(step.name, reference(handles, step.on_read), branches,
    { after = common.after, when = common.when, may_fail = common.may_fail,
      priority = common.priority })
end

--- The definition.
---@return table definition
function M.definition(desc)
  return fabric.workflow("random", { timeout = desc.timeout, max_concurrency =
    desc.max_concurrency }, function(flow)
    local handles = {}
    for _, step in ipairs(desc.steps) do
      handles[step.name] = builders[step.kind](flow, step, handles)
    end
  end)
end

-- ---- as notebooks ----

local function label_of(step, parameters)
  if step.kind ~= "each" then return "" end
  if step.list.kind == "records" then
    return ("id=%s,size=%d"):format(parameters.id, parameters.size)
  end
  if step.list.kind == "matrix" then
    return ("product=%s,region=%s"):format(parameters.product, parameters.region)
  end
  return parameters.item
end

local function perform(result, run)
  if result.kind == "lost" then return nil, result.seconds end
  if result.kind ~= "ok" then run:fail(result.kind, "as written", result.seconds) end
  local exit = result.exit
  if type(exit) == "table" and type(exit.list) == "table" then
    exit = copy(exit)
    exit.list = fabric.array(exit.list)
  end
  return exit, result.seconds
end

--- The notebooks of a lab; `starts[path]` counts how often each was started.
---@return table notebooks
---@return table<string, integer> starts
---@return table<string, table> given  by path: the parameters of its last start
function M.notebooks(desc)
  local notebooks, starts, given = {}, {}, {}
  local function add(step, notebook, key)
    notebooks["W/" .. notebook] = function(parameters, run)
      local label = key or label_of(step, parameters)
      local path = step.kind == "each" and ("%s[%s]"):format(step.name, label) or step.name
      starts[path], given[path] = (starts[path] or 0) + 1, parameters
      if run.attempt ~= starts[path] then
        return run:fail("failed", ("the lab counts %d, not %d"):format(run.attempt, starts[path]))
      end
      local script = step.script[label]
      return perform(script[math.min(starts[path], #script)], run)
    end
  end
  for _, step in ipairs(desc.steps) do
    if step.kind == "switch" then
      for key in pairs(step.branches) do add(step, step.name .. "-" .. key, key) end
    else
      add(step, step.name)
    end
  end
  return notebooks, starts, given
end

local FAULTS = { lost = "lost_answer", forbidden = 403, refused = 400 }

local function add_fault(faults, result, notebook, number)
  local fault = FAULTS[result.kind]
  if not fault then return end
  faults[#faults + 1] = { at = "submit", notebook = notebook, number = number, fault = fault }
end

--- The fault script: what happens to submissions.
---@return table[] faults
function M.faults(desc)
  local faults = copy(desc.noise)
  for _, step in ipairs(desc.steps) do
    if step.kind == "each" then
      for number, label in ipairs(description.possible_labels(step.list)) do
        add_fault(faults, step.script[label][1], step.name, number)
      end
    else
      for key, script in pairs(step.script) do
        local notebook = key == "" and step.name or step.name .. "-" .. key
        for number, result in ipairs(script) do add_fault(faults, result, notebook, number) end
      end
    end
  end
  return faults
end

return M
