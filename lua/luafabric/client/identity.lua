--- Whom Fabric counts requests for: the identity behind a token, as a fingerprint. It is the same
--- in every process, so that they can share its quotas, and says neither who it is nor any part of
--- the token.

local base64 = require "luafabric.base64"
local core = require "luafabric.core"
local json = require "luafabric.json"

local M = {}

-- No secret: what is fingerprinted are ids, and all processes must come to the same.
local KEY = "luafabric quotas"

--- What a token says of itself, where it can be read. Microsoft says that clients must not rely on
--- an access token's form, and nothing here does: it tells two apart, or tells a person about one.
---@param token string
---@return table|nil claims
function M.claims(token)
  local payload = token:match("^[%w_-]+%.([%w_-]+)%.[%w_-]*$")
  local text = payload and base64.decode_url(payload)
  local claims = text and json.decode(text)
  return type(claims) == "table" and claims or nil
end

--- Tenant and object of the identity.
local function names_of(token)
  local claims = M.claims(token)
  if not claims then return nil end
  local who = claims.oid or claims.appid or claims.azp or claims.sub
  if type(who) ~= "string" then return nil end
  return tostring(claims.tid) .. " " .. who
end

--- The identity of a token; of one that cannot be read, that of what its credential is called.
---@param token string
---@param credential_name string
---@return string fingerprint
function M.of(token, credential_name)
  return core.fingerprint(KEY, names_of(token) or credential_name)
end

return M
