-- Two runs of one key, in virtual time: the second is refused, follows the first, or replaces it.

local fabric = require "luafabric"
local owners = require "luafabric.store.owner"
local sqlite_store = require "luafabric.store.sqlite"
local tasks = require "luafabric.tasks"

local definition = fabric.workflow("nightly", function(flow)
  flow:input("day", { default = "1" })
  flow:notebook("N", { workspace = "W" })
  flow:finally("last", { notebook = "L", workspace = "W" })
end)

local lab, store

local function new_world(faults)
  lab = fabric.lab { notebooks = { ["W/N"] = "10m", ["W/L"] = "1m" }, faults = faults }
  store = assert(sqlite_store.open(":memory:", { synchronous = true,
    now = function() return lab:now() end }))
end

local function options_of(given)
  local options = { client = lab.client, store = store }
  for name, value in pairs(given or {}) do options[name] = value end
  return options
end

local function run(given) return definition:run(options_of(given)) end

--- A task that runs it; `result` is { report, err } when it has ended.
local function start(given)
  local _, loop = tasks.current()
  local started = {}
  started.task = loop:spawn(function() started.result = { run(given) } end)
  return started
end

local function in_a_loop(fn)
  local loop = tasks.new(lab.host)
  assert(loop:run(loop:spawn(fn)))
end

--- A run that is on, whose process is gone.
local function leave_one(given)
  local owner = store.owner
  -- A process of this number began at another time.
  store.owner = owners.new():gsub("^(%d+)/%d+", "%1/1")
  local loop = tasks.new(lab.host)
  loop:spawn(function() return run(given) end)
  loop:run(loop:spawn(function() tasks.sleep(120) end))
  lab.host.close() -- requests on their way are dropped, as the kernel would
  store.owner = owner
end

local function rows() return assert(store:runs()) end

