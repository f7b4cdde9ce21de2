local virtual = require "luafabric.hosts.virtual"

local url = "https://api.example/v1"

local function answering(answer)
  return function() return answer end
end

--- The one completion of a request on a host that answers like that.
local function complete(answer, request, options)
  options = options or {}
  options.handle = type(answer) == "function" and answer or answering(answer)
  local host = virtual.new(options)
  request = request or {}
  request.method, request.url = request.method or "GET", request.url or url
  local id = host.start(request)
  local events = host.wait()
  assert.equal(1, #events)
  assert.equal(id, events[1].id)
  assert.equal("response", events[1].kind)
  return events[1], host
end

describe("the virtual host", function()
  it("jumps to the next thing that happens, and no further than asked", function()
    local host = virtual.new { handle = function(request)
      return { status = 200, delay = tonumber(request.body) }
    end }
    for _, delay in ipairs { 30, 10, 20 } do
      host.start { method = "POST", url = url, body = tostring(delay) }
    end
    assert.same({}, host.wait(5))
    assert.equal(5, host.now())
    assert.equal(2, host.wait(100)[1].id)
    assert.equal(10, host.now())
    assert.same({}, host.wait(0))
    assert.equal(3, host.wait()[1].id)
    assert.equal(1, host.wait()[1].id)
    assert.equal(30, host.now())
  end)

  it("reports together what happens together", function()
    local host = virtual.new { handle = answering { status = 200, delay = 1 } }
    for _ = 1, 3 do host.start { method = "GET", url = url } end
    host.post({ kind = "wake" }, 1)
    assert.equal(4, #host.wait())
  end)

  it("keeps a wall clock and tells it to the handler", function()
    local seen
    local _, host = complete(function(_, now) seen = now return { status = 200 } end, nil,
      { start_wall = 1000, connect_delay = 5 })
    assert.equal(1005, seen)
    assert.equal(1005, host.wall())
    assert.equal(1767225600, virtual.new().wall())
  end)

  it("gives the same random numbers for the same seed, spread over [0, 1)", function()
    local function numbers(seed)
      local random, list = virtual.new { seed = seed }.random, {}
      for index = 1, 1000 do list[index] = random() end
      return list
    end
    assert.same(numbers(1), numbers(1))
    assert.not_same(numbers(1), numbers(2))
    assert.is_true(math.abs(numbers(1)[1] - numbers(2)[1]) > 0.001)
    local sum = 0
    for _, number in ipairs(numbers(3)) do
      assert.is_true(number >= 0 and number < 1)
      sum = sum + number
    end
    assert.is_true(sum > 450 and sum < 550)
    assert.equal(("%.12f"):format(virtual.new { seed = 42 }.random()), "0.394589316002")
  end)

  it("answers as a transport does: lower-case names, a body, sent", function()
    local completion = complete { status = 202, body = "x",
      headers = { ["Retry-After"] = 60, Link = { "a", "b" } } }
    assert.equal(202, completion.status)
    assert.same({ ["retry-after"] = "60", link = "a, b" }, completion.headers)
    assert.equal("x", completion.body)
    assert.equal("yes", completion.sent)
    assert.is_nil(completion.failure)
    assert.equal("", complete({ status = 204 }).body)
  end)

  it("times out, and says that the request may have arrived", function()
    local calls = 0
    local completion, host = complete(function()
      calls = calls + 1
      return { status = 202, delay = 31 }
    end, { timeout = 30 })
    assert.equal("timeout", completion.failure.code)
    assert.equal("maybe", completion.sent)
    assert.is_nil(completion.status)
    assert.equal(30, host.now())
    assert.equal(1, calls)
    assert.equal(202, complete({ status = 202, delay = 30 }, { timeout = 30 }).status)
  end)

  it("never sends a request that is too late", function()
    local function unwanted() error("the handler was called") end
    local completion, host = complete(unwanted,
      { method = "POST", send_once = true, not_after = 4 }, { connect_delay = 5 })
    assert.equal("expired", completion.failure.code)
    assert.equal("no", completion.sent)
    assert.same({}, host.requests)
    assert.equal(200, complete({ status = 200 }, { not_after = 5 }, { connect_delay = 5 }).status)
  end)

  it("does not send what could not connect in time", function()
    local completion, host = complete(error, { connect_timeout = 3 }, { connect_delay = 5 })
    assert.equal("timeout", completion.failure.code)
    assert.equal("no", completion.sent)
    assert.equal(3, host.now())
  end)

  it("passes failures on, and knows which of them come before the send", function()
    for code, sent in pairs { resolve = "no", connect = "no", tls = "no", proxy = "no",
      reset = "maybe", protocol = "maybe" } do
      local completion = complete { failure = { code = code, message = "m" } }
      assert.equal(code, completion.failure.code)
      assert.equal(sent, completion.sent)
    end
    local completion = complete { failure = { code = "reset", message = "m" }, sent = "no",
      status = 202, headers = { A = "b" } }
    assert.equal("no", completion.sent)
    assert.equal(202, completion.status)
    assert.equal("b", completion.headers.a)
  end)

  it("turns the emulator's wire faults into what a client would see", function()
    for wire, code in pairs { fin = "reset", rst = "reset", close_before = "reset",
      half_header = "reset", silence = "timeout", drip = "timeout" } do
      local completion = complete({ status = 202, wire = wire }, { timeout = 9 })
      assert.equal(code, completion.failure.code)
      assert.equal("maybe", completion.sent)
      assert.is_nil(completion.status)
    end
    local answer = { status = 202, headers = { Location = "x" }, wire = "header_then_rst" }
    local completion = complete(answer)
    assert.equal("reset", completion.failure.code)
    assert.equal(202, completion.status)
    completion = complete(answer, { method = "POST", send_once = true })
    assert.is_nil(completion.failure)
    assert.equal("x", completion.headers.location)
  end)

  it("bounds bodies", function()
    local completion = complete({ status = 200, body = ("x"):rep(11) }, { max_body = 10 })
    assert.equal("too_large", completion.failure.code)
    assert.equal(200, completion.status)
    assert.equal(10, #complete({ status = 200, body = ("x"):rep(10) }, { max_body = 10 }).body)
  end)

  it("refuses ill-formed requests", function()
    local host = virtual.new { handle = answering { status = 200 } }
    for _, request in ipairs {
      { method = "GET" }, { url = url }, { method = "GET", url = "http://far.example/" },
      { method = "GET", url = "http://localhost.evil.example/" },
      { method = "GET", url = "file:///x" },
      { method = "GET", url = url, headers = { A = "b\r\nC: d" } },
      { method = "GET", url = url, headers = { ["A b"] = "c" } },
      { method = "GET", url = url, headers = { A = 1 } },
    } do
      assert.error_matches(function() host.start(request) end, "request%.")
    end
    assert.equal(1, host.start { method = "GET", url = "http://127.0.0.1:80/" })
  end)

  it("cancels: before the send surely, after it maybe", function()
    local host = virtual.new { handle = answering { status = 200, delay = 10 } }
    host.cancel(host.start { method = "GET", url = url })
    local completion = host.wait()[1]
    assert.equal("cancelled", completion.failure.code)
    assert.equal("no", completion.sent)
    assert.same({}, host.requests)
    local id = host.start { method = "GET", url = url }
    host.wait(1)
    host.cancel(id)
    assert.equal("maybe", host.wait()[1].sent)
    assert.equal(1, host.now())
    host.cancel(id) -- over already
    host.cancel(99)
    assert.same({}, host.wait(1))
  end)

  it("logs what arrived", function()
    local _, host = complete({ status = 200 }, { method = "POST", body = "b", purpose = "submit" },
      { connect_delay = 2 })
    assert.equal(1, #host.requests)
    local entry = host.requests[1]
    assert.same({ 2, "POST", url, "b", "submit" },
      { entry.at, entry.method, entry.url, entry.body, entry.purpose })
    assert.same({}, select(2, complete({ status = 200 }, nil, { log = false })).requests)
  end)

  it("lets time pass, and what fell due comes with the next wait", function()
    local host = virtual.new { handle = answering { status = 200, delay = 10 } }
    host.start { method = "GET", url = url }
    host.post({ kind = "signal", name = "INT" }, 3)
    host.advance(60)
    assert.equal(60, host.now())
    local events = host.wait()
    assert.same({ "signal", "response" }, { events[1].kind, events[2].kind })
    assert.equal(60, host.now())
  end)

  it("raises when it would wait for ever", function()
    local host = virtual.new()
    assert.error_matches(function() host.wait() end, "deadlock")
    assert.error_matches(function() host.wait(math.huge) end, "deadlock")
    host.post { kind = "wake" }
    assert.equal("wake", host.wait()[1].kind)
  end)

  it("takes only stores that commit at once", function()
    local host = virtual.new { handle = answering { status = 200 } }
    assert.is_true(host.watch_store {})
    assert.is_true(host.watch_store { fd = function() end })
    assert.error_matches(function() host.watch_store { fd = function() return 5 end } end,
      "synchronous = true")
  end)

  it("is usable again after close, with nothing under way", function()
    local host = virtual.new { handle = answering { status = 200, delay = 10 } }
    host.start { method = "GET", url = url }
    host.close()
    assert.same({}, host.wait(20))
    host.start { method = "GET", url = url }
    assert.equal(200, host.wait()[1].status)
  end)
end)
