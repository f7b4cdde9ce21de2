local managed_identity = require "luafabric.credentials.managed_identity"
local shell = require "spec.support.shell"
local sign_in = require "spec.credentials.sign_in"
local world = require "spec.credentials.support"

local RESOURCE = "https%3A%2F%2Fapi.fabric.microsoft.com"
local KEYS = "/var/opt/azcmagent/tokens/"
local FOREIGN = "/etc/" .. ("a"):rep(40) .. ".key"

--- A machine with these variables and files.
local function machine(variables, files, probe)
  files = files or {}
  return { probe = probe, getenv = function(name) return variables[name] end,
    exists = function(path) return files[path] ~= nil end,
    read_file = function(path) return files[path], "cannot open " .. path end }
end

local function new_credential(variables, options, files, probe)
  return assert(managed_identity.new(options or {}, machine(variables, files, probe)))
end

describe("a managed identity", function()
  --- The one request for a token in a virtual world.
  local function request_of(variables, options)
    local host = world.run({ world.token_answer "t1" }, function()
      assert.equal("t1", new_credential(variables, options):token())
    end)
    assert.equal(1, #host.requests)
    assert.is_true(host.requests[1].direct)
    return host.requests[1]
  end

  it("is asked for where the machine's kind has it", function()
    local request = request_of {}
    assert.equal("GET", request.method)
    assert.equal("http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
      .. "&resource=" .. RESOURCE, request.url)
    assert.same({ Metadata = "true" }, request.headers)
    request = request_of { IDENTITY_ENDPOINT = "http://127.0.0.1:41/msi/token",
      IDENTITY_HEADER = "h", MSI_ENDPOINT = "http://127.0.0.1:1/", MSI_SECRET = "s" }
    assert.equal("http://127.0.0.1:41/msi/token?api-version=2019-08-01&resource=" .. RESOURCE,
      request.url)
    assert.same({ ["X-IDENTITY-HEADER"] = "h" }, request.headers)
    request = request_of { MSI_ENDPOINT = "http://127.0.0.1:42/msi/token", MSI_SECRET = "s" }
    assert.equal("http://127.0.0.1:42/msi/token?api-version=2017-09-01&resource=" .. RESOURCE,
      request.url)
    assert.same({ secret = "s" }, request.headers)
    request = request_of { MSI_ENDPOINT = "http://localhost:50342/oauth2/token" }
    assert.same({ "POST", "http://localhost:50342/oauth2/token", "resource=" .. RESOURCE },
      { request.method, request.url, request.body })
    assert.equal("true", request.headers.Metadata)
  end)

  it("given by the user is named as each service wants it", function()
    local app = { IDENTITY_ENDPOINT = "http://127.0.0.1:41/msi/token", IDENTITY_HEADER = "h" }
    local ml = { MSI_ENDPOINT = "http://127.0.0.1:42/msi/token", MSI_SECRET = "s" }
    for words, case in pairs {
      ["&client_id=c%201$"] = { {}, { client_id = "c 1" } },
      ["&object_id=o$"] = { {}, { object_id = "o" } },
      ["&msi_res_id=%2Fsubscriptions%2Fx$"] = { {}, { resource_id = "/subscriptions/x" } },
      ["&client_id=c$"] = { app, { client_id = "c" } },
      ["&mi_res_id=%2Fsubscriptions%2Fx$"] = { app, { resource_id = "/subscriptions/x" } },
      ["&clientid=c$"] = { ml, { client_id = "c" } },
    } do
      local url = request_of(case[1], case[2]).url .. "$"
      assert.truthy(url:find(words, 1, true), url)
    end
  end)

  it("is refused, in words, where the machine's kind cannot do it", function()
    local function problem(words, variables, options, files)
      local credential, message = managed_identity.new(options or {}, machine(variables, files))
      assert.is_nil(credential)
      assert.truthy(message:find(words, 1, true), message)
    end
    local endpoint = "http://127.0.0.1:1/msi/token"
    problem("Azure ML knows identities by client_id only",
      { MSI_ENDPOINT = endpoint, MSI_SECRET = "s" }, { object_id = "o" })
    problem("Cloud Shell has no user-assigned", { MSI_ENDPOINT = endpoint }, { client_id = "c" })
    problem("Azure Arc has no user-assigned", {}, { client_id = "c" },
      { ["/opt/azcmagent/bin/himds"] = "" })
    problem("Service Fabric are not supported", { IDENTITY_ENDPOINT = endpoint,
      IDENTITY_HEADER = "h", IDENTITY_SERVER_THUMBPRINT = "x" })
    problem("client_id: expected one of", {}, { client_id = "c", object_id = "o" })
    problem("secret: unknown field", {}, { secret = "x" })
    problem("scope: expected one that ends in /.default", {}, { scope = "api://x" })
  end)

  it("is asked on this machine and its link-local network only", function()
    for _, url in ipairs { "http://far.example/msi/token", "https://127.0.0.1/msi/token",
      "http://169.254.1.2.evil.example/", "http://169.254.1.256/", "http://10.0.0.1/",
      "nonsense" } do
      local credential, message = managed_identity.new({}, machine {
        IDENTITY_ENDPOINT = url, IDENTITY_HEADER = "h" })
      assert.is_nil(credential)
      assert.matches("^IDENTITY_ENDPOINT: ", message)
    end
    request_of { IDENTITY_ENDPOINT = "http://169.254.129.3:8081/msi/token", IDENTITY_HEADER = "h" }
  end)

  it("reads the life of a token in every form it was seen in", function()
    -- The virtual world begins at 2026-01-01T00:00:00Z.
    for _, life in ipairs { '"expires_in":"3600"', '"expires_on":"1767229200"',
      '"expires_on":1767229200', '"expires_on":"1/1/2026 1:00:00 AM +00:00"',
      '"expires_on":"01/01/2026 01:00:00 +00:00"',
      '"expires_on":"nonsense","expires_in":3600' } do
      local host = world.run(function(_, count)
        return { status = 200, body = ('{"access_token":"t%d",%s}'):format(count,
          count == 1 and life or '"expires_in":"3600"') }
      end, function(host)
        local credential = new_credential {}
        assert.equal("t1", credential:token())
        host.advance(3299)
        assert.equal("t1", credential:token(), life)
        host.advance(2)
        assert.equal("t2", credential:token(), life)
      end)
      assert.equal(2, #host.requests)
    end
  end)

  it("renews a token of a day in the middle of it", function()
    world.run(function(_, count) return world.token_answer("t" .. count, '"86400"') end,
      function(host)
        local credential = new_credential {}
        assert.equal("t1", credential:token())
        host.advance(43199)
        assert.equal("t1", credential:token())
        host.advance(2)
        assert.equal("t2", credential:token())
      end)
  end)

  it("waits for a metadata service that is being updated, for more than 70 seconds", function()
    world.run(function(_, count)
      if count < 6 then return { status = count == 1 and 404 or 410, body = "{}" } end
      return world.token_answer "t1"
    end, function(host)
      assert.equal("t1", new_credential({}):token())
      assert.is_true(host.now() > 60 and host.now() < 300)
    end)
  end)

  it("gives up in words", function()
    local host = world.run({ { status = 400,
      body = '{"error":"invalid_request","error_description":"Identity not found"}' } }, function()
        local token, err = new_credential({}):token()
        assert.is_nil(token)
        assert.equal("no token from the metadata service: Identity not found; is an identity "
          .. "assigned to this machine, and is its id right?", err.message)
        assert.equal("unauthorized", err.kind)
      end)
    assert.equal(1, #host.requests)
  end)

  it("in a chain is soon found to be absent", function()
    for _, answer in ipairs { { failure = { code = "timeout" } },
      { failure = { code = "connect", message = "no route" } },
      { status = 404, body = "<html>a router's page</html>" },
      { status = 400, body = '{"error":"invalid_request"}' } } do
      local host = world.run({ answer }, function(host)
        local token, err = new_credential({}, {}, {}, true):token()
        assert.is_nil(token)
        assert.equal("no_credential", err.code)
        assert.is_true(host.now() <= 30)
      end)
      assert.equal(1, #host.requests)
      assert.equal(1, host.requests[1].connect_timeout)
    end
  end)

  it("in a chain is waited for as alone, once it has answered", function()
    for _, status in ipairs { 404, 410 } do
      local seen = 0
      world.run(function(_, count)
        if count == 1 or count > 4 then return world.token_answer("t" .. count, 600) end
        return { status = status, body = "{}" }
      end, function(host)
        local credential = new_credential({}, {}, {}, true)
        assert.equal("t1", credential:token())
        host.advance(601)
        assert.equal("t5", credential:token())
        seen = seen + 1
      end)
      assert.equal(1, seen)
    end
    world.run(function(_, count)
      if count < 6 then return { status = 410, body = "" } end
      return world.token_answer "t1"
    end, function()
      assert.equal("t1", new_credential({}, {}, {}, true):token())
    end)
  end)

  it("that is away for longer is away like a network", function()
    world.run({ { status = 410, body = "{}" } }, function()
      local token, err = new_credential({}):token()
      assert.same({ nil, "network", 410 }, { token, err.kind, err.status })
      assert.is_true(require("luafabric.client.call").is_passing(err))
    end)
  end)

  it("of Azure Arc reads its key file and nothing else", function()
    local ARC = { IDENTITY_ENDPOINT = "http://127.0.0.1:40342/metadata/identity/oauth2/token",
      IMDS_ENDPOINT = "http://127.0.0.1:40342" }
    local files = { [KEYS .. "a-1.key"] = "k3y", ["/etc/shadow.key"] = "s3cret",
      [FOREIGN] = "s3cret", [KEYS .. "../../../../etc/shadow.key"] = "s3cret",
      [KEYS .. "bad.key"] = "a\nb" }
    for path, proof in pairs { [KEYS .. "a-1.key"] = "Basic k3y", ["/etc/shadow.key"] = false,
      [KEYS .. "../../../../etc/shadow.key"] = false, [KEYS .. "absent.key"] = false,
      [KEYS .. "a-1.txt"] = false, [KEYS .. "bad.key"] = false, [KEYS .. "sub/a.key"] = false,
      [KEYS .. ".key"] = false, [FOREIGN] = false } do
      local host = world.run(function(request)
        if request.headers.Authorization then return world.token_answer "t1" end
        return { status = 401, body = "{}", headers = { ["WWW-Authenticate"] =
          "Basic realm=" .. path } }
      end, function()
        local token, err = new_credential(ARC, {}, files):token()
        assert.equal(proof and "t1" or nil, token)
        if not proof then
          assert.matches("^no token from Azure Arc: ", err.message)
          assert.is_nil(err.message:find("s3cret", 1, true))
        end
      end)
      assert.equal(proof and 2 or 1, #host.requests)
      if proof then
        assert.same({ Metadata = "true", Authorization = proof }, host.requests[2].headers)
      end
    end
  end)
end)

describe("a managed identity over real sockets #process", function()
  local server

  setup(function()
    server = sign_in.serve { identities = { header = "h1", ml_secret = "s1",
      arc_file = KEYS .. "a.key", arc_key = "k3y", user_assigned = { known = true } } }
  end)

  teardown(function() server.close() end)

  it("is given by each of the services", function()
    for _, case in ipairs {
      { { AZURE_POD_IDENTITY_AUTHORITY_HOST = server.url } },
      { { AZURE_POD_IDENTITY_AUTHORITY_HOST = server.url }, { client_id = "known" } },
      { { IDENTITY_ENDPOINT = server.url .. "/msi/token", IDENTITY_HEADER = "h1" } },
      { { MSI_ENDPOINT = server.url .. "/msi/token", MSI_SECRET = "s1" } },
      { { MSI_ENDPOINT = server.url .. "/msi/token" } },
      { { IDENTITY_ENDPOINT = server.url .. "/metadata/identity/oauth2/token",
        IMDS_ENDPOINT = server.url } },
    } do
      local credential = new_credential(case[1], case[2], { [KEYS .. "a.key"] = "k3y" })
      assert.matches("^emulator%.", assert(sign_in.token(credential)))
    end
  end)

  it("is refused by each of them in words", function()
    for words, case in pairs {
      ["no token from the metadata service: Identity not found"] =
        { { AZURE_POD_IDENTITY_AUTHORITY_HOST = server.url }, { client_id = "unknown" } },
      ["no token from App Service: The header is wrong"] =
        { { IDENTITY_ENDPOINT = server.url .. "/msi/token", IDENTITY_HEADER = "other" } },
      ["no token from App Service: No User Assigned or Delegated"] =
        { { IDENTITY_ENDPOINT = server.url .. "/msi/token", IDENTITY_HEADER = "h1" },
          { object_id = "unknown" } },
    } do
      local token, err = sign_in.token(new_credential(case[1], case[2]))
      assert.is_nil(token)
      assert.truthy(err.message:find(words, 1, true), err.message)
    end
  end)

  it("goes through no proxy, whatever the environment says", function()
    local script = ([[%s -e 'local s = require "spec.credentials.sign_in"
      local c = require("luafabric.credentials").managed_identity()
      print((s.token(c) or "none"):match("^%%a+"))
      local ok, message = pcall(s.run, function(host)
        host.start { method = "GET", url = "http://10.0.0.1/", direct = true }
      end)
      print(ok, (message:match("no http to.*")))']]):format(os.getenv "LUAFABRIC_LUA")
    local code, output = shell.run(("http_proxy=http://127.0.0.1:1 all_proxy=http://127.0.0.1:1 "
      .. "AZURE_POD_IDENTITY_AUTHORITY_HOST=%s %s"):format(server.url, script))
    assert.equal("emulator\nfalse\tno http to this machine or to 169.254.x.y: http://10.0.0.1/\n",
      output)
    assert.equal(0, code)
  end)
end)
