--- A token that somebody else got: used as it is until Fabric refuses it.

local cache = require "luafabric.credentials.cache"
local errors = require "luafabric.errors"
local redaction = require "luafabric.redaction"

local M = {}

--- A credential that always gives the same token.
---@param text string  the bare token
---@param name? string where it came from, for messages
---@return luafabric.Credential|nil credential
---@return string|nil problem
function M.new(text, name)
  local problem = cache.token_problem(text)
  if problem then return nil, problem end
  name = name or "fixed token"

  local function token()
    return text
  end

  local function invalidate()
    return false, errors.new { kind = "unauthorized", message = "the token (" .. name
      .. ") was refused and cannot be renewed: put a fresh one into LUAFABRIC_TOKEN, or set "
      .. "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, which renew themselves" }
  end

  local credential = cache.object(name, token, invalidate)
  redaction.add(credential, text)
  return credential
end

return M
