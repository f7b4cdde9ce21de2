-- A finished command as words and exit code: a run, an error, a part of an exit value.

local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local terminal_module = require "luafabric.cli.terminal"

local M = {}

local function look_up(run)
  return ("luafabric notebook status %s %s %s"):format(run.workspace_id, run.notebook_id,
    run.job_id or "JOB")
end

M.look_up = look_up

--- How to see the runs of a notebook where the job id is not known.
function M.look_for(run)
  return ("luafabric notebook list %s %s"):format(run.workspace_id, run.notebook_id)
end

local function reason_text(reason)
  if type(reason) ~= "table" then return reason and tostring(reason) or nil end
  local code, message = reason.errorCode, reason.message
  if code and message then return ("%s (%s)"):format(tostring(message), tostring(code)) end
  return tostring(message or code or "no reason given")
end

local function elapsed(run)
  local core = require "luafabric.core"
  local from = run.started_at and core.parse_time(run.started_at)
  local to = run.ended_at and core.parse_time(run.ended_at)
  if not from or not to or to < from then return nil end
  return require("luafabric.duration").format(to - from)
end

local signs = { succeeded = "good", cancelled = "careful", timed_out = "careful" }

local function say_run(terminal, run)
  local sign = run.outcome == "succeeded" and "✓" or "✗"
  local parts = { ("%s %s/%s  %s"):format(sign, run.workspace or run.workspace_id,
    run.notebook or run.notebook_id, run.outcome) }
  parts[#parts + 1] = elapsed(run)
  if run.job_id then parts[#parts + 1] = "job " .. run.job_id end
  local paint = terminal[signs[run.outcome] or "bad"]
  local line = paint(terminal, table.concat(parts, "  "))
  if run.outcome == "succeeded" then terminal:say(line) else terminal:tell(line) end
  local reason = reason_text(run.failure_reason)
  if reason then terminal:tell("  reason: " .. reason) end
  if run.error then terminal:tell("  " .. tostring(run.error)) end
  for _, url in pairs(run.links or {}) do
    terminal:say("  " .. url)
    break
  end
end

local function next_step(terminal, run)
  if run.outcome == "unknown" and not run.error then
    terminal:tell("  it may or may not run: look with " .. M.look_for(run))
  elseif run.outcome == "failed" then
    terminal:tell("  next: look at the run in Fabric's monitoring hub; " .. look_up(run))
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

local function print_exit_value(terminal, run, path)
  local text, message = part_of(run.exit_value, path)
  if not text then
    terminal:tell("luafabric: " .. message)
    return exit_codes.failed
  end
  if not terminal:print(text) then return exit_codes.failed end
  return exit_codes.ok
end

--- A run that ended, or whose fate is unknown.
---@param terminal table
---@param run table
---@param exit_value string|nil  PATH of --exit-value; "" for the whole
---@return integer code
function M.run(terminal, run, exit_value)
  local code = exit_codes.of_outcome(run.outcome)
  if terminal.json then
    if not terminal:print(terminal_module.document(M.run_fields(run))) then
      return exit_codes.failed
    end
    return code
  end
  say_run(terminal, run)
  next_step(terminal, run)
  if code ~= exit_codes.ok then return code end
  if exit_value then return print_exit_value(terminal, run, exit_value) end
  if run.exit_value and not terminal:print(run.exit_value) then return exit_codes.failed end
  return code
end

--- A run that goes on without us.
---@return integer code  what the caller says; 1 when the result could not be written
function M.running(terminal, run, code)
  if terminal.json then
    if not terminal:print(terminal_module.document(M.run_fields(run))) then
      return exit_codes.failed
    end
    return code
  end
  if run.job_id and code == exit_codes.ok then
    if not terminal:print(run.job_id) then return exit_codes.failed end
  end
  terminal:say("  look with: " .. look_up(run))
  return code
end

--- An error where no run was started.
---@param terminal table
---@param err luafabric.Error|string
---@return integer code
function M.failure(terminal, err)
  if not errors.is(err) then err = errors.new { kind = "usage", message = tostring(err) } end
  if terminal.json then
    terminal:print(terminal_module.document {
      outcome = exit_codes.outcome_of_error(err), request_id = err.request_id,
      error = terminal_module.error_fields(err),
    })
  end
  terminal:tell("luafabric: " .. tostring(err))
  return exit_codes.of_error(err)
end

return M
