--- Tokens from a Lua function of the user's: another library, a vault, a command.

local cache = require "luafabric.credentials.cache"
local errors = require "luafabric.errors"
local tasks = require "luafabric.tasks"

local M = {}

-- A token of unknown life is asked for again after this long.
local UNKNOWN_LIFE = 300

local function failed(message)
  return nil, errors.new { kind = "unauthorized", message = "the token function " .. message }
end

local function fetch_with(fn, now)
  local ok, token, expires_at = pcall(tasks.forbid_waiting, "the token function", fn)
  if not ok then return failed("failed: " .. tostring(token)) end
  if token == nil then
    return failed("gave no token: " .. tostring(expires_at or "it returned nil"))
  end
  local problem = cache.token_problem(token)
  if problem then return failed("gave a token that " .. problem) end
  if expires_at == nil then
    return { token = token, expires_at = math.huge, refresh_at = now + UNKNOWN_LIFE }
  end
  if type(expires_at) ~= "number" or expires_at ~= expires_at then
    return failed("gave no number as second result: expected unix seconds when the token expires")
  end
  return { token = token, expires_at = expires_at }
end

--- A credential on a plain function, which may not wait. Its errors, and `nil, message`, become
--- errors of kind "unauthorized".
---@param fn fun(): string|nil, number|string|nil  gives token, then unix seconds when it expires
---@return luafabric.Credential
function M.new(fn)
  return cache.new("token function", function(io)
    return fetch_with(fn, io.now())
  end)
end

return M
