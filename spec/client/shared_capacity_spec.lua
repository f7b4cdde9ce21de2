-- A capacity whose places several processes share.

local shared_capacity = require "luafabric.client.shared_capacity"
local shared_module = require "luafabric.store.shared"
local shell = require "spec.support.shell"

describe("a capacity that processes share", function()
  local folder, now, stores

  before_each(function()
    folder, now, stores = shell.scratch(), 1e9, {}
  end)

  after_each(function() shell.remove(folder) end)

  local function process()
    local shared = shared_module.new(folder .. "/runs.db-shared", function() return now end)
    stores[#stores + 1] = shared
    return shared_capacity.new(shared, "a topic")
  end

  --- One that has run four and was refused a fifth.
  local function full()
    local capacity, places = process(), {}
    for index = 1, 4 do places[index] = capacity:take() end
    capacity:refused(capacity:take())
    return capacity, places
  end

  it("is full for a newcomer, until a place is free", function()
    local one, places = full()
    local two = process()
    assert.equal(0, two:room())
    one:left(places[1], true)
    now = now + 2
    assert.equal(1, two:room())
    two:take()
    now = now + 2
    assert.equal(0, one:room())
  end)

  it("leaves a free place to who waits longer, and to the higher priority", function()
    local one, places = full()
    local two, three = process(), process()
    two:waits("a run", 0, now - 10)
    three:waits("a run", 0, now - 5)
    assert.equal(0, two:room() + three:room())
    one:left(places[1], true)
    now = now + 2
    assert.equal(0, three:room())
    assert.equal(0, one:room()) -- a newcomer is the last
    assert.equal(1, two:room())
    three:waits("a run", 1, now)
    now = now + 2
    three:room()
    assert.equal(0, two:room())
    assert.equal(1, three:room())
  end)

  it("does not leave it to who has gone without a word", function()
    local one, places = full()
    local two, three = process(), process()
    two:waits("a run", 0, now - 10)
    two:room()
    one:left(places[1], true)
    three:waits("a run", 0, now)
    now = now + 31
    assert.equal(1, three:room())
  end)

  it("counts all clients of one process, and nobody who has nothing there", function()
    local shared = shared_module.new(folder .. "/runs.db-shared", function() return now end)
    local one, two = shared_capacity.new(shared, "a topic"), shared_capacity.new(shared, "a topic")
    local places = {}
    for index = 1, 3 do places[index] = one:take() end
    two:take()
    two:refused(two:take())
    assert.equal(4, two.own.limit)
    local three = process()
    assert.equal(0, three:room())
    for _, place in ipairs(places) do one:left(place, true) end
    now = now + 2
    assert.equal(3, three:room())
    shared:exclusively(function()
      local members = 0
      for _, row in ipairs(shared:all_known("a topic")) do
        if row.key ~= "limit" then members = members + 1 end
      end
      assert.equal(1, members)
    end)
  end)

  it("leaves a free place to the first of all that wait in a process", function()
    local one, places = full()
    local two, three = process(), process()
    two:waits("a run", 0, now - 10)
    two:waits("another", 0, now - 2)
    two:room()
    three:waits("a run", 0, now - 5)
    one:left(places[1], true)
    now = now + 2
    assert.equal(0, three:room())
    two:waits("a run", nil)
    now = now + 2
    two:room()
    now = now + 2
    assert.equal(1, three:room())
  end)

  it("is each process's own where nothing can be shared any more", function()
    full()
    local two = process()
    assert.equal(0, two:room())
    stores[2]:close()
    now = now + 2
    assert.equal(4, two:room())
  end)
end)
