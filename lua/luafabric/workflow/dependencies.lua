--- What a step waits for: what the user gave as `after`, and the steps that its references read.
--- Names are kept until all steps are known. Pure.

local handle = require "luafabric.workflow.handle"
local mistake = require "luafabric.workflow.mistake"
local reference = require "luafabric.workflow.reference"

local M = {}

local step_of = handle.step_of

--- The `after` of steps that wait for nobody: one table for all of them, never written to.
M.none = {}

local FEW = 12 -- so many are compared one by one; beyond, a set is kept

-- Step -> set of what is in its `after`, where that is long.
local sets = setmetatable({}, { __mode = "k" })

local function refuse(step, message)
  mistake.raise(step.place, ('step "%s": after: %s'):format(step.name, message))
end

local function holds(step, other)
  local after = step.after
  local count = #after
  if count <= FEW then
    for index = 1, count do
      if after[index] == other then return true end
    end
    return false
  end
  local set = sets[step]
  if not set then
    set = {}
    for _, known in ipairs(after) do set[known] = true end
    sets[step] = set
  end
  if set[other] then return true end
  set[other] = true
  return false
end

local function check(step, other)
  if other.owner ~= step.owner then
    refuse(step, ('step "%s" (%s) belongs to another workflow, or to an earlier run of this one\'s '
      .. "function"):format(other.name, other.place))
  end
  if other.is_finally and not step.is_finally then
    refuse(step, ('step "%s" (%s) is a finally step, which runs when all others have ended: only '
      .. "a finally step can come after it"):format(other.name, other.place))
  end
end

