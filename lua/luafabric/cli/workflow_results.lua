-- How `luafabric run` ends: in words, as the document or the last event, and as an exit code.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local output = require "luafabric.view.run_document"
local terminal_module = require "luafabric.cli.terminal"
local words = require "luafabric.view.words"
local workflow_reports = require "luafabric.cli.workflow_reports"

local M = {}

local DEFAULT_COLUMNS = 100

--- What the views are told beside the state.
local function view_options(terminal, err)
  return { now = core.wall(), look_options = terminal.look_options, is_local = terminal.is_local,
    error = err and err.message }
end

--- The state of a run that never began.
local function nothing(known, err)
  local state = require("luafabric.history").new()
  state.workflow, state.file = known.workflow or known.file, known.file
  local outcome = exit_codes.outcome_of_error(err)
  state.outcome = outcome == "cancelled" and outcome or "failed"
  return state
end

--- Reports are for whoever was not there: those of a run that never began say so.
local function report_nothing(terminal, known, err)
  local paths, messages = workflow_reports.write(known.reports or {}, nothing(known, err),
    view_options(terminal, err))
  for _, message in ipairs(messages) do terminal:tell("luafabric: " .. message) end
  return paths
end

--- A command that ends before anything was sent, without words.
---@param terminal table
---@param known { workflow: string|nil, file: string|nil, reports: table[]|nil }
---@param err luafabric.Error
---@param code integer
---@return integer code
function M.refuse(terminal, known, err, code)
  local paths = report_nothing(terminal, known, err)
  if terminal.json then terminal:print(output.refusal(known, code, err, paths)) end
  if terminal.jsonl and not terminal.broken then terminal:print(output.error_event(code, err)) end
  return code
end

--- A command that ends before anything was sent.
---@param terminal table
---@param known { workflow: string|nil, file: string|nil, reports: table[]|nil }
---@param err luafabric.Error|string
---@param code integer|nil  default: of the error
---@return integer code
function M.failure(terminal, known, err, code)
  if not errors.is(err) then err = errors.new { kind = "usage", message = tostring(err) } end
  code = M.refuse(terminal, known, err, code or exit_codes.of_error(err))
  terminal:tell("luafabric: " .. terminal_module.one_line(err))
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

local function print_summary(terminal, state, next_command)
  local columns = core.isatty(1) and core.window_size(1) or DEFAULT_COLUMNS
  local lines = require("luafabric.view.summary").lines(state, {
    width = columns, palette = terminal_module.palette(terminal, core.isatty(1)),
    look_options = terminal.look_options, is_local = terminal.is_local, next = next_command,
  })
  local text = terminal_module.harmless(table.concat(lines, "\n"))
  return terminal:print(text)
end

--- The reports are written; one that could not be is no success of the command.
local function write_reports(terminal, given, state, code)
  local paths, messages = workflow_reports.write(given.reports, state,
    view_options(terminal, given.error))
  for _, message in ipairs(messages) do terminal:tell("luafabric: " .. message) end
  if #messages == 0 then return paths, code end
  local err = errors.new { kind = "configuration", message = table.concat(messages, "; ") }
  return paths, code == exit_codes.ok and exit_codes.failed or code, err
end

--- A run that ended, or that is not watched any more.
---@param terminal table
---@param state luafabric.WorkflowRun
---@param given { reports: table[], code: integer|nil, error: luafabric.Error|nil,
---  is_gone: boolean|nil, next: string|nil }  code: instead of the one of the run's outcome;
---  error: what went wrong beside it; is_gone: its runs ended with the emulator, so that nothing is
---  left to look at; next: the command to go on with
---@return integer code
function M.finish(terminal, state, given)
  local shown = terminal.is_local and words.without_pages(state) or state
  local paths, code, err = write_reports(terminal, given, shown, given.code or exit_code_of(state))
  err = given.error or err
  local written
  if terminal.json then
    written = terminal:print(output.document(state, { exit_code = code, reports = paths,
      error = err }))
  elseif terminal.jsonl then
    written = not terminal.broken and (not err or terminal:print(output.error_event(code, err)))
  else
    written = given.is_gone or print_summary(terminal, shown, given.next)
    for _, path in ipairs(paths) do terminal:say(terminal:faint("report     ") .. path) end
  end
  if not written and code == exit_codes.ok then return exit_codes.failed end
  return code
end

return M
