--- What the engine does at a time: one heap, which its main task sleeps on.

local heap = require "luafabric.heap"

local M = {}

local Timers = {}
Timers.__index = Timers

---@param now fun(): number  seconds of the loop's clock
---@return table timers
function M.new(now)
  return setmetatable({ now = now, heap = heap.new() }, Timers)
end

--- Calls a plain function later, once.
---@param seconds number
---@param fn fun()
---@return table timer
function Timers:after(seconds, fn)
  local timer = { at = self.now() + math.max(0, seconds), fn = fn }
  self.heap:push(timer)
  return timer
end

--- Forgets a timer; one that has fired is no error.
---@param timer table
function Timers:cancel(timer)
  if timer.heap_index then self.heap:remove(timer) end
end

--- Calls what is due, in order.
function Timers:fire()
  local now = self.now()
  local timer = self.heap:peek()
  while timer and timer.at <= now do
    self.heap:pop()
    timer.fn()
    timer = self.heap:peek()
  end
end

--- Seconds until the next one.
---@return number|nil
function Timers:left()
  local timer = self.heap:peek()
  return timer and math.max(0, timer.at - self.now())
end

return M
