-- luafabric run: a workflow file from its first check to its last word. Everything that can be
-- wrong with the command line, the file, its inputs and the places of the reports is found before
-- anything is sent.

local core = require "luafabric.core"
local duration = require "luafabric.duration"
local errors = require "luafabric.errors"
local connection_module = require "luafabric.cli.connection"
local exit_codes = require "luafabric.cli.exit_codes"
local interrupt_module = require "luafabric.cli.workflow_interrupt"
local others = require "luafabric.cli.workflow_others"
local output = require "luafabric.view.run_document"
local repair = require "luafabric.cli.workflow_repair"
local results = require "luafabric.cli.workflow_results"
local server_repair = require "luafabric.cli.server_repair"
local screen_module = require "luafabric.cli.workflow_screen"
local terminal_module = require "luafabric.cli.terminal"
local store_option = require "luafabric.cli.store_option"
local workflow_inputs = require "luafabric.cli.workflow_inputs"
local workflow_reports = require "luafabric.cli.workflow_reports"
local workflow_strict = require "luafabric.cli.workflow_strict"
require "luafabric.workflow" -- gives definitions their `run`, also those of a .json file

local usage = workflow_inputs.usage

local M = {}

local RUN_ID_BYTES = 6

-- ---- before anything is sent ----

--- What stands on the command line in place of the file's own words.
local function read_limits(options)
  local limits = { max_concurrency = options.max_concurrency, exclusive = options.exclusive,
    submission = options.submission and options.submission:gsub("%-", "_") or nil }
  if options.timeout then
    local seconds, message = duration.parse(options.timeout)
    if not seconds then return usage(("--timeout %s: %s"):format(options.timeout, message)) end
    if seconds == 0 then return usage("--timeout 0: there would be no time to run anything") end
    limits.timeout = seconds
  end
  if options.deadline then
    local at, message = require("luafabric.workflow.deadline").parse(options.deadline, core.wall())
    if not at then return usage(("--deadline %s: %s"):format(options.deadline, message)) end
    if at <= core.wall() then
      return usage(("--deadline %s: that time is over"):format(options.deadline))
    end
    limits.deadline = options.deadline
  end
  return limits
end

--- A run of the store: its file, unless another is given, and the secrets that it needs again.
local function prepare_again(options, job)
  if not job.store then return usage("--resume needs the store of the run, not --store memory") end
  local row, err = job.store:find(options.resume)
  if not row then return nil, err end
  if not options.file and not row.file then
    return usage(("run %s does not say which file it ran: give FILE"):format(row.run_id))
  end
  job.definition, err = workflow_inputs.load_file(options.file or row.file)
  if not job.definition then return nil, err end
  job.known.workflow, job.known.file = job.definition.name, options.file or row.file
  local values, problem = workflow_inputs.collect(options, job.definition:declared())
  if not values then return usage(problem) end
  job.resume, job.inputs = row.run_id, values
  job.secrets = workflow_inputs.secrets({ inputs = row.inputs or {} }, values)
  return job
end

--- A path that means the same from another folder.
local function absolute(path)
  local folder = os.getenv("PWD")
  if path:sub(1, 1) == "/" or not folder then return path end
  return folder .. "/" .. path
end

--- Everything that a run needs; `job.definition` as soon as it is known.
---@return table|nil job
---@return luafabric.Error|nil err
local function prepare(options, job)
  local reports, message = workflow_reports.check(options.report)
  if not reports then return usage(message) end
  workflow_reports.remove_old(reports)
  job.known.reports = reports
  local limits, err = read_limits(options)
  if not limits then return nil, err end
  job.limits, job.reports = limits, reports
  if options.repair then
    return (options.remote and server_repair or repair).prepare(options, job)
  end
  if options.resume then
    job.store, err = store_option.open(options, true)
    if err then return nil, err end
    return prepare_again(options, job)
  end
  job.definition, err = workflow_inputs.load_file(options.file)
  if not job.definition then return nil, err end
  job.known.workflow = job.definition.name
  job.definition.path = absolute(options.file)
  local plan, values = workflow_inputs.plan(options, job.definition,
    core.random_hex(RUN_ID_BYTES))
  if not plan then return nil, values end
  local problem = workflow_strict.check(options, plan)
  if problem then return usage(problem) end
  job.plan, job.inputs, job.secrets = plan, values, workflow_inputs.secrets(plan, values)
  job.store, err = store_option.open(options)
  if err then return nil, err end
  return job
