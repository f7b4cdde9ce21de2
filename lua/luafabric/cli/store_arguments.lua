-- The command line of runs, show, events, cancel and resolve: the commands that look into the
-- store.

local exit_codes = require "luafabric.cli.exit_codes"
local server_option = require "luafabric.cli.server_option"
local store_option = require "luafabric.cli.store_option"

local M = {}

local MOST = 1000000

local function whole_number(option)
  return function(text)
    local value = text:find("^%d+$") and tonumber(text)
    if value and value >= 1 and value <= MOST then return value end
    return nil, ("%s %s: expected a whole number from 1 to %d"):format(option, text, MOST)
  end
end

local function add_run_id(command)
  command:argument("run", "The run's id, or the beginning of it."):argname("RUN"):target("run_id")
end

local function add_output(command)
  command:option("-o --output", "What standard output gets: text or json (one document)."):choices
    { "text", "json" }:default("text")
end

local function add_runs(parser)
  local runs = parser:command("runs", "List the runs of workflows, the latest first.")
  runs:option("--limit", "So many of them (default 20)."):argname("N")
    :convert(whole_number "--limit"):default("20")
  runs:option("--state", "Only those that are in this state; queued is one of a service."):choices
    { "queued", "running", "detached", "ended" }
  add_output(runs)
  store_option.add(runs)
  server_option.add(runs)
  runs:epilog("Exit codes: 0 when they were listed, 2 when the store cannot be read or the service "
    .. "not be\nreached, 5 when the service refuses the token.")
end

local function add_show(parser)
  local show = parser:command("show", "Show a run, or one step of it with each attempt's request.")
  add_run_id(show)
  show:argument("step", "A step's name, or an item's, as in 'clean[us]'."):argname("STEP"):args("?")
  show:option("--report", "Write a report of the run; its name decides the kind: .html, .md or "
    .. ".xml (JUnit). May be repeated."):argname("FILE"):count("*")
  add_output(show)
  store_option.add(show)
  server_option.add(show)
  show:epilog("Exit codes: 0 when it was shown, however the run ended; 2 when there is no such "
    .. "run, or the\nservice cannot be reached; 5 when it refuses the token.")
end

local function add_events(parser)
  local events = parser:command("events", "Print the events of a run, each a line of JSON.")
  add_run_id(events)
  events:flag("--follow", "Go on with those that come, until the run has ended.")
  events:option("--from", "Begin with this event; the first of a run is 1."):argname("N")
    :convert(whole_number "--from"):default("1")
  store_option.add(events)
  server_option.add(events)
  events:epilog("Exit codes: 0 when all of them were printed, 2 when there is no such run, or the "
    .. "service\ncannot be reached, 5 when it refuses the token, 7 when --follow stopped since "
    .. "nobody runs it,\nor Ctrl-C came.")
end

local function add_cancel(parser)
  local cancel = parser:command("cancel", "Cancel a run that another process runs, and wait for "
    .. "its end.")
  add_run_id(cancel)
  cancel:flag("--now", "Leave out the finally steps, too.")
  add_output(cancel)
  cancel:flag("-q --quiet", "No words on standard error while it waits.")
  store_option.add(cancel)
  server_option.add(cancel)
  cancel:epilog("The exit code is that of the run, so 3 where it was cancelled.\n\n"
    .. exit_codes.help())
end

local function add_resolve(parser)
  local resolve = parser:command("resolve", "Say what became of a submission that is in doubt.")
  add_run_id(resolve)
  resolve:argument("step", "The step's name, or the item's, as in 'clean[us]'."):argname("STEP")
  resolve:mutex(
    resolve:option("--adopt", "Its run is this job (luafabric notebook list shows them)."):argname
      "JOB",
    resolve:flag("--not-started", "It started no run, and may be sent again."))
  resolve:option("--endpoint", "The API to talk to (default: LUAFABRIC_ENDPOINT, or Fabric's own).")
    :argname("URL")
  add_output(resolve)
  resolve:flag("-q --quiet", "No words on standard error.")
  store_option.add(resolve)
  resolve:epilog("Exit codes: 0 when it was written down, 2 when there is nothing in doubt, or the "
    .. "job cannot be its run,\n7 when the process that runs it was asked, and has not answered "
    .. "yet.")
end

--- Adds the commands to the parser.
---@param parser table  of argparse
function M.add(parser)
  add_runs(parser)
  add_show(parser)
  add_events(parser)
  add_cancel(parser)
  add_resolve(parser)
end

--- What somebody probably meant whose command line makes no sense.
---@param arguments string[]
---@param said string  by the parser
---@return string|nil message  nil where there is nothing better to say
function M.suggestion(arguments, said)
  local command = arguments[1]
  if said:find("missing argument 'run'", 1, true) then
    return ("%s: which run? luafabric %s RUN; luafabric runs lists them"):format(command, command)
  end
  if command == "resolve" and said:find("missing argument 'step'", 1, true) then
    return "resolve: which step? luafabric show RUN lists those that are unknown"
  end
  if command == "resolve" and said:find("%-%-server") then
    return "resolve: a service does not settle submissions: luafabric resolve on its machine, with "
      .. "--store"
  end
  if command == "cancel" and said:find("^too many arguments") then
    return "cancel takes the id of a workflow's run; for a single notebook's: luafabric notebook "
      .. "cancel WORKSPACE NOTEBOOK JOB"
  end
end

return M
