--- Tables walked in one order, whatever Lua's own is: `pairs` goes by addresses and by a seed that
--- is another in each process, and the same workflow must give the same plan. Pure.

local M = {}

-- Absent from Lua 5.1, whose # looks at no metatable of a table.
local length = rawget(_G, "rawlen") or function(list) return #list end

local ranks = { number = 1, string = 2, boolean = 3 }

local function comes_before(a, b)
  local kind, other = type(a), type(b)
  if kind ~= other then return (ranks[kind] or 9) < (ranks[other] or 9) end
  if kind == "number" or kind == "string" then return a < b end
  return kind == "boolean" and b and not a
end

--- The keys: numbers as they go up, then texts as they sort, then booleans. Others, which have no
--- order, come last.
---@param from table
---@return any[] keys
function M.keys(from)
  local count = length(from)
  local keys, rest = {}, {}
  for index = 1, count do keys[index] = index end
  for key in next, from do
    local listed = type(key) == "number" and key >= 1 and key <= count and key % 1 == 0
    if not listed then rest[#rest + 1] = key end
  end
  table.sort(rest, comes_before)
  if type(rest[1]) ~= "number" then
    for index, key in ipairs(rest) do keys[count + index] = key end
    return keys
  end
  for _, key in ipairs(rest) do keys[#keys + 1] = key end
  table.sort(keys, comes_before)
  return keys
end

--- `pairs` in that order. Fields may be changed and taken away on the way.
---@param from table
---@return fun(): any, any iterator
function M.pairs(from)
  local keys, at = M.keys(from), 0
  return function()
    while true do
      at = at + 1
      local key = keys[at]
      if key == nil then return nil end
      local value = rawget(from, key)
      if value ~= nil then return key, value end
    end
  end
end

--- A function like `next` in that order. It keeps the keys of the last table it walked.
---@return fun(from: table, key: any): any, any
function M.new_next()
  local walked, keys, at = nil, {}, 0

  local function find(from, key)
    if key ~= nil and walked == from and keys[at] == key then return end
    walked, keys, at = from, M.keys(from), 0
    if key == nil then return end
    for index, other in ipairs(keys) do
      if other == key then at = index end
    end
  end

  return function(from, key)
    find(from, key)
    while true do
      at = at + 1
      local name = keys[at]
      if name == nil then
        walked = nil
        return nil
      end
      local value = rawget(from, name)
      if value ~= nil then return name, value end
    end
  end
end

return M
