--- What the processes of a store tell each other about Fabric's limits: what each sends and
--- runs, and what was learnt. In a second SQLite file beside the store, never synchronised: to
--- tell what is sent waits for no disk, so it may stand on the way of every request, and a
--- machine that goes down may forget it. For the same reason nothing here is worth an error: what
--- cannot be shared is not, for a while. The file may be deleted at any time: who says something
--- then notices, and begins a new one.

local core = require "luafabric.core"
local json = require "luafabric.json"
local owners = require "luafabric.store.owner"

local M = {}

local VERSION = 2
-- Others hold the lock for less than a millisecond, unless they are stopped.
local BUSY_TIMEOUT = 0.5 -- seconds
-- After a failure nothing is shared for so long.
local PAUSE = 60
-- What was said is of no interest after so long, and is deleted at times.
local KEPT = 600
local SAYS_BETWEEN_SWEEPS = 200

local settings = "pragma journal_mode = truncate; pragma synchronous = off; "
  .. "pragma temp_store = memory"

-- said: a log for all who listen to a topic. known: the last word on something. file: which file
-- this is, of all that were made under its name.
local tables = [[
drop table if exists said; drop table if exists known; drop table if exists file;
create table said (id integer primary key autoincrement, topic text not null, member text not null,
  at real not null, body text not null);
create index said_by_topic on said (topic, id);
create table known (topic text not null, key text not null, body text not null,
  primary key (topic, key)) without rowid;
create table file (id text not null);
insert into file values (hex(randomblob(8)));
]]

---@class luafabric.Shared
---@field member string  who we are among those that share
---@field file_id string|nil  of the file that is open: in another one are other ids
local Shared = {}
Shared.__index = Shared

--- What is shared beside a store. The file is made when something is said.
---@param path string              of the file; it is this user's alone
---@param now nil|fun(): number    unix seconds, default the system's clock
---@return luafabric.Shared
function M.new(path, now)
  return setmetatable({ path = path, now = now or core.wall, member = owners.new(), said_count = 0,
    not_before = -math.huge }, Shared)
end

-- ---- the file ----

local function check(ok, message, code)
  if not ok then error({ message = message, code = code }, 0) end
  return ok
end

local function prepare(db)
  check(db:exec(settings))
  if check(db:rows "pragma user_version")[1].user_version == VERSION then return end
  check(db:exec("begin immediate;" .. tables .. ("pragma user_version = %d; commit")
    :format(VERSION)))
end

local function open(path)
  local sqlite = require "luafabric.sqlite"
  check(sqlite.private_file(path))
  local db = check(sqlite.open(path:sub(1, 1) == "/" and path or "./" .. path,
    { busy_timeout = BUSY_TIMEOUT }))
  local ok, problem = pcall(prepare, db)
  if ok then return db end
  db:close()
  error(problem, 0)
end

-- A machine that went down may have left half a page: nothing in it is worth a repair.
local broken = { NOTADB = true, CORRUPT = true }

local DELETED = "READONLY_DBMOVED"

local function remove_broken(path, problem)
  local code = type(problem) == "table" and problem.code
  if code and broken[code:match("^[^_]+")] then os.remove(path) end
end

local function connect(self)
  if self.db then return end
  local ok, db = pcall(open, self.path)
  if not ok then
    remove_broken(self.path, db)
    db = open(self.path)
  end
  self.db = db
  self.file_id = check(db:rows "select id from file")[1].id
end

--- Runs a plain function while no other process is in one; what it asks and says below is one
--- transaction.
---@param fn fun(...)
---@return boolean done  false: nothing is shared for now; the function may have run in part
function Shared:exclusively(fn, ...)
  if self.closed or self.now() < self.not_before then return false end
  local ok, problem = pcall(function(...)
    connect(self)
    check(self.db:exec "begin immediate")
    fn(...)
    check(self.db:exec "commit")
  end, ...)
  if ok then return true end
  -- Where the file was deleted, the next one is made anew.
  local is_deleted = type(problem) == "table" and problem.code == DELETED
  if not is_deleted then self.not_before = self.now() + PAUSE end
  if self.db then self.db:close() end -- undoes what was begun
  self.db = nil
  remove_broken(self.path, problem)
  return false
end

--- Twice does no harm; nothing is shared afterwards.
function Shared:close()
  self.closed = true
  if self.db then self.db:close() end
  self.db = nil
end

-- ---- the functions below are called within `exclusively` ----

--- What others have said since.
---@param topic string
---@param after integer  id of the last thing that is known; 0
---@param since number   unix seconds, and not before
---@return { id: integer, at: number, body: any }[]
function Shared:heard(topic, after, since)
  local rows = check(self.db:rows([[select id, at, body from said where topic = ?1 and id > ?2
    and at >= ?3 and member <> ?4 order by id]], topic, after, since, self.member))
  for _, row in ipairs(rows) do row.body = json.decode(row.body) end
  return rows
end

--- Says something to those who listen to a topic.
---@param topic string
---@param body table
---@return integer id
function Shared:say(topic, body)
  local now = self.now()
  check(self.db:exec("insert into said (topic, member, at, body) values (?1, ?2, ?3, ?4)", topic,
    self.member, now, core.encode_json(body)))
  if self.said_count % SAYS_BETWEEN_SWEEPS == 0 then
    check(self.db:exec("delete from said where at < ?1", now - KEPT))
  end
  self.said_count = self.said_count + 1
  return check(self.db:rows "select last_insert_rowid() as id")[1].id
end

--- The last word on something.
---@return any|nil body
function Shared:known(topic, key)
  local row = check(self.db:rows("select body from known where topic = ?1 and key = ?2", topic,
    key))[1]
  return row and json.decode(row.body)
end

--- All that is known of a topic.
---@param topic string
---@return { key: string, body: any }[]
function Shared:all_known(topic)
  local rows = check(self.db:rows("select key, body from known where topic = ?1", topic))
  for _, row in ipairs(rows) do row.body = json.decode(row.body) end
  return rows
end

function Shared:forget(topic, key)
  check(self.db:exec("delete from known where topic = ?1 and key = ?2", topic, key))
end

function Shared:set_known(topic, key, body)
  check(self.db:exec("insert or replace into known (topic, key, body) values (?1, ?2, ?3)", topic,
    key, core.encode_json(body)))
end

return M
