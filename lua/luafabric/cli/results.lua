-- A finished command as words and exit code: a run, an error, a part of an exit value. With
-- --output json each of these is the one document on standard output, and the words stay beside
-- it.

local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local terminal_module = require "luafabric.cli.terminal"

local one_line = terminal_module.one_line

local M = {}

--- The command that shows a run.
function M.look_up(terminal, run)
  return ("luafabric notebook status %s %s %s%s"):format(run.workspace_id, run.notebook_id,
    run.job_id or "JOB", terminal.look_options)
end

--- The command that shows the runs of a notebook, where the job id is not known.
function M.look_for(terminal, run)
  return ("luafabric notebook list %s %s%s"):format(run.workspace_id, run.notebook_id,
    terminal.look_options)
end

local function elapsed(run)
  local core = require "luafabric.core"
  local from = run.started_at and core.parse_time(run.started_at)
  local to = run.ended_at and core.parse_time(run.ended_at)
  if not from or not to or to < from then return nil end
  return require("luafabric.duration").format(to - from)
end

-- The page that says most about a run comes first: its snapshot shows the cells with their output.
local links_by_use = { "executionSnapshotUrl", "sparkJobDetailsUrl", "sparkUiUrl", "driverLogUrl" }

local function best_link(links)
  for _, name in ipairs(links_by_use) do
    if links[name] then return links[name] end
  end
  local names = {}
  for name in pairs(links) do names[#names + 1] = name end
  table.sort(names)
  return links[names[1]]
end

local paints = { succeeded = "good", cancelled = "careful", timed_out = "careful" }

local function say_run(terminal, run)
  local succeeded = run.outcome == "succeeded"
  local parts = { ("%s %s/%s  %s"):format(succeeded and "✓" or "✗",
    run.workspace or run.workspace_id, run.notebook or run.notebook_id, run.outcome) }
  parts[#parts + 1] = elapsed(run)
  if run.job_id then parts[#parts + 1] = "job " .. run.job_id end
  local paint = terminal[paints[run.outcome] or "bad"]
  local line = paint(terminal, one_line(table.concat(parts, "  ")))
  if succeeded then terminal:say(line) else terminal:tell(line) end
  local reason = require("luafabric.view.words").failure_reason(run.failure_reason)
    or type(run.failure_reason) == "table" and "no reason given"
  if reason then terminal:tell("  reason: " .. one_line(reason)) end
  if run.error then terminal:tell("  " .. one_line(run.error)) end
  local link = best_link(run.links or {})
  if link then terminal:say("  " .. link) end
end

local function next_step(terminal, run)
  if terminal.is_local then return end -- the emulator ends with us
  if run.outcome == "unknown" and not run.error then
    terminal:tell("  it may or may not run: look with " .. M.look_for(terminal, run))
  elseif run.outcome == "failed" then
    terminal:tell("  next: look at the run in Fabric's monitoring hub; "
      .. M.look_up(terminal, run))
  end
end

--- The fields of a run for the document.
function M.run_fields(run)
  return {
    outcome = run.outcome, job_id = run.job_id, workspace_id = run.workspace_id,
    notebook_id = run.notebook_id, exit_value = run.exit_value, status = run.status,
    failure_reason = run.failure_reason, request_id = run.request_id,
    started_at = run.started_at, ended_at = run.ended_at, links = run.links,
    error = run.error and terminal_module.error_fields(run.error) or nil,
  }
end

local function print_document(terminal, fields)
  return terminal:print(terminal_module.document(fields))
end

-- The part of an exit value at a path: a JSON string as its text, anything else as its exact JSON.
local function part_of(exit_value, path)
  if exit_value == nil then return nil, "the run gave no exit value" end
  if path == "" then return exit_value end
  local json = require "luafabric.json"
  local unpack = table.unpack or unpack
  local slice, message = json.slice(exit_value, unpack(json.split_path(path)))
  if not slice then return nil, "--exit-value " .. path .. ": " .. message end
  if slice == "null" then return nil, "--exit-value " .. path .. ": it is null" end
  if slice:find('^"') then return (json.decode(slice)) end
  return slice
end

-- The exit value that was asked for, or why the command fails without it although the run
-- succeeded.
local function wanted_value(terminal, run, path)
  if run.outcome ~= "succeeded" or not path then return run.exit_value end
  local value, message = part_of(run.exit_value, path)
  if value then return value end
  terminal:tell("luafabric: " .. message)
  return nil, errors.new { kind = "usage", message = message }
end

local function print_run(terminal, run, code, path)
  local value, err = wanted_value(terminal, run, path)
  if err then code = exit_codes.failed end
  if terminal.json then
    local fields = M.run_fields(run)
    fields.exit_value = value
    fields.error = fields.error or err and terminal_module.error_fields(err)
    if not print_document(terminal, fields) then return exit_codes.failed end
    return code
  end
  if run.outcome ~= "succeeded" or value == nil then return code end
  if not terminal:print(value) then return exit_codes.failed end
  return code
end

--- A run that ended, or whose fate is unknown.
---@param terminal table
---@param run table
---@param path string|nil  PATH of --exit-value; "" for the whole
---@return integer code
function M.run(terminal, run, path)
  if not terminal.json then
    say_run(terminal, run)
    next_step(terminal, run)
  end
  return print_run(terminal, run, exit_codes.of_outcome(run.outcome), path)
end

--- A run that was accepted and goes on.
---@return integer code  what the caller says; 1 when the result could not be written
function M.running(terminal, run, code)
  if terminal.json then
    if not print_document(terminal, M.run_fields(run)) then return exit_codes.failed end
    return code
  end
  if run.job_id and not terminal:print(run.job_id) then return exit_codes.failed end
  terminal:say("  look with: " .. M.look_up(terminal, run))
  return code
end

--- A signal ended the command before the run's end. The words were said when it came.
---@param decision { code: integer, run: table|nil, reason: string, untouched: boolean|nil }
---  untouched: the command was cancelled, and the run is what it was
---@return integer code
function M.interrupted(terminal, decision)
  if not terminal.json then return decision.code end
  local fields = M.run_fields(decision.run or {})
  if decision.code == exit_codes.cancelled and not decision.untouched then
    fields.outcome = "cancelled"
  end
  fields.error = { kind = "cancelled", message = decision.reason }
  if not print_document(terminal, fields) then return exit_codes.failed end
  return decision.code
end

--- An error where no run was started.
---@param terminal table
---@param err luafabric.Error|string
---@param code integer|nil  default: of the error
---@return integer code
function M.failure(terminal, err, code)
  if not errors.is(err) then err = errors.new { kind = "usage", message = tostring(err) } end
  if terminal.json then
    print_document(terminal, {
      outcome = exit_codes.outcome_of_error(err), request_id = err.request_id,
      error = terminal_module.error_fields(err),
    })
  end
  terminal:tell("luafabric: " .. one_line(err))
  return code or exit_codes.of_error(err)
end

--- Something went wrong in luafabric itself; nothing was submitted.
---@param message string
---@param known boolean|string|nil  a lack that the message explains, not a mistake of ours
---@return integer code
function M.internal(terminal, message, known)
  if not known then message = "internal error: " .. message end
  return M.failure(terminal, errors.new { kind = known and "configuration" or "raised",
    message = message })
end

local function lost(terminal, fields, message, code)
  if terminal.json then
    fields = M.run_fields(fields)
    fields.error = { kind = "raised", message = message }
    print_document(terminal, fields)
  end
  terminal:tell("luafabric: " .. message)
  return code
end

--- Something went wrong in luafabric itself while a run was on.
---@return integer code
function M.lost_run(terminal, run, message)
  return lost(terminal, run, ("internal error: %s; the run goes on in Fabric. Look with: %s")
    :format(message, M.look_up(terminal, run)), exit_codes.detached)
end

--- The same while a submission was on its way.
---@return integer code
function M.lost_answer(terminal, submission, message)
  return lost(terminal, { outcome = "unknown", workspace_id = submission.workspace_id,
    notebook_id = submission.notebook_id }, ("internal error: %s; the notebook may or may not run. "
    .. "Look with: %s"):format(message, M.look_for(terminal, submission)), exit_codes.unknown)
end

return M
