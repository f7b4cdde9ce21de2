--- One identity's quotas, shared with other processes: each says what it sends, in the same breath
--- in which it looks whether there is room, and hears what the others sent. Every governor so sees
--- the same requests and the same 429s, and comes to the same windows and limits. Times go over in
--- unix seconds.

local M = {}

-- Whoever was away for longer begins anew with what is known: two windows are all that counts.
local AWAY = 120 -- seconds
local KNOWN = "windows and limits"

---@class luafabric.QuotaSharing
---@field shared luafabric.Shared  or what has its functions
local Sharing = {}
Sharing.__index = Sharing

---@param shared luafabric.Shared
---@param topic string  of the identity
---@param governor luafabric.Governor
---@return luafabric.QuotaSharing
function M.new(shared, topic, governor)
  return setmetatable({ shared = shared, topic = topic, governor = governor, last_id = 0,
    heard_at = -math.huge }, Sharing)
end

--- Hears what is new.
local function listen(self, host)
  local now = host.now()
  local offset, governor = host.wall() - now, self.governor
  local is_other_file = self.file_id ~= self.shared.file_id
  local is_new = is_other_file or now > self.heard_at + AWAY or now < self.heard_at
  if is_other_file then
    self.file_id, self.last_id = self.shared.file_id, 0
    governor:forget_heard(math.huge)
  end
  if is_new then
    local known = self.shared:known(self.topic, KNOWN)
    if known then governor:recall(known, offset) end
    governor:forget_heard(now - AWAY)
    self.lessons = known and governor:lessons() or 0 -- what nobody knows yet is told
  end
  self.heard_at = now
  for _, row in ipairs(self.shared:heard(self.topic, self.last_id, host.wall() - AWAY)) do
    local news = row.body
    self.last_id = row.id
    news.of = news.of or row.id
    news.till = news.till and news.till - offset
    -- What a window that is over taught is known already.
    local is_over = is_new and news.till and news.till <= now
    if not is_over then governor:heard(news, math.min(row.at - offset, now)) end
  end
end

--- What was learnt is known from now on.
local function tell_lessons(self, host)
  local lessons = self.governor:lessons()
  if lessons == self.lessons then return end
  self.lessons = lessons
  self.shared:set_known(self.topic, KNOWN, self.governor:known(host.wall() - host.now()))
end

local function say(self, host, news)
  local id = self.shared:say(self.topic, news)
  tell_lessons(self, host)
  return id
end

--- When a request may go. Where that is now, it counts as sent, for all.
---@param ticket luafabric.GovernorTicket
---@param host table
---@param now number  its time
---@return number at  host time
function Sharing:ask(ticket, host, now)
  local at, is_sent, id = self.governor:ask(ticket, now), false, nil
  if at > now then return at end -- what others say makes it no earlier
  local is_said = self.shared:exclusively(function()
    listen(self, host)
    at = self.governor:ask(ticket, now)
    if at > now then return end
    self.governor:sent(ticket, now)
    is_sent = true
    id = say(self, host, { kind = "sent", class = ticket.class })
  end)
  if at <= now and not is_sent then self.governor:sent(ticket, now) end
  -- Only now: what could not be kept was undone, and its id will be another's.
  if is_said and id then ticket.entry.id, ticket.entry.file_id = id, self.file_id end
  if not is_said then self.lessons = nil end
  return at
end

local function tell(self, ticket, host, news)
  if not ticket.entry.id then return end -- nobody knows of it
  news.class, news.of = ticket.class, ticket.entry.id
  self.shared:exclusively(function()
    listen(self, host)
    if ticket.entry.file_id ~= self.file_id then return end -- nor here
    say(self, host, news)
  end)
end

--- It got a 429.
---@param ticket luafabric.GovernorTicket
---@param host table
---@param till number  host time, as the governor gave it
---@param is_window boolean|nil
function Sharing:limited(ticket, host, till, is_window)
  tell(self, ticket, host, { kind = "limited", till = till + host.wall() - host.now(),
    is_window = is_window })
end

--- It did not go after all.
---@param ticket luafabric.GovernorTicket
---@param host table
function Sharing:withdrawn(ticket, host)
  tell(self, ticket, host, { kind = "withdrawn" })
end

return M
