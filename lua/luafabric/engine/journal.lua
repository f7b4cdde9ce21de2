--- The engine's hand on its store: what is written down before something is sent, who owns the run,
--- and what happens when the store says no. A store in memory takes everything at once; one that
--- outlives the process takes its time, and has a lease that is renewed while the run goes on.

local common = require "luafabric.engine.common_store"
local errors = require "luafabric.errors"

local M = {}

--- Whatever is refused although nobody waits for it stops the run: what was decided on it since is
--- built on nothing.
local function sweep(engine)
  local written = engine.written
  while written.first <= written.last do
    local ticket = written[written.first]
    local durable, err = engine.store:is_durable(ticket)
    if not durable and not err then return end
    written[written.first] = nil
    written.first = written.first + 1
    if err and not engine.awaited[ticket] then
      engine.failure = engine.failure or err
      engine.wake:signal()
    end
    engine.awaited[ticket] = nil
  end
end

--- Events, as one unit; `intent` is a notebook that nobody else may submit meanwhile.
---@param engine table
---@param events table[]
---@param intent table|nil  { notebook, path, attempt, blocks_until, again }
---@return any ticket
function M.append(engine, events, intent)
  local ticket, err = engine.store:append(events, intent)
  if not ticket then error(err, 0) end
  if engine.is_immediate then sweep(engine) end
  common.expect(engine)
  local written = engine.written
  written.last = written.last + 1
  written[written.last] = ticket
  engine.last_ticket = ticket
  return ticket
end

--- Waits until what was written down would survive; in a task. Its refusal is the caller's to
--- handle.
---@return boolean|nil durable
---@return luafabric.Error|nil err  it never will be
function M.await(engine, ticket)
  engine.awaited[ticket] = true
  while true do
    local durable, err = engine.store:is_durable(ticket)
    if durable then return true end
    if err then return nil, err end
    common.expect(engine)
    engine.stored:wait()
  end
end

--- Raises where the run is not ours any more.
function M.check_lease(engine)
  local store = engine.store
  if store:owned_until() > -math.huge then return end
  error(store.lost or errors.new { kind = "configuration", store_code = "fenced",
    message = ("run %s was taken over by another process: this one stops"):format(
      engine.state.run_id) }, 0)
end

local function renew(engine)
  M.check_lease(engine)
  local ticket, err = engine.store:renew(engine.host.now())
  if not ticket then error(err, 0) end
end

local function obey(engine, request)
  if request.path then return engine:resolve_doubt(request) end
  engine:cancel { by = request.by, now = request.kind == "cancel_now" or nil }
end

--- Somebody at another terminal asks for it to be cancelled, or tells what became of a submission.
local function look_for_requests(engine, known)
  if engine.detaching or engine.over then return end
  local requests = engine.store:requests(known)
  for _, request in ipairs(requests or {}) do obey(engine, request) end
  return requests ~= nil
end

--- What the store has done meanwhile. Whether something is still to come.
local function hear(engine)
  sweep(engine)
  engine.stored:signal()
  return engine.written.first <= engine.written.last
end

--- Begins to watch the store, and to hold the run.
function M.open(engine)
  local store = engine.store
  engine.written, engine.awaited = { first = 1, last = 0 }, {}
  engine.is_immediate = not (store.fd and store:fd())
  common.join(engine, { hear = hear, look = store.requests and look_for_requests,
    check = store.renew and M.check_lease })
  if store.fd then assert(engine.host.watch_store(store)) end
  if store.renew then renew(engine) end
end

--- Host time after which nothing may be sent for this run, since it may be another's by then.
--- Others go by the wall clock, which may be set: the lease ends by that clock, or when its time
--- has passed since it was asked for, whichever comes first.
---@return number
function M.not_after(engine)
  local store = engine.store
  if not store.owned_until then return math.huge end
  local by_wall = engine.host.now() + store:owned_until() - engine.host.wall()
  return math.min(by_wall, store:held_until())
end

--- Seconds until no other process has this notebook's intent open, as far as it is known; nil where
--- none has.
---@param notebook string
---@param or_own boolean|nil  nor this one: known to be there, and not about to be closed
---@return number|nil
function M.blocked_for(engine, notebook, or_own)
  if not engine.store.rival_intent then return nil end
  local rival, err = engine.store:rival_intent(notebook, or_own)
  if err then error(err, 0) end
  return rival and math.max(0, rival.blocks_until - engine.host.wall())
end

--- Which of these jobs belong to attempts of any run in the store.
---@param job_ids string[]
---@return table<string, boolean>|nil claimed
---@return luafabric.Error|nil err
function M.claimed(engine, job_ids)
  if not engine.store.claimed then return {} end
  return engine.store:claimed(job_ids)
end

--- Everything that was written down is safe, or never will be; in a task.
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.settle(engine)
  if not engine.last_ticket then return true end
  local ok, err = M.await(engine, engine.last_ticket)
  if not ok then return nil, err end
  sweep(engine)
  return not engine.failure, engine.failure
end

--- Lets go of the run, so that another process may take it at once; in a task.
function M.release(engine)
  local ticket = engine.let_go and engine.let_go()
  if ticket then M.await(engine, ticket) end
end

--- Lets go of the store; it is the caller's to close.
function M.close(engine)
  common.leave(engine)
  if engine.store.fd then engine.host.unwatch_store(engine.store) end
end

return M
