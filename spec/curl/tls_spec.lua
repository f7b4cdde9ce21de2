-- TLS, HTTP/2 and proxies, against a real nginx.

local support = require "spec.curl.support"

describe("a transport over TLS #process", function()
  local nginx, process

  setup(function()
    process = require "spec.support.process"
    nginx = require("spec.support.nginx").start()
  end)

  teardown(function() nginx.close() end)

  local function get(path, options)
    options = options or { ca_file = nginx.ca_file }
    return support.one({ url = path:find("^https") and path or nginx.url .. path }, options)
  end

  local function untrusted(completion)
    assert.equal("tls", completion.failure and completion.failure.code)
    assert.equal("no", completion.sent)
    return completion.failure.message
  end

  it("trusts the given authority, and nobody else", function()
    assert.equal(200, get("/protocol").status)
    assert.matches("certificate", untrusted(get("/protocol", {})))
    assert.matches("absent.pem", untrusted(get("/protocol", { ca_file = "/absent.pem" })))
  end)

  it("reads the authorities before it needs them, and keeps them", function()
    local major, minor = require("luafabric.curl").version():match "^libcurl/(%d+)%.(%d+)"
    if major * 1000 + minor < 7087 then return pending "libcurl keeps no certificates here" end
    local path = nginx.dir .. "/kept.pem"
    for _, is_loaded in ipairs { true, false } do
      assert(os.execute(("cp '%s' '%s'"):format(nginx.ca_file, path)))
      local transport = support.transport { ca_file = path }
      if is_loaded then transport:load_trust() end
      os.remove(path)
      for _, submits in ipairs { false, true } do
        local completion = support.all(transport, { method = submits and "POST" or "GET",
          url = nginx.url .. (submits and "/submit" or "/protocol"), send_once = submits or nil })
        assert.equal(not is_loaded and "tls" or nil,
          completion.failure and completion.failure.code)
      end
      assert.equal("tls", support.all(transport, { url = nginx.other_url .. "/" }).failure.code)
      transport:close()
    end
  end)

  it("wants the certificate to be for the name it calls", function()
    assert.matches("localhost", untrusted(get(nginx.other_url .. "/")))
  end)

  it("wants the certificate to be valid today", function()
    assert.equal("SSL certificate problem: certificate has expired",
      untrusted(get(nginx.expired_url .. "/")))
  end)

  it("speaks no TLS older than 1.2", function()
    untrusted(get(nginx.old_url .. "/"))
  end)

  it("reads over one shared HTTP/2 connection", function()
    local transport, requests = support.transport { ca_file = nginx.ca_file }, {}
    for index = 1, 20 do requests[index] = { url = nginx.url .. "/protocol" } end
    local first = support.all(transport, requests[1])
    assert.equal("2", first.http_version)
    assert.matches("^HTTP/2%.0 %d+$", first.body)
    for _, completion in ipairs { support.all(transport, (table.unpack or unpack)(requests)) } do
      assert.equal(first.body, completion.body)
    end
    -- A submission in between takes nothing of that away.
    assert.equal(202, support.all(transport, { method = "POST", url = nginx.url .. "/submit",
      send_once = true, body = "{}" }).status)
    assert.equal(first.body, support.all(transport, requests[1]).body)
    transport:close()
  end)

  it("submits over HTTP/1.1", function()
    local completion = support.one({ method = "POST", url = nginx.url .. "/submit",
      send_once = true, body = ("x"):rep(500000) }, { ca_file = nginx.ca_file })
    assert.equal(202, completion.status)
    assert.equal("1.1", completion.http_version)
    assert.equal("/v1/jobs/instances/1", completion.headers.location)
  end)

  it("follows no redirect to another port with the token", function()
    local completion = support.one({ url = nginx.url .. "/redirect",
      headers = { Authorization = "Bearer secret" } }, { ca_file = nginx.ca_file })
    assert.equal(307, completion.status)
    assert.is_nil(completion.body:find("secret", 1, true))
  end)

  it("bounds what a small compressed answer grows to", function()
    local completion = get "/bomb"
    assert.equal("too_large", completion.failure.code)
    assert.equal("the body is longer than 4194304 bytes", completion.failure.message)
  end)

  describe("through a proxy", function()
    it("tunnels, and does not take the proxy's answer for Fabric's", function()
      local proxy = process.start "spec/curl/proxy_server.lua"
      local options = { ca_file = nginx.ca_file, proxy = proxy.url }
      local completion = support.one({ method = "POST", url = nginx.url .. "/submit",
        send_once = true, body = "{}" }, options)
      assert.equal(202, completion.status)
      assert.is_nil(completion.headers["x-proxy"])
      assert.equal("1", support.one({ url = proxy.url .. "/count" }).body)
      proxy.close()
    end)

    it("says that nothing was sent where the proxy refuses, or is not there", function()
      local proxy = process.start("spec/curl/proxy_server.lua", { "refuse" })
      for url, code in pairs { [proxy.url] = "proxy", ["http://127.0.0.1:1"] = "connect" } do
        local completion = support.one({ method = "POST", url = nginx.url .. "/submit",
          send_once = true, body = "{}" }, { ca_file = nginx.ca_file, proxy = url })
        assert.equal(code, completion.failure.code)
        assert.equal("no", completion.sent)
        assert.is_nil(completion.status)
      end
      proxy.close()
    end)

    it("takes the environment's proxy unless told otherwise", function()
      local shell = require "spec.support.shell"
      local proxy = process.start "spec/curl/proxy_server.lua"
      local script = ([[%s -e 'local s = require "spec.curl.support"
        for _, proxy in ipairs { false, "" } do
          print(s.one({ url = %q }, { ca_file = %q, proxy = proxy or nil }).status)
        end']]):format(os.getenv("LUAFABRIC_LUA"), nginx.url .. "/protocol", nginx.ca_file)
      local code, output = shell.run(("https_proxy=%s %s"):format(proxy.url, script))
      assert.equal("200\n200\n", output)
      assert.equal(0, code)
      assert.equal("1", support.one({ url = proxy.url .. "/count" }).body)
      proxy.close()
    end)
  end)
end)
