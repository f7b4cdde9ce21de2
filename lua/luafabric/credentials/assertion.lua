--- Tokens for an app that proves itself with a signed assertion (RFC 7523): one that it signs with
--- the key of a certificate, or one that another identity provider has given it.

local cache = require "luafabric.credentials.cache"
local entra = require "luafabric.credentials.entra"

local M = {}

local TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

--- A credential on a source of assertions, which is asked anew for every token.
---@param name string
---@param settings luafabric.EntraSettings
---@param source fun(io: table, patient: boolean): string|nil, luafabric.Error|nil  may wait
---@return luafabric.Credential
function M.new(name, settings, source)
  return cache.new(name, function(io, patient)
    local assertion, err = source(io, patient)
    if not assertion then return nil, err end
    local function fields()
      return { { "grant_type", "client_credentials" }, { "client_id", settings.client_id },
        { "scope", settings.scope }, { "client_assertion_type", TYPE },
        { "client_assertion", assertion } }
    end
    return entra.ask(settings, fields, { assertion }, io, patient)
  end)
end

return M
