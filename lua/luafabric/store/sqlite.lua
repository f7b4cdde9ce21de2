--- The store of runs: what happened, in an SQLite file that several processes share, so that a run
--- survives its process. Reads and what has to be known at once (who owns a run) are done here;
--- events are committed by a thread of luafabric.sqlite, all that wait at once.

local claims = require "luafabric.store.claims"
local codec = require "luafabric.store.event_codec"
local core = require "luafabric.core"
local direct = require "luafabric.store.sqlite_direct"
local errors = require "luafabric.errors"
local findings = require "luafabric.store.findings"
local store_key = require "luafabric.store.key"
local messages = require "luafabric.store.sqlite_messages"
local nearest = require "luafabric.nearest"
local owners = require "luafabric.store.owner"
local owning = require "luafabric.store.sqlite_owning"
local requests = require "luafabric.store.requests"
local schema = require "luafabric.store.sqlite_schema"

local M = {}

local LEASE = 30 -- seconds
local BUSY_TIMEOUT = 10 -- seconds, of what is done at once
local WRITER_BUSY_TIMEOUT = 60
local EVENTS_AT_A_TIME = 2000
local MEMORY = ":memory:"

---@class luafabric.SqliteStore
---@field path string        as it was named
---@field file string        its full name
---@field lease number       seconds that a run is held without a renewal
---@field now fun(): number  unix seconds
---@field owner string       who takes runs
---@field former table<string, boolean>|nil  owners of this process that are done: what they have
---  is free
---@field stopped luafabric.Error|nil  why nothing is written any more
local Store = {}
Store.__index = Store

-- ---- opening ----

--- Where the runs of this user are, unless somebody says otherwise.
---@return string|nil path
---@return luafabric.Error|nil err
function M.default_path()
  local path = require("luafabric.state_home").path "runs.db"
  if path then return path end
  return nil, errors.new { kind = "configuration",
    message = "no place for the store of runs: neither XDG_STATE_HOME nor HOME is set. "
      .. "Give a file with --store" }
end

local function load_sqlite()
  local ok, sqlite = pcall(require, "luafabric.sqlite")
  if ok then return sqlite end
  return nil, errors.new { kind = "configuration",
    message = "the module luafabric.sqlite, which stores runs, is not there: build it with SQLite "
      .. "(libsqlite3-dev), or use --store memory" }
end

--- The file is there, and its owner's alone.
local function prepare_file(sqlite, path, own_folder, options)
  if path == MEMORY then return true end
  if not sqlite.file_exists(path) and (options.readonly or options.create == false) then
    return nil, errors.new { kind = "not_found",
      message = ("there is no %s: no run was started with it. Runs belong to the machine that "
        .. "started them"):format(path) }
  end
  if options.readonly then return true end
  local ok, message = sqlite.private_file(path, own_folder)
  if ok then return true end
  return nil, errors.new { kind = "configuration",
    message = "the store of runs: " .. message .. ". Give another file with --store" }
end

local function connect(sqlite, path, options)
  -- "./" keeps SQLite from reading a name like ":memory:" or "file:…" in its own way.
  local file = (path == MEMORY or path:sub(1, 1) == "/") and path or "./" .. path
  local db, message, code = sqlite.open(file, { readonly = options.readonly,
    busy_timeout = options.patience or options.busy_timeout or BUSY_TIMEOUT })
  if not db then return nil, messages.error(path, message, code) end
  if db:readonly() and not options.readonly then
    db:close()
    return nil, messages.error(path, "it is write-protected", "READONLY")
  end
  local ok, err = schema.check(db, path, not options.readonly)
  if ok and not options.readonly then
    ok, message, code = db:exec(schema.settings)
    if not ok then err = messages.error(path, message, code) end
  end
  if ok then return db end
  db:close()
  return nil, err
end

--- What lies beside the file, or opens it later, is found by it: this process may be in another
--- folder by then.
local function full_name(db)
  for _, row in ipairs(db:rows "pragma database_list" or {}) do
    if row.name == "main" then return row.file end
  end
end

local function new_writer(sqlite, db, file, options)
  if options.readonly then return nil end
  if options.synchronous then return direct.new(db) end
  return sqlite.writer(file, {
    busy_timeout = options.busy_timeout or WRITER_BUSY_TIMEOUT, max_bytes = options.max_bytes })
end

local known = { readonly = true, create = true, synchronous = true, now = true, lease = true,
  owner = true, busy_timeout = true, patience = true, max_bytes = true }

---@class luafabric.SqliteStoreOptions
---@field readonly boolean|nil      only looks: makes nothing, writes nothing
---@field create boolean|nil        false: a missing file is an error
---@field synchronous boolean|nil   commits in this thread, at once: for virtual worlds
---@field now nil|fun(): number     unix seconds, default the system's clock
---@field lease number|nil          seconds that a run is held without a renewal, default 30
---@field owner string|nil          who takes runs, default this process
---@field busy_timeout number|nil   seconds that another process may hold the file; default 10, and
---                                 60 for the thread that writes
---@field patience number|nil       the same for this thread alone, which does nothing meanwhile
---@field max_bytes integer|nil     of what waits to be written, default 16 MiB

