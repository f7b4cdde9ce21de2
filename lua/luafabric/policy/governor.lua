--- When a request may go, so that Fabric's quotas are used and not overrun. A quota is a bucket of
--- so many requests in each fixed window of 60 seconds; nothing says how much of it is left, and
--- only a 429 says when the window ends. Until there was one, everything goes at once; after it the
--- windows are known, and no more is sent in one than it holds. One governor is for one identity.
--- Pure: times are handed in, in seconds of one clock that never goes back.

local M = {}

local WINDOW = 60 -- seconds (learn.microsoft.com, Fabric REST API, "Throttling")

--- Requests a window. Job scheduler: 50 submissions and 50 "Get-Job" requests a minute for each
--- user (fabric-docs, fundamentals/job-scheduler.md), 200 in all; 200 for the platform
--- ("Throttling").
M.LIMITS = { submit = 50, get = 50, scheduler = 200, platform = 200 }

--- What is asked for, the most urgent first: the buckets that it takes from (the first is blamed
--- for a 429), and whether it leaves room in its window for what comes later and is more urgent.
--- Polls and details take turns.
---@alias luafabric.RequestClass "submit"|"cancel"|"reconcile"|"poll"|"details"|"names"
M.classes = {
  submit = { rank = 1, buckets = { "submit", "scheduler" } },
  cancel = { rank = 2, buckets = { "scheduler" } },
  reconcile = { rank = 3, buckets = { "get", "scheduler" } },
  poll = { rank = 4, buckets = { "get", "scheduler" }, is_paced = true, partner = "details" },
  details = { rank = 4, buckets = { "get", "scheduler" }, is_paced = true, partner = "poll" },
  names = { rank = 1, buckets = { "platform" } },
}

-- Paced requests may take a quarter of a window at its start, all of it after three quarters.
local HEAD_START = 0.25
-- What is sent so shortly before the end of a window may be counted in the next one: the end is
-- known to a second, and a request takes its time.
local BLUR = 2 -- seconds
-- Others may use the same identity: then fewer are sent, down to what passed or half of it, and
-- more again after some windows without a 429: one at first, twice as many each time that it was
-- too soon.
local LESS, MORE, LEAST, MOST_PATIENCE = 0.5, 0.05, 2, 16
-- A 429 after almost as many as were thought to fit is no sign of others.
local ALMOST = 0.9
-- Who does not come when its time is there has gone away.
local GONE = 5 -- seconds
-- Two ends of a window that differ by less are the same; both are late, never early.
local SAME_EDGE = 1.5

---@class luafabric.Governor
local Governor = {}
Governor.__index = Governor

local function new_bucket(limit)
  return { nominal = limit, limit = limit, passed = {}, first_passed = 1, open = 0, clean = 0,
    patience = 1 }
end

--- A governor.
---@param options { limits: table<string, number>|nil }|nil  requests a window, by bucket
---@return luafabric.Governor
function M.new(options)
  local self = setmetatable({ last_number = 0, turn = "poll" }, Governor)
  self.limits = options and options.limits or {}
  self:forget_time()
  return self
end

--- Forgets what was learnt: the clock is another one.
function Governor:forget_time()
  self.buckets, self.phase, self.last, self.next_sweep = {}, nil, -math.huge, -math.huge
  for _, queue in pairs(self.queues or {}) do
    for _, ticket in ipairs(queue) do ticket.is_queued = nil end
  end
  self.queues = {}
  for class in pairs(M.classes) do self.queues[class] = {} end
  for name, limit in pairs(M.LIMITS) do
    self.buckets[name] = new_bucket(self.limits[name] or limit)
  end
end

-- ---- windows ----

-- The start of a window is in it, whatever the rounding.
local function window_of(self, at)
  return math.floor((at - self.phase) / WINDOW + 1e-8)
end

local function start_of(self, index)
  return self.phase + index * WINDOW
end

--- How many were sent since a time and passed.
local function count_passed(bucket, since)
  local count = 0
  for index = bucket.first_passed, #bucket.passed do
    if bucket.passed[index] >= since then count = count + 1 end
  end
  return count
end

--- What a window that is over taught about the limit.
local function learn_limit(bucket)
  local strike = bucket.strike
  bucket.strike = nil
  if not strike then
    bucket.clean = bucket.clean + 1
    if bucket.limit >= bucket.nominal or bucket.clean < bucket.patience then return end
    bucket.limit = math.min(bucket.nominal, bucket.limit + math.ceil(bucket.nominal * MORE))
    bucket.clean, bucket.patience = 0, math.max(1, bucket.patience / 2)
    return
  end
  -- The window may have begun a little earlier: so many passed in it for sure, so many at most.
  local surely = count_passed(bucket, strike - WINDOW)
  local most = count_passed(bucket, strike - WINDOW - SAME_EDGE)
  if surely > bucket.limit then
    bucket.limit = surely
  elseif most < bucket.limit * ALMOST then
    local less = math.floor(bucket.limit * LESS)
    bucket.limit = math.max(math.min(LEAST, bucket.nominal), less, most)
    bucket.clean, bucket.patience = 0, math.min(MOST_PATIENCE, bucket.patience * 2)
  end
