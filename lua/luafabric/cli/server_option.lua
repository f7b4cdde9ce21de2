-- --server: the service whose runs are looked at, instead of the store of this machine; and its
-- token, which is never an argument.

local errors = require "luafabric.errors"
local text = require "luafabric.view.text"

local M = {}

local URL_VARIABLE, TOKEN_VARIABLE = "LUAFABRIC_SERVER", "LUAFABRIC_SERVER_TOKEN"

--- The commands that can talk to a service.
M.commands = { runs = true, show = true, events = true, cancel = true, repair = true }

--- Adds the options to a command.
---@param command table  of argparse
function M.add(command)
  command:option("--server", "The service whose runs these are, as in https://runs.example "
    .. "(default: LUAFABRIC_SERVER, or else the store of this machine). Its token is the value of "
    .. "LUAFABRIC_SERVER_TOKEN."):argname("URL")
  command:option("--server-token-env", "The environment variable that holds the service's token, "
    .. "instead of LUAFABRIC_SERVER_TOKEN."):argname("NAME")
end

local function usage(message, ...)
  return nil, errors.new { kind = "usage", message = message:format(...) }
end

local function variable(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

--- The service that is meant, and how the user said so; nil where it is none.
local function choose(options, terminal)
  local from_environment = variable(URL_VARIABLE)
  if options.server then return options.server, "--server" end
  if options.store and from_environment then
    terminal:say(("--store is given: the service of %s is not asked"):format(URL_VARIABLE))
    return nil
  end
  return from_environment, URL_VARIABLE
end

local function read_token(options)
  local name = options.server_token_env or TOKEN_VARIABLE
  local token = variable(name)
  if not token and options.server_token_env then
    -- A token that was written in the place of its variable's name is not repeated.
    return usage("--server-token-env: there is no environment variable of that name; it takes the "
      .. "name of a variable that holds the token")
  end
  token = token and token:match("^%s*(.-)%s*$")
  if token and token:find("[^\33-\126]") then
    return usage("%s: there is a space or another character in it that no token has", name)
  end
  return token or "", name
end

--- Finds out whether a service is meant, before anything is opened or sent; `options.remote` then
--- is what its store is made from.
---@param options table  of the command line
---@param terminal table
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.settle(options, terminal)
  if options.server and options.store then
    return usage("--server and --store contradict each other: runs are in a service, or in a store "
      .. "of this machine")
  end
  local given, where = choose(options, terminal)
  if not given then
    if not options.server_token_env then return true end
    return usage("--server-token-env is about the token of a service: give --server URL, too")
  end
  local url, message = require("luafabric.service.remote_call").check_url(given)
  if not url then
    return usage("%s: %s: a token goes to https, or to http on this machine, and nowhere else",
      where, message)
  end
  local token, name = read_token(options)
  if not token then return nil, name end
  options.remote = { url = url, token = token ~= "" and token or nil, token_name = name,
    tell = function(line) terminal:tell("luafabric: " .. line) end }
  return true
end

--- A host for what is done outside of a command's loop.
local function new_host(signals)
  return require("luafabric.hosts.plain").new { signals = signals,
    ca_file = variable "LUAFABRIC_CA_FILE" }
end

--- The store of the service that was settled on.
---@param options table
---@return luafabric.RemoteStore
function M.open(options)
  local remote = options.remote
  return require("luafabric.service.remote_store").new { url = remote.url, token = remote.token,
    token_name = remote.token_name, tell = remote.tell, new_host = remote.new_host or new_host }
end

--- What another command needs to talk to the same service.
---@param options table
---@return string  "", or " --server URL"
function M.words(options)
  local words = {}
  if options.server then words[1] = " --server " .. text.shell_word(options.remote.url) end
  if options.server_token_env then
    words[#words + 1] = " --server-token-env " .. text.shell_word(options.server_token_env)
  end
  return table.concat(words)
end

return M