--- Opens a store, and makes it where there is none: its folder (where it is the default one) and
--- its file are this user's alone.
---@param path string|nil  default `default_path()`; ":memory:" is for tests, and synchronous
---@param options luafabric.SqliteStoreOptions|nil
---@return luafabric.SqliteStore|nil store
---@return luafabric.Error|nil err
function M.open(path, options)
  options = options or {}
  nearest.check_fields(options, known, "store.open", 2)
  if path == MEMORY and not options.synchronous then
    error("store.open: a database in memory is synchronous: say synchronous = true", 2)
  end
  local sqlite, ok, err, db
  sqlite, err = load_sqlite()
  if not sqlite then return nil, err end
  local own_folder = path == nil
  if not path then path, err = M.default_path() end
  if not path then return nil, err end
  ok, err = prepare_file(sqlite, path, own_folder, options)
  if not ok then return nil, err end
  db, err = connect(sqlite, path, options)
  if not db then return nil, err end
  local file = full_name(db)
  return setmetatable({ path = path, file = file, identity = sqlite.file_identity(file), db = db,
    writer = new_writer(sqlite, db, file, options),
    has_neighbours = not options.readonly and not options.synchronous,
    owner = options.owner or owners.new(), now = options.now or core.wall,
    lease = options.lease or LEASE, settled = 0, refused = {} }, Store)
end

local function take_in(self, keep_readable)
  if not self.writer then return end
  local settled, message, code, refused = self.writer:completed(keep_readable)
  self.settled = settled
  if message then self.stopped = messages.error(self.path, message, code) end
  for _, unit in ipairs(refused or {}) do self.refused[unit.ticket] = unit end
end

--- Whether the file is still the one that was opened: what is written to one that was deleted or
--- moved nobody finds again.
---@return boolean
function Store:is_there()
  return self.identity == nil
    or require("luafabric.sqlite").file_identity(self.file) == self.identity
end

--- Waits for what is queued, and closes the file.
function Store:close()
  if not self.db then return end
  if self.writer then
    self.writer:flush()
    take_in(self, true)
    self.writer:close()
  end
  self.db:close()
  self.db, self.writer = nil, nil
  if self.neighbours then self.neighbours:close() end
end

--- Where the processes of this store tell each other about Fabric's limits; it is closed with the
--- store. Nil where there are no others: in a virtual world, or where nothing is written.
---@return luafabric.Shared|nil
function Store:shared()
  if not self.has_neighbours then return nil end
  self.neighbours = self.neighbours
    or require("luafabric.store.shared").new(self.file .. "-shared", self.now)
  return self.neighbours
end

-- ---- committing ----

--- Queues statements as one unit.
---@return integer|nil ticket
---@return luafabric.Error|nil err
function Store:commit(unit)
  local ticket, message, code = self.writer:append(unit)
  if ticket then
    self.queued = ticket
    return ticket
  end
  take_in(self, true) -- it may have stopped
  return nil, messages.error(self.path, message, code)
end

--- Takes in what the writer has done meanwhile; the descriptor is not readable any more. For the
--- one who waits for the descriptor, and tells all others.
function Store:settle()
  take_in(self, false)
  self.told, self.told_end = self.settled, self.stopped
end

--- Whether there is something that `settle` has not told of yet, so that it is worth looking.
---@return boolean
function Store:is_pending()
  return (self.queued or 0) > (self.told or 0) and not self.told_end
end

--- What became of a unit: durable, or refused ({ message, code }), or never written, and why.
function Store:look_up(ticket)
  if ticket > self.settled then take_in(self, true) end
  if self.refused[ticket] then return false, self.refused[ticket] end
  if ticket <= self.settled then return true end
  return false, nil, self.stopped
end

--- Waits, blocking the thread, until all that was queued is settled.
---@param seconds number|nil
---@return boolean settled
function Store:flush(seconds)
  return self.writer:flush(seconds)
end

--- A descriptor that is readable when `settle` has news; nil when nothing is ever waited for.
---@return integer|nil fd
function Store:fd()
  return self.writer and self.writer:fd()
end

-- ---- reading ----

--- Rows, or an error that names the file.
function Store:rows(sql, ...)
  local rows, message, code = self.db:rows(sql, ...)
  if rows then return rows end
  return nil, messages.error(self.path, message, code)
end

-- Another connection's commits change the one, what this one writes the other.
local VERSION = "select data_version || ' ' || total_changes() as version from pragma_data_version"

--- What is another text whenever somebody has written since, whoever it is: quicker than to look.
---@return string|nil version
---@return luafabric.Error|nil err  it cannot be read
function Store:version()
  local rows, err = self:rows(VERSION)
  return rows and rows[1].version, err
