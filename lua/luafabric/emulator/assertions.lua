-- The check of a signed assertion by which an app proves itself (RFC 7523), as Microsoft Entra
-- makes it: the form of the token, whose it is, for whom, when, and the signature. Of two kinds:
-- signed with a certificate that is registered for the app, or issued by a provider that the app
-- trusts.

local base64 = require "luafabric.base64"
local json = require "luafabric.json"

local M = {}

local TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
local SKEW = 300 -- seconds that clocks may differ
local EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
local THUMBPRINTS = { ["x5t#S256"] = "sha256", x5t = "sha1" }

local function object(part)
  local value = json.decode(base64.decode_url(part))
  return type(value) == "table" and value or nil
end

--- The parts of a JSON Web Token; nil when it is none.
---@param token string
---@return table|nil jwt  { header, claims, signed, signature }
function M.parse(token)
  local head, body, tail = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  local header, claims = head and object(head), body and object(body)
  if not header or not claims then return nil end
  return { header = header, claims = claims, signed = head .. "." .. body,
    signature = base64.decode_url(tail) }
end

local function open(pem)
  return assert(require("luafabric.crypto").certificate(pem))
end

local function is_signed(jwt, pem)
  local algorithm = jwt.header.alg
  if algorithm ~= "PS256" and algorithm ~= "RS256" then return false end
  return open(pem):verify(jwt.signed, jwt.signature, algorithm)
end

--- The registered certificate that the header names.
local function find_certificate(jwt, certificates)
  for field, digest in pairs(THUMBPRINTS) do
    for _, pem in ipairs(certificates) do
      if jwt.header[field] == base64.encode_url(open(pem):thumbprint(digest)) then return pem end
    end
  end
end

local function time_refusal(claims, now)
  local from, till = claims.nbf or claims.iat, claims.exp
  local good = type(till) == "number" and now < till + SKEW
    and (from == nil or type(from) == "number" and now > from - SKEW)
  if not good then
    return 700024, "Client assertion is not within its valid time range."
  end
end

local function check_certificate(jwt, client, form, url, now)
  local claims = jwt.claims
  if claims.iss ~= form.client_id or claims.sub ~= form.client_id then
    return 700021, "Client assertion application identifier doesn't match 'client_id' parameter."
  end
  if claims.aud ~= url then
    return 700023, "Client assertion audience claim does not match Realm issuer."
  end
  local pem = find_certificate(jwt, client.certificates or {})
  if not pem or not is_signed(jwt, pem) then
    return 700027, "Client assertion contains an invalid signature."
  end
  return time_refusal(claims, now)
end

local function check_federated(jwt, trusted, now)
  local claims, record = jwt.claims, nil
  for _, one in ipairs(trusted) do
    if one.issuer == claims.iss then record = record or one end
    if one.issuer == claims.iss and one.subject == claims.sub then record = one end
  end
  if not record then
    return 700211, "No matching federated identity record found for presented assertion issuer."
  end
  if record.subject ~= claims.sub then
    return 700213, "No matching federated identity record found for presented assertion subject."
  end
  if (record.audience or EXCHANGE_AUDIENCE) ~= claims.aud then
    return 700212, "No matching federated identity record found for presented assertion audience."
  end
  if not is_signed(jwt, record.certificate) then
    return 700027, "Client assertion contains an invalid signature."
  end
  return time_refusal(claims, now)
end

--- Why an assertion does not prove the identity; nil when it does.
---@param client { certificates: string[]|nil, federated: table[]|nil }  PEM texts; { issuer,
---  subject, audience, certificate }
---@param form table  the request's fields
---@param url string  of the token endpoint that was called
---@param now number  unix seconds
---@return integer|nil number  of Entra
---@return string|nil text
function M.refusal(client, form, url, now)
  if form.client_assertion_type ~= TYPE then
    return 900144, "The request body must contain a known 'client_assertion_type'."
  end
  local jwt = M.parse(form.client_assertion)
  if not jwt then return 50027, "JWT token is invalid or malformed." end
  if jwt.claims.iss == form.client_id or not client.federated then
    return check_certificate(jwt, client, form, url, now)
  end
  return check_federated(jwt, client.federated, now)
end

return M
