--- What somebody at another terminal asks of the process that runs a run: to cancel it. A request
--- is addressed to the owner of the moment (by its fence): who takes the run over later, to go on
--- with it, was not asked to stop.

local committing = require "luafabric.store.committing"
local errors = require "luafabric.errors"
local json = require "luafabric.json"
local messages = require "luafabric.store.sqlite_messages"

local M = {}

--- `cancel` lets the finally steps run, `cancel_now` does not.
--- The other two say what became of a submission of `path` that is in doubt: its run is `job_id`,
--- or there is none.
---@alias luafabric.RequestKind "cancel"|"cancel_now"|"resolve_adopt"|"resolve_not_started"

local INSERT = [[insert into requests (run_id, fence, at, kind, by, path, job_id)
  select run_id, fence, ?2, ?3, ?4, ?5, ?6 from runs where run_id = ?1 and state <> 'ended']]

local UNSEEN = [[select id, at, kind, by, path, job_id from requests
  where run_id = ?1 and fence = ?2 and id > ?3 order by id]]

local function has_ended(store, run_id)
  return errors.new { kind = "usage", store_code = "ended",
    message = ("run %s has ended, or is not in %s"):format(run_id, store.path) }
end

--- Asks the run's owner for something. It is on the disk when this returns; whether there is an
--- owner is not looked at.
---@param store luafabric.SqliteStore
---@param run_id string
---@param kind luafabric.RequestKind
---@param by string|nil  default "user"
---@param about { path: string, job_id: string|nil }|nil  of a submission in doubt
---@return boolean|nil ok
---@return luafabric.Error|nil err  of a run that has ended: kind "usage", store_code "ended"
function M.add(store, run_id, kind, by, about)
  local null = json.null
  local changes, message, code = store.db:exec(INSERT, run_id, store.now(), kind, by or "user",
    about and about.path or null, about and about.job_id or null)
  if not changes then return nil, messages.error(store.path, message, code) end
  if changes > 0 then return true end
  return nil, has_ended(store, run_id)
end

--- The same in a task, whose thread has other things to do than to wait for the disk.
---@param store luafabric.SqliteStore
---@param run_id string
---@param kind "cancel"|"cancel_now"
---@param by string
---@return boolean|nil ok
---@return luafabric.Error|nil err  of a run that has ended: kind "usage", store_code "ended"
function M.place(store, run_id, kind, by)
  local ok, err = committing.commit(store, { { INSERT, run_id, store.now(), kind, by, json.null,
    json.null, changes = 1 } })
  if ok or not committing.is_refused(err) then return ok, err end
  return nil, has_ended(store, run_id)
end

---@class luafabric.StoredRequest
---@field id integer
---@field at number  unix seconds
---@field kind luafabric.RequestKind
---@field by string
---@field path string|nil    of a submission in doubt
---@field job_id string|nil

local NONE = {}

--- The number of the last request of all; those that ask at the same moment share it.
local function newest(store, known)
  if known and known[store] then return known[store] end
  local rows, err = store:rows "select coalesce(max(id), 0) as id from requests"
  if not rows then return nil, err end
  if known then known[store] = rows[1].id end
  return rows[1].id
end

--- What the owner of a run was asked for since it looked last; a run that was lost has none. Quick
--- where there is nothing, so that it can be called every second.
---@param run luafabric.StoredRun
---@param known table|nil  empty at first: what runs share that ask one right after the other
---@return luafabric.StoredRequest[]|nil requests
---@return luafabric.Error|nil err  the next call tells them again
function M.unseen(run, known)
  local seen = run.last_request or 0
  local last, err = newest(run.store, known)
  if not last then return nil, err end
  if last <= seen then return NONE end
  local rows
  rows, err = run.store:rows(UNSEEN, run.run_id, run.fence, seen)
  if not rows then return nil, err end
  run.last_request = #rows > 0 and math.max(last, rows[#rows].id) or last
  return rows
end

return M
