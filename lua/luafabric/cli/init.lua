--- The command `luafabric`: a command line in, an exit code out. What a command needs is loaded
--- when it is called for, so that starting is fast. Nothing that goes wrong in here shows as a
--- stack trace: it is one sentence, and with --output json one document.

local M = {}

-- The commands of one word, whose help says it all; those of the store, by the module of each.
local of_one_word = { run = true, plan = true, simulate = true, convert = true, runs = true,
  show = true, events = true, cancel = true, repair = true, resolve = true,
  login = true, logout = true }
local of_the_store = { runs = "luafabric.cli.store_runs", show = "luafabric.cli.store_show",
  events = "luafabric.cli.store_events", cancel = "luafabric.cli.store_cancel",
  resolve = "luafabric.cli.store_resolve" }

-- Those whose document is that of a workflow's run.
local has_run_document = { run = true, show = true, cancel = true, repair = true }

--- Where to look, for what was asked for.
local function hint(arguments)
  local command = arguments[1]
  if not of_one_word[command] then return "luafabric --help shows what there is" end
  return ("luafabric %s --help shows what there is"):format(command)
end

local function run_emulator(options, terminal)
  local server = require "luafabric.emulator.server"
  return server.run {
    notebooks = options.notebooks, port = options.port, faults = options.faults,
    retry_after = options.retry_after, token_env = options.token_env, python = options.python,
    capacity = options.capacity, quota = options.quota, visibility_lag = options.visibility_lag,
    status_lag = options.status_lag, page_size = options.page_size,
    on_failure = function(message)
      require("luafabric.cli.results").failure(terminal, message)
    end,
  }
end

local function print_completion(options, terminal)
  local completion = require "luafabric.cli.completion"
  local exit_codes = require "luafabric.cli.exit_codes"
  if terminal:print(completion.script(options.shell)) then return exit_codes.ok end
  return exit_codes.failed
end

--- Whether a service is meant; where that cannot be told, the command ends.
local function settle_server(options, terminal)
  local server_option = require "luafabric.cli.server_option"
  if not server_option.commands[options.command] then return true end
  local ok, err = server_option.settle(options, terminal)
  if ok then return true end
  local results = has_run_document[options.command] and require "luafabric.cli.workflow_results"
  if results then return false, results.failure(terminal, {}, err) end
  return false, require("luafabric.cli.results").failure(terminal, err)
end

local function dispatch(options, terminal)
  if options.command == "emulator" then return run_emulator(options, terminal) end
  if options.command == "login" or options.command == "logout" then
    return require("luafabric.cli.login")[options.command](options, terminal)
  end
  if options.command == "completion" then return print_completion(options, terminal) end
  if options.command == "run" or options.command == "repair" then
    return require("luafabric.cli.workflow_run").run(options, terminal)
  end
  if options.command == "plan" then
    return require("luafabric.cli.workflow_plan").run(options, terminal)
  end
  if options.command == "simulate" then
    return require("luafabric.cli.simulate").run(options, terminal)
  end
  if options.command == "convert" then
    return require("luafabric.cli.workflow_convert").run(options, terminal)
  end
  if of_the_store[options.command] then
    return require(of_the_store[options.command]).run(options, terminal)
  end
  if options.action == "run" then
    return require("luafabric.cli.notebook_run").run(options, terminal)
  end
  return require("luafabric.cli.notebook_jobs")[options.action](options, terminal)
end

--- `luafabric` alone: what there is, as an error, since nothing was asked for.
local function print_usage(terminal)
  local exit_codes = require "luafabric.cli.exit_codes"
  terminal:tell(require("luafabric.cli.arguments").parser():get_usage())
  terminal:tell("commands: run, repair, plan, simulate, convert, runs, show, events, cancel, "
    .. "resolve, login, logout, notebook run, notebook status, notebook cancel, notebook list, "
    .. "emulator, completion")
  terminal:tell(hint {})
  return exit_codes.usage
end

--- An error in the words, and with the document, of the command that was asked for.
local function fail(arguments, terminal, message, kind)
  if has_run_document[arguments[1]] then
    local results = require "luafabric.cli.workflow_results"
    if kind == "internal" then return results.internal(terminal, {}, message) end
    if kind == "lack" then return results.internal(terminal, {}, message, true) end
    return results.failure(terminal, {}, message)
  end
  if arguments[1] == "plan" then
    local errors = require "luafabric.errors"
    if kind == "internal" then message = "internal error: " .. message end
    return require("luafabric.cli.workflow_plan").failure(terminal, nil, errors.new {
      kind = ({ internal = "raised", lack = "configuration" })[kind] or "usage",
      message = message })
  end
  local results = require "luafabric.cli.results"
  if kind == "internal" then return results.internal(terminal, message) end
  if kind == "lack" then return results.internal(terminal, message, true) end
  return results.failure(terminal, message)
end

local function run(arguments, terminal)
  local command_line = require "luafabric.cli.arguments"
  if #arguments == 0 then return print_usage(terminal) end
  local options, message = command_line.parse(arguments)
  if not options then
    local code = fail(arguments, terminal, message)
    terminal:tell(hint(arguments))
    return code
  end
  terminal:configure(options)
  local ok, code = settle_server(options, terminal)
  if not ok then return code end
  return dispatch(options, terminal)
end

local function print_version()
  print("luafabric " .. require("luafabric.version"))
  return 0
end

--- What standard output shall get, also where the command line cannot be read.
local function wanted_output(arguments)
  for index, word in ipairs(arguments) do
    local value = word:match("^%-%-output=(.*)$") or word:match("^%-o(.+)$")
    if word == "--output" or word == "-o" then value = arguments[index + 1] end
    if value == "json" or value == "jsonl" then return value end
  end
  return "text"
end

-- A Lua module or a library that is not there; the rest of Lua's message lists where it is not.
local function missing_module(message)
  local name = message:match("module '([^']+)' not found")
  return name and ("the Lua module %s is missing: install it (luarocks install %s)"):format(name,
    name)
end

--- Run a command line.
---@param arguments string[]
---@return integer code  see luafabric.cli.exit_codes
function M.main(arguments)
  if #arguments == 1 and arguments[1] == "--version" then return print_version() end
  local terminal
  local ok, code = pcall(function()
    -- Where the kernel refuses, all else works as well.
    require("luafabric.core").keep_memory_private()
    terminal = require("luafabric.cli.terminal").new { output = wanted_output(arguments) }
    return run(arguments, terminal)
  end)
  if ok then return code end
  local message = tostring(code):gsub(":\n%s*", ": "):match("^[^\n]*")
  local absent = missing_module(tostring(code))
  if terminal then
    local reported, result = pcall(function()
      return fail(arguments, terminal, absent or message, absent and "lack" or "internal")
    end)
    if reported then return result end
  end
  message = require("luafabric.redaction").text(message)
  io.stderr:write("luafabric: ", absent or "internal error: " .. message, "\n")
  return absent and 2 or 1
end

return M