end

--- The bucket as it is in the window of `now`.
local function rolled(self, name, now)
  local bucket = self.buckets[name]
  if not self.phase then return bucket end
  local index = window_of(self, now)
  if bucket.index == index then return bucket end
  if bucket.index then
    -- A few windows are enough to be back at the limit.
    for _ = 1, math.min(index - bucket.index, MOST_PATIENCE / MORE) do learn_limit(bucket) end
  end
  bucket.used = bucket.index == index - 1 and bucket.blurred or 0
  bucket.index, bucket.blurred = index, 0
  return bucket
end

--- The windows are known from now on: what was sent in this one counts.
local function set_phase(self, edge)
  local before = self.phase
  local shift = before and (edge - before + WINDOW / 2) % WINDOW - WINDOW / 2
  if shift and shift >= 0 and shift < SAME_EDGE then return end
  self.phase = edge % WINDOW
  for _, bucket in pairs(self.buckets) do
    bucket.index, bucket.blurred = window_of(self, edge - 1), 0
    bucket.used = math.max(count_passed(bucket, edge - WINDOW - SAME_EDGE) + bucket.open,
      shift and math.abs(shift) < SAME_EDGE and bucket.used or 0)
  end
end

-- ---- who is first ----

local function is_before(a, b)
  if a.priority ~= b.priority then return a.priority > b.priority end
  return a.number < b.number
end

local function leave_queue(self, ticket)
  if not ticket.is_queued then return end
  ticket.is_queued = nil
  local queue = self.queues[ticket.class]
  for index, other in ipairs(queue) do
    if other == ticket then return table.remove(queue, index) end
  end
end

local function join_queue(self, ticket)
  if ticket.is_queued then return end
  ticket.is_queued = true
  local queue = self.queues[ticket.class]
  local index = #queue + 1
  while index > 1 and is_before(ticket, queue[index - 1]) do index = index - 1 end
  table.insert(queue, index, ticket)
end

--- Tasks end without a word; their tickets do not keep others waiting for long.
local function forget_gone(self, now)
  if now < self.next_sweep then return end
  self.next_sweep = now + 1
  for _, queue in pairs(self.queues) do
    for index = #queue, 1, -1 do
      if now > queue[index].comes_at + GONE then
        queue[index].is_queued = nil
        table.remove(queue, index)
      end
    end
  end
end

local function place_in_queue(self, ticket)
  local queue = self.queues[ticket.class]
  if not ticket.is_queued then
    local before = #queue
    while before > 0 and is_before(ticket, queue[before]) do before = before - 1 end
    return before
  end
  for index, other in ipairs(queue) do
    if other == ticket then return index - 1 end
  end
end

