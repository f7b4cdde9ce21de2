--- Tokens for an app registration with a certificate: each request for a token carries a JSON Web
--- Token signed with the certificate's key (Microsoft's page "Microsoft identity platform
--- application authentication certificate credentials"). The file is read for each of them, so that
--- a renewed certificate counts at once, and its key is wiped when the assertion is signed.

local assertion = require "luafabric.credentials.assertion"
local base64 = require "luafabric.base64"
local core = require "luafabric.core"
local errors = require "luafabric.errors"
local json = require "luafabric.json"
local options_of = require "luafabric.credentials.options"
local redaction = require "luafabric.redaction"

local M = {}

local LIFE = 600 -- seconds of an assertion, as Microsoft's own libraries
local known = { certificate_path = true, certificate = true, password = true, algorithm = true,
  send_chain = true }

--- What the header says of the key for each algorithm: the name of a thumbprint, and its digest.
local algorithms = { PS256 = { "x5t#S256", "sha256" }, RS256 = { "x5t", "sha1" } }

---@class luafabric.ClientCertificateOptions
---@field tenant_id string          id or domain name
---@field client_id string          the app registration's application id
---@field certificate_path? string  a PEM file with the certificate and its private key (RSA)
---@field certificate? string       the same as a text, instead of the file
---@field password? string          of the private key
---@field algorithm? "PS256"|"RS256"  default PS256; RS256 with SHA-1 thumbprints for older servers
---@field send_chain? boolean       the certificates themselves go along, for apps that are known by
---  subject name and issuer
---@field authority? string         default https://login.microsoftonline.com; or a cloud's name
---@field scope? string             default https://api.fabric.microsoft.com/.default

local function check_fields(options)
  if (options.certificate_path == nil) == (options.certificate == nil) then
    return "certificate_path: expected either this or certificate"
  end
  if options.certificate ~= nil and type(options.certificate) ~= "string" then
    return "certificate: expected a string, got a " .. type(options.certificate)
  end
  if options.algorithm ~= nil and not algorithms[options.algorithm] then
    return "algorithm: expected PS256 or RS256"
  end
  if options.send_chain ~= nil and type(options.send_chain) ~= "boolean" then
    return "send_chain: expected a boolean, got a " .. type(options.send_chain)
  end
  return options_of.optional_text(options, "certificate_path")
    or options_of.optional_text(options, "password")
end

local function open(options)
  local found, crypto = pcall(require, "luafabric.crypto")
  if not found then
    return nil, "luafabric was built without libcrypto, which certificates need: install "
      .. "libssl-dev and build it again, or use a client secret or a federated credential"
  end
  local certificate, message
  if options.certificate_path then
    certificate, message = crypto.certificate_file(options.certificate_path, options.password)
  else
    certificate, message = crypto.certificate(options.certificate, options.password)
  end
  if certificate and not certificate:has_key() then
    certificate:close()
    return nil, "there is no private key in it: it needs both, certificate and key"
  end
  return certificate, message
end

local function new_guid()
  local hex = core.random_hex(16)
  return ("%s-%s-4%s-8%s-%s"):format(hex:sub(1, 8), hex:sub(9, 12), hex:sub(14, 16),
    hex:sub(18, 20), hex:sub(21, 32))
end

local function header_of(certificate, algorithm, send_chain)
  local thumbprint = algorithms[algorithm]
  local header = { alg = algorithm, typ = "JWT",
    [thumbprint[1]] = base64.encode_url(assert(certificate:thumbprint(thumbprint[2]))) }
  if send_chain then
    header.x5c = {}
    for index, der in ipairs(certificate:chain()) do header.x5c[index] = base64.encode(der) end
  end
  return header
end

local function write(certificate, options, settings, now)
  local algorithm = options.algorithm or "PS256"
  local begin = math.floor(now)
  local claims = { aud = settings.token_url, iss = settings.client_id, sub = settings.client_id,
    jti = new_guid(), nbf = begin, iat = begin, exp = begin + LIFE }
  local text = base64.encode_url(json.encode(header_of(certificate, algorithm, options.send_chain)))
    .. "." .. base64.encode_url(json.encode(claims))
  local signature, message = certificate:sign(text, algorithm)
  if not signature then return nil, message end
  return text .. "." .. base64.encode_url(signature)
end

--- Why a certificate cannot serve at this time; nil when it can.
local function time_problem(certificate, now)
  local until_begin, until_end = certificate:validity(now)
  if not until_begin then return nil end
  if until_end <= 0 then
    return ("it expired on %s: renew it, and register the new one with the app")
      :format(core.format_time(math.floor(now + until_end)):sub(1, 10))
  end
  if until_begin > 0 then
    return ("it is valid from %s on: is this machine's clock right?")
      :format(core.format_time(math.floor(now + until_begin)):sub(1, 10))
  end
end

--- A credential for an app registration.
---@param options luafabric.ClientCertificateOptions
---@param name? string  for messages
---@return luafabric.Credential|nil credential
---@return string|nil problem  names the option
function M.new(options, name)
  local settings, problem = options_of.entra(options, known)
  problem = problem or check_fields(options)
  if problem then return nil, problem end
  local kept = {}
  for field, value in pairs(options) do kept[field] = value end
  -- Not with the assertions, which come and go, and would push these out.
  redaction.add(kept, kept.password)
  redaction.add(kept, kept.certificate)
  local where = kept.certificate_path and "certificate_path: " .. kept.certificate_path
    or "certificate"
  local first, message = open(kept)
  if not first then return nil, ("%s: %s"):format(where, message) end
  first:close()

  local function source(io)
    local now = io.now()
    local certificate, trouble = open(kept)
    local text
    if certificate then
      trouble = time_problem(certificate, now)
      if not trouble then text, trouble = write(certificate, kept, settings, now) end
      certificate:close()
    end
    if text then return text end
    local place = kept.certificate_path and " " .. kept.certificate_path or ""
    return nil, errors.new { kind = "unauthorized",
      message = ("the certificate%s cannot be used: %s"):format(place, trouble) }
  end

  return assertion.new(name or ("certificate of app " .. settings.client_id), settings, source)
end

return M
