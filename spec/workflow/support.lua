-- Plans and refusals of workflows that are written in a spec.

local definition = require "luafabric.workflow.definition"
local errors = require "luafabric.errors"
local request = require "luafabric.workflow.request"

local M = {}

M.STARTED = 1767225600 -- 2026-01-01T00:00:00Z

local function define(fn, options)
  return definition.new("nightly", options, function(flow)
    flow:defaults { workspace = "Sales" }
    return fn(flow)
  end)
end

--- The plan of a workflow; steps are in the workspace Sales.
function M.plan(fn, inputs, options)
  local plan, err = define(fn, options):plan { inputs = inputs, started_at = M.STARTED,
    run_id = "7f3a" }
  if not plan then error(tostring(err), 2) end
  return plan
end

--- What is said of a workflow that is refused, without its place.
function M.refusal(fn, inputs, options)
  local made, definition_or_err = pcall(define, fn, options)
  local err = definition_or_err
  if made then
    local plan
    plan, err = definition_or_err:plan { inputs = inputs, started_at = M.STARTED }
    if plan then error("the workflow was accepted", 2) end
  end
  assert(errors.is(err) and err.kind == "usage", "no error object of kind usage: " .. tostring(err))
  assert(not err.message:find("\n", 1, true), "more than one line: " .. err.message)
  local message, count = err.message:gsub("^[%./]*spec/workflow/[%w_]+%.lua:%d+: ", "")
  if count == 0 then return err.message end
  return message
end

--- The step of a workflow with one step, or the last one.
function M.step(fn, inputs)
  local plan = M.plan(fn, inputs)
  return plan.steps[#plan.steps]
end

--- Names of steps.
function M.names(steps)
  local names = {}
  for index, step in ipairs(steps) do names[index] = step.name end
  return names
end

--- What the engine would know: exit values and outcomes by step name.
---@param results table<string, string|table>  an exit value of a step that succeeded, or a Result
function M.view(results, failures, outcome)
  return {
    result = function(name)
      local result = results[name]
      if type(result) == "string" then return { outcome = "succeeded", exit_value = result } end
      return result
    end,
    failures = function() return failures or {} end,
    outcome = function() return outcome or "succeeded" end,
  }
end

--- The parameters of a request as they would be sent: name -> "Type value".
function M.sent(subject, view, item, index)
  local built, message = request.build(subject, view or M.view {}, item, index)
  if not built then return nil, message end
  local sent = {}
  for _, entry in ipairs(built.parameters) do
    sent[entry.name] = ("%s %s"):format(entry.type, tostring(entry.value))
  end
  return sent
end

return M
