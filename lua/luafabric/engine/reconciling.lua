--- A unit whose submission is in doubt: its notebook's runs are listed until policy/reconcile can
--- say which one is its, that there is none, or that it cannot be told. Nothing is sent meanwhile,
--- and nobody else submits that notebook (client/intents).

local attempts = require "luafabric.engine.attempts"
local core = require "luafabric.core"
local doubt_module = require "luafabric.history.doubt"
local errors = require "luafabric.errors"
local intending = require "luafabric.engine.intending"
local journal = require "luafabric.engine.journal"
local reconcile = require "luafabric.policy.reconcile"
local shell = require "luafabric.shell"

local M = {}

-- Two clocks are read one after the other.
local LEAST_WAIT = 0.01 -- seconds
local MOST_NAMED = 5 -- candidates in a message

-- ---- what people are told ----

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
  local endpoint = engine.port:other_endpoint()
  local settle = ("Settle it with `luafabric resolve %s %s --adopt %s%s`, or with "
    .. "--not-started"):format(engine.state.run_id, shell.word(unit.path), likely,
    endpoint and " --endpoint " .. shell.word(endpoint) or "")
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
local function not_started_error(engine, run, doubt, verdict)
  if verdict.by then
    return errors.new { kind = "platform", message = ("the submission at %s got %s, and the %s "
      .. "says that it was not started"):format(core.format_time(doubt.at), doubt.what,
      verdict.by) }
  end
  return errors.new { kind = "platform", status = run.error.status, code = run.error.code,
    request_id = run.request_id, sent = run.error.sent,
    message = ("the submission at %s got %s, and at %s Fabric listed no run that can be it: it was "
      .. "not started"):format(core.format_time(doubt.at), doubt.what,
      core.format_time(engine.host.wall())) }
end

-- ---- looking ----

--- The runs among these that are known to be other attempts', of this client or of the store.
local function claimed_among(engine, doubt, rows)
  local ids = {}
  for index, row in ipairs(rows) do ids[index] = row.job_id end
  local claimed, err = journal.claimed(engine, ids)
  if not claimed then return nil, err end
  local known = doubt.intent:claimed()
  for _, id in ipairs(ids) do claimed[id] = claimed[id] or known[id] end
  return claimed
end

local function look(engine, run, doubt)
  local rows, claimed, err
  rows, err = engine.port:list_runs(run, doubt.tag)
  if not rows then return nil, err end
  claimed, err = claimed_among(engine, doubt, rows)
  if not claimed then return nil, err end
  return rows, claimed
end

--- What is to be done; when, in seconds, comes with a "wait". All times are by the clock as it is
--- now: what is known of Fabric's is about that one, and it may have been set meanwhile.
local function decide(engine, unit, run, doubt, rows, claimed, asked_at)
  local settings, host = engine.port:reconciliation(run, doubt), engine.host
  local behind = host.now() - asked_at
  local now = host.wall() - behind
  local at = now - (asked_at - doubt.sent_at)
  local unread_for = doubt.unread_since and asked_at - doubt.unread_since
  local verdict = reconcile.decide {
    intent = { at = at, tag = doubt.tag, request_id = doubt.request_id,
      accepted = doubt.accepted, sent_by = doubt.sent_by and doubt.sent_by - doubt.at + at },
    rows = rows, now = now, claimed = claimed, unread_since = unread_for and now - unread_for,
    rival = doubt.intent:has_rival(),
    V = settings.V, D = settings.D, skew = settings.skew, tag_proven = settings.tag_proven,
    exclusive = engine:is_exclusive(unit) }
  return verdict, verdict.till and verdict.till - now - behind
end

