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
    local before = state.previous and state.previous.steps or {}
    local steps = {}
    for path, step in pairs(before) do steps[path] = step end
    local numbers = state.numbers or {}
    for path, step in pairs(state.steps) do
      local last = step.attempts[#step.attempts]
      if last then numbers[path] = last.number end
      if step.phase ~= "pending" or not steps[path] then steps[path] = step end
    end
    state.previous = { steps = steps }
    state.numbers, state.script = numbers, event.script
    state.steps, state.top = {}, {}
    fold.declare(state, event)
  end

  -- What was under way then goes on.
  function readers.step_continued(state, event)
    local step, before = step_of(state, event), state.previous.steps[event.path]
    for _, field in ipairs { "attempts", "spent", "job_id", "retry", "notebook", "workspace" } do
      step[field] = before[field]
    end
    set_phase(state, step, "running")
  end

  return readers
end

return M
