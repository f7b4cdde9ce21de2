--- Tokens for the jobs of GitHub Actions and Azure Pipelines (workload identity federation): the
--- runner's own service is asked for a token of the job, and Entra takes that for the app's.

local assertion = require "luafabric.credentials.assertion"
local cache = require "luafabric.credentials.cache"
local errors = require "luafabric.errors"
local exchange = require "luafabric.credentials.exchange"
local options_of = require "luafabric.credentials.options"
local origin = require "luafabric.origin"
local redaction = require "luafabric.redaction"

local M = {}

local AUDIENCE = "api://AzureADTokenExchange" -- national clouds have others
local API_VERSION = "7.1"

local function url_problem(name)
  return function(value)
    local parts, message = origin.parse_secure(value)
    if not parts then return name .. ": " .. message end
  end
end

local function with_query(url, query)
  return url .. (url:find("?", 1, true) and "&" or "?") .. query
end

--- Asks the runner's service; `field` is where its answer has the token.
local function ask(service, io, patient)
  redaction.add(service, service.access_token)
  return exchange.ask({
    where = service.where,
    request = service.request,
    read = function(completion)
      local answer = exchange.decode(completion)
      local token = completion.status == 200 and answer and answer[service.field]
      if token and not cache.token_problem(token) then return { token = token } end
      local said = answer and (answer.message or answer.Message)
      return nil, errors.new { kind = "unauthorized", status = completion.status,
        message = ("no token from %s: %s; %s"):format(service.where, type(said) == "string"
          and exchange.quote(said) or "it gave none", service.advice) }
    end,
  }, io, patient)
end

local function credential_of(service, settings, name)
  return assertion.new(name, settings, function(io, patient)
    local answer, err = ask(service, io, patient)
    if not answer then return nil, err end
    return answer.token
  end)
end

---@class luafabric.GithubActionsOptions
---@field tenant_id string       id or domain name
---@field client_id string       the app with the federated credential
---@field request_url string     $ACTIONS_ID_TOKEN_REQUEST_URL
---@field request_token string   $ACTIONS_ID_TOKEN_REQUEST_TOKEN
---@field audience? string       default api://AzureADTokenExchange
---@field authority? string      default https://login.microsoftonline.com; or a cloud's name
---@field scope? string          default https://api.fabric.microsoft.com/.default

local github_fields = { request_url = true, request_token = true, audience = true }

--- A credential in a job of GitHub Actions, which needs `permissions: id-token: write`.
---@param options luafabric.GithubActionsOptions
---@param name? string  for messages
---@return luafabric.Credential|nil credential
---@return string|nil problem  names the option
function M.github(options, name)
  local settings, problem = options_of.entra(options, github_fields)
  problem = problem or options_of.text(options, "request_url", url_problem "request_url")
    or options_of.text(options, "request_token") or options_of.optional_text(options, "audience")
  if problem then return nil, problem end
  local url = with_query(options.request_url, exchange.form {
    { "audience", options.audience or AUDIENCE } })
  local token = options.request_token
  return credential_of({
    where = "GitHub's token service", field = "value", access_token = token,
    advice = "does the job have permissions: id-token: write?",
    request = function()
      return { method = "GET", url = url,
        headers = { Authorization = "bearer " .. token, Accept = "application/json" } }
    end,
  }, settings, name or ("GitHub Actions for app " .. settings.client_id))
end

---@class luafabric.AzurePipelinesOptions
---@field tenant_id string              id or domain name
---@field client_id string              the app behind the service connection
---@field service_connection_id string
---@field request_url string            $SYSTEM_OIDCREQUESTURI
---@field access_token string           $SYSTEM_ACCESSTOKEN
---@field authority? string             default https://login.microsoftonline.com; or a cloud's name
---@field scope? string                 default https://api.fabric.microsoft.com/.default

local pipeline_fields = { service_connection_id = true, request_url = true, access_token = true }

--- A credential in a job of Azure Pipelines, with a service connection for federation.
---@param options luafabric.AzurePipelinesOptions
---@param name? string  for messages
---@return luafabric.Credential|nil credential
---@return string|nil problem  names the option
function M.azure(options, name)
  local settings, problem = options_of.entra(options, pipeline_fields)
  problem = problem or options_of.text(options, "request_url", url_problem "request_url")
    or options_of.text(options, "service_connection_id")
    or options_of.text(options, "access_token")
  if problem then return nil, problem end
  local url = with_query(options.request_url, exchange.form { { "api-version", API_VERSION },
    { "serviceConnectionId", options.service_connection_id } })
  local token = options.access_token
  return credential_of({
    where = "Azure Pipelines' token service", field = "oidcToken", access_token = token,
    advice = "is SYSTEM_ACCESSTOKEN mapped in the step, and may the pipeline use the connection?",
    request = function()
      return { method = "POST", url = url, body = "", headers = {
        Authorization = "Bearer " .. token, Accept = "application/json",
        ["Content-Type"] = "application/json", ["X-TFS-FedAuthRedirect"] = "Suppress" } }
    end,
  }, settings, name or ("Azure Pipelines for app " .. settings.client_id))
end

return M
