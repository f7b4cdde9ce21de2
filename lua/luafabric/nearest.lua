--- The nearest of some words, for "did you mean". Pure.

local M = {}

local function distance(a, b)
  local row = {}
  for column = 0, #b do row[column] = column end
  for line = 1, #a do
    local diagonal = row[0]
    row[0] = line
    for column = 1, #b do
      local above = row[column]
      local cost = a:byte(line) == b:byte(column) and 0 or 1
      row[column] = math.min(row[column] + 1, row[column - 1] + 1, diagonal + cost)
      diagonal = above
    end
  end
  return row[#b]
end

local LONGEST = 256 -- bytes compared; the work grows with the square

--- The words that are near another, nearest first; letter case does not count.
---@param word string
---@param words string[]
---@param most integer  how many at most
---@return string[]
function M.find(word, words, most)
  local wanted, found = word:lower():sub(1, LONGEST), {}
  local limit = math.max(2, math.floor(#wanted / 3))
  for _, candidate in ipairs(words) do
    local other = candidate:lower():sub(1, LONGEST)
    local far = distance(wanted, other)
    if far <= limit or #wanted >= 3 and other:find(wanted, 1, true) then
      found[#found + 1] = { candidate, far }
    end
  end
  table.sort(found, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a[1] < b[1]
  end)
  local list = {}
  for index = 1, math.min(most, #found) do list[index] = found[index][1] end
  return list
end

--- Raises when a table has a field that nobody knows, naming the nearest one that is known.
---@param value table
---@param known table<string, any>
---@param what string   "client", "run_notebook"
---@param level integer as for `error`, seen from the caller
function M.check_fields(value, known, what, level)
  for name in pairs(value) do
    if known[name] == nil then
      local names = {}
      for field in pairs(known) do names[#names + 1] = field end
      local near = M.find(tostring(name), names, 1)[1]
      error(("%s: %s: unknown field%s"):format(what, tostring(name),
        near and (", did you mean %s?"):format(near) or ""), level + 1)
    end
  end
end

return M
