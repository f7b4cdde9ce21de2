local support = require "spec.curl.support"

local function refused(fields, message)
  local transport = support.transport()
  local request = { method = "GET", url = "https://h.example/" }
  for name, value in pairs(fields) do request[name] = value end
  assert.error_matches(function() transport:start(request) end, message)
  assert.same({}, transport:wait(0))
  transport:close()
end

describe("a transport", function()
  it("goes to https alone, and to http on this machine", function()
    for _, url in ipairs { "http://far.example/", "http://127.0.0.1.far.example/", "ftp://h/",
      "http://localhost.far.example/", "https://user:secret@h.example/", "h.example", "", "//h",
      "file:///etc/passwd", "http://0x7f.1.evil.example/", "http://127.0.0.1.1/",
      "http://10.0.0.1/" } do
      refused({ url = url }, "request%.url: ")
    end
    refused({ url = "https://h.example/\0x" }, "request%.url: has a zero byte")
    for _, url in ipairs { "http://127.0.0.1:1/", "http://localhost:1/", "http://[::1]:1/" } do
      assert.equal("connect", support.one({ url = url }).failure.code)
    end
  end)

  it("that is direct goes to this machine or its link-local network, and nowhere else", function()
    for _, url in ipairs { "https://127.0.0.1/", "https://h.example/", "http://10.0.0.1/",
      "http://169.254.1.256/", "http://169.254.169.254.evil.example/" } do
      refused({ url = url, direct = true }, "request%.url: no http to this machine or to 169")
    end
    refused({ url = "http://169.254.169.254/" }, "request%.url: neither https nor http to this")
    refused({ direct = "yes" }, "request%.direct: expected a boolean")
    assert.equal("connect", support.one({ url = "http://127.0.0.1:1/", direct = true },
      { proxy = "http://127.0.0.1:2" }).failure.code)
  end)

  it("shows no user name or password of a URL", function()
    local ok, message = pcall(support.one, { url = "https://user:secret@h.example/" })
    assert.is_false(ok)
    assert.is_nil(message:find("secret", 1, true))
  end)

  it("lets no header break out of its line, and shows no value", function()
    for _, value in ipairs { "a\r\nB: c", "a\nb", "a\rb", "a\0b", "a\127" } do
      refused({ headers = { Authorization = value } }, "request%.headers: Authorization: has a")
    end
    for _, name in ipairs { "A b", "A:", "", "A\r\nB", "A\0", "Ä" } do
      refused({ headers = { [name] = "x" } }, "request%.headers: a name has a character")
    end
    refused({ headers = { A = ("x"):rep(33000) } }, "request%.headers: A: longer than 32768 bytes")
    refused({ headers = { A = 1 } }, "request%.headers: A: expected a string, got a number")
    refused({ headers = { "x" } }, "request%.headers: expected names and texts")
    refused({ headers = "x" }, "request%.headers: expected a table, got a string")
  end)

  it("frames its messages itself", function()
    for _, name in ipairs { "Expect", "content-length", "Transfer-Encoding", "HOST", "Upgrade",
      "Connection", "TE", "Accept-Encoding" } do
      refused({ headers = { [name] = "x" } }, ": is set by the transport")
    end
  end)

  it("refuses what a request does not have", function()
    refused({ methd = "GET" }, "request%.methd: unknown field")
    refused({ [1] = "GET" }, "request%.number: unknown field")
    refused({ method = "get" }, "request%.method: expected GET, POST")
    refused({ method = "GET\0x" }, "request%.method: expected GET, POST")
    refused({ ["send_once\0"] = true }, "unknown field")
    refused({ purpose = 1 }, "request%.purpose: expected a string, got a number")
    refused({ body = 1 }, "request%.body: expected a string, got a number")
    refused({ timeout = "1" }, "request%.timeout: expected a number, got a string")
    refused({ timeout = 0 }, "request%.timeout: 0")
    refused({ timeout = 0 / 0 }, "request%.timeout: ")
    refused({ max_body = -1 }, "request%.max_body: ")
    refused({ send_once = 1 }, "request%.send_once: expected a boolean, got a number")
    refused({ not_after = "x" }, "request%.not_after: expected a number")
  end)

  it("knows its options", function()
    assert.error_matches(function() support.transport { cafile = "x" } end,
      "cafile: unknown option")
    assert.error_matches(function() support.transport { proxy = 1 } end, "proxy: expected a string")
    assert.error_matches(function() support.transport "x" end, "table expected")
  end)

  it("says that nothing was sent where nobody answers", function()
    local completion = support.one { url = "http://127.0.0.1:1/", method = "POST", body = "{}",
      send_once = true }
    assert.equal("no", completion.sent)
    assert.equal("connect", completion.failure.code)
    assert.is_nil(completion.status)
    assert.equal("", completion.body)
    completion = support.one { url = "https://no-such-host.invalid/" }
    assert.equal("resolve", completion.failure.code)
    assert.equal("no", completion.sent)
    assert.matches("no%-such%-host%.invalid", completion.failure.message)
  end)

  it("is of no use after close, which may come twice", function()
    local transport = support.transport()
    transport:start { method = "GET", url = "http://127.0.0.1:1/" }
    transport:close()
    transport:close()
    assert.equal("luafabric.transport (closed)", tostring(transport))
    assert.error_matches(function() transport:wait(0) end, "closed")
    assert.error_matches(function() transport:start {} end, "closed")
  end)

  it("names the libraries it stands on", function()
    assert.matches("^libcurl/%d", require("luafabric.curl").version())
  end)
end)
