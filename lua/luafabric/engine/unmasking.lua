--- Exit values that hold a secret are not written down: a run that is taken up again reads them
--- from the runs that gave them, where somebody needs them.

local request_module = require "luafabric.workflow.request"
local switch = require "luafabric.workflow.switch"

local M = {}

-- What was secret in it stays so.
local function add_masks(engine, step, state)
  local branch = step
  if step.kind == "switch" then branch = switch.taken(step, state.branch) end
  if not branch or state.parent then return end
  local request, _, masks = request_module.build(branch, engine.view)
  engine.masks:add(request and request.masks or masks)
end

local function read_again(engine, step, state)
  if not state.is_exit_masked or engine.exit_values[state.path] then return end
  local last = state.attempts[#state.attempts] or {}
  local request = state.kept and state.kept.request or last.request
  if not request or not state.job_id then return end
  add_masks(engine, step, state)
  local run = engine.port:known_run(request, state.job_id)
  if not run then return end
  engine.port:read_details(run)
  if not run.details_read then return end
  engine.exit_values[state.path] = run.exit_value
  engine.view.forget(step.name)
end

--- Reads the masked exit values of what comes before a step; in a task. What is not to be had is
--- left out.
---@param engine table
---@param step luafabric.workflow.Step
function M.read(engine, step)
  for _, before in ipairs(step.after) do
    local state = engine.state.steps[before.name]
    for _, one in ipairs(state.items or { state }) do read_again(engine, before, one) end
  end
end

return M
