-- Runs whose process ends: a store that takes so many events and no more, and processes that go on.

local fabric = require "luafabric"
local sqlite_store = require "luafabric.store.sqlite"
local tasks = require "luafabric.tasks"

local M = {}

M.RUN_ID = "7f3a12"

--- A store in memory on the lab's clock.
---@param more table|nil  options of the store
function M.store_of(lab, more)
  local options = { synchronous = true, now = function() return lab:now() end }
  for name, value in pairs(more or {}) do options[name] = value end
  return assert(sqlite_store.open(":memory:", options))
end

-- A run's handle that takes so many events and no more, and that nobody lets go of.
local function dying_handle(handle, left)
  local append = handle.append
  function handle.append(self, events, intent)
    if left <= 0 then error("the process has ended", 0) end
    left = left - #events
    return append(self, events, intent)
  end
  function handle.close() end
  return handle
end

--- A store whose process is gone after so many events: nothing is written any more.
function M.dying(store, after)
  return setmetatable({
    create_run = function(_, given)
      local handle, err = store:create_run(given)
      if not handle then return nil, err end
      return dying_handle(handle, after - #(given.events or {}))
    end,
    open_run = function(_, ...)
      local handle, err = store:open_run(...)
      if not handle then return nil, err end
      return dying_handle(handle, after)
    end,
  }, { __index = store })
end

--- A client of a process that was started later.
---@param more table|nil  options of the client
function M.client_of(lab, more)
  local options = { credential = "token", host = function() return lab.host end }
  for name, value in pairs(more or {}) do options[name] = value end
  return fabric.client(options)
end

--- Runs until the process is gone, in a loop that nobody goes on with.
---@param options table  of workflow:run: the store a dying one
function M.run_until_dead(lab, definition, options)
  local loop = tasks.new(lab.host)
  local given = { client = lab.client, run_id = M.RUN_ID }
  for name, value in pairs(options) do given[name] = value end
  if given.resume then given.run_id = nil end
  local task = loop:spawn(function() return definition:run(given) end)
  pcall(loop.run, loop, task)
  lab.host.close() -- requests on their way are dropped, as the kernel would
end

--- What another process makes of it, a while later.
---@param options table|nil  of workflow:run
function M.resume(lab, definition, store, options)
  local given = { client = M.client_of(lab), store = store, resume = M.RUN_ID }
  for name, value in pairs(options or {}) do given[name] = value end
  return definition:run(given)
end

return M
