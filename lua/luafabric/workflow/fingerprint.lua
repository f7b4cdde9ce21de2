--- Whether two submissions would be the same: a fingerprint of what a request says beyond its
--- notebook. Keyed, since a parameter may be a secret: without the key nothing can be guessed from
--- it, and with another key nothing is the same. Pure.

local core = require "luafabric.core"

local M = {}

--- The fingerprint of a request's parameters and compute. A tag, which is another for every
--- submission, is no part of it.
---@param key string     16 bytes
---@param request luafabric.workflow.Request
---@return string|nil digits  32 hexadecimal ones; nil of a request that cannot be sent
function M.of(key, request)
  if request.sealed then return request.sealed.fingerprint end
  local parameters = request.parameters
  local body = core.encode_run { executionData = request.compute,
    parameters = parameters and #parameters > 0 and parameters or nil }
  if not body then return nil end
  return core.fingerprint(key, "a" .. body) .. core.fingerprint(key, "b" .. body)
end

return M
