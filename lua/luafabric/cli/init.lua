--- The command `luafabric`: a command line in, an exit code out. What a command needs is loaded when
--- it is called for, so that starting is fast.

local M = {}

local function is_version(arguments)
  return #arguments == 1 and arguments[1] == "--version"
end

local function run_emulator(options, terminal)
  local server = require "luafabric.emulator.server"
  return server.run {
    notebooks = options.notebooks, port = options.port, faults = options.faults,
    retry_after = options.retry_after, token_env = options.token_env,
    on_failure = function(message)
      require("luafabric.cli.results").failure(terminal, message)
    end,
  }
end

local function print_completion(options)
  local parser = require("luafabric.cli.arguments").parser()
  io.stdout:write(parser["get_" .. options.shell .. "_complete"](parser))
  return 0
end

local function dispatch(options, terminal)
  if options.command == "emulator" then return run_emulator(options, terminal) end
  if options.command == "completion" then return print_completion(options) end
  if options.action == "run" then
    return require("luafabric.cli.notebook_run").run(options, terminal)
  end
  return require("luafabric.cli.notebook_jobs")[options.action](options, terminal)
end

--- Run a command line.
---@param arguments string[]
---@return integer code  see luafabric.cli.exit_codes
function M.main(arguments)
  if is_version(arguments) then
    print("luafabric " .. require("luafabric.version"))
    return 0
  end
  local command_line = require "luafabric.cli.arguments"
  local options, message = command_line.parse(arguments)
  local terminal = require("luafabric.cli.terminal").new(options
    or { output = command_line.wants_json(arguments) and "json" or "text" })
  if not options then
    local code = require("luafabric.cli.results").failure(terminal, message)
    terminal:tell("luafabric --help shows what there is")
    return code
  end
  return dispatch(options, terminal)
end

return M
