--- One quota: so many requests in each fixed window of 60 seconds, what was sent in them, and what
--- the refusals have taught about limit and windows. Pure; for policy/governor.

local M = {}

--- Seconds (learn.microsoft.com, Fabric REST API, "Throttling").
M.WINDOW = 60
local WINDOW = M.WINDOW

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
-- Two ends of a window that differ by less are the same; both are late, never early.
M.SAME_EDGE = 1.5
-- What was sent is remembered for two windows, and no more than so many.
local MOST_REMEMBERED = 2000

---@class luafabric.GovernorBucket
---@field limit number       requests a window, as far as is known
---@field phase number|nil   when a window begins, modulo 60; nil while no 429 has told
---@field is_own boolean|nil the phase was told by a 429 of this quota, and not of another one
---@field lessons integer    how often something was learnt
local Bucket = {}
Bucket.__index = Bucket

---@param limit number  requests a window
---@return luafabric.GovernorBucket
function M.new(limit)
  return setmetatable({ nominal = limit, limit = limit, entries = {}, first = 1, clean = 0,
    patience = 1, lessons = 0 }, Bucket)
end

-- The start of a window is in it, whatever the rounding.
local function window_of(self, at)
  return math.floor((at - self.phase) / WINDOW + 1e-8)
end

local function start_of(self, index)
  return self.phase + index * WINDOW
end

-- ---- what was sent ----

---@class luafabric.GovernorEntry  one request that was sent
---@field at number
---@field is_open boolean|nil  its answer is not there
---@field is_void boolean|nil  it was refused, or not sent after all

--- How many were sent since a time and not refused.
---@param since number
---@param is_sure boolean|nil  without those whose answer is not there
local function count(self, since, is_sure)
  local number = 0
  for index = self.first, #self.entries do
    local entry = self.entries[index]
    local counts = entry.at >= since and not entry.is_void and not (is_sure and entry.is_open)
    if counts then number = number + 1 end
  end
  return number
end