--- How many go before a ticket, of its own class and of its partner.
local function before_in_class(self, ticket)
  local place = place_in_queue(self, ticket)
  local partner = M.classes[ticket.class].partner
  if not partner then return place end
  return place + math.min(#self.queues[partner], place + (self.turn == partner and 1 or 0))
end

local function takes_from(class, name)
  for _, bucket in ipairs(M.classes[class].buckets) do
    if bucket == name then return true end
  end
  return false
end

--- How many of the more urgent classes wait for the same bucket, and could go if it let them.
local function more_urgent(self, ticket, name, now)
  local rank, count = M.classes[ticket.class].rank, 0
  for class, other in pairs(M.classes) do
    if other.rank < rank and takes_from(class, name) then
      local waiting, own = #self.queues[class], other.buckets[1]
      if own ~= name then
        local bucket = rolled(self, own, now)
        waiting = math.min(waiting, math.max(0, bucket.limit - (bucket.used or 0)))
      end
      count = count + waiting
    end
  end
  return count
end

-- ---- when ----

--- Seconds from the start of a window until a paced request may be its `number`th.
local function pace(bucket, number)
  return math.max(0, number / bucket.limit - HEAD_START) * WINDOW
end

--- Until when a 429 holds.
local function blocked_till(bucket, now)
  local till = bucket.blocked_till
  if till and till <= now then bucket.blocked_till, till = nil, nil end
  return till
end

--- When a bucket has room for one more, behind `before` others.
local function room_at(self, name, before, now, is_paced)
  local bucket = rolled(self, name, now)
  local blocked = blocked_till(bucket, now)
  local first, used = bucket.index, bucket.used
  if blocked and window_of(self, blocked) > first then
    first, used = window_of(self, blocked), 0
  end
  local number = used + before + 1
  local later = math.floor((number - 1) / bucket.limit)
  local at = start_of(self, first + later)
  if is_paced then at = at + pace(bucket, number - later * bucket.limit) end
  return math.max(at, blocked or now, now)
end

-- ---- for who sends ----

---@class luafabric.GovernorTicket  of one request, over all its tries
---@field class luafabric.RequestClass
---@field priority number

--- A ticket for a request.
---@param class luafabric.RequestClass
---@param priority number|nil  within a class a higher one goes first; else first come, first served
---@return luafabric.GovernorTicket
function Governor:ticket(class, priority)
  self.last_number = self.last_number + 1
  return { class = class, priority = priority or 0, number = self.last_number,
    comes_at = math.huge }
end

--- When the request may go. Where that is later, it is asked again then: others may have come that
--- are more urgent. Where it is now, `sent` is called before anybody else asks.
---@param ticket luafabric.GovernorTicket
---@param now number
---@return number at  not before now
function Governor:ask(ticket, now)
  if now < self.last then self:forget_time() end
  self.last = now
  forget_gone(self, now)
  local class, at = M.classes[ticket.class], now
  local own = self.phase and before_in_class(self, ticket)
  for _, name in ipairs(class.buckets) do
    if own then
      local before = own + more_urgent(self, ticket, name, now)
      at = math.max(at, room_at(self, name, before, now, class.is_paced))
    else
      at = math.max(at, blocked_till(self.buckets[name], now) or now)
    end
  end
  if at > now then
    join_queue(self, ticket)
    ticket.comes_at = at
  end
  return at
end

--- The request goes out now.
---@param ticket luafabric.GovernorTicket
---@param now number
function Governor:sent(ticket, now)
  leave_queue(self, ticket)
  ticket.sent_at = now
  local class = M.classes[ticket.class]
  if class.partner then self.turn = class.partner end
  for _, name in ipairs(class.buckets) do
    local bucket = rolled(self, name, now)
    bucket.open = bucket.open + 1
    if self.phase then
      bucket.used = bucket.used + 1
      local left = start_of(self, bucket.index + 1) - now
      if left < BLUR then bucket.blurred = bucket.blurred + 1 end
    end
  end
end

local function keep_passed(bucket, sent_at, now)
  local passed = bucket.passed
  passed[#passed + 1] = sent_at
  local first = bucket.first_passed
  while passed[first] and passed[first] < now - 2 * WINDOW do first = first + 1 end
  bucket.first_passed = first
  if first * 2 < #passed or first < 100 then return end
  local rest = {}
  for index = first, #passed do rest[#rest + 1] = passed[index] end
  bucket.passed, bucket.first_passed = rest, 1
end

--- What came of it. Nothing that was refused for another reason than a quota is of interest.
---@param ticket luafabric.GovernorTicket
---@param answer { is_limited: boolean|nil, wait: number|nil, is_window: boolean|nil }
---  is_limited: a 429; wait: seconds that it says; is_window: until a window of the quota ends
---@param now number
function Governor:answered(ticket, answer, now)
  local names = M.classes[ticket.class].buckets
  for _, name in ipairs(names) do
    self.buckets[name].open = math.max(0, self.buckets[name].open - 1)
  end
  if not answer.is_limited then
    for _, name in ipairs(names) do
      keep_passed(self.buckets[name], ticket.sent_at or now, now)
    end
    return
  end
  local bucket, wait = self.buckets[names[1]], answer.wait
  local till = now + (wait and wait > 0 and wait or WINDOW)
  bucket.blocked_till = math.max(bucket.blocked_till or 0, till)
  if not wait or wait <= 0 or wait > WINDOW + 1 or not answer.is_window then return end
  set_phase(self, till)
  bucket.blocked_till = start_of(self, window_of(self, till - SAME_EDGE) + 1)
  if bucket.strike then return end
  bucket.strike = bucket.blocked_till
end

--- How many of its class go before it.
---@param ticket luafabric.GovernorTicket
---@return integer
function Governor:place(ticket)
  return place_in_queue(self, ticket)
end

--- Who waits for a ticket asks again at that time, before its own.
---@param ticket luafabric.GovernorTicket
---@param till number
function Governor:sleeps(ticket, till)
  ticket.comes_at = till
end

--- It was said to go out, and did not.
---@param ticket luafabric.GovernorTicket
function Governor:withdrawn(ticket)
  for _, name in ipairs(M.classes[ticket.class].buckets) do
    local bucket = self.buckets[name]
    bucket.open = math.max(0, bucket.open - 1)
    if bucket.used then bucket.used = math.max(0, bucket.used - 1) end
  end
end

--- It does not go.
---@param ticket luafabric.GovernorTicket
function Governor:forget(ticket)
  leave_queue(self, ticket)
end

return M
