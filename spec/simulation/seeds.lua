-- Which seeds a spec plays: SEEDS sets how many, FIRST_SEED where they begin, SEED=123 plays that
-- one alone.

local M = {}

local function number_of(name)
  return tonumber(os.getenv(name) or "")
end

--- The seeds of this run.
---@param on_main integer    how many where nobody says so, on Lua 5.4
---@param on_others integer  on the others
---@return { one: number|nil, first: number, count: number }
function M.new(on_main, on_others)
  local one = number_of "SEED"
  local default = _VERSION == "Lua 5.4" and on_main or on_others
  return { one = one, first = one or number_of "FIRST_SEED" or 1,
    count = one and 1 or number_of "SEEDS" or default }
end

return M
