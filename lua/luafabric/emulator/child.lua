-- An emulator of one's own: started as a child process, its token random and passed by the
-- environment, ended with its parent. For `--local` and for tests.

local errors = require "luafabric.errors"
local json = require "luafabric.json"

local M = {}

local OPTIONS = "LUAFABRIC_EMULATOR"
local TOKEN = "LUAFABRIC_EMULATOR_TOKEN"
local READY_LIMIT = 20 -- seconds
local PAUSE = 0.01 -- seconds between two looks at the child's output

-- package.path travels in the options, since LUA_PATH has a name of its own on each Lua.
local PROGRAM = [[
local function take(name) local value = os.getenv(name) return value ~= "" and value or nil end
package.path = take("LUAFABRIC_EMULATOR_PATH") or package.path
package.cpath = take("LUAFABRIC_EMULATOR_CPATH") or package.cpath
os.exit(require("luafabric.emulator.child").main(), true)
]]

--- The Lua that runs this program.
local function interpreter()
  local arguments = rawget(_G, "arg")
  local index, found = 0, nil
  while type(arguments) == "table" and arguments[index] do
    found = arguments[index]
    index = index - 1
  end
  return os.getenv("LUAFABRIC_LUA") or found or "lua"
end

--- The child's program.
---@return integer code
function M.main()
  local options = assert(json.decode(os.getenv(OPTIONS) or ""))
  options.token_env, options.lifeline = TOKEN, true
  options.on_failure = function(message)
    io.stdout:write("emulator failed: ", message, "\n")
    io.stdout:flush()
  end
  return require("luafabric.emulator.server").run(options)
end

local function first_line(core, process, pause)
  local text, until_time = "", core.monotonic() + READY_LIMIT
  while core.monotonic() < until_time do
    local chunk = process:read(4096)
    text = text .. (chunk or "")
    local line = text:match("^([^\n]*)\n")
    if line then return line end
    if chunk == nil then break end
    if chunk == "" then pause(PAUSE) end
  end
  return nil
end

--- Start an emulator and wait until it is ready (some 0.2 s).
---@param options { notebooks: string, faults: string|table|nil, interpreter: string|nil,
---  stderr: string|nil, pause: nil|fun(seconds: number), on_start: nil|fun(child: table) }
---  and the other options of server.run, but no functions; stderr: "inherit" (default: tracebacks
---  of failed cells), "pipe" or "null"; pause: waits a moment, as tasks.sleep in a task (default:
---  blocks); on_start: is given the child before it is ready, for who may have to end it then
---@return table|nil child  of core.spawn: child.pid, child:kill("TERM"), child:wait(seconds)
---@return string|table endpoint  "http://127.0.0.1:PORT/v1", or the error
---@return string|nil token  the only one that it lets in
function M.start(options)
  local core = require "luafabric.core"
  local sent = {}
  for name, value in pairs(options) do
    if name ~= "interpreter" and name ~= "stderr" and type(value) ~= "function" then
      sent[name] = value
    end
  end
  local token = core.random_hex(16)
  local process, message = core.spawn {
    args = { options.interpreter or interpreter(), "-e", PROGRAM },
    env = {
      [OPTIONS] = assert(json.encode(sent)), [TOKEN] = token,
      LUAFABRIC_EMULATOR_PATH = package.path, LUAFABRIC_EMULATOR_CPATH = package.cpath,
    },
    stdin = "pipe", stdout = "pipe", stderr = options.stderr or "inherit",
  }
  if not process then
    return nil, errors.new { kind = "configuration",
      message = "the emulator could not be started: " .. tostring(message) }
  end
  if options.on_start then options.on_start(process) end
  -- A wait for the child's end is a pause while it lives.
  local pause = options.pause or function(seconds) process:wait(seconds) end
  local line = first_line(core, process, pause)
  local url = line and line:match("^emulator ready on (http://%S+)$")
  if url then return process, url, token end
  process:kill("KILL", true)
  process:wait(5)
  return nil, errors.new { kind = "configuration",
    message = line and line:gsub("^emulator failed: ", "") or "the emulator did not start" }
end

return M
