-- The machine a figure was taken on: printed above every run of bench/, since a figure without it
-- says nothing.

local M = {}

local function first_match(path, pattern)
  local file = io.open(path, "r")
  if not file then return "unknown" end
  for line in file:lines() do
    local found = line:match(pattern)
    if found then
      file:close()
      return found
    end
  end
  file:close()
  return "unknown"
end

local function count_matches(path, pattern)
  local file = io.open(path, "r")
  if not file then return 0 end
  local count = 0
  for line in file:lines() do
    if line:find(pattern) then count = count + 1 end
  end
  file:close()
  return count
end

--- One line: processor, cores, memory, kernel, Lua.
---@return string
function M.describe()
  local memory = tonumber((first_match("/proc/meminfo", "^MemTotal:%s+(%d+)"))) or 0
  return ("%s, %d cores, %.0f GiB, Linux %s, %s"):format(
    first_match("/proc/cpuinfo", "^model name%s*:%s*(.+)$"),
    count_matches("/proc/cpuinfo", "^processor%s*:"), memory / 1024 / 1024,
    first_match("/proc/sys/kernel/osrelease", "^(%S+)"), jit and jit.version or _VERSION)
end

--- The middle value (the mean of the two middle ones for an even count).
---@param values number[]  not empty; sorted in place
---@return number
function M.median(values)
  table.sort(values)
  local middle = #values / 2
  if middle % 1 ~= 0 then return values[math.ceil(middle)] end
  return (values[middle] + values[middle + 1]) / 2
end

return M
