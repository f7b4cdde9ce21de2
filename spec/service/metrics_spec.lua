-- What operators see: whether it works, and the figures.

local lease = require "luafabric.store.lease"
local orders = require "luafabric.store.orders"
local world_module = require "spec.service.world"

describe("the service, watched from outside,", function()
  local world

  before_each(function() world = world_module.new() end)
  after_each(function() world:close() end)

  local function figures()
    local response = world:ask("GET", "/metrics")
    assert.equal("text/plain; version=0.0.4; charset=utf-8", response.headers["Content-Type"])
    local found, declared = {}, {}
    for line in response.body:gmatch("[^\n]+") do
      local family = line:match("^# TYPE (%S+) gauge$")
      if family then declared[family] = true end
      local name, value = line:match("^([^#].*) (%S+)$")
      if name then
        assert.is_true(declared[name:match("^[%l_]+")], line)
        found[name] = tonumber(value)
      end
    end
    return found
  end

  it("says whether a worker carries out orders", function()
    assert.equal("away", world:ask("GET", "/healthz").value.engine.state)
    assert.equal(0, figures().luafabric_engine_present)
    local held = world:run(function() return lease.take(world.store, orders.LEASE) end)
    assert.equal("held", world:ask("GET", "/healthz").value.engine.state)
    assert.equal(1, figures().luafabric_engine_present)
    world:run(function() return held:release() end)
    assert.equal("away", world:ask("GET", "/healthz").value.engine.state)
  end)

  it("counts runs and orders", function()
    for _ = 1, 2 do world:put(world_module.id(), { workflow = "nightly" }) end
    world:put("a", { workflow = 'odd "name"\\\n' }):append { { type = "run_ended", at = 1,
      outcome = "failed" } }
    local first = world:ask("POST", "/workflows/plain/runs", { body = { key = false } }).value.id
    world.host.advance(7.5)
    world:ask("POST", "/workflows/plain/runs", { body = { key = false } })
    world:run(function()
      orders.claim(world.store, first)
      orders.give_back(world.store, first, "no network")
    end)
    world.store.db:exec [[insert into webhooks (id, run_id, at, next_at, state)
      values ('w', 'a', 1, 1, 'waiting')]]
    local found = figures()
    assert.same({ 2, 1, 2, 1, 7.5, 1 }, {
      found['luafabric_runs{workflow="nightly",state="running",outcome=""}'],
      found['luafabric_runs{workflow="odd \\"name\\"\\\\\\n",state="ended",outcome="failed"}'],
      found['luafabric_orders_queued{workflow="plain"}'], found.luafabric_orders_troubled,
      found.luafabric_order_oldest_age_seconds, found['luafabric_webhooks{state="waiting"}'] })
  end)

  it("counts in a few questions, and walks through no run", function()
    local asked = {}
    local store = setmetatable({ rows = function(_, sql, ...)
      asked[#asked + 1] = sql
      return world.store:rows(sql, ...)
    end }, { __index = world.store })
    world.service.options.store = function() return store end
    figures()
    assert.is_true(#asked <= 5)
    for _, sql in ipairs(asked) do
      local plan = world.store:rows("explain query plan " .. sql:gsub("%?%d", "'x'"))
      for _, row in ipairs(plan) do
        assert.is_nil(row.detail:find("SCAN runs$"), sql)
      end
    end
  end)
end)
