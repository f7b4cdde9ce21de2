--- Who owns a run: a text that names a process for good, and whether that process is surely gone.
--- A process number comes again after a while, so its start is in the text too, and with them the
--- machine's start, its name and the start of its first process, which tell containers apart.

local core = require "luafabric.core"

local M = {}

local function read(path)
  local file = io.open(path, "r")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

--- When a process began, in ticks since the machine's start (proc(5), stat, field 22). The name in
--- field 2 may hold anything, so counting begins behind it.
local function started(pid)
  local text = read("/proc/" .. pid .. "/stat")
  local fields = text and text:match("^.*%)%s(.*)$")
  if not fields then return nil end
  local state, index = fields:match("^%S+"), 0
  for field in fields:gmatch("%S+") do
    index = index + 1
    if index == 20 then return field, state end
  end
end

--- What the kernel says of itself, in one word.
local function kernel_word(name)
  local text = read("/proc/sys/kernel/" .. name)
  local word = text and text:match("^%S+")
  return word and word:gsub("[^%w._-]", "_") or "?"
end

--- Containers have the machine's start in common, and those that began at once that of their first
--- process, too; each has a name of its own.
local function machine()
  return ("%s@%s/%s"):format(kernel_word "random/boot_id", kernel_word "hostname",
    started(1) or "?")
end

--- This process, as "pid/start/machine's start@name/first process's start/a random part": two
--- owners in one process are two.
---@return string owner
function M.new()
  local pid = ("%d"):format(core.pid())
  return ("%s/%s/%s/%s"):format(pid, started(pid) or "?", machine(), core.random_hex(4))
end

--- The process number in the text; nil where there is none.
---@param owner string
---@return string|nil pid
function M.pid(owner)
  return owner:match("^(%d+)/")
end

--- True when the owner was a process of this machine since its start, and is there no more. False
--- says nothing: another machine, another container, or no /proc.
---@param owner string
---@return boolean
function M.is_gone(owner)
  local pid, began, where = owner:match("^(%d+)/([^/]+)/([^/]+/[^/]+)/%x+$")
  if not pid or began == "?" or where:find("?", 1, true) or where ~= machine() then return false end
  local now, state = started(pid)
  return now ~= began or state == "Z"
end

return M
