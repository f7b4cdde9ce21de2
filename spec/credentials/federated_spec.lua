-- Identities that another provider vouches for: a token file, GitHub Actions, Azure Pipelines.

local assertions = require "luafabric.emulator.assertions"
local base64 = require "luafabric.base64"
local certificates = require "spec.support.certificates"
local core = require "luafabric.core"
local credentials = require "luafabric.credentials"
local json = require "luafabric.json"
local sign_in = require "spec.credentials.sign_in"
local world = require "spec.credentials.support"

local APP = "11111111-2222-4333-8444-555555555555"
local ISSUER, SUBJECT = "https://issuer.example", "repo:contoso/nightly:ref:refs/heads/main"
local EXCHANGE = "api://AzureADTokenExchange"

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

describe("a workload identity #process", function()
  local provider, server, path

  --- What the provider says of somebody.
  local function token(changes)
    local now = math.floor(core.wall())
    local claims = { iss = ISSUER, sub = SUBJECT, aud = EXCHANGE, iat = now, exp = now + 600 }
    for name, value in pairs(changes or {}) do claims[name] = value end
    local text = base64.encode_url('{"alg":"RS256","typ":"JWT"}') .. "."
      .. base64.encode_url(json.encode(claims))
    local certificate = assert(require("luafabric.crypto").certificate(provider.pem))
    return text .. "." .. base64.encode_url(certificate:sign(text, "RS256"))
  end

  local function new_credential(changes)
    local options = { tenant_id = "contoso.example", client_id = APP, token_file = path,
      authority = server.url }
    for name, value in pairs(changes or {}) do options[name] = value end
    return credentials.workload_identity(options)
  end

  setup(function()
    provider = certificates.new()
    path = provider.folder .. "/token"
    server = sign_in.serve { settings = { token_lifetime = 400, refresh_in = 1 },
      clients = { [APP] = { federated = { { issuer = ISSUER,
        subject = SUBJECT, certificate = provider.certificate_pem } } } } }
  end)

  teardown(function()
    server.close()
    provider.remove()
  end)

  it("is let in with what its file says", function()
    write(path, token() .. "\n")
    assert.matches("^emulator%.", assert(sign_in.token(new_credential())))
  end)

  it("reads its file anew for every token", function()
    local seen = {}
    write(path, "first")
    world.run(function(request, count)
      seen[count] = sign_in.form(request.body).client_assertion
      return world.token_answer("t" .. count)
    end, function(host)
      local credential = credentials.workload_identity { tenant_id = "t", client_id = APP,
        token_file = path }
      assert.equal("t1", credential:token())
      write(path, "second")
      host.advance(3400)
      assert.equal("t2", credential:token())
    end)
    assert.same({ "first", "second" }, seen)
  end)

  it("says what does not match when Entra refuses it", function()
    for claim, case in pairs { iss = { "https://other.example", 700211, "this token's issuer" },
      sub = { "repo:contoso/other", 700213, "this token's subject" },
      aud = { "api://other", 700212, "another audience" },
      exp = { 1000, 700024, "is this machine's clock right" } } do
      write(path, token { [claim] = case[1] })
      local _, err = sign_in.token(new_credential())
      assert.equal("AADSTS" .. case[2], err.code)
      assert.truthy(err.message:find(case[3], 1, true), err.message)
    end
    local forged = token()
    write(path, forged:sub(1, -6) .. (forged:sub(-5) == "AAAAA" and "BBBBB" or "AAAAA"))
    assert.equal("AADSTS700027", select(2, sign_in.token(new_credential())).code)
  end)

  it("says so when its file is absent or holds no token", function()
    os.remove(path)
    local function refused(words)
      local nothing, err = sign_in.token(new_credential())
      assert.is_nil(nothing)
      assert.equal("unauthorized", err.kind)
      assert.equal("the federated token file cannot be used: " .. path .. ": " .. words,
        err.message)
    end
    refused "No such file or directory"
    write(path, "")
    refused "it is empty"
    write(path, "two words")
    refused "what is in it has a space, a line break or the like in it"
    assert.error_matches(function() new_credential { token_file = "" } end,
      "credentials.workload_identity: token_file: is empty")
  end)
end)

describe("a job #process", function()
  local provider, server

  setup(function()
    provider = certificates.new()
    server = sign_in.serve {
      identities = { access_token = "jobs secret", issuer = ISSUER, subject = SUBJECT,
        pem = provider.pem },
      clients = { [APP] = { federated = { { issuer = ISSUER, subject = SUBJECT,
        certificate = provider.certificate_pem } } } },
    }
  end)

  teardown(function()
    server.close()
    provider.remove()
  end)

  local function github(changes)
    local options = { tenant_id = "t", client_id = APP, authority = server.url,
      request_url = server.url .. "/oidc/github?api-version=2.0", request_token = "jobs secret" }
    for name, value in pairs(changes or {}) do options[name] = value end
    return credentials.github_actions(options)
  end

  local function pipelines(changes)
    local options = { tenant_id = "t", client_id = APP, authority = server.url,
      request_url = server.url .. "/oidc/pipelines", access_token = "jobs secret",
      service_connection_id = "connection 1" }
    for name, value in pairs(changes or {}) do options[name] = value end
    return credentials.azure_pipelines(options)
  end

  --- The last two requests: to the job's service, and to Entra.
  local function last_two()
    local told = server.told()
    return told[#told - 1], sign_in.form(told[#told].body)
  end

  it("of GitHub Actions exchanges the job's token for the app's", function()
    assert.matches("^emulator%.", assert(sign_in.token(github())))
    local asked, form = last_two()
    assert.equal("GET", asked.method)
    assert.equal("/oidc/github?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange",
      asked.path)
    assert.equal("bearer jobs secret", asked.headers.authorization)
    local jwt = assertions.parse(form.client_assertion)
    assert.same({ EXCHANGE, SUBJECT }, { jwt.claims.aud, jwt.claims.sub })
    assert.is_true(certificates.openssl_verifies(provider, jwt.signed, jwt.signature, "RS256"))
  end)

  it("of Azure Pipelines does the same with its service connection", function()
    assert.matches("^emulator%.", assert(sign_in.token(pipelines())))
    local asked = last_two()
    assert.equal("POST", asked.method)
    assert.equal("/oidc/pipelines?api-version=7.1&serviceConnectionId=connection%201", asked.path)
    assert.equal("Bearer jobs secret", asked.headers.authorization)
    assert.equal("Suppress", asked.headers["x-tfs-fedauthredirect"])
    assert.equal("0", asked.headers["content-length"])
  end)

  it("that may not ask is told what it lacks, without its secret", function()
    for words, credential in pairs {
      ["no token from GitHub's token service: The job may not ask for tokens; does the job have "
        .. "permissions: id-token: write?"] = github { request_token = "other" },
      ["no token from Azure Pipelines' token service: The job may not ask for tokens; is "
        .. "SYSTEM_ACCESSTOKEN mapped in the step, and may the pipeline use the connection?"] =
        pipelines { access_token = "other" },
    } do
      local token, err = sign_in.token(credential)
      assert.is_nil(token)
      assert.equal(words, err.message)
      assert.equal(401, err.status)
    end
  end)

  it("sends its secret nowhere in the clear", function()
    for _, new in ipairs { github, pipelines } do
      assert.error_matches(function() new { request_url = "http://far.example/oidc" } end,
        "request_url: neither https nor http to this machine")
    end
  end)
end)
