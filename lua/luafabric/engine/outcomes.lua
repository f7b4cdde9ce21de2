--- What ends mean together: what a step's end means to the steps after it, the outcome of an `each`
--- from its items, the outcome of a run from its steps. Pure.

local history = require "luafabric.history"

local M = {}

-- The outcome of a run is the gravest of its steps' (the order of the exit codes 6, 5, 4, 3, 1);
-- whatever is not here is "failed".
local gravity = { succeeded = 0, failed = 1, cancelled = 2, timed_out = 3, unauthorized = 4,
  unknown = 5 }

-- Where all failed items of an `each` share one of these, it is the outcome of the `each`.
local shared = { "unauthorized", "timed_out", "cancelled" }

--- What the end of a step means to the steps after it.
---@param step luafabric.StepState  ended
---@return "succeeded"|"failed"|"neutral"
function M.meaning(step)
  local outcome = step.outcome
  if outcome == "succeeded" then return "succeeded" end
  if outcome == "skipped" then return step.reason.kind == "condition" and "neutral" or "failed" end
  -- What may fail counts as done; a run whose fate is not known does not.
  return step.may_fail and outcome ~= "unknown" and "succeeded" or "failed"
end

--- Whether so many items failed that no other may start.
---@param each luafabric.StepState
---@param carried integer|nil  failures that do not count, since another run had them
---@return boolean
function M.is_over_tolerance(each, carried)
  local tolerate = each.tolerate or { count = 0 }
  local failed = each.failed - (carried or 0)
  if tolerate.percent then return failed * 100 > tolerate.percent * #each.items end
  return failed > tolerate.count
end

--- The outcome of an `each` whose items have all ended.
---@param each luafabric.StepState
---@param cut string|nil  the outcome of a run that was cut off, where it was
---@return string outcome
function M.of_each(each, cut)
  local tally, cut_off = {}, false
  for _, item in ipairs(each.items) do
    tally[item.outcome] = (tally[item.outcome] or 0) + 1
    cut_off = cut_off or item.outcome == "skipped" and item.reason.kind ~= "tolerance"
  end
  if tally.unknown then return "unknown" end
  if cut and cut_off then return cut end
  if not M.is_over_tolerance(each) then return "succeeded" end
  for _, outcome in ipairs(shared) do
    if tally[outcome] == each.failed then return outcome end
  end
  return "failed"
end

local function grave(outcome)
  return gravity[outcome] or gravity.failed
end

--- The outcome of a run from those of its steps.
---@param state luafabric.WorkflowRun
---@param without_finally boolean|nil  true: as a finally step sees it
---@param cut string|nil  "cancelled" or "timed_out", where something was cut off
---@return string outcome
function M.of_run(state, without_finally, cut)
  local worst = cut or "succeeded"
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    local outcome = step.outcome
    local counts = not step.parent and history.is_failure(outcome)
      and (not step.may_fail or outcome == "unknown") and not (without_finally and step.is_finally)
    if counts and grave(outcome) > grave(worst) then
      worst = gravity[outcome] and outcome or "failed"
    end
  end
  return worst
end

--- How many steps, items not counted, ended with which outcome.
---@param state luafabric.WorkflowRun
---@return table<string, integer>
function M.count(state)
  local counts = {}
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    if not step.parent and step.outcome then
      counts[step.outcome] = (counts[step.outcome] or 0) + 1
    end
  end
  return counts
end

return M
