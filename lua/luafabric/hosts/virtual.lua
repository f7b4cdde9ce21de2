--- A host without a world: time jumps to the next thing that happens, requests are answered by a
--- Lua function, random numbers come from a seed. The same program gives the same run every time,
--- and a month of polling takes seconds. For tests and simulations; it keeps the promises of a real
--- host (send_once, not_after, time-outs, `sent`), so that what passes here passes there.

local heap = require "luafabric.heap"
local origin = require "luafabric.origin"

local M = {}

local default_start = 1767225600 -- 2026-01-01T00:00:00Z
local default_timeout = 60

-- A failure's code says by itself whether anything was sent, unless the handler says otherwise.
local before_the_send = { resolve = true, connect = true, tls = true, proxy = true }

-- What the fault server does to a connection, as a client sees it (the request has arrived).
local wire_failures = {
  fin = { code = "reset", message = "the server closed the connection without an answer" },
  rst = { code = "reset", message = "the server reset the connection" },
  close_before = { code = "reset", message = "the server closed the connection" },
  half_header = { code = "reset", message = "the connection ended inside the headers" },
  header_then_rst = { code = "reset", message = "the connection was reset after the headers" },
  silence = { code = "timeout" },
  drip = { code = "timeout" },
}

--- Random numbers in [0, 1) from a seed. Park-Miller: exact in a double, so that every Lua gives
--- the same ones.
---@param seed number
---@return fun(): number
function M.random(seed)
  local state = (math.floor(seed) * 2654435 + 12345) % 2147483646 + 1
  local function next_number()
    state = state * 48271 % 2147483647
    return (state - 1) / 2147483646
  end
  next_number() -- neighbouring seeds begin alike
  return next_number
end

local function check_header(name, value)
  local ok = type(name) == "string" and name:find("^[%w!#$%%&'*+.^_`|~-]+$")
    and type(value) == "string" and not value:find("[%c]")
  if not ok then
    error("request.headers: " .. tostring(name) .. ": a header is a name and a text without "
      .. "control characters", 4)
  end
end

local function check_request(request)
  local url = request.url
  if type(request.method) ~= "string" then error("request.method: expected a string", 3) end
  if type(url) ~= "string" then error("request.url: expected a string", 3) end
  local parse = request.direct and origin.parse_local or origin.parse_secure
  local parts, message = parse(url)
  if not parts then error("request.url: " .. message .. ": " .. url, 3) end
  for name, value in pairs(request.headers or {}) do check_header(name, value) end
end

local function lowercase_names(headers)
  local result = {}
  for name, value in pairs(headers or {}) do
    if type(value) == "table" then value = table.concat(value, ", ") end
    result[name:lower()] = tostring(value)
  end
  return result
end

--- What of a handler's answer a client would get to see when the wire breaks.
local function broken_by_wire(request, answer)
  local failure = wire_failures[answer.wire]
  if not failure then error("virtual host: unknown wire fault: " .. tostring(answer.wire)) end
  if answer.wire ~= "header_then_rst" then
    return { failure = failure, delay = answer.delay, sent = "maybe" }
  end
  if request.send_once and answer.status >= 200 and answer.status < 300 then
    return { status = answer.status, headers = answer.headers, delay = answer.delay }
  end
  return { failure = failure, delay = answer.delay, sent = "maybe", status = answer.status,
    headers = answer.headers }
end

---@class luafabric.VirtualHost
---@field name string
---@field requests table[]  what arrived: { at, wall, id, method, url, headers, body, … }

---@class luafabric.VirtualOptions
---@field handle fun(request: table, now: number): table  answers a request, at unix time `now`:
---        { status, headers, body, delay = seconds, failure = { code, message }, sent,
---        wire = a wire fault of the emulator }
---@field start_wall number|nil     unix seconds at the start, default 2026-01-01
---@field seed integer|nil          of `random()`, default 1
---@field connect_delay number|nil  seconds from `start` until a request is on the wire, default 0
---@field log boolean|nil           false keeps no log in `host.requests`

