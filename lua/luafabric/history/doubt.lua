--- The submission of a step that may or may not have started a run, and the event that says what
--- became of it. Pure.

local M = {}

local function settled_words(resolved)
  if resolved.job_id then return "it is settled already: its run is job " .. resolved.job_id end
  return "it is settled already: it was not started"
end

--- The attempt of a step that is in doubt.
---@param step luafabric.StepState
---@return luafabric.AttemptState|nil attempt
---@return string|nil why  there is none
function M.of(step)
  if step.items then return nil, "it has items: name one of them" end
  local last = step.attempts[#step.attempts]
  if not last then return nil, "nothing was submitted for it" end
  if last.resolved then return nil, settled_words(last.resolved) end
  if last.job_id then
    return nil, "its submission is not in doubt: its run is job " .. last.job_id
      .. (last.may_run and ", which may still run: a repair watches it to its end" or "")
  end
  local is_open = last.state == "intended" or last.state == "unknown"
  if is_open or last.state == "ended" and last.outcome == "unknown" then return last end
  return nil, "its submission is not in doubt: it was not started"
end

--- The run of a step that has ended, where that run's own end was not seen: nothing is sent beside
--- it before it is.
---@param step luafabric.StepState
---@return string|nil job_id
---@return luafabric.AttemptState|nil attempt
function M.loose_job(step)
  local last = step.phase == "ended" and step.attempts[#step.attempts]
  if not last or last.state ~= "ended" then return nil end
  local job_id = last.resolved and last.resolved.job_id or last.may_run and last.job_id
  if job_id then return job_id, last end
end

--- What is written down of it.
---@param path string
---@param attempt luafabric.AttemptState  in doubt
---@param fate { by: string, how: string|nil, job_id: string|nil }  job_id: its run; nil: there is
---  none; by: "user", or "listing"
---@return table event  without `at`
function M.event(path, attempt, fate)
  if attempt.state ~= "ended" and fate.job_id then
    return { type = "attempt_adopted", path = path, attempt = attempt.number,
      job_id = fate.job_id, how = fate.how or fate.by }
  end
  return { type = "attempt_resolved", path = path, attempt = attempt.number, by = fate.by,
    how = fate.how, job_id = fate.job_id }
end

return M
