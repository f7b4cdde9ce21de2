local messages = require "luafabric.store.sqlite_messages"

local function sentence(code)
  return messages.error("runs.db", "its words", code).message
end

describe("store.sqlite_messages", function()
  it("say what happened to which file, and what to do", function()
    for code, expected in pairs {
      FULL = "the disk is full: runs.db cannot grow. Free some space and repeat",
      READONLY = "runs.db cannot be written: it, or its folder, is read-only (its words)",
      BUSY = "runs.db is held by another process for too long (its words): end that one, or "
        .. "repeat later",
      CORRUPT = "runs.db is damaged (its words): move it away to begin anew, or restore it from a "
        .. "backup",
      IOERR_FSYNC = "the disk did not confirm what was written to runs.db (its words): nothing "
        .. "more is written, since nobody knows what is on it. Look at the disk",
    } do
      assert.equal(expected, sentence(code))
      assert.equal(code, messages.error("runs.db", "its words", code).store_code)
    end
  end)

  it("know a code by its family", function()
    assert.equal(sentence "READONLY", sentence "READONLY_DIRECTORY")
    assert.equal(sentence "IOERR", sentence "IOERR_WRITE")
    assert.equal(sentence "BUSY", sentence "BUSY_RECOVERY")
    assert.not_equal(sentence "IOERR", sentence "IOERR_FSYNC")
  end)

  it("ask for a report of what nobody expected", function()
    assert.equal("runs.db: SQLite says: its words. Please report this", sentence "MISUSE")
  end)
end)
