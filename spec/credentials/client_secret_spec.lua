local credentials = require "luafabric.credentials"
local tasks = require "luafabric.tasks"
local world = require "spec.credentials.support"

local secret = "p+ss w0rd/~Q"

local function new_credential(changes)
  local options = { tenant_id = "contoso.example", client_id = "1b2c", client_secret = secret }
  for name, value in pairs(changes or {}) do options[name] = value end
  return credentials.client_secret(options)
end

--- The error of a token request that is answered like that.
local function error_of(answers, changes)
  local err
  local host = world.run(answers, function()
    local token
    token, err = new_credential(changes):token()
    assert.is_nil(token)
  end)
  return err, host
end

describe("a client secret", function()
  it("tells an Entra that is unwell or busy from one that says no", function()
    for status, wanted in pairs { [429] = { "throttled", "Entra has too many requests (HTTP 429)" },
      [408] = { "network", "Entra is unwell (HTTP 408)" },
      [503] = { "network", "Entra is unwell (HTTP 503)" } } do
      for _, body in ipairs { "<html>", "", "{}" } do
        local err = error_of { { status = status, body = body } }
        assert.same({ wanted[1], status, "no token from https://login.microsoftonline.com: "
          .. wanted[2] .. ": try again later" }, { err.kind, err.status, err.message })
      end
    end
    local err = error_of { world.refusal(90033, "temporarily_unavailable", "Later.", 503) }
    assert.same({ "network", "AADSTS90033" }, { err.kind, err.code })
    assert.equal("unauthorized", error_of({ { status = 403, body = "<html>" } }).kind)
  end)

  it("asks the tenant's token endpoint, in the client credentials form", function()
    local host = world.run({ world.token_answer("t1") }, function()
      assert.equal("t1", new_credential():token())
    end)
    assert.equal(1, #host.requests)
    local request = host.requests[1]
    assert.equal("POST", request.method)
    assert.equal("https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token", request.url)
    assert.equal("application/x-www-form-urlencoded", request.headers["Content-Type"])
    assert.equal("grant_type=client_credentials&client_id=1b2c"
      .. "&client_secret=p%2Bss%20w0rd%2F~Q"
      .. "&scope=https%3A%2F%2Fapi.fabric.microsoft.com%2F.default", request.body)
  end)

  it("goes to another authority and scope when told", function()
    for given, url in pairs {
      ["https://login.microsoftonline.us/"] =
        "https://login.microsoftonline.us/t/oauth2/v2.0/token",
      ["login.partner.microsoftonline.cn"] =
        "https://login.partner.microsoftonline.cn/t/oauth2/v2.0/token",
      ["http://127.0.0.1:8080"] = "http://127.0.0.1:8080/t/oauth2/v2.0/token",
    } do
      local host = world.run({ world.token_answer("t1") }, function()
        assert(new_credential({ authority = given, tenant_id = "t", scope = "api://x/.default" })
          :token())
      end)
      assert.equal(url, host.requests[1].url)
      assert.matches("&scope=api%%3A%%2F%%2Fx%%2F.default$", host.requests[1].body)
    end
  end)

  it("is never sent in the clear, nor to a place that only looks right", function()
    for _, authority in ipairs {
      "http://login.microsoftonline.com", "http://127.0.0.1.evil.example",
      "https://user:pw@login.microsoftonline.com", "https://login.microsoftonline.com/path",
      "ftp://x", "", "https://", 5,
    } do
      assert.error_matches(function() new_credential { authority = authority } end, "authority: ")
    end
  end)

  it("refuses bad options, naming them and not the secret", function()
    for field, values in pairs {
      tenant_id = { "", "a/b", "common", 5 }, client_id = { "", "a\nb" },
      client_secret = { "", "x\ny", false }, scope = { "", 5 }, certificate = { "x" },
    } do
      for _, value in ipairs(values) do
        local ok, message = pcall(new_credential, { [field] = value })
        assert.is_false(ok)
        assert.matches("credentials.client_secret: " .. field .. ": ", message)
        assert.is_nil(message:find(secret, 1, true))
      end
    end
    assert.error_matches(function() credentials.client_secret("x") end, "expected a table")
  end)

  it("reads the life of a token as a number or as a text", function()
    for _, life in ipairs { "3600", '"3600"', "3600.0" } do
      local host = world.run(function(_, n) return world.token_answer("t" .. n, life) end,
        function(_, loop)
          local credential = new_credential()
          assert.equal("t1", credential:token())
          loop.host.advance(3600 - 301)
          assert.equal("t1", credential:token())
          loop.host.advance(2)
          assert.equal("t2", credential:token())
        end)
      assert.equal(2, #host.requests)
    end
  end)

  it("renews a token when Entra says so, if that is earlier", function()
    world.run(function(_, n) return world.token_answer("t" .. n, 86400, ',"refresh_in":43200') end,
      function(_, loop)
        local credential = new_credential()
        assert.equal("t1", credential:token())
        loop.host.advance(43100)
        assert.equal("t1", credential:token())
        loop.host.advance(200)
        assert.equal("t2", credential:token())
      end)
  end)

  it("tells in words what to do about Entra's numbers", function()
    for number, words in pairs { [7000215] = "the client secret is wrong: set AZURE_CLIENT_SECRET",
      [7000222] = "the client secret has expired", [700016] = "check AZURE_CLIENT_ID",
      [90002] = "no such tenant: check AZURE_TENANT_ID",
      [500011] = "Fabric is not known in this tenant", [53003] = "Conditional Access blocks" } do
      local err, host = error_of { world.refusal(number, "invalid_client", "Something.", 401) }
      assert.equal("unauthorized", err.kind)
      assert.equal("AADSTS" .. number, err.code)
      assert.equal(401, err.status)
      assert.equal("c0ffee", err.request_id)
      assert.matches("no token from https://login.microsoftonline.com: AADSTS" .. number .. ": ",
        err.message, 1, true)
      assert.truthy(err.message:find(words, 1, true), err.message)
      assert.equal(1, #host.requests)
    end
  end)

  it("has such words for every number that users of Fabric meet", function()
    for _, number in ipairs { 7000215, 7000222, 700016, 90002, 500011, 70011, 700024, 700027, 70021,
      700211, 700212, 700213, 65001, 50076, 50079, 53003, 530036, 70017, 70018, 70020, 70043,
      700082 } do
      local err = error_of { world.refusal(number, "invalid_client", "Entra's own words.", 400) }
      assert.is_nil(err.message:find("Entra's own words", 1, true), tostring(number))
      assert.matches(": .+: .+", err.message)
    end
  end)

  it("quotes Entra about numbers it does not know, without trace ids", function()
    local err = error_of { world.refusal(123456, "invalid_request", "Strange\\nthings.", 400) }
    assert.equal("no token from https://login.microsoftonline.com: AADSTS123456: Strange things.",
      err.message)
    err = error_of { { status = 400, body = '{"error":"invalid_grant"}' } }
    assert.matches("invalid_grant$", err.message)
  end)

  it("shows the secret nowhere, even when the answer holds it", function()
    local credential = new_credential()
    local err = error_of { world.refusal(123456, "x", "you sent " .. secret .. " and "
      .. "p%%2Bss%%20w0rd%%2F~Q", 400) }
    for _, text in ipairs { tostring(credential), credential.name, tostring(err), err.message } do
      assert.is_nil(text:find(secret, 1, true))
      assert.is_nil(text:find("p%2Bss", 1, true))
    end
    for _, value in pairs(credential) do assert.is_not_table(value) end
    assert.equal("luafabric credential: client secret of app 1b2c", tostring(credential))
  end)

  it("survives answers that make no sense", function()
    for _, answer in ipairs {
      { status = 200, body = "<html>log in to the hotel</html>" }, { status = 200, body = "" },
      { status = 200, body = "[1]" }, { status = 200, body = '"text"' },
      { status = 200, body = "null" },
      { status = 200, body = '{"access_token":""}' }, { status = 200, body = '{"access_token":5}' },
      { status = 200, body = '{"access_token":"a b"}' },
      { status = 200, body = '{"access_token":"a\\r\\nX: y"}' },
      { status = 302, headers = { Location = "https://evil.example/" }, body = "" },
      { status = 400, body = "{" }, { status = 400, body = '{"error":[],"error_codes":"x"}' },
      { status = 400, body = '{"error_codes":[[]],"error_description":5}' },
    } do
      local err, host = error_of { answer }
      assert.equal("unauthorized", err.kind)
      assert.matches("^no token from https://login.microsoftonline.com: ", err.message)
      assert.equal(1, #host.requests)
    end
    world.run({ world.token_answer("t1", '"soon"') }, function()
      assert.equal("t1", new_credential():token())
    end)
  end)

  it("tries again when the trouble may pass, and says what it was when it does not", function()
    for _, trouble in ipairs { { status = 429, body = "{}" }, { status = 503, body = "" },
      { failure = { code = "connect", message = "connection refused" } },
      { failure = { code = "reset", message = "reset" } } } do
      local host = world.run({ trouble, trouble, world.token_answer("t1") }, function()
        assert.equal("t1", new_credential():token())
      end)
      assert.equal(3, #host.requests)
      local err, unlucky = error_of { trouble }
      assert.equal(4, #unlucky.requests)
      assert.equal(trouble.status == 429 and "throttled" or "network", err.kind)
    end
    local err, host = error_of { { failure = { code = "tls", message = "bad certificate" } } }
    assert.equal("network", err.kind)
    assert.matches("bad certificate", err.message)
    assert.equal(1, #host.requests)
  end)

  it("waits as long as the server asks, where that is at most five minutes", function()
    for _, asked in ipairs { 20, 300 } do
      world.run({ { status = 429, headers = { ["Retry-After"] = tostring(asked) }, body = "{}" },
        world.token_answer("t1") }, function(host)
          assert.equal("t1", new_credential():token())
          assert.equal(asked, host.now())
        end)
    end
  end)

  it("leaves a server alone that asks for more, whoever wants a token meanwhile", function()
    local host = world.run({ { status = 429, headers = { ["Retry-After"] = "3600" }, body = "{}" },
      world.token_answer("t1") }, function(host)
        local credential = new_credential()
        for _ = 1, 3 do
          local token, err = credential:token()
          assert.is_nil(token)
          assert.matches("it asks to be left alone for 3600 s", err.message)
          assert.equal(3600, err.retry_after)
          host.advance(1000)
        end
        host.advance(700)
        assert.equal("t1", credential:token())
      end)
    assert.equal(2, #host.requests)
  end)

  it("is asked once for many tasks that need it at once", function()
    local credential = new_credential()
    local host = world.run(function()
      local answer = world.token_answer("t1")
      answer.delay = 2
      return answer
    end, function(_, loop)
      local waiting = {}
      for index = 1, 50 do waiting[index] = loop:spawn(function() return credential:token() end) end
      tasks.sleep(1)
      waiting[1]:cancel() -- whoever asked first takes nobody's token away
      for index = 2, 50 do assert.same({ true, "t1" }, { waiting[index]:join() }) end
    end)
    assert.equal(1, #host.requests)
  end)

  it("gives everybody who waits the same error", function()
    local host = world.run({ world.refusal(7000215, "invalid_client", "x") }, function(_, loop)
      local credential, waiting = new_credential(), {}
      for index = 1, 5 do waiting[index] = loop:spawn(function() return credential:token() end) end
      for index = 1, 5 do
        local _, token, err = waiting[index]:join()
        assert.is_nil(token)
        assert.equal("AADSTS7000215", err.code)
      end
    end)
    assert.equal(1, #host.requests)
  end)
end)
