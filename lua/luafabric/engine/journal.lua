--- The engine's hand on its store: what is written down before something is sent, who owns the run,
--- and what happens when the store says no. A store in memory takes everything at once; one that
--- outlives the process takes its time, and has a lease that is renewed while the run goes on.

local errors = require "luafabric.errors"

local M = {}

local RENEWALS = 3 -- of a lease
local FALLBACK_LEASE = 30 -- seconds
local REQUESTS_EVERY = 1

--- Events, as one unit; `intent` is a notebook that nobody else may submit meanwhile.
---@param engine table
---@param events table[]
---@param intent table|nil  { notebook, path, attempt, blocks_until }
---@return any ticket
function M.append(engine, events, intent)
  local ticket, err = engine.store:append(events, intent)
  if not ticket then error(err, 0) end
  engine.last_ticket = ticket
  return ticket
end

--- Waits until what was written down would survive; in a task.
---@return boolean|nil durable
---@return luafabric.Error|nil err  it never will be
function M.await(engine, ticket)
  while true do
    local durable, err = engine.store:is_durable(ticket)
    if durable then return true end
    if err then return nil, err end
    engine.forget_store = engine.forget_store
      or engine.loop:on("store", function() engine.stored:signal() end)
    engine.stored:wait()
  end
end

local function renew(engine)
  local store = engine.store
  if store:owned_until() == -math.huge then
    error(errors.new { kind = "configuration", store_code = "fenced", message = ("run %s was taken "
      .. "over by another process: this one stops"):format(engine.state.run_id) }, 0)
  end
  local ticket, err = store:renew()
  if not ticket then error(err, 0) end
  local lease = store.store and store.store.lease or FALLBACK_LEASE
  engine.timers:after(lease / RENEWALS, function() renew(engine) end)
end

--- Somebody at another terminal asks for it to be cancelled.
local function look_for_requests(engine)
  for _, request in ipairs(engine.store:requests() or {}) do
    engine:cancel { by = request.by, now = request.kind == "cancel_now" or nil }
  end
  engine.timers:after(REQUESTS_EVERY, function() look_for_requests(engine) end)
end

--- Begins to watch the store, and to hold the run.
function M.open(engine)
  local store = engine.store
  if store.fd then assert(engine.host.watch_store(store)) end
  if store.renew then renew(engine) end
  if store.requests then look_for_requests(engine) end
end

--- Host time after which nothing may be sent for this run, since it may be another's by then.
---@return number
function M.not_after(engine)
  local store = engine.store
  if not store.owned_until then return math.huge end
  return engine.host.now() + store:owned_until() - engine.host.wall()
end

--- Everything that was written down is safe, or never will be; in a task.
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.settle(engine)
  if not engine.last_ticket then return true end
  return M.await(engine, engine.last_ticket)
end

--- Lets go of the store; it is the caller's to close.
function M.close(engine)
  if engine.forget_store then engine.forget_store() end
  engine.forget_store = nil
  if engine.store.fd then engine.host.unwatch_store(engine.store) end
end

return M
