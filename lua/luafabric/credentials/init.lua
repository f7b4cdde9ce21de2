--- Credentials: each gives a bearer token on demand. Nothing is sent before a token is asked for,
--- and nothing of the environment is read but by `from_environment`, when it is called.

local M = {}

--- A fixed token, got by other means; it cannot be renewed.
---@param text string  the bare token
---@return luafabric.Credential
function M.token(text)
  local credential, problem = require("luafabric.credentials.fixed").new(text)
  if not credential then error("credentials.token: the token " .. problem, 2) end
  return credential
end

--- An app registration with a secret.
---@param options luafabric.ClientSecretOptions
---@return luafabric.Credential
function M.client_secret(options)
  if type(options) ~= "table" then
    error("credentials.client_secret: expected a table, got a " .. type(options), 2)
  end
  local credential, problem = require("luafabric.credentials.client_secret").new(options)
  if not credential then error("credentials.client_secret: " .. problem, 2) end
  return credential
end

--- A Lua function that gives a token, and the unix time when it expires if it knows. It is called
--- again five minutes before that time (after five minutes where there is none), and may not wait.
---@param fn fun(): string|nil, number|string|nil
---@return luafabric.Credential
function M.callback(fn)
  if type(fn) ~= "function" then
    error("credentials.callback: expected a function, got a " .. type(fn), 2)
  end
  return require("luafabric.credentials.callback").new(fn)
end

--- What the environment describes: LUAFABRIC_TOKEN, else AZURE_TENANT_ID, AZURE_CLIENT_ID and
--- AZURE_CLIENT_SECRET (and AZURE_AUTHORITY_HOST).
---@param getenv? fun(name: string): string|nil  default os.getenv
---@return luafabric.Credential|nil credential
---@return luafabric.Error|nil err  says which variables to set
function M.from_environment(getenv)
  return require("luafabric.credentials.environment").read(getenv)
end

return M
