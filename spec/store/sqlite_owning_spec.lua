-- How long a run is its owner's, and what the owner before it may still do.

local shell = require "spec.support.shell"
local sqlite_store = require "luafabric.store.sqlite"

local NOTEBOOK = "w/n"

--- The open intent of a notebook whose time is not up.
local function open_intent(store, notebook)
  return store:rows([[select * from intents where notebook = ?1 and state = 'open'
    and blocks_until > ?2]], notebook, store.now())[1]
end

describe("an owner of a run", function()
  local store, now, run

  before_each(function()
    now = 1000
    store = assert(sqlite_store.open(":memory:", { synchronous = true,
      now = function() return now end }))
    run = assert(store:create_run { run_id = "a", workflow = "nightly" })
  end)
  after_each(function() store:close() end)

  local function intend(again, attempt)
    local ticket = assert(run:append({ { type = "attempt_intended", at = now, path = "x",
      attempt = attempt or 1 } }, { notebook = NOTEBOOK, path = "x", attempt = attempt or 1,
      blocks_until = now + 330, again = again }))
    return run:is_durable(ticket)
  end

  it("has it by a clock that nobody sets, once that is on the disk", function()
    assert.equal(-math.huge, run:held_until())
    run:renew(50)
    assert.equal(80, run:held_until())
    now = now + 3600 -- somebody sets the clock
    assert.equal(80, run:held_until())
    run:renew(60)
    assert.equal(90, run:held_until())
    run:close()
    assert.equal(-math.huge, run:held_until())
  end)

  it("asks for one renewal at a time, however long the disk takes", function()
    local look_up = store.look_up
    function store.look_up() return false end
    local ticket = run:renew(60)
    assert.equal(ticket, run:renew(70))
    assert.equal(ticket, run:renew(80))
    store.look_up = look_up
    assert.equal(90, run:held_until()) -- of the one at 60
    assert.is_true(run:renew(80) > ticket)
  end)

  it("says why it has it no more", function()
    assert(store:open_run("a", { take_over = true }))
    run:renew(50)
    assert.equal(-math.huge, run:owned_until())
    assert.equal("fenced", run.lost.store_code)
    assert.equal(-math.huge, run:held_until())
  end)

  it("knows until when the one before it may still send", function()
    local other = assert(store:open_run("a", { take_over = true }))
    assert.equal(1030, other.rival_until)
    other:close()
    assert.is_nil(assert(store:open_run "a").rival_until)
  end)

  it("intends an attempt once, and again only when nothing came of it", function()
    assert.is_true(intend())
    local durable, err = intend()
    assert.is_false(durable)
    assert.equal("intent_open", err.store_code)
    now = now + 331
    durable, err = intend()
    assert.is_false(durable)
    assert.equal("intended", err.store_code)
    assert.equal(1, #store:events "a")
    assert.is_true(intend(true))
    assert.equal(1661, open_intent(store, NOTEBOOK).blocks_until)
  end)

  it("knows which jobs are attempts' of any run", function()
    local other = assert(store:create_run { run_id = "b", workflow = "nightly" })
    assert(other:append { { type = "attempt_submitted", at = 1, path = "x", attempt = 1,
      job_id = "j" } })
    assert.same({ j = true }, run:claimed { "i", "j", "k" })
  end)
end)

describe("a store whose file is deleted while a run is on", function()
  it("is noticed when the run is to be held for another while", function()
    local folder = shell.scratch()
    local path = folder .. "/runs.db"
    local store = assert(sqlite_store.open(path, { synchronous = true }))
    local run = assert(store:create_run { run_id = "a", workflow = "nightly" })
    assert(run:renew(50))
    assert(os.rename(path, folder .. "/moved.db"))
    assert(io.open(path, "w")):close() -- another one is no better
    local ticket, err = run:renew(60)
    assert.is_nil(ticket)
    assert.equal("deleted", err.store_code)
    assert.matches("^the store of runs " .. path .. " was deleted or moved while run a was on: ",
      err.message)
    assert(os.rename(folder .. "/moved.db", path))
    assert.is_truthy(run:renew(60))
    store:close()
    shell.remove(folder)
  end)
end)
