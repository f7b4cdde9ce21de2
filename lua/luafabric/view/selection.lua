--- Which of many items a report shows: failed ones before all others. Pure.

local rows = require "luafabric.view.rows"

local M = {}

---@class luafabric.Selection
---@field items luafabric.StepState[]  failed ones first, each part in item order
---@field failed_left_out integer
---@field others_left_out integer

--- The items of an `each` that are shown.
---@param step luafabric.StepState
---@param most_failed integer
---@param most_others integer
---@return luafabric.Selection
function M.of(step, most_failed, most_others)
  local failed, others, chosen = 0, 0, {}
  local later = {}
  for _, item in ipairs(step.items or {}) do
    if rows.is_bad(item) then
      failed = failed + 1
      if failed <= most_failed then chosen[#chosen + 1] = item end
    else
      others = others + 1
      if others <= most_others then later[#later + 1] = item end
    end
  end
  for _, item in ipairs(later) do chosen[#chosen + 1] = item end
  return { items = chosen, failed_left_out = math.max(0, failed - most_failed),
    others_left_out = math.max(0, others - most_others) }
end

--- What a report says below the items that it shows; nil where it shows all.
---@param selection luafabric.Selection
---@return string|nil
function M.note(selection)
  local parts = {}
  if selection.failed_left_out > 0 then
    parts[#parts + 1] = ("%d more failed"):format(selection.failed_left_out)
  end
  if selection.others_left_out > 0 then
    parts[#parts + 1] = ("%d others"):format(selection.others_left_out)
  end
  if #parts == 0 then return nil end
  return "Not shown: " .. table.concat(parts, ", ") .. "."
end

--- The steps without items, in the order in which they are shown.
---@param state luafabric.WorkflowRun
---@return luafabric.StepState[]
function M.steps(state)
  local list = {}
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    if step.kind ~= "item" then list[#list + 1] = step end
  end
  return list
end

--- The same with the failed ones first.
---@param state luafabric.WorkflowRun
---@return luafabric.StepState[]
function M.failed_first(state)
  local list, others = {}, {}
  for _, step in ipairs(M.steps(state)) do
    local target = (rows.is_bad(step) or (step.failed or 0) > 0) and list or others
    target[#target + 1] = step
  end
  for _, step in ipairs(others) do list[#list + 1] = step end
  return list
end

return M
