--- What happened in a workflow's run: the vocabulary of events, and the fold that turns them into
--- the state. Everything anybody knows about a run is this fold: the engine decides on it, progress
--- and reports show it, and a run that is resumed is folded again. Pure.
---
--- Every event has `type`, `at` (unix seconds) and, where it is about a step, `path`: "ingest", or
--- "clean[us]" for an item of an `each`.

local lineage = require "luafabric.history.lineage"

local M = {}

--- The states of an attempt, and what leads from one to the next. An event that its state does not
--- list cannot happen: the fold raises.
---
--- | state       | is there a run in Fabric?                                  |
--- |-------------|------------------------------------------------------------|
--- | `intended`  | not known until the answer: the submission is on its way   |
--- | `waiting`   | surely not: it is submitted again when the wait is over    |
--- | `unknown`   | perhaps: its answer told nothing, and it is looked for     |
--- | `submitted` | yes, under `job_id`                                        |
--- | `ended`     | as the outcome says                                        |
M.attempt_transitions = {
  intended = { attempt_repeated = "intended", attempt_waiting = "waiting",
    attempt_submitted = "submitted", attempt_adopted = "submitted",
    attempt_resolved = "waiting", attempt_doubtful = "unknown", attempt_ended = "ended" },
  waiting = { attempt_repeated = "intended", attempt_waiting = "waiting",
    attempt_submitted = "submitted", attempt_doubtful = "unknown", attempt_ended = "ended" },
  unknown = { attempt_doubtful = "unknown", attempt_adopted = "submitted",
    attempt_resolved = "waiting", attempt_ended = "ended" },
  submitted = { attempt_waiting = "submitted", status_changed = "submitted",
    attempt_ended = "ended" },
  ended = { attempt_resolved = "ended" }, -- of one whose outcome is unknown
}

---@class luafabric.WorkflowRun  a run as its events tell it
---@field run_id string
---@field workflow string
---@field file string|nil
---@field inputs { name: string, type: string, value: any, secret: boolean|nil }[]  secrets are
---  masked, and known again by a keyed fingerprint
---@field started_at number|nil   unix seconds
---@field ended_at number|nil
---@field now number|nil          time of the last event
---@field outcome string|nil      nil while it runs, and when it was detached: succeeded, failed,
---  cancelled, timed_out, unauthorized, unknown
---@field timeout number|nil      seconds
---@field deadline number|nil     unix seconds
---@field on_deadline string|nil  "cancel" or "warn"
---@field max_concurrency integer|nil
---@field submission string|nil   what follows a submission whose answer is lost, see workflow:run
---@field exclusive boolean|nil   nobody else runs any of its notebooks
---@field endpoint string|nil     the API that it talks to
---@field parent string|nil       id of the run that this one repairs
---@field only string[]|nil       of a repair: the paths that it was restricted to
---@field origin { run_id: string, started_at: number }|nil  of a repair: what the workflow's
---  function is told, which is of the first run of all
---@field script { name: string, hash: string }[]|nil  its file, and the modules beside it
---@field previous { steps: table<string, luafabric.StepState> }|nil  what it was before its file
---  was changed
---@field numbers table<string, integer>|nil  of the last attempts until then, by path
---@field detached boolean|nil    nobody watches it any more
---@field handed_over boolean|nil  another process is to go on with it; in a report, not in a fold
---@field cancelled { by: string, at: number, now: boolean|nil }|nil
---@field warnings { at: number, path: string|nil, message: string }[]
---@field counts table<string, integer>|nil  outcomes of steps, at the end
---@field top luafabric.StepState[] the steps without the items of `each`, as they are shown
---@field order string[]          paths of all of them; items follow their `each`
---@field steps table<string, luafabric.StepState>  by path

