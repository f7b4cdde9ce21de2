--- The states of runs that somebody looks at: a page asks for the same one every second, and only
--- what happened since is read again. The latest few are kept, per process.

local stored_run = require "luafabric.view.stored_run"
local tasks = require "luafabric.tasks"

local M = {}

local MOST_RUNS = 32
local MOST_EVENTS = 50000 -- in all of them; one alone may have more
local AT_A_TIME = 500 -- events; then others have their turn

---@class luafabric.service.States
local States = {}
States.__index = States

---@return luafabric.service.States
function M.new()
  return setmetatable({ by_id = {}, latest = {}, events = 0 }, States)
end

local function forget(self, run_id)
  local known = self.by_id[run_id]
  if not known then return end
  self.by_id[run_id], self.events = nil, self.events - known.count
  for index, id in ipairs(self.latest) do
    if id == run_id then return table.remove(self.latest, index) end
  end
end

-- The one that was looked at last is the last of the list.
local function keep(self, run_id, known)
  forget(self, run_id) -- somebody else was quicker
  self.by_id[run_id], self.events = known, self.events + known.count
  table.insert(self.latest, run_id)
  while #self.latest > 1 and (#self.latest > MOST_RUNS or self.events > MOST_EVENTS) do
    forget(self, self.latest[1])
  end
end

--- The state of a run as it is now; not to be changed. In a task: what is read for the first time
--- may be long.
---@param store luafabric.SqliteStore
---@param row luafabric.RunRow
---@return luafabric.WorkflowRun|nil state
---@return integer|luafabric.Error count  how many events are in it; or the error
function States:fold(store, row)
  local known = self.by_id[row.run_id]
  forget(self, row.run_id) -- two who fold it at a time have a state each
  while true do
    local before = known and known.count or 0
    local state, count = stored_run.fold(store, row, known, AT_A_TIME)
    if not state then return nil, count end
    known = { state = state, count = count }
    if count - before < AT_A_TIME then break end
    tasks.yield()
  end
  keep(self, row.run_id, known)
  return known.state, known.count
end

return M
