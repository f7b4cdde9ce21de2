--- One run of a store of runs, in the hands of its owner. The engine writes to it as to the store
--- in memory. Every write checks the fence: a process that lost the run to another writes nothing.

local codec = require "luafabric.store.event_codec"
local errors = require "luafabric.errors"
local json = require "luafabric.json"
local messages = require "luafabric.store.sqlite_messages"
local requests = require "luafabric.store.requests"

local M = {}

-- Where the fence is not ours any more, run_id is NULL, which the table refuses.
local INSERT_EVENT = [[insert into events (run_id, seq, at, type, path, body) values (
  (select run_id from runs where run_id = ?1 and fence = ?2),
  (select coalesce(max(seq), 0) + 1 from events where run_id = ?1), ?3, ?4, ?5, ?6)]]

local HOLD = "update runs set lease_until = ?3 where run_id = ?1 and fence = ?2"
local RELEASE = "update runs set owner = null, lease_until = null where run_id = ?1 and fence = ?2"
local END = [[update runs set state = 'ended', outcome = ?3, ended_at = ?4
  where run_id = ?1 and fence = ?2]]
local DETACH = "update runs set state = 'detached' where run_id = ?1 and fence = ?2"
local INSERT_JOB = "insert into jobs (run_id, path, attempt, job_id) values (?1, ?2, ?3, ?4)"
local CLOSE_INTENT = [[update intents set state = 'closed'
  where run_id = ?1 and path = ?2 and attempt = ?3 and state = 'open']]
local PROLONG_INTENT = [[update intents set blocks_until = max(blocks_until, ?4)
  where run_id = ?1 and path = ?2 and attempt = ?3 and state = 'open']]
local EXPIRE_INTENT = [[update intents set state = 'closed'
  where notebook = ?1 and state = 'open' and blocks_until <= ?2]]
local OPEN_INTENT = [[insert into intents (run_id, path, attempt, notebook, at, blocks_until, state)
  values (?1, ?2, ?3, ?4, ?5, ?6, 'open')]]
-- A claim (store/claims.lua) is no run's, and another's.
local RIVAL_INTENT = [[select intents.* from intents left join runs using (run_id)
  where notebook = ?1 and intents.state = 'open' and blocks_until > ?2
    and (?3 is null or owner is not ?3)]]
-- A repeated one: the same attempt, whose answer said that nothing was started.
local FORGET_INTENT = "delete from intents where run_id = ?1 and path = ?2 and attempt = ?3"

local INSERT_SUCCESS = [[insert or replace into successes (notebook, fingerprint, run_id, path,
  attempt, job_id, exit_value, exit_read, ended_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)]]

--- For store/claims.
M.statements = { expire_intent = EXPIRE_INTENT, forget_intent = FORGET_INTENT,
  open_intent = OPEN_INTENT, close_intent = CLOSE_INTENT, insert_job = INSERT_JOB }

---@class luafabric.StoredRun
---@field run_id string
---@field fence integer   grows with every owner
---@field rival_until number|nil  unix seconds until which the owner before may still send what it
---  had written down; nil: it is surely gone, or let go
---@field lost luafabric.Error|nil  why it is not ours any more
local Run = {}
Run.__index = Run

--- The run's handle. Only the store makes one.
---@param store luafabric.SqliteStore
---@param given { run_id: string, fence: integer, lease_until: number, rival_until: number|nil }
---@return luafabric.StoredRun
function M.new(store, given)
  return setmetatable({ store = store, run_id = given.run_id, fence = given.fence,
    lease_until = given.lease_until, rival_until = given.rival_until }, Run)
end

-- ---- what an event changes beside the list of events ----

local also = {}

