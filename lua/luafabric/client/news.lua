--- What is learnt about a run: from an instance as Fabric shows it, or that nothing more can be
--- learnt. Changes the run object, tells the client's on_event, wakes who waits.

local core = require "luafabric.core"
local durations = require "luafabric.client.durations"
local errors = require "luafabric.errors"
local outcome_policy = require "luafabric.policy.outcome"
local words = require "luafabric.client.words"

local M = {}

--- Tells an event about a run.
---@param run table
---@param event table
function M.emit(run, event)
  event.job_id = run.job_id
  event.workspace_id, event.notebook_id = run.workspace_id, run.notebook_id
  event.workspace, event.notebook = run.workspace, run.notebook
  run.client:emit(event, run)
end

--- Something strange that changes nothing: kept in `run.warnings`.
---@param run table
---@param message string
function M.warn(run, message)
  M.emit(run, { type = "warning", message = message })
end

--- Whoever waits for the run, or follows it, learns that it has an outcome.
local function tell_end(run)
  if run.signal then run.signal:signal() end
  M.emit(run, { type = "ended", outcome = run.outcome })
end

--- The key of a run's notebook among the client's durations.
---@param run table
---@return string
function M.notebook_key(run)
  return run.workspace_id .. run.notebook_id
end

--- How long it took says when the next one may end.
local function keep_duration(run)
  local from = run.started_at and core.parse_time(run.started_at)
  local till = run.ended_at and core.parse_time(run.ended_at)
  if not from or not till or till <= from then return end
  durations.add(run.client, M.notebook_key(run), till - from)
end

local function set_outcome(run, outcome)
  if outcome == "succeeded" then keep_duration(run) end
  if run.timing_out and outcome == "cancelled" then outcome = "timed_out" end
  if outcome == "deduped" then
    run.error = errors.new { kind = "rejected", code = "Deduped", message = ("Fabric skipped this "
      .. "run of %s, since another run of it was active"):format(words.name(run)) }
  end
  run.outcome, run.ended = outcome, true
  tell_end(run)
end

--- An instance as Fabric shows it now.
---@param run table
---@param row table  of api.jobs
function M.apply(run, row)
  local changed = row.status ~= run.status
  run.status, run.failure_reason = row.status, row.failure_reason
  run.started_at, run.ended_at = row.started_at, row.ended_at
  run.request_id = run.request_id or row.root_activity_id
  run.more, run.missing = row.more, nil
  local outcome, warning = outcome_policy.of_instance(row)
  if changed and row.status then M.emit(run, { type = "status_changed", status = row.status }) end
  if warning and run.warned_of ~= warning then
    run.warned_of = warning
    M.warn(run, warning)
  end
  if outcome then set_outcome(run, outcome) end
end

--- The run cannot be watched any more; it may well go on in Fabric.
---@param run table
---@param outcome "unauthorized"|"unknown"
---@param err luafabric.Error  what happened
---@param next_step string     what to do, a sentence without its end
function M.lose(run, outcome, err, next_step)
  local fields = {}
  for name, value in pairs(err) do fields[name] = value end
  fields.kind = outcome
  fields.message = ("job %s of %s could not be watched to its end: %s. It may still run in Fabric. "
    .. "%s"):format(run.job_id, words.name(run), (err.message:gsub("%.$", "")), next_step)
  run.error, run.outcome = errors.new(fields), outcome
  tell_end(run)
end

--- Nobody lets us look: how to go on.
function M.lose_access(run, err)
  M.lose(run, "unauthorized", err,
    "Get a fresh token or the right to read it, then " .. words.status_command(run))
end

return M
