--- A unit whose submission is in doubt: its notebook's runs are listed until policy/reconcile can
--- say which one is its, that there is none, or that it cannot be told. Nothing is sent meanwhile,
--- and nobody else submits that notebook (client/intents).

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local journal = require "luafabric.engine.journal"
local reconcile = require "luafabric.policy.reconcile"
local tasks = require "luafabric.tasks"

local M = {}

-- Two clocks are read one after the other.
local LEAST_WAIT = 0.01 -- seconds
local MOST_NAMED = 5 -- candidates in a message

-- ---- what people are told ----

local function shell_word(text)
  if text:find("^[%w_./:@%%+=,-]+$") then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function count_of(candidates)
  local names = {}
  for index = 1, math.min(#candidates, MOST_NAMED) do names[index] = candidates[index] end
  local more = #candidates - #names
  return ("%d run%s of this notebook may be it: job %s%s"):format(#candidates,
    #candidates == 1 and "" or "s", table.concat(names, ", "),
    more > 0 and (" and %d more"):format(more) or "")
end

local function what_is_seen(doubt, verdict, problem)
  local list = verdict.candidates
  if #list > 0 then return count_of(list) end
  if problem then
    return ("the runs of this notebook could not be listed (%s)"):format(
      (problem.message:gsub("%.$", "")))
  end
  if doubt.accepted then return "Fabric accepted it, and lists no run that can be it" end
  return "no run that can be it is listed"
end

--- One that carries our tag, where that is no proof yet.
local function evidence_of(verdict)
  local job_id = verdict.tagged[1]
  return job_id and ("; job %s carries its tag"):format(job_id) or ""
end

local function advice_of(engine, unit, verdict)
  local likely = verdict.tagged[1] or #verdict.candidates == 1 and verdict.candidates[1] or "JOB"
  local settle = ("Settle it with `luafabric resolve %s %s --adopt %s`, or with --not-started")
    :format(engine.state.run_id, shell_word(unit.path), likely)
  if engine:is_exclusive(unit) then return settle end
  return settle .. ". With exclusive = true, where nobody else runs this notebook, a single run "
    .. "would have been taken for it"
end

--- The error of a fate that stays unknown.
local function unknown_error(engine, unit, run, doubt, verdict, problem)
  return errors.new { kind = "unknown", status = run.error.status, code = run.error.code,
    request_id = run.request_id, sent = run.error.sent,
    message = ("the submission at %s got %s: it may or may not run, and is not sent again; %s%s. "
      .. "Look with %s. %s"):format(core.format_time(doubt.at), doubt.what,
      what_is_seen(doubt, verdict, problem), evidence_of(verdict), engine.port:look_command(run),
      advice_of(engine, unit, verdict)) }
end

--- The error of an attempt that came to nothing.
local function not_started_error(engine, run, doubt)
  return errors.new { kind = "platform", status = run.error.status, code = run.error.code,
    request_id = run.request_id, sent = run.error.sent,
    message = ("the submission at %s got %s, and at %s Fabric listed no run that can be it: it was "
      .. "not started"):format(core.format_time(doubt.at), doubt.what,
      core.format_time(engine.host.wall())) }
end

-- ---- looking ----

local function decide(engine, unit, doubt, rows, now)
  local settings = engine.port:reconciliation()
  return reconcile.decide {
    intent = { at = doubt.at, tag = doubt.tag, request_id = doubt.request_id,
      accepted = doubt.accepted },
    rows = rows, now = now, claimed = doubt.intent:claimed(), rival = doubt.intent:has_rival(),
    V = settings.V, D = settings.D, skew = settings.skew, tag_proven = settings.tag_proven,
    exclusive = engine:is_exclusive(unit) }
end

--- Looks again and again until something is concluded; in the unit's own task.
---@return luafabric.ReconcileVerdict verdict
---@return luafabric.Error|nil problem  of the last list that could not be read
local function conclude(engine, unit, run, doubt)
  local settings = engine.port:reconciliation()
  local till = doubt.at + settings.V
  while true do
    tasks.sleep(math.max(LEAST_WAIT, till - engine.host.wall()))
    local now = engine.host.wall()
    local rows, problem = engine.port:list_runs(run, doubt.tag)
    local verdict = decide(engine, unit, doubt, rows, now)
    if verdict.verdict ~= "wait" then return verdict, problem end
    till = verdict.till
  end
end

local function number_of(engine, unit)
  return #engine.state.steps[unit.path].attempts
end

--- What became of a submission in doubt. Waits for as long as it takes to know.
---@param engine table
---@param unit table
---@param run luafabric.Run  with the outcome "unknown" and no job
---@param doubt table        of the submission
---@return "adopted"|"not_started"|"unknown" fate  adopted: the run has a job, and is watched;
---  unknown: its error says how to go on
---@return luafabric.Error|nil err  of "not_started"
function M.resolve(engine, unit, run, doubt)
  local settings = engine.port:reconciliation()
  engine:record { type = "attempt_doubtful", path = unit.path, attempt = number_of(engine, unit),
    message = run.error.message, request_id = run.request_id, accepted = doubt.accepted,
    till = reconcile.settled_at(doubt.at, settings.V, settings.D) }
  doubt.intent:judged()
  local verdict, problem = conclude(engine, unit, run, doubt)
  if verdict.verdict == "unknown" then
    doubt.intent:give_up()
    run.error = unknown_error(engine, unit, run, doubt, verdict, problem)
    return "unknown"
  end
  if verdict.verdict == "adopt" then engine.port:claim(run, verdict.job_id) end
  doubt.intent:close()
  if verdict.verdict == "not_started" then
    return "not_started", not_started_error(engine, run, doubt)
  end
  local ticket = engine:record { type = "attempt_adopted", path = unit.path,
    job_id = verdict.job_id, attempt = number_of(engine, unit), how = verdict.how }
  local durable, err = journal.await(engine, ticket)
  if not durable then error(err, 0) end
  -- Only now: a run that is over says so at once, and must be the unit's by then.
  engine.port:adopt(run, verdict.job_id, doubt.sent_at)
  return "adopted"
end

return M
