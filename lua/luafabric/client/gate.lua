--- Where every request of a client passes before it goes out: the governor of its identity's
--- quotas and the breaker of its origin say when. Clients with one credential share the governor,
--- whatever loop they run in, and processes with one identity share its quotas, where the client
--- was given a place for that. Breakers and the budget of retries are the process's.

local breaker = require "luafabric.policy.breaker"
local errors = require "luafabric.errors"
local governor = require "luafabric.policy.governor"
local tasks = require "luafabric.tasks"
local tokens = require "luafabric.client.tokens"

local M = {}

local classes = { submit = "submit", cancel = "cancel", status = "poll", list = "poll",
  instance = "details" }

-- Waits are looked at again, since those before may have gone away.
local LONGEST_SLEEP = 60 -- seconds
-- How long what is no GET waits for an origin that is not there.
local UNREACHED_PATIENCE = 30
-- Who has the same time wakes up in the order of the queue.
local APART = 0.001
-- Shorter waits are not worth telling.
local TOLD = 1

local weak_keys = { __mode = "k" }
local by_credential = setmetatable({}, weak_keys)
local by_process = setmetatable({}, weak_keys)

---@class luafabric.Gate  of one identity
---@field governor luafabric.Governor
---@field sharing luafabric.QuotaSharing|nil  with other processes

--- What the clients with this client's credential share.
---@param client table
---@return luafabric.Gate
function M.of(client)
  local gate = by_credential[client.credential]
  if not gate then
    gate = { governor = governor.new() }
    by_credential[client.credential] = gate
  end
  return gate
end

--- What all clients of the process share, as far as their hosts have one clock; a virtual host is a
--- world of its own.
---@return { budget: luafabric.RetryBudget, breakers: table<string, luafabric.Breaker> }
local function process_of(host)
  local key = host.world or host.name
  local found = by_process[key]
  if not found then
    found = { breakers = {}, budget = require("luafabric.policy.retry_budget").new() }
    by_process[key] = found
  end
  return found
end

local function breaker_of(host, origin)
  local breakers = process_of(host).breakers
  breakers[origin] = breakers[origin] or breaker.new()
  return breakers[origin]
end

--- Shares the quotas with other processes, where the client has a place for it: a token says whose
--- they are.
local function share(client, gate)
  local shared = client.shared
  if not shared or gate.sharing and not gate.sharing.shared.closed then return true end
  local token, err = tokens.get(client)
  if not token then return nil, err end
  if gate.sharing and gate.sharing.shared == shared then return true end -- by another task
  local identity = require("luafabric.client.identity").of(token,
    tostring(client.credential.name))
  gate.sharing = require("luafabric.client.quota_sharing").new(shared,
    ("quotas of %s at %s"):format(identity, client.endpoint), gate.governor)
  return true
end

local function too_long()
  return errors.new { kind = "throttled", status = 429, sent = "no", message = "Fabric's quota is "
    .. "used up for longer than there is time; try again in a few minutes" }
end

local function unreached(origin)
  return errors.new { kind = "network", sent = "no", message = ("%s has failed %d times in a row "
    .. "and is asked only now and then until it answers; nothing was sent"):format(origin,
      breaker.FAILURES) }
end

--- Waits until an origin is there. A GET is itself the question; for all else one is asked.
local function await_origin(client, pass, host)
  local gate_breaker = breaker_of(host, pass.origin)
  local may_probe = pass.method == "GET"
  local from = host.now()
  while true do
    local now = host.now()
    local at = gate_breaker:ask(now, may_probe)
    if at and at <= now then return true end
    if not may_probe then at = gate_breaker:ask(now, true) end
    at = at or now + TOLD
    local patience = may_probe and math.huge or UNREACHED_PATIENCE
    if at > (pass.deadline or math.huge) or at > from + patience then
      return nil, unreached(pass.origin)
    end
    if at > now then
      if pass.on_wait and at - now > TOLD then pass.on_wait(at - now, "network") end
      tasks.sleep_until(at)
    else
      local asked, err = M.probe(client, pass.origin) -- of client/call, which sends it
      if not asked then return nil, err end
    end
  end
end

---@class luafabric.Pass  of one request, over all its tries
---@field origin string
---@field method string
---@field purpose string            of luafabric.api
---@field class string|nil          of the governor, where the purpose does not tell
---@field priority number|nil
---@field deadline number|nil       host time
---@field on_wait nil|fun(seconds: number, cause: "throttled"|"network")  plain

--- When a request may go. Where that is now, it counts as sent. A clock that is read anew is later.
local function ask(gate, ticket, host, now)
  if gate.sharing then return gate.sharing:ask(ticket, host, now) end
  local at = gate.governor:ask(ticket, now)
  if at <= now then gate.governor:sent(ticket, now) end
  return at
end

--- Waits until a request may go out; it does so right after.
---@param client table
---@param pass luafabric.Pass
---@return boolean|nil ok
---@return luafabric.Error|nil err  it may not within its time, or has no token; nothing was sent
function M.enter(client, pass)
  local _, loop = tasks.current()
  local host = loop.host
  pass.gate, pass.host = pass.gate or M.of(client), host
  local ok, err = share(client, pass.gate)
  if not ok then return nil, err end
  local own = pass.gate.governor
  pass.ticket = pass.ticket
    or own:ticket(pass.class or classes[pass.purpose] or "names", pass.priority)
  local told
  while true do
    ok, err = await_origin(client, pass, host) -- last: it may have failed during a wait
    if not ok then
      own:forget(pass.ticket)
      return nil, err
    end
    local now = host.now()
    local at = ask(pass.gate, pass.ticket, host, now)
    if at <= now then break end
    if at > (pass.deadline or math.huge) then
      own:forget(pass.ticket)
      return nil, too_long()
    end
    if pass.on_wait and not told and at - now > TOLD then pass.on_wait(at - now, "throttled") end
    told = true
    at = math.min(at + own:place(pass.ticket) * APART, now + LONGEST_SLEEP)
    own:sleeps(pass.ticket, at)
    tasks.sleep_until(at)
  end
  breaker_of(host, pass.origin):sent(host.now())
  return true
end

--- It did not go out after all.
---@param pass luafabric.Pass
function M.leave(pass)
  local gate, host = pass.gate, pass.host
  gate.governor:withdrawn(pass.ticket)
  if gate.sharing then gate.sharing:withdrawn(pass.ticket, host) end
  breaker_of(host, pass.origin):withdrawn()
end

--- What came of it.
---@param pass luafabric.Pass
---@param completion table
function M.answered(pass, completion)
  local _, loop = tasks.current()
  local host, gate = loop.host, pass.gate
  local now = host.now()
  local said = completion.status == 429 and not completion.failure
    and require("luafabric.policy.quota_answer").read(completion) or { is_limited = false }
  local till, is_window = gate.governor:answered(pass.ticket, said, now)
  if till and gate.sharing then gate.sharing:limited(pass.ticket, host, till, is_window) end
  breaker_of(host, pass.origin):answered(completion, now, host.random)
  if not completion.failure and completion.status < 400 then process_of(host).budget:earn() end
end

--- Whether a failed call may be repeated. Waits for quota and capacity are no retries.
---@param completion table|nil
---@return boolean
function M.may_retry(completion)
  local status = completion and not completion.failure and completion.status
  if status == 429 or status == 430 then return true end
  local _, loop = tasks.current()
  return process_of(loop.host).budget:spend()
end

return M
