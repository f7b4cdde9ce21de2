local holding = require "luafabric.store.holding"
local shell = require "spec.support.shell"
local sqlite_store = require "luafabric.store.sqlite"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

describe("many runs of a store", function()
  local store, now, runs

  before_each(function()
    now = 1000
    store = assert(sqlite_store.open(":memory:", { synchronous = true,
      now = function() return now end }))
    runs = {}
    for index = 1, 3 do
      runs[index] = assert(store:create_run { run_id = "r" .. index, workflow = "nightly" })
    end
  end)
  after_each(function() store:close() end)

  local function renew(host_time)
    return tasks.blocking(virtual.new, holding.renew, runs, host_time)
  end

  local function commits()
    local count, commit = 0, store.commit
    function store.commit(...)
      count = count + 1
      return commit(...)
    end
    return function() return count end
  end

  it("are held in one commit", function()
    now = 1020
    local count = commits()
    assert.is_true(renew(50))
    assert.equal(1, count())
    for index, run in ipairs(runs) do
      assert.equal(1050, run:owned_until())
      assert.equal(80, run:held_until())
      assert.equal(1050, store:find("r" .. index).lease_until)
    end
  end)

  it("are held each for itself where one was lost, which alone is told so", function()
    assert(store:open_run("r2", { take_over = true }))
    now = 1020
    assert.is_true(renew(50))
    assert.same({ 1050, -math.huge, 1050 },
      { runs[1]:owned_until(), runs[2]:owned_until(), runs[3]:owned_until() })
    assert.equal("fenced", runs[2].lost.store_code)
    assert.equal(-math.huge, runs[2]:held_until())
    assert.equal(80, runs[1]:held_until())
  end)

  it("are not held any more once they were let go", function()
    runs[1]:close()
    now = 1020
    assert.is_true(renew(50))
    assert.equal(-math.huge, runs[1]:owned_until())
    assert.is_nil(store:find("r1").owner)
  end)

  it("say so when their file is gone", function()
    local folder = shell.scratch()
    local file = assert(sqlite_store.open(folder .. "/runs.db", { synchronous = true }))
    runs = { assert(file:create_run { run_id = "a", workflow = "nightly" }) }
    assert(os.remove(folder .. "/runs.db"))
    local ok, err = renew(50)
    assert.is_nil(ok)
    assert.equal("deleted", err.store_code)
    file:close()
    shell.remove(folder)
  end)
end)
