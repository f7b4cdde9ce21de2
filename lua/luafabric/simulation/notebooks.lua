--- Notebooks for a workflow whose own are not at hand: each exists, takes its time, succeeds or
--- fails as a seed says, and gives an exit value in which everything is that the workflow reads of
--- it. What cannot be known from the plan (a path that a user's function reads) is not there.

local definition_names = require "luafabric.engine.names"
local json = require "luafabric.json"
local lab_notebooks = require "luafabric.lab.notebooks"
local node_module = require "luafabric.workflow.node"
local types = require "luafabric.types"

local M = {}

local FAILED, CAPACITY = 0.05, 0.01 -- shares of the runs
local SHORTEST, LONGEST = 30, 900 -- seconds
local OF_TIMEOUT = 0.6 -- a run's longest share of the time that its step gives it

-- ---- what the workflow reads ----

--- Adds a value that is wanted at a path of a step's exit value.
local function want(wants, node, choices)
  local list = wants[node.step.name] or {}
  wants[node.step.name] = list
  list[#list + 1] = { path = node.path or {}, choices = choices }
end

local function plain(value)
  if types.is(value) then return value.value end
  return value
end

local read_node

local function read_parts(wants, list)
  for _, part in pairs(list or {}) do read_node(wants, part) end
end

--- Reads what stands behind a reference; `choices` are values that make sense for it.
function read_node(wants, node, choices)
  if type(node) ~= "table" then return end
  node = node_module.of(node) or node
  if node.op == "exit" then return want(wants, node, choices or { 1 }) end
  if node.op == "is" then return read_node(wants, node.of, { plain(node.value), "another" }) end
  if node.op == "test" then return read_node(wants, node.of, { 0, 1, 2, 5 }) end
  if node.of then return read_node(wants, node.of, choices) end
  read_parts(wants, node.parts)
  for _, list in pairs(node.lists or {}) do read_node(wants, list, M.lists) end
end

M.lists = { json.array { "a" }, json.array { "a", "b" }, json.array { "a", "b", "c" } }

local function read_fields(wants, value)
  local node = node_module.of(value)
  if node then return read_node(wants, node) end
  if type(value) ~= "table" or getmetatable(value) then return end
  for _, inner in pairs(value) do read_fields(wants, inner) end
end

local function read_step(wants, step)
  read_fields(wants, step.fields)
  if step.when and step.when.condition then read_node(wants, step.when.condition) end
  if step.kind == "each" then read_node(wants, step.items, M.lists) end
  if step.kind ~= "switch" then return end
  local keys = {}
  for index, key in ipairs(step.branch_keys) do keys[index] = key end
  read_node(wants, step.on, keys)
  for _, branch in pairs(step.branches) do read_fields(wants, branch and branch.fields) end
  read_fields(wants, step.default and step.default.fields)
end

local function tightest(a, b)
  if type(b) ~= "number" then return a end
  return math.min(a or b, b)
end

--- What is wanted of each notebook, by "Workspace/Notebook".
local function by_notebook(plan)
  local wants, found = {}, {}
  for _, step in ipairs(plan.steps) do read_step(wants, step) end
  for _, step in ipairs(plan.steps) do
    local all = { step }
    for _, branch in pairs(step.branches or {}) do all[#all + 1] = branch or nil end
    all[#all + 1] = step.default or nil
    for _, one in ipairs(all) do
      local fields = one.fields or {}
      local name = ("%s/%s"):format(tostring(fields.workspace), tostring(fields.notebook))
      found[name] = found[name] or {}
      found[name].timeout = tightest(found[name].timeout, one.timeout)
      for _, wanted in ipairs(wants[step.name] or {}) do table.insert(found[name], wanted) end
    end
  end
  return found
end

-- ---- what a run of it does ----

--- Puts a value where a path leads; an index counts from 1.
local function put(exit, path, value)
  local place = exit
  for index = 1, #path - 1 do
    local inner = place[path[index]]
    if type(inner) ~= "table" then
      inner = {}
      place[path[index]] = inner
    end
    place = inner
  end
  if place[path[#path]] == nil then place[path[#path]] = value end
end

local function exit_value(chance, wants)
  local exit, whole = {}, nil
  for _, wanted in ipairs(wants) do
    local value = chance.one(wanted.choices)
    if #wanted.path == 0 then whole = value else put(exit, wanted.path, value) end
  end
  if next(exit) or whole == nil then return exit end
  return whole
end

local function new_notebook(chance, wants)
  local longest = math.min(LONGEST, (wants.timeout or math.huge) * OF_TIMEOUT)
  return function(_, run)
    local seconds, roll = chance.seconds(math.min(SHORTEST, longest), longest), chance.next()
    if roll < FAILED then run:fail("failed", "the seed made it fail", seconds) end
    if roll < FAILED + CAPACITY then run:fail("capacity", nil, 5) end
    local value = exit_value(chance, wants)
    return type(value) == "number" and tostring(value) or value, seconds
  end
end

--- The notebooks that a plan names, with runs chosen by a seed.
---@param plan table
---@param chance luafabric.Choices
---@return luafabric.LabNotebooks
function M.guess(plan, chance)
  local wants, notebooks = by_notebook(plan), {}
  for _, pair in ipairs(definition_names.static(plan)) do
    local name = pair.workspace .. "/" .. pair.notebook
    notebooks[name] = new_notebook(chance.apart(), wants[name] or {})
  end
  return lab_notebooks.read(notebooks)
end

return M
