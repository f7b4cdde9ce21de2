-- A run of a workflow told event by event, for the specs of what is shown of it.

local history = require "luafabric.history"

local Story = {}
Story.__index = Story

local M = {}

--- A run that has just started; `steps` are names, or tables of the fields of `run_started`.
---@param steps table
---@param fields table|nil  more of run_started; `at` begins at 13:00:00 UTC
function M.new(steps, fields)
  local story = setmetatable({ events = {}, heard = {}, state = history.new() }, Story)
  story.now = (fields and fields.at) or 1795611600
  local list = {}
  for index, step in ipairs(steps) do
    if type(step) == "string" then step = { path = step } end
    step.kind, step.after = step.kind or "notebook", step.after or {}
    step.notebook, step.workspace = step.notebook or step.path, step.workspace or "Sales"
    list[index] = step
  end
  local event = { run_id = "7f3a12", workflow = "nightly", file = "nightly.lua", inputs = {},
    max_concurrency = 50, steps = list }
  for name, value in pairs(fields or {}) do event[name] = value end
  event.at = nil
  story:tell("run_started", nil, event)
  return story
end

--- Lets time pass.
function Story:pass(seconds)
  self.now = self.now + seconds
  return self
end

--- One event; whoever listens hears it with the state after it.
function Story:tell(kind, path, fields)
  local event = { type = kind, at = self.now, path = path }
  for name, value in pairs(fields or {}) do event[name] = value end
  self.events[#self.events + 1] = event
  history.apply(self.state, event)
  if self.listen then self.listen(event, self.state) end
  return self
end

function Story:ready(path)
  return self:tell("step_ready", path, { because = { kind = "all_succeeded", result = true } })
end

--- The next attempt of a step is accepted by Fabric and runs.
function Story:start(path, job_id)
  self:intend(path)
  local attempt = #self.state.steps[path].attempts
  self:tell("attempt_submitted", path, { attempt = attempt, job_id = job_id or "job-" .. path })
  return self:tell("status_changed", path, { attempt = attempt, status = "InProgress" })
end

function Story:intend(path)
  local step = self.state.steps[path]
  return self:tell("attempt_intended", path, { attempt = #step.attempts + 1, request = {
    workspace = step.workspace, notebook = step.notebook, workspace_id = "w-1",
    notebook_id = "n-1", body = "{}" } })
end

--- Its attempt ends; `fields` are those of attempt_ended.
function Story:stop(path, outcome, fields)
  local event = { attempt = #self.state.steps[path].attempts, outcome = outcome }
  for name, value in pairs(fields or {}) do event[name] = value end
  return self:tell("attempt_ended", path, event)
end

--- The step ends.
function Story:finish(path, outcome, fields)
  local event = { outcome = outcome }
  for name, value in pairs(fields or {}) do event[name] = value end
  return self:tell("step_ended", path, event)
end

--- A whole step: it starts, runs for some time and ends.
function Story:run(path, seconds, outcome, fields)
  outcome, fields = outcome or "succeeded", fields or {}
  local job_id = fields.job_id or "job-" .. path
  self:start(path, job_id):pass(seconds):stop(path, outcome, fields)
  return self:finish(path, outcome, { exit_value = fields.exit_value, reason = fields.reason,
    job_id = job_id })
end

--- The items of an `each`, by their labels.
function Story:expand(path, labels)
  local items = {}
  for index, label in ipairs(labels) do
    items[index] = { path = ("%s[%s]"):format(path, label), label = label }
  end
  self:tell("step_ready", path, { because = { kind = "all_succeeded", result = true } })
  return self:tell("items_expanded", path, { items = items })
end

--- The run ends.
function Story:done(outcome)
  local counts = {}
  for _, path in ipairs(self.state.order) do
    local step = self.state.steps[path]
    if step.kind ~= "item" and step.outcome then
      counts[step.outcome] = (counts[step.outcome] or 0) + 1
    end
  end
  return self:tell("run_ended", nil, { outcome = outcome, counts = counts })
end

return M
