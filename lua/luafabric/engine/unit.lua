--- A unit is what is submitted: a step, the branch a switch took, or one item of an `each`. This is
--- its life from the free slot that starts it to its end: request, submission, run, end, another
--- attempt. What it may do next is in history.attempt_transitions.
---
--- A unit: { path, step (of the plan), branch (whose fields it runs with), item, index, at (its
--- place among the ready ones), request, task, run, in_flight, in_doubt, stop, timers… }

local again = require "luafabric.engine.again"
local attempts = require "luafabric.engine.attempts"
local cancelling = require "luafabric.engine.cancelling"
local duration = require "luafabric.duration"
local errors = require "luafabric.errors"
local intending = require "luafabric.engine.intending"
local journal = require "luafabric.engine.journal"
local reasons = require "luafabric.engine.reasons"
local reconciling = require "luafabric.engine.reconciling"
local request_module = require "luafabric.workflow.request"

local M = {}

-- How long a submission may wait for quota or capacity: neither is a failure. Deadlines and the
-- workflow's timeout end it before.
local SUBMIT_PATIENCE = 24 * 3600 -- seconds

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

local function end_attempt(engine, unit, outcome, err)
  engine:leave_capacity(unit, outcome)
  attempts.record_end(engine, unit, outcome, err)
  M.settle(engine, unit, outcome, err)
end

--- What was about to be sent keeps nobody else from sending.
local function withdraw(engine, unit)
  if unit.prepared then engine.port:withdraw(unit.prepared) end
  unit.prepared = nil
end

--- It was to stop, and surely nothing runs.
local function stop_unsubmitted(engine, unit)
  local stop = unit.stop
  withdraw(engine, unit)
  if attempts.open(engine, unit) then return end_attempt(engine, unit, stop.outcome) end
  engine:was_stopped(stop)
  end_unit(engine, unit, stop.outcome, { kind = stop.kind, message = stop.message })
end

--- Fabric shows the end of its run, and what there is to read was read.
local function run_ended(engine, unit)
  if unit.over or not unit.run or not unit.run.outcome then return end
  forget_timers(engine, unit, of_attempt)
  end_attempt(engine, unit, unit.run.outcome)
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
  end_attempt(engine, unit, stop.outcome)
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
    return stop_unsubmitted(engine, unit)
  end
  if unit.run then
    if unit.run.outcome then return end -- it is over: its end is being read
    return cancel_run(engine, unit)
  end
  -- The answer, or what is found instead of one, decides whether there is a run.
  if unit.in_flight or unit.in_doubt or unit.is_recording or unit.is_restored then return end
  local task = unit.task
  stop_unsubmitted(engine, unit)
  task:cancel() -- last, since this may be that task itself
end

-- ---- submission ----

--- The intent cannot be written down, so nothing is sent. Where another process has one of the same
--- notebook open, ours was refused whole: it is written without the claim, and has come to nothing.
local function not_recorded(engine, unit, event, err)
  if err.store_code ~= "intent_open" then error(err, 0) end
  journal.append(engine, { event })
  engine:submission_over(unit)
  M.not_started(engine, unit, err)
end

--- Surely no run was started.
local function refused(engine, unit, err)
  if err.store_code == "intent_open" then return M.not_started(engine, unit, err) end
  local outcome = reasons.outcome_of_error(err)
  if attempts.open(engine, unit) then return end_attempt(engine, unit, outcome, err) end
  if again.after_preparation(engine, unit, err) then return end
  end_unit(engine, unit, outcome, reasons.of_attempt(nil, err, outcome))
end

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
  stop_unsubmitted(engine, unit)
  task:cancel()
end

function told.submitting(engine, unit)
  if unit.stop then return stop_between_sends(engine, unit) end
  if engine.detaching then return unit.task:cancel() end
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

function told.warning(engine, unit, event)
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
  if unit.stop then return stop_unsubmitted(engine, unit) end
  end_attempt(engine, unit, "not_started", err)
end