end

-- ---- the run ----

--- Events on standard output. A reader who leaves does not end the run, and neither does a mistake
--- of ours.
local function print_event(terminal, event)
  if not terminal.jsonl or terminal.broken then return end
  local ok, written = pcall(function() return terminal:print(output.event(event)) end)
  terminal.broken = not ok or not written
  if not ok then
    terminal:tell("luafabric: internal error: no more events on standard output: "
      .. tostring(written))
  end
end

--- The end of a command that left its run: where that is kept, it says how to go on with it.
local function finish_left(terminal, interrupt, job, code, err)
  local state = interrupt.control.state
  local next_command = not state.outcome and job.resume_command
    and job.resume_command(state.run_id) or nil
  return results.finish(terminal, state, { reports = job.reports, code = code, error = err,
    next = next_command, is_gone = interrupt.is_local })
end

local meets = {}

function meets.join(job, row, interrupt, given)
  given.joined, job.joined, job.known.run_id = true, row, row.run_id
  interrupt:following(function()
    return others.left({}, row, job.options, job.look_options)
  end)
end

function meets.replace(job, row, interrupt)
  interrupt:following(function() return others.still_cancelled(row, job.options) end)
end

function meets.take_up(job, row, interrupt, _, control)
  if control then return interrupt:replacing(control) end
  interrupt:following(function()
    return others.still_left(row, job.options, job.look_options)
  end)
end

function meets.replaced(_, _, interrupt) interrupt:replaced() end

--- Another run has the key: it is said what becomes of it, and what a signal does meanwhile.
local function met(job, interrupt, screen, given, what, row, control)
  if not control then screen:tell(others.notice(what, row)) end
  meets[what](job, row, interrupt, given, control)
end

--- The end of a run that was followed.
local function finish_joined(job, terminal, state)
  if state.outcome then return results.finish(terminal, state, { reports = job.reports }) end
  terminal:tell(others.left(state, job.joined, job.options, job.look_options))
  return results.finish(terminal, state, { reports = job.reports, code = exit_codes.detached,
    next = job.resume_command(state.run_id) })
end

--- The worker: from the client to the run's end. Gives the exit code.
local function work(job, terminal, connection, interrupt, screen, given)
  if job.served then
    return server_repair.work(job, terminal, interrupt, screen, function(event)
      print_event(terminal, event)
    end)
  end
  local client, err = connection:client(nil, function(text) screen:tell(text) end, job.secrets)
  if not client then return results.failure(terminal, job.known, err) end
  local state
  state, err = job.definition:run {
    plan = job.plan, resume = job.resume, inputs = job.inputs, store = job.store,
    repair = job.repair, only = job.only, again = job.options.again, changed = job.options.changed,
    client = client, key = job.options.key, on_duplicate = job.options.on_duplicate,
    on_other = function(...) met(job, interrupt, screen, given, ...) end,
    on_notice = function(text) screen:tell(text) end,
    timeout = job.limits.timeout, deadline = job.limits.deadline,
    max_concurrency = job.limits.max_concurrency,
    exclusive = job.limits.exclusive, submission = job.limits.submission,
    -- Documents and reports have them all; a screen shows the last ones.
    exit_values = terminal.json or terminal.jsonl or next(job.reports or {}) ~= nil,
    on_start = function(control) interrupt:started(control) end,
    on_event = function(event, current)
      print_event(terminal, event)
      screen:event(event, current)
    end,
  }
  -- Where the summary goes to the same screen, the table has said all it had to.
  screen:finish(terminal.json or terminal.jsonl or not core.isatty(1))
  if not state then
    return results.failure(terminal, job.known, others.explain(err, job.options, job.look_options))
  end
  if job.joined then return finish_joined(job, terminal, state) end
  if not state.detached then
    return results.finish(terminal, state, { reports = job.reports,
      next = repair.command(job.store, state, job.options, job.look_options) })
  end
  -- A summary on the same screen lists them, too.
  interrupt:say_what_is_left(not terminal.json and not terminal.jsonl
    and core.isatty(1) and core.isatty(2))
  return finish_left(terminal, interrupt, job, interrupt:code_of_leaving())
