--- The tables of a store of runs, and whether a file is one. The version is in the file's
--- user_version; application_id tells our files from other programs' databases.

local errors = require "luafabric.errors"
local messages = require "luafabric.store.sqlite_messages"

local M = {}

M.VERSION = 2
M.APPLICATION = 0x4c466162 -- "LFab"

-- runs: one owner at a time, whose fence is one more than that of the owner before; what a stale
-- owner writes finds no row with its fence. `key`: one unfinished run of a key, see create_run.
-- events: the truth; the other tables only make questions quick that span runs.
-- intents: at most one open submission of a notebook, over all processes (DESIGN §3).
-- jobs: a job instance belongs to one attempt. Both hold that of a run which is not in `runs`, too,
-- see store/claims.lua.
-- successes: the last one of each notebook and request, for `once`; an exit value with a secret in
-- it is not there.
-- requests: what other processes ask of a run's owner, see store/requests.lua.
-- orders: runs that somebody wants, see store/orders.lua. `open` until its run has ended, or never
-- will be: of a key one order is open. `ended_told` when whoever wants to know of the end can.
-- joins: requests with an idempotency key that were answered with a run that was there already.
-- leases: what one process at a time does, see store/lease.lua.
-- webhooks: messages that have to arrive elsewhere, see store/webhooks.lua.
-- findings: how Fabric was seen to behave in a workspace, see store/findings.lua.
local tables = [[
create table runs (
  run_id text primary key not null,
  workflow text not null,
  key text,
  state text not null check (state in ('running', 'detached', 'ended')),
  outcome text,
  started_at real not null,
  ended_at real,
  owner text,
  fence integer not null,
  lease_until real,
  file text,
  script_hash text,
  inputs text,
  parent text
) without rowid;
create unique index one_unfinished_run_of_a_key on runs (key)
  where key is not null and state <> 'ended';
create index runs_by_start on runs (started_at);

create table events (
  run_id text not null references runs,
  seq integer not null,
  at real not null,
  type text not null,
  path text,
  body text not null,
  primary key (run_id, seq)
) without rowid;

create table intents (
  run_id text not null,
  path text not null,
  attempt integer not null,
  notebook text not null,
  at real not null,
  blocks_until real not null,
  state text not null check (state in ('open', 'closed')),
  primary key (run_id, path, attempt)
) without rowid;
create unique index one_open_intent_of_a_notebook on intents (notebook) where state = 'open';

create table jobs (
  job_id text primary key not null,
  run_id text not null,
  path text not null,
  attempt integer not null
) without rowid;

create table successes (
  notebook text not null,
  fingerprint text not null,
  run_id text not null references runs,
  path text not null,
  attempt integer not null,
  job_id text,
  exit_value text,
  exit_read integer not null,
  ended_at real not null,
  primary key (notebook, fingerprint)
) without rowid;

create table requests (
  id integer primary key,
  run_id text not null references runs,
  fence integer not null,
  at real not null,
  kind text not null check (kind in ('cancel', 'cancel_now', 'resolve_adopt',
    'resolve_not_started')),
  by text not null,
  path text,
  job_id text
);
create index requests_of_a_run on requests (run_id, fence, id);
]]

