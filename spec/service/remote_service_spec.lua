-- The command against the service, over real sockets: both ends are the real ones.

local command = require "spec.cli.command"
local json = require "luafabric.json"
local service_server = require "spec.support.service_server"
local store_world = require "spec.cli.store_world"
local story = require "spec.view.story"

local TOKEN = "0123456789abcdef0123456789abcdef"

describe("the command and a service #process", function()
  local world, server

  before_each(function()
    world = store_world.new()
    server = service_server.start { store = world.path, workflows = "examples/seattle",
      token = TOKEN }
  end)

  after_each(function()
    if server then server.close() end
    world:close()
  end)

  local function environment(more)
    local env = { LUAFABRIC_SERVER = server.url, LUAFABRIC_SERVER_TOKEN = TOKEN }
    for name, value in pairs(more or {}) do env[name] = value end
    return env
  end

  local function remote(...)
    return command.run({ ... }, { env = environment() })
  end

  it("show the same runs as the command shows on the service's own machine", function()
    world:put_whole()
    local told = story.new({ "a", "b" }, { run_id = "aaaaaabb0000", workflow = "left" })
    told:run("a", 60):start("b")
    world:as_somebody_gone(function() world:put(told.events) end)
    for _, words in ipairs { { "runs", "-o", "json" }, { "show", "7f3", "-o", "json" },
      { "show", "7f3a12", "clean[us]", "-o", "json" }, { "show", "aaaaaabb", "-o", "json" },
      { "events", "7f3a12" }, { "events", "7f3", "--follow", "--from", "15" } } do
      local _, near = world:luafabric((table.unpack or unpack)(words))
      local far = remote((table.unpack or unpack)(words))
      assert.same({ 0, "" }, { far.code, far.err })
      if words[1] == "events" then
        assert.equal(near, far.out)
      else
        local a, b = json.decode(near), json.decode(far.out)
        assert.same(a, b)
      end
    end
    local shown = remote("runs")
    assert.matches("7f3a12 +nightly +✗ failed", shown.out)
  end)

  it("follow a run over a server that is killed and comes back, each event once", function()
    local told = story.new({ "a" }, { run_id = "aaaaaabb0000" })
    local run = world:put(told.events)
    local follower = command.start({ "events", "aaaaaa", "--follow" }, { env = environment() })
    local count = #told.events
    local function add(message)
      count = count + 1
      assert(run:append { { type = "warning", at = count, message = message } })
    end
    local function has(message)
      follower:until_true(function() return follower.out:find(message, 1, true) end)
    end
    add "first"
    has "first"
    os.execute("kill -9 " .. server.pid)
    server.close()
    add "second"
    follower:says "trying again"
    server = service_server.start { store = world.path, workflows = "examples/seattle",
      token = TOKEN, port = server.port }
    has "second"
    add "third"
    run:append { { type = "run_ended", at = 99, outcome = "succeeded", counts = {} } }
    follower:finish()
    assert.equal(0, follower.code, follower.err)
    local _, lines = world:luafabric("events", "aaaaaa")
    assert.equal(lines, follower.out)
  end)

  it("cancel a run that another process of that machine runs", function()
    local told = story.new({ "a" }, { run_id = "aaaaaabb0000" })
    told:start("a", "J1")
    local run, first = world:put(told.events), #told.events + 1
    told:pass(5):tell("cancel_requested", nil, { by = "user" }):stop("a", "cancelled")
    told:finish("a", "cancelled"):done("cancelled")
    local canceller = command.start({ "cancel", "aaaaaa" }, { env = environment() })
    local seen
    canceller:until_true(function()
      seen = run:requests()[1]
      return seen ~= nil
    end)
    assert.same({ "cancel", "spec" }, { seen.kind, seen.by })
    local events = {}
    for index = first, #told.events do events[#events + 1] = told.events[index] end
    run:append(events)
    canceller:finish()
    assert.equal(3, canceller.code, canceller.err)
    assert.matches("asked the service to cancel nightly aaaaaa; waiting for its end",
      canceller.err)
    local again = remote("cancel", "aaaaaa")
    assert.same({ 3, "run aaaaaa has ended already\n" }, { again.code, again.err })
  end)

  it("agree on what is refused", function()
    local refused = command.run({ "runs" },
      { env = environment { LUAFABRIC_SERVER_TOKEN = false } })
    assert.equal(5, refused.code)
    assert.matches("^luafabric: the service at http://127%.0%.0%.1:%d+ refused %(HTTP 401%): give "
      .. "a token: Authorization: Bearer TOKEN%. Put a token into the environment variable "
      .. "LUAFABRIC_SERVER_TOKEN, or name another with %-%-server%-token%-env\n$", refused.err)
    refused = command.run({ "show", "7f3" }, { env = environment {
      LUAFABRIC_SERVER_TOKEN = "wrong-token-wrong-token-wrong-token" } })
    assert.equal(5, refused.code)
    assert.is_nil(refused.err:find("wrong-token", 1, true))
    local absent = remote("show", "nosuch")
    assert.equal(2, absent.code)
    assert.matches("^luafabric: the service at %S+ refused %(HTTP 404%): ", absent.err)
    local port = server.port
    server.close()
    server = nil
    local nobody = command.run({ "runs" },
      { env = { LUAFABRIC_SERVER = "http://127.0.0.1:" .. port } })
    assert.equal(2, nobody.code)
    assert.matches("could not be reached: .*; check its URL, the network and the proxy\n$",
      nobody.err)
  end)
end)
