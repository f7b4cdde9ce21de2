-- Microsoft Entra as far as a client of Fabric meets it: the token endpoint for apps (a secret, a
-- signed assertion) and for people (device codes, refresh tokens), and the check of the bearer
-- token that a call carries.

local answers = require "luafabric.emulator.answers"
local assertions = require "luafabric.emulator.assertions"
local device_codes = require "luafabric.emulator.device_codes"
local identities = require "luafabric.emulator.identities"
local routes = require "luafabric.emulator.routes"

local M = {}

local MAX_ISSUED = 1000
local DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

---@class EmulatorClient
---@field secret string|nil
---@field certificates string[]|nil  PEM texts that are registered for the app
---@field federated table[]|nil      { issuer, subject, audience, certificate } that it trusts
---@field refusal integer|nil         why it is refused although it is who it says: 65001, 50076

---@param options { token: string?, token_lifetime: number?, refresh_in: number?,
---  clients: table<string, string|EmulatorClient>?, tenants: string[]?, device: table?,
---  identities: table? }
---  token: the only one that is let in (beside those issued here); with it, tokens are issued to
---  those alone that the next three name, else to whoever asks; clients: id -> secret, or what
---  else it proves itself by; device: see device_codes; identities: see identities
---@param next_id fun(): string
---@return table entra
function M.new(options, next_id)
  local entra = { issued = {}, issued_count = 0 }
  local device = device_codes.new(options.device, next_id)
  -- Who holds the token is let in; to issue others to whoever asks would be to do without it.
  local is_closed = options.token ~= nil
  local clients = options.clients or is_closed and {} or nil
  local tenants = options.tenants and {}
  for _, name in ipairs(options.tenants or {}) do tenants[name] = true end

  local function refuse(context, status, kind, number, text)
    return answers.plain(context, status, {
      error = kind, error_description = ("AADSTS%d: %s Trace ID: %s"):format(number, text,
        context.request_id),
      error_codes = { number }, timestamp = os.date("!%Y-%m-%d %H:%M:%SZ", math.floor(context.now)),
      trace_id = context.request_id, correlation_id = context.request_id,
    })
  end

  local function form_of(body)
    return routes.query((body or ""):gsub("+", "%%20"))
  end

  --- A new token, and how long it is good.
  local function issue(context)
    if entra.issued_count >= MAX_ISSUED then entra.issued, entra.issued_count = {}, 0 end
    local lifetime = options.token_lifetime or 3599
    local token = "emulator." .. next_id() .. "." .. next_id()
    entra.issued[token] = context.now + lifetime
    entra.issued_count = entra.issued_count + 1
    return token, lifetime
  end

  entra.identities = identities.new(options.identities or {}, issue)
  entra.revoke = device.revoke

  local function give(context, more)
    local token, lifetime = issue(context)
    local answer = { token_type = "Bearer", expires_in = lifetime, ext_expires_in = lifetime,
      access_token = token, refresh_in = options.refresh_in }
    for name, value in pairs(more or {}) do answer[name] = value end
    return answers.plain(context, 200, answer)
  end

  local rules = {
    [65001] = { "invalid_grant", "The user or administrator has not consented to use the app." },
    [50076] = { "interaction_required", "You must use multi-factor authentication." },
  }

  --- What a rule of the tenant says of the app.
  local function refuse_by_rule(context, form)
    local client = (clients or {})[form.client_id]
    local number = type(client) == "table" and client.refusal
    local rule = rules[number]
    return rule and refuse(context, 400, rule[1], number, rule[2])
  end

  --- Why the app is not who it says; nil when it is. Without a list of clients any secret is right.
  local function refuse_client(context, form)
    local client = (clients or {})[form.client_id]
    if type(client) == "string" then client = { secret = client } end
    if (form.client_assertion or "") ~= "" then
      if not client then
        return refuse(context, 400, "unauthorized_client", 700016,
          "Application was not found in the directory.")
      end
      local number, text = assertions.refusal(client, form, context.url, context.now)
      return number and refuse(context, 401, "invalid_client", number, text)
    end
    local secret = form.client_secret or ""
    if secret == "" then
      return refuse(context, 401, "invalid_client", 7000218,
        "The request body must contain 'client_assertion' or 'client_secret'.")
    end
    if clients and (not client or client.secret ~= secret) then
      return refuse(context, 401, "invalid_client", 7000215, "Invalid client secret provided.")
    end
  end

  local grants = {}

  function grants.client_credentials(context, form)
    local refusal = refuse_client(context, form) or refuse_by_rule(context, form)
    if refusal then return refusal end
    if not (form.scope or ""):find("/%.default$") then
      return refuse(context, 400, "invalid_scope", 70011,
        "The provided value for 'scope' is not valid.")
    end
    return give(context)
  end

  local function of_person(proof)
    return function(context, form)
      local kind, more, text = proof(context, form)
      if kind then return refuse(context, 400, kind, more, text) end
      return give(context, more)
    end
  end

  grants[DEVICE_GRANT] = of_person(device.poll)
  grants.refresh_token = of_person(device.refresh)

  local function refuse_tenant(context, tenant)
    if tenants and not tenants[tenant] then
      return refuse(context, 400, "invalid_request", 90002,
        ("Tenant '%s' not found."):format(tenant))
    end
  end

  local function refuse_form(context, form)
    if (form.client_id or "") == "" then
      return refuse(context, 400, "invalid_request", 900144, "The body must contain 'client_id'.")
    end
  end

  --- POST /{tenant}/oauth2/v2.0/token
  ---@return table response
  function entra.token(context, body, tenant)
    local form = form_of(body)
    local grant = grants[form.grant_type]
    if not grant then
      return refuse(context, 400, "unsupported_grant_type", 70003,
        "The app requested an unsupported grant type.")
    end
    return refuse_tenant(context, tenant) or refuse_form(context, form) or grant(context, form)
  end

  --- POST /{tenant}/oauth2/v2.0/devicecode
  ---@return table response
  function entra.device_code(context, body, tenant)
    local form = form_of(body)
    if is_closed and not options.device then
      return refuse(context, 400, "unauthorized_client", 700016,
        "Application was not found in the directory.")
    end
    return refuse_tenant(context, tenant) or refuse_form(context, form)
      or device.begin(context, form)
  end

  --- What a managed identity or a job's token service answers.
  ---@param request { method: string, headers: table, body: string|nil }  header names in small
  ---  letters
  ---@return table response
  function entra.identity(context, route, request)
    if is_closed and not options.identities then
      return answers.plain(context, 400, { error = "invalid_request",
        error_description = "Identity not found" })
    end
    local asked = { method = request.method, headers = request.headers,
      form = form_of(request.body) }
    return entra.identities[route.name](context, asked, route.query, route.ids.service)
  end

  --- Let a call in.
  ---@param authorization string|nil  the header
  ---@return table|nil response  the 401
  ---@return string identity
  function entra.check(context, authorization)
    local scheme, token = (authorization or ""):match("^(%a+) +(%S+)%s*$")
    if not scheme or scheme:lower() ~= "bearer" then
      return answers.error(context, "Unauthorized"), ""
    end
    local expires_at = entra.issued[token]
    if expires_at and context.now >= expires_at then
      return answers.error(context, "TokenExpired"), token
    end
    if not expires_at and options.token and token ~= options.token then
      return answers.error(context, "Unauthorized"), token
    end
    return nil, token
  end

  return entra
end

return M