describe("a run whose key another has", function()
  before_each(function() new_world() end)
  after_each(function() store:close() end)

  it("is refused, and sends nothing", function()
    in_a_loop(function()
      local first = start()
      tasks.sleep(30)
      local report, err = run()
      assert.is_nil(report)
      assert.are.same({ "duplicate", "usage" }, { err.store_code, err.kind })
      assert.are.equal(rows()[1].run_id, err.run.run_id)
      assert.matches("^run %x+ of workflow nightly has the same key and is run by process %d+$",
        err.message)
      first.task:join()
      assert.is_true(first.result[1]:ok())
    end)
    assert.are.equal(1, lab:started("W/N"))
  end)

  it("is the same only with the same inputs, or where that was said", function()
    in_a_loop(function()
      local tasks_of = { start(), start { inputs = { day = "2" } }, start { key = "mine" },
        start { key = false }, start { key = false } }
      for index, started in ipairs(tasks_of) do
        started.task:join()
        assert.is_true(started.result[1] ~= nil and started.result[1]:ok(), index)
      end
      start { key = "mine", inputs = { day = "3" } }
      tasks.sleep(30)
      local _, err = run { key = "mine", inputs = { day = "4" } }
      assert.are.equal("duplicate", err.store_code)
    end)
  end)

  it("may run when the other has ended", function()
    assert.is_true(run():ok())
    assert.is_true(run():ok())
    assert.are.equal(2, #rows())
  end)

  it("follows the other, event by event, and ends with it", function()
    in_a_loop(function()
      local seen, told, first_seen = {}, {}, {}
      local first = start { on_event = function(event)
        first_seen[#first_seen + 1] = event.type
      end }
      tasks.sleep(30)
      local report = assert(run { on_duplicate = "join",
        on_event = function(event) seen[#seen + 1] = event.type end,
        on_other = function(what, row) told = { what, row.run_id } end })
      first.task:join()
      assert.are.same({ "join", report.run_id }, told)
      assert.are.same(first_seen, seen)
      assert.are.same({ "succeeded", true }, { report.outcome, report.joined })
      assert.are.same(first.result[1].steps, report.steps)
    end)
    assert.are.same({ 1, 1 }, { #rows(), lab:started("W/N") })
  end)

  it("follows until the other is detached, or its process gone", function()
    in_a_loop(function()
      local control
      start { on_start = function(given) control = given end }
      tasks.sleep(30)
      local joined = start { on_duplicate = "join" }
      tasks.sleep(30)
      control:detach()
      joined.task:join()
      local report = joined.result[1]
      assert.are.same({ nil, "it was detached", true },
        { report.outcome, report.left, report.detached })
    end)
  end)

  it("replaces the other, which is cancelled and has its finally steps first", function()
    in_a_loop(function()
      local told = {}
      local first = start()
      tasks.sleep(30)
      local report = assert(run { on_duplicate = "replace",
        on_other = function(what) told[#told + 1] = what end })
      assert.are.same({ "replace", "replaced" }, told)
      assert.is_true(report:ok())
      local replaced = first.result[1]
      assert.are.same({ "cancelled", "replacement", "succeeded" },
        { replaced.outcome, replaced.cancelled.by, replaced.steps.last.outcome })
      assert.is_true(replaced.ended_at <= report.started_at)
    end)
    assert.are.equal(2, lab:started("W/N"))
    assert.are.equal(0, lab:open_runs())
  end)
end)

describe("a run whose key one has that nobody runs", function()
  before_each(function() new_world() end)
  after_each(function() store:close() end)

  it("is refused, also to follow it", function()
    leave_one()
    for _, choice in ipairs { "refuse", "join" } do
      local report, err = run { on_duplicate = choice }
      assert.is_nil(report)
      assert.matches("has the same key and has not ended, and nobody runs it: process %d+ is gone$",
        err.message)
    end
    assert.are.equal(1, lab:started("W/N"))
  end)

  it("replaces it: what of it runs in Fabric is cancelled before", function()
    leave_one()
    assert.are.equal(1, lab:open_runs())
    local told = {}
    local report = assert(run { on_duplicate = "replace",
      on_other = function(what) told[#told + 1] = what end })
    assert.are.same({ "take_up", "take_up", "replaced" }, told)
    assert.is_true(report:ok())
    assert.are.same({ 2, 0 }, { lab:started("W/N"), lab:open_runs() })
    local row = assert(store:find(report.run_id))
    for _, other in ipairs(rows()) do
      if other.run_id ~= row.run_id then assert.are.equal("cancelled", other.outcome) end
    end
  end)

  it("has its control handed over: who uses it gives up the new run", function()
    for _, way in ipairs { "cancel", "detach" } do
      store:close()
      new_world()
      leave_one()
      local id = rows()[1].run_id
      local report = assert(run { on_duplicate = "replace", on_other = function(_, _, control)
        if not control then return end -- it is not taken up yet
        assert.are.equal(id, control.state.run_id)
        control[way](control)
      end })
      assert.are.equal(id, report.run_id)
      local is_left = way == "detach"
      assert.are.same({ is_left and "detached" or "ended", not is_left and "cancelled" or nil },
        { rows()[1].state, report.outcome })
      assert.are.same({ 1, 1, is_left and 0 or 1 },
        { #rows(), lab:started("W/N"), lab:started("W/L") }, way)
    end
  end)

  it("ends as it was begun, whatever the new run is told", function()
    leave_one { key = "k", inputs = { day = "1" } }
    local id = rows()[1].run_id
    local report = assert(run { key = "k", inputs = { day = "2" }, on_duplicate = "replace",
      exclusive = true, submission = "at_least_once" })
    assert.is_true(report:ok())
    assert.are.equal("cancelled", assert(store:find(id)).outcome)
    for _, event in ipairs(assert(store:events(id))) do
      assert.is_nil(event.exclusive)
      assert.is_true(event.submission ~= "at_least_once")
    end
  end)

  it("is not replaced by a run of another workflow", function()
    leave_one { key = "k" }
    local other = fabric.workflow("weekly", function(flow)
      flow:notebook("N", { workspace = "W" })
    end)
    local report, err = other:run(options_of { key = "k", on_duplicate = "replace" })
    assert.is_nil(report)
    assert.matches("could not be ended: it is a run of the workflow nightly, and this is weekly$",
      err.message)
    assert.are.equal(1, lab:started("W/N"))
  end)

  it("does not replace one that cannot be ended, and says why", function()
    leave_one()
    local changed = fabric.workflow("nightly", function(flow)
      flow:input("day", { default = "1" })
      flow:notebook("M", { workspace = "W", notebook = "N" })
    end)
    local report, err = changed:run(options_of { on_duplicate = "replace" })
    assert.is_nil(report)
    assert.matches("^run %x+ has the same key, nobody runs it, and it could not be ended: "
      .. ".*is not the workflow that run", err.message)
    assert.are.equal(1, lab:started("W/N"))
  end)
end)

describe("a run that was to be replaced", function()
  after_each(function() store:close() end)

  it("and whose submission is in doubt for good is not: nothing may run twice", function()
    new_world { { at = "submit", notebook = "N", number = 1, fault = "lost_answer" } }
    in_a_loop(function()
      local first = start { submission = "at_most_once" }
      tasks.sleep(5)
      local report, err = run { on_duplicate = "replace" }
      first.task:join()
      assert.are.equal("unknown", first.result[1].outcome)
      assert.is_nil(report)
      assert.are.same({ "unknown", "duplicate" }, { err.kind, err.store_code })
    end)
    assert.are.equal(1, lab:started("W/N"))
  end)
end)

describe("the options of a run's key", function()
  before_each(function() new_world() end)
  after_each(function() store:close() end)

  it("are checked", function()
    assert.error_matches(function() run { key = "" } end, "key: expected a text, or false")
    assert.error_matches(function() run { on_duplicate = "both" } end,
      "on_duplicate: expected refuse, join or replace")
  end)
end)
