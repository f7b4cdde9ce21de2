--- A run for machines: one document, whose fields are the same every time, null where there is
--- nothing to say; and its events, a line each. The command prints them, and the service answers
--- with them. Pure.

local core = require "luafabric.core"
local json = require "luafabric.json"

local M = {}

local fields = { "run_id", "workflow", "file", "outcome", "exit_code", "detached", "started_at",
  "ended_at", "parent", "inputs", "counts", "cancelled_by", "steps", "warnings", "reports",
  "error" }

local step_fields = { "path", "kind", "parent", "label", "is_finally", "after", "branch",
  "workspace", "notebook", "workspace_id", "notebook_id", "outcome", "reason", "may_fail",
  "job_id", "exit_value", "failure_reason", "ready_at", "started_at", "ended_at", "links",
  "kept", "attempts" }

local attempt_fields = { "number", "outcome", "status", "job_id", "request_id", "intended_at",
  "submitted_at", "running_at", "ended_at", "failure_reason", "error" }

-- The same value with "?" for every byte that is not ASCII: what somebody sent is not UTF-8.
local function ascii(value)
  if type(value) == "string" then return (value:gsub("[\128-\255]", "?")) end
  if type(value) ~= "table" then return value end
  local copy = setmetatable({}, getmetatable(value)) -- an empty list stays one
  for key, item in pairs(value) do copy[ascii(key)] = ascii(item) end
  return copy
end

--- A value as JSON, whatever others put into it.
---@param value any
---@return string text  one line
function M.encode(value)
  return json.encode(value) or json.encode(ascii(value)) or "null"
end

--- An error as a document's `error`.
---@param err luafabric.Error
---@return table
function M.error_fields(err)
  return { kind = err.kind, message = err.message, code = err.code, status = err.status,
    request_id = err.request_id }
end

--- An object with its fields in their order, null where there is nothing.
---@param names string[]
---@param values table<string, any>
---@param texts table<string, string>|nil  values that are JSON texts already
---@return string text
function M.object(names, values, texts)
  local parts = {}
  for index, name in ipairs(names) do
    local text = texts and texts[name]
      or values[name] ~= nil and M.encode(values[name]) or "null"
    parts[index] = ('"%s":%s'):format(name, text)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function list(entries)
  return "[" .. table.concat(entries, ",") .. "]"
end

local function time(seconds)
  return seconds and core.format_time(seconds) or nil
end

local function attempt_text(attempt)
  return M.object(attempt_fields, {
    number = attempt.number, outcome = attempt.outcome, status = attempt.status,
    job_id = attempt.job_id, request_id = attempt.request_id,
    intended_at = time(attempt.intended_at), submitted_at = time(attempt.submitted_at),
    running_at = time(attempt.running_at), ended_at = time(attempt.ended_at),
    failure_reason = attempt.failure_reason, error = attempt.error,
  })
end

-- Where the end of a step comes from that was not run.
local function kept_fields(kept)
  return kept and { run_id = kept.run_id, path = kept.path, why = kept.why, job_id = kept.job_id,
    ran_at = time(kept.ran_at) }
end

local function step_text(step)
  local attempts = {}
  for index, attempt in ipairs(step.attempts) do attempts[index] = attempt_text(attempt) end
  local first, last = step.attempts[1], step.attempts[#step.attempts] or {}
  local request = last.request or {}
  return M.object(step_fields, {
    path = step.path, kind = step.kind, parent = step.parent, label = step.label,
    is_finally = step.is_finally or false, after = json.array(step.after or {}),
    branch = step.branch, workspace = step.workspace, notebook = step.notebook,
    workspace_id = request.workspace_id, notebook_id = request.notebook_id,
    outcome = step.outcome, reason = step.reason, may_fail = step.may_fail or false,
    job_id = step.job_id, exit_value = step.exit_value, failure_reason = last.failure_reason,
    ready_at = time(step.ready_at), started_at = first and time(first.intended_at),
    ended_at = time(step.ended_at), links = last.links, kept = kept_fields(step.kept),
  }, { attempts = list(attempts) })
end

local function warning_text(warning)
  return M.object({ "at", "path", "message" },
    { at = time(warning.at), path = warning.path, message = warning.message })
end

--- The document of a run.
---@param state luafabric.WorkflowRun
---@param result { exit_code: integer, reports: string[], error: luafabric.Error|nil }
---@return string text  one line
function M.document(state, result)
  local steps, warnings = {}, {}
  for index, path in ipairs(state.order) do steps[index] = step_text(state.steps[path]) end
  for index, warning in ipairs(state.warnings) do warnings[index] = warning_text(warning) end
  local err = result.error
  return M.object(fields, {
    run_id = state.run_id, workflow = state.workflow, file = state.file,
    outcome = state.outcome, exit_code = result.exit_code, detached = state.detached or false,
    started_at = time(state.started_at), ended_at = time(state.ended_at),
    parent = state.parent,
    inputs = json.array(state.inputs or {}), counts = state.counts,
    cancelled_by = state.cancelled and state.cancelled.by,
    reports = json.array(result.reports or {}), error = err and M.error_fields(err),
  }, { steps = list(steps), warnings = list(warnings) })
end

--- The same for a command that did not come to run anything.
---@param known { run_id: string|nil, workflow: string|nil, file: string|nil }  run_id: of the run
---  that it followed
---@param exit_code integer
---@param err luafabric.Error
---@param reports string[]|nil  that were written
---@return string text  one line
function M.refusal(known, exit_code, err, reports)
  return M.document({ run_id = known.run_id, workflow = known.workflow, file = known.file,
    order = {}, steps = {}, warnings = {} },
    { exit_code = exit_code, reports = reports, error = err })
end

--- An event as a line of --output jsonl, its type first. Each field is encoded for itself: one that
--- JSON cannot hold is null, and the line is whole.
---@param event table
---@return string text  one line
function M.event(event)
  local names = {}
  for name in pairs(event) do
    if name ~= "type" then names[#names + 1] = name end
  end
  table.sort(names)
  table.insert(names, 1, "type")
  return M.object(names, event)
end

--- The last line of --output jsonl where there is no run, or the command's own end was not good.
---@param exit_code integer
---@param err luafabric.Error
---@return string text  one line
function M.error_event(exit_code, err)
  return M.object({ "type", "exit_code", "error" }, { type = "error", exit_code = exit_code,
    error = M.error_fields(err) })
end

return M
