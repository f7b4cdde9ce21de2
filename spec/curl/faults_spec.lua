-- What goes wrong on the wire, against real sockets: a send_once request reaches the server once,
-- and the completion says what is known.

local support = require "spec.curl.support"

local large = ("x"):rep(2 * 1024 * 1024)

describe("a transport on a broken wire #process", function()
  local server

  setup(function()
    server = require("spec.support.process").start "spec/curl/fault_server.lua"
  end)

  teardown(function() server.close() end)

  local function posts()
    local count = support.one { url = server.url .. "/count" }.body:match("^(%d+)")
    return tonumber(count)
  end

  --- A transport with that many idle connections, of reads and of a submission.
  local function warm(connections)
    local transport, requests = support.transport(), {}
    for index = 1, connections do requests[index] = { url = server.url .. "/echo" } end
    support.all(transport, (table.unpack or unpack)(requests))
    if connections > 0 then
      local completion = support.all(transport, { url = server.url .. "/status/202",
        method = "POST", send_once = true, body = "{}" })
      assert.equal(202, completion.status)
    end
    return transport
  end

  --- Posts once over a broken wire; gives the completion and how many POSTs the server saw.
  local function submit(connections, body, path)
    local transport = warm(connections)
    local before = posts()
    local endless = path == "/wire/silence" or path == "/wire/drip"
    local completion = support.all(transport, { method = "POST", url = server.url .. path,
      send_once = true, body = body, timeout = endless and 0.4 or 30,
      headers = { ["Content-Type"] = "application/json" } })
    transport:close()
    return completion, posts() - before
  end

  it("hands out a stream as it comes, and the rest with its end", function()
    local transport = support.transport()
    local id = transport:start { method = "GET", url = server.url .. "/stream/20", stream = true }
    local parts, completion = {}, nil
    while not completion do
      for _, event in ipairs(transport:wait(30)) do
        assert.equal(id, event.id)
        if event.kind == "response" then completion = event else parts[#parts + 1] = event.text end
      end
    end
    transport:close()
    assert.same({ 200, nil }, { completion.status, completion.failure })
    assert.is_true(#parts > 1)
    local lines = {}
    for index = 1, 20 do lines[index] = ("line %d\n"):format(index) end
    assert.equal(table.concat(lines), table.concat(parts) .. completion.body)
  end)

  it("hands out no part of an answer that is no success, and of no other request", function()
    local transport = support.transport()
    local refused, plain = support.all(transport,
      { url = server.url .. "/status/503", stream = true }, { url = server.url .. "/stream/3" })
    transport:close()
    assert.same({ 503, "status 503" }, { refused.status, refused.body })
    assert.equal("line 1\nline 2\nline 3\n", plain.body)
  end)

  local expected = {
    { "/wire/fin", "reset" }, { "/wire/rst", "reset" }, { "/wire/half_header", "reset" },
    { "/wire/silence", "timeout" }, { "/wire/drip", "timeout" }, { "/status/417", nil, 417 },
    { "/status/503", nil, 503 }, { "/status/504", nil, 504 }, { "/status/307", nil, 307 },
    { "/status/302", nil, 302 }, { "/wire/header_then_rst", nil, 202 },
  }

  for _, row in ipairs(expected) do
    local path, code, status = row[1], row[2], row[3]
    it("sends once: " .. path, function()
      for _, connections in ipairs { 0, 1, 8 } do
        for _, body in ipairs { "{}", large } do
          local completion, count = submit(connections, body, path)
          local where = ("%d warm connections, %d bytes"):format(connections, #body)
          assert.equal(1, count, where)
          assert.equal(code, completion.failure and completion.failure.code, where)
          assert.equal(code and "maybe" or "yes", completion.sent, where)
          if status then assert.equal(status, completion.status, where) end
        end
      end
    end)
  end

  it("would send twice without send_once: libcurl does so by itself", function()
    local transport = warm(1)
    local before = posts()
    local completion = support.all(transport, { method = "POST", url = server.url .. "/wire/fin",
      body = "{}" })
    assert.equal("reset", completion.failure.code)
    assert.equal(2, posts() - before)
    transport:close()
  end)

  it("ends a submission as soon as the headers of a 2xx are whole", function()
    local completion = support.one { method = "POST", url = server.url .. "/wire/header_then_rst",
      send_once = true, body = "{}" }
    assert.is_nil(completion.failure)
    assert.equal("yes", completion.sent)
    assert.equal("/jobs/1", completion.headers.location)
    completion = support.one { method = "POST", url = server.url .. "/wire/header_then_rst",
      body = "{}" }
    assert.equal("reset", completion.failure.code)
    assert.equal(202, completion.status)
    assert.equal("/jobs/1", completion.headers.location)
  end)

  it("gives each submission a connection of its own", function()
    local transport = support.transport()
    local requests = {}
    for index = 1, 3 do
      requests[index] = { method = "POST", url = server.url .. "/status/202", send_once = true,
        body = "{}" }
    end
    local before = support.one { url = server.url .. "/count" }.body
    for _, request in ipairs(requests) do support.all(transport, request) end
    local after = support.one { url = server.url .. "/count" }.body
    local posts_before, connections_before = before:match("(%d+) (%d+)")
    local posts_after, connections_after = after:match("(%d+) (%d+)")
    assert.equal(3, posts_after - posts_before)
    assert.equal(3, connections_after - connections_before)
    transport:close()
  end)

  it("does not send what is too late", function()
    local core = require "luafabric.core"
    local before = posts()
    local completion = support.one { method = "POST", url = server.url .. "/status/202",
      send_once = true, body = "{}", not_after = core.monotonic() - 1 }
    assert.equal("expired", completion.failure.code)
    assert.equal("no", completion.sent)
    assert.equal(0, posts() - before)
    assert.equal(202, support.one { method = "POST", url = server.url .. "/status/202",
      send_once = true, body = "{}", not_after = core.monotonic() + 60 }.status)
  end)

  it("says after a cancel whether the request had been on its way", function()
    local transport = support.transport()
    transport:cancel(transport:start { method = "POST", url = server.url .. "/wire/silence",
      send_once = true, body = "{}" })
    local completion = transport:wait(5)[1]
    assert.equal("cancelled", completion.failure.code)
    assert.equal("no", completion.sent)
    local before = posts()
    local id = transport:start { method = "POST", url = server.url .. "/wire/silence",
      send_once = true, body = "{}" }
    while posts() == before do assert.same({}, transport:wait(0.001)) end
    transport:cancel(id)
    assert.equal("maybe", transport:wait(5)[1].sent)
    transport:cancel(id)
    assert.same({}, transport:wait(0))
    transport:close()
  end)

  it("sends what it was given, and nothing of its own accord", function()
    local body = support.one { method = "POST", url = server.url .. "/echo", body = "{}",
      send_once = true, headers = { Authorization = "Bearer t", ["X-Empty"] = "" } }
    assert.equal("", body.body) -- a 2xx of a submission ends with its headers
    body = support.one { method = "POST", url = server.url .. "/echo", body = "{}",
      headers = { Authorization = "Bearer t", ["X-Empty"] = "" } }.body
    assert.matches("^POST 2\n", body)
    assert.matches("authorization: Bearer t\n", body)
    assert.matches("x%-empty: *\n", body .. "\n")
    for _, header in ipairs { "expect", "cookie", "content%-type", "referer" } do
      assert.is_nil(body:find("\n" .. header .. ":"), header)
    end
    local empty = support.one { method = "POST", url = server.url .. "/echo" }.body
    assert.matches("content%-length: 0", empty)
    local deleted = support.one { method = "DELETE", url = server.url .. "/echo" }.body
    assert.matches("^DELETE 0\n", deleted)
  end)

  it("bounds bodies and headers", function()
    local exact = support.one { url = server.url .. "/large/1000", max_body = 1000 }
    assert.equal(1000, #exact.body)
    local completion = support.one { url = server.url .. "/large/1001", max_body = 1000 }
    assert.equal("too_large", completion.failure.code)
    assert.equal("the body is longer than 1000 bytes", completion.failure.message)
    assert.equal(200, completion.status)
    assert.equal("yes", completion.sent)
    completion = support.one { url = server.url .. "/large/5000000" }
    assert.equal("the body is longer than 4194304 bytes", completion.failure.message)
    assert.equal(60000, #support.one { url = server.url .. "/headers/60000" }.headers.long)
    completion = support.one { url = server.url .. "/headers/66000" }
    assert.equal("too_large", completion.failure.code)
    assert.equal("maybe", completion.sent)
  end)

  it("joins headers of one name and knows them in small letters", function()
    local headers = support.one { url = server.url .. "/headers/1" }.headers
    assert.equal("a, b", headers.set)
    assert.equal("x", headers.long)
  end)

  it("follows no redirect", function()
    local completion = support.one { url = server.url .. "/status/307" }
    assert.equal(307, completion.status)
    assert.equal("/echo", completion.headers.location)
    assert.equal("status 307", completion.body)
  end)

  it("keeps proxies away from this machine's servers, which get tokens in clear", function()
    local completion = support.one({ url = server.url .. "/echo" },
      { proxy = "http://127.0.0.1:1" })
    assert.equal(200, completion.status)
  end)

  it("makes its one descriptor readable when there is something to do, and not else", function()
    local transport, watcher = support.transport(), support.transport()
    assert(watcher:watch(transport:fd()))
    local function is_readable(seconds) return #watcher:wait(seconds) > 0 end
    assert.is_false(is_readable(0))
    transport:cancel(transport:start { method = "GET", url = server.url .. "/wire/silence" })
    assert.is_true(is_readable(10))
    assert.equal("cancelled", transport:wait(0)[1].failure.code)
    transport:wait(0)
    assert.is_false(is_readable(0))
    transport:start { method = "GET", url = server.url .. "/wire/silence", timeout = 0.1 }
    local completions, rounds = {}, 0
    while #completions == 0 do
      assert.is_true(is_readable(10))
      completions, rounds = transport:wait(0), rounds + 1
      assert.is_true(rounds < 100, "it is readable without reason")
    end
    assert.equal("timeout", completions[1].failure.code)
    watcher:close()
    transport:close()
  end)

  it("may be closed by a finalizer while it hands out completions", function()
    local transport = support.transport()
    for _ = 1, 20 do transport:start { method = "GET", url = server.url .. "/headers/1000" } end
    collectgarbage("stop")
    for _ = 1, 10 do
      local proxy = newproxy and newproxy(true) or setmetatable({}, {
        __gc = function() transport:close() end })
      if newproxy then getmetatable(proxy).__gc = function() transport:close() end end
    end
    collectgarbage("restart")
    collectgarbage("setpause", 1)
    local events = {}
    while #events == 0 and tostring(transport):find("open") do
      local ok, found = pcall(transport.wait, transport, 5)
      events = ok and found or events
    end
    collectgarbage("setpause", 200)
    transport:close()
    assert.equal("luafabric.transport (closed)", tostring(transport))
  end)

  it("gives up after its time", function()
    local transport = support.transport()
    local completion = support.all(transport,
      { url = server.url .. "/wire/silence", timeout = 0.05 })
    assert.equal("timeout", completion.failure.code)
    assert.equal("maybe", completion.sent)
    transport:close()
  end)

  it("answers many at once", function()
    local transport, requests = support.transport(), {}
    for index = 1, 50 do requests[index] = { url = server.url .. "/large/" .. index } end
    local found = { support.all(transport, (table.unpack or unpack)(requests)) }
    for index = 1, 50 do assert.equal(index, #found[index].body) end
    transport:close()
  end)
end)
