--- Orders: runs that somebody wants. Any process of a store places them, and they are on the disk
--- before anybody is told of one; the one that holds the lease "engine" carries them out. The run
--- that comes of an order has the order's id. An order is open until its run has ended, or until it
--- is known that there will be none; of a run key (workflow/run_key) one order is open.

local codec = require "luafabric.store.event_codec"
local committing = require "luafabric.store.committing"
local errors = require "luafabric.errors"
local json = require "luafabric.json"
local owning = require "luafabric.store.sqlite_owning"

local M = {}

--- The lease of the process that carries out orders.
M.LEASE = "engine"

local MOST_TRIES = 5 -- somebody else may place, or end, the same thing at the same time

-- The open order of a key whose run has ended is closed here, too: who carries out orders may not
-- have come to it.
local CLOSE_ENDED = [[update orders set open = 0 where (key = ?1 or parent = ?2) and open = 1
  and exists (select 1 from runs where runs.run_id = orders.run_id and runs.state = 'ended')]]
local INSERT = [[insert into orders (run_id, kind, workflow, inputs, options, key,
    idempotency_key, request_hash, by, at, parent, state)
  select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'queued'
  where not exists (select 1 from runs where run_id = ?1 or key = ?6 and state <> 'ended')
    and not exists (select 1 from joins where kind = ?2 and workflow = ?3
      and idempotency_key = ?7)]]
local JOIN = [[insert into joins (kind, workflow, idempotency_key, request_hash, run_id, at)
  select ?1, ?2, ?3, ?4, ?5, ?6 where not exists (select 1 from orders where kind = ?1
    and workflow = ?2 and idempotency_key = ?3)]]

-- ---- reading ----

---@class luafabric.OrderRow
---@field seq integer               in the order of their placing
---@field run_id string
---@field kind "workflow"|"notebook"|"repair"
---@field workflow string
---@field inputs any
---@field options table|nil
---@field parent string|nil         the run that is to be repaired
---@field key string|nil            the run's
---@field idempotency_key string|nil
---@field request_hash string|nil
---@field by string
---@field at number                 unix seconds
---@field state "queued"|"started"|"refused"|"cancelled"  started: there is a run, or soon will be
---@field problem string|nil        why it was refused, or why it does not go on for now
---@field cancel "cancel"|"cancel_now"|nil  somebody wants its run to end
---@field cancel_by string|nil      who
---@field open boolean              its run has not ended, as far as was looked
---@field ended_told boolean        whoever wants to know of its end can

local function order_rows(store, condition, ...)
  local rows, err = store:rows("select * from orders " .. condition, ...)
  if not rows then return nil, err end
  for _, row in ipairs(rows) do
    row.inputs = row.inputs and codec.decode(row.inputs)
    row.options = row.options and codec.decode(row.options)
    row.open, row.ended_told = row.open == 1, row.ended_told == 1
  end
  return rows
end

local function order_row(store, condition, ...)
  local rows, err = order_rows(store, condition, ...)
  return rows and rows[1], err
end

--- The order of this run, or the only one whose run's id begins so.
---@param store luafabric.SqliteStore
---@param prefix string
---@return luafabric.OrderRow|nil row
---@return luafabric.Error|nil err  kind "not_found", or "usage" where there are several
function M.find(store, prefix)
  local rows, err = order_rows(store,
    [[where run_id between ?1 and ?1 || char(1114111) and substr(run_id, 1, length(?1)) = ?1
      order by run_id limit 2]], prefix)
  if not rows then return nil, err end
  if prefix == "" or #rows == 0 then
    return nil, errors.new { kind = "not_found",
      message = ("no run %s was ordered in %s"):format(prefix, store.path) }
  end
  if #rows == 1 or rows[1].run_id == prefix then return rows[1] end
  return nil, errors.new { kind = "usage",
    message = ("several runs in %s begin with %s, such as %s and %s: give more of the id")
      :format(store.path, prefix, rows[1].run_id, rows[2].run_id) }
end

--- The order with this idempotency key, or the run that a request with it joined.
---@param store luafabric.SqliteStore
---@param kind "workflow"|"notebook"|"repair"
---@param workflow string
---@param key string
---@return luafabric.OrderRow|{ run_id: string, request_hash: string|nil }|nil row  nil without an
---  error: there is none
---@return luafabric.Error|nil err
function M.by_idempotency(store, kind, workflow, key)
  local row, err = order_row(store, "where kind = ?1 and workflow = ?2 and idempotency_key = ?3",
    kind, workflow, key)
  if row or err then return row, err end
  local rows
  rows, err = store:rows([[select run_id, request_hash from joins where kind = ?1
    and workflow = ?2 and idempotency_key = ?3]], kind, workflow, key)
  return rows and rows[1], err
