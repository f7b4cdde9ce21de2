-- What is known of a tenant, in the store of runs.

local sqlite_store = require "luafabric.store.sqlite"

local HERE, THERE = "https://api.fabric.microsoft.com/v1", "https://fabric.example/v1"

describe("findings about a tenant", function()
  local store, now

  before_each(function()
    now = 1000
    store = assert(sqlite_store.open(":memory:", { synchronous = true,
      now = function() return now end }))
  end)

  after_each(function() store:close() end)

  it("are kept by endpoint, workspace and question, with their date", function()
    assert(store:put_findings(HERE, "ws-1", { typed_route = true, visible_after = 1.5 }))
    assert(store:put_findings(HERE, "ws-2", { typed_route = false }))
    assert(store:put_findings(THERE, "ws-1", { typed_route = false }))
    assert.same({
      { workspace_id = "ws-1", question = "typed_route", answer = true, at = 1000 },
      { workspace_id = "ws-1", question = "visible_after", answer = 1.5, at = 1000 },
      { workspace_id = "ws-2", question = "typed_route", answer = false, at = 1000 },
    }, store:findings(HERE))
    assert.equal(1, #store:findings(THERE))
    assert.same({}, store:findings "https://nowhere.example")
  end)

  it("are replaced, each by the next on its question", function()
    assert(store:put_findings(HERE, "ws", { typed_route = true, exit_value = true }))
    now = 2000
    assert(store:put_findings(HERE, "ws", { typed_route = false }))
    local found = {}
    for _, row in ipairs(store:findings(HERE)) do found[row.question] = { row.answer, row.at } end
    assert.same({ typed_route = { false, 2000 }, exit_value = { true, 1000 } }, found)
  end)

  it("are written all or none", function()
    assert(store.db:exec [[create trigger full before insert on findings
      when new.question = 'b' begin select raise(abort, 'the disk is full'); end]])
    local ok, err = store:put_findings(HERE, "ws", { a = true, b = true, c = true })
    assert.is_nil(ok)
    assert.matches("the disk is full", err.message)
    assert.same({}, store:findings(HERE))
    assert.is_false(store.db:in_transaction())
  end)
end)
