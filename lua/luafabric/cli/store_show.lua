-- luafabric show: a run of the store, or one step of it, and its reports.

local core = require "luafabric.core"
local exit_codes = require "luafabric.cli.exit_codes"
local results = require "luafabric.cli.workflow_results"
local stored_run = require "luafabric.cli.stored_run"
local terminal_module = require "luafabric.cli.terminal"
local view = require "luafabric.view.stored_run"
local workflow_reports = require "luafabric.cli.workflow_reports"

local M = {}

local DEFAULT_COLUMNS = 100

-- ---- in words ----

local function facts_of(row)
  return { { "problem", row.problem }, { "run by", stored_run.standing(row) },
    { "repairs", row.parent and "run " .. row.parent }, { "key", row.key } }
end

local function print_lines(terminal, stored, state, step, options)
  local on_terminal, is_left = core.isatty(1), stored_run.is_left(stored.row)
  local given = {
    width = on_terminal and core.window_size(1) or DEFAULT_COLUMNS,
    palette = terminal_module.palette(terminal, on_terminal),
    now = not is_left and not state.ended_at and core.wall() or state.now,
    is_left = is_left, orphaned = stored.row.orphaned,
    facts = facts_of(stored.row), look_options = terminal.look_options,
    next = stored:next_command(state, options),
    show = ("luafabric show %s%s"):format(stored.short_id, stored_run.store_words(options)),
  }
  local lines
  if step then
    lines = require("luafabric.view.step_details").lines(state, step, given)
  else
    lines = require("luafabric.view.run_details").lines(state, given)
  end
  return terminal:print(terminal_module.harmless(table.concat(lines, "\n")))
end

-- ---- the command ----

local function write_reports(terminal, reports, state)
  local paths, messages = workflow_reports.write(reports, state, { now = core.wall(),
    look_options = terminal.look_options })
  for _, message in ipairs(messages) do terminal:tell("luafabric: " .. message) end
  return paths, #messages == 0
end

local function show(stored, options, terminal, reports)
  local state, err = stored:state()
  local step = state and options.step and state.steps[options.step]
  if state and options.step and not step then err = stored:no_such_step(state, options.step) end
  if err then return results.failure(terminal, {}, err) end
  local paths, are_written = write_reports(terminal, reports, state)
  local is_shown
  if terminal.json then
    is_shown = terminal:print(view.document(stored.row, state,
      { step = step, reports = paths }))
  else
    is_shown = print_lines(terminal, stored, state, step, options)
    for _, path in ipairs(paths) do terminal:say(terminal:faint("report     ") .. path) end
  end
  return is_shown and are_written and exit_codes.ok or exit_codes.failed
end

---@param options table  of the command line
---@param terminal table
---@return integer code
function M.run(options, terminal)
  local reports, message = workflow_reports.check(options.report)
  if not reports then return results.failure(terminal, {}, message) end
  local stored, err = stored_run.find(options)
  if not stored then return results.failure(terminal, {}, err) end
  local ok, code = pcall(show, stored, options, terminal, reports)
  stored:close()
  if not ok then error(code, 0) end
  return code
end

return M
