--- `fabric.matrix { region = { "eu", "us" }, product = products:exit() }`: every combination, each
--- a table with one value of every list. A list may be a reference; then the whole is one. Pure.

local evaluate = require "luafabric.workflow.evaluate"
local json = require "luafabric.json"
local mistake = require "luafabric.workflow.mistake"
local ordered = require "luafabric.workflow.ordered"
local reference = require "luafabric.workflow.reference"
local handle = require "luafabric.workflow.handle"

local M = {}

local MOST = 100000

-- Names sorted; the last one changes fastest.
local function expand(names, lists)
  local count = 1
  for _, name in ipairs(names) do count = count * #lists[name] end
  if count > MOST then
    return nil, ("%d combinations are too many, the most is %d"):format(count, MOST)
  end
  local items = json.array {}
  for number = 0, count - 1 do
    local item, rest = {}, number
    for index = #names, 1, -1 do
      local list = lists[names[index]]
      item[names[index]] = list[rest % #list + 1]
      rest = math.floor(rest / #list)
    end
    items[number + 1] = item
  end
  return items
end

local function read_list(name, given)
  if reference.is(given) then return given end
  if handle.is(given) then
    local word = handle.word(handle.step(given))
    mistake.raise_here(("matrix: %s: a step is no list: use %s:exit()"):format(name, word))
  end
  if type(given) ~= "table" then
    mistake.raise_here(("matrix: %s: expected a list or a reference to one, got %s"):format(name,
      mistake.show(given)))
  end
  local list, message = require("luafabric.workflow.items").read_list(given)
  if not list then mistake.raise_here(("matrix: %s: %s"):format(name, message)) end
  return list
end

local function of_reference(node, name, view)
  local value, problem = evaluate.value(node.lists[name], view)
  if value == nil then return nil, problem end
  if type(value) == "string" then
    local message
    value, message = evaluate.decode(value, {})
    if value == nil then
      return nil, { fatal = true, message = ("matrix: %s: %s is no JSON list: %s"):format(name,
        reference.describe(node.lists[name]), message) }
    end
  end
  if type(value) ~= "table" or next(value) ~= nil and #value == 0 then
    return nil, { fatal = true, message = ("matrix: %s: %s is no list"):format(name,
      reference.describe(node.lists[name])) }
  end
  return value
end

--- What a matrix with references stands for, once they are known.
---@param node table
---@param view table
---@return table[]|nil items
---@return luafabric.ReferenceProblem|nil problem
function M.evaluate(node, view)
  local lists = {}
  for _, name in ipairs(node.names) do
    lists[name] = node.lists[name]
    if reference.is(lists[name]) then
      local problem
      lists[name], problem = of_reference(node, name, view)
      if not lists[name] then return nil, problem end
    end
  end
  local items, message = expand(node.names, lists)
  if not items then return nil, { fatal = true, message = "matrix: " .. message } end
  return items
end

--- Every combination of the lists.
---@param given table<string, any[]|luafabric.Reference>
---@return table[]|luafabric.Reference items
function M.new(given)
  if type(given) ~= "table" or reference.is(given) or handle.is(given) then
    mistake.raise_here("matrix: expected a table of names and lists, as in { region = { \"eu\", "
      .. "\"us\" } }")
  end
  local names, lists, steps, dynamic, reads_workflow = {}, {}, {}, false, false
  for name, list in ordered.pairs(given) do
    if type(name) ~= "string" or name == "" then
      mistake.raise_here(("matrix: expected names and lists, found the key %s"):format(
        mistake.show(name)))
    end
    names[#names + 1] = name
    lists[name] = read_list(name, list)
    if reference.is(list) then
      dynamic = true
      reference.node(list).is_used = true
      reads_workflow = reads_workflow or reference.reads_workflow(list)
      for _, step in ipairs(reference.steps(list)) do steps[#steps + 1] = step end
    end
  end
  if #names == 0 then mistake.raise_here("matrix: it has no lists") end
  if dynamic then
    return reference.wrap { op = "matrix", names = names, lists = lists, steps = steps,
      reads_workflow = reads_workflow }
  end
  local items, message = expand(names, lists)
  if not items then mistake.raise_here("matrix: " .. message) end
  return items
end

return M
