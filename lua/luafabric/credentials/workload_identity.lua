--- Tokens for an app that trusts another identity provider (workload identity federation): what
--- that one says of us is in a file, which Kubernetes and others write anew every now and then. So
--- it is read for every request.

local assertion = require "luafabric.credentials.assertion"
local cache = require "luafabric.credentials.cache"
local errors = require "luafabric.errors"
local options_of = require "luafabric.credentials.options"

local M = {}

local LONGEST = 65536 -- bytes

---@class luafabric.WorkloadIdentityOptions
---@field tenant_id string   id or domain name
---@field client_id string   the app or user-assigned identity with the federated credential
---@field token_file string  where the other provider's token is
---@field authority? string  default https://login.microsoftonline.com; or a cloud's name
---@field scope? string      default https://api.fabric.microsoft.com/.default

local function read(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, tostring(message) end
  local text
  text, message = file:read(LONGEST)
  file:close()
  if not text then return nil, path .. ": " .. (message or "it is empty") end
  text = text:match("^%s*(.-)%s*$")
  local problem = cache.token_problem(text)
  if problem then return nil, ("%s: what is in it %s"):format(path, problem) end
  return text
end

--- A credential on a token file.
---@param options luafabric.WorkloadIdentityOptions
---@param name? string  for messages
---@return luafabric.Credential|nil credential
---@return string|nil problem  names the option
function M.new(options, name)
  local settings, problem = options_of.entra(options, { token_file = true })
  problem = problem or options_of.text(options, "token_file")
  if problem then return nil, problem end
  local path = options.token_file

  local function source()
    local text, message = read(path)
    if text then return text end
    return nil, errors.new { kind = "unauthorized",
      message = "the federated token file cannot be used: " .. message }
  end

  return assertion.new(name or ("workload identity of app " .. settings.client_id), settings,
    source)
end

return M