end

---@class luafabric.OrderFilter
---@field limit integer|nil
---@field before string|nil    id of a run: what was placed before it
---@field state string|nil
---@field workflow string|nil

--- The latest orders, the last one first.
---@param store luafabric.SqliteStore
---@param options luafabric.OrderFilter|nil
---@return luafabric.OrderRow[]|nil rows
---@return luafabric.Error|nil err
function M.list(store, options)
  options = options or {}
  return order_rows(store, [[where (?1 is null or state = ?1) and (?2 is null or workflow = ?2)
    and (?3 is null or seq < (select seq from orders where run_id = ?3))
    order by seq desc limit ?4]], options.state, options.workflow, options.before,
    options.limit or -1)
end

-- ---- placing ----

---@class luafabric.NewOrder
---@field run_id string
---@field kind "workflow"|"notebook"|"repair"
---@field workflow string
---@field inputs any                     what JSON can say; no secret
---@field options table|nil              the same
---@field key string|nil                 the run's, see workflow/run_key; nil: any number of them
---@field idempotency_key string|nil     of a kind and workflow there is one order with it
---@field request_hash string|nil        tells whether two requests with that key are the same
---@field by string|nil                  who asks; default "user"

local function encoded(value, name)
  if value == nil then return json.null end
  local text, message = codec.encode(value)
  if not text then error(("orders.place: %s: %s"):format(name, message), 3) end
  return text
end

local function same_key(row, given)
  return errors.new { kind = "usage", store_code = "same_key", order = row,
    message = ("the idempotency key %s was used before, for run %s"):format(given.idempotency_key,
      row.run_id) }
end

-- Another repair of the same run that has not ended.
local function other_repair(store, given)
  local parent = given.options and given.options.parent
  if not parent then return nil end
  local row, err = order_row(store, [[where parent = ?1 and open = 1 and not exists (
    select 1 from runs where runs.run_id = orders.run_id and runs.state = 'ended')]], parent)
  if not row then return err end
  return errors.new { kind = "usage", store_code = "repairing", order = row,
    message = ("run %s is being repaired by run %s"):format(parent, row.run_id) }
end

--- What stands in the way of an order; nothing at all: nothing does.
local function obstacle(store, given)
  local row, err
  if given.idempotency_key then
    row, err = M.by_idempotency(store, given.kind, given.workflow, given.idempotency_key)
    if row or err then return err or same_key(row, given) end
  end
  err = other_repair(store, given)
  if err or not given.key then return err end
  row, err = store:unfinished(given.key)
  if row or err then return err or owning.duplicate(row, given) end
  row, err = order_row(store, [[where key = ?1 and open = 1 and not exists (select 1 from runs
    where runs.run_id = orders.run_id and runs.state = 'ended')]], given.key)
  if not row then return err end
  return errors.new { kind = "usage", store_code = "duplicate", order = row,
    message = ("run %s of workflow %s has the same key and waits to be started"):format(row.run_id,
      row.workflow) }
end

-- What was placed; where it cannot be read now, what is known of it.
local function placed(store, given)
  local row = order_row(store, "where run_id = ?1", given.run_id)
  if row then return row end
  local known = { state = "queued", open = true, ended_told = false, at = store.now() }
  for name, value in pairs(given) do known[name] = value end
  return known
end

-- Why it was refused although nothing stands in its way.
local function not_placed(store, given)
  local rows, err = store:rows([[select 1 from runs where run_id = ?1
    union all select 1 from orders where run_id = ?1]], given.run_id)
  if not rows then return err end
  return errors.new { kind = "usage", message = ("run %s cannot be ordered in %s: %s"):format(
    given.run_id, store.path, rows[1] and "there is one of that id already"
    or "somebody else orders and ends the same thing all the time; repeat it") }
end