---@class luafabric.StepState
---@field path string             its identity
---@field name string             of an item: its `each`'s
---@field kind "notebook"|"each"|"switch"|"item"
---@field parent string|nil       of an item: the path of its `each`
---@field label string|nil        of an item
---@field is_finally boolean|nil
---@field after string[]          names
---@field notebook string|nil     as it was named; a placeholder where that is not known yet
---@field workspace string|nil
---@field place string|nil        "nightly.lua:12"
---@field may_fail boolean|nil
---@field priority number|nil
---@field max_attempts integer|nil  of its retry policy; of a switch, once a branch is taken
---@field phase "pending"|"ready"|"running"|"ended"  ready: waits for a free slot
---@field ready_at number|nil     unix seconds
---@field ended_at number|nil
---@field outcome string|nil
---@field reason { kind: string, message: string|nil, step: string|nil }|nil
---@field branch string|nil       of a switch
---@field exit_value string|nil
---@field is_exit_masked boolean|nil  it held a secret, and is not what the notebook gave
---@field job_id string|nil       of its last attempt
---@field kept luafabric.KeptStep|nil  it was not run: its end is that of an earlier run
---@field attempts luafabric.AttemptState[]
---@field spent integer          attempts that ended and count among those its policy gives
---@field retry { at: number, cause: string, spent: boolean }|nil  while it waits for one
---@field waiting { cause: string, since: number, till: number|nil }|nil  while it queues for
---  capacity or quota, before an attempt
---@field items luafabric.StepState[]|nil  of an `each`, once they are known
---@field tolerate table|nil      { count = } or { percent = }
---@field max_concurrency integer|nil
---@field open integer|nil        items that have not ended
---@field running integer|nil     items that run
---@field failed integer|nil      items that ended otherwise than succeeded or skipped
---@field succeeded integer|nil

---@class luafabric.AttemptState
---@field number integer
---@field state "intended"|"waiting"|"unknown"|"submitted"|"ended"
---@field status string|nil       Fabric's word
---@field waiting { cause: string, since: number, till: number }|nil
---@field doubt { since: number, till: number, message: string, accepted: boolean|nil }|nil  its
---  submission got no answer that tells; accepted: there is a run, whose id is not known
---@field adopted string|nil      how its run was found: "exclusive", "tag", "request_id", "user"
---@field resolved { by: string, at: number, job_id: string|nil }|nil  what became of a submission
---  in doubt, where it was told later: its run, or that there is none
---@field from_run string|nil     the run that left it behind, where this one only watches it
---@field is_other boolean|nil    of such a one: it was asked for something else, or before
---  something changed; its end is awaited, and does not count
---@field intended_at number
---@field repeated_at number|nil  when it was last meant to be sent again, after a wait
---@field submitted_at number|nil
---@field running_at number|nil   when InProgress was first seen
---@field ended_at number|nil
---@field outcome string|nil
---@field job_id string|nil
---@field may_run boolean|nil     it ended here before its run's end was seen
---@field request_id string|nil
---@field started_at string|nil   Fabric's own times
---@field finished_at string|nil
---@field failure_reason any
---@field error table|nil
---@field exit_value string|nil
---@field exit_read boolean|nil   the exit value was asked for, so that nil says that there is none
---@field links table<string, string>|nil
---@field request table           workspace, notebook, their ids, body; is_masked: it is not what
---  was sent, since that held secrets

local Run = {}
Run.__name = "luafabric.workflow_run"

