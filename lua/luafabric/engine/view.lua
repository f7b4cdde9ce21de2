--- What references and conditions may see of a run: results of steps that ended. Pure.

local history = require "luafabric.history"
local json = require "luafabric.json"
local outcomes = require "luafabric.engine.outcomes"

local M = {}

---@class luafabric.StepResult  of a step that ended
---@field outcome string
---@field exit_value string|nil  as text
---@field reason string|nil
---@field job_id string|nil
---@field skipped string|nil     why, where the outcome is skipped: "condition", "upstream", …
---@field label string|nil       of an item
---@field items luafabric.StepResult[]|nil  of an `each`
local Result = {}
Result.__index = Result

--- A part of the exit value, read as JSON; all of it as text without a path.
---@param ... string|integer  "a.b", or exact names and 1-based indices
---@return any value
---@return string|nil message
function Result:exit(...)
  local unpack = table.unpack or unpack
  if select("#", ...) == 0 then return self.exit_value end
  if self.exit_value == nil then return nil, "there is no exit value" end
  local path = { ... }
  if #path == 1 and type(path[1]) == "string" then path = json.split_path(path[1]) end
  return json.path(self.exit_value, unpack(path))
end

local function result_of(step, exit_values)
  local skipped = step.outcome == "skipped"
  local result = setmetatable({ outcome = step.outcome,
    -- A masked one is no value: who reads it after a resume is rejected, and not sent "***".
    exit_value = exit_values[step.path] or not step.is_exit_masked and step.exit_value or nil,
    job_id = step.job_id,
    label = step.label, reason = step.reason and step.reason.message,
    skipped = skipped and step.reason.kind or nil }, Result)
  if step.items then
    result.items = {}
    for index, item in ipairs(step.items) do result.items[index] = result_of(item, exit_values) end
  end
  return result
end

--- The view of a run.
---@param state luafabric.WorkflowRun
---@param exit_values table<string, string>  by path: those that the state has masked only
---@param cut fun(): string|nil  the outcome of a run that was cut off
---@return table view  result(name), forget(name), failures(), outcome()
function M.new(state, exit_values, cut)
  local view, known = {}, {}

  --- The result of a step. Of one that is to be judged anew, since the run's file was changed, it
  --- is what it was before: only what went on beside that asks for it so early.
  ---@return luafabric.StepResult|nil
  function view.result(name)
    local step, before = state.steps[name], state.previous and state.previous.steps[name]
    if not step then return nil end
    if step.phase ~= "ended" then
      return before and before.phase == "ended" and result_of(before, exit_values) or nil
    end
    known[name] = known[name] or result_of(step, exit_values)
    return known[name]
  end

  --- Its exit value was read again.
  function view.forget(name)
    known[name] = nil
  end

  --- What failed so far: steps, and items of an `each` instead of the `each` itself.
  ---@return table[]  { label, outcome, reason, job_id }
  function view.failures()
    local list = {}
    for _, path in ipairs(state.order) do
      local step = state.steps[path]
      local told_by_items = step.items and step.failed > 0
      if history.is_failure(step.outcome) and not told_by_items and not step.is_finally then
        list[#list + 1] = { label = path, outcome = step.outcome, job_id = step.job_id,
          reason = step.reason and step.reason.message }
      end
    end
    return json.array(list)
  end

  --- The outcome of the run, without its finally steps.
  ---@return string
  function view.outcome()
    return outcomes.of_run(state, true, cut())
  end

  return view
end

return M
