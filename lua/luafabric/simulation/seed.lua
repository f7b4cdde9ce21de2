--- What a simulated world chooses, chosen by a seed: the same seed gives the same choices on every
--- Lua. Pure.

local virtual = require "luafabric.hosts.virtual"

local M = {}

---@class luafabric.Choices
---@field next fun(): number                        in [0, 1)
---@field whole fun(low: integer, high: integer): integer
---@field seconds fun(low: number, high: number): number
---@field chance fun(share: number): boolean
---@field one fun(list: table): any

--- The choices of a seed.
---@param seed number
---@return luafabric.Choices
function M.new(seed)
  local random = virtual.random(seed)
  local choices = { next = random }

  function choices.whole(low, high) return low + math.floor(random() * (high - low + 1)) end

  function choices.seconds(low, high) return low + random() * (high - low) end

  function choices.chance(share) return random() < share end

  function choices.one(list) return list[math.floor(random() * #list) + 1] end

  --- Choices of their own for a part of the world, so that what it draws shifts nobody else's.
  function choices.apart() return M.new(math.floor(random() * 2147483646)) end

  return choices
end

return M
