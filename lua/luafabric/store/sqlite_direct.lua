--- Commits in the caller's thread, at once, with the interface of luafabric.sqlite's writer: for
--- virtual worlds, where nothing may happen beside the program, and for databases in memory.

local M = {}

local Direct = {}
Direct.__index = Direct

local unpack = table.unpack or unpack

-- As in csrc/sqlite_committer.c: what is wrong with one unit is not wrong with the file.
local of_the_unit = { ERROR = true, CONSTRAINT = true, MISMATCH = true, MISUSE = true, RANGE = true,
  TOOBIG = true, AUTH = true }

local function run(db, statement)
  local count = statement.n or #statement - 1
  local changes, message, code = db:exec(statement[1], unpack(statement, 2, count + 1))
  if not changes then return nil, message, code end
  if statement.changes and statement.changes ~= changes then
    return nil, ("%d rows were changed, and not %d"):format(changes, statement.changes),
      "CONSTRAINT"
  end
  return true
end

--- Commits a unit at once.
---@param db luafabric.SqliteDatabase
---@param unit table[]
---@return boolean|nil ok
---@return string|nil message
---@return string|nil code  SQLite's
function M.transact(db, unit)
  local ok, message, code = db:exec "begin immediate"
  if not ok then return nil, message, code end
  for _, statement in ipairs(unit) do
    ok, message, code = run(db, statement)
    if not ok then break end
  end
  if ok then ok, message, code = db:exec "commit" end
  if ok then return true end
  if db:in_transaction() then db:exec "rollback" end
  return nil, message, code
end

function Direct:append(unit)
  if self.stopped then return nil, self.stopped.message, self.stopped.code end
  local ok, message, code = M.transact(self.db, unit)
  if not ok and not of_the_unit[code:match("^[^_]+")] then
    self.stopped = { message = message, code = code }
    return nil, message, code
  end
  self.last = self.last + 1
  if not ok then
    self.refused = self.refused or {}
    table.insert(self.refused, { ticket = self.last, message = message, code = code })
  end
  return self.last
end

function Direct:completed()
  local refused, stopped = self.refused, self.stopped or {}
  self.refused = nil
  return self.last, stopped.message, stopped.code, refused
end

function Direct:flush()
  return not self.stopped
end

--- There is never anything to wait for.
function Direct:fd()
  return nil
end

function Direct:close() end

---@param db luafabric.SqliteDatabase
---@return table writer
function M.new(db)
  return setmetatable({ db = db, last = 0 }, Direct)
end

return M
