--- From a free slot to an accepted run: a unit's request is prepared, waits for its turn, is
--- written down as intended and sent. What the answer says, or that there is none, decides where
--- its life goes on (engine/unit).

local again = require "luafabric.engine.again"
local attempts = require "luafabric.engine.attempts"
local history = require "luafabric.history"
local intending = require "luafabric.engine.intending"
local journal = require "luafabric.engine.journal"
local reasons = require "luafabric.engine.reasons"
local reconciling = require "luafabric.engine.reconciling"
local reusing = require "luafabric.engine.reusing"
local units = require "luafabric.engine.unit"

local M = {}

-- How long a submission may wait for quota or capacity: neither is a failure. Deadlines and the
-- workflow's timeout end it before.
local SUBMIT_PATIENCE = 24 * 3600 -- seconds

-- Another process may settle its submission sooner than its intent ends.
local LOOK_AGAIN = 10 -- seconds

--- The intent cannot be written down, so nothing is sent. Where another one of the same notebook is
--- open, ours was refused whole: it is written without the claim, together with its end. Alone it
--- would be a doubt, for whoever takes the run up, of what surely was not sent.
local function not_recorded(engine, unit, event, err)
  if err.store_code ~= "intent_open" then error(err, 0) end
  unit.is_recording = nil
  unit.unclaimed, unit.was_blocked = event, true
  engine:submission_over(unit)
  units.not_started(engine, unit, err)
end

--- Surely no run was started.
local function refused(engine, unit, err)
  if err.store_code == "lease" then journal.check_lease(engine) end
  if err.store_code then return units.not_started(engine, unit, err) end
  local outcome = reasons.outcome_of_error(err)
  if attempts.open(engine, unit) then return units.end_attempt(engine, unit, outcome, err) end
  if again.after_preparation(engine, unit, err) then return end
  units.drop(engine, unit, outcome, reasons.of_attempt(nil, err, outcome))
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
    return units.run_ended(engine, unit)
  end
  unit.in_doubt = true
  if unit.stop then attempts.tell_stop_in_doubt(engine, unit) end
  local fate, err = reconciling.resolve(engine, unit, run, prepared.doubt)
  unit.in_doubt = nil
  if fate == "not_started" then return units.not_started(engine, unit, err) end
  unit.run = run
  if fate == "unknown" then return units.run_ended(engine, unit) end
  unit.task = nil
  units.accepted(engine, unit, run, prepared.doubt.sent_at)
end

--- While it waited for its turn, the capacity turned out to be smaller than it was thought to be.
local function back_in_queue(engine, unit)
  units.withdraw(engine, unit)
  engine:release(unit)
  unit.task = nil
  engine:enqueue(unit, unit.heap_order)
end

--- A submission of another process to this notebook is not settled: nothing is written down as yet.
local function wait_for_rival(engine, unit, seconds)
  units.withdraw(engine, unit)
  local till = math.floor(engine.host.wall() + seconds)
  if unit.rival_till ~= till then
    unit.rival_till = till
    engine:record { type = "step_waiting", path = unit.path, cause = "intent", seconds = seconds }
  end
  engine:release(unit)
  unit.task = nil
  unit.retry_timer = engine.timers:after(math.min(seconds, LOOK_AGAIN), function()
    unit.retry_timer = nil
    engine:enqueue(unit, unit.heap_order)
  end)
end

local function submit(engine, unit)
  local prepared, err = engine.port:prepare(unit.request, SUBMIT_PATIENCE,
    units.listener_of(engine, unit), engine.submission == "reconcile")
  if not prepared then
    engine:submission_over(unit)
    return refused(engine, unit, err)
  end
  unit.prepared = prepared
  if reusing.take(engine, unit, prepared) then return end
  local entered
  entered, err = engine.port:enter(prepared, function() engine:submission_over(unit) end)
  if not entered then
    engine:submission_over(unit)
    return refused(engine, unit, err)
  end
  if not engine:has_room(unit) then return back_in_queue(engine, unit) end
  local blocked = journal.blocked_for(engine, attempts.notebook_key(prepared.run),
    unit.was_blocked)
  if blocked then return wait_for_rival(engine, unit, blocked) end
  engine:submission_begun(unit)
  local ticket, event = intending.intend(engine, unit, prepared)
  unit.is_recording = true
  local durable, problem = journal.await(engine, ticket)
  if not durable then
    units.withdraw(engine, unit)
    return not_recorded(engine, unit, event, problem)
  end
  unit.is_recording, unit.was_blocked = nil, nil
  if unit.stop then
    units.withdraw(engine, unit)
    return units.stop_unsubmitted(engine, unit)
  end
  prepared.before_again = function()
    unit.is_recording = true
    local again_durable, again_problem = intending.intend_again(engine, unit, prepared)
    unit.is_recording = nil
    return again_durable, again_problem
  end
  prepared.not_after = function() return journal.not_after(engine) end
  local run
  run, err = engine.port:submit(prepared)
  unit.in_flight, unit.prepared = false, nil
  engine:submission_over(unit)
  if not run then return refused(engine, unit, err) end
  if run.outcome == "unknown" then return M.doubtful(engine, unit, prepared, run) end
  unit.run = run
  unit.task = nil -- it ends here; what is watched is a row, and holds no coroutine
  units.accepted(engine, unit, run)
end

--- The run ends here, by a mistake or a disk that fails: what was not written down yet was not
--- sent, so that nobody has to look for it. For what is told of the run now; it is not written.
---@param engine table
function M.forget_unsent(engine)
  for path, unit in pairs(engine.units) do
    local attempt = unit.is_recording and attempts.open(engine, unit)
    if attempt then
      history.apply(engine.state, { type = "attempt_ended", at = engine.host.wall(), path = path,
        attempt = #engine.state.steps[path].attempts, outcome = "not_started" })
    end
  end
end

--- A slot is free for the unit: it is submitted.
---@param engine table
---@param unit table
function M.start(engine, unit)
  if not units.build(engine, unit) then return end
  units.spawn(engine, unit, submit)
  engine:submission_begun(unit)
end

return M
