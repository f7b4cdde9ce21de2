--- Whether and when a unit that did not succeed comes back: by the step's own policy, or without an
--- attempt being spent where no run was ever started (policy/step_retry has the times).

local attempts = require "luafabric.engine.attempts"
local retry = require "luafabric.workflow.retry"
local step_retry = require "luafabric.policy.step_retry"

local M = {}

---@param free integer|nil  the attempt that does not count, where there was one
local function schedule_again(engine, unit, seconds, cause, spent, free)
  engine:record { type = "retry_scheduled", path = unit.path,
    attempt = attempts.number_of(engine, unit) + 1,
    cause = cause, seconds = seconds, spent = spent, free = free }
  engine:release(unit)
  unit.run, unit.task, unit.stop, unit.cancel_until, unit.in_doubt = nil, nil, nil, nil, nil
  unit.retry_timer = engine.timers:after(seconds, function()
    unit.retry_timer = nil
    engine:enqueue(unit)
  end)
end

--- Comes back without an attempt being spent, where the cause never started a run.
---@param free integer|nil
---@return boolean comes_back  false: the patience is used up
local function requeue(engine, unit, cause, free)
  local now = engine.timers.now()
  local before = unit.requeued
  if not before or before.cause ~= cause then
    before = { cause = cause, since = now, times = 0 }
    unit.requeued = before
  end
  before.times = before.times + 1
  local seconds = step_retry.requeue(cause, before.times, now - before.since, engine.random())
  if not seconds then return false end
  schedule_again(engine, unit, seconds, cause, false, free)
  return true
end

--- Who asked for `at_least_once` bears a second run beside one that may be there. A run that is
--- known, and was only lost sight of, is none of these.
local function may_repeat(engine, unit)
  local attempts_made = engine.state.steps[unit.path].attempts
  local last = attempts_made[#attempts_made]
  return engine.submission == "at_least_once" and not (last and last.job_id)
end

--- A run that an earlier one left behind has ended: its success is the unit's, where it is what is
--- asked for now. Anything else is what a repair runs again, and it costs no attempt.
---@return boolean comes_back
function M.after_attached(engine, unit, outcome)
  local list = engine.state.steps[unit.path].attempts
  local last = list[#list]
  if not last or not last.from_run or last.may_run or unit.stop then return false end
  if outcome == "succeeded" and not last.is_other then return false end
  schedule_again(engine, unit, 0, outcome, false, last.number)
  return true
end

local function is_final(unit)
  return unit.stop and unit.stop.final
end

--- Whether a failed attempt is not the end of the unit: then it comes back by itself.
---@param engine table
---@param unit table
---@param outcome string
---@param err luafabric.Error|nil  where there was no run
---@return boolean
function M.after_attempt(engine, unit, outcome, err)
  if is_final(unit) then return false end
  local step = engine.state.steps[unit.path]
  local number = attempts.number_of(engine, unit)
  -- Where nothing was ever sent, there may be no network at all: that is said at once.
  local is_network = err and err.kind == "network" and engine.has_submitted
  if is_network and requeue(engine, unit, "network", number) then return true end
  local is_free = outcome == "capacity" or outcome == "not_started"
    or outcome == "unknown" and may_repeat(engine, unit)
  if is_free and requeue(engine, unit, outcome, number) then return true end
  local policy = unit.branch.retry
  local seconds = step_retry.delay(policy, step.spent, engine.random())
  if not seconds then return false end
  local wanted, message = retry.wants(policy, outcome)
  if message then engine:warn(unit.path, message) end
  if not wanted then return false end
  unit.requeued = nil
  schedule_again(engine, unit, seconds, outcome, true)
  return true
end

local passing = { network = true, platform = true, throttled = true, capacity = true }

--- Whether an error where nothing was submitted may be gone after a while.
---@param err luafabric.Error
---@return boolean
function M.is_passing(err)
  return passing[err.kind] == true
end

--- The same for what went wrong before an attempt: a name that could not be looked up.
---@return boolean
function M.after_preparation(engine, unit, err)
  if is_final(unit) or not M.is_passing(err) then return false end
  if err.kind == "network" and not engine.has_submitted then return false end
  return requeue(engine, unit, err.kind)
end

return M
