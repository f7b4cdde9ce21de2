--- The store of runs as one process of a simulated world has it: the real SQLite store on a
--- database in memory that the processes of the world share, with a disk in between that takes its
--- time, and that forgets what it had not finished when the process ends.

local direct = require "luafabric.store.sqlite_direct"
local owning = require "luafabric.store.sqlite_owning"
local errors = require "luafabric.errors"

local M = {}

-- ---- the writer, with the interface of luafabric.sqlite's ----

local Writer = {}
Writer.__index = Writer

local function fields_of(given)
  return setmetatable(given, Writer)
end

--- Queues a unit. A dead process' units go nowhere.
function Writer:append(unit)
  self.last = self.last + 1
  local process = self.process
  process:pass "before a commit"
  if process.is_dead then return self.last end
  self.queue[#self.queue + 1] = unit
  if self.delay == 0 then
    self:commit(#self.queue)
    process:pass "after a commit"
  elseif not self.is_due then
    self.is_due = true
    process:commit_in(self.delay)
  end
  return self.last
end

--- Writes the first units that wait.
function Writer:commit(count)
  for _ = 1, count do
    local unit = table.remove(self.queue, 1)
    self.inner:append(unit)
    local _, message, code, refused = self.inner:completed()
    self.settled = self.settled + 1
    self.message, self.code = self.message or message, self.code or code
    for _, entry in ipairs(refused or {}) do
      entry.ticket = self.settled
      table.insert(self.refused, entry)
    end
  end
end

function Writer:completed()
  local refused = self.refused
  self.refused = {}
  return self.settled, self.message, self.code, refused
end

--- At the orderly end of a process.
function Writer:flush()
  self:commit(#self.queue)
  return true
end

function Writer:fd() return nil end

function Writer:close() end

-- ---- the store ----

local function is_gone()
  return nil, errors.new { kind = "network", message = "the process has ended" }
end

local function keep_quiet(handle, process)
  if handle and not process.is_asked then handle.requests = false end
  return handle
end

--- The store in the hands of a process. Its methods are the real ones, on fields of its own.
---@param base luafabric.SqliteStore  the world's
---@param process luafabric.SimulatedProcess
---@param weather luafabric.Weather
---@return luafabric.SqliteStore store
function M.new(base, process, weather)
  local store = { owner = process.name, now = process.host.wall, lease = weather.lease,
    settled = 0, refused = {} }
  store.writer = fields_of { process = process, inner = direct.new(base.db), queue = {}, last = 0,
    settled = 0, refused = {}, delay = weather.commit_delay }

  function store:create_run(...)
    process:pass "before the run is in the store"
    if process.is_dead then return is_gone() end
    local handle, err = owning.create_run(self, ...)
    process:pass "after the run is in the store"
    return keep_quiet(handle, process), err
  end

  --- Whose process has ended on the same machine is known to be gone.
  function store:open_run(run_id, options)
    process:pass "before the run is taken"
    if process.is_dead then return is_gone() end
    local given = { take_over = process.world:is_dead_owner(run_id) or nil }
    for name, value in pairs(options or {}) do given[name] = value end
    local handle, err = owning.open_run(self, run_id, given)
    process:pass "after the run is taken"
    return keep_quiet(handle, process), err
  end

  return setmetatable(store, { __index = base })
end

return M