-- What version 2 has beside.
local tables_of_2 = [[
create index runs_by_outcome on runs (workflow, state, outcome);
create index runs_by_state on runs (state, started_at);

create table orders (
  seq integer primary key,
  run_id text unique not null,
  kind text not null check (kind in ('workflow', 'notebook', 'repair')),
  workflow text not null,
  inputs text,
  options text,
  parent text,
  key text,
  idempotency_key text,
  request_hash text,
  by text not null,
  at real not null,
  state text not null check (state in ('queued', 'started', 'refused', 'cancelled')),
  problem text,
  cancel text check (cancel in ('cancel', 'cancel_now')),
  cancel_by text,
  open integer not null default 1,
  ended_told integer not null default 0
);
create unique index one_order_of_an_idempotency_key on orders (kind, workflow, idempotency_key)
  where idempotency_key is not null;
create unique index one_open_order_of_a_key on orders (key) where key is not null and open = 1;
create unique index one_open_repair_of_a_run on orders (parent)
  where parent is not null and open = 1;
create index orders_without_run on orders (at) where state <> 'started';
create index queued_orders on orders (seq) where state = 'queued';
create index open_orders on orders (seq) where open = 1;
create index orders_to_cancel on orders (seq) where open = 1 and cancel is not null;
create index untold_orders on orders (seq) where ended_told = 0;

create table joins (
  kind text not null,
  workflow text not null,
  idempotency_key text not null,
  request_hash text,
  run_id text not null,
  at real not null,
  primary key (kind, workflow, idempotency_key)
) without rowid;

create table leases (
  name text primary key not null,
  owner text,
  fence integer not null,
  lease_until real
) without rowid;

create table webhooks (
  id text primary key not null,
  run_id text unique not null,
  at real not null,
  tries integer not null default 0,
  next_at real not null,
  state text not null check (state in ('waiting', 'delivered', 'given_up')),
  problem text
) without rowid;
create index waiting_webhooks on webhooks (next_at) where state = 'waiting';

create table findings (
  endpoint text not null,
  workspace_id text not null,
  question text not null,
  answer text not null,
  at real not null,
  primary key (endpoint, workspace_id, question)
) without rowid;
]]

local function value_of(db, pragma)
  local rows, message, code = db:rows("pragma " .. pragma)
  if not rows then return nil, message, code end
  return rows[1][pragma]
end

--- True where somebody has put tables in.
local function is_in_use(db)
  local rows, message, code = db:rows "select count(*) as count from sqlite_master"
  if not rows then return nil, message, code end
  return rows[1].count > 0
end

local function is_current(db)
  return value_of(db, "application_id") == M.APPLICATION
    and value_of(db, "user_version") == M.VERSION
end

local function refuse(message)
  return nil, errors.new { kind = "configuration", message = message }
end

--- Committed means on the disk, for every connection of ours; csrc/sqlite_committer.c says why this
--- journal goes with this level.
M.settings = "pragma journal_mode = truncate; pragma synchronous = full; "
  .. "pragma temp_store = memory"

--- In one transaction: the file is one of this version then, or what it was.
local function build(db, path, statements)
  local ok, message, code = db:exec(M.settings .. "; begin immediate;" .. statements
    .. ("pragma application_id = %d; pragma user_version = %d; commit")
      :format(M.APPLICATION, M.VERSION))
  if ok then return true end
  if db:in_transaction() then db:exec "rollback" end
  -- Another process was quicker.
  if value_of(db, "user_version") == M.VERSION then return true end
  return nil, messages.error(path, message, code)
end

--- Makes the tables in an empty file, adds those that an older version has not, and says what is
--- wrong with any other that is no store of this version. Nothing is written then.
---@param db luafabric.SqliteDatabase
---@param path string
---@param may_create boolean  or change: what may only be read is read as it is
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.check(db, path, may_create)
  local version, message, code = value_of(db, "user_version")
  if not version then return nil, messages.error(path, message, code) end
  local application = value_of(db, "application_id")
  if is_current(db) then return true end
  if application == M.APPLICATION and version == 1 then
    if not may_create then return true end
    return build(db, path, tables_of_2)
  end
  if application == M.APPLICATION and version > M.VERSION then
    return refuse(("%s is a store of version %d, and this luafabric knows version %d: use a newer "
      .. "luafabric, or another file with --store"):format(path, version, M.VERSION))
  end
  local in_use
  in_use, message, code = is_in_use(db)
  if in_use == nil then return nil, messages.error(path, message, code) end
  if in_use or version ~= 0 or application ~= 0 then
    if is_current(db) then return true end -- another process made it, between two of these looks
    return refuse(("%s is a database of another program: give another file with --store")
      :format(path))
  end
  if may_create then return build(db, path, tables .. tables_of_2) end
  return refuse(("%s is empty: no run was started with it"):format(path))
end

return M
