-- A run as it is shown: the document of the command, and what was ordered.

local json = require "luafabric.json"
local orders = require "luafabric.store.orders"
local stored_run = require "luafabric.view.stored_run"
local story = require "spec.cli.workflow_story"
local world_module = require "spec.service.world"

describe("a run", function()
  local world

  before_each(function() world = world_module.new() end)
  after_each(function() world:close() end)

  local function put_story()
    local events = {}
    for _, list in ipairs { story.events, story.ending } do
      for _, event in ipairs(list) do events[#events + 1] = event end
    end
    world:put("7f3a12", { file = "nightly.lua" }, events):close()
  end

  local function show(target)
    return world:ask("GET", target).value
  end

  it("is what `luafabric show --output json` prints, and more beside", function()
    put_story()
    local row = assert(world.store:find "7f3a12")
    local printed = json.decode(stored_run.document(row,
      (stored_run.fold(world.store, row))))
    local shown = show "/runs/7f3a12"
    for name, value in pairs(printed) do assert.same(value, shown[name], name) end
    assert.same({ "7f3a12", json.null, json.null }, { shown.short_id, shown.order,
      shown.problem })
    assert.equal("***", shown.inputs[1].value)
  end)

  it("is found by the beginning of its id", function()
    put_story()
    assert.equal("7f3a12", show("/runs/7f").run_id)
    world:put "7f3b"
    assert.equal(400, world:ask("GET", "/runs/7f3").status)
    assert.equal("7f3a12", show("/runs/7f3a").run_id)
    world:put "7f3"
    assert.equal("7f3", show("/runs/7f3").run_id)
  end)

  it("is told without its steps, or with one alone", function()
    put_story()
    local brief = show "/runs/7f3a12?steps=false"
    assert.same({}, brief.steps)
    assert.same({ "ended", "failed", 1, "1970-01-01T00:17:42Z" }, { brief.state, brief.outcome,
      brief.exit_code, brief.ended_at })
    local one = show "/runs/7f3a12?step=clean%5Beu%5D"
    assert.equal(1, #one.steps)
    assert.same({ "clean[eu]", "Clean region" }, { one.steps[1].path, one.requests[1].notebook })
  end)

  it("that was ordered and is left for a moment is running, and nobody's orphan", function()
    local id = world:ask("POST", "/workflows/plain/runs").value.id
    world:run(function() return orders.claim(world.store, id) end)
    assert.same({ "queued", json.null }, { show("/runs/" .. id).state,
      show("/runs/" .. id).owner })
    world:put(id, { workflow = "plain" }):close()
    local shown = show("/runs/" .. id)
    assert.same({ "running", false, "started" }, { shown.state, shown.orphaned,
      shown.order.state })
    world:put("left"):close()
    assert.is_true(show("/runs/left").orphaned)
  end)

  it("that could not be started says why", function()
    local id = world:ask("POST", "/workflows/plain/runs").value.id
    world:run(function() return orders.refuse(world.store, id, "there is no workspace Sales") end)
    local shown = show("/runs/" .. id)
    assert.same({ "ended", "rejected", 1, "there is no workspace Sales", "refused" },
      { shown.state, shown.outcome, shown.exit_code, shown.problem, shown.order.state })
  end)

  it("that waits says why", function()
    local id = world:ask("POST", "/workflows/plain/runs").value.id
    world:run(function()
      orders.claim(world.store, id)
      orders.give_back(world.store, id, "no network")
    end)
    assert.same({ "queued", "no network" }, { show("/runs/" .. id).state,
      show("/runs/" .. id).problem })
  end)

  it("is told to whoever tells of its end, without its steps", function()
    local id = world:ask("POST", "/workflows/plain/runs").value.id
    assert.same({ id, "queued", "plain" }, { world.service:document(id).run_id,
      world.service:document(id).state, world.service:document(id).workflow })
    local none, err = world.service:document "nobody"
    assert.is_nil(none)
    assert.equal("there is no run of that id here", tostring(err))
  end)
end)

describe("the end of a run", function()
  local world

  before_each(function() world = world_module.new() end)
  after_each(function() world:close() end)

  local function cancel(id, body)
    return world:ask("POST", "/runs/" .. id .. "/cancel", { body = body })
  end

  it("comes at once where it has not begun", function()
    local id = world:ask("POST", "/workflows/plain/runs").value.id
    local response = cancel(id)
    assert.same({ 200, "cancelled", "ended" }, { response.status, response.value.became,
      response.value.state })
    assert.equal(409, cancel(id).status)
    assert.equal("cancelled", world:ask("GET", "/runs/" .. id).value.outcome)
  end)

  it("is asked for where it was ordered here", function()
    local id = world:ask("POST", "/workflows/plain/runs").value.id
    world:run(function() return orders.claim(world.store, id) end)
    world:put(id, { workflow = "plain" }):close()
    assert.same({ 202, "asked" }, { cancel(id).status, cancel(id).value.became })
    cancel(id, { now = true })
    assert.same({ { run_id = id, cancel = "cancel_now", cancel_by = "tester" } },
      orders.wishes(world.store))
  end)

  it("is asked for of whoever runs it, where it was started on a command line", function()
    local run = world:put "abc"
    assert.equal(202, cancel("abc").status)
    assert.equal(202, cancel("abc", { now = true }).status)
    local asked = run:requests()
    assert.same({ "cancel", "cancel_now", "tester" }, { asked[1].kind, asked[2].kind,
      asked[1].by })
    assert(run:append { { type = "run_ended", at = 5, outcome = "cancelled" } })
    local response = cancel "abc"
    assert.same({ 409, "abc", "cancelled" }, { response.status, response.value.run_id,
      response.value.outcome })
  end)
end)
