local lease = require "luafabric.store.lease"
local orders = require "luafabric.store.orders"
local plain = require "luafabric.hosts.plain"
local shell = require "spec.support.shell"
local sqlite_store = require "luafabric.store.sqlite"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

--- A function of orders, called in a task.
local function call(name, ...)
  return tasks.blocking(virtual.new, orders[name], ...)
end

local function order(given)
  local whole = { run_id = "a", kind = "workflow", workflow = "nightly" }
  for name, value in pairs(given or {}) do whole[name] = value end
  return whole
end

describe("an order", function()
  local store, now

  before_each(function()
    now = 1000
    store = assert(sqlite_store.open(":memory:", { synchronous = true, owner = "me",
      now = function() return now end }))
  end)
  after_each(function() store:close() end)

  local function place(given) return call("place", store, order(given)) end

  local function state_of(run_id)
    local row = assert(orders.find(store, run_id))
    return row.state, row.problem
  end

  local function start(run_id, key)
    assert(call("claim", store, run_id))
    return assert(store:create_run { run_id = run_id, workflow = "nightly", key = key })
  end

  local function finish(run)
    run:append { { type = "run_ended", at = now, outcome = "succeeded" } }
    run:close()
  end

  it("is kept as it was placed", function()
    local row = assert(place { inputs = { day = "today", count = 3 }, options = { only = { "x" } },
      key = "k", idempotency_key = "i", request_hash = "h", by = "ci" })
    assert.same({ seq = 1, run_id = "a", kind = "workflow", workflow = "nightly", at = 1000,
      inputs = { day = "today", count = 3 }, options = { only = { "x" } }, key = "k",
      idempotency_key = "i", request_hash = "h", by = "ci", state = "queued", open = true,
      ended_told = false }, row)
    assert.same(row, orders.find(store, "a"))
    assert.same({ row }, orders.queued(store))
  end)

  it("is found by the beginning of its run's id", function()
    assert(place { run_id = "abc1" })
    assert(place { run_id = "abd2" })
    assert.equal("abd2", orders.find(store, "abd").run_id)
    local row, err = orders.find(store, "ab")
    assert.is_nil(row)
    assert.equal("several runs in :memory: begin with ab, such as abc1 and abd2: give more of the "
      .. "id", err.message)
    for _, id in ipairs { "x", "" } do
      row, err = orders.find(store, id)
      assert.is_nil(row)
      assert.equal("not_found", err.kind)
    end
  end)

  it("is listed, the last one first, a page at a time", function()
    for _, id in ipairs { "d", "c", "b", "a" } do
      assert(place { run_id = id, workflow = id == "b" and "hourly" or nil })
    end
    assert(call("claim", store, "c"))
    local function ids(options)
      local list = {}
      for index, row in ipairs(assert(orders.list(store, options))) do list[index] = row.run_id end
      return table.concat(list)
    end
    assert.equal("abcd", ids())
    assert.equal("ab", ids { limit = 2 })
    assert.equal("cd", ids { limit = 2, before = "b" })
    assert.equal("acd", ids { workflow = "nightly" })
    assert.equal("c", ids { state = "started" })
  end)

  describe("with an idempotency key", function()
    it("is there once", function()
      assert(place { idempotency_key = "i" })
      local row, err = place { run_id = "b", idempotency_key = "i" }
      assert.is_nil(row)
      assert.equal("same_key", err.store_code)
      assert.equal("a", err.order.run_id)
      assert.equal("the idempotency key i was used before, for run a", err.message)
      assert(place { run_id = "b", idempotency_key = "i", workflow = "hourly" })
      assert(place { run_id = "c", idempotency_key = "i", kind = "notebook" })
    end)

    it("is there once for two who place it at the same moment", function()
      local commit = store.commit
      function store.commit(self, unit) -- somebody else is quicker
        self.commit = commit
        assert(orders.place(self, order { run_id = "b", idempotency_key = "i" }))
        return commit(self, unit)
      end
      local row, err = place { idempotency_key = "i" }
      assert.is_nil(row)
      assert.equal("same_key", err.store_code)
      assert.equal("b", err.order.run_id)
    end)
  end)

  describe("with the key of a run", function()
    it("waits for nobody: another one is refused while it is open", function()
      assert(place { key = "k" })
      local function refused()
        local row, err = place { run_id = "b", key = "k" }
        assert.is_nil(row)
        assert.equal("duplicate", err.store_code)
        return (err.order or err.run).run_id, err.message
      end
      assert.same({ "a", "run a of workflow nightly has the same key and waits to be started" },
        { refused() })
      assert(call("claim", store, "a"))
      assert.equal("a", (refused())) -- between its order and its run
      local run = assert(store:create_run { run_id = "a", workflow = "nightly", key = "k" })
      assert.same({ "a", "run a of workflow nightly has the same key and is run by another "
        .. "process" }, { refused() })
      finish(run)
      assert.equal("b", assert(place { run_id = "b", key = "k" }).run_id)
    end)

    it("is refused for a run that nobody ordered", function()
      assert(store:create_run { run_id = "z", workflow = "nightly", key = "k" })
      local row, err = place { key = "k" }
      assert.is_nil(row)
      assert.equal("z", err.run.run_id)
    end)

    it("is placed again when the one before will never be a run", function()
      assert(place { key = "k" })
      assert.equal("cancelled", call("cancel", store, "a"))
      assert(place { run_id = "b", key = "k" })
      assert(call("refuse", store, "b", "no such notebook"))
      assert(place { run_id = "c", key = "k" })
    end)
  end)

  it("has an id that no other run has", function()
    assert(store:create_run { run_id = "a", workflow = "nightly" })
    local row, err = place()
    assert.is_nil(row)
    assert.equal("run a cannot be ordered in :memory:: there is one of that id already",
      err.message)
  end)

  it("is claimed once", function()
    assert(place())
    assert.is_true(call("claim", store, "a"))
    assert.is_nil(call("claim", store, "a"))
    assert.same({}, orders.queued(store))
  end)

  it("is given back with the reason, and refused with it", function()
    assert(place())
    assert(call("claim", store, "a"))
    assert(call("give_back", store, "a", "no network"))
    assert.same({ "queued", "no network" }, { state_of "a" })
    assert(call("claim", store, "a"))
    assert.same({ "started", "no network" }, { state_of "a" })
    assert(call("refuse", store, "a", "no such notebook"))
    assert.same({ "refused", "no such notebook" }, { state_of "a" })
    assert.same({}, orders.queued(store))
  end)

  it("is not given back, refused or cancelled once somebody made its run", function()
    assert(place())
    start("a")
    assert(call("give_back", store, "a", "no network"))
    assert(call("refuse", store, "a", "no such workflow"))
    assert.equal("started", state_of "a")
    store.db:exec "update orders set state = 'queued'"
    assert(call("cancel", store, "a"))
    assert.equal("queued", state_of "a")
  end)

  it("is left when nobody began its run, or somebody let it go", function()
    local function left()
      local list = {}
      for index, row in ipairs(assert(orders.left(store))) do list[index] = row.run_id end
      return table.concat(list)
    end
    assert(place())
    assert(place { run_id = "b" })
    assert.equal("", left())
    assert(call("claim", store, "a"))
    assert.equal("a", left())
    local run = assert(store:create_run { run_id = "a", workflow = "nightly" })
    assert.equal("", left())
    run:close()
    assert.equal("a", left())
    finish(assert(store:open_run "a"))
    assert(call("tell_end", store, "a"))
    assert.equal("", left())
  end)

  it("is left, too, where its own owner has not held its run for long", function()
    assert(place())
    start("a")
    assert.same({}, orders.left(store))
    now = now + store.lease
    assert.equal("a", orders.left(store)[1].run_id)
  end)

  describe("that is to be cancelled", function()
    it("never starts while it is queued", function()
      assert(place())
      assert.equal("cancelled", call("cancel", store, "a", "cancel", "ci"))
      assert.equal("cancelled", state_of "a")
      assert.is_nil(call("claim", store, "a"))
      local became, err = call("cancel", store, "a")
      assert.is_nil(became)
      assert.equal("ended", err.store_code)
    end)

    it("says so until its run has ended, whoever has it", function()
      assert(place())
      local run = start "a"
      assert.equal("asked", call("cancel", store, "a", "cancel", "ci"))
      assert.same({ { run_id = "a", cancel = "cancel", cancel_by = "ci" } }, orders.wishes(store))
      assert.equal("asked", call("cancel", store, "a", "cancel_now", "ops"))
      assert.equal("asked", call("cancel", store, "a", "cancel", "ci")) -- no weaker
      assert.same({ { run_id = "a", cancel = "cancel_now", cancel_by = "ops" } },
        orders.wishes(store))
      finish(run)
      local became, err = call("cancel", store, "a")
      assert.is_nil(became)
      assert.equal("run a in :memory: has ended", err.message)
    end)

    it("asks the process that has taken its run up meanwhile", function()
      assert(place())
      local run = start "a"
      assert(call("cancel", store, "a"))
      assert.equal(1, #run:requests())
      assert(tasks.blocking(virtual.new, lease.take, store, orders.LEASE))
      assert(call("cancel", store, "a", "cancel_now"))
      assert.equal(0, #run:requests()) -- who has the lease looks for wishes
    end)

    it("is not queued again", function()
      assert(place())
      assert(call("claim", store, "a"))
      assert.equal("asked", call("cancel", store, "a"))
      assert(call("give_back", store, "a", "no network"))
      assert.equal("cancelled", state_of "a")
    end)

    it("is one that was ordered", function()
      local became, err = call("cancel", store, "x")
      assert.is_nil(became)
      assert.equal("not_found", err.kind)
    end)
  end)

  it("has no end to be told while its run goes on", function()
    assert(place())
    local run = start "a"
    local also = { { "insert into leases (name, fence) values ('told', 1)" } }
    assert.is_true(call("tell_end", store, "a", also))
    assert.same({}, store:rows "select * from leases")
    finish(run)
    assert.equal("a", orders.untold(store)[1].run_id)
  end)

  it("tells its end once, with what else is to be written", function()
    assert(place())
    local run = start "a"
    assert.same({}, orders.untold(store))
    finish(run)
    assert.equal("a", orders.untold(store)[1].run_id)
    local also = { { "insert into leases (name, fence) values ('told', 1)" } }
    assert.is_true(call("tell_end", store, "a", also))
    assert.is_true(call("tell_end", store, "a", also))
    assert.same({}, orders.untold(store))
    assert.equal(1, #store:rows "select * from leases")
  end)
end)

describe("an order in a file", function()
  local folder, store

  before_each(function()
    folder = shell.scratch()
    store = assert(sqlite_store.open(folder .. "/runs.db"))
  end)
  after_each(function()
    store:close()
    shell.remove(folder)
  end)

  it("is on the disk when it is placed; others in the loop go on meanwhile", function()
    local waiting, most = 0, 0
    tasks.blocking(plain.new, function()
      local _, loop = tasks.current()
      local others = {}
      for index = 1, 20 do
        others[index] = loop:spawn(function()
          waiting = waiting + 1
          most = math.max(most, waiting)
          assert(orders.place(store, order { run_id = "r" .. index, key = "k" .. index }))
          waiting = waiting - 1
        end)
      end
      for _, other in ipairs(others) do assert(other:join()) end
    end)
    assert.is_true(most > 1)
    local reader = assert(sqlite_store.open(folder .. "/runs.db", { readonly = true }))
    assert.equal(20, #orders.list(reader))
    reader:close()
  end)

  it("is one of many with the same key that several place at once", function()
    local won, refused = 0, 0
    tasks.blocking(plain.new, function()
      local _, loop = tasks.current()
      local others = {}
      for index = 1, 10 do
        others[index] = loop:spawn(function()
          local row, err = orders.place(store, order { run_id = "r" .. index, key = "k" })
          won = won + (row and 1 or 0)
          refused = refused + (err and err.store_code == "duplicate" and 1 or 0)
        end)
      end
      for _, other in ipairs(others) do assert(other:join()) end
    end)
    assert.same({ 1, 9 }, { won, refused })
    assert.same({}, store.refused)
  end)

  it("is refused with a sentence by a disk that cannot take it", function()
    local err = tasks.blocking(plain.new, function()
      store.db:exec "drop table orders"
      return select(2, orders.place(store, order()))
    end)
    assert.matches("runs.db: SQLite says: no such table: orders", err.message, 1, true)
  end)
end)