end

---@class luafabric.RunRow
---@field run_id string
---@field workflow string
---@field key string|nil
---@field state "running"|"detached"|"ended"
---@field outcome string|nil
---@field started_at number         unix seconds
---@field ended_at number|nil
---@field owner string|nil          who runs it
---@field fence integer
---@field lease_until number|nil    unix seconds
---@field orphaned boolean          it has not ended, and nobody runs it
---@field file string|nil
---@field script_hash string|nil
---@field inputs any
---@field parent string|nil         the run that this one repairs

local function run_rows(store, condition, ...)
  local rows, err = store:rows("select * from runs " .. condition, ...)
  if not rows then return nil, err end
  for _, row in ipairs(rows) do
    row.inputs = row.inputs and codec.decode(row.inputs)
    row.orphaned = row.state == "running" and not owning.is_held(store, row)
  end
  return rows
end

--- The latest runs, the last one first.
---@param options { limit: integer|nil, state: string|nil, parent: string|nil }|nil
---@return luafabric.RunRow[]|nil rows
---@return luafabric.Error|nil err
function Store:runs(options)
  options = options or {}
  return run_rows(self, [[where (?1 is null or state = ?1) and (?2 is null or parent = ?2)
    order by started_at desc, run_id limit ?3]], options.state, options.parent,
    options.limit or -1)
end

--- The run of this id, or the only one whose id begins so.
---@param prefix string
---@return luafabric.RunRow|nil row
---@return luafabric.Error|nil err
function Store:find(prefix)
  -- The upper bound keeps it from walking through all that come behind.
  local rows, err = run_rows(self, [[where run_id between ?1 and ?1 || char(1114111)
    and substr(run_id, 1, length(?1)) = ?1 order by length(run_id), run_id limit 3]], prefix)
  if not rows then return nil, err end
  if prefix == "" or #rows == 0 then return nil, owning.no_such_run(self, prefix) end
  if #rows == 1 or rows[1].run_id == prefix then return rows[1] end
  return nil, errors.new { kind = "usage",
    message = ("several runs in %s begin with %s, such as %s and %s: give more of the id")
      :format(self.path, prefix, rows[1].run_id, rows[2].run_id) }
end

--- The run of this key that has not ended.
---@param key string
---@return luafabric.RunRow|nil row  nil without an error: there is none
---@return luafabric.Error|nil err
function Store:unfinished(key)
  local rows, err = run_rows(self, "where key = ?1 and state <> 'ended'", key)
  return rows and rows[1], err
end

local function read_event(store, row)
  local event, message = codec.decode(row.body)
  if type(event) ~= "table" then
    return nil, messages.error(store.path, "an event " .. row.type .. ": " .. tostring(message),
      "CORRUPT")
  end
  event.type, event.at, event.path = row.type, row.at, row.path
  return event
end

--- The events of a run as they were written, from that number on; the first of a run is 1.
---@param run_id string
---@param from_seq integer|nil  default 1
---@param most integer|nil      how many; default all
---@return table[]|nil events
---@return luafabric.Error|nil err
function Store:events(run_id, from_seq, most)
  local events, next_seq, at_a_time = {}, from_seq or 1, most or EVENTS_AT_A_TIME
  while true do
    local rows, err = self:rows([[select seq, at, type, path, body from events
      where run_id = ?1 and seq >= ?2 order by seq limit ?3]], run_id, next_seq, at_a_time)
    if not rows then return nil, err end
    for _, row in ipairs(rows) do
      local event
      event, err = read_event(self, row)
      if not event then return nil, err end
      events[#events + 1] = event
    end
    if most or #rows < at_a_time then return events end
    next_seq = rows[#rows].seq + 1
  end
end

--- The attempt that a job instance belongs to.
---@param job_id string
---@return { run_id: string, path: string, attempt: integer }|nil row  nil without an error: none
---@return luafabric.Error|nil err
function Store:job(job_id)
  local rows, err = self:rows("select * from jobs where job_id = ?1", job_id)
  return rows and rows[1], err
end

--- The submission of a notebook that is not settled yet: a run that is started meanwhile may be
--- taken for its run.
---@param workspace_id string
---@param notebook_id string
---@return { run_id: string, path: string, blocks_until: number }|nil row  nil without err: none
---@return luafabric.Error|nil err
function Store:unsettled(workspace_id, notebook_id)
  local rows, err = self:rows([[select run_id, path, blocks_until from intents where notebook = ?1
    and state = 'open' and blocks_until > ?2]], workspace_id .. "/" .. notebook_id, self.now())
  return rows and rows[1], err
end

Store.create_run = owning.create_run
Store.open_run = owning.open_run
Store.request = requests.add
Store.claim, Store.settle_claim = claims.open, claims.close
Store.findings, Store.put_findings = findings.all, findings.put
Store.fingerprint_key = store_key.of

return M
