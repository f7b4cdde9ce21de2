--- Tokens for an app registration with a secret: the client credentials flow of Microsoft Entra.

local cache = require "luafabric.credentials.cache"
local entra = require "luafabric.credentials.entra"
local options_of = require "luafabric.credentials.options"

local M = {}

---@class luafabric.ClientSecretOptions
---@field tenant_id string      id or domain name
---@field client_id string      the app registration's application id
---@field client_secret string  its secret's value
---@field authority? string     default https://login.microsoftonline.com; or a cloud's name, as
---  AzureUSGovernment
---@field scope? string         default https://api.fabric.microsoft.com/.default

--- A credential for an app registration.
---@param options luafabric.ClientSecretOptions
---@param name? string  for messages
---@return luafabric.Credential|nil credential
---@return string|nil problem  names the option
function M.new(options, name)
  local settings, problem = options_of.entra(options, { client_secret = true })
  problem = problem or options_of.text(options, "client_secret")
  if problem then return nil, problem end
  local secret = options.client_secret
  local function fields()
    return { { "grant_type", "client_credentials" }, { "client_id", settings.client_id },
      { "client_secret", secret }, { "scope", settings.scope } }
  end
  return cache.new(name or ("client secret of app " .. settings.client_id), function(io, patient)
    return entra.ask(settings, fields, { secret }, io, patient)
  end)
end

return M
