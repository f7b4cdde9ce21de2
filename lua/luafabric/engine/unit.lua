--- A unit is what is submitted: a step, the branch a switch took, or one item of an `each`. This is
--- its life: request, run, end, another attempt; how it is submitted is in engine/submitting. What
--- it may do next is in history.attempt_transitions.
---
--- A unit: { path, step (of the plan), branch (whose fields it runs with), item, index, at (its
--- place among the ready ones), request, task, run, in_flight, in_doubt, stop, timers… }

local again = require "luafabric.engine.again"
local attempts = require "luafabric.engine.attempts"
local cancelling = require "luafabric.engine.cancelling"
local duration = require "luafabric.duration"
local errors = require "luafabric.errors"
local reasons = require "luafabric.engine.reasons"
local request_module = require "luafabric.workflow.request"

local M = {}

-- ---- ends ----

local function forget_timers(engine, unit, names)
  for _, name in ipairs(names) do
    if unit[name] then engine.timers:cancel(unit[name]) end
    unit[name] = nil
  end
end

local of_attempt = { "timeout_timer", "cancel_timer" }
local of_unit = { "timeout_timer", "cancel_timer", "retry_timer", "deadline_timer" }

--- The unit is over, whatever it did.
local function end_unit(engine, unit, outcome, reason, exit_value, is_exit_masked)
  forget_timers(engine, unit, of_unit)
  unit.over = true
  engine:release(unit)
  engine:end_step(unit.path, outcome, reason, exit_value, is_exit_masked)
end

--- It ends without a run of its own.
---@param engine table
---@param unit table
---@param outcome string
---@param reason { kind: string, message: string|nil }|nil
---@param exit_value string|nil           as another run gave it
---@param is_exit_masked boolean|nil
function M.drop(engine, unit, outcome, reason, exit_value, is_exit_masked)
  end_unit(engine, unit, outcome, reason, exit_value, is_exit_masked)
end

local function settle_success(engine, unit, exit_value)
  local ok, reason = request_module.expect(unit.branch, exit_value)
  if ok then return end_unit(engine, unit, "succeeded", nil, exit_value) end
  end_unit(engine, unit, "failed", { kind = "expect",
    message = tostring(reason or "expect said no to its exit value") }, exit_value)
end

--- An attempt has ended.
---@param engine table
---@param unit table
---@param outcome string
---@param err luafabric.Error|nil  where there was no run
function M.settle(engine, unit, outcome, err)
  local run = unit.run
  if again.after_attached(engine, unit, outcome) then return end
  if outcome == "succeeded" then return settle_success(engine, unit, run.exit_value) end
  if again.after_attempt(engine, unit, outcome, err) then return end
  if outcome == "not_started" then outcome = "platform" end -- of an attempt, never of a step
  local stop = unit.stop
  local reason = reasons.of_attempt(run, err, outcome)
  if stop and stop.outcome == outcome then
    reason = { kind = stop.kind, message = stop.message or reason.message }
  end
  if stop then engine:was_stopped(stop) end
  end_unit(engine, unit, outcome, reason, run and run.exit_value)
end

--- Its attempt is over, with a run or without.
---@param engine table
---@param unit table
---@param outcome string
---@param err luafabric.Error|nil  where there was no run
function M.end_attempt(engine, unit, outcome, err)
  engine:leave_capacity(unit, outcome)
  attempts.record_end(engine, unit, outcome, err)
  M.settle(engine, unit, outcome, err)
end

--- What was about to be sent keeps nobody else from sending.
function M.withdraw(engine, unit)
  if unit.prepared then engine.port:withdraw(unit.prepared) end
  unit.prepared = nil
end

--- It was to stop, and surely nothing runs.
function M.stop_unsubmitted(engine, unit)
  local stop = unit.stop
  M.withdraw(engine, unit)
  if attempts.open(engine, unit) then return M.end_attempt(engine, unit, stop.outcome) end
  engine:was_stopped(stop)
  end_unit(engine, unit, stop.outcome, { kind = stop.kind, message = stop.message })
end

--- Fabric shows the end of its run, and what there is to read was read.
local function run_ended(engine, unit)
  if unit.over or not unit.run or not unit.run.outcome then return end
  forget_timers(engine, unit, of_attempt)
  M.end_attempt(engine, unit, unit.run.outcome)
end

-- ---- a run that is to end ----

--- Nothing is started beside a run that may still be there.
local function give_up(engine, unit)
  local run, stop = unit.run, unit.stop
  run.listener = nil
  local message = ("job %s was told to end and has not within %s: it may still run. Look with %s")
    :format(run.job_id, duration.format(cancelling.PATIENCE), engine.port:look_command(run))
  run.error = errors.new { kind = "timeout", message = message }
  engine:warn(unit.path, message)
  stop.final, stop.message = true, message
  M.end_attempt(engine, unit, stop.outcome)
end

local function cancel_run(engine, unit)
  cancelling.cancel_run(engine, unit, function() give_up(engine, unit) end, true)
end

--- Each unit has its own: `final` may change.
function M.copy_stop(stop)
  local own = {}
  for name, value in pairs(stop) do own[name] = value end
  return own
end

