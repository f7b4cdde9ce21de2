--- Tokens for a person, who enters a code in a browser on any machine (RFC 8628). After that a
--- refresh token, held in a closure, renews them; when it is not taken any more, there is a new
--- code.

local cache = require "luafabric.credentials.cache"
local entra = require "luafabric.credentials.entra"
local errors = require "luafabric.errors"
local exchange = require "luafabric.credentials.exchange"
local options_of = require "luafabric.credentials.options"
local tasks = require "luafabric.tasks"

local M = {}

local GRANT = "urn:ietf:params:oauth:grant-type:device_code"
local DEFAULT_INTERVAL, SLOWER = 5, 5 -- seconds
local LONGEST_PAUSE = 60 -- seconds, while nobody is there
local DEFAULT_LIFE = 900 -- seconds of a code

---@class luafabric.DeviceCode
---@field user_code string         what the person enters
---@field verification_uri string  where
---@field message string           both in a sentence, as Entra writes it
---@field expires_at number        unix seconds

---@class luafabric.DeviceCodeOptions
---@field client_id string    an app registration that allows public client flows
---@field tenant_id? string   default organizations: whichever the person's is
---@field on_code fun(code: luafabric.DeviceCode)  shows it; plain, may not wait
---@field authority? string   default https://login.microsoftonline.com; or a cloud's name
---@field scope? string       default https://api.fabric.microsoft.com/.default

local function read_code(settings, completion, now)
  local answer = completion.status == 200 and exchange.decode(completion)
  local uri = answer and (answer.verification_uri or answer.verification_url)
  if not answer or cache.token_problem(answer.device_code) or type(answer.user_code) ~= "string"
    or type(uri) ~= "string" then
    return nil, entra.refusal(settings.origin, completion)
  end
  local text = ("To sign in, open %s and enter the code %s"):format(uri, answer.user_code)
  return {
    secret = answer.device_code,
    interval = exchange.seconds(answer.interval) or DEFAULT_INTERVAL,
    shown = { user_code = exchange.quote(answer.user_code), verification_uri = exchange.quote(uri),
      message = exchange.quote(type(answer.message) == "string" and answer.message or text),
      expires_at = now + (exchange.seconds(answer.expires_in) or DEFAULT_LIFE) },
  }
end

local function begin(settings, io)
  local asked_at
  return exchange.ask({
    where = settings.origin,
    request = function()
      asked_at = io.now()
      return entra.post(settings.base_url .. "/devicecode",
        { { "client_id", settings.client_id }, { "scope", entra.offline_scope(settings) } })
    end,
    read = function(completion) return read_code(settings, completion, asked_at) end,
  }, io, true)
end

local function show(on_code, shown)
  local ok, problem = pcall(tasks.forbid_waiting, 'the function given as "on_code"', on_code, shown)
  if ok then return true end
  return nil, errors.new { kind = "usage",
    message = "the function that shows the device code failed: " .. tostring(problem) }
end

local passing = { network = true, timeout = true, throttled = true }

--- Asks until the person has entered the code, or has not. Meanwhile the network may come and go:
--- the pauses grow until there is an answer again (RFC 8628 §3.5).
local function poll(settings, code, io)
  local interval, pause, away = code.interval, code.interval, nil
  local function fields()
    return { { "grant_type", GRANT }, { "client_id", settings.client_id },
      { "device_code", code.secret } }
  end
  while io.now() < code.shown.expires_at do
    io.sleep(pause)
    local answer, err = entra.ask(settings, fields, { code.secret }, io, true)
    if answer then return answer end
    away = passing[err.kind] and err or nil
    if away then
      pause = math.max(math.min(2 * pause, LONGEST_PAUSE), away.retry_after or 0)
      if io.now() + pause >= code.shown.expires_at then break end
    elseif err.reason == "slow_down" or err.reason == "authorization_pending" then
      if err.reason == "slow_down" then interval = interval + SLOWER end
      pause = interval
    else
      return nil, err
    end
  end
  return nil, away or errors.new { kind = "unauthorized",
    message = "nobody entered the device code before it expired: start the sign-in again" }
end

--- Lets a person sign in.
---@param settings luafabric.EntraSettings
---@param on_code fun(code: luafabric.DeviceCode)
---@param io table  { now, request, sleep, random }
---@return table|nil answer  as of entra.ask
---@return luafabric.Error|nil err
function M.sign_in(settings, on_code, io)
  local code, err = begin(settings, io)
  if not code then return nil, err end
  local shown
  shown, err = show(on_code, code.shown)
  if not shown then return nil, err end
  return poll(settings, code, io)
end

--- A credential for a person.
---@param options luafabric.DeviceCodeOptions
---@return luafabric.Credential|nil credential
---@return string|nil problem
function M.new(options)
  local given = { tenant_id = "organizations" }
  for field, value in pairs(options) do given[field] = value end
  local settings, problem = options_of.entra(given, { on_code = true }, true)
  if not settings then return nil, problem end
  local on_code = options.on_code
  if type(on_code) ~= "function" then
    return nil, "on_code: expected a function that shows the code, got a " .. type(on_code)
  end
  local refresh_token

  local function keep(answer)
    refresh_token = answer.refresh_token or refresh_token
    answer.refresh_token = nil
    return answer
  end

  return cache.new("device code", function(io, patient)
    local answer, err
    if refresh_token then
      answer, err = entra.refresh(settings, refresh_token, io, patient)
      if answer then return keep(answer) end
      -- While the old token serves, nobody is bothered.
      if err.reason ~= "invalid_grant" or not patient then return nil, err end
      refresh_token = nil
    end
    answer, err = M.sign_in(settings, on_code, io)
    if not answer then return nil, err end
    return keep(answer)
  end)
end

return M