end

--- An error that nobody expected: what was under way is not forgotten.
local function raised(terminal, interrupt, job, err)
  local message = errors.is(err) and err.message or tostring(err)
  if not interrupt.control then
    if errors.is(err) and err.kind ~= "raised" then
      return results.failure(terminal, job.known, err)
    end
    return results.internal(terminal, job.known, message)
  end
  interrupt.print_above = nil
  interrupt:say_what_is_left()
  -- What the store says is nobody's mistake. A run that was taken over goes on, elsewhere.
  local store_code = errors.is(err) and err.store_code
  local failure = store_code and err
    or errors.new { kind = "raised", message = "internal error: " .. message }
  terminal:tell("luafabric: " .. terminal_module.one_line(failure.message))
  local code = store_code == "fenced" and exit_codes.detached or interrupt:code_of_mistake(failure)
  return finish_left(terminal, interrupt, job, code, failure)
end

--- How the command ends after what `run_worker` gave.
local function conclude(terminal, interrupt, job, decision)
  if decision.raised then return raised(terminal, interrupt, job, decision.raised) end
  if not decision.reason then return decision.code end
  local err = errors.new { kind = "cancelled", message = decision.reason }
  if not interrupt.control then return results.refuse(terminal, job.known, err, decision.code) end
  interrupt.print_above = nil
  interrupt:say_what_is_left()
  return finish_left(terminal, interrupt, job, decision.code, err)
end

local function run_job(job, options, terminal)
  job.options, job.look_options = options, terminal.look_options
  job.resume_command = job.store and not job.served and function(run_id)
    return others.resume_command(run_id, options, terminal.look_options)
  end or nil
  local connection = connection_module.new(options, interrupt_module.signals)
  local mode = screen_module.mode(terminal, core.isatty, os.getenv("TERM"))
  local given = { on_interrupt = options.on_interrupt, local_dir = options.local_dir,
    has_keys = core.isatty(0) and core.isatty(2), mode = mode,
    resume_command = job.resume_command, joined = job.served ~= nil }
  local interrupt = interrupt_module.new(connection.loop, terminal, given)
  local screen = screen_module.new(terminal, connection.loop, given)
  interrupt.print_above = function(text) screen:tell(text) end
  interrupt.show_hint = function(text) screen:hint(text) end
  local ok, decision = pcall(interrupt.run_worker, interrupt, function()
    return work(job, terminal, connection, interrupt, screen, given)
  end)
  pcall(screen.finish, screen)
  if not ok then decision = { raised = decision } end
  -- As long as the connection is there, signals are caught: nobody who has lost patience keeps the
  -- last events from the disk, or the last words from being said.
  local is_said, code = pcall(function()
    if job.store then job.store:close() end
    return conclude(terminal, interrupt, job, decision)
  end)
  connection:close()
  if not is_said then error(code, 0) end
  return code
end

-- ---- the help of a file ----

--- `run --help`, and with a file its inputs.
local function print_help(options, terminal)
  local parser = require("argparse")("luafabric"):help_max_width(100)
  local command = require("luafabric.cli.workflow_arguments").add(parser)
  local parts = { command:get_help() }
  if options.file then
    local definition, err = workflow_inputs.load_file(options.file)
    if not definition then
      return results.failure(terminal, { file = options.file }, err)
    end
    table.insert(parts, 1, ("%s: the workflow '%s'\n\n%s\n"):format(options.file, definition.name,
      table.concat(workflow_inputs.help(definition:declared()), "\n")))
  end
  local text = terminal_module.harmless(table.concat(parts, "\n"))
  return terminal:print((text:gsub("\n+$", ""))) and exit_codes.ok or exit_codes.failed
end

---@param options table  of the command line
---@param terminal table
---@return integer code
function M.run(options, terminal)
  if options.help then return print_help(options, terminal) end
  local job = { known = { file = options.file } }
  local ready, err = prepare(options, job)
  if not ready then return results.failure(terminal, job.known, err) end
  if job.whole then return repair.nothing(job, terminal) end
  return run_job(job, options, terminal)
end

return M
