-- How `luafabric run` ends: in words, as the document or the last event, and as an exit code.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local output = require "luafabric.cli.workflow_output"
local terminal_module = require "luafabric.cli.terminal"
local workflow_reports = require "luafabric.cli.workflow_reports"

local M = {}

local DEFAULT_COLUMNS = 100

--- A command that ends before anything was sent.
---@param terminal table
---@param known { workflow: string|nil, file: string|nil }
---@param err luafabric.Error|string
---@param code integer|nil  default: of the error
---@return integer code
function M.failure(terminal, known, err, code)
  if not errors.is(err) then err = errors.new { kind = "usage", message = tostring(err) } end
  code = code or exit_codes.of_error(err)
  if terminal.json then terminal:print(output.refusal(known, code, err)) end
  if terminal.jsonl then terminal:print(output.error_event(code, err)) end
  terminal:tell("luafabric: " .. tostring(err))
  return code
end

--- Something went wrong in luafabric itself.
---@param known table
---@param message string
---@param lack boolean|string|nil  a lack that the message explains, not a mistake of ours
---@return integer code
function M.internal(terminal, known, message, lack)
  if not lack then message = "internal error: " .. message end
  return M.failure(terminal, known, errors.new { kind = lack and "configuration" or "raised",
    message = message })
end

local function exit_code_of(state)
  if state.outcome then return exit_codes.of_outcome(state.outcome) end
  if state.detached then return exit_codes.detached end
  return exit_codes.failed
end

local function print_summary(terminal, state)
  local columns = core.isatty(1) and core.window_size(1) or DEFAULT_COLUMNS
  local lines = require("luafabric.view.summary").lines(state, {
    width = columns, palette = terminal_module.palette(terminal, core.isatty(1)),
    look_options = terminal.look_options,
  })
  local text = terminal_module.harmless(table.concat(lines, "\n"))
  return terminal:print(text)
end

--- The reports are written; one that could not be is no success of the command.
local function write_reports(terminal, reports, state, code)
  local paths, messages = workflow_reports.write(reports, state, {
    now = core.wall(), look_options = terminal.look_options })
  for _, message in ipairs(messages) do terminal:tell("luafabric: " .. message) end
  if #messages == 0 then return paths, code end
  local err = errors.new { kind = "configuration", message = table.concat(messages, "; ") }
  return paths, code == exit_codes.ok and exit_codes.failed or code, err
end

--- A run that ended, or that is not watched any more.
---@param terminal table
---@param state luafabric.WorkflowRun
---@param given { reports: table[], code: integer|nil, error: luafabric.Error|nil,
---  is_gone: boolean|nil }  code: instead of the one of the run's outcome; error: what went wrong
---  beside it; is_gone: its runs ended with the emulator, so that nothing is left to look at
---@return integer code
function M.finish(terminal, state, given)
  local paths, code, err = write_reports(terminal, given.reports, state,
    given.code or exit_code_of(state))
  err = given.error or err
  local written
  if terminal.json then
    written = terminal:print(output.document(state, { exit_code = code, reports = paths,
      error = err }))
  elseif terminal.jsonl then
    written = not terminal.broken and (not err or terminal:print(output.error_event(code, err)))
  else
    written = given.is_gone or print_summary(terminal, state)
    for _, path in ipairs(paths) do terminal:say(terminal:faint("report     ") .. path) end
  end
  if not written and code == exit_codes.ok then return exit_codes.failed end
  return code
end

return M
