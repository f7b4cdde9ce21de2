--- Events in memory: a store for runs that need not survive their process. The same interface as
--- every store: `append` gives a ticket at once, and `is_durable` says whether what it stands for
--- would survive; a store that takes its time reports { kind = "store" } at the host's wait point.

local M = {}

local Memory = {}
Memory.__index = Memory

--- An empty store.
---@param options { keep: boolean|nil }|nil  keep = false: events are counted, not kept
---@return table store
function M.new(options)
  return setmetatable({ events = {}, count = 0, keep = not options or options.keep ~= false },
    Memory)
end

--- Takes events, in order.
---@param events table[]
---@return integer ticket
function Memory:append(events)
  for _, event in ipairs(events) do
    self.count = self.count + 1
    if self.keep then self.events[self.count] = event end
  end
  return self.count
end

--- Whether everything up to that ticket is as safe as this store makes it.
---@param ticket integer
---@return boolean
function Memory:is_durable(ticket)
  return ticket <= self.count
end

return M
