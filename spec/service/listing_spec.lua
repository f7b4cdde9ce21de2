-- The list of runs, a page at a time.

local json = require "luafabric.json"
local orders = require "luafabric.store.orders"
local world_module = require "spec.service.world"

describe("the list of runs", function()
  local world

  before_each(function() world = world_module.new() end)
  after_each(function() world:close() end)

  local function pass(seconds)
    world.host.advance(seconds)
  end

  local function order(workflow)
    pass(1)
    return world:ask("POST", "/workflows/" .. workflow .. "/runs", { body = { key = false,
      inputs = workflow == "nightly" and { day = "2026-11-23T00:00:00Z" } or nil } }).value.id
  end

  local function put(id, more)
    pass(1)
    return world:put(id, more)
  end

  local function ids(target)
    local list = {}
    local value = world:ask("GET", target or "/runs").value
    for index, run in ipairs(value.runs) do list[index] = run.run_id end
    return list, value.next, value.runs
  end

  local function page(target)
    local list, following = ids(target)
    return { list, following }
  end

  it("is empty before the first", function()
    assert.same({ {}, json.null }, page())
  end)

  it("has runs and orders, the latest first", function()
    local a = put "a"
    local b = order "plain"
    put("c"):close()
    local d = order "nightly"
    local refused = order "plain"
    world:run(function() return orders.refuse(world.store, refused, "no such workspace") end)
    a:append { { type = "run_ended", at = 5, outcome = "failed", counts = { failed = 1 } } }
    local list, _, runs = ids()
    assert.same({ refused, d, "c", b, "a" }, list)
    local seen = {}
    for index, run in ipairs(runs) do
      seen[index] = ("%s %s %s"):format(run.state, tostring(run.outcome), tostring(run.problem))
    end
    assert.same({ "ended rejected no such workspace", "queued null null", "running null null",
      "queued null null", "ended failed null" }, seen)
    assert.same({ ok = 0, failed = 1, skipped = 0, open = 0 }, runs[5].steps)
    assert.equal("Every night", runs[2].workflow)
    assert.same({ true, "nobody" }, { runs[3].orphaned, runs[3].owner })
  end)

  it("is parted into pages, each run on one of them", function()
    local all = {}
    for index = 1, 11 do
      table.insert(all, 1, index % 2 == 0 and order "plain" or put("r" .. index) and "r" .. index)
    end
    local found, before = {}, nil
    repeat
      local list, following = ids("/runs?limit=3" .. (before and "&before=" .. before or ""))
      for _, id in ipairs(list) do found[#found + 1] = id end
      before = following ~= json.null and following or nil
      assert.is_true(#list == 3 or not before)
    until not before
    assert.same(all, found)
  end)

  it("parts those of the same moment, too, and those that begin meanwhile stay away", function()
    for _, id in ipairs { "e", "c", "a", "d", "b" } do world:put(id) end
    assert.same({ { "a", "b" }, "b" }, page "/runs?limit=2")
    put "late"
    assert.same({ { "c", "d" }, "d" }, page "/runs?limit=2&before=b")
    assert.same({ { "e" }, json.null }, page "/runs?limit=2&before=d")
  end)

  it("is of one workflow, by the name of its file or its own", function()
    local a = order "nightly"
    order "plain"
    world:put(a, { workflow = "Every night" })
    local b = order "nightly"
    put("c", { workflow = "Every night" })
    assert.same({ b, a }, (ids "/runs?workflow=nightly"))
    assert.same({ "c", b, a }, (ids "/runs?workflow=Every+night"))
    assert.same({}, (ids "/runs?workflow=other"))
  end)

  it("is of one state", function()
    put("a"):append { { type = "run_ended", at = 5, outcome = "failed" } }
    put("b"):append { { type = "detached", at = 5 } }
    put "c"
    local d, e = order "plain", order "plain"
    world:ask("POST", "/runs/" .. e .. "/cancel")
    assert.same({ { e, "a" }, { "b" }, { "c" }, { d } }, { (ids "/runs?state=ended"),
      (ids "/runs?state=detached"), (ids "/runs?state=running"), (ids "/runs?state=queued") })
  end)

  it("is found by indexes, however many runs there are", function()
    local pages = require "luafabric.store.pages"
    local cases = { {}, { before = "x" }, { state = "running" }, { state = "queued", before = "x" },
      { workflow = "plain" } }
    for _, query in ipairs(cases) do
      local sql = pages.question(query):gsub("%?5", "10"):gsub("%?[13]", "5"):gsub("%?%d", "'x'")
      for _, row in ipairs(assert(world.store:rows("explain query plan " .. sql))) do
        assert.is_nil(row.detail:find("^SCAN runs$") or row.detail:find("^SCAN orders$"), sql)
      end
    end
  end)

  it("has a run whose id others begin with", function()
    world.store.db:exec [[insert into orders (run_id, kind, workflow, by, at, state)
      values ('ab12', 'workflow', 'plain', 'x', 1, 'queued'), ('ab34', 'workflow', 'plain', 'x', 1,
      'queued')]]
    put "ab"
    assert.same({ "ab", "ab12", "ab34" }, (ids()))
    assert.equal("ab", world:ask("GET", "/runs/ab").value.run_id)
    assert.equal(400, world:ask("GET", "/runs/a").status)
    assert.equal("ab34", world:ask("GET", "/runs/ab3").value.run_id)
  end)

  it("shows the others when the events of one make no sense", function()
    put("a", nil):append { { type = "run_ended", at = 5, outcome = "failed", counts = {} } }
    put("b"):append { { type = "step_ended", at = 5, path = "nowhere", outcome = "failed" } }
    local _, _, runs = ids()
    assert.same({ "b", json.null, "a" }, { runs[1].run_id, runs[1].steps, runs[2].run_id })
    assert.matches("event 1 of run b", world.log[1], 1, true)
  end)
end)
