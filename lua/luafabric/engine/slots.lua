--- The engine's tasks, and who may have one: units wait for a slot (`max_concurrency`), submissions
--- and readings of exit values are so many at a time. Methods of the engine.

local capacity_queue = require "luafabric.engine.capacity_queue"
local fan_out = require "luafabric.engine.fan_out"
local submitting = require "luafabric.engine.submitting"
local units = require "luafabric.engine.unit"

local M = {}

-- Each submission is a connection of its own; so many at a time.
local MOST_SUBMITTING = 8
-- Exit values being read at a time.
local MOST_READING = 8

--- Calls a plain function whose errors are this run's, and not its caller's.
function M:protect(fn, ...)
  local ok, problem = pcall(fn, ...)
  if ok then return end
  self.failure = self.failure or problem
  self.wake:signal()
end

--- Starts a task of this run; `on_error` is told when it raises.
---@param fn function
---@param on_error nil|fun(err: luafabric.Error)
---@return luafabric.Task
function M:spawn(fn, on_error, ...)
  local task = self.loop:spawn(fn, ...)
  self.tasks[task] = true
  self.loop:spawn(function()
    local ok, err = task:join()
    self.tasks[task] = nil
    if not ok and not self.over and err.kind ~= "cancelled" then
      self:protect(on_error or function() self:warn(nil, tostring(err)) end, err)
    end
    self.wake:signal()
  end)
  return task
end

function M:submission_begun(unit)
  if unit.submitting then return end
  unit.submitting = true
  self.submitting = self.submitting + 1
end

function M:submission_over(unit)
  if not unit.submitting then return end
  unit.submitting = nil
  self.submitting = self.submitting - 1
  self.wake:signal()
end

--- The unit's slot is free.
function M:release(unit)
  self:submission_over(unit)
  self:leave_capacity(unit)
  unit.in_flight = nil
  if unit.holds_slot then
    unit.holds_slot = nil
    self.active = self.active - 1
  end
  fan_out.released(self, unit)
  self.wake:signal()
end

--- The unit has its place among those of its `each`.
function M:hold_place(unit)
  fan_out.taken(unit)
end

--- The unit is to run as soon as there is a slot.
---@param unit table
---@param order number|nil  `heap_order` of a unit that was in the queue before, and keeps its place
function M:enqueue(unit, order)
  self.units[unit.path] = unit
  fan_out.taken(unit)
  self.ready:push(unit, order)
  self.wake:signal()
end

--- It waits for nothing any more.
function M:unqueue(unit)
  local queue = unit.queue or self.ready
  queue:remove(unit)
  unit.queue = nil
end

M.take_capacity, M.leave_capacity = capacity_queue.take, capacity_queue.leave
M.has_room, M.close_queues = capacity_queue.has_room, capacity_queue.close

--- The next unit that may be submitted, with its place in the capacity.
local function next_unit(self)
  while self.active < self.most and self.submitting < MOST_SUBMITTING do
    capacity_queue.admit(self)
    local unit = self.ready:pop()
    if not unit or capacity_queue.may_start(self, unit) then return unit end
  end
end

function M:dispatch()
  local unit = next_unit(self)
  while unit do
    unit.holds_slot = true
    self.active = self.active + 1
    submitting.start(self, unit)
    unit = next_unit(self)
  end
end

--- Reads the exit value of a run that ended, in its turn, where somebody wants it; of one that did
--- not succeed, the links.
function M:read_details(unit)
  local is_wanted = self.all_exits or unit.step.wants_exit
  if unit.run.outcome == "succeeded" and not is_wanted then return units.run_ended(self, unit) end
  self.to_read[#self.to_read + 1] = unit
  self.wake:signal()
end

function M:dispatch_reads()
  while self.reading < MOST_READING and self.first_read <= #self.to_read do
    local unit = self.to_read[self.first_read]
    self.to_read[self.first_read] = false
    self.first_read = self.first_read + 1
    self.reading = self.reading + 1
    local reader = self:spawn(function() self.port:read_details(unit.run) end)
    self:spawn(function()
      reader:join() -- what it may have raised is a warning
      self.reading = self.reading - 1
      units.run_ended(self, unit)
    end)
  end
  if self.first_read > #self.to_read then self.to_read, self.first_read = {}, 1 end
end

return M
