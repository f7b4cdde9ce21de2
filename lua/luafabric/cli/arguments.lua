-- The command line: what there is to say, and reading it. argparse does the work; before it come
-- the two things it cannot know: that a token is never an argument, and which word belongs to
-- --exit-value, whose PATH is optional.

local argparse = require "argparse"
local doctor_arguments = require "luafabric.cli.doctor_arguments"
local exit_codes = require "luafabric.cli.exit_codes"
local store_arguments = require "luafabric.cli.store_arguments"
local workflow_arguments = require "luafabric.cli.workflow_arguments"

local M = {}

local WHOLE = "." -- the PATH of --exit-value without one

-- Options of `notebook run` that take the next word.
local takes_word = {
  ["-P"] = true, ["--parameter"] = true, ["--params"] = true, ["--execution-data"] = true,
  ["--timeout"] = true, ["--submit-timeout"] = true, ["--route"] = true, ["--on-interrupt"] = true,
  ["--endpoint"] = true, ["--local"] = true, ["--output"] = true, ["-o"] = true,
}

local MOST_SECONDS = 86400

local function add_common(command)
  command:option("--endpoint", "The API to talk to (default: LUAFABRIC_ENDPOINT, or Fabric's own).")
    :argname("URL")
  command:option("-o --output", "What standard output gets: text or json (one document)."):choices
    { "text", "json" }:default("text")
  command:flag("-q --quiet", "No progress on standard error.")
end

local function add_run(notebook)
  local run = notebook:command("run", "Run a notebook and wait for its end.")
  run:argument("workspace", "Name or id."):argname("WORKSPACE")
  run:argument("notebook", "Name or id."):argname("NOTEBOOK")
  run:option("-P --parameter", "A parameter: name=value is Text; name:Type=value is one of Text, "
    .. "Integer, Number, Boolean, DateTime, Guid, VariableReference, Automatic. May be repeated.")
    :argname("NAME[:TYPE]=VALUE"):count("*")
  run:option("--params", "Parameters from a JSON file, - for standard input; -P wins.")
    :argname("FILE")
  run:option("--execution-data", "Compute settings from a JSON file, as Fabric publishes them.")
    :argname("FILE")
  run:flag("--no-wait", "Return when the run was accepted (exit code 0), and print its job id.")
  run:option("--timeout", "Cancel the run when it takes longer, counted from its acceptance: "
    .. "90s, 15m, 2h, 1d."):argname("DURATION")
  run:option("--submit-timeout", "How long to wait for quota or capacity (default 30m).")
    :argname("DURATION")
  run:option("--exit-value", "Print only the exit value, or the part of it at PATH (a.b.1); give "
    .. "PATH after NOTEBOOK, or as --exit-value=PATH."):argname("PATH")
  run:option("--local", "Start an emulator for this one command, with the notebooks of "
    .. "DIR/<workspace>/<notebook>.ipynb; no credential is used.")
    :argname("DIR"):target("local_dir")
  run:option("--route", "typed (default), or generic for tenants that lack the typed route.")
    :choices { "typed", "generic" }
  run:option("--on-interrupt", "What Ctrl-C or SIGTERM does to the run: cancel or detach.")
    :choices { "cancel", "detach" }:default("cancel")
  add_common(run)
  run:epilog(exit_codes.help())
end

local function add_job_command(notebook, name, description)
  local command = notebook:command(name, description)
  command:argument("workspace", "Name or id."):argname("WORKSPACE")
  command:argument("notebook", "Name or id."):argname("NOTEBOOK")
  command:argument("job", "The job id of the run."):argname("JOB")
  add_common(command)
end

--- A converter of argparse for a number within bounds.
local function number(lowest, highest, whole)
  return function(text)
    local value = tonumber(text)
    if value and value >= lowest and value <= highest and not (whole and value % 1 ~= 0) then
      return value
    end
    return nil, ("'%s' is not a %s from %d to %d"):format(text, whole and "whole number"
      or "number", lowest, highest)
  end
end

local function add_emulator(parser)
  local emulator = parser:command("emulator", "Serve a folder of notebooks as a local Fabric.")
  emulator:option("--notebooks", "Folder with <workspace>/<notebook>.ipynb."):argname("DIR")
    :count(1)
  emulator:option("--port", "Port on 127.0.0.1 (default: a free one)."):argname("PORT")
    :convert(number(0, 65535, true))
  emulator:option("--faults", "A Lua file that returns a list of faults."):argname("FILE")
  emulator:option("--retry-after", "Seconds between two looks at a run (default 1)."):argname("S")
    :convert(number(0, MOST_SECONDS))
  emulator:option("--token-env", "Environment variable with the only token to accept (default: "
    .. "any token)."):argname("NAME")
  emulator:option("--python", "The Python that has nbclient and ipykernel (default: "
    .. "LUAFABRIC_PYTHON, or /usr/bin/python3)."):argname("PATH")
  emulator:option("--capacity", "Runs at a time; more wait as NotStarted (default 2)."):argname("N")
    :convert(number(1, 1000, true))
  emulator:flag("--quota", "Enforce Fabric's quota: 50 submissions and 50 status calls a minute.")
  emulator:option("--visibility-lag", "Seconds until a new run is seen (default 0)."):argname("S")
    :convert(number(0, MOST_SECONDS))
  emulator:option("--status-lag", "Seconds between refreshes of the status that is shown (default "
    .. "0: it is never stale)."):argname("S"):convert(number(0, MOST_SECONDS))
  emulator:option("--page-size", "Entries on a page of a list (default 100)."):argname("N")
    :convert(number(1, 1000, true))
  emulator:flag("--no-typed-route", "Be a tenant without the notebook's own routes.")
  emulator:flag("--own-session-names", "Show sessions under names of Fabric's making.")
  emulator:flag("--other-root-ids", "Give a run another rootActivityId than the RequestId of its "
    .. "submission.")
  emulator:option("--echo-request-id", "Take the id that a caller sends in this header for the "
    .. "request's."):argname("HEADER")