--- Places an order; in a task. It is on the disk when this returns.
---@param store luafabric.SqliteStore
---@param given luafabric.NewOrder
---@return luafabric.OrderRow|nil row
---@return luafabric.Error|nil err  store_code "same_key": `order` is the one with this idempotency
---  key; "duplicate": `order`, or `run`, is an unfinished one with the same run key; "repairing":
---  `order` is an unfinished repair of the same run
function M.place(store, given)
  local null, by = json.null, given.by or "user"
  local inputs, options = encoded(given.inputs, "inputs"), encoded(given.options, "options")
  local parent = given.options and given.options.parent or null
  local ok, err
  for _ = 1, MOST_TRIES do
    err = obstacle(store, given)
    if err then return nil, err end
    ok, err = committing.commit(store, { { CLOSE_ENDED, given.key or null, parent },
      { INSERT, given.run_id, given.kind, given.workflow, inputs, options, given.key or null,
        given.idempotency_key or null, given.request_hash or null, by, store.now(), parent,
        changes = 1 } })
    if ok then return placed(store, given) end
    if not committing.is_refused(err) then return nil, err end
  end
  return nil, not_placed(store, given)
end

--- Keeps that a request with an idempotency key was answered with a run that was there, so that it
--- is answered so for ever; in a task. It is on the disk when this returns.
---@param store luafabric.SqliteStore
---@param given luafabric.NewOrder  with its idempotency_key
---@param run_id string
---@return boolean|nil ok
---@return luafabric.Error|nil err  store_code "same_key": `order` is what has the key already
function M.join(store, given, run_id)
  local ok, err = committing.commit(store, { { JOIN, given.kind, given.workflow,
    given.idempotency_key, given.request_hash or json.null, run_id, store.now(), changes = 1 } })
  if ok then return true end
  if not committing.is_refused(err) then return nil, err end
  local row
  row, err = M.by_idempotency(store, given.kind, given.workflow, given.idempotency_key)
  return nil, row and same_key(row, given) or err
end

-- ---- cancelling ----

local CANCEL_QUEUED = [[update orders set state = 'cancelled', open = 0, cancel = ?2,
  cancel_by = ?3 where run_id = ?1 and state = 'queued'
    and not exists (select 1 from runs where run_id = ?1)]]
-- A wish is only ever made stronger.
local WISH = [[update orders set cancel = ?2, cancel_by = ?3 where run_id = ?1
  and state = 'started' and open = 1 and (cancel is null or ?2 = 'cancel_now' and cancel <> ?2)]]
-- Somebody else may have taken it up, as by `luafabric run --resume`.
local ASK = [[insert into requests (run_id, fence, at, kind, by)
  select run_id, fence, ?2, ?3, ?4 from runs where run_id = ?1 and state <> 'ended'
    and owner is not null and owner is not (select owner from leases where name = ?5)]]

local function has_ended(row, store)
  return errors.new { kind = "usage", store_code = "ended",
    message = ("run %s in %s has ended"):format(row.run_id, store.path) }
end

--- Has it end: one that is queued never starts, the run of one that was started is cancelled by
--- whoever carries it out, now or later. In a task.
---@param store luafabric.SqliteStore
---@param run_id string
---@param kind "cancel"|"cancel_now"|nil  cancel: its finally steps run
---@param by string|nil  who wants it; default "user"
---@return "cancelled"|"asked"|nil became
---@return luafabric.Error|nil err  kind "not_found"; store_code "ended"
function M.cancel(store, run_id, kind, by)
  kind, by = kind or "cancel", by or "user"
  local row, err = order_row(store, "where run_id = ?1", run_id)
  if err then return nil, err end
  if not row then return M.find(store, run_id) end
  local run = store:find(run_id)
  local is_over = row.state == "refused" or row.state == "cancelled" or run and run.state == "ended"
  if is_over then return nil, has_ended(row, store) end
  local ok
  ok, err = committing.commit(store, { { WISH, run_id, kind, by },
    { ASK, run_id, store.now(), kind, by, M.LEASE }, { CANCEL_QUEUED, run_id, kind, by } })
  if not ok then return nil, err end
  row = order_row(store, "where run_id = ?1", run_id)
  return row and row.state == "cancelled" and "cancelled" or "asked"
end

-- ---- carrying out: for the one that holds the lease ----

--- Orders that wait to be started, the oldest first.
---@param store luafabric.SqliteStore
---@param after integer|nil  `seq` of the last one known
---@param limit integer|nil
---@return luafabric.OrderRow[]|nil rows
---@return luafabric.Error|nil err
function M.queued(store, after, limit)
  return order_rows(store, "where state = 'queued' and seq > ?1 order by seq limit ?2", after or 0,
    limit or -1)
end

