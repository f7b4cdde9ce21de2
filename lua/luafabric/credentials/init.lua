--- Credentials: each gives a bearer token on demand. Nothing is sent before a token is asked for,
--- and nothing of the environment is read but by the functions that say so, when they are called.

local M = {}

local function checked(name, options, new)
  if type(options) ~= "table" then
    error(("credentials.%s: expected a table, got a %s"):format(name, type(options)), 3)
  end
  local credential, problem = new(options)
  if not credential then error(("credentials.%s: %s"):format(name, problem), 3) end
  return credential
end

--- A fixed token, got by other means; it cannot be renewed.
---@param text string  the bare token
---@return luafabric.Credential
function M.token(text)
  local credential, problem = require("luafabric.credentials.fixed").new(text)
  if not credential then error("credentials.token: the token " .. problem, 2) end
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

--- An app registration with a secret.
---@param options luafabric.ClientSecretOptions
---@return luafabric.Credential
function M.client_secret(options)
  return (checked("client_secret", options,
    require("luafabric.credentials.client_secret").new))
end

--- An app registration with a certificate.
---@param options luafabric.ClientCertificateOptions
---@return luafabric.Credential
function M.client_certificate(options)
  return (checked("client_certificate", options,
    require("luafabric.credentials.client_certificate").new))
end

--- An app that trusts another identity provider, whose token is in a file (Kubernetes).
---@param options luafabric.WorkloadIdentityOptions
---@return luafabric.Credential
function M.workload_identity(options)
  return (checked("workload_identity", options,
    require("luafabric.credentials.workload_identity").new))
end

--- An app that trusts the jobs of a GitHub repository.
---@param options luafabric.GithubActionsOptions
---@return luafabric.Credential
function M.github_actions(options)
  return (checked("github_actions", options,
    require("luafabric.credentials.pipelines").github))
end

--- An app that trusts a service connection of Azure Pipelines.
---@param options luafabric.AzurePipelinesOptions
---@return luafabric.Credential
function M.azure_pipelines(options)
  return (checked("azure_pipelines", options,
    require("luafabric.credentials.pipelines").azure))
end

--- The identity of the machine in Azure that this runs on. Reads the environment, which says what
--- kind of machine it is.
---@param options luafabric.ManagedIdentityOptions|nil
---@return luafabric.Credential
function M.managed_identity(options)
  return (checked("managed_identity", options or {}, function(given)
    return require("luafabric.credentials.managed_identity").new(given)
  end))
end

--- Whoever has signed in with `az login` on this machine.
---@param options luafabric.AzureCliOptions|nil
---@return luafabric.Credential
function M.azure_cli(options)
  return (checked("azure_cli", options or {},
    require("luafabric.credentials.azure_cli").new))
end

--- Whoever has signed in with `luafabric login` on this machine.
---@param options luafabric.SignedInOptions|nil
---@return luafabric.Credential
function M.signed_in(options)
  return (checked("signed_in", options or {}, function(given)
    return require("luafabric.credentials.signed_in").new(given)
  end))
end

--- A person, who enters a code in a browser anywhere.
---@param options luafabric.DeviceCodeOptions
---@return luafabric.Credential
function M.device_code(options)
  return (checked("device_code", options,
    require("luafabric.credentials.device_code").new))
end

--- Several credentials, of which the first that is there at all is used from then on.
---@param list luafabric.Credential[]
---@return luafabric.Credential
function M.chain(list)
  return (checked("chain", list, require("luafabric.credentials.chain").new))
end

--- What the environment describes: LUAFABRIC_TOKEN, an app registration in AZURE_*, or the identity
--- that Kubernetes, GitHub Actions or Azure Pipelines provide.
---@param getenv? fun(name: string): string|nil  default os.getenv
---@return luafabric.Credential|nil credential
---@return luafabric.Error|nil err  says which variables to set
function M.from_environment(getenv)
  return require("luafabric.credentials.environment").read(getenv)
end

--- What is there, in the order of Microsoft's DefaultAzureCredential: the environment, the sign-in
--- of `luafabric login`, the machine's managed identity, the Azure CLI. AZURE_TOKEN_CREDENTIALS
--- narrows it to "prod" (the first and the third), "dev" (the others), or one that it names.
---@param getenv? fun(name: string): string|nil  default os.getenv
---@return luafabric.Credential|nil credential
---@return luafabric.Error|nil err  kind "configuration": a variable is wrong
function M.default(getenv)
  return require("luafabric.credentials.default").read(getenv)
end

return M