--- Ends a unit early, wherever it is: what surely does not run ends now, an answer that is on its
--- way is waited for, a run is cancelled in Fabric and its end awaited.
---@param engine table
---@param unit table
---@param stop { outcome: "cancelled"|"timed_out", kind: string, message: string|nil,
---  final: boolean|nil }  final: no other attempt follows
function M.stop(engine, unit, stop)
  if unit.over then return end
  local before = unit.stop
  if before then
    before.final, before.whole = before.final or stop.final, before.whole or stop.whole
    return
  end
  unit.stop = stop
  local is_waiting = unit.retry_timer or unit.heap_index
  if is_waiting then
    engine:unqueue(unit)
    return M.stop_unsubmitted(engine, unit)
  end
  if unit.run then
    if unit.run.outcome then return end -- it is over: its end is being read
    return cancel_run(engine, unit)
  end
  if unit.in_doubt then
    attempts.tell_stop_in_doubt(engine, unit)
    if unit.look then unit.look:signal() end -- perhaps it is known already
  end
  -- The answer, or what is found instead of one, decides whether there is a run.
  if unit.in_flight or unit.in_doubt or unit.is_recording or unit.is_restored then return end
  local task = unit.task
  M.stop_unsubmitted(engine, unit)
  task:cancel() -- last, since this may be that task itself
end

-- ---- what it is told ----

--- There is a run, which is watched.
---@param engine table
---@param unit table
---@param run luafabric.Run
---@param since number|nil  host time of its acceptance, where that is not now
function M.accepted(engine, unit, run, since)
  engine.has_submitted = true
  local timeout = unit.request.timeout
  if timeout then
    local left = timeout - (since and engine.timers.now() - since or 0)
    unit.timeout_timer = engine.timers:after(left, function()
      unit.timeout_timer = nil
      M.stop(engine, unit, { outcome = "timed_out", kind = "timeout",
        message = reasons.timeout_message(timeout) })
    end)
  end
  if not unit.stop or run.outcome then return end
  cancel_run(engine, unit)
end

local told = { paced = attempts.record_pace, submitted = attempts.record_acceptance,
  status_changed = attempts.record_status }

--- It is to stop, and between two sends nothing runs: the submission's own task ends here.
local function stop_between_sends(engine, unit)
  local task = unit.task
  M.stop_unsubmitted(engine, unit)
  task:cancel()
end

function told.submitting(engine, unit)
  if unit.stop then return stop_between_sends(engine, unit) end
  if engine.detaching and not engine.handing_over then return unit.task:cancel() end
  unit.in_flight = true
  engine:submission_begun(unit)
end

function told.waiting(engine, unit, event)
  attempts.record_wait(engine, unit, event)
  if event.submitted then return end
  unit.in_flight = false
  engine:submission_over(unit) -- who waits for quota or capacity keeps nobody else from sending
  if unit.stop then stop_between_sends(engine, unit) end
end

--- The same is found with each preparation of a request.
function told.warning(engine, unit, event)
  unit.warned = unit.warned or {}
  if unit.warned[event.message] then return end
  unit.warned[event.message] = true
  engine:warn(unit.path, event.message)
end

function told.ended(engine, unit)
  engine:read_details(unit)
end

-- Told in the submission's own task, which they may end; all else comes from the watcher's, which
-- lives on whatever happens here.
local own_task = { submitting = true, waiting = true, submitted = true }

--- Who is told what happens to the unit's submission and run.
---@param engine table
---@param unit table
---@return fun(event: table)
function M.listener_of(engine, unit)
  return function(event)
    local react = told[event.type]
    if not react or unit.over or engine.over then return end
    if own_task[event.type] and not event.submitted then return react(engine, unit, event) end
    engine:protect(react, engine, unit, event)
  end
end

--- Surely no run was started, although no answer said so.
function M.not_started(engine, unit, err)
  if unit.stop then return M.stop_unsubmitted(engine, unit) end
  M.end_attempt(engine, unit, "not_started", err)
end

--- Our own mistake, or a program's that embeds us: the step says so instead of hanging.
local function crashed(engine, unit, err)
  engine:submission_over(unit)
  if err.store_code then error(err, 0) end -- nothing can be written down any more
  if unit.over or err.kind == "cancelled" then return end
  if not unit.in_flight then M.withdraw(engine, unit) end
  -- Of a run that is taken up again it is not known what runs.
  local may_run = unit.in_flight or unit.in_doubt or unit.is_restored
  local outcome = may_run and "unknown" or "failed"
  if attempts.open(engine, unit) then return M.end_attempt(engine, unit, outcome, err) end
  end_unit(engine, unit, outcome, { kind = "raised", message = err.message })
end

--- Starts the unit's own task, whose mistakes end the unit and nothing else.
---@param engine table
---@param unit table
---@param fn fun(engine: table, unit: table, ...)
function M.spawn(engine, unit, fn, ...)
  unit.task = engine:spawn(fn, function(err) crashed(engine, unit, err) end, engine, unit, ...)
end

--- Builds its request, once for all attempts. Of a run that is taken up there may be a part of it,
--- which is enough to watch what was submitted, and not to submit it again.
---@param engine table
---@param unit table
---@return boolean goes_on  false: the unit has ended
function M.build(engine, unit)
  if unit.request and not unit.request.is_partial then return not unit.over end
  local request, message, masks = unit.built, nil, nil
  if not request then
    request, message, masks = request_module.build(unit.branch, engine.view, unit.item, unit.index)
  end
  if not request then
    engine.masks:add(masks)
    end_unit(engine, unit, "rejected", { kind = "rejected", message = message })
    return false
  end
  unit.request = request
  engine.masks:add(request.masks)
  engine:watch_deadline(unit, request.deadline)
  return not unit.over
end

--- Nobody listens to its run any more.
---@param unit table
function M.let_go(unit)
  if unit.run then unit.run.listener = nil end
end

--- The run's end was seen and read.
---@param engine table
---@param unit table
M.run_ended = run_ended

--- Whether something was done for it, so that it cannot simply be dropped.
---@param engine table
---@param unit table
---@return boolean
function M.is_begun(engine, unit)
  return unit.task ~= nil or #engine.state.steps[unit.path].attempts > 0
end

return M
