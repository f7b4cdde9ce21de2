-- The command line of `luafabric run`, and what its mistakes are called.

local exit_codes = require "luafabric.cli.exit_codes"
local server_option = require "luafabric.cli.server_option"
local store_option = require "luafabric.cli.store_option"
local workflow_inputs = require "luafabric.cli.workflow_inputs"
local workflow_strict = require "luafabric.cli.workflow_strict"

local M = {}

local MOST_AT_A_TIME = 10000

local function at_a_time(text)
  local value = text:find("^%d+$") and tonumber(text)
  if value and value >= 1 and value <= MOST_AT_A_TIME then return value end
  return nil, ("--max-concurrency %s: expected a whole number from 1 to %d"):format(text,
    MOST_AT_A_TIME)
end

-- How a workflow is run, whatever it is that begins it.
local function add_running(run)
  run:option("--report", "Write a report, however the run ends, and where it cannot begin, too. "
    .. "Its name decides the kind: .html, .md or .xml (JUnit). What was there is removed first. "
    .. "May be repeated."):argname("FILE"):count("*")
  run:option("--local", "Start an emulator for this one command, with the notebooks of "
    .. "DIR/<workspace>/<notebook>.ipynb; no credential is used.")
    :argname("DIR"):target("local_dir")
  run:flag("--again", "Run the steps that have `once`, too, instead of reusing their successes of "
    .. "earlier runs.")
  run:option("--max-concurrency", "So many of its runs at a time, instead of what the file says.")
    :argname("N"):convert(at_a_time)
  run:option("--timeout", "Cancel what runs when the workflow takes longer than this, from its "
    .. "start: 90s, 15m, 2h, 1d."):argname("DURATION")
  run:option("--deadline", "The same at a time: 06:00 (the next one, local), 06:00Z, "
    .. "2026-01-31T06:00:00Z."):argname("TIME")
  run:flag("--exclusive", "Nobody else runs its notebooks meanwhile: where the answer to a "
    .. "submission is lost, the one run that can be it is taken for it.")
  run:option("--submission", "What follows a submission whose answer is lost: reconcile (default) "
    .. "looks for its run, and ends as unknown where nothing is proven; at-most-once ends as "
    .. "unknown at once; at-least-once submits again, so that there may be two runs.")
    :choices { "reconcile", "at-most-once", "at-least-once" }
  run:option("--on-interrupt", "What Ctrl-C, SIGTERM or SIGHUP does: cancel the runs and wait for "
    .. "them, or detach and leave them in Fabric. Ctrl-\\ always leaves them; those of --local end "
    .. "with the command.")
    :choices { "cancel", "detach" }:default("cancel")
  run:option("--route", "typed (default), or generic for tenants that lack the typed route.")
    :choices { "typed", "generic" }
  run:option("--endpoint", "The API to talk to (default: LUAFABRIC_ENDPOINT, or Fabric's own).")
    :argname("URL")
  run:option("-o --output", "What standard output gets: text (a summary), json (one document at "
    .. "the end) or jsonl (an event a line, as they happen)."):choices { "text", "json", "jsonl" }
    :default("text")
  run:flag("-q --quiet", "No progress on standard error.")
end

--- Adds the command to the parser.
---@param parser table  of argparse
---@return table command
function M.add(parser)
  local run = parser:command("run", "Run a workflow file to its end.")
  run:add_help(false)
  run:flag("-h --help", "Show this, and with FILE the inputs of that workflow.")
  run:argument("file", "A Lua file that returns fabric.workflow(…), or a runMultiple .json.")
    :argname("FILE"):args("?")
  workflow_inputs.add(run)
  workflow_strict.add(run)
  store_option.add(run)
  run:option("--resume", "Go on with a run that was cut off, from what the store knows of it; FILE "
    .. "may be left out."):argname("RUN")
  run:flag("--changed", "With --resume: the file has changed. What has ended is kept where its "
    .. "request is the same, what is under way is finished as it was, and the rest runs as the "
    .. "file says now.")
  run:option("--key", "At most one unfinished run of a key is in the store (default: the "
    .. "workflow's name and its inputs)."):argname("KEY")
  run:option("--on-duplicate", "What to do when there is one: refuse (default) this run, join the "
    .. "other one, which is followed to its end, or replace it: it is cancelled, and this one "
    .. "starts when it has ended."):choices { "refuse", "join", "replace" }
  add_running(run)
  run:epilog(exit_codes.help("the run succeeded"))
  return run
