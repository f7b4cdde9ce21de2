-- A run's events as lines on standard error, one for each change.

local duration = require "luafabric.duration"

local M = {}

local causes = {
  throttled = "the quota of the identity is used up (429)",
  capacity = "the capacity is full (430)",
  network = "Fabric could not be reached",
}

--- A function for the client's on_event.
---@param terminal table
---@return fun(event: table)
function M.new(terminal)
  local lines = {
    submitted = function(event)
      if event.job_id then terminal:say(("submitted  job %s"):format(event.job_id)) end
    end,
    waiting = function(event)
      terminal:say(terminal:careful(("waiting    %s, next try in %s"):format(
        causes[event.cause] or tostring(event.cause), duration.format(event.seconds or 0))))
    end,
    status_changed = function(event)
      terminal:say(terminal:faint("status     ") .. tostring(event.status))
    end,
    warning = function(event)
      terminal:say(terminal:careful("warning    ") .. tostring(event.message))
    end,
  }
  return function(event)
    local line = lines[event.type]
    if line then line(event) end
  end
end

return M
