--- The token of a client's credential, or one clear error: a credential of the user's own may give
--- anything.

local errors = require "luafabric.errors"
local redaction = require "luafabric.redaction"

local M = {}

--- Why there is no token, as the credential says it: a text, an error, or nothing.
---@param client table
---@param err any
---@return luafabric.Error
function M.error(client, err)
  if errors.is(err) then return err end
  return errors.new { kind = "unauthorized", message = ("the credential (%s) gave no token: %s")
    :format(tostring(client.credential.name), tostring(err or "no reason given")) }
end

--- A token that can be sent; may wait.
---@param client table
---@return string|nil token
---@return luafabric.Error|nil err
function M.get(client)
  local token, err = client.credential:token()
  if not token then return nil, M.error(client, err) end
  if type(token) == "string" and token:find("^[\33-\126]+$") then
    redaction.add(client.credential, token)
    return token
  end
  return nil, errors.new { kind = "unauthorized", message = ("the credential (%s) gave a token "
    .. "that is empty or has a space or line break in it"):format(
      tostring(client.credential.name)) }
end

return M
