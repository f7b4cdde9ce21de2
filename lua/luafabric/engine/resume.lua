--- A run that is taken up again: its state is the fold of what was written down, and every step
--- goes on from there. What was submitted is watched again, what may have been submitted is looked
--- for, and nothing is sent twice.

local errors = require "luafabric.errors"
local fan_out = require "luafabric.engine.fan_out"
local restoring = require "luafabric.engine.restoring"
local start_event = require "luafabric.engine.start_event"
local stopping = require "luafabric.engine.stopping"
local switch = require "luafabric.workflow.switch"

local M = {}

-- ---- is it the same workflow? ----

--- What makes a step the step it is, and what has become of it where it is another.
local function difference(now, before)
  if now.path ~= before.path then
    return ("step %s stands where %s was"):format(now.path, before.path)
  end
  local after, was_after = table.concat(now.after, ", "), table.concat(before.after, ", ")
  if now.kind ~= before.kind or after ~= was_after or now.is_finally ~= before.is_finally then
    return "step " .. now.path .. " is another"
  end
  for _, name in ipairs { "notebook", "workspace" } do
    if now[name] ~= before[name] then
      return ("the %s of step %s is %s, and was %s"):format(name, now.path, tostring(now[name]),
        tostring(before[name]))
    end
  end
end

--- Whether a plan is that of the run: the same steps, in the same order.
---@param plan table
---@param started table  the event that began it
---@return boolean|nil same
---@return luafabric.Error|nil err
function M.check(plan, started)
  local declared = start_event.steps(plan)
  local function changed(what)
    return nil, errors.new { kind = "usage", message = ("%s is not the workflow that run %s was "
      .. "started with: %s. Undo the change, or start a new run"):format(plan.file or plan.name,
      started.run_id, what) }
  end
  if plan.name ~= started.workflow then
    return changed(("it is named %s, and was %s"):format(plan.name, started.workflow))
  end
  for index = 1, math.max(#declared, #started.steps) do
    local now, before = declared[index], started.steps[index]
    if not before then return changed("step " .. now.path .. " is new") end
    if not now then return changed("step " .. before.path .. " is gone") end
    local what = difference(now, before)
    if what then return changed(what) end
  end
  return true
end

-- ---- from the fold to what goes on ----

--- The branch whose fields a step runs with.
local function branch_of(step, state)
  if step.kind ~= "switch" then return step end
  return switch.taken(step, state.branch)
end

local function restore_step(engine, node)
  local step, state = node.step, engine.state.steps[node.step.name]
  if state.phase == "pending" or state.phase == "ended" then return end
  if state.items then return fan_out.restore(engine, node) end
  if step.kind == "each" or step.kind == "switch" and not state.branch then
    return engine:begin_step(node)
  end
  local branch = branch_of(step, state)
  if branch then return restoring.restore(engine, engine:new_unit(step.name, step, branch)) end
  engine:end_step(step.name, "skipped", { kind = "condition",
    message = ("the branch %s is false"):format(tostring(state.branch)) })
end

local function count_ended(engine, node)
  if engine.state.steps[node.step.name].phase ~= "ended" then return end
  engine.open[node.phase] = engine.open[node.phase] - 1
  for _, later in ipairs(node.dependents) do later.waiting = later.waiting - 1 end
end

--- The jobs of all attempts are known to be ours: no doubt is about them.
local function claim_jobs(engine, steps)
  for _, step in pairs(steps) do
    for _, attempt in ipairs(step.attempts) do
      if attempt.job_id then engine.port:claim(attempt.request, attempt.job_id) end
    end
  end
end

--- Brings an engine whose state is a fold to where the run was.
---@param engine table
function M.restore(engine)
  for _, node in pairs(engine.nodes) do count_ended(engine, node) end
  claim_jobs(engine, engine.state.steps)
  if engine.state.previous then claim_jobs(engine, engine.state.previous.steps) end
  for _, list in ipairs { engine.plan.order, engine.plan.finally } do
    for _, step in ipairs(list) do restore_step(engine, engine.nodes[step.name]) end
  end
  if engine.state.cancelled then stopping.cut_again(engine, engine.state.cancelled) end
end

return M