--- A virtual host. Beside what every host has: `host.advance(s)`, `host.requests`,
--- `host.post(event, at)`. `host.close` drops what is under way; the host stays usable.
---@param options luafabric.VirtualOptions|nil
---@return luafabric.VirtualHost
function M.new(options)
  options = options or {}
  local handle = options.handle
  local start_wall = options.start_wall or default_start
  local connect_delay = options.connect_delay or 0
  local time, last_id = 0, 0
  local pending = heap.new() -- nodes { at, request =, id = } on their way, or { at, event = }
  local by_id = {}

  local host = { name = "virtual", requests = {}, random = M.random(options.seed or 1) }

  host.world = host -- what a process keeps for all its hosts is kept for each of these

  function host.now() return time end

  function host.wall() return start_wall + time end

  local function complete(node, at, completion)
    completion.kind, completion.id = "response", node.id
    completion.headers = lowercase_names(completion.headers)
    completion.body = completion.body or ""
    completion.http_version = completion.status and "1.1" or nil
    node.at, node.request, node.event = at, nil, completion
    by_id[node.id] = node
    pending:push(node)
  end

  local function fail(node, at, code, message, sent)
    complete(node, at, { failure = { code = code, message = message }, sent = sent })
  end

  local function log(node, request)
    if options.log == false then return end
    local entry = { at = time, wall = host.wall(), id = node.id }
    for name, value in pairs(request) do entry[name] = value end
    host.requests[#host.requests + 1] = entry
  end

  --- The request reaches the server: the handler answers, and the answer is on its way.
  local function arrive(node)
    local request, deadline = node.request, node.deadline
    local timeout = request.timeout or default_timeout
    local timed_out = ("no answer within %g s"):format(timeout)
    if request.not_after and time > request.not_after then
      return fail(node, time, "expired", "it was too late to send the request", "no")
    end
    log(node, request)
    node.arrived = true
    if not handle then error("virtual host: no handle function was given for " .. request.url) end
    local answer = handle(request, host.wall())
    if type(answer) ~= "table" then
      error("virtual host: the handler answered " .. request.url .. " with a " .. type(answer))
    end
    if answer.wire then answer = broken_by_wire(request, answer) end
    local failure, at = answer.failure, time + (answer.delay or 0)
    if at > deadline or failure and failure.code == "timeout" then
      return fail(node, deadline, "timeout", timed_out, "maybe")
    end
    if failure then
      return complete(node, at, { failure = failure, status = answer.status,
        headers = answer.headers, sent = answer.sent
          or before_the_send[failure.code] and "no" or "maybe" })
    end
    local body = answer.body or ""
    if request.max_body and #body > request.max_body then
      return complete(node, at, { status = answer.status, headers = answer.headers, sent = "yes",
        failure = { code = "too_large",
          message = ("the body is longer than %d bytes"):format(request.max_body) } })
    end
    complete(node, at, { status = answer.status, headers = answer.headers, body = body,
      sent = answer.sent or "yes" })
  end

  function host.start(request)
    check_request(request)
    last_id = last_id + 1
    local timeout = request.timeout or default_timeout
    local node = { id = last_id, at = time + connect_delay, request = request,
      deadline = time + timeout }
    by_id[node.id] = node
    if connect_delay > math.min(timeout, request.connect_timeout or 10) then
      node.request = nil
      fail(node, time + math.min(timeout, request.connect_timeout or 10), "timeout",
        "no connection in time", "no")
      return node.id
    end
    pending:push(node)
    return node.id
  end

  --- The completion says "cancelled", and whether the request had been on its way by then.
  function host.cancel(id)
    local node = by_id[id]
    if not node then return end
    pending:remove(node)
    fail(node, time, "cancelled", "the request was cancelled", node.arrived and "maybe" or "no")
  end

  --- Puts an event into a later `wait`: a signal, a child's end, a wake.
  ---@param event table
  ---@param at number|nil  host time, default now
  function host.post(event, at)
    pending:push { at = at or time, event = event }
  end

  --- Nothing happens beside a virtual world, so a store in it has to commit at once.
  function host.watch_store(store)
    if store.fd and store:fd() then
      error("virtual host: a store with a thread of its own: open it with synchronous = true", 2)
    end
    return true
  end

  function host.unwatch_store() end

  --- Takes the next node that is due by `limit`; requests arrive on the way.
  local function next_due(limit)
    local node = pending:peek()
    while node and node.at <= limit do
      pending:pop()
      if node.at > time then time = node.at end
      if not node.request then return node end
      arrive(node)
      node = pending:peek()
    end
  end

  --- All that happens at the next moment something does, at most `max_s` from now.
  function host.wait(max_s)
    if (max_s or math.huge) == math.huge and pending.size == 0 then
      error("virtual host: deadlock: nothing is under way and the wait has no end")
    end
    local limit = max_s and time + math.max(0, max_s) or math.huge
    local events = {}
    local node = next_due(limit)
    while node do
      if node.id then by_id[node.id] = nil end
      events[#events + 1] = node.event
      node = next_due(time)
    end
    if #events == 0 then time = limit end
    return events
  end

  --- Lets time pass; what falls due in it comes with the next `wait`.
  ---@param seconds number
  function host.advance(seconds)
    local target, due = time + seconds, {}
    local node = next_due(target)
    while node do
      due[#due + 1] = node
      node = next_due(target)
    end
    time = target
    for _, late in ipairs(due) do
      late.at = target
      pending:push(late)
    end
  end

  function host.close()
    pending, by_id = heap.new(), {}
  end

  return host
end

return M
