--- The credential that the environment describes: LUAFABRIC_TOKEN, the AZURE_* variables that
--- Microsoft's own tools read (azure-identity: EnvironmentCredential, WorkloadIdentityCredential),
--- or what GitHub Actions and Azure Pipelines give a job. An empty variable counts as not set.

local client_certificate = require "luafabric.credentials.client_certificate"
local client_secret = require "luafabric.credentials.client_secret"
local errors = require "luafabric.errors"
local fixed = require "luafabric.credentials.fixed"
local pipelines = require "luafabric.credentials.pipelines"
local workload_identity = require "luafabric.credentials.workload_identity"

local M = {}

local TENANT, CLIENT, SECRET = "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"
local CERTIFICATE = "AZURE_CLIENT_CERTIFICATE_PATH"
local TOKEN_FILE = "AZURE_FEDERATED_TOKEN_FILE"

--- What a job of Azure Pipelines has, set by its own task for the service connection.
local PIPELINE = { tenant_id = "AZURESUBSCRIPTION_TENANT_ID",
  client_id = "AZURESUBSCRIPTION_CLIENT_ID", access_token = "SYSTEM_ACCESSTOKEN",
  service_connection_id = "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
  request_url = "SYSTEM_OIDCREQUESTURI" }

local option_variables = { tenant_id = TENANT, client_id = CLIENT, client_secret = SECRET,
  certificate_path = CERTIFICATE, password = "AZURE_CLIENT_CERTIFICATE_PASSWORD",
  token_file = TOKEN_FILE, authority = "AZURE_AUTHORITY_HOST", scope = "LUAFABRIC_SCOPE" }

--- What to do, by what is to be described.
M.token_advice = "set LUAFABRIC_TOKEN to a token for Fabric"
M.app_advice = "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or "
  .. "AZURE_CLIENT_CERTIFICATE_PATH) of an app registration"

local function list(names)
  if #names < 2 then return names[1] end
  return table.concat(names, ", ", 1, #names - 1) .. " and " .. names[#names]
end

--- A look at one variable; nil where it is not set.
local function reader(getenv)
  getenv = getenv or os.getenv
  return function(name)
    local text = getenv(name)
    text = text and text:match("^%s*(.-)%s*$") or ""
    return text ~= "" and text or nil
  end
end

--- `tenant_id: is empty` says AZURE_TENANT_ID to somebody who set variables.
local function misconfigured(problem, names)
  local named = problem:gsub("^([%w_]+)", function(option)
    return names and names[option] or option_variables[option]
  end)
  return nil, errors.new { kind = "configuration", message = named }
end

--- An app registration begun and not complete; one whose proof is there is meant to be used.
local function incomplete(value, wanted, is_meant)
  local present, missing = {}, {}
  for _, name in ipairs(wanted) do
    local where = value(name) and present or missing
    where[#where + 1] = name
  end
  if #present == 0 then return nil end
  return nil, errors.new { kind = "unauthorized", code = not is_meant and "no_credential" or nil,
    message = ("%s %s not set, although %s %s: an app registration needs all three (or set "
      .. "LUAFABRIC_TOKEN to a token for Fabric)"):format(list(missing),
      #missing == 1 and "is" or "are", list(present), #present == 1 and "is" or "are") }
end

local function common(value)
  return { tenant_id = value(TENANT), client_id = value(CLIENT),
    authority = value "AZURE_AUTHORITY_HOST", scope = value "LUAFABRIC_SCOPE" }
end

--- A credential or the misconfiguration that keeps it from being made.
local function made(new, options, name, names)
  local credential, problem = new(options, name)
  if credential then return credential end
  return misconfigured(problem, names)
end

local function read_token(value)
  local token = value "LUAFABRIC_TOKEN"
  if not token then return nil end
  local credential, problem = fixed.new(token, "LUAFABRIC_TOKEN")
  if credential then return credential end
  return misconfigured("LUAFABRIC_TOKEN " .. problem)
end

local function read_certificate(value)
  local options, chain = common(value), value "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"
  options.certificate_path = value(CERTIFICATE)
  options.password = value "AZURE_CLIENT_CERTIFICATE_PASSWORD"
  options.send_chain = chain ~= nil and (chain == "1" or chain:lower() == "true") or nil
  return made(client_certificate.new, options,
    "AZURE_CLIENT_CERTIFICATE_PATH for app " .. options.client_id)
end

--- An app registration with a secret or a certificate.
local function read_app(value)
  local proof = value(SECRET) and SECRET or value(CERTIFICATE) and CERTIFICATE
  if not proof or not (value(TENANT) and value(CLIENT)) then
    return incomplete(value, { TENANT, CLIENT, proof or SECRET }, proof ~= nil)
  end
  if proof == CERTIFICATE then return read_certificate(value) end
  local options = common(value)
  options.client_secret = value(SECRET)
  return made(client_secret.new, options, "AZURE_CLIENT_SECRET for app " .. options.client_id)
end

local function read_workload(value)
  if not value(TOKEN_FILE) then return nil end
  if not (value(TENANT) and value(CLIENT)) then
    return incomplete(value, { TENANT, CLIENT, TOKEN_FILE }, true)
  end
  local options = common(value)
  options.token_file = value(TOKEN_FILE)
  return made(workload_identity.new, options,
    "AZURE_FEDERATED_TOKEN_FILE for app " .. options.client_id)
end

local function read_github(value)
  local options = common(value)
  options.request_url = value "ACTIONS_ID_TOKEN_REQUEST_URL"
  options.request_token = value "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
  if not (options.request_url and options.request_token and options.tenant_id
    and options.client_id) then
    return nil
  end
  return made(pipelines.github, options, nil, { request_url = "ACTIONS_ID_TOKEN_REQUEST_URL",
    request_token = "ACTIONS_ID_TOKEN_REQUEST_TOKEN" })
end

local function read_pipeline(value)
  local options = common(value)
  for option, name in pairs(PIPELINE) do
    options[option] = value(name)
    if not options[option] then return nil end
  end
  return made(pipelines.azure, options, nil, PIPELINE)
end

--- Reads what of the environment is asked for, in the order given.
local function first_of(value, readers)
  local told
  for _, read in ipairs(readers) do
    local credential, err = read(value)
    if credential then return credential end
    if err and err.code ~= "no_credential" then return nil, err end
    told = told or err
  end
  return nil, told or errors.new { kind = "unauthorized", code = "no_credential",
    message = ("no credential in the environment: %s, or %s"):format(M.token_advice,
      M.app_advice) }
end

-- A secret of an app goes before the token of a job, as in Microsoft's own chain; what is begun and
-- not complete may be complete with a job's.
local kinds = {
  token = { read_token },
  environment = { read_app },
  workload = { read_workload, read_github, read_pipeline },
  all = { read_token, read_app, read_workload, read_github, read_pipeline },
}

--- The credential of the environment. Nothing is sent.
---@param getenv? fun(name: string): string|nil  default os.getenv
---@param kind? "all"|"token"|"environment"|"workload"  default all
---@return luafabric.Credential|nil credential
---@return luafabric.Error|nil err  names the variables to set; the code "no_credential" where
---  nothing was described
function M.read(getenv, kind)
  return first_of(reader(getenv), kinds[kind or "all"])
end

return M
