-- The points at which a process is made to die, or to stop: before and after everything that is
-- written down, before a request, when it is on the wire, and when its answer has come and nobody
-- has looked at it. They are counted; at the one that is asked for, the process signals itself.

local core = require "luafabric.core"

local M = {}

local ON_THE_WIRE = 0.05 -- seconds that a request gets to leave

--- Wraps a store and a host.
---@param store luafabric.SqliteStore
---@param host table
---@param wanted integer  the number of the point; 0: none
---@param signal "sigkill"|"sigstop"|nil
---@return { count: integer, names: string[] } points  as they are passed
function M.install(store, host, wanted, signal)
  local points = { count = 0, names = {} }
  local function pass(name, last_act)
    points.count = points.count + 1
    points.names[points.count] = name
    if points.count ~= wanted then return end
    -- Who stops in the middle of a commit keeps the file for himself.
    if signal == "sigstop" then store:flush(30) elseif last_act then last_act() end
    require("luv").kill(core.pid(), signal)
  end
  local function around(object, method, what, last_act)
    local own = object[method]
    object[method] = function(...)
      pass("before " .. what)
      local first, second, third = own(...)
      pass("after " .. what, last_act)
      return first, second, third
    end
  end
  around(store, "create_run", "the run is made")
  around(store, "open_run", "the run is taken")
  around(store, "commit", "a write", function() store:flush(30) end)
  around(host, "start", "a request", function() host.wait(ON_THE_WIRE) end)
  local wait = host.wait
  function host.wait(max_s)
    local events = wait(max_s)
    for _, event in ipairs(events) do
      if event.kind == "response" then
        pass("an answer")
        break
      end
    end
    return events
  end
  return points
end

return M
