--- Tokens for an app registration with a secret: the client credentials flow of Microsoft Entra.
--- The secret goes to the authority's origin only, over https, and into no message.

local cache = require "luafabric.credentials.cache"
local entra_messages = require "luafabric.credentials.entra_messages"
local errors = require "luafabric.errors"
local origin = require "luafabric.origin"

local M = {}

local DEFAULT_AUTHORITY = "https://login.microsoftonline.com"
local DEFAULT_SCOPE = "https://api.fabric.microsoft.com/.default"

local ATTEMPTS = 4
local FIRST_PAUSE, LONGEST_PAUSE = 1, 60 -- seconds
local PATIENT_TIMEOUT, SHORT_TIMEOUT = 30, 10 -- seconds
local MAX_BODY = 65536
local DEFAULT_LIFE, LONGEST_LIFE = 300, 172800 -- seconds, for answers that make no sense
local LONGEST_QUOTE = 300

local function url_encode(text)
  return (text:gsub("[^%w%-._~]", function(char) return ("%%%02X"):format(char:byte()) end))
end

local function form(fields)
  local parts = {}
  for _, field in ipairs(fields) do
    parts[#parts + 1] = field[1] .. "=" .. url_encode(field[2])
  end
  return table.concat(parts, "&")
end

--- Hides the secret in a text from outside, which has no reason to hold it.
local function scrub(text, secret)
  for _, form_of_secret in ipairs { secret, url_encode(secret) } do
    local pattern = form_of_secret:gsub("%W", "%%%0")
    text = text:gsub(pattern, "***")
  end
  return text
end

--- The server's own words: one line, no trace ids, not endless.
local function quote(text)
  local line = text:gsub("%s*Trace ID:.*$", ""):gsub("%c+", " ")
  if #line <= LONGEST_QUOTE then return line end
  return line:sub(1, LONGEST_QUOTE) .. "…"
end

local function entra_number(answer)
  local codes = answer.error_codes
  local first = type(codes) == "table" and codes[1]
  if type(first) == "number" then return math.floor(first) end
  local description = answer.error_description
  return type(description) == "string" and tonumber(description:match("AADSTS(%d+)")) or nil
end

--- `answer` is what Entra said as JSON, or nil when it said something else.
local function refusal(settings, completion, answer)
  local status = completion.status
  local head = "no token from " .. settings.origin .. ": "
  local err = { kind = "unauthorized", status = status }
  if not answer then
    err.message = head .. "it answered with something that is not Entra's JSON: check "
      .. "AZURE_AUTHORITY_HOST and the proxy"
    return errors.new(err)
  end
  local number = entra_number(answer)
  local description = answer.error_description
  local text = type(description) == "string" and description
    or type(answer.error) == "string" and answer.error or "no reason given"
  if number then err.code = ("AADSTS%d"):format(number) end
  err.message = head .. quote(scrub(text, settings.secret)) -- scrubbed while it is whole
  if entra_messages[number] then
    err.message = ("%s%s: %s"):format(head, err.code, entra_messages[number])
  end
  if type(answer.correlation_id) == "string" then
    err.request_id = quote(scrub(answer.correlation_id, settings.secret))
  end
  return errors.new(err)
end

local function transport_error(settings, failure)
  return errors.new { kind = failure.code == "timeout" and "timeout" or "network",
    message = ("no token from %s: %s"):format(settings.origin, tostring(failure.message)) }
end

local function seconds(value)
  local number = tonumber(value) -- some authorities send texts
  if not number or number ~= number or number <= 0 then return nil end
  return math.min(number, LONGEST_LIFE)
end

local function decode(body)
  local value = require("luafabric.json").decode(body or "")
  return type(value) == "table" and value or nil
end

--- One try: an answer for the cache, or an error and whether another try may help.
local function try_once(settings, io, timeout)
  local now = type(io.now) == "function" and io.now() or io.now
  local completion = io.request {
    method = "POST", url = settings.url, body = settings.body, timeout = timeout,
    max_body = MAX_BODY, purpose = "token",
    headers = { ["Content-Type"] = "application/x-www-form-urlencoded",
      Accept = "application/json" },
  }
  local failure, status = completion.failure, completion.status
  if failure then
    local lasting = failure.code == "tls" or failure.code == "too_large"
    return nil, transport_error(settings, failure), not lasting, completion
  end
  local answer = decode(completion.body)
  if status ~= 200 then
    local again = status == 429 or status == 408 or status >= 500
    return nil, refusal(settings, completion, answer), again, completion
  end
  if not answer or cache.token_problem(answer.access_token) then
    return nil, refusal(settings, completion, nil), false, completion
  end
  local refresh_in = seconds(answer.refresh_in)
  return { token = answer.access_token,
    expires_at = now + (seconds(answer.expires_in) or DEFAULT_LIFE),
    refresh_at = refresh_in and now + refresh_in }
end

--- Full jitter for errors of our own making, never earlier than the server asks.
local function pause_before(attempt, io, completion)
  local headers = completion.headers or {}
  local asked = require("luafabric.core").parse_retry_after(headers["retry-after"],
    headers["retry-after-ms"], headers.date)
  local own = io.random() * math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ^ attempt)
  return math.max(own, math.min(asked or 0, LONGEST_PAUSE))