end

--- The parser of everything.
---@return table
function M.parser()
  local parser = argparse("luafabric", "Run Microsoft Fabric notebooks, and workflows of them.")
    :epilog("A token is never an argument: set LUAFABRIC_TOKEN, or AZURE_TENANT_ID, "
      .. "AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; or sign in with az login or luafabric login.\n\n"
      .. exit_codes.help())
    :require_command(true):command_target("command"):help_max_width(100)
  parser:flag("--version", "Print the version.")
  workflow_arguments.add(parser)
  workflow_arguments.add_repair(parser)
  require("luafabric.cli.workflow_plan").add(parser)
  require("luafabric.cli.simulate").add(parser)
  require("luafabric.cli.workflow_convert").add(parser)
  store_arguments.add(parser)
  local notebook = parser:command("notebook", "Run notebooks and look at their runs.")
    :require_command(true):command_target("action")
  add_run(notebook)
  add_job_command(notebook, "status", "Show a run.")
  add_job_command(notebook, "cancel", "Cancel a run and wait for its end.")
  local list = notebook:command("list", "List the runs of a notebook, newest first.")
  list:argument("workspace", "Name or id."):argname("WORKSPACE")
  list:argument("notebook", "Name or id."):argname("NOTEBOOK")
  add_common(list)
  doctor_arguments.add(parser)
  add_emulator(parser)
  require("luafabric.cli.login").add(parser)
  local completion = parser:command("completion", "Print a completion script for a shell.")
    :epilog("bash: eval \"$(luafabric completion bash)\" in ~/.bashrc\n"
      .. "zsh:  luafabric completion zsh >DIR/_luafabric, DIR being a folder of $fpath\n"
      .. "fish: luafabric completion fish >~/.config/fish/completions/luafabric.fish")
  completion:argument("shell", "bash, zsh or fish."):choices { "bash", "zsh", "fish" }
  return parser
end

-- `--exit-value` alone takes the next word only when workspace and notebook are behind us.
local function settle_exit_value(arguments)
  local settled, words, index = {}, 0, 1
  while index <= #arguments do
    local word = arguments[index]
    if word == "--exit-value" then
      local following = arguments[index + 1]
      if words >= 4 and following and not following:find("^%-") then
        word = word .. "=" .. following
        index = index + 1
      else
        word = word .. "=" .. WHOLE
      end
    elseif takes_word[word] then
      settled[#settled + 1] = word
      index = index + 1
      word = arguments[index]
    elseif not word:find("^%-") then
      words = words + 1
    end
    settled[#settled + 1] = word
    index = index + 1
  end
  return settled
end

-- Options that contradict each other.
local function contradiction(options)
  if options.command == "run" or options.command == "repair" then
    return workflow_arguments.contradiction(options)
  end
  if options.command == "doctor" then
    return doctor_arguments.contradiction(options)
  end
  if options.local_dir and options.endpoint then
    return "--local and --endpoint contradict each other: --local has an endpoint of its own"
  end
  if not options.no_wait then return nil end
  if options.local_dir then
    return "--no-wait cannot go with --local, whose emulator ends with this command, and the run "
      .. "with it"
  end
  if options.exit_value then
    return "--exit-value needs the run's end, and --no-wait does not wait for it"
  end
  if options.timeout then
    return "--timeout needs this command to watch the run, and --no-wait does not"
  end
end

--- Reads a command line.
---@param arguments string[]
---@return table|nil options  with `command` and, for notebook, `action`
---@return string|nil message
function M.parse(arguments)
  for _, word in ipairs(arguments) do
    if word:find("^%-%-token$") or word:find("^%-%-token=") then
      return nil, "a token is never an argument, since arguments are visible to others; set the "
        .. "environment variable LUAFABRIC_TOKEN"
    end
    if word:find("^%-%-server%-token$") or word:find("^%-%-server%-token=") then
      return nil, "a token is never an argument, since arguments are visible to others; set the "
        .. "environment variable LUAFABRIC_SERVER_TOKEN, or name another with --server-token-env"
    end
  end
  local settled = arguments[1] == "notebook" and settle_exit_value(arguments) or arguments
  local ok, options = M.parser():pparse(settled)
  if not ok then
    return nil, workflow_arguments.suggestion(arguments, tostring(options))
      or store_arguments.suggestion(arguments, tostring(options))
      or (tostring(options):gsub("\nDid you", ", did you"):gsub("\n", "; "))
  end
  if options.exit_value == WHOLE then options.exit_value = "" end
  local message = contradiction(options)
  if message then return nil, message end
  return options
end

return M
