--- A question to the token endpoint of Microsoft Entra, and what its answers mean. What proves the
--- identity goes to the authority's origin only, over https, and into no message.

local cache = require "luafabric.credentials.cache"
local entra_messages = require "luafabric.credentials.entra_messages"
local errors = require "luafabric.errors"
local exchange = require "luafabric.credentials.exchange"
local redaction = require "luafabric.redaction"

local M = {}

local function entra_number(answer)
  local codes = answer.error_codes
  local first = type(codes) == "table" and codes[1]
  if type(first) == "number" then return math.floor(first) end
  local description = answer.error_description
  return type(description) == "string" and tonumber(description:match("AADSTS(%d+)")) or nil
end

--- Whether it is Entra's word on who asks, or Entra has none at the moment.
local function kind_of(status)
  if status == 429 then return "throttled" end
  return (status == 408 or status >= 500) and "network" or "unauthorized"
end

--- What to do where Entra says nothing of the request itself.
local function unwell(err, head)
  local is_busy = err.kind == "throttled"
  err.message = ("%s%s (HTTP %d): try again later"):format(head, is_busy
    and "Entra has too many requests" or "Entra is unwell", err.status)
  return errors.new(err)
end

--- An error of Entra in our words, or in its own where we have none.
---@param origin string
---@param completion table
---@return luafabric.Error err  `reason` is OAuth's word: "invalid_grant"
function M.refusal(origin, completion)
  local answer = exchange.decode(completion)
  local head = "no token from " .. origin .. ": "
  local err = { kind = kind_of(completion.status), status = completion.status }
  local has_reason = answer and (answer.error_description or answer.error)
  if not has_reason and err.kind ~= "unauthorized" then return unwell(err, head) end
  if not answer or completion.status == 200 then
    err.message = head .. "it answered with something that is not Entra's JSON: check "
      .. "AZURE_AUTHORITY_HOST and the proxy"
    return errors.new(err)
  end
  local number = entra_number(answer)
  local description = answer.error_description
  local text = type(description) == "string" and description
    or type(answer.error) == "string" and answer.error or "no reason given"
  if number then err.code = ("AADSTS%d"):format(number) end
  err.message = head .. exchange.quote((text:gsub("%s*Trace ID:.*$", "")))
  if entra_messages[number] then
    err.message = ("%s%s: %s"):format(head, err.code, entra_messages[number])
  end
  err.reason = type(answer.error) == "string" and answer.error:match("^[%l_]+$") or nil
  if type(answer.correlation_id) == "string" then
    err.request_id = exchange.quote(answer.correlation_id)
  end
  return errors.new(err)
end

--- A POST of a form to Entra.
---@param url string
---@param fields string[][]
---@return table request
function M.post(url, fields)
  return { method = "POST", url = url, body = exchange.form(fields),
    headers = { ["Content-Type"] = "application/x-www-form-urlencoded",
      Accept = "application/json" } }
end

local function read_token(settings, completion, now)
  local answer = completion.status == 200 and exchange.decode(completion)
  if not answer or cache.token_problem(answer.access_token) then
    return nil, M.refusal(settings.origin, completion)
  end
  local held = exchange.answer(answer.access_token, exchange.seconds(answer.expires_in), now,
    exchange.seconds(answer.refresh_in))
  if type(answer.refresh_token) == "string" then held.refresh_token = answer.refresh_token end
  return held
end

--- Asks the token endpoint.
---@param settings luafabric.EntraSettings
---@param fields fun(): string[][]  the form, made anew for each try
---@param secrets string[]  of the form
---@param io table
---@param patient boolean
---@return table|nil answer  for the cache, with `refresh_token` where there is one
---@return luafabric.Error|nil err
function M.ask(settings, fields, secrets, io, patient)
  local asked_at
  for _, secret in ipairs(secrets) do redaction.add(settings, secret) end
  return exchange.ask({
    where = settings.origin,
    request = function()
      asked_at = io.now()
      return M.post(settings.token_url, fields())
    end,
    read = function(completion) return read_token(settings, completion, asked_at) end,
  }, io, patient)
end

--- The scope with which Entra gives a refresh token as well.
---@param settings luafabric.EntraSettings
---@return string
function M.offline_scope(settings)
  return settings.scope .. " offline_access"
end

--- A new token for a person who signed in before.
---@param settings luafabric.EntraSettings
---@param refresh_token string
---@param io table
---@param patient boolean
---@return table|nil answer  as of `ask`; its `refresh_token` replaces the old one
---@return luafabric.Error|nil err  reason "invalid_grant": the sign-in is over
function M.refresh(settings, refresh_token, io, patient)
  local function fields()
    return { { "grant_type", "refresh_token" }, { "client_id", settings.client_id },
      { "scope", M.offline_scope(settings) }, { "refresh_token", refresh_token } }
  end
  return M.ask(settings, fields, { refresh_token }, io, patient)
end

return M
