-- Ordering runs: what is on the disk when it is answered, and what a repeated order is.

local json = require "luafabric.json"
local orders = require "luafabric.store.orders"
local world_module = require "spec.service.world"

local DAY = "2026-11-23T00:00:00Z"
local NIGHTLY = "/workflows/nightly/runs"

describe("ordering", function()
  local world

  before_each(function() world = world_module.new() end)
  after_each(function() world:close() end)

  local function post(target, body, headers)
    return world:ask("POST", target, { body = body, headers = headers })
  end

  local function nightly(more, headers)
    local body = { inputs = { day = DAY } }
    for name, value in pairs(more or {}) do body[name] = value end
    return post(NIGHTLY, body, headers)
  end

  local function order_of(response)
    return assert(orders.find(world.store, response.value.id))
  end

  describe("a workflow", function()
    it("is a run that is durable, and where to look at it", function()
      local response = nightly { submission = "at_most_once", exclusive = true, timeout = "2h",
        max_concurrency = 3 }
      assert.equal(202, response.status)
      local id = response.value.id
      assert.matches("^%x%x%x%x%x%x%x%x%x%x%x%x$", id)
      assert.equal("/runs/" .. id, response.headers.Location)
      assert.same({ id = id, run_id = id, workflow = "Every night", kind = "workflow",
        state = "queued", outcome = json.null, problem = json.null, created = true },
        response.value)
      local order = order_of(response)
      assert.same({ "workflow", "nightly", "queued", "tester" },
        { order.kind, order.workflow, order.state, order.by })
      assert.same({ day = DAY }, order.inputs)
      assert.same({ title = "Every night", submission = "at_most_once", exclusive = true,
        timeout = "2h", max_concurrency = 3 }, order.options)
      local shown = world:ask("GET", response.headers.Location).value
      assert.same({ "queued", json.null, "Every night", "queued", "tester" }, { shown.state,
        shown.outcome, shown.workflow, shown.order.state, shown.order.by })
    end)

    it("needs no body where it needs no input", function()
      assert.equal(202, post("/workflows/plain/runs").status)
    end)

    it("keeps the moment that a deadline meant when it was asked for", function()
      local response = nightly({ deadline = "06:00Z" }, { ["idempotency-key"] = "d" })
      assert.equal("2026-01-01T06:00:00Z", order_of(response).options.deadline)
      world.host.advance(7 * 3600) -- the next 06:00 is another one, and the request is the same
      local again = nightly({ deadline = "06:00Z" }, { ["idempotency-key"] = "d" })
      assert.same({ 200, response.value.id }, { again.status, again.value.id })
    end)

    it("is not ordered when the workflow's own code has a slip, which no input mends", function()
      world:write("slip.lua", [[
local fabric = require "luafabric"
return fabric.workflow("slip", function(flow)
  local day = flow:input("day", { default = "x" })
  if day == "y" then local nothing; nothing.field = 1 end
  flow:notebook("Report", { workspace = "Sales" })
end)]])
      local response = post("/workflows/slip/runs", { inputs = { day = "y" } })
      assert.same({ 500, "urn:luafabric:problem:broken-workflow" }, { response.status,
        response.value.type })
      assert.matches("slip.lua:4: ", response.value.detail, 1, true)
      assert.is_nil(response.body:find(world.folder, 1, true))
      assert.equal(1, #world.log)
      assert.equal(0, world:ordered())
    end)

    it("has the key that it would have on a command line of this machine", function()
      local definition = world.service:workflow "nightly"
      local plan = assert(definition:plan { inputs = { day = DAY,
        api_key = require("luafabric.workflow.secret").new "hunter2-of-the-night" } })
      local key = require("luafabric.workflow.run_key").of(plan, world.store:fingerprint_key())
      assert.equal(key, order_of(nightly()).key)
      assert.equal("mine", order_of(nightly { key = "mine" }).key)
      assert.is_nil(order_of(nightly { key = false }).key)
    end)

    it("takes its secrets from the configuration alone, and writes none down", function()
      local id = nightly().value.id
      local text = world:ask("GET", "/runs/" .. id).body
      assert.is_nil(text:find("hunter2", 1, true))
      world.store:close()
      local file = assert(io.open(world.path, "rb"))
      assert.is_nil(file:read("*a"):find("hunter2", 1, true))
      file:close()
    end)

    it("is not ordered when a secret that it needs is not configured", function()
      world:write("nightly.lua", (world_module.nightly:gsub('default = ""', "")))
      assert.equal(202, nightly().status)
      world.service.options.secrets = {}
      local response = nightly { key = "other" }
      assert.same({ 500, "urn:luafabric:problem:secret-not-configured" },
        { response.status, response.value.type })
      assert.is_truthy(response.value.detail:find("api_key", 1, true))
      world.service.options.secrets = { api_key = function() error "vault sealed: hunter3" end }
      response = nightly { key = "other" }
      assert.equal(500, response.status)
      assert.is_nil(response.body:find("hunter3", 1, true))
      assert.equal(1, world:ordered())
    end)

    it("knows a secret that a file declares only for some inputs", function()
      world:write("sly.lua", [[
local fabric = require "luafabric"
return fabric.workflow("sly", function(flow)
  local mode = flow:input("mode", { default = "a" })
  if mode == "b" then flow:input("password", { secret = true, default = "" }) end
  flow:notebook("Report", { workspace = "Sales" })
end)]])
      local response = post("/workflows/sly/runs",
        { inputs = { mode = "b", password = "hunter4-given" } })
      assert.equal(422, response.status)
      assert.is_nil(response.body:find("hunter4", 1, true))
      assert.equal("/inputs/password", response.value.errors[1].pointer)
      assert.equal(0, world:ordered())
    end)

    it("tells all mistakes of the inputs at once, each with its place", function()
      local response = post(NIGHTLY, { inputs = { count = "x", api_key = "hunter5-given" } })
      local places = {}
      for index, mistake in ipairs(response.value.errors) do places[index] = mistake.pointer end
      assert.same({ "/inputs/api_key", "/inputs/count", "/inputs/day" }, places)
      assert.is_nil(response.body:find("hunter5", 1, true))
    end)

    it("tells what the workflow's own function says of the inputs", function()
      world:write("strict.lua", [[
local fabric = require "luafabric"
return fabric.workflow("strict", function(flow)
  local day = flow:input("day")
  if day ~= "Monday" then error("only Mondays, not " .. day) end
  flow:notebook("Report", { workspace = "Sales" })
end)]])
      local response = post("/workflows/strict/runs", { inputs = { day = "Sunday" } })
      assert.same({ 422, "/inputs" }, { response.status, response.value.errors[1].pointer })
      assert.is_truthy(response.value.detail:find("only Mondays, not Sunday", 1, true),
        response.value.detail)
      assert.is_truthy(response.value.detail:find("strict.lua:4: ", 1, true))
      assert.equal(202, post("/workflows/strict/runs", { inputs = { day = "Monday" } }).status)
    end)
  end)

  describe("the same again", function()
    it("is refused while the first has not ended, and named", function()
      local first = nightly().value.id
      local response = nightly()
      assert.same({ 409, first }, { response.status, response.value.run_id })
      assert.equal(202, post(NIGHTLY, { inputs = { day = "2026-11-24T00:00:00Z" } }).status)
      world:ask("POST", "/runs/" .. first .. "/cancel")
      assert.equal(202, nightly().status)
    end)

    it("is refused, too, while a run of a command line has the key", function()
      local definition = world.service:workflow "plain"
      local key = require("luafabric.workflow.run_key").of(assert(definition:plan {}),
        world.store:fingerprint_key())
      world:put("ab12", { key = key, workflow = "plain" })
      assert.same({ 409, "ab12" }, { post("/workflows/plain/runs").status,
        post("/workflows/plain/runs").value.run_id })
      local joined = post("/workflows/plain/runs?on_duplicate=join")
      assert.same({ 200, "ab12", "running", json.null }, { joined.status, joined.value.id,
        joined.value.state, joined.value.kind })
    end)

    it("joins it where that is wanted", function()
      local first = nightly().value.id
      for _, response in ipairs { nightly { on_duplicate = "join" },
        post(NIGHTLY .. "?on_duplicate=join", { inputs = { day = DAY } }) } do
        assert.same({ 200, first, false }, { response.status, response.value.id,
          response.value.created })
      end
      assert.equal(1, world:ordered())
    end)
  end)

  it("joins nothing of another workflow, whatever its key", function()
    local first = nightly({ key = "mine" }).value.id
    local response = post("/workflows/plain/runs", { key = "mine", on_duplicate = "join" })
    assert.same({ 409, first }, { response.status, response.value.run_id })
    assert.matches("of the workflow Every night has the same key", response.value.detail, 1, true)
    response = post("/notebooks/plain/x/runs", { key = "mine", on_duplicate = "join" })
    assert.equal(409, response.status)
    world:put("cd", { key = "other", workflow = "somebody's" })
    assert.equal(409, post("/workflows/plain/runs", { key = "other",
      on_duplicate = "join" }).status)
  end)

  describe("with an Idempotency-Key", function()
    local headers = { ["idempotency-key"] = "4711" }

    it("is one run, however often it is sent", function()
      local first = nightly({}, headers)
      assert.equal(202, first.status)
      for _, key in ipairs { "4711", '"4711"', " 4711 " } do
        local again = nightly({}, { ["idempotency-key"] = key })
        assert.same({ 200, first.value.id, false }, { again.status, again.value.id,
          again.value.created })
      end
      assert.equal(1, world:ordered())
    end)

    it("is the same when its names come in another order", function()
      local first = world:ask("POST", NIGHTLY, { headers = headers,
        body = '{"key":"k","inputs":{"day":"' .. DAY .. '","count":4}}' })
      local again = world:ask("POST", NIGHTLY, { headers = headers,
        body = '{ "inputs": {"count":4, "day":"' .. DAY .. '"}, "key":"k" }' })
      assert.same({ 202, 200, first.value.id }, { first.status, again.status, again.value.id })
    end)

    it("stays the same after the run has ended, and the file is gone or broken", function()
      local first = nightly({}, headers).value.id
      world:ask("POST", "/runs/" .. first .. "/cancel")
      world:write("nightly.lua", "return 5")
      local again = nightly({}, headers)
      assert.same({ 200, first, "ended", "cancelled" }, { again.status, again.value.id,
        again.value.state, again.value.outcome })
    end)

    it("stays the answer of the run that it joined, also when that has ended", function()
      local first = nightly().value.id
      assert.same({ 200, first }, { nightly({ on_duplicate = "join" }, headers).status,
        nightly({ on_duplicate = "join" }, headers).value.id })
      world:ask("POST", "/runs/" .. first .. "/cancel")
      local again = nightly({ on_duplicate = "join" }, headers)
      assert.same({ 200, first, "ended" }, { again.status, again.value.id, again.value.state })
      assert.equal(1, world:ordered())
      assert.equal(422, nightly({ key = "x" }, headers).status)
    end)

    it("is no other request's", function()
      local first = nightly({}, headers).value.id
      local other = post(NIGHTLY, { inputs = { day = "2026-11-24T00:00:00Z" } }, headers)
      assert.same({ 422, "urn:luafabric:problem:idempotency-key-reused", first },
        { other.status, other.value.type, other.value.run_id })
      assert.equal(202, post("/workflows/plain/runs", nil, headers).status)
    end)

    it("starts one run of two requests that come at once", function()
      local tasks = require "luafabric.tasks"
      local found = {}
      world:run(function()
        local _, loop = tasks.current()
        local list = {}
        for index = 1, 5 do
          list[index] = loop:spawn(function()
            return world.service:handle { method = "POST", target = NIGHTLY,
              headers = { authorization = "Bearer " .. world_module.TOKEN,
                ["content-type"] = "application/json", ["idempotency-key"] = "once" },
              body = '{"inputs":{"day":"' .. DAY .. '"}}' }
          end)
        end
        for index, task in ipairs(list) do
          local _, response = task:join()
          found[index] = { response.status, json.decode(response.body).id }
        end
      end)
      local new = 0
      for _, one in ipairs(found) do
        assert.equal(found[1][2], one[2])
        if one[1] == 202 then new = new + 1 end
      end
      assert.same({ 1, 1 }, { new, world:ordered() })
    end)
  end)

  describe("a notebook", function()
    local TARGET = "/notebooks/My%20Sales/Ingest%20orders/runs"

    it("is an order of its own, with names as they are", function()
      local response = post(TARGET, { parameters = { day = "x", n = { type = "Integer",
        value = 5 } }, compute = { compute = "Spark", computeConfiguration = {
        driverCores = 8 } }, timeout = "1h" })
      assert.same({ 202, "notebook", "My Sales/Ingest orders" }, { response.status,
        response.value.kind, response.value.workflow })
      local order = order_of(response)
      assert.same({ workspace = "My Sales", notebook = "Ingest orders", parameters = { day = "x",
        n = { type = "Integer", value = 5 } }, compute = { compute = "Spark",
        computeConfiguration = { driverCores = 8 } }, timeout = "1h" }, order.inputs)
      assert.equal(409, post(TARGET, order.inputs and { parameters = order.inputs.parameters,
        compute = order.inputs.compute, timeout = "1h" }).status)
      assert.equal("queued", world:ask("GET", "/runs/" .. response.value.id).value.state)
    end)

    it("needs no body", function()
      assert.equal(202, post(TARGET).status)
    end)
  end)

  it("an event from elsewhere is an order, too", function()
    local function order(given)
      return world:run(function() return world.service:order(given) end)
    end
    local first = order { workflow = "nightly", inputs = { day = DAY }, key = "event 5",
      by = "orders" }
    assert.equal(202, first.status)
    local row = assert(orders.find(world.store, json.decode(first.body).id))
    assert.same({ "event 5", "orders" }, { row.key, row.by })
    for status, given in pairs {
      [409] = { workflow = "nightly", inputs = { day = DAY }, key = "event 5" },
      [200] = { workflow = "nightly", inputs = { day = DAY }, key = "event 5",
        on_duplicate = "join" },
      [422] = { workflow = "nightly", inputs = { day = 5 } },
      [404] = { workflow = "../nightly" },
    } do
      assert.equal(status, order(given).status)
    end
  end)
end)
