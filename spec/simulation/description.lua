-- What one can ask of a random workflow's description, without running it: what comes before what,
-- which labels there may be, how it looks, and how it looks without one of its steps.

local M = {}

--- What a list in an exit value is made of.
M.VALUES = { "a", "b", "c", "d", "e", "f", "g", "h" }

--- The labels that a list of this kind may turn out to have.
function M.possible_labels(list)
  local labels = {}
  if list.kind == "matrix" then
    for _, product in ipairs(list.products) do
      for _, region in ipairs(list.regions) do
        labels[#labels + 1] = ("product=%s,region=%s"):format(product, region)
      end
    end
    return labels
  end
  if list.kind == "records" then
    for _, item in ipairs(list.items) do
      labels[#labels + 1] = ("id=%s,size=%d"):format(item.id, item.size)
    end
    return labels
  end
  if list.kind == "values" then return list.items end
  for index, value in ipairs(M.VALUES) do labels[index] = value end
  labels[#labels + 1] = "z" -- of the default
  return labels
end

--- Labels in the order in which their items begin: the urgent ones first.
---@param step table
---@param labels string[]  in item order
---@return string[]
function M.in_order_of_begin(step, labels)
  if not step.urgency then return labels end
  local sorted = {}
  for urgency = 2, 0, -1 do
    for _, label in ipairs(labels) do
      if step.urgency[label] == urgency then sorted[#sorted + 1] = label end
    end
  end
  return sorted
end

--- The names that a step needs before it, given and implied.
---@return string[]
function M.after(step)
  local list, seen = {}, {}
  local function add(name)
    if name and not seen[name] then
      seen[name] = true
      list[#list + 1] = name
    end
  end
  for _, name in ipairs(step.after) do add(name) end
  for _, read in ipairs(step.reads) do add(read.step) end
  local when = step.when or {}
  for _, kind in ipairs { "exit", "outcome", "fn" } do add(when[kind] and when[kind].step) end
  add(step.list and step.list.read and step.list.read.step)
  add(step.on_read and step.on_read.step)
  return list
end

-- ---- for eyes ----

local function show(value)
  if type(value) ~= "table" then return tostring(value) end
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for index, key in ipairs(keys) do
    local shown = show(value[key])
    parts[index] = type(key) == "number" and shown or ("%s=%s"):format(key, shown)
  end
  return "{" .. table.concat(parts, " ") .. "}"
end

local SHOWN_APART = { name = true, kind = true, ok_share = true }

--- A line for each step.
---@return string
function M.describe(desc)
  local whole = {}
  for key, value in pairs(desc) do
    if key ~= "steps" and key ~= "ok_share" then whole[key] = value end
  end
  local lines = { show(whole) }
  for _, step in ipairs(desc.steps) do
    local rest = {}
    for key, value in pairs(step) do
      local is_empty = type(value) == "table" and next(value) == nil
      if not SHOWN_APART[key] and not is_empty then rest[key] = value end
    end
    lines[#lines + 1] = ("  %s %s %s"):format(step.name, step.kind, show(rest))
  end
  return table.concat(lines, "\n")
end

-- ---- smaller ----

local function copy(value)
  if type(value) ~= "table" then return value end
  local result = {}
  for key, item in pairs(value) do result[key] = copy(item) end
  return result
end

--- The same without a step; nil where another one cannot be without it.
---@return table|nil desc
function M.without(desc, name)
  local smaller = copy(desc)
  smaller.steps = {}
  for _, step in ipairs(copy(desc.steps)) do
    if step.name ~= name then
      if step.on_read and step.on_read.step == name then return nil end
      if step.list and step.list.read and step.list.read.step == name then return nil end
      for index = #step.after, 1, -1 do
        if step.after[index] == name then table.remove(step.after, index) end
      end
      for index = #step.reads, 1, -1 do
        if step.reads[index].step == name then table.remove(step.reads, index) end
      end
      local when = step.when or {}
      for _, kind in ipairs { "exit", "outcome", "fn" } do
        if when[kind] and when[kind].step == name then step.when = nil end
      end
      if when.preset and #M.after(step) == 0 then step.when = nil end
      smaller.steps[#smaller.steps + 1] = step
    end
  end
  return smaller
end

return M
