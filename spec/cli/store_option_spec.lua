-- --store: where it leads, and what is said where it leads nowhere.

local shell = require "spec.support.shell"
local sqlite_store = require "luafabric.store.sqlite"
local store_option = require "luafabric.cli.store_option"

describe("the option --store", function()
  local folder

  before_each(function() folder = shell.scratch() end)
  after_each(function() shell.remove(folder) end)

  local function make(name)
    local store = assert(store_option.open { store = folder .. "/" .. name })
    store:close()
    return folder .. "/" .. name
  end

  it("makes the file for the command that writes, and not for those that look", function()
    local path = folder .. "/runs.db"
    local store, err = store_option.look { store = path }
    assert.is_nil(store)
    assert.are.equal("not_found", err.kind)
    assert.matches("there is no " .. path .. ": no run was started with it", err.message, 1, true)
    make "runs.db"
    store = assert(store_option.look { store = path })
    assert.are.same({}, store:runs())
    store:close()
  end)

  it("makes none for the command that goes on with a run", function()
    local cli, capture = require "luafabric.cli", require "spec.cli.capture"
    local path = folder .. "/rusn.db"
    for _, words in ipairs { { "run", "--resume", "7f3a12" }, { "repair", "7f3a12" } } do
      words[#words + 1], words[#words + 2] = "--store", path
      local code, _, err = capture.run({}, function() return cli.main(words) end)
      assert.are.equal(2, code)
      assert.matches("there is no " .. path, err, 1, true)
      assert.is_nil((io.open(path)))
    end
  end)

  it("memory is no store, and nothing to look into", function()
    assert.are.same({}, { store_option.open { store = "memory" } })
    local store, err = store_option.look { store = "memory" }
    assert.is_nil(store)
    assert.matches("^%-%-store memory: what is kept there ends", err.message)
  end)

  it("is memory for --local alone, whose runs end with it", function()
    assert.is_true(store_option.is_memory { local_dir = "notebooks" })
    assert.is_true(store_option.is_memory { store = "memory" })
    assert.is_false(store_option.is_memory {})
    assert.is_false(store_option.is_memory { local_dir = "notebooks", store = "default" })
    assert.is_false(store_option.is_memory { local_dir = "notebooks", resume = "7f3a12" })
  end)

  it("without a path is a mistake", function()
    for _, open in ipairs { store_option.open, store_option.look } do
      local store, err = open { store = "" }
      assert.is_nil(store)
      assert.matches("the path is empty", err.message)
    end
  end)

  it("looks into what can only be read", function()
    local path = make "runs.db"
    assert.are.equal(0, (shell.run(("ln -s '%s' '%s/link.db'"):format(path, folder))))
    local store, err = store_option.open { store = folder .. "/link.db" }
    assert.is_nil(store)
    assert.matches("symbolic link", err.message)
    store = assert(store_option.look { store = folder .. "/link.db" })
    assert.are.same({}, store:runs())
    store:close()
  end)

  it("says what is wrong with a file that is no store", function()
    assert.are.equal(0, (shell.run(("echo 'not a database, but long enough to be read as one' "
      .. ">'%s/x'"):format(folder))))
    local store, err = store_option.look { store = folder .. "/x" }
    assert.is_nil(store)
    assert.matches("is not a store of runs", err.message)
  end)

  it("undoes what a process left half written that was killed", function()
    local path = make "runs.db"
    local store = assert(sqlite_store.open(path, { synchronous = true }))
    assert(store:create_run { run_id = "a", workflow = "nightly" })
    -- A journal is hot while its transaction is open; the copies are what a power failure leaves.
    assert(store.db:exec "pragma cache_spill = 1; pragma cache_size = 1")
    assert(store.db:exec "begin immediate")
    for index = 1, 200 do
      assert(store.db:exec("insert into events values ('a', ?1, 0, 'warning', null, ?2)", index,
        ("x"):rep(2000)))
    end
    assert.are.equal(0, (shell.run(("cd '%s' && cp runs.db copy.db && cp runs.db-journal "
      .. "copy.db-journal"):format(folder))))
    store.db:exec "rollback"
    store:close()
    store = assert(store_option.look { store = folder .. "/copy.db" })
    assert.are.same({}, store:events "a")
    store:close()
  end)
end)