--- Looks again and again until something is concluded; in the unit's own task.
---@return luafabric.ReconcileVerdict verdict
---@return luafabric.Error|nil problem  of the last list that could not be read
local function conclude(engine, unit, run, doubt)
  local now = engine.host.now
  local pause = engine.port:reconciliation().V - (now() - doubt.sent_at)
  while true do
    if not unit.answer then unit.look:wait(math.max(LEAST_WAIT, pause)) end
    if unit.answer then return unit.answer end
    local asked_at = now()
    local rows, claimed = look(engine, run, doubt)
    doubt.unread_since = not rows and (doubt.unread_since or asked_at) or nil
    local verdict
    verdict, pause = decide(engine, unit, run, doubt, rows, rows and claimed, asked_at)
    if verdict.verdict ~= "wait" then return verdict, not rows and claimed or nil end
  end
end

local function tell_taken(engine, path, job_id)
  engine:warn(path, ("job %s is the run of another attempt, and is not taken for this one's")
    :format(job_id))
end

--- The run that was found is written down as ours. It is not where another attempt has it already.
---@return boolean adopted
local function adopt(engine, unit, run, doubt, verdict)
  local ok, err = engine:record_safely { type = "attempt_adopted", path = unit.path,
    job_id = verdict.job_id, attempt = attempts.number_of(engine, unit), how = verdict.how }
  if not ok and err.store_code ~= "job_taken" then error(err, 0) end
  if not ok and verdict.by then tell_taken(engine, unit.path, verdict.job_id) end
  -- Only now: a run that is over says so at once, and must be the unit's by then.
  if ok then engine.port:adopt(run, verdict.job_id, doubt.sent_at) end
  return ok == true
end

--- Until its fate is known, and where its run is found, written down.
local function settle(engine, unit, run, doubt)
  while true do
    local verdict, problem = conclude(engine, unit, run, doubt)
    local is_settled = verdict.verdict ~= "adopt" or adopt(engine, unit, run, doubt, verdict)
    unit.answer = nil
    if is_settled then return verdict, problem end
  end
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
  local sent_by = doubt.sent_by or doubt.at
  engine:record { type = "attempt_doubtful", path = unit.path,
    attempt = attempts.number_of(engine, unit),
    message = run.error.message, request_id = run.request_id, accepted = doubt.accepted,
    till = reconcile.settled_at(sent_by, settings.V, settings.D),
    blocks_until = sent_by + intending.blocked_for(settings) }
  doubt.intent:judged()
  unit.look = engine.loop:condition() -- for who cannot wait for the next look, or knows the answer
  local verdict, problem = settle(engine, unit, run, doubt)
  unit.look = nil
  if verdict.verdict == "unknown" then
    doubt.intent:give_up()
    run.error = unknown_error(engine, unit, run, doubt, verdict, problem)
    return "unknown"
  end
  doubt.intent:close()
  if verdict.verdict == "not_started" then
    return "not_started", not_started_error(engine, run, doubt, verdict)
  end
  return "adopted"
end

--- Somebody says what became of a submission in doubt; plain. One that is looked for is settled by
--- its own task, one that was given up is written down for who repairs the run.
---@param engine table
---@param request { path: string, job_id: string|nil, by: string }
function M.answer(engine, request)
  local step, unit = engine.state.steps[request.path], engine.units[request.path]
  local attempt, why
  if step then attempt, why = doubt_module.of(step) end
  if not attempt then
    return engine:warn(step and request.path, ("it was asked to settle %s, which is nothing to "
      .. "settle: %s"):format(request.path, why or "there is no such step"))
  end
  if unit and unit.look then
    unit.answer = { verdict = request.job_id and "adopt" or "not_started", how = request.by,
      job_id = request.job_id, by = request.by }
    return unit.look:signal()
  end
  if attempt.state ~= "ended" then
    return engine:warn(request.path, "its submission is still on its way: nothing is settled yet")
  end
  local event = doubt_module.event(request.path, attempt, { by = request.by,
    job_id = request.job_id })
  engine:spawn(function()
    local ok, err = engine:record_safely(event)
    if ok then return end
    if err.store_code ~= "job_taken" then error(err, 0) end
    tell_taken(engine, request.path, request.job_id)
  end)
end

return M
