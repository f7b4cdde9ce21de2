-- Orders are carried out by one process at a time, and whatever becomes of it, another goes on:
-- runs started in Fabric = runs ordered, times their notebooks.

local errors = require "luafabric.errors"
local fabric = require "luafabric"
local json = require "luafabric.json"
local orders = require "luafabric.store.orders"
local secret = require "luafabric.workflow.secret"
local tasks = require "luafabric.tasks"
local worlds = require "spec.service.engine_world"

describe("the engine of a service", function()
  local world

  local function new_world(options)
    if world then world:close() end
    world = worlds.new(options)
    return world
  end

  before_each(function() new_world() end)
  after_each(function()
    world:close()
    world = nil
  end)

  --- Nobody is in doubt about anything.
  local function check_no_doubt()
    local rows = world.store:rows "select run_id from events where type = 'attempt_doubtful'"
    assert.same({}, rows)
  end

  it("carries out what was ordered", function()
    world:process()
    world:play(function()
      world:order(5)
      assert.is_true(world:wait_for_ends())
    end)
    assert.equal("succeeded succeeded succeeded succeeded succeeded", world:states())
    assert.equal(15, world.lab:started())
    assert.same({}, world.said)
  end)

  it("carries out each order once, however many processes there are", function()
    for _ = 1, 3 do world:process() end
    world:play(function()
      world:order(10)
      assert.is_true(world:wait_for_ends())
    end)
    assert.equal(30, world.lab:started())
  end)

  it("looks for orders when somebody has written, and not while all runs wait", function()
    new_world { notebooks = { ["Sales/Ingest"] = "1h", ["Sales/Clean"] = "1s",
      ["Sales/Last"] = "1s" } }
    local process, looks = world:process(), 0
    function process.store.rows(store, sql, ...)
      if sql:find(" from orders", 1, true) then looks = looks + 1 end
      return world.store.rows(store, sql, ...)
    end
    world:play(function()
      world:order(3)
      tasks.sleep(60)
      looks = 0
      tasks.sleep(120) -- 600 turns; leases are renewed meanwhile
      assert.is_true(looks < 100, looks .. " looks")
      world:order(1)
      tasks.sleep(2)
    end)
    assert.equal(4, world.lab:started())
  end)

  it("gives the order's inputs, options and key to its run", function()
    world:process()
    world:play(function()
      world:order(1, { inputs = { day = "monday" }, key = "k", options = { exclusive = true } })
      assert.is_true(world:wait_for_ends())
    end)
    local row = world.store:find "run001"
    assert.equal("k", row.key)
    assert.equal("monday", row.inputs[1].value)
    assert.is_true(world.store:events("run001")[1].exclusive)
  end)

  it("gives secrets to a run, and once more when it is taken up", function()
    local seen = {}
    new_world { notebooks = { ["Sales/Ingest"] = "20s",
      ["Sales/Clean"] = function(p)
        seen[#seen + 1] = p.key
        return nil, "5s"
      end },
      workflows = { nightly = fabric.workflow("nightly", function(flow)
        flow:defaults { workspace = "Sales" }
        local key = flow:input("key", { secret = true })
        local ingest = flow:notebook("ingest", { notebook = "Ingest" })
        flow:notebook("clean", { notebook = "Clean", after = ingest, parameters = { key = key } })
      end) } }
    world.secrets = { key = secret.new "s3cr3t-of-ours" }
    local one = world:process()
    world:play(function()
      world:order(1)
      tasks.sleep(10)
      world:kill(one)
      world:process()
      assert.is_true(world:wait_for_ends())
    end)
    assert.equal("succeeded", world:states())
    assert.same({ "s3cr3t-of-ours" }, seen)
    for _, name in ipairs { "orders", "events", "runs" } do
      local told = json.encode(world.store:rows("select * from " .. name))
      assert.is_nil(told:find("s3cr3t", 1, true))
    end
  end)

  it("runs a single notebook", function()
    world:process()
    world:play(function()
      world:order(1, { kind = "notebook", workflow = "Sales/Ingest",
        inputs = { workspace = "Sales", notebook = "Ingest", parameters = { n = 1 } } })
      assert.is_true(world:wait_for_ends())
    end)
    assert.equal("succeeded", world:states())
    assert.equal(1, world.lab:started "Sales/Ingest")
  end)

  it("repairs a run", function()
    local broken = true
    new_world { notebooks = { ["Sales/Ingest"] = "50s", ["Sales/Last"] = "10s",
      ["Sales/Clean"] = function(_, run)
        if broken then run:fail("failed", "no disk") end
        return nil, "30s"
      end } }
    world:process()
    world:play(function()
      world:order(1)
      world:wait_for_ends()
      broken = false
      world:order(1, { kind = "repair", options = { parent = "run001" } })
      world:wait_for_ends()
      world:order(1, { kind = "repair", options = { parent = "run002" } })
      world:wait_for_ends()
    end)
    assert.equal("refused succeeded failed", world:states())
    assert.equal("run run002 has succeeded: there is nothing to repair",
      orders.find(world.store, "run003").problem)
    assert.equal(1, world.lab:started "Sales/Ingest")
    assert.equal("run001", world.store:find("run002").parent)
  end)

  it("starts no more than it may at a time", function()
    world:process { max_concurrent_runs = 2 }
    local most = 0
    world:play(function()
      world:order(6)
      world.loop:spawn(function()
        while true do
          most = math.max(most, world.lab:open_runs())
          tasks.sleep(5)
        end
      end)
      assert.is_true(world:wait_for_ends(20000))
    end)
    assert.equal(2, most)
  end)

  describe("that is to leave", function()
    it("hands everything over, and is gone at once", function()
      for seconds = 1, 110, 11 do
        new_world()
        local one, left_in = world:process(), nil
        world:play(function()
          world:order(4)
          tasks.sleep(seconds)
          local other = world:process()
          local at = world.lab.host.now()
          one.is_exiting = true
          while not one.has_left do tasks.sleep(0.1) end
          left_in = world.lab.host.now() - at
          tasks.sleep(1) -- by then they are the other one's
          assert.same({}, world.store:rows([[select run_id from runs where state <> 'ended'
            and owner is not ?1]], other.store.owner))
          assert.is_true(world:wait_for_ends())
        end)
        assert.is_true(left_in <= 2, "after " .. seconds)
        assert.equal("succeeded succeeded succeeded succeeded", world:states())
        assert.equal(12, world.lab:started())
        check_no_doubt()
      end
    end)

    it("waits for the answer of a submission", function()
      new_world { faults = { { at = "submit", delay = 12 } } }
      local one, left_in = world:process(), nil
      world:play(function()
        world:order(3)
        tasks.sleep(3)
        world:process()
        local at = world.lab.host.now()
        one.is_exiting = true
        while not one.has_left do tasks.sleep(0.1) end
        left_in = world.lab.host.now() - at
        assert.is_true(world:wait_for_ends())
      end)
      assert.is_true(left_in > 5 and left_in <= 13)
      assert.equal(9, world.lab:started())
      check_no_doubt()
    end)

    it("waits no longer than 30 s", function()
      new_world { faults = { { at = "submit", number = 1, fault = "silence" } },
        workflows = { nightly = fabric.workflow("nightly", function(flow)
          flow:notebook("ingest", { workspace = "Sales", notebook = "Ingest", exclusive = true })
        end) } }
      local one, left_in = world:process(), nil
      world:play(function()
        world:order(1)
        tasks.sleep(3)
        world:process()
        local at = world.lab.host.now()
        one.is_exiting = true
        while not one.has_left do tasks.sleep(0.1) end
        left_in = world.lab.host.now() - at
        assert.is_true(world:wait_for_ends())
      end)
      assert.is_true(left_in > 28 and left_in < 33)
      assert.equal("succeeded", world:states())
      assert.equal(1, world.lab:started())
    end)

    it("does so again and again, as with a hundred reloads", function()
      local current, times = world:process(), 0
      world:play(function()
        world:order(10)
        while not world:wait_for_ends(3) do
          times = times + 1
          local before = current
          current = world:process()
          before.is_exiting = true
        end
      end)
      assert.is_true(times > 20)
      assert.equal(30, world.lab:started())
      check_no_doubt()
    end)
  end)

  describe("that is killed", function()
    it("is followed by another one, and nothing is started twice", function()
      for seconds = 1, 110, 12 do
        new_world()
        local one = world:process()
        world:play(function()
          world:order(4)
          tasks.sleep(seconds)
          world:kill(one)
          world:process()
          assert.is_true(world:wait_for_ends())
        end)
        assert.equal("succeeded succeeded succeeded succeeded", world:states(), "at " .. seconds)
        assert.equal(12, world.lab:started(), "at " .. seconds)
      end
    end)

    it("leaves no order behind that it had only claimed", function()
      local one = world:process()
      world:play(function()
        world:order(1)
        assert(orders.claim(world.store, "run001"))
        world:kill(one)
        world:process()
        assert.is_true(world:wait_for_ends())
      end)
      assert.equal("succeeded", world:states())
    end)
  end)

  describe("with somebody who wants a run to end", function()
    it("cancels one that runs, with its finally steps", function()
      world:process()
      world:play(function()
        world:order(2)
        tasks.sleep(20)
        assert.equal("asked", orders.cancel(world.store, "run001", "cancel", "ci"))
        assert.is_true(world:wait_for_ends())
      end)
      assert.equal("succeeded cancelled", world:states())
      assert.equal(2, world.lab:started "Sales/Last")
      local by
      for _, event in ipairs(world.store:events "run001") do by = event.by or by end
      assert.equal("ci", by)
    end)

    it("cancels it once, whoever has it by then", function()
      local one = world:process()
      world:play(function()
        world:order(1)
        tasks.sleep(20)
        world:kill(one)
        world:process()
        assert.equal("asked", orders.cancel(world.store, "run001"))
        assert.is_true(world:wait_for_ends())
      end)
      assert.equal("cancelled", world:states())
      assert.equal(1, world.lab:started "Sales/Last") -- a second wish would have skipped it
    end)

    it("still cancels it when the one who was told leaves", function()
      local one = world:process()
      world:play(function()
        world:order(1)
        tasks.sleep(20)
        assert(orders.cancel(world.store, "run001"))
        tasks.sleep(1)
        world:process()
        one.is_exiting = true
        assert.is_true(world:wait_for_ends())
      end)
      assert.equal("cancelled", world:states())
      assert.equal(1, world.lab:started "Sales/Last")
      assert.equal(0, world.lab:started "Sales/Clean")
    end)

    it("never starts what waits", function()
      world:process { max_concurrent_runs = 1 }
      world:play(function()
        world:order(2)
        tasks.sleep(20)
        assert.equal("cancelled", orders.cancel(world.store, "run002"))
        assert.is_true(world:wait_for_ends())
      end)
      assert.equal("cancelled succeeded", world:states())
      assert.equal(1, world.lab:started "Sales/Ingest")
    end)
  end)

  describe("that cannot begin", function()
    it("keeps an order whose obstacle may pass, and says why", function()
      world:process()
      local problem
      world:play(function()
        world.no_client = errors.new { kind = "network", message = "no network" }
        world:order(2)
        tasks.sleep(30)
        local row = orders.find(world.store, "run001")
        problem = { row.state, row.problem }
        world.no_client = nil
        assert.is_true(world:wait_for_ends())
      end)
      assert.same({ "queued", "no network" }, problem)
      assert.is_nil(orders.find(world.store, "run001").problem)
      assert.equal("succeeded succeeded", world:states())
    end)

    it("keeps an order while the service is set up wrong", function()
      world:process()
      world.no_secrets = errors.new { kind = "configuration", message = "no vault" }
      local problem
      world:play(function()
        world:order(1)
        tasks.sleep(5)
        problem = orders.find(world.store, "run001").problem
        world.no_secrets = nil
        assert.is_true(world:wait_for_ends())
      end)
      assert.equal("no vault", problem)
      assert.equal("succeeded", world:states())
    end)

    it("keeps an order that meets a store which cannot be written for a while", function()
      local messages = require "luafabric.store.sqlite_messages"
      for _, code in ipairs { "BUSY", "FULL", "IOERR_WRITE", "READONLY", "CANTOPEN", "NOMEM" } do
        new_world()
        local one = world:process()
        function one.store.create_run() return nil, messages.error("runs.db", "words", code) end
        local row
        world:play(function()
          world:order(1)
          tasks.sleep(5)
          row = orders.find(world.store, "run001")
          one.store.create_run = nil
          assert.is_true(world:wait_for_ends())
        end)
        assert.equal("queued", row.state, code)
        assert.matches("runs.db", row.problem, 1, true)
        assert.equal("succeeded", world:states(), code)
      end
    end)

    it("keeps an order while the credential is wrong", function()
      world:process()
      local nightly, problem = world.workflows.nightly, nil
      world.workflows.nightly = { run = function()
        return nil, errors.new { kind = "unauthorized", message = "the secret has expired" }
      end }
      world:play(function()
        world:order(2)
        tasks.sleep(30)
        problem = orders.find(world.store, "run001").problem
        world.workflows.nightly = nightly
        assert.is_true(world:wait_for_ends())
      end)
      assert.equal("the secret has expired", problem)
      assert.equal("succeeded succeeded", world:states())
    end)

    it("refuses what will never be, in a sentence", function()
      world:process()
      world:play(function()
        world:order(1, { workflow = "weekly" })
        world:order(1, { inputs = { dya = 1 } })
        world:order(1, { kind = "notebook", inputs = { workspace = "Sales", notebook = "Nosuch" } })
        assert.is_true(world:wait_for_ends(60))
      end)
      assert.equal("refused refused refused", world:states())
      assert.equal("there is no workflow weekly", orders.find(world.store, "run001").problem)
      assert.matches("dya", orders.find(world.store, "run002").problem)
      assert.matches("Nosuch", orders.find(world.store, "run003").problem)
      assert.equal(0, world.lab:started())
    end)

    it("refuses an order whose workflow raises, without a trace", function()
      world:process()
      world.workflows.nightly = { run = function() error("a mistake\nstack traceback: …", 0) end }
      world:play(function()
        world:order(1)
        assert.is_true(world:wait_for_ends(60))
      end)
      assert.equal("a mistake", orders.find(world.store, "run001").problem)
    end)

    it("says why a run does not go on, and goes on when it can", function()
      local one, problem = world:process(), nil
      world:play(function()
        world:order(1)
        tasks.sleep(20)
        local nightly = world.workflows.nightly
        world.workflows.nightly = nil
        world:process()
        one.is_exiting = true
        tasks.sleep(100)
        problem = orders.find(world.store, "run001").problem
        world.workflows.nightly = nightly
        assert.is_true(world:wait_for_ends())
      end)
      assert.equal("there is no workflow nightly", problem)
      assert.is_nil(orders.find(world.store, "run001").problem)
      assert.equal("succeeded", world:states())
      assert.equal(3, world.lab:started())
    end)

    it("tries again where the store cannot be opened", function()
      local one = world:process()
      local store = one.service.store
      world:play(function()
        one.engine.store = nil
        one.service.store = function()
          return nil, errors.new { kind = "configuration", message = "no disk" }
        end
        tasks.sleep(2)
        one.service.store = store
        world:order(1)
        assert.is_true(world:wait_for_ends())
      end)
      assert.same({ "no disk" }, world.said)
      assert.equal("succeeded", world:states())
    end)
  end)

  it("leaves a run to somebody who took it up by hand", function()
    local one = world:process()
    world:play(function()
      world:order(1)
      tasks.sleep(20)
      one.is_exiting = true
      while not one.has_left do tasks.sleep(0.1) end
      local by_hand = world:process()
      by_hand.is_exiting = true
      tasks.sleep(1)
      local task = world.loop:spawn(function()
        return world.workflows.nightly:run { client = by_hand.service.client(),
          store = by_hand.store, resume = "run001" }
      end)
      tasks.sleep(1)
      world:process()
      assert.is_true(world:wait_for_ends())
      assert(task:join())
    end)
    assert.equal("succeeded", world:states())
    assert.equal(3, world.lab:started())
  end)

  it("goes on with a new store when the one it has stopped writing", function()
    local messages = require "luafabric.store.sqlite_messages"
    local one, took = world:process(), nil
    world:play(function()
      world:order(2)
      tasks.sleep(20)
      local old, new = one.store, world:process_store()
      new.former = { [old.owner] = true }
      function old.commit()
        old.stopped = messages.error("runs.db", "disk full", "FULL")
        return nil, old.stopped
      end
      one.service.store = function()
        assert.same({}, one.engine.jobs)
        return new
      end
      local at = world.lab.host.now()
      repeat tasks.sleep(0.5) until one.engine.store == new and next(one.engine.jobs)
        or world.lab.host.now() > at + 60
      took = world.lab.host.now() - at
      assert.is_true(world:wait_for_ends())
    end)
    assert.is_true(took < 15, tostring(took)) -- nobody waits for leases to run out
    assert.equal("succeeded succeeded", world:states())
    assert.equal(6, world.lab:started())
    check_no_doubt()
  end)

  it("says once what goes on, and gives a store that writes nothing to nobody", function()
    local messages = require "luafabric.store.sqlite_messages"
    local one = world:process()
    world:play(function()
      tasks.sleep(5)
      one.engine.lease.till = -math.huge
      one.engine.lease = nil
      assert(one.store.db:exec "update leases set lease_until = null")
      local turns = 0
      function one.store.commit()
        turns = turns + 1
        local stopped = messages.error("runs.db", "no sync", "IOERR_FSYNC")
        one.store.stopped = turns > 20 and stopped or nil
        return nil, turns % 2 == 0 and stopped or messages.error("runs.db", "full", "FULL")
      end
      tasks.sleep(60)
      assert.equal(21, turns)
    end)
    assert.equal(3, #world.said)
  end)

  it("looks no further while the store cannot be read", function()
    local one, looks = world:process(), 0
    world:play(function()
      world:order(1)
      tasks.sleep(5)
      function one.store.version()
        return nil, errors.new { kind = "configuration", message = "runs.db is held" }
      end
      function one.store.rows(store, sql, ...)
        if sql:find(" from orders", 1, true) then looks = looks + 1 end
        return world.store.rows(store, sql, ...)
      end
      tasks.sleep(5)
      assert.equal(0, looks)
      one.store.version = nil
      assert.is_true(world:wait_for_ends())
    end)
    assert.same({ "the engine cannot read its orders: runs.db is held" }, world.said)
    assert.equal("succeeded", world:states())
  end)

  it("says that its lease ran out where it could not be renewed", function()
    local one = world:process()
    local commit, is_held = one.store.commit, true
    function one.store.commit(store, unit)
      if is_held and unit[1][1]:find "^update leases" then
        return nil, errors.new { kind = "configuration", message = "runs.db is held" }
      end
      return commit(store, unit)
    end
    world:play(function()
      tasks.sleep(60)
      is_held = false
    end)
    assert.equal("the engine's lease: runs.db is held", world.said[1])
    assert.equal("the engine's lease ran out: it could not be renewed", world.said[2])
  end)

  it("goes on when its lease could not be renewed once", function()
    local one, failed = world:process(), 0
    local commit, busy = one.store.commit, errors.new { kind = "configuration",
      store_code = "BUSY", message = "runs.db is held" }
    function one.store.commit(store, unit)
      if failed == 0 and world.lab.host.now() > 5 and unit[1][1]:find "^update leases" then
        failed = 1
        return nil, busy
      end
      return commit(store, unit)
    end
    world:play(function()
      world:order(2)
      tasks.sleep(8)
      local job = one.engine.jobs.run001
      while failed == 0 do tasks.sleep(0.1) end
      tasks.sleep(5)
      assert.is_true(job ~= nil and one.engine.jobs.run001 == job)
      assert.is_true(one.engine.lease:is_held())
      assert.is_true(world:wait_for_ends())
    end)
    assert.same({ "the engine's lease: runs.db is held" }, world.said)
    assert.equal("succeeded succeeded", world:states())
  end)

  it("says nothing of a start in which another process was quicker", function()
    local one, row = world:process(), nil
    local make = one.store.create_run
    function one.store.create_run(store, given)
      store.create_run = nil
      local other = setmetatable({ owner = "another" }, { __index = world.store })
      assert(other:create_run(given))
      return make(store, given)
    end
    world:play(function()
      world:order(1)
      tasks.sleep(15)
      row = orders.find(world.store, "run001")
      assert.is_true(world:wait_for_ends())
    end)
    assert.same({ "started" }, { row.state, row.problem })
    assert.equal("succeeded", world:states())
  end)

  it("takes nothing on when it is told to leave while it takes the lease", function()
    local one = world:process()
    local commit = one.store.commit
    function one.store.commit(store, unit)
      if not one.is_told then
        one.is_told = true
        world.loop:spawn(one.engine.leave, one.engine)
        tasks.sleep(0.1)
      end
      return commit(store, unit)
    end
    world:play(function()
      world:order(1)
      tasks.sleep(20)
      assert.is_true(one.has_left)
      assert.same({ {} }, world.store:rows "select owner from leases")
      world:process()
      assert.is_true(world:wait_for_ends())
    end)
    assert.equal("succeeded", world:states())
    assert.same({}, one.engine.jobs)
  end)

  it("goes on holding runs after a mistake", function()
    local holding = require "luafabric.store.holding"
    local renew, calls = holding.renew, 0
    function holding.renew(...)
      calls = calls + 1
      if calls == 1 then error("a mistake", 0) end
      return renew(...)
    end
    world:process()
    local ok, err = pcall(world.play, world, function()
      world:order(2)
      assert.is_true(world:wait_for_ends())
    end)
    holding.renew = renew
    assert(ok, err)
    assert.is_true(calls > 5)
    assert.equal("succeeded succeeded", world:states())
    assert.equal(6, world.lab:started())
  end)

  it("gives no order back that it lost while it began", function()
    local one = world:process()
    local load = one.service.workflow
    function one.service.workflow(...)
      tasks.sleep(15)
      return load(...)
    end
    world:play(function()
      world:order(1)
      tasks.sleep(1)
      function one.store.create_run()
        return nil, errors.new { kind = "network", message = "no network" }
      end
      assert(one.store.db:exec "update leases set owner = 'other', fence = fence + 1")
      tasks.sleep(18)
      assert.same({}, one.engine.jobs)
      local row = orders.find(world.store, "run001")
      assert.same({ "started" }, { row.state, row.problem })
    end)
  end)

  it("gives everything up when its lease was taken", function()
    local one = world:process()
    world:play(function()
      world:order(2)
      tasks.sleep(20)
      -- It was stopped for so long that another process took the lease.
      local other = world:process()
      assert(one.store.db:exec("update leases set owner = ?1, fence = fence + 1, lease_until = ?2",
        other.store.owner, world.lab:now() + 5))
      tasks.sleep(11)
      assert.same({}, one.engine.jobs)
      assert.is_true(world:wait_for_ends())
    end)
    assert.equal("succeeded succeeded", world:states())
    assert.equal(6, world.lab:started())
    check_no_doubt()
  end)
end)
