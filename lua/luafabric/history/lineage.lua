--- What a run takes over instead of running it: from the run that it repairs, from an earlier
--- success, or from itself before its file was changed. Readers of events for luafabric.history.

local M = {}

---@class luafabric.KeptStep  where the end of a step comes from that was not run again
---@field run_id string
---@field path string       there
---@field why "repair"|"changed"|"once"
---@field job_id string|nil
---@field ran_at number|nil  unix seconds when it ended there
---@field exit_read boolean|nil  its exit value was asked for
---@field request table|nil  workspace, notebook, their ids and the fingerprint; no body
---@field state luafabric.WorkflowRun|nil  that run, where a repair had to look into it

local continued_fields = { "attempts", "spent", "job_id", "retry", "notebook", "workspace",
  "branch", "max_attempts", "ready_at" }

-- Whether something was done for a step that makes it more than what it was before the change. One
-- that was kept is what it was, until its end is there, too.
local function has_begun(step)
  if step.phase == "ended" or #step.attempts > 0 then return true end
  for _, item in ipairs(step.items or {}) do
    if #item.attempts > 0 then return true end
  end
  return false
end

--- The steps of a run as they are, and where nothing was done for them since its file was changed,
--- as they were before.
---@param state luafabric.WorkflowRun
---@return table<string, luafabric.StepState> steps  by path
function M.merged(state)
  local steps = {}
  for path, step in pairs(state.previous and state.previous.steps or {}) do steps[path] = step end
  for path, step in pairs(state.steps) do
    if not steps[path] or has_begun(step) then steps[path] = step end
  end
  return steps
end

--- The readers.
---@param fold table  of the history: step_of, attempt_of, set_phase, declare
---@return table<string, fun(state: table, event: table)>
function M.readers(fold)
  local step_of, attempt_of, set_phase = fold.step_of, fold.attempt_of, fold.set_phase
  local readers = {}

  -- Its end follows as an event of its own.
  function readers.step_kept(state, event)
    local step = step_of(state, event)
    step.kept = { run_id = event.from_run, path = event.from_path or event.path, why = event.why,
      job_id = event.job_id, ran_at = event.ran_at, exit_read = event.exit_read,
      request = event.request }
    step.job_id, step.waiting, step.retry = event.job_id, nil, nil
    local request = event.request or {}
    step.notebook = request.notebook or step.notebook
    step.workspace = request.workspace or step.workspace
  end

  -- A run that another one left before its end was seen.
  function readers.attempt_attached(state, event)
    local step = step_of(state, event)
    step.retry, step.waiting, step.job_id = nil, nil, event.job_id
    step.notebook, step.workspace = event.request.notebook, event.request.workspace
    set_phase(state, step, "running")
    step.attempts[#step.attempts + 1] = { number = event.attempt, state = "submitted",
      intended_at = event.submitted_at, submitted_at = event.submitted_at, job_id = event.job_id,
      adopted = event.how, from_run = event.from_run, is_other = event.is_other,
      request = event.request }
  end

  function readers.attempt_resolved(state, event)
    local attempt = attempt_of(state, event)
    local is_closed = attempt.state == "ended" and (attempt.outcome ~= "unknown"
      or attempt.resolved ~= nil)
    if is_closed then
      error(("history: attempt_resolved of %s: it is not in doubt"):format(event.path), 0)
    end
    attempt.waiting = nil
    attempt.resolved = { by = event.by, at = event.at, job_id = event.job_id }
  end

  -- Its file has changed: everything is judged anew, by what there was before.
  function readers.plan_changed(state, event)
    local numbers = state.numbers or {}
    for path, step in pairs(state.steps) do
      local last = step.attempts[#step.attempts]
      if last then numbers[path] = last.number end
    end
    state.previous = { steps = M.merged(state) }
    state.numbers, state.script = numbers, event.script
    state.steps, state.top = {}, {}
    fold.declare(state, event)
  end

  -- What was under way then goes on; an `each` does whose items do.
  function readers.step_continued(state, event)
    local step, before = step_of(state, event), state.previous.steps[event.path]
    for _, field in ipairs(continued_fields) do
      step[field] = before[field]
    end
    set_phase(state, step, "running")
  end

  return readers
end

return M
