--- Who runs a run of the store: making one, taking one, and whether somebody holds it. Done at
--- once, since nothing else can be done before it is known.

local codec = require "luafabric.store.event_codec"
local direct = require "luafabric.store.sqlite_direct"
local errors = require "luafabric.errors"
local json = require "luafabric.json"
local messages = require "luafabric.store.sqlite_messages"
local owners = require "luafabric.store.owner"
local run_module = require "luafabric.store.sqlite_run"
local standing = require "luafabric.store.standing"

local M = {}

local INSERT_RUN = [[insert into runs (run_id, workflow, key, state, started_at, owner, fence,
  lease_until, file, script_hash, inputs, parent)
  values (?1, ?2, ?3, 'running', ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10)]]

---@return luafabric.Error
function M.no_such_run(store, run_id)
  return errors.new { kind = "not_found",
    message = ("no run %s in %s; runs belong to the machine that started them")
      :format(run_id, store.path) }
end

--- Whether an owner surely does nothing any more.
---@param store luafabric.SqliteStore
---@param owner string
---@return boolean
function M.is_gone(store, owner)
  return store.former ~= nil and store.former[owner] or owners.is_gone(owner)
end

--- True while the run has an owner who is not surely gone and whose lease has not run out.
---@param store luafabric.SqliteStore
---@param row luafabric.RunRow
---@return boolean
function M.is_held(store, row)
  return row.owner ~= nil and (row.lease_until or -math.huge) > store.now()
    and not M.is_gone(store, row.owner)
end

--- What is said of a key that an unfinished run has.
---@param row luafabric.RunRow|nil  that run; nil: it has ended meanwhile
---@param given { workflow: string }
---@return luafabric.Error err  store_code "duplicate"; run: the row
function M.duplicate(row, given)
  local id, who = "another", "has not ended"
  if row then
    id, who = row.run_id, "is run by " .. standing.owner(row)
    if standing.is_left(row) then
      who = "has not ended, and nobody runs it: " .. standing.why_left(row)
    end
  end
  return errors.new { kind = "usage", store_code = "duplicate", run = row,
    message = ("run %s of workflow %s has the same key and %s"):format(id,
      row and row.workflow or given.workflow, who) }
end

local function duplicate_of(store, given)
  local row, err = store:unfinished(given.key)
  return err or M.duplicate(row, given)
end

local function encoded_inputs(given)
  if given.inputs == nil then return json.null end
  local text, message = codec.encode(given.inputs)
  if not text then error("create_run: inputs: " .. message, 3) end
  return text
end

---@class luafabric.NewRun
---@field run_id string
---@field workflow string
---@field key string|nil          at most one run of a key is unfinished
---@field started_at number|nil   unix seconds, default now
---@field file string|nil
---@field script_hash string|nil
---@field inputs any
---@field parent string|nil       the run that this one repairs
---@field events table[]|nil      its first events, in the same commit: a run whose process ends
---  right here can be taken up like any other, and its key is nobody's for ever

--- Puts a new run into the store, and takes it. A key with an unfinished run is an error with
--- store_code "duplicate", and that run is the error's `run`; an id that is there is "exists".
---@param store luafabric.SqliteStore
---@param given luafabric.NewRun
---@return luafabric.StoredRun|nil run
---@return luafabric.Error|nil err
function M.create_run(store, given)
  local now = store.now()
  local till = now + store.lease
  local null = json.null
  local run = run_module.new(store, { run_id = given.run_id, fence = 1, lease_until = till })
  local unit = { { INSERT_RUN, given.run_id, given.workflow, given.key or null,
    given.started_at or now, store.owner, till, given.file or null, given.script_hash or null,
    encoded_inputs(given), given.parent or null } }
  local ok, message, code, err
  ok, err = run_module.add_events(run, given.events or {}, unit)
  if not ok then return nil, err end
  ok, message, code = direct.transact(store.db, unit)
  if ok then return run end
  if message:find("runs.key", 1, true) then return nil, duplicate_of(store, given) end
  if message:find("runs.run_id", 1, true) then
    return nil, errors.new { kind = "usage", store_code = "exists",
      message = ("there is a run %s in %s already"):format(given.run_id, store.path) }
  end
  return nil, messages.error(store.path, message, code)
end

local function owned_by(store, row)
  local pid = owners.pid(row.owner)
  return errors.new { kind = "usage", store_code = "owned", run = row,
    message = ("run %s is being run by %s: wait for it, or cancel it"):format(row.run_id,
      row.owner == store.owner and "this process" or pid and "process " .. pid
        or "another process") }
end

--- Takes a run that nobody holds: it was released, its owner is gone, or has not renewed its lease.
---@param store luafabric.SqliteStore
---@param run_id string
---@param options { take_over: boolean|nil, ended: boolean|nil }|nil  take_over: also from an owner
---  who holds it; ended: one that has ended, to write down what was found out later; it stays ended
---@return luafabric.StoredRun|nil run
---@return luafabric.Error|nil err  store_code "owned": somebody holds it
function M.open_run(store, run_id, options)
  local rows, err = store:rows("select * from runs where run_id = ?1", run_id)
  if not rows then return nil, err end
  local row = rows[1]
  if not row then return nil, M.no_such_run(store, run_id) end
  local has_ended = row.state == "ended"
  if has_ended and not (options and options.ended) then
    return nil, errors.new { kind = "usage", run = row,
      message = ("run %s has ended: %s"):format(run_id, tostring(row.outcome)) }
  end
  if M.is_held(store, row) and not (options and options.take_over) then
    return nil, owned_by(store, row)
  end
  local till = store.now() + store.lease
  local changes, message, code = store.db:exec([[update runs set state = ?6, owner = ?1,
    fence = fence + 1, lease_until = ?2 where run_id = ?3 and fence = ?4 and state = ?7
    and lease_until is ?5]], store.owner, till, run_id, row.fence, row.lease_until or json.null,
    has_ended and "ended" or "running", row.state)
  if not changes then return nil, messages.error(store.path, message, code) end
  -- Somebody else was quicker, or the owner renewed its lease: look again.
  if changes == 0 then return M.open_run(store, run_id, options) end
  local is_alone = row.owner == nil or M.is_gone(store, row.owner)
  return run_module.new(store, { run_id = run_id, fence = row.fence + 1, lease_until = till,
    rival_until = not is_alone and till or nil })
end

return M
