--- The command `luafabric`: a command line in, an exit code out. What a command needs is loaded
--- when it is called for, so that starting is fast. Nothing that goes wrong in here shows as a
--- stack trace: it is one sentence, and with --output json one document.

local M = {}

local HINT = "luafabric --help shows what there is"

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

local function dispatch(options, terminal)
  if options.command == "emulator" then return run_emulator(options, terminal) end
  if options.command == "completion" then return print_completion(options, terminal) end
  if options.action == "run" then
    return require("luafabric.cli.notebook_run").run(options, terminal)
  end
  return require("luafabric.cli.notebook_jobs")[options.action](options, terminal)
end

--- `luafabric` alone: what there is, as an error, since nothing was asked for.
local function print_usage(terminal)
  local exit_codes = require "luafabric.cli.exit_codes"
  terminal:tell(require("luafabric.cli.arguments").parser():get_usage())
  terminal:tell("commands: notebook run, notebook status, notebook cancel, notebook list, "
    .. "emulator, completion")
  terminal:tell(HINT)
  return exit_codes.usage
end

local function run(arguments, terminal)
  local command_line = require "luafabric.cli.arguments"
  if #arguments == 0 then return print_usage(terminal) end
  local options, message = command_line.parse(arguments)
  if not options then
    local code = require("luafabric.cli.results").failure(terminal, message)
    terminal:tell(HINT)
    return code
  end
  terminal:configure(options)
  return dispatch(options, terminal)
end

local function print_version()
  print("luafabric " .. require("luafabric.version"))
  return 0
end

--- Whether a document was asked for, also on a command line that cannot be read.
local function wants_json(arguments)
  for index, word in ipairs(arguments) do
    if word == "--output=json" or word == "-ojson" then return true end
    if (word == "--output" or word == "-o") and arguments[index + 1] == "json" then return true end
  end
  return false
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
    terminal = require("luafabric.cli.terminal").new {
      output = wants_json(arguments) and "json" or "text",
    }
    return run(arguments, terminal)
  end)
  if ok then return code end
  local message = tostring(code):gsub(":\n%s*", ": "):match("^[^\n]*")
  local absent = missing_module(tostring(code))
  if terminal then
    local reported, result = pcall(function()
      return require("luafabric.cli.results").internal(terminal, absent or message, absent)
    end)
    if reported then return result end
  end
  io.stderr:write("luafabric: ", absent or "internal error: " .. message, "\n")
  return absent and 2 or 1
end

return M