end

local function fetch_with(settings, io, patient)
  if not patient then return try_once(settings, io, SHORT_TIMEOUT) end
  for attempt = 1, ATTEMPTS do
    local answer, err, again, completion = try_once(settings, io, PATIENT_TIMEOUT)
    if answer then return answer end
    if not again or attempt == ATTEMPTS then return nil, err end
    io.sleep(pause_before(attempt, io, completion))
  end
end

--- Checks one option; `problem` is what is wrong with it.
local function check(options, name, problem)
  local value = options[name]
  if type(value) ~= "string" then return name .. ": expected a string, got a " .. type(value) end
  if value == "" then return name .. ": is empty" end
  if value:find("%c") then return name .. ": has a control character in it" end
  return problem and problem(value)
end

local shared_tenants = { common = true, organizations = true, consumers = true }

local function tenant_problem(value)
  if shared_tenants[value:lower()] then
    return "tenant_id: an app needs a tenant of its own, not " .. value
  end
  if not value:find("^[%w][%w.-]*$") then
    return "tenant_id: expected a tenant's id or domain name"
  end
end

local known = { tenant_id = true, client_id = true, client_secret = true, authority = true,
  scope = true }

local function authority_of(options)
  local text = options.authority or DEFAULT_AUTHORITY
  if type(text) ~= "string" then return nil, "authority: expected a string" end
  if not text:find("://", 1, true) then text = "https://" .. text end
  local parts, message = origin.parse_secure(text)
  if parts and parts.path ~= "" and parts.path ~= "/" then
    parts, message = nil, "a URL with a path"
  end
  if not parts then return nil, "authority: " .. message .. ": " .. text end
  return parts.origin
end

---@class luafabric.ClientSecretOptions
---@field tenant_id string      id or domain name
---@field client_id string      the app registration's application id
---@field client_secret string  its secret's value
---@field authority? string     default https://login.microsoftonline.com
---@field scope? string         default https://api.fabric.microsoft.com/.default

--- A credential for an app registration.
---@param options luafabric.ClientSecretOptions
---@param name? string  for messages
---@return luafabric.Credential|nil credential
---@return string|nil problem  names the option
function M.new(options, name)
  for field in pairs(options) do
    if not known[field] then return nil, tostring(field) .. ": unknown field" end
  end
  local problem = check(options, "tenant_id", tenant_problem) or check(options, "client_id")
    or check(options, "client_secret") or options.scope ~= nil and check(options, "scope")
  if problem then return nil, problem end
  local authority, message = authority_of(options)
  if not authority then return nil, message end
  local settings = {
    origin = authority, secret = options.client_secret,
    url = ("%s/%s/oauth2/v2.0/token"):format(authority, options.tenant_id),
    body = form { { "grant_type", "client_credentials" }, { "client_id", options.client_id },
      { "client_secret", options.client_secret }, { "scope", options.scope or DEFAULT_SCOPE } },
  }
  return cache.new(name or ("client secret of app " .. options.client_id), function(io, patient)
    return fetch_with(settings, io, patient)
  end)
end

return M