local function remember(self, entry)
  local entries = self.entries
  entries[#entries + 1] = entry
  local first = math.max(self.first, #entries - MOST_REMEMBERED + 1)
  while entries[first].at < entry.at - 2 * WINDOW do first = first + 1 end
  self.first = first
  if first < 100 or first * 2 < #entries then return end
  local rest = {}
  for index = first, #entries do rest[#rest + 1] = entries[index] end
  self.entries, self.first = rest, 1
end

-- ---- what a window teaches ----

--- What a window that is over taught about the limit.
local function learn_limit(self)
  local strike = self.strike
  self.strike = nil
  if not strike then
    self.clean = self.clean + 1
    if self.limit >= self.nominal or self.clean < self.patience then return end
    self.limit = math.min(self.nominal, self.limit + math.ceil(self.nominal * MORE))
    self.clean, self.patience = 0, math.max(1, self.patience / 2)
    self.lessons = self.lessons + 1
    return
  end
  -- The window may have begun a little earlier: so many passed in it for sure, so many at most.
  local surely = count(self, strike - WINDOW, true)
  local most = count(self, strike - WINDOW - M.SAME_EDGE)
  if surely > self.limit then
    self.limit = surely
  elseif most < self.limit * ALMOST then
    local less = math.floor(self.limit * LESS)
    self.limit = math.max(math.min(LEAST, self.nominal), less, most)
    self.clean, self.patience = 0, math.min(MOST_PATIENCE, self.patience * 2)
  end
  self.lessons = self.lessons + 1
end

--- Goes on to the window of a time; never back.
---@param now number
---@return luafabric.GovernorBucket self
function Bucket:roll(now)
  if not self.phase then return self end
  local index = window_of(self, now)
  if self.index and index <= self.index then return self end
  if self.index then
    -- A few windows are enough to be back at the limit.
    for _ = 1, math.min(index - self.index, MOST_PATIENCE / MORE) do learn_limit(self) end
  end
  self.used = self.index == index - 1 and self.blurred or 0
  self.index, self.blurred = index, 0
  return self
end

--- A window ends at that time, and with it all others: what was sent in this one counts.
---@param edge number
---@param is_own boolean  a 429 of this quota says so
function Bucket:teach(edge, is_own)
  if self.is_own and not is_own then return end
  local shift = self.phase and (edge - self.phase + WINDOW / 2) % WINDOW - WINDOW / 2
  self.is_own = is_own
  if shift and shift >= 0 and shift < M.SAME_EDGE then return end
  self.phase, self.lessons = edge % WINDOW, self.lessons + 1
  self.index, self.blurred = window_of(self, edge - 1), 0
  self.used = math.max(count(self, edge - WINDOW - M.SAME_EDGE),
    shift and math.abs(shift) < M.SAME_EDGE and self.used or 0)
end

--- A 429: nothing goes until that time.
---@param till number
---@param is_window boolean  a window of the quota ends then
function Bucket:refused(till, is_window)
  self.blocked_till = math.max(self.blocked_till or till, till)
  if not is_window then return end
  self:teach(till, true)
  self.blocked_till = start_of(self, window_of(self, till - M.SAME_EDGE) + 1)
  self.strike = self.strike or self.blocked_till
end

-- ---- when there is room ----

--- Until when a 429 holds.
---@param now number
---@return number|nil
function Bucket:blocked(now)
  local till = self.blocked_till
  if till and till <= now then self.blocked_till, till = nil, nil end
  return till
end

--- How many more fit into the window of a time, which is known.
---@param now number
---@return number
function Bucket:left(now)
  self:roll(now)
  return math.max(0, self.limit - (self.used or 0))
end

--- Seconds from the start of a window until a paced request may be its `number`th.
local function pace(self, number)
  return math.max(0, number / self.limit - HEAD_START) * WINDOW
end

--- When there is room for one more, behind `before` others; the windows are known.
---@param before integer
---@param now number
---@param is_paced boolean|nil
---@return number at
function Bucket:room_at(before, now, is_paced)
  self:roll(now)
  local blocked = self:blocked(now)
  local first, used = self.index, self.used
  if blocked and window_of(self, blocked) > first then
    first, used = window_of(self, blocked), 0
  end
  local number = used + before + 1
  local later = math.floor((number - 1) / self.limit)
  local at = start_of(self, first + later)
  if is_paced then at = at + pace(self, number - later * self.limit) end
  return math.max(at, blocked or now, now)
end

--- A request goes out.
---@param entry luafabric.GovernorEntry
---@param now number
function Bucket:sent(entry, now)
  self:roll(now) -- first: what the window before teaches is about that one
  remember(self, entry)
  if not self.phase then return end
  local index = window_of(self, entry.at)
  if index ~= self.index then return end
  self.used = self.used + 1
  if start_of(self, index + 1) - entry.at < BLUR then self.blurred = self.blurred + 1 end
end

--- One that was said to go out has not.
---@param entry luafabric.GovernorEntry
function Bucket:withdrawn(entry)
  if not self.phase or window_of(self, entry.at) ~= self.index then return end
  self.used = math.max(0, self.used - 1)
  if start_of(self, self.index + 1) - entry.at < BLUR then
    self.blurred = math.max(0, self.blurred - 1)
  end
end

-- ---- from one process to the next ----

--- What was learnt, in numbers and booleans.
---@param offset number  what to add to a time
---@return table known
function Bucket:known(offset)
  return { limit = self.limit, patience = self.patience, is_own = self.is_own,
    phase = self.phase and (self.phase + offset) % WINDOW }
end

--- Knows what another has learnt.
---@param known table
---@param offset number  what to take off a time
function Bucket:recall(known, offset)
  self.limit, self.patience = known.limit, known.patience
  if not known.phase then return end
  self.phase, self.is_own = (known.phase - offset) % WINDOW, known.is_own
  self.index, self.used, self.blurred, self.strike = nil, nil, nil, nil
end

return M
