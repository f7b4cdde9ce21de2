--- The items of flow:each: lists, matrices, months and days, and the labels by which each item is
--- known. Pure.

local core = require "luafabric.core"
local evaluate = require "luafabric.workflow.evaluate"
local field_value = require "luafabric.workflow.field_value"
local handle = require "luafabric.workflow.handle"
local json = require "luafabric.json"
local matrix = require "luafabric.workflow.matrix"
local mistake = require "luafabric.workflow.mistake"
local node_module = require "luafabric.workflow.node"
local ordered = require "luafabric.workflow.ordered"
local reference = require "luafabric.workflow.reference"
local secret = require "luafabric.workflow.secret"
local tasks = require "luafabric.tasks"
local types = require "luafabric.types"
local value_module = require "luafabric.workflow.value"

local M = {}

--- More of them are a slip.
M.MOST = 100000

---@class luafabric.workflow.Item
---@field label string  unique among the items of the step
---@field item any

-- ---- labels ----

local label_of

local function is_special(value)
  return secret.is(value) or types.is(value) or value_module.is(value)
end

local function table_label(item)
  if #item > 0 then
    local words = {}
    for index, value in ipairs(item) do words[index] = label_of(value) end
    return table.concat(words, ",")
  end
  local words = {}
  for name, value in ordered.pairs(item) do
    words[#words + 1] = ("%s=%s"):format(tostring(name), label_of(value))
  end
  return table.concat(words, ",")
end

function label_of(value)
  if secret.is(value) then return secret.MASK end
  if types.is(value) then value = value.value end
  if value_module.is(value) then value = tostring(value) end
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "table" and next(value) ~= nil then return table_label(value) end
  if kind == "table" then return "{}" end
  return json.encode(value) or tostring(value)
end

-- Labels stand in names, tables and terminals.
local function clean(label)
  if label == "" then return '""' end
  if not label:find("%c") then return label end
  return (label:gsub("%c", function(char) return ("\\%d"):format(char:byte()) end))
end

local function own_label(step, item, index)
  local ok, label = pcall(tasks.forbid_waiting, "the function given as label", step.label, item,
    index)
  if not ok then
    return nil, mistake.caught(label, "in the function given as label: ")
  end
  if type(label) == "number" then label = json.encode(label) end
  if value_module.is(label) then label = tostring(label) end
  if type(label) ~= "string" or label == "" then
    return nil, ("label: the function returned %s for item %d: expected a text"):format(
      label == "" and "an empty text" or mistake.show(label), index)
  end
  if mistake.is_marked(label) then
    return nil, ("label: the text for item %d holds a reference or a secret"):format(index)
  end
  return label
end

-- ---- lists ----

-- Whether nothing of the step changes from item to item.
local function is_unused(step)
  return step.fields.parameters == nil and not step.item_functions
end

local function check_item(step, item, index)
  local kind = type(item)
  if kind == "function" or kind == "userdata" and item ~= json.null or kind == "thread" then
    return nil, ("item %d is a %s"):format(index, kind)
  end
  if kind == "table" and not is_special(item) then return true end
  if is_unused(step) then
    return nil, ("item %d (%s) is a plain value, and nothing says where it goes: write parameters "
      .. "= function(item) return { name = item } end"):format(index, label_of(item))
  end
  return true
end

--- Items with their labels.
---@param step luafabric.workflow.Step
---@param list any[]
---@return luafabric.workflow.Item[]|nil items
---@return string|nil message
function M.label(step, list)
  local items, seen = {}, {}
  for index = 1, #list do
    local item = list[index]
    local ok, message = check_item(step, item, index)
    if not ok then return nil, message end
    local label
    if step.label then
      label, message = own_label(step, item, index)
      if not label then return nil, message end
    else
      label = label_of(item)
    end
    label = clean(label)
    if seen[label] then
      return nil, ("items %d and %d have the same label \"%s\": %s"):format(seen[label], index,
        label, step.label and "the function given as label must tell them apart"
          or "take one out, or tell them apart with label = function(item, index) … end")
    end
    seen[label] = index
    items[index] = { label = label, item = item }
  end
  return items
end

local function check_references(item, index)
  if type(item) == "string" and mistake.is_marked(item) then
    return nil, ("item %d holds a reference or a secret written into a text by %%s or tostring")
      :format(index)
  end
  if handle.is(item) then return nil, field_value.handle_problem(item, "item " .. index) end
  if reference.is(item) then
    return nil, ("item %d is a reference, which has no value yet: for a list that a notebook gives"
      .. ", give the reference itself in place of the list"):format(index)
  end
  if type(item) ~= "table" or is_special(item) then return true end
  for name, value in ordered.pairs(item) do
    if reference.is(value) then
      return nil, ("item %d: %s is a reference, which has no value yet: write parameters = "
        .. "function(item) return { …, %s = … } end"):format(index, tostring(name), tostring(name))
    end
  end
  return true
end

--- A list that the user wrote: a copy, once it is known to be one.
---@param given table
---@return any[]|nil list
---@return string|nil message
function M.read_list(given)
  local most, count = 0, 0
  for key in pairs(given) do
    if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then
      return nil, ("expected a list of items, found the key %s in it"):format(mistake.show(key))
    end
    if key > most then most = key end
    count = count + 1
  end
  if most ~= count then return nil, "there is a nil in the list of items" end
  if count > M.MOST then
    return nil, ("%d items are too many, the most is %d"):format(count, M.MOST)
  end
  local list = {}
  for index = 1, count do
    local ok, message = check_references(given[index], index)
    if not ok then return nil, message end
    list[index] = given[index]
  end
  return list
end

-- Empty lists are marked as such.
local function is_list(value)
  if next(value) ~= nil then return #value > 0 end
  return getmetatable(value) == node_module.list_meta
end

--- The items of an `each`, once its list is known.
---@param step luafabric.workflow.Step
---@param view table
---@return luafabric.workflow.Item[]|nil items
---@return string|nil message
function M.of(step, view)
  if not reference.is(step.items) then return M.label(step, step.items) end
  local shown = reference.describe(step.items)
  local list, problem = evaluate.value(step.items, view)
  if list == nil then return nil, "items: " .. problem.message end
  if type(list) == "string" then
    local decoded, message = evaluate.decode(list, {})
    if decoded == nil then
      return nil, ("items: %s is no JSON list: %s"):format(shown, message)
    end
    list = decoded
  end
  if type(list) ~= "table" then
    return nil, ("items: %s is %s, expected a list"):format(shown, mistake.show(list))
  end
  if not is_list(list) then
    return nil, ("items: %s is an object, expected a list"):format(shown)
  end
  if #list > M.MOST then
    return nil, ("items: %s has %d items, the most is %d"):format(shown, #list, M.MOST)
  end
  local items, message = M.label(step, list)
  if not items then return nil, "items: " .. message end
  return items
end

-- ---- months and days ----

local function text_of(value, what)
  if value_module.is(value) then return tostring(value) end
  if types.is(value) then value = value.value end
  if reference.is(value) then
    mistake.raise_here(("%s: %s has no value yet: let the notebook give the list, and give "
      .. "flow:each that"):format(what, reference.describe(value)))
  end
  if type(value) == "string" then return value end
  mistake.raise_here(("%s: expected a text such as %s, got %s"):format(what,
    what == "months" and '"2024-01"' or '"2024-01-30"', mistake.show(value)))
end

local function bad_date(what, value, expected)
  mistake.raise_here(("%s: %s is no %s: expected %s"):format(what, mistake.show(value),
    what == "months" and "month" or "day", expected))
end

-- Months since the year 0.
local function month_number(value)
  local text = text_of(value, "months")
  local year, month, rest = text:match("^(%d%d%d%d)%-(%d%d)(.*)$")
  local number = month and tonumber(month)
  if not number or number < 1 or number > 12 or rest ~= "" and not rest:find("^%-%d%d") then
    bad_date("months", text, '"2024-01"')
  end
  return tonumber(year) * 12 + number - 1
end

-- Days since 1970.
local function day_number(value)
  local text = text_of(value, "days")
  local date, rest = text:match("^(%d%d%d%d%-%d%d%-%d%d)(.*)$")
  local seconds = date and (rest == "" or rest:find("^T")) and core.parse_time(date .. "T00:00:00Z")
  if not seconds then bad_date("days", text, '"2024-01-30"') end
  return math.floor(seconds / 86400)
end

local function range(what, from, to, number_of, show)
  local first, last = number_of(from), number_of(to)
  if first > last then
    mistake.raise_here(("%s: %s is after %s"):format(what, show(first), show(last)))
  end
  if last - first >= M.MOST then
    mistake.raise_here(("%s: %d are too many, the most is %d"):format(what, last - first + 1,
      M.MOST))
  end
  local list = {}
  for number = first, last do list[#list + 1] = show(number) end
  return list
end

--- All months from one to another, both included.
---@param from string  "2024-01"; a day or a DateTime counts as its month
---@param to string
---@return string[] months
function M.months(from, to)
  return range("months", from, to, month_number, function(number)
    return ("%04d-%02d"):format(math.floor(number / 12), number % 12 + 1)
  end)
end

--- All days from one to another, both included.
---@param from string  "2024-01-30"; of a DateTime, its day
---@param to string
---@return string[] days
function M.days(from, to)
  return range("days", from, to, day_number, function(number)
    return core.format_time(number * 86400):sub(1, 10)
  end)
end

M.matrix = matrix.new

return M
