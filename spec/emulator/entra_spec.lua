-- What the emulator's Entra refuses of those who prove themselves by an assertion or a code, with
-- the numbers of the real one.

local base64 = require "luafabric.base64"
local certificates = require "spec.support.certificates"
local json = require "luafabric.json"
local service = require "luafabric.emulator.service"

local NOW = 1782000000
local URL = "https://login.microsoftonline.com/contoso/oauth2/v2.0/"
local TYPE = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"

local function ask(fabric, form, now, what)
  local response = fabric:handle({ method = "POST", url = URL .. (what or "token"), body = form },
    now or NOW)
  return json.decode(response.body), response.status
end

describe("the emulator's Entra, given an assertion #process", function()
  local made, other, fabric

  setup(function()
    made, other = certificates.new(), certificates.new()
    fabric = service.new { workspaces = {}, tenants = { "contoso" },
      clients = { app = { certificates = { made.certificate_pem } } } }
  end)

  teardown(function()
    made.remove()
    other.remove()
  end)

  --- A form with an assertion; `claims`, `header` and `signer` change what is right.
  local function form_of(claims, header, signer, client_id)
    local certificate = assert(require("luafabric.crypto").certificate((signer or made).pem))
    local registered = assert(require("luafabric.crypto").certificate(made.pem))
    local body = { aud = URL .. "token", iss = "app", sub = "app", jti = "1", nbf = NOW,
      exp = NOW + 600 }
    local head = { alg = "PS256", typ = "JWT",
      ["x5t#S256"] = base64.encode_url(registered:thumbprint("sha256")) }
    for name, value in pairs(claims or {}) do body[name] = value end
    for name, value in pairs(header or {}) do head[name] = value end
    local text = base64.encode_url(json.encode(head)) .. "."
      .. base64.encode_url(json.encode(body))
    local jwt = text .. "." .. base64.encode_url(certificate:sign(text, "PS256"))
    return ("grant_type=client_credentials&client_id=%s&client_assertion_type=%s"
      .. "&scope=https%%3A%%2F%%2Fx%%2F.default&client_assertion=%s"):format(client_id or "app",
      TYPE, jwt)
  end

  local function number_of(form, now)
    local value = ask(fabric, form, now)
    return value.error_codes and value.error_codes[1]
  end

  it("lets in what is right, with clocks that are five minutes apart", function()
    assert.is_nil(number_of(form_of()))
    assert.is_nil(number_of(form_of(), NOW - 299))
    assert.is_nil(number_of(form_of(), NOW + 899))
  end)

  it("refuses everything else by its number", function()
    assert.equal(700024, number_of(form_of(), NOW - 301))
    assert.equal(700024, number_of(form_of(), NOW + 901))
    assert.equal(700023, number_of(form_of { aud = "https://evil.example/token" }))
    assert.equal(700021, number_of(form_of { iss = "another" }))
    assert.equal(700021, number_of(form_of { sub = "another" }))
    assert.equal(700027, number_of(form_of({}, {}, other)))
    assert.equal(700027, number_of(form_of({}, { ["x5t#S256"] = "AAAA" })))
    assert.equal(700027, number_of(form_of({}, { alg = "RS256" })))
    assert.equal(700027, number_of(form_of({}, { alg = "none" })))
    assert.equal(700016, number_of(form_of({}, {}, nil, "another")))
    local malformed = form_of():gsub("client_assertion=.*", "client_assertion=a.b.c")
    assert.equal(50027, number_of(malformed))
    assert.equal(900144, number_of((form_of():gsub("jwt%-bearer", "saml"))))
  end)
end)

