-- Microsoft Entra as far as a client of Fabric meets it: the token endpoint for client credentials,
-- and the check of the bearer token that a call carries.

local answers = require "luafabric.emulator.answers"
local routes = require "luafabric.emulator.routes"

local M = {}

local MAX_ISSUED = 1000

---@param options { token: string?, token_lifetime: number?, clients: table<string, string>? }
---  token: the only one that is let in (beside those issued here); clients: id -> secret
---@param next_id fun(): string
---@return table entra
function M.new(options, next_id)
  local entra = { issued = {}, issued_count = 0 }

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

  --- POST /{tenant}/oauth2/v2.0/token
  ---@return table response
  function entra.token(context, body)
    local form = form_of(body)
    if form.grant_type ~= "client_credentials" then
      return refuse(context, 400, "unsupported_grant_type", 70003,
        "The app requested an unsupported grant type.")
    end
    if (form.client_id or "") == "" then
      return refuse(context, 400, "invalid_request", 900144, "The body must contain 'client_id'.")
    end
    local secret = form.client_secret or ""
    if secret == "" then
      return refuse(context, 401, "invalid_client", 7000218,
        "The request body must contain 'client_assertion' or 'client_secret'.")
    end
    if options.clients and options.clients[form.client_id] ~= secret then
      return refuse(context, 401, "invalid_client", 7000215, "Invalid client secret provided.")
    end
    if not (form.scope or ""):find("/%.default$") then
      return refuse(context, 400, "invalid_scope", 70011,
        "The provided value for 'scope' is not valid.")
    end
    if entra.issued_count >= MAX_ISSUED then entra.issued, entra.issued_count = {}, 0 end
    local lifetime = options.token_lifetime or 3599
    local token = "emulator." .. next_id() .. "." .. next_id()
    entra.issued[token] = context.now + lifetime
    entra.issued_count = entra.issued_count + 1
    return answers.plain(context, 200, { token_type = "Bearer", expires_in = lifetime,
      ext_expires_in = lifetime, access_token = token })
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
