---@meta luafabric.sqlite
--- SQLite, thin: SQL goes in, values come out exact. Implemented in csrc/sqlite*.c. What goes wrong
--- is nil, SQLite's message and the name of its code: "BUSY", "FULL", "READONLY", "CORRUPT",
--- "NOTADB", "CONSTRAINT_UNIQUE", "IOERR_FSYNC", …

local sqlite = {}

--- What can be bound: nil and json.null are NULL, booleans 0 and 1, strings text. Integers come
--- back exact: as integers where Lua has them, else as numbers, and beyond 2^53 as decimal text.
---@alias luafabric.SqliteValue nil|boolean|number|string|{ blob: string }|userdata

---@class luafabric.SqliteOptions
---@field readonly boolean|nil
---@field create boolean|nil       makes the file where it is missing
---@field busy_timeout number|nil  seconds that another may hold the lock, default 5

--- Opens a database; a file that is none is found out by the first statement.
---@param path string  ":memory:" is a database that is nowhere
---@param options luafabric.SqliteOptions|nil
---@return luafabric.SqliteDatabase|nil db
---@return string|nil message
---@return string|nil code
function sqlite.open(path, options) end

---@class luafabric.SqliteWriterOptions
---@field busy_timeout number|nil  seconds that another may hold the lock, default 60
---@field max_bytes number|nil     of what waits to be committed, default 16 MiB

--- A writer: a thread that commits, which begins with the first unit.
---@param path string  of a database that is there
---@param options luafabric.SqliteWriterOptions|nil
---@return luafabric.SqliteWriter
function sqlite.writer(path, options) end

--- A string to be bound as a blob.
---@param text string
---@return { blob: string }
function sqlite.blob(text) end

--- Makes a file, and the folders it is in, for this user alone. Refuses a file that is a symbolic
--- link or belongs to somebody else.
---@param path string
---@param own_folder boolean|nil  true asks the same of the folder
---@return boolean|nil ok
---@return string|nil message
function sqlite.private_file(path, own_folder) end

--- Whether there is something of that name, be it a dangling link.
---@param path string
---@return boolean
function sqlite.file_exists(path) end

--- The same text as long as the path leads to the same file; nil when there is none.
---@param path string
---@return string|nil identity
function sqlite.file_identity(path) end

--- What a small file of this user's alone holds. Where it is not there it is made with these bytes:
--- of several processes that do so at once one is the first, and all get its bytes.
---@param path string
---@param draft string  a name beside it that nobody else uses
---@param bytes string  1 to 64 of them
---@return string|nil bytes  as many
---@return string|nil message
function sqlite.key_file(path, draft, bytes) end

--- The library's version, as in "3.40.1".
---@return string
function sqlite.version() end

--- A connection; belongs to the process that opened it.
---@class luafabric.SqliteDatabase
local db = {}

--- Runs a statement with values for its parameters, or, without values, several statements.
---@param sql string
---@param ... luafabric.SqliteValue
---@return integer|nil changes  number of rows that were changed
---@return string|nil message
---@return string|nil code
function db:exec(sql, ...) end

--- The rows of a statement, as tables by the names of columns; NULL is no field.
---@param sql string
---@param ... luafabric.SqliteValue
---@return table<string, any>[]|nil rows
---@return string|nil message
---@return string|nil code
function db:rows(sql, ...) end

--- Whether a transaction is open; an error may have undone it as a whole.
---@return boolean
function db:in_transaction() end

--- Whether it can only be read: so it was opened, or the file is write-protected.
---@return boolean
function db:readonly() end

--- Twice does no harm; `__gc` and `__close` too.
function db:close() end

--- Commits units of statements in a thread of its own, all that wait in one transaction. A unit
--- that cannot be committed is refused alone; what puts the file in doubt (a failed fsync, an I/O
--- error, a full disk) stops the writer for good. Belongs to the process that made it.
---@class luafabric.SqliteWriter
local writer = {}

--- Queues a unit: a list of { sql, value, … [, n = number of values] [, changes = number] }. A
--- statement that changes another number of rows than `changes` is an error. An ill-formed list
--- raises. Waits only while max_bytes are queued.
---@param statements table[]
---@return integer|nil ticket
---@return string|nil message  why the writer has stopped
---@return string|nil code
function writer:append(statements) end

--- Everything up to the ticket is settled: on the disk, or refused. With a message and a code the
--- writer has stopped, and later tickets are lost. `refused`, which is told once, lists what
--- could not be committed: { ticket, message, code }.
---@param keep_readable boolean|nil  leaves the descriptor readable, for the one who waits for it
---@return integer ticket
---@return string|nil message
---@return string|nil code
---@return table[]|nil refused
function writer:completed(keep_readable) end

--- Waits, blocking the thread, until everything is settled.
---@param seconds number|nil  nil waits for ever
---@return boolean settled  false: the time is up, or the writer has stopped
function writer:flush(seconds) end

---@return integer fd  readable when `completed` has news
function writer:fd() end

--- Waits for what is queued. Twice does no harm; `__gc` and `__close` too.
function writer:close() end

return sqlite
