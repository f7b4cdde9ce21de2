-- The key beside the store: made once, for its owner alone, and the same for every process.

local fingerprint_key = require "luafabric.store.fingerprint_key"
local shell = require "spec.support.shell"
local sqlite_store = require "luafabric.store.sqlite"

describe("the key beside a store", function()
  local folder, path

  before_each(function()
    folder = shell.scratch()
    path = folder .. "/runs.db"
  end)
  after_each(function() shell.remove(folder) end)

  local function write(text)
    local file = assert(io.open(path .. ".key", "w"))
    file:write(text)
    file:close()
  end

  it("is made once, and is this user's alone", function()
    local key = assert(fingerprint_key.beside(path))
    assert.are.equal(16, #key)
    assert.are.equal(key, fingerprint_key.beside(path))
    local _, listed = shell.run(("stat -c %%a '%s.key'"):format(path))
    assert.are.equal("600\n", listed)
    assert.are_not.equal(key, assert(fingerprint_key.beside(folder .. "/other.db")))
  end)

  it("is the first one's where two processes made one at the same moment", function()
    write(("a"):rep(32) .. ("b"):rep(32))
    assert.are.equal(("\170"):rep(16), fingerprint_key.beside(path))
  end)

  it("is refused where the file holds something else, or is none", function()
    write "not a key"
    local key, err = fingerprint_key.beside(path)
    assert.is_nil(key)
    assert.are.equal(("the key of the store of runs, %s.key, holds no key: remove it, so that a "
      .. "new one is made. Give another file with --store"):format(path), err.message)
    os.remove(path .. ".key")
    assert.are.equal(0, (shell.run(("mkdir '%s.key'"):format(path))))
    key, err = fingerprint_key.beside(path)
    assert.is_nil(key)
    assert.matches("is a folder", err.message)
  end)

  it("is of the store: one in memory has its own", function()
    local store = assert(sqlite_store.open(path, { synchronous = true }))
    assert.are.equal(assert(fingerprint_key.beside(path)), store:fingerprint_key())
    store:close()
    local one = assert(sqlite_store.open(":memory:", { synchronous = true }))
    assert.are.equal(one:fingerprint_key(), one:fingerprint_key())
    assert.are_not.equal(store:fingerprint_key(), one:fingerprint_key())
    one:close()
  end)
end)
