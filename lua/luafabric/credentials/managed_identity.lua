--- Tokens for the identity of the machine in Azure that this runs on: of its own (system-assigned),
--- or one that was given to it (user-assigned). There is no secret to keep.

local cache = require "luafabric.credentials.cache"
local errors = require "luafabric.errors"
local exchange = require "luafabric.credentials.exchange"
local options_of = require "luafabric.credentials.options"
local redaction = require "luafabric.redaction"
local source_of = require "luafabric.credentials.managed_identity_source"

local M = {}

local ATTEMPTS = 6
local GONE_PAUSE = 15 -- seconds after a 410, which the metadata service gives for up to 70
local CONNECT_TIMEOUT = 3 -- seconds to reach what is on this machine or next to it
-- To reach a metadata service that may not exist, and to hear from what answers in its place.
local PROBE_CONNECT_TIMEOUT, PROBE_TIMEOUT = 1, 10 -- seconds
local LONG_LIFE = 7200 -- seconds; a longer one is renewed in the middle

---@class luafabric.ManagedIdentityOptions
---@field client_id? string    of a user-assigned identity; or
---@field object_id? string    its principal's id; or
---@field resource_id? string  /subscriptions/…/userAssignedIdentities/NAME
---@field scope? string        default https://api.fabric.microsoft.com/.default

local known = { client_id = true, object_id = true, resource_id = true, scope = true }
local ids = { "client_id", "object_id", "resource_id" }

local function read_file(path, longest)
  local file, message = io.open(path, "rb")
  if not file then return nil, tostring(message) end
  local text = file:read(longest + 1)
  file:close()
  if not text then return nil, path .. " is empty" end
  if #text > longest then return nil, ("%s is longer than %d bytes"):format(path, longest) end
  return text
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function complete(world)
  world = world or {}
  return { getenv = world.getenv or os.getenv, exists = world.exists or exists,
    read_file = world.read_file or read_file, probe = world.probe }
end

--- "11/05/2021 15:18:31 +00:00", "1/2/2026 3:04:05 PM +00:00": App Service has been seen to say so.
local function parse_date(text)
  local month, day, year, hour, minute, second, half =
    text:match("^(%d+)/(%d+)/(%d+) (%d+):(%d+):(%d+) ?([AP]?M?) %+00:00$")
  if not month then return nil end
  hour = tonumber(hour)
  if half ~= "" then hour = hour % 12 + (half == "PM" and 12 or 0) end
  return require("luafabric.core").parse_time(("%04d-%02d-%02dT%02d:%s:%sZ"):format(year, month,
    day, hour, minute, second))
end

--- Seconds that a token is good; what is relative needs no clock to agree with ours.
local function life_of(answer, now)
  local life = exchange.seconds(answer.expires_in)
  if life then return life end
  local at = tonumber(answer.expires_on)
    or type(answer.expires_on) == "string" and parse_date(answer.expires_on)
  return at and exchange.seconds(at - now)
end

--- 404 and 410: the service is being updated.
local function may_pass(status)
  if status == 410 then return GONE_PAUSE end
  return status == 404
end

--- In a chain a 404 is anybody's.
local function may_pass_in_probe(status)
  return status == 410 and GONE_PAUSE
end

local function refusal(source, completion, is_probe)
  local answer = exchange.decode(completion) or {}
  local said = answer.error_description or answer.message or answer.error
  local text = type(said) == "string" and exchange.quote(said) or "it gave none"
  local advice = ""
  local is_absent = completion.status == 400
    or is_probe and not exchange.decode(completion)
  if completion.status == 400 then
    advice = "; is an identity assigned to this machine, and is its id right?"
  end
  local kind = not is_absent and may_pass(completion.status) and "network" or "unauthorized"
  return errors.new { kind = kind, status = completion.status,
    code = is_absent and "no_credential" or nil,
    message = ("no token from %s: %s%s"):format(source.name, text, advice) }
end

local function read_token(source, completion, now, is_probe)
  local answer = completion.status == 200 and exchange.decode(completion)
  if not answer or cache.token_problem(answer.access_token) then
    return nil, refusal(source, completion, is_probe)
  end
  local life = life_of(answer, now)
  local refresh_in = exchange.seconds(answer.refresh_in)
    or life and life > LONG_LIFE and life / 2 or nil
  return exchange.answer(answer.access_token, life, now, refresh_in)
end

--- Arc says first where the proof is.
local function prove(source, resource, io, world)
  if not source.challenges then return true end
  local request = source.request(resource)
  request.timeout, request.max_body, request.purpose = 10, 65536, "token"
  local completion = io.request(request)
  if completion.failure then
    return nil, errors.new { kind = "network", code = "no_credential",
      message = ("no token from %s: %s"):format(source.name, completion.failure.message) }
  end
  if completion.status ~= 401 then return true end
  return source_of.answer_challenge(completion, world.read_file)
end

local function fetch(source, resource, world, seen, io, patient)
  local proof, err = prove(source, resource, io, world)
  if not proof then return nil, err end
  redaction.add(source, source.secret)
  redaction.add(source, proof)
  local is_probe, asked_at = source.probed and world.probe and not seen.is_there, nil
  return exchange.ask({
    where = source.name, attempts = ATTEMPTS,
    again = is_probe and may_pass_in_probe or may_pass,
    unreachable = is_probe and { code = "no_credential" } or nil,
    request = function()
      asked_at = io.now()
      local request = source.request(resource, proof ~= true and proof or nil)
      request.connect_timeout = is_probe and PROBE_CONNECT_TIMEOUT or CONNECT_TIMEOUT
      request.timeout = is_probe and PROBE_TIMEOUT or nil
      return request
    end,
    read = function(completion)
      local answer, problem = read_token(source, completion, asked_at, is_probe)
      -- Of others that answer in JSON nobody knows whether they are the metadata service.
      seen.is_there = seen.is_there or answer ~= nil or completion.status == 410
      return answer, problem
    end,
  }, io, patient)
end

local function identity_of(options)
  local identity, count = {}, 0
  for _, name in ipairs(ids) do
    local problem = options_of.optional_text(options, name)
    if problem then return nil, problem end
    if options[name] then count = count + 1 end
    identity[name] = options[name]
  end
  if count > 1 then return nil, "client_id: expected one of client_id, object_id, resource_id" end
  return identity
end

--- A credential on the managed identity.
---@param options luafabric.ManagedIdentityOptions
---@param world? table  { getenv, exists, read_file }: default the real ones; probe: it is one of a
---  chain, so that the absence of a metadata service has to show quickly
---@return luafabric.Credential|nil credential
---@return string|nil problem
function M.new(options, world)
  world = complete(world)
  local problem = options_of.unknown(options, known)
  if problem then return nil, problem end
  local resource, identity, source
  resource, problem = options_of.resource(options)
  if not resource then return nil, problem end
  identity, problem = identity_of(options)
  if not identity then return nil, problem end
  source, problem = source_of.find(identity, world)
  if not source then return nil, problem end
  local id = identity.client_id or identity.object_id or identity.resource_id
  local name = ("managed identity%s of %s"):format(id and " " .. id or "", source.name)
  local seen = {} -- is_there: what answered is the service, and no longer to be probed
  return cache.new(name, function(io, patient)
    return fetch(source, resource, world, seen, io, patient)
  end)
end

return M
