--- Whether a step whose dependencies have ended runs: `when`, judged once. Pure, but for the user's
--- own function.

local outcomes = require "luafabric.engine.outcomes"
local reference = require "luafabric.workflow.reference"
local tasks = require "luafabric.tasks"

local M = {}

---@class luafabric.Verdict
---@field runs boolean
---@field outcome string|nil  where it does not run: "skipped" or "rejected"
---@field reason { kind: string, message: string|nil, step: string|nil }|nil

local RUNS = { runs = true }

local function skipped(kind, message, step)
  return { runs = false, outcome = "skipped",
    reason = { kind = kind, message = message, step = step } }
end

local function rejected(message)
  return { runs = false, outcome = "rejected",
    reason = { kind = "rejected", message = "when: " .. message } }
end

local function upstream(path)
  return skipped("upstream", path, path)
end

-- What each preset needs of (succeeded, failed) among the dependencies.
local presets = {
  all_done = function() return true end,
  all_succeeded = function(_, failed) return failed == 0 end,
  none_failed = function(_, failed) return failed == 0 end,
  any_failed = function(_, failed) return failed > 0 end,
  any_succeeded = function(succeeded) return succeeded > 0 end,
}

local function judge_preset(kind, steps)
  local succeeded, failed, first_failed = 0, 0, nil
  for _, step in ipairs(steps) do
    local meaning = outcomes.meaning(step)
    if meaning == "succeeded" then succeeded = succeeded + 1 end
    if meaning == "failed" then
      failed, first_failed = failed + 1, first_failed or step.path
    end
  end
  if presets[kind](succeeded, failed) then return RUNS end
  if first_failed then return upstream(first_failed) end
  return skipped("condition", kind == "any_failed" and "nothing before it failed"
    or "nothing before it succeeded")
end

--- Steps that the condition does not read must not have failed; what it reads, it judges itself.
local function judge_condition(condition, steps, view)
  local read = {}
  for _, step in ipairs(reference.steps(condition)) do read[step.name] = true end
  for _, step in ipairs(steps) do
    local is_bad = not read[step.path] and outcomes.meaning(step) == "failed"
    if is_bad then return upstream(step.path) end
  end
  local value, problem = reference.value(condition, view)
  if problem then
    if problem.cause == "failed" then return upstream(problem.step) end
    if problem.cause then return skipped("condition", problem.message, problem.step) end
    return rejected(problem.message)
  end
  if value == true then return RUNS end
  return skipped("condition", reference.describe(condition) .. " is false")
end

local function judge_function(fn, steps, view)
  local results = {}
  for index, step in ipairs(steps) do
    local result = view.result(step.path)
    results[index], results[step.path] = result, result
  end
  local ok, value = pcall(tasks.forbid_waiting, "the function given as `when`", fn, results)
  if not ok then return rejected("its function raised: " .. tostring(value)) end
  if value == true then return RUNS end
  if value == false then return skipped("condition", "its function said false") end
  return rejected(("its function returned %s instead of true or false"):format(
    value == nil and "nothing" or "a " .. type(value)))
end

--- Judges a step.
---@param when { kind: string, condition: any, fn: function|nil }
---@param steps luafabric.StepState[]  those it looks at, all ended
---@param view table  of engine.view
---@return luafabric.Verdict
function M.judge(when, steps, view)
  if when.kind == "condition" then return judge_condition(when.condition, steps, view) end
  if when.kind == "function" then return judge_function(when.fn, steps, view) end
  return judge_preset(when.kind, steps)
end

return M