--- `order` is made when it is asked for: a fan-out of thousands would rewrite it for every `each`.
function Run:__index(name)
  if name ~= "order" then return Run[name] end
  local order = {}
  for _, step in ipairs(self.top) do
    order[#order + 1] = step.path
    for _, item in ipairs(step.items or {}) do order[#order + 1] = item.path end
  end
  self.order = order
  return order
end

--- True when the workflow succeeded.
---@return boolean
function Run:ok()
  return self.outcome == "succeeded"
end

function Run:__tostring()
  return ("run %s of workflow %s: %s"):format(tostring(self.run_id), tostring(self.workflow),
    self.outcome or self.detached and "detached" or "running")
end

--- A run of which nothing is known.
---@return luafabric.WorkflowRun
function M.new()
  return setmetatable({ top = {}, steps = {}, warnings = {}, inputs = {} }, Run)
end

--- Whether an outcome counts as one of the failures of an `each`, and of a workflow.
---@param outcome string|nil
---@return boolean
function M.is_failure(outcome)
  return outcome ~= nil and outcome ~= "succeeded" and outcome ~= "skipped"
end

-- ---- the fold ----

local readers = {}

local function step_of(state, event)
  local step = state.steps[event.path]
  if step then return step end
  error(("history: %s: there is no step %s"):format(event.type, tostring(event.path)), 0)
end

local function attempt_of(state, event)
  local step = step_of(state, event)
  local attempt = step.attempts[#step.attempts]
  local after = attempt and M.attempt_transitions[attempt.state][event.type]
  if not after or attempt.number ~= event.attempt then
    error(("history: %s of %s: its attempt %s is %s"):format(event.type, event.path,
      tostring(event.attempt), attempt and attempt.state or "not there"), 0)
  end
  attempt.state = after
  return attempt, step
end

local function parent_of(state, step)
  return step.parent and state.steps[step.parent]
end

local function set_phase(state, step, phase)
  if step.phase == phase then return end
  local parent = parent_of(state, step)
  if parent then
    if step.phase == "running" then parent.running = parent.running - 1 end
    if phase == "running" then parent.running = parent.running + 1 end
  end
  step.phase = phase
end

local run_fields = { "run_id", "workflow", "file", "inputs", "timeout", "deadline", "on_deadline",
  "max_concurrency", "submission", "exclusive", "endpoint", "parent", "only", "origin", "script" }

local step_fields = { "path", "kind", "is_finally", "after", "notebook", "workspace", "may_fail",
  "priority", "place", "tolerate", "max_concurrency", "max_attempts" }

local function declare(state, event)
  for index, given in ipairs(event.steps) do
    local step = { phase = "pending", attempts = {}, spent = 0, name = given.path }
    for _, field in ipairs(step_fields) do step[field] = given[field] end
    state.steps[step.path], state.top[index] = step, step
  end
  state.order = nil
end

function readers.run_started(state, event)
  state.started_at = event.at
  for _, field in ipairs(run_fields) do state[field] = event[field] end
  declare(state, event)
end

function readers.step_ready(state, event)
  local step = step_of(state, event)
  step.ready_at = event.at
  set_phase(state, step, "ready")
end

function readers.branch_taken(state, event)
  local step = step_of(state, event)
  step.branch, step.max_attempts = event.branch, event.max_attempts
end

function readers.items_expanded(state, event)
  local step = step_of(state, event)
  set_phase(state, step, "running")
  step.items, step.open, step.running = {}, #event.items, 0
  step.failed, step.succeeded = 0, 0
  for index, given in ipairs(event.items) do
    local item = { path = given.path, name = step.name, kind = "item", parent = step.path,
      label = given.label, is_finally = step.is_finally, after = step.after, place = step.place,
      notebook = step.notebook, workspace = step.workspace, priority = step.priority,
      max_attempts = step.max_attempts,
      phase = "ready", ready_at = event.at, attempts = {}, spent = 0 }
    step.items[index], state.steps[item.path] = item, item
  end
  state.order = nil
end

-- Nothing is being sent yet: it queues for what limits all.
function readers.step_waiting(state, event)
  local step = step_of(state, event)
  local before = step.waiting
  step.waiting = { cause = event.cause, position = event.position,
    till = event.seconds and event.at + event.seconds or nil,
    since = before and before.cause == event.cause and before.since or event.at }
end

function readers.attempt_intended(state, event)
  local step = step_of(state, event)
  local last = step.attempts[#step.attempts]
  if last and last.state ~= "ended" then
    error(("history: attempt_intended of %s: its attempt %d is still %s"):format(event.path,
      last.number, last.state), 0)
  end
  step.retry, step.job_id, step.waiting = nil, nil, nil
  step.notebook, step.workspace = event.request.notebook, event.request.workspace
  set_phase(state, step, "running")
  step.attempts[#step.attempts + 1] = { number = event.attempt, state = "intended",
    intended_at = event.at, request = event.request }
end

function readers.attempt_waiting(state, event)
  local attempt = attempt_of(state, event)
  local before = attempt.waiting
  attempt.waiting = { cause = event.cause, till = event.at + event.seconds,
    since = before and before.cause == event.cause and before.since or event.at }
end

function readers.attempt_repeated(state, event)
  attempt_of(state, event).repeated_at = event.at
end

function readers.attempt_submitted(state, event)
  local attempt, step = attempt_of(state, event)
  attempt.submitted_at, attempt.waiting = event.at, nil
  attempt.job_id, attempt.request_id = event.job_id, event.request_id
  step.job_id = event.job_id
end

function readers.attempt_doubtful(state, event)
  local attempt = attempt_of(state, event)
  attempt.doubt = { since = event.at, till = event.till, message = event.message,
    accepted = event.accepted }
  attempt.waiting = { cause = "doubt", since = event.at, till = event.till }
  attempt.request_id = event.request_id
end

function readers.attempt_adopted(state, event)
  local attempt, step = attempt_of(state, event)
  attempt.submitted_at, attempt.waiting = event.at, nil
  attempt.job_id, attempt.adopted = event.job_id, event.how
  step.job_id = event.job_id
end

function readers.status_changed(state, event)
  local attempt = attempt_of(state, event)
  attempt.status, attempt.waiting = event.status, nil
  if event.status == "InProgress" then attempt.running_at = attempt.running_at or event.at end
end

local ended_fields = { "outcome", "exit_value", "exit_read", "failure_reason", "error",
  "started_at", "links", "may_run" }

function readers.attempt_ended(state, event)
  local attempt, step = attempt_of(state, event)
  for _, field in ipairs(ended_fields) do attempt[field] = event[field] end
  attempt.ended_at, attempt.finished_at, attempt.waiting = event.at, event.ended_at, nil
  attempt.job_id = event.job_id or attempt.job_id
  attempt.request_id = attempt.request_id or event.request_id
  step.job_id, step.spent = attempt.job_id, step.spent + 1
end

-- `free` is the attempt that does not count, where there was one.
function readers.retry_scheduled(state, event)
  local step = step_of(state, event)
  step.retry = { at = event.at + event.seconds, cause = event.cause, spent = event.spent }
  step.waiting = nil
  if event.free then step.spent = step.spent - 1 end
end

function readers.step_ended(state, event)
  local step = step_of(state, event)
  if step.phase == "ended" then
    error(("history: step_ended of %s: it has ended before"):format(event.path), 0)
  end
  set_phase(state, step, "ended")
  step.ended_at, step.outcome, step.reason = event.at, event.outcome, event.reason
  step.exit_value, step.retry, step.waiting = event.exit_value, nil, nil
  step.is_exit_masked = event.is_exit_masked
  local parent = parent_of(state, step)
  if not parent then return end
  parent.open = parent.open - 1
  if event.outcome == "succeeded" then parent.succeeded = parent.succeeded + 1 end
  if M.is_failure(event.outcome) then parent.failed = parent.failed + 1 end
end

function readers.cancel_requested(state, event)
  if event.path then return end
  local before = state.cancelled
  state.cancelled = { by = before and before.by or event.by, at = before and before.at or event.at,
    now = event.now or before ~= nil and before.now or nil }
end

function readers.warning(state, event)
  state.warnings[#state.warnings + 1] = { at = event.at, path = event.path,
    message = event.message }
end

function readers.detached(state)
  state.detached = true
end

function readers.run_ended(state, event)
  state.ended_at, state.outcome, state.counts = event.at, event.outcome, event.counts
end

for name, reader in pairs(lineage.readers { step_of = step_of, attempt_of = attempt_of,
  set_phase = set_phase, declare = declare }) do
  readers[name] = reader
end

--- Takes one more event into the state. Raises for one that cannot have happened; a type that is
--- not known here (of a later version) changes nothing.
---@param state luafabric.WorkflowRun
---@param event table
function M.apply(state, event)
  local read = readers[event.type]
  state.now, state.detached = event.at, nil -- who writes watches it
  if read then read(state, event) end
end

return M
