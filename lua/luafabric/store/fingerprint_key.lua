--- The key of the fingerprints in a store: 16 random bytes in a file beside it, for this user
--- alone. A fingerprint tells two secrets apart, and whoever has the store without this file cannot
--- guess them from it.

local core = require "luafabric.core"
local errors = require "luafabric.errors"

local M = {}

local DIGITS = 32 -- of a key of 16 bytes
local ENDING = ".key"

local function to_bytes(digits)
  return (digits:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end))
end

--- A key that nobody else has.
---@return string key  16 bytes
function M.new()
  return to_bytes(core.random_hex(DIGITS / 2))
end

local function failure(path, message)
  return nil, errors.new { kind = "configuration", message = ("the key of the store of runs, %s, "
    .. "%s. Give another file with --store"):format(path, message) }
end

local function read(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local text = file:read(DIGITS)
  file:close()
  return text or ""
end

-- Of two processes that write at the same moment the first one's digits are the key of both.
local function add(path)
  local file, message = io.open(path, "ab")
  if not file then return nil, message end
  local ok
  ok, message = file:write(core.random_hex(DIGITS / 2))
  if not ok then
    file:close()
    return nil, message
  end
  return file:close()
end

--- The key beside a store; it is made where there is none.
---@param store_path string
---@return string|nil key  16 bytes
---@return luafabric.Error|nil err
function M.beside(store_path)
  local path = store_path .. ENDING
  local ok, message = require("luafabric.sqlite").private_file(path)
  local text
  if ok then text, message = read(path) end
  if text == "" then
    ok, message = add(path)
    text = ok and read(path)
  end
  if not text then return failure(path, "cannot be used: " .. tostring(message)) end
  if #text == DIGITS and not text:find("%X") then return to_bytes(text) end
  return failure(path, "holds no key: remove it, so that a new one is made")
end

return M