describe("the emulator's device codes", function()
  local GRANT = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=app"

  local function begin(settings)
    local fabric = service.new { workspaces = {}, device = settings }
    local code = ask(fabric, "client_id=app&scope=x%20offline_access", NOW, "devicecode")
    return fabric, code
  end

  it("are polled at their interval, and good once", function()
    local fabric, code = begin { approve_after = 12 }
    local poll = GRANT .. "&device_code=" .. code.device_code
    local function at(seconds) return (ask(fabric, poll, NOW + seconds)) end
    assert.same({ 900, 5 }, { code.expires_in, code.interval })
    assert.equal("authorization_pending", at(5).error)
    assert.equal("slow_down", at(7).error)
    assert.equal("slow_down", at(13).error)
    local value = at(30)
    assert.matches("^emulator%.", value.access_token)
    assert.matches("^refresh%.", value.refresh_token)
    assert.equal("bad_verification_code", at(60).error)
  end)

  it("end, and belong to one app", function()
    local fabric, code = begin { approve_after = 2000 }
    assert.equal("bad_verification_code", (ask(fabric, GRANT:gsub("app$", "other")
      .. "&device_code=" .. code.device_code)).error)
    assert.equal("expired_token", (ask(fabric, GRANT .. "&device_code=" .. code.device_code,
      NOW + 901)).error)
    fabric, code = begin { decline_after = 0, approve_after = 1 }
    assert.equal("authorization_declined",
      (ask(fabric, GRANT .. "&device_code=" .. code.device_code)).error)
  end)

  it("give refresh tokens that work once", function()
    local fabric, code = begin {}
    local first = ask(fabric, GRANT .. "&device_code=" .. code.device_code)
    local refresh = "grant_type=refresh_token&client_id=app&refresh_token="
    local second = ask(fabric, refresh .. first.refresh_token)
    assert.matches("^refresh%.", second.refresh_token)
    local again, status = ask(fabric, refresh .. first.refresh_token)
    assert.same({ "invalid_grant", 400 }, { again.error, status })
    assert.equal("invalid_grant", (ask(fabric, (refresh:gsub("app", "other"))
      .. second.refresh_token)).error)
  end)
end)

describe("an emulator that lets in one token", function()
  local APP = "grant_type=client_credentials&client_id=app&client_secret=s"
    .. "&scope=https%3A%2F%2Fx%2F.default"
  local METADATA = "/metadata/identity/oauth2/token?resource=x&api-version="

  --- The status of every way to a token.
  local function statuses_of(options)
    local fabric = service.new { workspaces = {}, token = options.token,
      clients = options.clients, device = options.device, identities = options.identities }
    local function of(method, path, headers, body)
      return fabric:handle({ method = method, url = "http://127.0.0.1" .. path, body = body,
        headers = headers }, NOW).status
    end
    return { app = select(2, ask(fabric, APP)),
      device = select(2, ask(fabric, "client_id=app&scope=x", NOW, "devicecode")),
      machine = of("GET", METADATA .. "2018-02-01", { Metadata = "true" }),
      arc = of("GET", METADATA .. "2020-06-01", { Metadata = "true", Authorization = "Basic nil" }),
      service = of("GET", "/msi/token?resource=x&api-version=2019-08-01", {}),
      ml = of("GET", "/msi/token?resource=x&api-version=2017-09-01", {}),
      shell = of("POST", "/msi/token", { Metadata = "true" }, "resource=x") }
  end

  it("issues none to whoever asks", function()
    assert.same({ app = 401, device = 400, machine = 400, arc = 400, service = 400, ml = 400,
      shell = 400 }, statuses_of { token = "t0ken" })
  end)

  it("issues some to those it was told of", function()
    assert.same({ app = 200, device = 200, machine = 200, arc = 401, service = 401, ml = 401,
      shell = 200 }, statuses_of { token = "t0ken", clients = { app = "s" }, device = {},
      identities = {} })
  end)

  it("is another than one that lets in any: there, only a proof that is wanted is one", function()
    assert.same({ app = 200, device = 200, machine = 200, arc = 401, service = 401, ml = 401,
      shell = 200 }, statuses_of {})
  end)
end)
