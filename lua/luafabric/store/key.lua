--- The key of a store: with it fingerprints are made of secrets, which are the same as long as the
--- secrets are, and tell nothing to whoever has the store without the key. It is in a file beside
--- the store, this user's alone; of a store in memory it is as old as the store.

local core = require "luafabric.core"
local errors = require "luafabric.errors"

local M = {}

local BYTES = 16

-- By the database, which several store objects may share.
local keys = setmetatable({}, { __mode = "k" })

--- A key that nobody else has.
---@return string key  16 random bytes
function M.random()
  return (core.random_hex(BYTES):gsub("%x%x", function(byte)
    return string.char(tonumber(byte, 16))
  end))
end

--- The key of a store; makes it where there is none.
---@param store luafabric.SqliteStore
---@return string|nil key  16 bytes
---@return luafabric.Error|nil err
function M.of(store)
  local key, message = keys[store.db], nil
  if key then return key end
  if store.path == ":memory:" then
    key = M.random()
  else
    local path = store.file .. ".key"
    local draft = ("%s.%s"):format(path, core.random_hex(6))
    key, message = require("luafabric.sqlite").key_file(path, draft, M.random())
  end
  if not key then
    return nil, errors.new { kind = "configuration",
      message = ("the key of the store of runs: %s. Mend that, or give another file with --store")
        :format(message) }
  end
  keys[store.db] = key
  return key
end

return M
