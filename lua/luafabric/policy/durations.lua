--- How long the last runs of each notebook took, as far as is known; where to look for the end of
--- the next one follows from it (policy/polling). In memory; a store may give what it knows. Pure.

local M = {}

--- So many runs of a notebook are kept, the last ones.
M.KEPT = 30

---@class luafabric.Durations
local Durations = {}
Durations.__index = Durations

--- Nothing is known.
---@return luafabric.Durations
function M.new()
  return setmetatable({ lists = {} }, Durations)
end

--- A run took so long.
---@param key string      of the notebook
---@param seconds number  from its start to its end, as Fabric says
function Durations:add(key, seconds)
  local list = self.lists[key]
  if not list then
    list = { count = 0, next = 1 }
    self.lists[key] = list
  end
  list[list.next] = seconds
  list.count = math.max(list.count, list.next)
  list.next = list.next % M.KEPT + 1
  list.shortest = nil
end

--- What is known from elsewhere, the oldest first, instead of what was known here.
---@param key string
---@param seconds number[]
function Durations:seed(key, seconds)
  self.lists[key] = nil
  for _, value in ipairs(seconds) do self:add(key, value) end
end

--- What is known of a notebook.
---@param key string
---@return { count: integer, shortest: number, longest: number }|nil
function Durations:of(key)
  local list = self.lists[key]
  if not list or list.shortest then return list end
  list.shortest, list.longest = list[1], list[1]
  for index = 2, list.count do
    list.shortest = math.min(list.shortest, list[index])
    list.longest = math.max(list.longest, list[index])
  end
  return list
end

return M
