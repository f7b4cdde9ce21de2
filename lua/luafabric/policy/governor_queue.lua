--- Who goes first among those that wait for a quota: the more urgent class, within one the higher
--- priority, and then who came first. Pure; for policy/governor.

local M = {}

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

-- Who does not come when its time is there has gone away.
local GONE = 5 -- seconds

---@class luafabric.GovernorQueue
local Queue = {}
Queue.__index = Queue

---@return luafabric.GovernorQueue
function M.new()
  local self = setmetatable({ turn = "poll", next_sweep = -math.huge, lists = {} }, Queue)
  for class in pairs(M.classes) do self.lists[class] = {} end
  return self
end

local function is_before(a, b)
  if a.priority ~= b.priority then return a.priority > b.priority end
  return a.number < b.number
end

---@param ticket luafabric.GovernorTicket
function Queue:leave(ticket)
  if ticket.queue ~= self then return end
  ticket.queue = nil
  local list = self.lists[ticket.class]
  for index, other in ipairs(list) do
    if other == ticket then return table.remove(list, index) end
  end
end

---@param ticket luafabric.GovernorTicket
function Queue:join(ticket)
  if ticket.queue == self then return end
  ticket.queue = self
  local list = self.lists[ticket.class]
  local index = #list + 1
  while index > 1 and is_before(ticket, list[index - 1]) do index = index - 1 end
  table.insert(list, index, ticket)
end

--- One of two classes that take turns has had its turn.
---@param class luafabric.RequestClass
function Queue:took_turn(class)
  self.turn = M.classes[class].partner or self.turn
end

--- Tasks end without a word; their tickets do not keep others waiting for long.
---@param now number
function Queue:forget_gone(now)
  if now < self.next_sweep then return end
  self.next_sweep = now + 1
  for _, list in pairs(self.lists) do
    for index = #list, 1, -1 do
      if now > list[index].comes_at + GONE then
        list[index].queue = nil
        table.remove(list, index)
      end
    end
  end
end

--- How many go before a ticket in its own class.
---@param ticket luafabric.GovernorTicket
---@return integer
function Queue:place(ticket)
  local list = self.lists[ticket.class]
  if ticket.queue ~= self then
    local before = #list
    while before > 0 and is_before(ticket, list[before]) do before = before - 1 end
    return before
  end
  for index, other in ipairs(list) do
    if other == ticket then return index - 1 end
  end
  return 0
end

--- How many go before a ticket, of its own class and of its partner.
---@param ticket luafabric.GovernorTicket
---@return integer
function Queue:before(ticket)
  local place = self:place(ticket)
  local partner = M.classes[ticket.class].partner
  if not partner then return place end
  return place + math.min(#self.lists[partner], place + (self.turn == partner and 1 or 0))
end

local function takes_from(class, name)
  for _, bucket in ipairs(class.buckets) do
    if bucket == name then return true end
  end
  return false
end

--- How many of the more urgent classes wait for the same bucket, and could go if it let them.
---@param ticket luafabric.GovernorTicket
---@param name string  of the bucket
---@param buckets table<string, luafabric.GovernorBucket>
---@param now number
---@return integer
function Queue:more_urgent(ticket, name, buckets, now)
  local rank, count = M.classes[ticket.class].rank, 0
  for class, other in pairs(M.classes) do
    if other.rank < rank and takes_from(other, name) then
      local waiting, own = #self.lists[class], other.buckets[1]
      if own ~= name then waiting = math.min(waiting, buckets[own]:left(now)) end
      count = count + waiting
    end
  end
  return count
end

return M
