--- A capacity whose limit is learnt together with other processes: each says how many runs it has
--- there and since when its first one waits, and all go by one limit. A free place is left to who
--- waits longer, or with a higher priority. Has the functions of policy/capacity.

local capacity = require "luafabric.policy.capacity"
local owners = require "luafabric.store.owner"

local M = {}

local LIMIT = "limit"
local learnt = { "limit", "good", "rounds", "step", "refused_at" }
-- That there is no room is believed for so long; that there is some, not at all.
local BELIEVED = 1 -- seconds
-- Who waits says so again and again, or has gone.
local GONE = 30
-- Where nobody can tell whether a process has gone: longer than it says nothing while it runs.
local FORGOTTEN = 43200

--- How often who waits looks again.
M.LOOK_AGAIN = 5 -- seconds

---@class luafabric.SharedCapacity: luafabric.Capacity
---@field member string  who we are: a process may have several clients
---@field waiting table<any, table>  who of ours waits, by whose
local Capacity = {}
Capacity.__index = Capacity

---@param shared luafabric.Shared
---@param topic string  of the capacity
---@return luafabric.SharedCapacity
function M.new(shared, topic)
  return setmetatable({ shared = shared, topic = topic, own = capacity.new(), ahead = 0,
    member = owners.new(), waiting = {}, heard_at = -math.huge, look_again = M.LOOK_AGAIN },
    Capacity)
end

--- It is known by another name from now on.
---@param topic string
function Capacity:moves(topic)
  self.shared:exclusively(function() self.shared:forget(self.topic, self.member) end)
  self.topic, self.heard_at = topic, -math.huge
end

local function is_before(a, b)
  if not b then return true end
  if a.priority ~= b.priority then return a.priority > b.priority end
  return a.since < b.since
end

--- What the others have, and what is known of the limit.
local function hear(self)
  local shared, now = self.shared, self.shared.now()
  self.heard_at, self.own.elsewhere, self.ahead = now, 0, 0
  for _, row in ipairs(shared:all_known(self.topic)) do
    local said = row.body
    if row.key == LIMIT then
      for _, name in ipairs(learnt) do self.own[name] = said[name] end
    elseif row.key ~= self.member then
      if owners.is_gone(row.key) or now > said.seen + FORGOTTEN then
        shared:forget(self.topic, row.key)
      else
        self.own.elsewhere = self.own.elsewhere + said.running
        local waits = said.since and now < said.seen + GONE and is_before(said, self.first)
        if waits then self.ahead = self.ahead + 1 end
      end
    end
  end
end

local function tell(self)
  local own, first, shared = self.own, self.first, self.shared
  if own.running == 0 and not first then
    shared:forget(self.topic, self.member)
  else
    shared:set_known(self.topic, self.member, { running = own.running,
      since = first and first.since, priority = first and first.priority, seen = shared.now() })
  end
  if own.limit == math.huge then return end
  local known = {}
  for _, name in ipairs(learnt) do known[name] = own[name] end
  shared:set_known(self.topic, LIMIT, known)
end

--- Calls a plain function that changes what is ours, when the others were heard.
local function together(self, fn)
  local result, is_done
  self.shared:exclusively(function()
    hear(self)
    result, is_done = fn(), true
    tell(self)
  end)
  if is_done then return result end
  self.own.elsewhere, self.ahead = 0, 0 -- what nobody hears any more holds nobody up
  return fn()
end

local function free(self)
  return math.max(0, self.own:room() - self.ahead)
end

--- How many more may start now.
---@return number
function Capacity:room()
  local is_known = free(self) < 1 or self.own.limit == math.huge
  local age = self.shared.now() - self.heard_at
  if is_known and age >= 0 and age < BELIEVED then return free(self) end
  return together(self, function() return free(self) end)
end

--- Who waits here longest, of those of one engine.
---@param whose any
---@param priority number|nil  nil: nobody waits
---@param since number|nil     unix seconds
function Capacity:waits(whose, priority, since)
  self.waiting[whose] = priority and { priority = priority, since = since } or nil
  self.first = nil
  for _, one in pairs(self.waiting) do
    if is_before(one, self.first) then self.first = one end
  end
end

function Capacity:take()
  return together(self, function() return self.own:take() end)
end

function Capacity:has_room_for(place)
  return self.own:has_room_for(place)
end

function Capacity:refused(place)
  together(self, function() self.own:refused(place) end)
end

function Capacity:left(place, is_good)
  together(self, function() self.own:left(place, is_good) end)
end

return M
