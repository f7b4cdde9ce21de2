-- From a command line to a client on a loop: the endpoint, the credential, and for --local an emulator
-- of its own, which ends with the command in every case.

local errors = require "luafabric.errors"

local M = {}

local function local_emulator(directory)
  local child = require "luafabric.emulator.child"
  local process, endpoint, token = child.start { notebooks = directory, stderr = "inherit" }
  if not process then return nil, endpoint end
  local credentials = require "luafabric.credentials"
  return { emulator = process, endpoint = endpoint, credential = credentials.token(token) }
end

local function remote(options)
  local endpoint = options.endpoint or os.getenv("LUAFABRIC_ENDPOINT")
  if endpoint == "" then endpoint = nil end
  local credential, err = require("luafabric.credentials").from_environment()
  if not credential then return nil, err end
  return { endpoint = endpoint, credential = credential }
end

local Connection = {}
Connection.__index = Connection

--- Ends the emulator, if there is one. Twice does no harm.
function Connection:close()
  if self.loop then self.loop:close() end
  self.loop = nil
  local emulator = self.emulator
  self.emulator = nil
  if not emulator then return end
  emulator:kill("TERM")
  emulator:wait(8)
  emulator:close()
end

--- A client on a loop whose host reports Ctrl-C and SIGTERM. Nothing is sent yet.
---@param options table  of the command line: endpoint, local_dir, route
---@param on_event fun(event: table)
---@return table|nil connection  loop, client
---@return luafabric.Error|nil err
function M.open(options, on_event)
  local connection, err
  if options.local_dir then
    connection, err = local_emulator(options.local_dir)
  else
    connection, err = remote(options)
  end
  if not connection then return nil, err end
  setmetatable(connection, Connection)
  local ok, client = pcall(require("luafabric.client").new, {
    endpoint = connection.endpoint, credential = connection.credential, route = options.route,
    on_event = on_event,
  })
  if not ok then
    connection:close()
    return nil, errors.new { kind = "configuration", message = errors.is(client) and client.message
      or tostring(client) }
  end
  connection.client = client
  local host = require("luafabric.hosts.plain").new { signals = { "INT", "TERM" } }
  connection.loop = require("luafabric.tasks").new(host)
  return connection
end

return M
