-- The service in a real nginx of two workers: the whole way of a run, and what it lives through.

local curl = require "luafabric.curl"
local world_module = require "spec.nginx.world"

describe("the service in nginx #process", function()
  local world, reason

  setup(function()
    reason = world_module.missing()
    if not reason then
      world = world_module.start { replace = { { "client = function()", [[
      client = function()
        local file = io.open(home .. "credential")
        if not file then error("its credential is not there", 0) end
        file:close() ]] }, { "credential = fabric", -- settings of its own
        'ca_file = "/etc/ssl/certs/ca-certificates.crt", credential = fabric' },
        { "# An event from elsewhere", [[
    location = /hooks/shop {
      content_by_lua_block {
        service:trigger("shop", {
          workflow = "two",
          inputs = function(event)
            return event.body.wanted ~= false and { label = event.body.label }
          end,
          key = function(event) return event.body.number or event.headers["webhook-id"] end,
          verify = function(event)
            return event.headers["x-from"] == "shop", "not from the shop"
          end,
        })
      }
    }
    # An event from elsewhere]] } } }
    end
  end)

  teardown(function() if world then world:close() end end)

  before_each(function()
    if reason then pending("not tried: " .. reason) end
  end)

  it("keeps its orders until the client for Fabric can be made", function()
    local id = world:order("two", { label = "early" })
    world:until_answer("/healthz", function()
      return world:log():find("no order is carried out", 1, true)
    end)
    assert.matches("gives none: its credential is not there", world:log())
    local run = world:ask("GET", "/runs/" .. id).fields
    assert.same({ "queued", require("luafabric.json").null }, { run.state, run.problem })
    world:write("credential", "")
    assert.equal("succeeded", world:ended(id).outcome)
  end)

  it("takes an order, tells of it while it runs, and of its end", function()
    local before = world:started()
    local answer = world:ask("POST", "/workflows/two/runs", { inputs = { label = "whole way" } })
    assert.equal(202, answer.status)
    local id = answer.fields.id
    assert.equal("/runs/" .. id, answer.headers.location)
    local events = world:ask("GET", ("/runs/%s/events"):format(id))
    assert.equal("text/event-stream", events.headers["content-type"])
    assert.matches("^retry: 1000\n\nid: 1\ndata: {\"type\":\"run_started\"", events.body)
    assert.matches("event: end\nid: %d+\ndata: {[^\n]*\"outcome\":\"succeeded\"}\n\n$", events.body)
    assert.equal("succeeded", world:ended(id).outcome)
    assert.equal(2, world:started() - before)
    -- A client that heard the half of it gets the rest, and one that heard all of it nothing.
    local rest = world:ask("GET", ("/runs/%s/events"):format(id), nil, { ["Last-Event-ID"] = "3" })
    assert.matches("^retry: 1000\n\nid: 4\n", rest.body)
    local last = events.body:match "event: end\nid: (%d+)"
    assert.equal(204, world:ask("GET", ("/runs/%s/events"):format(id), nil,
      { ["Last-Event-ID"] = last }).status)
  end)

  it("lets nobody in without a token", function()
    for _, path in ipairs { "/runs", "/workflows", "/metrics" } do
      assert.equal(401, world:ask("GET", path, nil, { Authorization = false }).status, path)
    end
    assert.equal(200, world:ask("GET", "/healthz", nil, { Authorization = false }).status)
  end)

  it("knows an order again by its Idempotency-Key, whichever worker has it", function()
    local before, ids = world:started(), {}
    for _ = 1, 8 do
      local transport = curl.transport() -- a connection of its own: nginx spreads them
      local kept = world.transport
      world.transport = transport
      local answer = world:ask("POST", "/workflows/two/runs", { inputs = { label = "again" } },
        { ["Idempotency-Key"] = "once" })
      world.transport = kept
      transport:close()
      assert.is_true(answer.status == 202 or answer.status == 200, answer.body)
      ids[answer.fields.id] = true
    end
    local id = next(ids)
    assert.is_nil(next(ids, id))
    assert.equal("succeeded", world:ended(id).outcome)
    assert.equal(2, world:started() - before)
    assert.equal(422, world:ask("POST", "/workflows/two/runs", { inputs = { label = "other" } },
      { ["Idempotency-Key"] = "once" }).status)
  end)

  it("cancels a run", function()
    local id = world:order("two", { seconds = 600 })
    world:until_answer("/runs/" .. id, function(fields)
      return fields.steps and fields.steps[1] and type(fields.steps[1].job_id) == "string"
    end)
    assert.equal(202, world:ask("POST", ("/runs/%s/cancel"):format(id), {}).status)
    assert.equal("cancelled", world:ended(id).outcome)
  end)

  it("lets go of a stream whose client has gone", function()
    local id = world:order("two", { seconds = 600, label = "gone" })
    world:until_answer("/runs/" .. id, function(fields) return fields.state == "running" end)
    local transport = curl.transport()
    transport:start { method = "GET", url = ("%s/runs/%s/events"):format(world.url, id),
      headers = { Authorization = "Bearer " .. world_module.TOKEN } }
    transport:wait(0.3)
    transport:close()
    -- A request is logged when nginx is through with it.
    local line, is_over = ("grep 'GET /runs/%s/events ' %s/logs/access.log"):format(id, world.dir)
    for _ = 1, 200 do
      is_over = require("spec.support.shell").run(line) == 0
      if is_over then break end
      world.transport:wait(0.05)
    end
    assert.is_true(is_over)
    assert.equal(202, world:ask("POST", ("/runs/%s/cancel"):format(id), {}).status)
    assert.equal("cancelled", world:ended(id).outcome)
  end)

  it("repairs a run: what had succeeded is not run again", function()
    local id = world:order("flaky")
    assert.equal("failed", world:ended(id).outcome)
    local before = world:started()
    local answer = world:ask("POST", ("/runs/%s/repair"):format(id), {})
    assert.equal(202, answer.status)
    assert.equal("succeeded", world:ended(answer.fields.id).outcome)
    assert.equal(1, world:started() - before)
  end)

  it("refuses a body that is too long, however it is sent, and broken JSON", function()
    local function post(body, headers)
      return world:ask("POST", "/workflows/two/runs", body, headers)
    end
    local long = ('{"inputs":{"label":"%s"}}'):format(("x"):rep(1100000))
    local answer = post(long)
    assert.equal(413, answer.status)
    assert.equal("urn:luafabric:problem:body-too-large", answer.fields.type)
    local at_hook = world:ask("POST", "/hooks/shop", long, { Authorization = false })
    assert.same({ 413, answer.body }, { at_hook.status, at_hook.body })
    assert.equal(400, post("{").status)
    -- What nginx keeps in a file is read there.
    answer = post(('{"inputs":{"label":"%s","none":1}}'):format(("x"):rep(100000)))
    assert.equal(422, answer.status)
    assert.matches("none", answer.body)
  end)

  it("makes a run of an event, once for a delivery", function()
    local before, ids = world:started(), {}
    local function deliver(fields, headers)
      return world:ask("POST", "/hooks/shop", fields, headers)
    end
    assert.equal(403, deliver({ label = "e" }, { Authorization = false }).status)
    for attempt = 1, 2 do
      local answer = deliver({ label = "e" }, { ["X-From"] = "shop", ["Webhook-Id"] = "d-1" })
      assert.equal(attempt == 1 and 202 or 200, answer.status, answer.body)
      ids[answer.fields.id] = true
    end
    local id = next(ids)
    assert.is_nil(next(ids, id))
    assert.equal("succeeded", world:ended(id).outcome)
    assert.equal(2, world:started() - before)
    assert.equal(405, world:ask("GET", "/hooks/shop", nil, { ["X-From"] = "shop" }).status)
    assert.equal(204, deliver({ wanted = false }, { ["X-From"] = "shop" }).status)
    local broken = deliver("5", { ["X-From"] = "shop" })
    assert.equal(500, broken.status)
    assert.is_nil(broken.body:find("nginx.conf", 1, true))
    assert.matches("the function given as inputs raised", world:log())
  end)

  it("takes any text and whole number as the key of an event, and nothing else", function()
    local function deliver(number)
      local answer = world:ask("POST", "/hooks/shop", { label = "key", number = number },
        { ["X-From"] = "shop" })
      return answer.status, answer.fields.run_id or answer.fields.detail
    end
    local ids = {}
    for index, key in ipairs { 4711, "order 7, paid", "Bestellung fünf", ("x"):rep(300) } do
      local status, run_id = deliver(key)
      assert.same({ 202, 200, run_id }, { status, deliver(key) })
      ids[index] = run_id
    end
    assert.same({ deliver(4711) }, { deliver "4711" })
    for wrong, what in pairs { [5.5] = "a number that is not whole, or beyond 2^53",
        [true] = "a boolean", [""] = "an empty text" } do
      local mistake = "the function given as key gives " .. what
      assert.same({ 500, mistake .. "; the service's log says what is expected" },
        { deliver(wrong) })
      assert.matches(mistake .. ": expected a text, a whole number or nil", world:log())
    end
    for _, id in ipairs(ids) do assert.equal("succeeded", world:ended(id).outcome) end
  end)

  local function workers_are(count)
    for _ = 1, 400 do
      if #world:workers() == count then return true end
      world.transport:wait(0.05)
    end
  end

  it("goes on with its runs after a reload, and old workers leave", function()
    local before, old = world:started(), world:workers()
    local id = world:order("two", { seconds = 1.5, label = "reload" })
    world:until_answer("/runs/" .. id, function(fields) return fields.state == "running" end)
    world:signal "HUP"
    assert.equal("succeeded", world:ended(id).outcome)
    assert.equal(2, world:started() - before)
    assert.is_true(workers_are(2))
    for _, pid in ipairs(world:workers()) do
      assert.is_true(pid ~= old[1] and pid ~= old[2])
    end
  end)

  it("ends its streams at a reload; a client takes them up by Last-Event-ID", function()
    local id = world:order("two", { seconds = 2, label = "stream" })
    local transport = curl.transport()
    transport:start { method = "GET", url = ("%s/runs/%s/events"):format(world.url, id),
      headers = { Authorization = "Bearer " .. world_module.TOKEN }, timeout = 30 }
    world:until_answer("/runs/" .. id, function(fields) return fields.state == "running" end)
    transport:wait(0.2)
    world:signal "HUP"
    local events = transport:wait(30)[1]
    transport:close()
    assert.is_nil(events.failure)
    assert.is_nil(events.body:find("event: end", 1, true))
    local last = events.body:match ".*\nid: (%d+)\n" or "0"
    world:ended(id)
    local rest = world:ask("GET", ("/runs/%s/events"):format(id), nil, { ["Last-Event-ID"] = last })
    assert.matches(("^retry: 1000\n\nid: %d\n"):format(last + 1), rest.body)
    assert.matches("event: end\n", rest.body)
  end)

  it("loses nothing when the worker that runs the engine is killed", function()
    local before, ids = world:started(), {}
    for index = 1, 5 do ids[index] = world:order("two", { seconds = 1, label = "k" .. index }) end
    world:until_answer("/runs/" .. ids[5], function(fields) return fields.state == "running" end)
    local pid = assert(world:engine_worker())
    os.execute("kill -9 " .. pid)
    for _, id in ipairs(ids) do assert.equal("succeeded", world:ended(id).outcome) end
    assert.equal(10, world:started() - before)
    assert.is_true(world:engine_worker() ~= pid)
  end)

  it("takes up its runs when nginx was killed and is started again", function()
    local before = world:started()
    local id = world:order("two", { seconds = 1, label = "master" })
    world:until_answer("/runs/" .. id, function(fields) return fields.state == "running" end)
    local pids = world:workers()
    world.child:kill "KILL"
    for _, pid in ipairs(pids) do os.execute("kill -9 " .. pid) end
    world.child:close()
    world:start_nginx()
    assert.equal("succeeded", world:ended(id).outcome)
    assert.equal(2, world:started() - before)
  end)

  it("drains at SIGQUIT: its runs are handed over to whoever starts next", function()
    local before = world:started()
    local id = world:order("two", { seconds = 1, label = "quit" })
    world:until_answer("/runs/" .. id, function(fields) return fields.state == "running" end)
    world:signal "QUIT"
    assert.same({ code = 0 }, world.child:wait(30))
    world.child:close()
    world:start_nginx()
    assert.equal("succeeded", world:ended(id).outcome)
    assert.equal(2, world:started() - before)
    assert.is_nil(world:log():find(" signal 11", 1, true))
  end)
end)
