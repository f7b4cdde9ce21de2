-- Ordering the repair of a run: what can be known to be wrong with it is told before it is ordered.

local core = require "luafabric.core"
local json = require "luafabric.json"
local orders = require "luafabric.store.orders"
local world_module = require "spec.service.world"

local WORKFLOW = [[
local fabric = require "luafabric"
return fabric.workflow("Every night", function(flow)
  flow:defaults { workspace = "Sales" }
  local day = flow:input("day", { type = "DateTime" })
  local first = flow:notebook("first", { notebook = "Ingest", parameters = { day = day } })
  flow:notebook("second", { notebook = "Report", after = first })
  flow:finally("last", { notebook = "Report" })
end)
]]

describe("a repair", function()
  local world

  -- A run that has ended, as a worker writes it.
  local function put(id, outcome, more)
    local fields = { workflow = "Every night", file = "/elsewhere/nightly.lua" }
    for name, value in pairs(more or {}) do fields[name] = value or nil end
    local function step(path, kind)
      return { path = path, kind = kind or "notebook", after = {}, workspace = "Sales",
        notebook = "Report", is_finally = path == "last" or nil }
    end
    local function ended(path, how)
      return { type = "step_ended", at = 9, path = path, outcome = how }
    end
    local events = { { type = "run_started", at = 5, run_id = id, workflow = fields.workflow,
      inputs = { { name = "day", type = "DateTime", value = "2026-11-23T00:00:00Z" } },
      steps = { step "first", step "second", step "last" } } }
    for _, event in ipairs { ended("first", "succeeded"),
      ended("second", outcome == "succeeded" and outcome or "skipped"),
      ended("last", "succeeded"), { type = "run_ended", at = 9, outcome = outcome } } do
      events[#events + 1] = event
    end
    world:put(id, fields, events):close()
  end

  local function repair(id, body, headers)
    return world:ask("POST", "/runs/" .. id .. "/repair", { body = body, headers = headers })
  end

  before_each(function()
    world = world_module.new()
    world:write("nightly.lua", WORKFLOW)
    put("abc123", "failed", { key = "k" })
  end)
  after_each(function() world:close() end)

  it("is an order, of the file in the folder that has the run's workflow", function()
    local response = repair("abc", { only = { "second" }, again = true })
    assert.same({ 202, "repair", "Every night" }, { response.status, response.value.kind,
      response.value.workflow })
    local order = orders.find(world.store, response.value.id)
    assert.same({ "repair", "nightly", "k", "abc123", { "second" }, true }, { order.kind,
      order.workflow, order.key, order.options.parent, order.options.only, order.options.again })
    local shown = world:ask("GET", "/runs/" .. response.value.id).value
    assert.same({ "queued", "abc123" }, { shown.state, shown.parent })
  end)

  it("has a key of its own where it has inputs of its own", function()
    local response = repair("abc123", { inputs = { day = "2026-11-24T00:00:00Z" } })
    assert.equal(202, response.status)
    assert.matches("^Every night %x+$", orders.find(world.store, response.value.id).key)
    assert.equal(422, repair("abc123", { inputs = { day = "someday" } }).status)
  end)

  it("is one at a time, also of a run without a key", function()
    put("keyless", "failed")
    for _, id in ipairs { "abc123", "keyless" } do
      local first = repair(id)
      assert.equal(202, first.status)
      local second = repair(id)
      assert.same({ 409, "urn:luafabric:problem:being-repaired", first.value.id },
        { second.status, second.value.type, second.value.run_id })
      assert.same({ 200, first.value.id }, { repair(id, { on_duplicate = "join" }).status,
        repair(id, { on_duplicate = "join" }).value.id })
      world:ask("POST", "/runs/" .. first.value.id .. "/cancel")
      assert.equal(202, repair(id).status)
    end
  end)

  it("is one, too, of two that come at once", function()
    put("keyless", "failed")
    local function order(id)
      return world:run(function()
        return orders.place(world.store, { run_id = id, kind = "repair", workflow = "nightly",
          options = { parent = "keyless" } })
      end)
    end
    assert.is_truthy(order "a")
    assert.is_nil((order "b"))
    local ok = world.store.db:exec [[insert into orders (run_id, kind, workflow, by, at, parent,
      state) values ('c', 'repair', 'nightly', 'x', 1, 'keyless', 'queued')]]
    assert.is_nil(ok)
  end)

  it("is the same for the same Idempotency-Key", function()
    local first = repair("abc123", nil, { ["idempotency-key"] = "1" })
    local again = repair("abc", nil, { ["idempotency-key"] = "1" })
    assert.same({ 202, 200, first.value.id }, { first.status, again.status, again.value.id })
    put("other", "failed")
    assert.equal(422, repair("other", nil, { ["idempotency-key"] = "1" }).status)
  end)

  it("needs something to repair", function()
    put("whole", "succeeded")
    local response = repair "whole"
    assert.same({ 409, "urn:luafabric:problem:nothing-to-repair", "whole" }, { response.status,
      response.value.type, response.value.run_id })
    assert.equal(202, repair("whole", { only = { "first" } }).status)
    world:put "going"
    assert.equal("urn:luafabric:problem:run-not-ended", repair("going").value.type)
    local queued = world:ask("POST", "/workflows/plain/runs").value.id
    assert.equal("urn:luafabric:problem:run-not-ended", repair(queued).value.type)
    world:ask("POST", "/runs/" .. queued .. "/cancel")
    assert.equal("urn:luafabric:problem:nothing-to-repair", repair(queued).value.type)
  end)

  it("needs steps that are there", function()
    for only, words in pairs { scond = "has no step 'scond'; did you mean 'second'?",
      last = "'last' is a finally step, which runs in every repair" } do
      local response = repair("abc123", { only = { only } })
      assert.equal(422, response.status)
      assert.matches(words, response.value.detail, 1, true)
      assert.is_nil(response.body:find("%-%-only"), response.body)
    end
    assert.equal(0, world:ordered())
  end)

  it("needs the run's workflow in the folder", function()
    world:write("nightly.lua", world_module.plain)
    local response = repair "abc123"
    assert.same({ 404, "urn:luafabric:problem:unknown-workflow" }, { response.status,
      response.value.type })
    assert.is_nil(response.body:find("elsewhere", 1, true))
    world:write("renamed.lua", WORKFLOW)
    put("xyz", "failed", { file = "/elsewhere/renamed.lua" })
    assert.equal(202, repair("xyz").status)
  end)

  it("is of a notebook's run, too", function()
    local id = world:ask("POST", "/notebooks/Sales/Ingest/runs",
      { body = { parameters = { day = "x" } } }).value.id
    world:run(function() return orders.claim(world.store, id) end)
    local run = world:put(id, { workflow = "Sales/Ingest" }, { { type = "run_started", at = 5,
      run_id = id, workflow = "Sales/Ingest", inputs = {}, steps = { { path = "run",
      kind = "notebook", after = {} } } }, { type = "step_ended", at = 6, path = "run",
      outcome = "failed" }, { type = "run_ended", at = 6, outcome = "failed" } })
    run:close()
    local response = repair(id)
    assert.same({ 202, "Sales/Ingest" }, { response.status, response.value.workflow })
    assert.same({ workspace = "Sales", notebook = "Ingest", parameters = { day = "x" } },
      orders.find(world.store, response.value.id).options.notebook)
  end)

  it("tells nothing of commands of the machine", function()
    put("parent", "failed")
    world:put(core.random_hex(6), { workflow = "Every night", parent = "parent" })
    local response = repair "parent"
    assert.equal("urn:luafabric:problem:being-repaired", response.value.type)
    assert.is_nil(response.body:find("luafabric run", 1, true))
    assert.is_nil(json.encode(response.value):find("luafabric repair", 1, true))
  end)
end)
