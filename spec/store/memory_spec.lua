local memory = require "luafabric.store.memory"

describe("store.memory", function()
  it("keeps events in order, and is as safe as it gets at once", function()
    local store = memory.new()
    local ticket = store:append { { type = "a" }, { type = "b" } }
    assert.is_true(store:is_durable(ticket))
    local later = store:append { { type = "c" } }
    assert.is_true(later > ticket)
    assert.same({ { type = "a" }, { type = "b" }, { type = "c" } }, store.events)
  end)

  it("does not claim what was not given to it", function()
    local store = memory.new()
    assert.is_false(store:is_durable(store:append { { type = "a" } } + 1))
  end)

  it("only counts where nobody will read them", function()
    local store = memory.new { keep = false }
    store:append { { type = "a" } }
    assert.equal(1, store.count)
    assert.same({}, store.events)
  end)
end)
