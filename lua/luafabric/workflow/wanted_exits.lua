--- Which steps' exit values somebody reads: each costs a request of a quota. Read are those that
--- references name, that `expect` judges, and those of the last steps, which the summary shows. A
--- user's function may give a reference to any step before its own, which is not known until it is
--- called. Pure.

local M = {}

local function holds_function(value)
  if type(value) == "function" then return true end
  if type(value) ~= "table" or getmetatable(value) then return false end
  for _, inner in pairs(value) do
    if holds_function(inner) then return true end
  end
  return false
end

local function may_give_references(step)
  if step.kind ~= "each" then return false end
  return type(step.own_parameters) == "function" or holds_function(step.fields)
    or holds_function { step.timeout, step.deadline, step.priority, step.exclusive, step.tag }
end

--- All that come before some steps, once each.
local function mark_before(step, main_steps, seen)
  local open = { step }
  if step.is_finally then
    for _, other in ipairs(main_steps) do other.wants_exit = true end
  end
  while #open > 0 do
    for _, earlier in ipairs(table.remove(open).after) do
      if not seen[earlier] then
        seen[earlier], earlier.wants_exit = true, true
        open[#open + 1] = earlier
      end
    end
  end
end

local function has_expect(step)
  if step.expect then return true end
  for _, branch in pairs(step.branches or {}) do
    if branch and branch.expect then return true end
  end
  return step.kind == "switch" and step.default and step.default.expect ~= nil
end

--- Sets `wants_exit` of the steps of a plan; those that fields refer to have it already.
---@param steps luafabric.workflow.Step[]
---@param main_steps luafabric.workflow.Step[]  without the finally steps
function M.mark(steps, main_steps)
  local followed, seen = {}, {}
  for _, step in ipairs(steps) do
    for _, earlier in ipairs(step.after) do
      followed[earlier] = true
      if step.when.kind == "function" then earlier.wants_exit = true end
    end
    if may_give_references(step) then mark_before(step, main_steps, seen) end
  end
  for _, step in ipairs(steps) do
    local is_last = step.kind ~= "each" and not followed[step]
    step.wants_exit = step.wants_exit or is_last or has_expect(step) or false
  end
end

return M
