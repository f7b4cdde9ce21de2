local lease = require "luafabric.store.lease"
local owners = require "luafabric.store.owner"
local sqlite_store = require "luafabric.store.sqlite"
local shell = require "spec.support.shell"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

describe("a lease of a store", function()
  local folder, now, one, two

  local function open(owner)
    return assert(sqlite_store.open(folder .. "/runs.db", { synchronous = true, owner = owner,
      now = function() return now end }))
  end

  before_each(function()
    folder, now = shell.scratch(), 1000
    one, two = open(owners.new()), open(owners.new())
  end)
  after_each(function()
    one:close()
    two:close()
    shell.remove(folder)
  end)

  local function take(store, name)
    return tasks.blocking(virtual.new, lease.take, store, name or "engine")
  end

  local function call(held, method)
    return tasks.blocking(virtual.new, held[method], held)
  end

  it("has one owner", function()
    local held = assert(take(one))
    assert.is_true(held:is_held())
    local other, err = take(two)
    assert.is_nil(other)
    assert.is_nil(err)
    local row = lease.look(two, "engine")
    assert.same({ one.owner, true }, { row.owner, row.held })
    assert.is_nil((lease.look(two, "another")))
    assert.is_truthy(take(two, "another"))
  end)

  it("is taken when it was released, with a higher fence", function()
    local held = assert(take(one))
    assert(call(held, "release"))
    assert.is_false(held:is_held())
    assert.is_false(lease.look(two, "engine").held)
    assert.equal(held.fence + 1, assert(take(two)).fence)
    assert(call(held, "release")) -- it is not its own any more
    assert.equal(two.owner, lease.look(one, "engine").owner)
  end)

  it("is held for as long as before when it cannot be renewed", function()
    local held = assert(take(one))
    local busy = require("luafabric.store.sqlite_messages").error("runs.db", "locked", "BUSY")
    function one.commit() return nil, busy end
    now = now + 10
    local is_held, err = call(held, "renew")
    assert.same({ nil, busy }, { is_held, err })
    assert.is_true(held:is_held())
    now = now + 20
    assert.is_false(held:is_held())
  end)

  it("is held for as long as it is renewed, and then another's", function()
    local held = assert(take(one))
    now = now + 29
    assert.is_true(call(held, "renew"))
    now = now + 29
    assert.is_nil(take(two))
    now = now + 1
    assert.is_false(held:is_held())
    assert.is_truthy(take(two))
    local renewed, err = call(held, "renew")
    assert.is_nil(renewed)
    assert.is_nil(err)
    assert.is_false(held:is_held())
  end)

  it("is taken at once when its owner is gone", function()
    one.owner = one.owner:gsub("^(%d+)/%d+", "%1/1")
    assert(take(one))
    assert.is_truthy(take(two))
  end)

  it("is one's when two take it at the same moment", function()
    local commit, won = one.commit, nil
    function one.commit(self, unit)
      won = take(two)
      return commit(self, unit)
    end
    local held, err = take(one)
    assert.is_nil(held)
    assert.is_nil(err)
    assert.is_truthy(won)
  end)
end)
