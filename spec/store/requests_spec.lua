local sqlite_store = require "luafabric.store.sqlite"

describe("a request to the owner of a run", function()
  local store, run

  before_each(function()
    store = assert(sqlite_store.open(":memory:", { synchronous = true,
      now = function() return 1000 end }))
    run = assert(store:create_run { run_id = "a", workflow = "nightly" })
  end)
  after_each(function() store:close() end)

  local function kinds(handle)
    local list = {}
    for index, request in ipairs(assert(handle:requests())) do list[index] = request.kind end
    return list
  end

  it("is told once, in order", function()
    assert.same({}, run:requests())
    assert.is_true(store:request("a", "cancel"))
    assert.same({ { id = 1, at = 1000, kind = "cancel", by = "user" } }, run:requests())
    assert.same({}, run:requests())
    assert(store:request("a", "cancel"))
    assert(store:request("a", "cancel_now", "somebody"))
    assert.same({ "cancel", "cancel_now" }, kinds(run))
  end)

  it("is told to that run alone", function()
    local other = assert(store:create_run { run_id = "b", workflow = "nightly" })
    assert(store:request("a", "cancel"))
    assert.same({}, kinds(other))
    assert.same({ "cancel" }, kinds(run))
  end)

  it("is nothing to the one who takes the run over, nor to the one who lost it", function()
    assert(store:request("a", "cancel"))
    run:close()
    local later = assert(store:open_run("a"))
    assert.same({}, kinds(later))
    assert(store:request("a", "cancel_now"))
    assert.same({ "cancel_now" }, kinds(later))
    assert.same({ "cancel" }, kinds(run))
  end)

  it("is refused once the run has ended, and where there is none", function()
    run:append { { type = "run_ended", at = 1001, outcome = "succeeded" } }
    for _, run_id in ipairs { "a", "none" } do
      local ok, err = store:request(run_id, "cancel")
      assert.is_nil(ok)
      assert.equal("ended", err.store_code)
      assert.equal(("run %s has ended, or is not in :memory:"):format(run_id), err.message)
    end
  end)
end)