--- Lets a step wait for another. Nothing happens when it does already.
---@param step luafabric.workflow.Step
---@param other luafabric.workflow.Step
function M.add(step, other)
  check(step, other)
  if step.after == M.none then
    step.after = { other }
  elseif not holds(step, other) then
    step.after[#step.after + 1] = other
  end
end

local function add_one(step, value, place)
  if handle.is(value) then return M.add(step, handle.step(value)) end
  if type(value) == "string" then
    if mistake.is_marked(value) then
      refuse(step, place .. "a step was written into a text: give the step itself")
    end
    -- Names wait until all steps are there; they may be declared later.
    step.owner.named = step.owner.named or {}
    local named = step.owner.named
    named[#named + 1] = { step = step, name = value }
    return nil
  end
  if reference.is(value) then
    local first = reference.steps(value)[1]
    refuse(step, ("%s%s is a reference: give the step itself%s"):format(place,
      reference.describe(value), first and ", after = " .. handle.word(first) or ""))
  end
  refuse(step, ("%sexpected a step, the name of one, or a list of them, got %s"):format(place,
    mistake.show(value)))
end

-- How many entries a list has: its largest index, so that a hole is seen.
local function length(step, list)
  local most, count = 0, 0
  for key in pairs(list) do
    if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then
      refuse(step, ("expected a list of steps, found the key %s in it"):format(mistake.show(key)))
    end
    if key > most then most = key end
    count = count + 1
  end
  return most, count
end

-- The common case, quickly: a list of steps and nothing else.
local function read_handles(step, given)
  local count = #given
  if count == 0 or next(given, count) ~= nil then return false end
  local first, second = step_of(given[1]), step_of(given[2])
  if count == 2 and first and second and first ~= second and step.after == M.none then
    check(step, first)
    check(step, second)
    step.after = { first, second }
    return true
  end
  for index = 1, count do
    local other = step_of(given[index])
    if not other then return false end -- what has been added may be added again
    M.add(step, other)
  end
  return true
end

--- Reads `after`.
---@param step luafabric.workflow.Step
---@param given any
function M.read(step, given)
  if given == false then return end
  if type(given) ~= "table" or handle.is(given) or reference.is(given) then
    return add_one(step, given, "")
  end
  if read_handles(step, given) then return end
  local most, count = length(step, given)
  if most ~= count then
    for index = 1, most do
      if given[index] == nil then
        refuse(step, ("entry %d is nil: is the variable spelled as the step's was, and set before?")
          :format(index))
      end
    end
  end
  for index = 1, most do add_one(step, given[index], ("entry %d: "):format(index)) end
end

--- What a reference in one of the step's fields means for its order.
---@param step luafabric.workflow.Step
---@param ref luafabric.Reference
function M.read_reference(step, ref)
  for _, other in ipairs(reference.steps(ref)) do
    M.add(step, other)
    other.wants_exit = true
  end
end

--- Puts the steps in the place of the names given as `after`.
---@param state table  the flow's
function M.resolve_names(state)
  for _, entry in ipairs(state.named or {}) do
    local other = state.by_name[entry.name]
    if not other then
      refuse(entry.step, ("there is no step \"%s\"%s"):format(entry.name,
        mistake.suggest(entry.name, state.by_name)))
    end
    M.add(entry.step, other)
  end
end

-- ---- the order ----

local function cycle_message(path, from)
  local words = {}
  for index = from, #path do
    words[#words + 1] = ("\"%s\" (%s)"):format(path[index].name, path[index].place)
  end
  words[#words + 1] = ('"%s"'):format(path[from].name)
  if #words == 2 then return "it comes after itself: take it out of its own `after`" end
  return ("it waits for itself: %s: take out one `after` of these"):format(
    table.concat(words, " after "))
end

local function refuse_cycle(path, step)
  for index, other in ipairs(path) do
    if other == step then refuse(step, cycle_message(path, index)) end
  end
end

-- Depth first, what a step waits for before it; without recursion, since a chain may be long.
local function visit(step, done, order, wanted)
  local path, nexts = { step }, { 1 }
  done[step] = "open"
  while #path > 0 do
    local top = path[#path]
    local at = nexts[#path]
    local other = top.after[at]
    nexts[#path] = at + 1
    if not other then
      if wanted(top) then order[#order + 1] = top end
      done[top] = "done"
      path[#path], nexts[#path] = nil, nil
    elseif done[other] == "open" then
      refuse_cycle(path, other)
    elseif not done[other] then
      done[other] = "open"
      path[#path + 1], nexts[#path + 1] = other, 1
    end
  end
end

local function is_sorted(steps)
  for index = 1, #steps do
    local after = steps[index].after
    for at = 1, #after do
      if after[at].index >= index then return false end
    end
  end
  return true
end

local function sorted(steps, is_finally)
  local order, done = {}, {}
  local function wanted(step) return step.is_finally == is_finally end
  for _, step in ipairs(steps) do
    if wanted(step) and not done[step] then visit(step, done, order, wanted) end
  end
  return order
end

local function split(steps)
  local order, last = {}, {}
  for index = 1, #steps do
    local step = steps[index]
    local into = step.is_finally and last or order
    into[#into + 1] = step
  end
  return order, last
end

--- All steps so that each comes after what it waits for; in the order of their declaration wherever
--- that is free, which it is without names of later steps.
---@param steps luafabric.workflow.Step[]
---@return luafabric.workflow.Step[] order    without the finally steps
---@return luafabric.workflow.Step[] finally
function M.order(steps)
  if is_sorted(steps) then return split(steps) end
  return sorted(steps, false), sorted(steps, true)
end

--- Whether a step comes before another, directly or not.
---@param step luafabric.workflow.Step
---@param other luafabric.workflow.Step  the earlier one
---@return boolean
function M.is_before(step, other)
  local seen, open = { [step] = true }, { step }
  while #open > 0 do
    local top = table.remove(open)
    for _, earlier in ipairs(top.after) do
      if earlier == other then return true end
      if not seen[earlier] then
        seen[earlier] = true
        open[#open + 1] = earlier
      end
    end
  end
  return step.is_finally and not other.is_finally
end

return M
