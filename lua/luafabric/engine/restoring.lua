--- A unit of a run that is taken up again: from what the history knows of it to where it goes on.

local again = require "luafabric.engine.again"
local attempts = require "luafabric.engine.attempts"
local errors = require "luafabric.errors"
local request_module = require "luafabric.workflow.request"
local submitting = require "luafabric.engine.submitting"
local tasks = require "luafabric.tasks"
local units = require "luafabric.engine.unit"

local M = {}

-- Seconds between the tries to reach what a restored run needs.
local PAUSES = { 5, 10, 30, 60 }

--- The request of an attempt as it was written down. One that held a secret is built anew; where
--- that is not possible any more, it is never submitted again: what was written down is masked.
local function request_of(engine, unit, attempt)
  local kept = attempt.request
  local request = { workspace = kept.workspace, workspace_id = kept.workspace_id,
    notebook = kept.notebook, timeout = kept.timeout, exclusive = kept.exclusive,
    priority = engine.state.steps[unit.path].priority }
  if attempt.from_run then
    request.is_partial = true -- what follows it is sent by what is asked for now
    return request
  end
  if not kept.is_masked then
    request.sealed = { text = kept.body, tag = kept.tag, route = kept.route,
      fingerprint = kept.fingerprint }
    return request
  end
  local built, _, masks = request_module.build(unit.branch, engine.view, unit.item, unit.index)
  engine.masks:add(built and built.masks or masks)
  if built then return built end
  request.is_partial = true
  return request
end

--- The network may not be there yet: what runs is no less known for that.
---@param fn fun(): any, any  nil and an error where it could not be reached; may wait
local function patiently(engine, unit, fn)
  local tries = 0
  while true do
    local found, more = fn()
    if found then return found, more end
    if not again.is_passing(more) then error(more, 0) end
    tries = tries + 1
    if tries == 1 then
      engine:warn(unit.path, ("it is tried again until it can be watched: %s"):format(
        tostring(more)))
    end
    tasks.sleep(PAUSES[math.min(tries, #PAUSES)])
  end
end

local function hold(engine, unit)
  engine.units[unit.path] = unit
  unit.holds_slot = true
  engine.active = engine.active + 1
  engine:hold_place(unit)
  engine:take_capacity(unit)
end

--- Its submission was on its way when the process ended.
local function look_for(engine, unit, attempt)
  local at = attempt.repeated_at or attempt.intended_at
  local listener = units.listener_of(engine, unit)
  -- Who had the run before may have sent it later than it was written down.
  local rival_until = engine.store.rival_until
  local sent_by = rival_until and math.max(at, rival_until) or nil
  local run, doubt = patiently(engine, unit, function()
    return engine.port:in_doubt(attempt.request, at, attempt, listener, sent_by)
  end)
  unit.is_restored = nil
  submitting.doubtful(engine, unit, { doubt = doubt }, run)
end

local function watch(engine, unit, attempt, since)
  local listener = units.listener_of(engine, unit)
  local run = patiently(engine, unit, function()
    return engine.port:attach(attempt.request, attempt.job_id, listener)
  end)
  unit.run, unit.task, unit.is_restored = run, nil, nil
  units.accepted(engine, unit, run, since)
end

local function watch_again(engine, unit, attempt)
  watch(engine, unit, attempt, engine.timers.now() - (engine.host.wall() - attempt.submitted_at))
end

--- It waited to be sent, and every send is written down first: nothing was started.
local function never_sent(engine, unit)
  unit.is_restored = nil
  units.not_started(engine, unit, errors.new { kind = "platform",
    message = "it waited to be submitted when its process ended" })
end

local going_on = { intended = look_for, waiting = never_sent, unknown = look_for,
  submitted = watch_again }

--- An attempt has ended, and what follows from it was not written down any more.
local function settle_again(engine, unit, attempt)
  engine.units[unit.path] = unit
  engine:hold_place(unit)
  unit.run = { outcome = attempt.outcome, exit_value = attempt.exit_value, job_id = attempt.job_id,
    failure_reason = attempt.failure_reason, ended = not attempt.may_run,
    error = attempt.error and errors.new(attempt.error) }
  units.settle(engine, unit, attempt.outcome)
end

local function pause_again(engine, unit, retry)
  engine.units[unit.path] = unit
  if unit.each and unit.each.own_limit then engine:hold_place(unit) end
  unit.retry_timer = engine.timers:after(retry.at - engine.host.wall(), function()
    unit.retry_timer = nil
    engine:enqueue(unit)
  end)
end

--- Watches a run that an earlier run of the workflow left before its end was seen: it is this
--- one's next attempt.
---@param engine table
---@param unit table
---@param attempt luafabric.AttemptState  of the earlier run
---@param job_id string
---@param given { from_run: string, is_other: boolean|nil }  is_other: its end is only awaited
function M.attach(engine, unit, attempt, job_id, given)
  engine:record { type = "attempt_attached", path = unit.path, job_id = job_id,
    attempt = attempts.number_of(engine, unit) + 1, from_run = given.from_run,
    is_other = given.is_other, how = attempt.resolved and attempt.resolved.by,
    submitted_at = attempt.intended_at, request = attempt.request }
  local list = engine.state.steps[unit.path].attempts
  unit.request = request_of(engine, unit, list[#list])
  hold(engine, unit)
  unit.is_restored = true
  units.spawn(engine, unit, watch, list[#list])
end

--- Goes on with a unit from what the history knows of it.
---@param engine table
---@param unit table
function M.restore(engine, unit)
  local step = engine.state.steps[unit.path]
  local attempt = step.attempts[#step.attempts]
  if attempt then
    unit.request = request_of(engine, unit, attempt)
    engine:watch_deadline(unit, attempt.request.deadline)
  end
  if step.retry then return pause_again(engine, unit, step.retry) end
  if not attempt then return engine:begin_unit(unit) end
  if attempt.state == "ended" then return settle_again(engine, unit, attempt) end
  hold(engine, unit)
  unit.is_restored = true
  units.spawn(engine, unit, going_on[attempt.state], attempt)
end

return M
