local outline = require "luafabric.store.outline"
local sqlite_store = require "luafabric.store.sqlite"

describe("the outline of a run", function()
  local store

  before_each(function() store = assert(sqlite_store.open(":memory:", { synchronous = true })) end)
  after_each(function() store:close() end)

  local function create(...)
    for _, run_id in ipairs { ... } do
      assert(store:create_run { run_id = run_id, workflow = "nightly" })
    end
  end

  it("has the shortest id that finds the run again, of six characters or more", function()
    create("7f3a12aa0000", "7f3a12ab0000", "7f3a12ab0001", "8", "9c0011223344", "9c00112233445")
    for run_id, short in pairs {
      ["7f3a12aa0000"] = "7f3a12aa", ["7f3a12ab0000"] = "7f3a12ab0000",
      ["7f3a12ab0001"] = "7f3a12ab0001", ["8"] = "8", ["9c0011223344"] = "9c0011223344",
      ["9c00112233445"] = "9c00112233445",
    } do
      assert.equal(short, outline.short_id(store, run_id))
      assert.equal(run_id, assert(store:find(short)).run_id)
    end
  end)

  it("is six characters of the only run", function()
    create "7f3a12aa0000"
    assert.equal("7f3a12", outline.short_id(store, "7f3a12aa0000"))
  end)

  it("has the last event", function()
    create "a"
    assert.same({}, { outline.last_event(store, "a") })
    local run = assert(store:open_run("a", { take_over = true }))
    run:append { { type = "warning", at = 1, message = "x" }, { type = "detached", at = 2 } }
    assert.same({ type = "detached", at = 2 }, outline.last_event(store, "a"))
  end)
end)
