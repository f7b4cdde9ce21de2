--- What SQLite says, as one sentence for the one who runs workflows: what happened, to which file,
--- and what to do about it. Pure.

local errors = require "luafabric.errors"

local M = {}

local sentences = {
  NOTADB = "%s is not a store of runs: it is no SQLite database. Give another file with --store",
  CORRUPT = "%s is damaged (%s): move it away to begin anew, or restore it from a backup",
  FULL = "the disk is full: %s cannot grow. Free some space and repeat",
  READONLY = "%s cannot be written: it, or its folder, is read-only (%s)",
  CANTOPEN = "%s cannot be opened (%s): look at its folder's permissions, or give another file "
    .. "with --store",
  PERM = "%s cannot be opened: permission denied",
  BUSY = "%s is held by another process for too long (%s): end that one, or repeat later",
  NOMEM = "no memory left while %s was used",
  IOERR = "reading or writing %s failed (%s): look at the disk it is on",
  IOERR_FSYNC = "the disk did not confirm what was written to %s (%s): nothing more is written, "
    .. "since nobody knows what is on it. Look at the disk",
}
sentences.IOERR_DIR_FSYNC = sentences.IOERR_FSYNC

--- The code without what it adds: "IOERR_FSYNC" is an "IOERR".
local function plain_code(code)
  return code:match("^[^_]+")
end

--- An error (kind "configuration") about the file.
---@param path string
---@param message string  SQLite's own
---@param code string     SQLite's, as luafabric.sqlite names it
---@return luafabric.Error
function M.error(path, message, code)
  local sentence = sentences[code] or sentences[plain_code(code)]
    or "%s: SQLite says: %s. Please report this"
  return errors.new { kind = "configuration", message = sentence:format(path, message),
    store_code = code }
end

--- Whether an error says that another process holds the file, and nothing else is wrong.
---@param err any
---@return boolean
function M.is_busy(err)
  return errors.is(err) and plain_code(err.store_code or "-") == "BUSY"
end

local passing = { BUSY = true, FULL = true, IOERR = true, READONLY = true, CANTOPEN = true,
  NOMEM = true }

--- Whether an error is of the place where the file is, and may be gone after a while.
---@param err any
---@return boolean
function M.is_passing(err)
  return errors.is(err) and passing[plain_code(err.store_code or "-")] == true
end

return M
