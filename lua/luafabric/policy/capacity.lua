--- How many runs at a time a capacity takes. Fabric does not say, and does not queue what comes
--- through the API: it refuses with a 430, at the submission or as the reason of a run that ends at
--- once. Nothing limits us until it does; then the limit is what ran beside the refused one, and
--- grows again while nothing is refused. Pure.

local M = {}

-- After a round of runs that were taken the limit grows by one, then by two, by four, … until one
-- is refused. Where that happens at the same limit again, the next try is twice as many rounds
-- later, so many at most.
local MOST_ROUNDS = 8

---@class luafabric.Capacity
---@field limit number    runs at a time; math.huge while nothing is known
---@field running integer  as far as we know: an end is seen late, never early
---@field elsewhere integer  how many other processes have there
local Capacity = {}
Capacity.__index = Capacity

--- A capacity of which nothing is known.
---@return luafabric.Capacity
function M.new()
  return setmetatable({ limit = math.huge, running = 0, elsewhere = 0, good = 0, rounds = 1,
    step = 1, places = {}, last_number = 0 }, Capacity)
end

--- How many more may start now.
---@return number
function Capacity:room()
  return math.max(0, self.limit - self.running - self.elsewhere)
end

---@class luafabric.CapacityPlace  of one run, from before its submission to its end
---@field others integer  how many ran when it was submitted
---@field number integer  later ones have higher ones

--- A run is about to be submitted.
---@return luafabric.CapacityPlace
function Capacity:take()
  self.last_number = self.last_number + 1
  local others = self.running + self.elsewhere
  local place = { others = others, number = self.last_number, is_held = true }
  self.running = self.running + 1
  self.places[place] = true
  return place
end

--- Whether a run that has its place, and was not submitted yet, may still be: the limit may have
--- been found since, and then it is for those who came first.
---@param place luafabric.CapacityPlace
---@return boolean
function Capacity:has_room_for(place)
  if self.running + self.elsewhere <= self.limit then return true end
  local before = self.elsewhere
  for other in pairs(self.places) do
    if other.number < place.number then before = before + 1 end
  end
  return before < self.limit
end

local function let_go(self, place)
  if not place.is_held then return false end
  place.is_held, self.places[place] = nil, nil
  self.running = self.running - 1
  return true
end

--- The capacity did not take the run. What was known when it was submitted counts, and not what has
--- ended since. One is always tried, even where nothing of ours ran.
---@param place luafabric.CapacityPlace
function Capacity:refused(place)
  if not let_go(self, place) then return end
  local limit = math.max(1, place.others)
  if limit > self.limit then return end -- of an older time, and known
  self.rounds = self.refused_at == limit and math.min(MOST_ROUNDS, self.rounds * 2) or 1
  self.limit, self.refused_at, self.good, self.step = limit, limit, 0, 1
end

--- The run has ended, or was not submitted.
---@param place luafabric.CapacityPlace
---@param is_good boolean  it ran: the capacity had room for it
function Capacity:left(place, is_good)
  if not let_go(self, place) or not is_good or self.limit == math.huge then return end
  self.good = self.good + 1
  if self.good < self.limit * self.rounds then return end
  self.limit, self.good = self.limit + self.step, 0
  self.step = math.min(self.limit, self.step * 2)
end

return M
