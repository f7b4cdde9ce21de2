-- The key beside a store.

local core = require "luafabric.core"
local shell = require "spec.support.shell"
local sqlite = require "luafabric.sqlite"
local sqlite_store = require "luafabric.store.sqlite"

describe("the key of a store", function()
  local folder, path

  before_each(function()
    folder = shell.scratch()
    path = folder .. "/runs.db"
  end)
  after_each(function() shell.remove(folder) end)

  local function key_of(file)
    local store = assert(sqlite_store.open(file, { synchronous = true }))
    local key, err = store:fingerprint_key()
    store:close()
    return key, err
  end

  it("is the same for whoever opens the store, and another one for another store", function()
    local key = key_of(path)
    assert.equal(16, #key)
    assert.equal(key, key_of(path))
    assert.is_true(key ~= key_of(folder .. "/others.db"))
    assert.is_true(key_of ":memory:" ~= key_of ":memory:")
  end)

  it("is the user's alone, in a file beside the store #process", function()
    key_of(path)
    local _, output = shell.run(("cd '%s'; stat -c '%%n %%a %%s' runs.db.key*"):format(folder))
    assert.equal("runs.db.key 600 16\n", output)
    shell.run(("chmod 644 '%s.key'"):format(path))
    key_of(path)
    assert.equal("600\n", select(2, shell.run(("stat -c %%a '%s.key'"):format(path))))
  end)

  it("is beside the file, whatever folder the process is in by then", function()
    local key = key_of(path)
    assert.equal(key, require("luafabric.store.key").of { path = "runs.db", file = path, db = {} })
  end)

  it("is refused where the file is not one", function()
    local file = assert(io.open(path .. ".key", "w"))
    file:write "short"
    file:close()
    local key, err = key_of(path)
    assert.is_nil(key)
    assert.equal("configuration", err.kind)
    assert.matches("the key of the store of runs: .*runs%.db%.key is not whole", err.message)
  end)

  it("is made once, however many processes come at once #process", function()
    local program = ([[assert(io.read "*l")
      local byte = (...)
      print((assert(require("luafabric.sqlite").key_file(%q, %q .. byte, byte:rep(16)))))]]):format(
      path .. ".key", path .. ".draft")
    local children = {}
    for index = 1, 6 do
      children[index] = assert(core.spawn { stdin = "pipe", stdout = "pipe",
        args = { os.getenv "LUAFABRIC_LUA" or "lua5.4", "-e", program:gsub("%(%.%.%.%)",
          ("%q"):format(tostring(index))) .. "" },
        env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
    end
    for _, child in ipairs(children) do assert(child:write "go\n") end
    local keys, deadline = {}, core.monotonic() + 60
    for index, child in ipairs(children) do
      local text = ""
      while not text:find("\n") do
        local more = child:read()
        assert(more and core.monotonic() < deadline, "it did not answer")
        text = text .. more
        if more == "" then child:wait(0.01) end
      end
      keys[index] = text
      child:close()
    end
    for index = 2, 6 do assert.equal(keys[1], keys[index]) end
    assert.equal(keys[1], sqlite.key_file(path .. ".key", path .. ".x", ("x"):rep(16)) .. "\n")
    assert.equal("runs.db.key\n", select(2, shell.run(("ls '%s'"):format(folder))))
  end)
end)
