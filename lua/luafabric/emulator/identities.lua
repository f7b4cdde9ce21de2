-- The places where a program asks for its own identity without a secret: the managed identity of
-- the machine it runs on (the metadata service of Azure's machines, App Service and Container Apps,
-- Azure ML, Cloud Shell, Azure Arc), and the token services of GitHub Actions and Azure Pipelines.

local answers = require "luafabric.emulator.answers"
local base64 = require "luafabric.base64"
local json = require "luafabric.json"

local M = {}

local ARC_VERSION, IMDS_VERSION = "2020-06-01", "2018-02-01"
local APP_SERVICE_VERSION, ML_VERSION = "2019-08-01", "2017-09-01"
local OIDC_LIFE = 300 -- seconds

---@param options { header: string?, ml_secret: string?, arc_file: string?, arc_key: string?,
---  user_assigned: table<string, boolean>?, absent: boolean?, access_token: string?,
---  issuer: string?, subject: string?, pem: string? }
---  header: what App Service wants in X-IDENTITY-HEADER; ml_secret: what Azure ML wants; arc_file
---  and arc_key: the file that Arc names, and what is in it; user_assigned: the ids that are known;
---  absent: the machine has no identity; access_token, issuer, subject, pem: of the job's tokens
---@param issue fun(context: table): string, number  a new token, and its life in seconds
---@return table identities
function M.new(options, issue)
  local identities = {}

  local function refuse(context, status, kind, text)
    return answers.plain(context, status, { error = kind, error_description = text })
  end

  --- Numbers come as texts.
  local function give(context, query)
    local token, life = issue(context)
    return answers.plain(context, 200, { access_token = token, token_type = "Bearer",
      resource = query.resource, expires_in = ("%d"):format(life),
      expires_on = ("%d"):format(math.floor(context.now + life)) })
  end

  local function is_known(query)
    local id = query.client_id or query.clientid or query.object_id or query.msi_res_id
      or query.mi_res_id
    return id == nil or (options.user_assigned or {})[id] == true
  end

  --- A header against what is wanted in it; where nothing is, nobody proves anything.
  local function is_proof(given, wanted)
    return wanted ~= nil and given == wanted
  end

  local function arc(context, request, query)
    if is_proof(request.headers.authorization, options.arc_key and "Basic " .. options.arc_key) then
      return give(context, query)
    end
    local response = refuse(context, 401, "unauthorized_client", "Missing Basic Authorization")
    response.headers["WWW-Authenticate"] = "Basic realm=" .. tostring(options.arc_file)
    return response
  end

  --- GET /metadata/identity/oauth2/token
  function identities.metadata(context, request, query)
    if request.headers.metadata ~= "true" or not query.resource then
      return refuse(context, 400, "bad_request_102", "Required metadata header not specified")
    end
    if query["api-version"] == ARC_VERSION then return arc(context, request, query) end
    if query["api-version"] ~= IMDS_VERSION then
      return refuse(context, 400, "invalid_request", "The api-version is not supported")
    end
    if options.absent or not is_known(query) then
      return refuse(context, 400, "invalid_request", "Identity not found")
    end
    return give(context, query)
  end

  --- GET and POST /msi/token
  function identities.app(context, request, query)
    if request.method == "POST" then
      local form = request.form
      if request.headers.metadata ~= "true" or not form.resource then
        return refuse(context, 400, "invalid_request", "Required metadata header not specified")
      end
      return give(context, form)
    end
    local version, headers = query["api-version"], request.headers
    local proven = version == APP_SERVICE_VERSION
        and is_proof(headers["x-identity-header"], options.header)
      or version == ML_VERSION and is_proof(headers.secret, options.ml_secret)
    if not proven or not query.resource then
      return answers.plain(context, 401, { statusCode = 401, message = "The header is wrong" })
    end
    if not is_known(query) then
      return answers.plain(context, 400, { statusCode = 400,
        message = "No User Assigned or Delegated Managed Identity found for specified ClientId" })
    end
    return give(context, query)
  end

  local function job_token(context, audience)
    local claims = { iss = options.issuer, sub = options.subject, aud = audience,
      iat = math.floor(context.now), nbf = math.floor(context.now),
      exp = math.floor(context.now) + OIDC_LIFE }
    local text = base64.encode_url(json.encode { alg = "RS256", typ = "JWT" }) .. "."
      .. base64.encode_url(json.encode(claims))
    local certificate = assert(require("luafabric.crypto").certificate(options.pem))
    return text .. "." .. base64.encode_url(assert(certificate:sign(text, "RS256")))
  end

  --- GET /oidc/github, POST /oidc/pipelines
  function identities.job(context, request, query, name)
    local scheme, token = (request.headers.authorization or ""):match("^(%a+) (.*)$")
    if not scheme or scheme:lower() ~= "bearer" or token ~= options.access_token then
      return answers.plain(context, 401, { message = "The job may not ask for tokens" })
    end
    if name == "github" then
      return answers.plain(context, 200, { value = job_token(context, query.audience or "") })
    end
    if request.headers["x-tfs-fedauthredirect"] ~= "Suppress" or not query.serviceconnectionid then
      return answers.plain(context, 302, { message = "Sign in" })
    end
    return answers.plain(context, 200,
      { oidcToken = job_token(context, "api://AzureADTokenExchange") })
  end

  return identities
end

return M