--- No answer says whether there is a run: it is looked for, and whatever is not proven stays
--- unknown.
---@param engine table
---@param unit table
---@param prepared { doubt: table }
---@param run luafabric.Run  with the outcome "unknown"
function M.doubtful(engine, unit, prepared, run)
  engine.has_submitted = true
  if engine.submission ~= "reconcile" then
    unit.run = run
    return run_ended(engine, unit)
  end
  unit.in_doubt = true
  local fate, err = reconciling.resolve(engine, unit, run, prepared.doubt)
  unit.in_doubt = nil
  if fate == "not_started" then return M.not_started(engine, unit, err) end
  unit.run = run
  if fate == "unknown" then return run_ended(engine, unit) end
  unit.task = nil
  M.accepted(engine, unit, run, prepared.doubt.sent_at)
end

--- While it waited for its turn, the capacity turned out to be smaller than it was thought to be.
local function back_in_queue(engine, unit)
  withdraw(engine, unit)
  engine:release(unit)
  unit.task = nil
  engine:enqueue(unit, unit.heap_order)
end

local function submit(engine, unit)
  local prepared, err = engine.port:prepare(unit.request, SUBMIT_PATIENCE,
    M.listener_of(engine, unit), engine.submission == "reconcile")
  if not prepared then
    engine:submission_over(unit)
    return refused(engine, unit, err)
  end
  unit.prepared = prepared
  local entered
  entered, err = engine.port:enter(prepared, function() engine:submission_over(unit) end)
  if not entered then
    engine:submission_over(unit)
    return refused(engine, unit, err)
  end
  if not engine:has_room(unit) then return back_in_queue(engine, unit) end
  engine:submission_begun(unit)
  local ticket, event = intending.intend(engine, unit, prepared)
  unit.is_recording = true
  local durable, problem = journal.await(engine, ticket)
  unit.is_recording = nil
  if not durable then
    withdraw(engine, unit)
    return not_recorded(engine, unit, event, problem)
  end
  if unit.stop then
    withdraw(engine, unit)
    return stop_unsubmitted(engine, unit)
  end
  prepared.before_again = function() return intending.intend_again(engine, unit, prepared) end
  prepared.not_after = function() return journal.not_after(engine) end
  local run
  run, err = engine.port:submit(prepared)
  unit.in_flight, unit.prepared = false, nil
  engine:submission_over(unit)
  if not run then return refused(engine, unit, err) end
  if run.outcome == "unknown" then return M.doubtful(engine, unit, prepared, run) end
  unit.run = run
  unit.task = nil -- it ends here; what is watched is a row, and holds no coroutine
  M.accepted(engine, unit, run)
end

--- Our own mistake, or a program's that embeds us: the step says so instead of hanging.
local function crashed(engine, unit, err)
  engine:submission_over(unit)
  if err.store_code then error(err, 0) end -- nothing can be written down any more
  if unit.over or err.kind == "cancelled" then return end
  if not unit.in_flight then withdraw(engine, unit) end
  -- Of a run that is taken up again it is not known what runs.
  local may_run = unit.in_flight or unit.in_doubt or unit.is_restored
  local outcome = may_run and "unknown" or "failed"
  if attempts.open(engine, unit) then return end_attempt(engine, unit, outcome, err) end
  end_unit(engine, unit, outcome, { kind = "raised", message = err.message })
end

--- Starts the unit's own task, whose mistakes end the unit and nothing else.
---@param engine table
---@param unit table
---@param fn fun(engine: table, unit: table, ...)
function M.spawn(engine, unit, fn, ...)
  unit.task = engine:spawn(fn, function(err) crashed(engine, unit, err) end, engine, unit, ...)
end

--- Builds its request, once for all attempts.
---@param engine table
---@param unit table
---@return boolean goes_on  false: the unit has ended
function M.build(engine, unit)
  if unit.request then return not unit.over end
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

--- A slot is free for the unit: it is submitted.
---@param engine table
---@param unit table
function M.start(engine, unit)
  if not M.build(engine, unit) then return end
  M.spawn(engine, unit, submit)
  engine:submission_begun(unit)
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