--- Open orders that were started, and whose run nobody holds: there is none yet, somebody left it,
--- or this owner has not held it for long.
---@param store luafabric.SqliteStore
---@return luafabric.OrderRow[]|nil rows
---@return luafabric.Error|nil err
---@return boolean|nil may_come  others hold runs, or do no more: time alone may bring some
function M.left(store)
  local rows, err = order_rows(store, [[left join (select run_id, owner, lease_until from runs)
    using (run_id) where open = 1 and state = 'started'
      and (owner is not ?1 or lease_until <= ?2) order by seq]], store.owner, store.now())
  if not rows then return nil, err end
  local left, gone = {}, {}
  for _, row in ipairs(rows) do
    local owner, till = row.owner, row.lease_until or -math.huge
    if owner and gone[owner] == nil then gone[owner] = owning.is_gone(store, owner) end
    row.owner, row.lease_until = nil, nil
    if not owner or gone[owner] or till <= store.now() then left[#left + 1] = row end
  end
  return left, nil, #rows > 0
end

--- The wishes to cancel open runs.
---@param store luafabric.SqliteStore
---@return { run_id: string, cancel: string, cancel_by: string }[]|nil rows
---@return luafabric.Error|nil err
function M.wishes(store)
  return store:rows [[select run_id, cancel, cancel_by from orders
    where open = 1 and state = 'started' and cancel is not null]]
end

--- Those whose end was not told yet: their run has ended, or they were refused, or cancelled before
--- they began.
---@param store luafabric.SqliteStore
---@return luafabric.OrderRow[]|nil rows
---@return luafabric.Error|nil err
function M.untold(store)
  return order_rows(store, [[where ended_told = 0 and (state in ('refused', 'cancelled')
    or exists (select 1 from runs where runs.run_id = orders.run_id and runs.state = 'ended'))
    order by seq]])
end

-- Why it could not begin before is known until it begins: a try may take long.
local CLAIM = [[update orders set state = 'started'
  where run_id = ?1 and state = 'queued']]

--- Takes a queued order, so that nobody else does; in a task.
---@return boolean|nil taken       nil without an error: it was cancelled, or somebody has it
---@return luafabric.Error|nil err
function M.claim(store, run_id)
  local ok, err = committing.commit(store, { { CLAIM, run_id, changes = 1 } })
  if ok then return true end
  if committing.is_refused(err) then return nil end
  return nil, err
end

---@alias luafabric.SetOrder fun(store: luafabric.SqliteStore, run_id: string, problem: string|nil):
---  boolean|nil, luafabric.Error|nil

---@return luafabric.SetOrder
local function set(sql)
  return function(store, run_id, problem)
    return committing.commit(store, { { sql, run_id, problem or json.null } })
  end
end

--- What was claimed could not be started for now, and why; in a task. One that was to be cancelled
--- meanwhile is. Nothing changes where there is a run: somebody else started it.
---@type luafabric.SetOrder
M.give_back = set [[update orders set problem = ?2,
  state = case when cancel is null then 'queued' else 'cancelled' end, open = cancel is null
  where run_id = ?1 and state = 'started'
    and not exists (select 1 from runs where run_id = ?1)]]

--- It will never be started, and why; in a task. Nothing changes where there is a run.
---@type luafabric.SetOrder
M.refuse = set [[update orders set state = 'refused', problem = ?2, open = 0
  where run_id = ?1 and state in ('queued', 'started')
    and not exists (select 1 from runs where run_id = ?1)]]

--- Why it does not go on for now, or nil: it does; in a task.
---@type luafabric.SetOrder
M.set_problem = set "update orders set problem = ?2 where run_id = ?1 and problem is not ?2"

local END = [[update orders set open = 0, ended_told = 1 where run_id = ?1 and ended_told = 0
  and (state in ('refused', 'cancelled')
    or exists (select 1 from runs where run_id = ?1 and state = 'ended'))]]

--- Its end is told; in a task. Nothing changes where there is none: somebody else goes on with it.
---@param store luafabric.SqliteStore
---@param run_id string
---@param also table[]|nil  statements of the same commit, such as a message to be sent
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.tell_end(store, run_id, also)
  local unit = { { END, run_id, changes = 1 } }
  for _, statement in ipairs(also or {}) do unit[#unit + 1] = statement end
  local ok, err = committing.commit(store, unit)
  if ok or committing.is_refused(err) then return true end
  return nil, err
end

return M
