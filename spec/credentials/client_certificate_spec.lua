local assertions = require "luafabric.emulator.assertions"
local certificates = require "spec.support.certificates"
local credentials = require "luafabric.credentials"
local redaction = require "luafabric.redaction"
local sign_in = require "spec.credentials.sign_in"
local tasks = require "luafabric.tasks"
local world = require "spec.credentials.support"

local APP = "11111111-2222-4333-8444-555555555555"

describe("a client certificate #process", function()
  local made, other, locked

  setup(function()
    made, other = certificates.new(), certificates.new()
    locked = certificates.new { password = "hunter2-hunter2" }
  end)

  teardown(function()
    made.remove()
    other.remove()
    locked.remove()
  end)

  local function new_credential(changes)
    local options = { tenant_id = "contoso.example", client_id = APP,
      certificate_path = made.path }
    for name, value in pairs(changes or {}) do options[name] = value or nil end
    return credentials.client_certificate(options)
  end

  --- A virtual world of today, since certificates are.
  local function today(answers, fn)
    return world.run(answers, fn, require("luafabric.core").wall())
  end

  --- The form that goes to Entra.
  local function form_of(changes)
    local host = today({ world.token_answer "t1" }, function()
      assert.equal("t1", new_credential(changes):token())
    end)
    return sign_in.form(host.requests[1].body), host
  end

  it("keeps its password out of words for as long as it lives", function()
    local credential = new_credential { certificate_path = locked.path,
      password = "hunter2-hunter2" }
    today({ world.token_answer "t1" }, function(host)
      for _ = 1, 10 do
        assert(credential:token())
        host.advance(3600)
      end
    end)
    collectgarbage()
    assert.equal("the password ***", redaction.text "the password hunter2-hunter2")
    assert.equal("certificate of app " .. APP, credential.name)
  end)

  it("signs an assertion that the openssl command verifies", function()
    for _, algorithm in ipairs { "PS256", "RS256" } do
      local form, host = form_of { algorithm = algorithm }
      assert.equal("client_credentials", form.grant_type)
      assert.equal(APP, form.client_id)
      assert.equal("https://api.fabric.microsoft.com/.default", form.scope)
      assert.equal("urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        form.client_assertion_type)
      local jwt = assertions.parse(form.client_assertion)
      assert.is_true(certificates.openssl_verifies(made, jwt.signed, jwt.signature, algorithm))
      assert.equal(algorithm, jwt.header.alg)
      assert.equal("JWT", jwt.header.typ)
      local wall = math.floor(host.requests[1].wall)
      assert.same({ aud = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token",
        iss = APP, sub = APP, jti = jwt.claims.jti, nbf = wall, iat = wall, exp = wall + 600 },
        jwt.claims)
      assert.is_true(require("luafabric.core").is_guid(jwt.claims.jti))
    end
  end)

  it("names its certificate by the thumbprint that the openssl command shows", function()
    local base64 = require "luafabric.base64"
    local function hex(text)
      return (base64.decode_url(text):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
    end
    local header = assertions.parse(form_of {}.client_assertion).header
    assert.equal(certificates.fingerprint(made, "sha256"), hex(header["x5t#S256"]))
    assert.is_nil(header.x5t)
    assert.is_nil(header.x5c)
    header = assertions.parse(form_of { algorithm = "RS256" }.client_assertion).header
    assert.equal(certificates.fingerprint(made, "sha1"), hex(header.x5t))
    header = assertions.parse(form_of { send_chain = true }.client_assertion).header
    assert.equal((made.certificate_pem:gsub("%-%-%-%-%-[^\n]*", ""):gsub("%s", "")), header.x5c[1])
  end)

  it("signs anew for every token, with the certificate that is in the file then", function()
    local path = made.folder .. "/renewed.pem"
    local function put(pem)
      local file = assert(io.open(path, "wb"))
      file:write(pem)
      file:close()
    end
    put(made.pem)
    local host = today({ world.token_answer "t1", world.token_answer "t2" }, function(host)
      local credential = new_credential { certificate_path = path }
      assert.equal("t1", credential:token())
      put(other.pem)
      host.advance(3400)
      assert.equal("t2", credential:token())
    end)
    local first = assertions.parse(sign_in.form(host.requests[1].body).client_assertion)
    local second = assertions.parse(sign_in.form(host.requests[2].body).client_assertion)
    assert.not_equal(first.claims.jti, second.claims.jti)
    assert.is_true(certificates.openssl_verifies(made, first.signed, first.signature, "PS256"))
    assert.is_true(certificates.openssl_verifies(other, second.signed, second.signature, "PS256"))
  end)

  it("is let in by an Entra that checks everything, and by a Fabric behind it", function()
    local server = sign_in.serve { token = "other", tenants = { "contoso.example" },
      clients = { [APP] = { certificates = { made.certificate_pem, locked.certificate_pem } } } }
    for _, changes in ipairs { {}, { algorithm = "RS256" },
      { certificate_path = locked.path, password = "hunter2-hunter2" },
      { certificate_path = false, certificate = made.pem } } do
      changes.authority = server.url
      sign_in.run(function()
        local token = assert(new_credential(changes):token())
        local answer = tasks.request { method = "GET", url = server.url .. "/v1/workspaces",
          headers = { Authorization = "Bearer " .. token } }
        assert.equal(200, answer.status)
      end)
    end
    server.close()
  end)

  it("asks once for a thousand tasks, over a real socket", function()
    local server = sign_in.serve {
      clients = { [APP] = { certificates = { made.certificate_pem } } } }
    local credential = new_credential { authority = server.url }
    sign_in.run(function(_, loop)
      local waiting = {}
      for index = 1, 1000 do
        waiting[index] = loop:spawn(function() return credential:token() end)
      end
      local _, first = waiting[1]:join()
      for index = 2, 1000 do assert.equal(first, (select(2, waiting[index]:join()))) end
    end)
    assert.equal(1, #server.told())
    server.close()
  end)

  it("says what to do when Entra refuses it", function()
    local server = sign_in.serve { tenants = { "contoso.example" },
      clients = { [APP] = { certificates = { made.certificate_pem } } } }
    local function refused(changes, code, words)
      changes.authority = server.url
      local token, err = sign_in.token(new_credential(changes))
      assert.is_nil(token)
      assert.equal("unauthorized", err.kind)
      assert.equal(code, err.code)
      assert.truthy(err.message:find(words, 1, true), err.message)
    end
    refused({ certificate_path = other.path }, "AADSTS700027", "register")
    refused({ client_id = "another" }, "AADSTS700016", "check AZURE_CLIENT_ID")
    refused({ tenant_id = "elsewhere" }, "AADSTS90002", "check AZURE_TENANT_ID")
    server.close()
    for number, words in pairs { [700024] = "clock", [700023] = "AZURE_AUTHORITY_HOST" } do
      today({ world.refusal(number, "invalid_client", "x") }, function()
        local _, err = new_credential():token()
        assert.truthy(err.message:find(words, 1, true), err.message)
      end)
    end
  end)

  it("that is not valid at this time is not sent", function()
    local host = today({}, function(host)
      host.wall = function() return require("luafabric.core").wall() + 3 * 86400 end
      local token, err = new_credential():token()
      assert.is_nil(token)
      assert.matches("^the certificate " .. made.path:gsub("%p", "%%%0") .. " cannot be used: it "
        .. "expired on 20%d%d%-%d%d%-%d%d: renew it", err.message)
    end)
    today({}, function(virtual)
      virtual.wall = function() return 0 end
      assert.matches("is this machine's clock right", select(2, new_credential():token()).message)
    end)
    assert.equal(0, #host.requests)
  end)

  it("is checked when it is given, naming the file and no secret", function()
    for words, changes in pairs {
      ["certificate_path: /absent.pem: there is no such file"] =
        { certificate_path = "/absent.pem" },
      ["needs a password"] = { certificate_path = locked.path },
      ["does not open with this password"] = { certificate_path = locked.path,
        password = "hunter3" },
      ["there is no private key in it"] = { certificate_path = made.certificate_path },
      ["either this or certificate"] = { certificate = made.pem },
      ["algorithm: expected PS256 or RS256"] = { algorithm = "none" },
      ["password: expected a string"] = { password = 5 },
      ["tenant_id: an app needs a tenant of its own"] = { tenant_id = "common" },
    } do
      local ok, message = pcall(new_credential, changes)
      assert.is_false(ok)
      assert.truthy(message:find("credentials.client_certificate: ", 1, true), message)
      assert.truthy(message:find(words, 1, true), message)
      assert.is_nil(message:find("hunter", 1, true))
    end
  end)

  it("shows neither its key nor its assertion", function()
    local credential = new_credential { certificate_path = false, certificate = made.pem }
    assert.equal("luafabric credential: certificate of app " .. APP, tostring(credential))
    for _, value in pairs(credential) do assert.is_not_table(value) end
    today(function(request)
      return world.refusal(123456, "x", "you sent " .. request.body:match("client_assertion=(.*)$"))
    end, function()
      local _, err = credential:token()
      assert.matches("you sent %*%*%*", err.message)
    end)
  end)
end)