end

--- Adds `luafabric repair` to the parser.
---@param parser table  of argparse
function M.add_repair(parser)
  local repair = parser:command("repair", "Run what failed in a run, and what depends on it, in a "
    .. "new run; keep the rest.")
  repair:argument("run", "The run's id, or the beginning of it; it has ended."):argname("RUN")
    :target("repair")
  repair:argument("file", "The workflow file, where it is not the one that the run names.")
    :argname("FILE"):args("?")
  repair:option("--only", "Run this step or item (as in 'clean[us]') and what depends on it, and "
    .. "nothing else. May be repeated."):argname("PATH"):count("*")
  workflow_inputs.add(repair)
  store_option.add(repair)
  server_option.add(repair)
  add_running(repair)
  repair:epilog("A step that succeeded is kept where its request is the same and nothing before it "
    .. "runs again.\nThe finally steps run in every repair.\n\n"
    .. exit_codes.help("the run succeeded, or there is nothing to repair"))
end

local function missing_file(command)
  return ("%s: the workflow file is missing: luafabric %s FILE.lua"):format(command, command)
end

--- Options of `run` that contradict each other, or lack something.
---@param options table
---@return string|nil message
function M.contradiction(options)
  if options.help then return nil end
  local has_file = options.file or options.resume or options.repair
  if not has_file then return missing_file "run" end
  if options.resume and options.strict then
    return "--resume goes on with a run whose plan was checked: --strict has no effect on it"
  end
  if options.changed and not options.resume then
    return "--changed is about a run that is taken up: give --resume RUN, too"
  end
  if options.key == "" then return "--key: it is empty: give a text, or leave --key out" end
  local of_a_key = options.key and "--key" or options.on_duplicate and "--on-duplicate"
  if of_a_key and options.resume then
    return ("--resume goes on with a run, which has its key: %s has no effect on it"):format(
      of_a_key)
  end
  if of_a_key and store_option.is_memory(options) then
    return ("%s is about the other runs of a store, and %s keeps this one in memory: name a store "
      .. "with --store"):format(of_a_key, options.store and "--store memory" or "--local")
  end
  if options.local_dir and options.endpoint then
    return "--local and --endpoint contradict each other: --local has an endpoint of its own"
  end
  if options.local_dir and options.on_interrupt == "detach" then
    return "--local and --on-interrupt detach contradict each other: the emulator of --local ends "
      .. "with the command, and so do its runs"
  end
end

local function is_word(word)
  return word ~= nil and word ~= "" and not word:find("^%-")
end

--- What somebody probably meant whose command line makes no sense.
---@param arguments string[]
---@param said string  by the parser
---@return string|nil message  nil where there is nothing better to say
function M.suggestion(arguments, said)
  local first, second, third = arguments[1], arguments[2], arguments[3]
  if is_word(first) and (first:find("%.lua$") or first:find("%.json$")) then
    return ("'%s' is no command; did you mean luafabric run %s?"):format(first, first)
  end
  if first == "convert" and said:find("missing argument 'file'", 1, true) then
    return "convert: the runMultiple file is missing: luafabric convert FILE.json"
  end
  if first == "plan" and said:find("missing argument 'file'", 1, true) then
    return missing_file "plan"
  end
  local is_notebook = is_word(second) and not second:find("%.lua$")
    and not second:find("%.json$") and is_word(third)
    and not third:find("=", 1, true)
  if first == "run" and is_notebook then
    local word = require("luafabric.cli.terminal").shell_word
    return ("run takes one workflow file; for a single notebook: luafabric notebook run %s %s")
      :format(word(second), word(third))
  end
  if first == "run" and said:find("--server", 1, true) then
    return "run runs a workflow on this machine; a service is told by POST "
      .. "/workflows/NAME/runs, and luafabric runs --server URL lists what it runs"
  end
  if (first == "run" or first == "plan") and said:find("^too many arguments") then
    return ("%s takes one workflow file; an input is given as -P name=value"):format(first)
  end
end

return M
