-- luafabric login and logout: a person signs in with a code, and the commands after it run as that
-- person. What is kept is in one file (luafabric.credentials.sign_in_file).

local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"
local results = require "luafabric.cli.results"
local sign_in_file = require "luafabric.credentials.sign_in_file"

local M = {}

--- Adds both to the parser.
function M.add(parser)
  local login = parser:command("login", "Sign in with a code that is entered in a browser "
    .. "anywhere. The commands after it run as whoever did, until luafabric logout.")
  login:option("--tenant", "Id or domain of the tenant (default: AZURE_TENANT_ID, or whichever is "
    .. "the person's)."):argname("TENANT")
  login:option("--client-id", "An app registration of yours that allows public client flows "
    .. "(default: AZURE_CLIENT_ID)."):argname("ID")
  login:option("--cloud", "AzureCloud, AzureUSGovernment, AzureChinaCloud, or the authority's URL "
    .. "(default: AZURE_AUTHORITY_HOST, or AzureCloud)."):argname("CLOUD")
  login:flag("-q --quiet", "Nothing on standard error but the code and errors.")
  login:epilog(exit_codes.help("somebody is signed in"))
  local logout = parser:command("logout", "Forget who signed in with luafabric login.")
  logout:flag("-q --quiet", "Nothing on standard error but errors.")
end

local function variable(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local options_of_fields = { tenant_id = "--tenant", client_id = "--client-id",
  authority = "--cloud", scope = "LUAFABRIC_SCOPE" }

--- Who is to sign in, and where.
---@return table|nil asked
---@return luafabric.EntraSettings|luafabric.Error settings
local function read(options)
  local asked = { tenant_id = options.tenant or variable "AZURE_TENANT_ID" or "organizations",
    client_id = options.client_id or variable "AZURE_CLIENT_ID",
    authority = options.cloud or variable "AZURE_AUTHORITY_HOST",
    scope = variable "LUAFABRIC_SCOPE" }
  if not asked.client_id then
    return nil, errors.new { kind = "usage", message = "--client-id: give the id of an app "
      .. "registration that allows public client flows, or set AZURE_CLIENT_ID (luafabric has none "
      .. "of its own; az login needs none)" }
  end
  local settings, problem = require("luafabric.credentials.options").entra(asked, {}, true)
  if settings then return asked, settings end
  return nil, errors.new { kind = "usage", message = (problem:gsub("^[%w_]+", options_of_fields)) }
end

--- The sign-in, in a task.
local function sign_in(terminal, path, asked, settings)
  local tasks = require "luafabric.tasks"
  local _, loop = tasks.current()
  local host = loop.host
  local io = { now = host.wall, request = tasks.request, sleep = tasks.sleep, random = host.random }
  -- Nobody is asked to sign in where it cannot be kept.
  local lock, err = sign_in_file.lock(path, io, true)
  if not lock then return nil, err end
  lock:close()
  local answer
  answer, err = require("luafabric.credentials.device_code").sign_in(settings, function(code)
    terminal:tell(code.message)
  end, io)
  if not answer then return nil, err end
  if not answer.refresh_token then
    return nil, errors.new { kind = "unauthorized", message = "Entra gave no refresh token: does "
      .. "the app registration allow public client flows?" }
  end
  lock, err = sign_in_file.lock(path, io, true)
  if not lock then return nil, err end
  local kept
  kept, err = sign_in_file.write(path, { authority = settings.origin, tenant_id = asked.tenant_id,
    client_id = settings.client_id, scope = settings.scope, refresh_token = answer.refresh_token })
  lock:close()
  return kept, err
end

--- What keeps the commands from using the sign-in.
local function told_of_others(terminal)
  local reason = require("luafabric.credentials.default").before_sign_in()
  if reason then terminal:say("note: " .. reason) end
end

--- luafabric login
---@param options table  of the command line
---@param terminal table
---@return integer code
function M.login(options, terminal)
  local asked, settings = read(options)
  if not asked then return results.failure(terminal, settings) end
  local path, err = sign_in_file.path()
  if not path then return results.failure(terminal, err, exit_codes.usage) end
  local connection = require("luafabric.cli.connection").new(options)
  local task = connection.loop:spawn(sign_in, terminal, path, asked, settings)
  connection.loop:on("signal", function(event)
    if event.name ~= "PIPE" then
      task:cancel(errors.new { kind = "cancelled", message = "interrupted: nobody was signed in" })
    end
  end)
  local ended, kept, problem = connection.loop:run(task)
  connection:close()
  if not ended then return results.failure(terminal, kept) end
  if not kept then return results.failure(terminal, problem) end
  terminal:say(terminal:good("✓ signed in") .. ": the commands after this one run as you, until "
    .. "luafabric logout (kept in " .. path .. ")")
  told_of_others(terminal)
  return exit_codes.ok
end

--- luafabric logout
---@param options table  of the command line
---@param terminal table
---@return integer code
function M.logout(options, terminal)
  local path, err = sign_in_file.path()
  if not path then return results.failure(terminal, err, exit_codes.usage) end
  local connection = require("luafabric.cli.connection").new(options, { "PIPE" })
  local loop = connection.loop
  local ended, was_there, problem = loop:run(loop:spawn(sign_in_file.remove, path,
    { now = loop.host.wall, sleep = require("luafabric.tasks").sleep }))
  connection:close()
  if not ended or was_there == nil then
    return results.failure(terminal, ended and problem or was_there)
  end
  terminal:say(was_there and "signed out: " .. path .. " is removed"
    or "nobody was signed in with luafabric login")
  return exit_codes.ok
end

return M
