-- A run of a service, followed over connections that are lost and made anew.

local errors = require "luafabric.errors"
local json = require "luafabric.json"
local remote_call = require "luafabric.service.remote_call"
local remote_stream = require "luafabric.service.remote_stream"
local standin = require "spec.service.standin"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

describe("a run of a service that is followed", function()
  local lines = {}
  for number = 1, 6 do
    lines[number] = ('{"type":"warning","at":%d,"message":"m"}'):format(number)
  end
  lines[7] = '{"type":"run_ended","outcome":"succeeded"}'

  --- Follows on a service that answers so; gives what was told, and what came of it.
  local function follow(answer, given)
    local host
    host = virtual.new { handle = function(request, now)
      assert(#host.requests < 500, "it asks without end")
      return answer(request, now, host)
    end }
    local loop = tasks.new(host)
    local call = remote_call.new { url = "https://runs.example", token = "token-of-it" }
    local told, troubles, took = {}, {}, nil
    local ok, ended, err = loop:run(loop:spawn(function()
      local result, problem = remote_stream.follow(call, { run_id = "7f3a12",
        from = given and given.from,
        on_event = function(event, number) told[#told + 1] = number .. " " .. event.type end,
        on_trouble = function(text) troubles[#troubles + 1] = text end })
      took = host.now()
      return result, problem
    end))
    assert(ok, ended)
    local sent = host.requests
    loop:close()
    return table.concat(told, ", "), ended, err, { troubles = troubles, took = took, sent = sent }
  end

  local ALL = "1 warning, 2 warning, 3 warning, 4 warning, 5 warning, 6 warning, 7 run_ended"

  it("is told whole, in parts as they come", function()
    local told, ended, err, more = follow(function(request, _, host)
      assert.equal("https://runs.example/runs/7f3a12/events", request.url)
      assert.same({ "text/event-stream", "Bearer token-of-it", nil },
        { request.headers.Accept, request.headers.Authorization, request.headers["Last-Event-ID"] })
      assert.is_true(request.stream)
      local text = standin.stream(lines, 0, "succeeded")
      for at = 1, #text, 40 do
        host.post({ kind = "data", id = host.requests[1].id, text = text:sub(at, at + 39) },
          host.now() + at / 10)
      end
      return { status = 200, body = "", delay = 100 }
    end)
    assert.same({ ALL, "succeeded", nil }, { told, ended and ended.outcome, err })
    assert.equal(1, #more.sent)
    assert.same({}, more.troubles)
  end)

  it("is taken up behind the last event, each is told once, and nothing is said of it", function()
    local told, ended, _, more = follow(function(request)
      local last = tonumber(request.headers["Last-Event-ID"] or 0)
      local some = {}
      for number = 1, math.min(last + 2, #lines) do some[number] = lines[number] end
      -- A worker that has one event more than it should tells it again.
      return { status = 200, body = standin.stream(some, math.max(last - 1, 0),
        last + 2 >= #lines and "succeeded" or nil) }
    end)
    assert.same({ ALL, "succeeded", 4 }, { told, ended.outcome, #more.sent })
    assert.same({}, more.troubles)
    assert.equal(3, more.took) -- as the service asks: retry
  end)

  it("may begin behind some of them, and may be over before it begins", function()
    local told, ended = follow(function(request)
      assert.equal("5", request.headers["Last-Event-ID"])
      return { status = 200, body = standin.stream(lines, 5, "succeeded") }
    end, { from = 6 })
    assert.same({ "6 warning, 7 run_ended", "succeeded" }, { told, ended.outcome })
    told, ended = follow(function() return { status = 204 } end, { from = 8 })
    assert.same({ "", {} }, { told, ended })
  end)

  it("survives a lost connection, a server that is away and one that is silent; says so", function()
    local troubles = {
      { failure = { code = "connect", message = "Connection refused" }, sent = "no" },
      { status = 502, body = "<html>" }, { wire = "silence", status = 200 },
      standin.problem(503, "the store is busy"),
    }
    local count = 0
    local told, ended, err, more = follow(function(request)
      count = count + 1
      local last = tonumber(request.headers["Last-Event-ID"] or 0)
      if count == 1 then
        return { status = 200, body = standin.stream({ lines[1], lines[2] }, 0) }
      end
      if count <= 5 then return troubles[count - 1] end
      return { status = 200, body = standin.stream(lines, last, "succeeded") }
    end)
    assert.same({ ALL, "succeeded", nil }, { told, ended and ended.outcome, err })
    assert.same({ "the service at https://runs.example could not be reached: Connection refused; "
      .. "check its URL, the network and the proxy; trying again" }, more.troubles)
    assert.is_true(more.took > 60 and more.took < 90)
  end)

  it("is given up where nothing was heard for five minutes", function()
    local told, ended, err, more = follow(function()
      return { failure = { code = "connect", message = "Connection refused" }, sent = "no" }
    end)
    assert.same({ "", nil }, { told, ended })
    assert.same({ "network", true }, { err.kind, errors.is(err) })
    assert.is_true(more.took > 300 and more.took < 320)
    assert.is_true(#more.sent < 60)
  end)

  it("ends at once where the service refuses, or tells nonsense", function()
    for _, case in ipairs {
      { standin.problem(401, "no token"), "unauthorized", "no token" },
      { standin.problem(404, "there is no run 7f3a12"), "not_found", "there is no run" },
      { { status = 200, body = "id: 1\ndata: hello\n\n" }, "platform", "event 1: not JSON" },
      { { status = 200, body = "data: {}\n\n" }, "platform", "an event without its number" },
    } do
      local _, ended, err, more = follow(function() return case[1] end)
      assert.same({ case[2], 1 }, { err and err.kind, #more.sent })
      assert.is_nil(ended)
      assert.matches(case[3], err.message, 1, true)
    end
  end)

  it("tries again after a problem that the service tells in the stream", function()
    local count = 0
    local told, ended, _, more = follow(function(request)
      count = count + 1
      if count > 1 then
        return { status = 200, body = standin.stream(lines, tonumber(
          request.headers["Last-Event-ID"]), "failed") }
      end
      return { status = 200, body = standin.stream({ lines[1] }, 0)
        .. "event: problem\ndata: {\"status\":500,\"detail\":\"the store is busy\"}\n\n" }
    end)
    assert.same({ ALL, "failed" }, { told, ended.outcome })
    assert.same({ "the service at https://runs.example could not do it (HTTP 500): the store is "
      .. "busy; trying again" }, more.troubles)
  end)

  it("has its events as they were written", function()
    local event = remote_stream.read_event '{"type":"a","list":[],"object":{},"n":9007199254740993}'
    assert.same({ "[]", "{}" }, { json.encode(event.list), json.encode(event.object) })
    if math.type then assert.equal(9007199254740993, event.n) end
    event = remote_stream.read_event '{"type":"a","x":null,"at":1764099783.125}'
    assert.same({ json.null, 1764099783.125 }, { event.x, event.at })
    for _, line in ipairs { "", "[]", "{}", '{"type":1}', '{"type":"a","list":[],}', "null" } do
      assert.is_nil((remote_stream.read_event(line)))
    end
  end)
end)
