--- When a request may go, so that Fabric's quotas are used and not overrun. A quota is a bucket of
--- so many requests in each fixed window of 60 seconds; nothing says how much of it is left, and
--- only a 429 says when the window ends. Until there was one, everything goes at once; after it the
--- windows are known, and no more is sent in one than it holds. One governor is for one identity;
--- what other processes of that identity say they sent counts as if it were ours.
--- Pure: times are handed in, in seconds of one clock that never goes back.

local bucket_module = require "luafabric.policy.governor_bucket"
local queue_module = require "luafabric.policy.governor_queue"

local M = {}

local WINDOW = bucket_module.WINDOW

--- Requests a window. Job scheduler: 50 submissions and 50 "Get-Job" requests a minute for each
--- user (fabric-docs, fundamentals/job-scheduler.md), 200 in all; 200 for the platform
--- ("Throttling").
M.LIMITS = { submit = 50, get = 50, scheduler = 200, platform = 200 }

M.classes = queue_module.classes

---@class luafabric.Governor
---@field buckets table<string, luafabric.GovernorBucket>
local Governor = {}
Governor.__index = Governor

--- A governor.
---@param options { limits: table<string, number>|nil }|nil  requests a window, by bucket
---@return luafabric.Governor
function M.new(options)
  local self = setmetatable({ last_number = 0 }, Governor)
  self.limits = options and options.limits or {}
  self:forget_time()
  return self
end

--- Forgets what was learnt: the clock is another one.
function Governor:forget_time()
  self.last, self.queue, self.buckets, self.heard_of = -math.huge, queue_module.new(), {}, {}
  for name, limit in pairs(M.LIMITS) do
    self.buckets[name] = bucket_module.new(self.limits[name] or limit)
  end
end

-- ---- for who sends ----

---@class luafabric.GovernorTicket  of one request, over all its tries
---@field class luafabric.RequestClass
---@field priority number
---@field entry luafabric.GovernorEntry|nil  of the last try

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
  self.queue:forget_gone(now)
  local class, at = M.classes[ticket.class], now
  for _, name in ipairs(class.buckets) do
    local bucket = self.buckets[name]
    if bucket.phase then
      local before = self.queue:before(ticket)
        + self.queue:more_urgent(ticket, name, self.buckets, now)
      at = math.max(at, bucket:room_at(before, now, class.is_paced))
    else
      at = math.max(at, bucket:blocked(now) or now)
    end
  end
  if at > now then
    self.queue:join(ticket)
    ticket.comes_at = at
  end
  return at
end

local function count_sent(self, class, entry, now)
  for _, name in ipairs(M.classes[class].buckets) do self.buckets[name]:sent(entry, now) end
end

--- The request goes out now.
---@param ticket luafabric.GovernorTicket
---@param now number
function Governor:sent(ticket, now)
  self.queue:leave(ticket)
  self.queue:took_turn(ticket.class)
  ticket.entry = { at = now, is_open = true }
  count_sent(self, ticket.class, ticket.entry, now)
end

local function refuse(self, class, entry, till, is_window)
  entry.is_void = true
  local blamed = M.classes[class].buckets[1]
  self.buckets[blamed]:refused(till, is_window)
  if not is_window then return end
  for name, bucket in pairs(self.buckets) do
    if name ~= blamed then bucket:teach(till, false) end
  end
end

--- What came of it. Nothing that was refused for another reason than a quota is of interest.
---@param ticket luafabric.GovernorTicket
---@param answer { is_limited: boolean|nil, wait: number|nil, is_window: boolean|nil }
---  is_limited: a 429; wait: seconds that it says; is_window: until a window of the quota ends
---@param now number
---@return number|nil till        until when nothing of its kind goes; nil: it was not limited
---@return boolean|nil is_window  a window of the quota ends then
function Governor:answered(ticket, answer, now)
  local entry = ticket.entry
  entry.is_open = nil
  if not answer.is_limited then return end
  local wait = answer.wait and answer.wait > 0 and answer.wait or nil
  local is_window = answer.is_window and wait ~= nil and wait <= WINDOW + 1
  local till = now + (wait or WINDOW)
  refuse(self, ticket.class, entry, till, is_window)
  return till, is_window
end

--- How many of its class go before it.
---@param ticket luafabric.GovernorTicket
---@return integer
function Governor:place(ticket)
  return self.queue:place(ticket)
end

--- Who waits for a ticket asks again at that time, before its own.
---@param ticket luafabric.GovernorTicket
---@param till number
function Governor:sleeps(ticket, till)
  ticket.comes_at = till
end

local function withdraw(self, class, entry)
  if entry.is_void then return end
  entry.is_void, entry.is_open = true, nil
  for _, name in ipairs(M.classes[class].buckets) do self.buckets[name]:withdrawn(entry) end
end

--- It was said to go out, and did not.
---@param ticket luafabric.GovernorTicket
function Governor:withdrawn(ticket)
  withdraw(self, ticket.class, ticket.entry)
end

--- It does not go.
---@param ticket luafabric.GovernorTicket
function Governor:forget(ticket)
  self.queue:leave(ticket)
end

-- ---- other processes ----

---@class luafabric.GovernorNews  what another process did under this identity
---@field kind "sent"|"limited"|"withdrawn"
---@field class luafabric.RequestClass
---@field of string|number         names one request; the same for all news of it
---@field till number|nil          limited: as `answered` gave it
---@field is_window boolean|nil

--- Another process says what it did.
---@param news luafabric.GovernorNews
---@param at number  when, by our clock
function Governor:heard(news, at)
  if not M.classes[news.class] then return end
  if news.kind == "sent" then
    local entry = { at = at }
    self.heard_of[news.of] = entry
    return count_sent(self, news.class, entry, at)
  end
  local entry = self.heard_of[news.of] or { at = at }
  if news.kind == "withdrawn" then return withdraw(self, news.class, entry) end
  refuse(self, news.class, entry, news.till, news.is_window)
end

--- What was heard so long ago needs not be kept.
---@param before number
function Governor:forget_heard(before)
  for key, entry in pairs(self.heard_of) do
    if entry.at < before then self.heard_of[key] = nil end
  end
end

--- How often something was learnt: while it is the same, so is `known`.
---@return integer
function Governor:lessons()
  local count = 0
  for _, bucket in pairs(self.buckets) do count = count + bucket.lessons end
  return count
end

--- What was learnt about the quotas, for a process that comes later.
---@param offset number  what to add to a time, for a clock that all share
---@return table<string, table> known  by bucket
function Governor:known(offset)
  local known = {}
  for name, bucket in pairs(self.buckets) do known[name] = bucket:known(offset) end
  return known
end

--- Knows what another process has learnt.
---@param known table<string, table>
---@param offset number
function Governor:recall(known, offset)
  for name, bucket in pairs(self.buckets) do
    if known[name] then bucket:recall(known[name], offset) end
  end
end

return M