local function close_intent(run, event, unit)
  unit[#unit + 1] = { CLOSE_INTENT, run.run_id, event.path, event.attempt }
end

function also.attempt_submitted(run, event, unit)
  close_intent(run, event, unit)
  if not event.job_id then return end
  unit[#unit + 1] = { INSERT_JOB, run.run_id, event.path, event.attempt, event.job_id }
end

also.attempt_adopted = also.attempt_submitted

also.attempt_resolved = also.attempt_submitted

also.attempt_waiting = close_intent

-- One whose owner ended may have been sent later than it was written down: until it could last.
function also.attempt_doubtful(run, event, unit)
  if not event.blocks_until then return end
  unit[#unit + 1] = { PROLONG_INTENT, run.run_id, event.path, event.attempt, event.blocks_until }
end

-- While it is unknown whether there is a run, the intent blocks its notebook until its time is up;
-- not where it is sent again all the same.
function also.attempt_ended(run, event, unit)
  if event.outcome ~= "unknown" or event.unblocks then close_intent(run, event, unit) end
  local success = event.success
  if not success then return end
  unit[#unit + 1] = { INSERT_SUCCESS, success.notebook, success.fingerprint, run.run_id,
    event.path, event.attempt, event.job_id or json.null,
    not event.is_exit_masked and event.exit_value or json.null,
    event.exit_read and not event.is_exit_masked and 1 or 0, event.at }
end

function also.run_ended(run, event, unit)
  unit[#unit + 1] = { END, run.run_id, run.fence, event.outcome or json.null, event.at,
    changes = 1 }
end

function also.detached(run, _, unit)
  unit[#unit + 1] = { DETACH, run.run_id, run.fence, changes = 1 }
end

-- ---- writing ----

--- The event without what has columns of its own.
local function body_of(event)
  local body = {}
  for name, value in pairs(event) do
    if name ~= "type" and name ~= "at" and name ~= "path" then body[name] = value end
  end
  return codec.encode(body)
end

local function add_event(run, event, unit)
  local body, message = body_of(event)
  if not body then
    return nil, errors.new { kind = "configuration", store_code = "event",
      message = ("an event %s of run %s cannot be written down: %s"):format(tostring(event.type),
        run.run_id, message) }
  end
  unit[#unit + 1] = { INSERT_EVENT, run.run_id, run.fence, event.at, event.type,
    event.path or json.null, body }
  local change = also[event.type]
  if change then change(run, event, unit) end
  return true
end

--- Adds events, in order, to a unit.
---@param run luafabric.StoredRun
---@param events table[]
---@param unit table[]
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.add_events(run, events, unit)
  for _, event in ipairs(events) do
    local ok, err = add_event(run, event, unit)
    if not ok then return nil, err end
  end
  return true
end

local function add_intent(run, intent, unit)
  local now = run.store.now()
  unit[#unit + 1] = { EXPIRE_INTENT, intent.notebook, now }
  if intent.again then
    unit[#unit + 1] = { FORGET_INTENT, run.run_id, intent.path, intent.attempt }
  end
  unit[#unit + 1] = { OPEN_INTENT, run.run_id, intent.path, intent.attempt, intent.notebook,
    intent.at or now, intent.blocks_until }
end

---@class luafabric.StoredIntent  an attempt that is about to be submitted
---@field notebook string       what must be unique: workspace and notebook ids
---@field path string
---@field attempt integer
---@field blocks_until number   unix seconds: no other submission of the notebook until then
---@field at number|nil         unix seconds, default now
---@field again boolean|nil     it was open before, and surely nothing was started: it is a new one.
---  Otherwise an attempt has one intent, once

--- Takes events, in order, as one unit. `intent` opens one in the same unit: where the notebook has
--- an open intent already, nothing of the unit is written, and `is_durable` says so.
---@param events table[]
---@param intent luafabric.StoredIntent|nil
---@return integer|nil ticket
---@return luafabric.Error|nil err  nothing is written any more: a full disk, a failed fsync …
function Run:append(events, intent)
  local unit = {}
  local ok, err = M.add_events(self, events, unit)
  if not ok then return nil, err end
  if #events == 0 then
    unit[#unit + 1] = { HOLD, self.run_id, self.fence, self.lease_until, changes = 1 }
  end
  -- Behind the check of the fence: who lost the run is told that, and not what its heir did since.
  if intent then add_intent(self, intent, unit) end
  return self.store:commit(unit)
end

--- What a refusal of this run's units means.
local function explain(run, refused)
  local message, code = refused.message, refused.code
  if code == "CONSTRAINT" or message:find("events.run_id", 1, true) then
    return "fenced", ("run %s was taken over by another process: this one stops writing")
      :format(run.run_id)
  end
  if message:find("intents.notebook", 1, true) then
    return "intent_open", "another submission of this notebook is not settled yet"
  end
  if message:find("intents.run_id", 1, true) then
    return "intended", "this attempt was written down as intended before"
  end
  if message:find("jobs.job_id", 1, true) then
    return "job_taken", "this job instance belongs to another attempt already"
  end
end

--- Whether the unit of that ticket is on the disk. When it never will be, the error says why;
--- its `store_code` is "fenced", "intent_open", "job_taken", or SQLite's name of what is wrong.
---@param ticket integer
---@return boolean durable
---@return luafabric.Error|nil err
function Run:is_durable(ticket)
  local durable, refused, err = self.store:look_up(ticket)
  if not refused then return durable, err end
  local code, message = explain(self, refused)
  if not code then return false, messages.error(self.store.path, refused.message, refused.code) end
  return false, errors.new { kind = "configuration", store_code = code, message = message }
end

-- ---- the lease ----

local function deleted(run)
  return errors.new { kind = "configuration", store_code = "deleted",
    message = ("the store of runs %s was deleted or moved while run %s was on: nothing more is "
      .. "sent, since nobody could take it up again. Put the file back, or look in Fabric"):format(
      run.store.path, run.run_id) }
end

--- Holds the run for another while. It is held when the ticket is durable: `owned_until` knows. One
--- is asked for at a time: a disk that hangs gets no queue of them.
---@param host_time number|nil  of a clock that nobody sets, for `held_until`
---@return integer|nil ticket
---@return luafabric.Error|nil err
function Run:renew(host_time)
  self:owned_until() -- takes in what was renewed meanwhile
  if self.renewal then return self.renewal.ticket end
  if not self.store:is_there() then return nil, deleted(self) end
  local till = self.store.now() + self.store.lease
  local ticket, err = self.store:commit {
    { HOLD, self.run_id, self.fence, till, changes = 1 } }
  if not ticket then return nil, err end
  self.renewal = { ticket = ticket, till = till,
    held_until = host_time and host_time + self.store.lease }
  return ticket
end

--- Until when the run is surely ours; nothing may be sent for it later than that.
---@return number at  unix seconds; of a run that was lost or closed, -math.huge
function Run:owned_until()
  local renewal = self.renewal
  if not renewal then return self.lease_until end
  local durable, err = self:is_durable(renewal.ticket)
  if not durable and not err then return self.lease_until end
  self.renewal = nil
  if err then
    self.lost, self.lease_until, self.held = err, -math.huge, nil
  else
    self.lease_until, self.held = renewal.till, renewal.held_until
  end
  return self.lease_until
end

--- The same on the clock that was given to `renew`, which nobody sets.
---@return number host_time  -math.huge before the first renewal is on the disk
function Run:held_until()
  self:owned_until()
  return self.held or -math.huge
end

--- The open intent that another owner has of a notebook.
---@param notebook string
---@param or_own boolean|nil  or this one
---@return table|nil row  with blocks_until; nil without an error: there is none
---@return luafabric.Error|nil err
function Run:rival_intent(notebook, or_own)
  local rows, err = self.store:rows(RIVAL_INTENT, notebook, self.store.now(),
    or_own and json.null or self.store.owner)
  return rows and rows[1], err
end

--- Which of these jobs belong to attempts that are written down, of whatever run.
---@param job_ids string[]
---@return table<string, boolean>|nil claimed
---@return luafabric.Error|nil err
function Run:claimed(job_ids)
  local claimed = {}
  for _, job_id in ipairs(job_ids) do
    local row, err = self.store:job(job_id)
    if err then return nil, err end
    claimed[job_id] = row ~= nil or nil
  end
  return claimed
end

--- The last success of the same request in another run.
---@param notebook string     workspace and notebook ids
---@param fingerprint string  of workflow/fingerprint
---@param since number|nil    unix seconds; an older one is none
---@return { run_id: string, path: string, attempt: integer, job_id: string|nil,
---  exit_value: string|nil, exit_read: integer, ended_at: number }|nil row
---@return luafabric.Error|nil err
function Run:success(notebook, fingerprint, since)
  local rows, err = self.store:rows([[select * from successes where notebook = ?1
    and fingerprint = ?2 and ended_at >= ?3 and run_id <> ?4]], notebook, fingerprint, since or 0,
    self.run_id)
  return rows and rows[1], err
end

--- What other processes asked for since the last call.
Run.requests = requests.unseen

--- Lets go of the run: another process may take it at once.
---@return integer|nil ticket
---@return luafabric.Error|nil err
function Run:close()
  if self.closed then return self.closed end
  local ticket, err = self.store:commit { { RELEASE, self.run_id, self.fence } }
  self.closed, self.lease_until, self.renewal, self.held = ticket or 0, -math.huge, nil, nil
  return ticket, err
end

--- What a host has to wait on: see `watch_store` of the hosts.
function Run:fd()
  return self.store:fd()
end

function Run:settle()
  self.store:settle()
end

function Run:is_pending()
  return self.store:is_pending()
end

return M
