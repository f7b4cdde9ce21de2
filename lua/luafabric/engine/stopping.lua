--- How a run, a step or a part of one ends early: a cancel, a timeout, a deadline. What has not
--- begun ends at once; what runs is cancelled in Fabric, and its end is awaited (engine/unit).

local attempts = require "luafabric.engine.attempts"
local core = require "luafabric.core"
local fan_out = require "luafabric.engine.fan_out"
local units = require "luafabric.engine.unit"

local M = {}

--- Ends a step without items.
local function stop_unit(self, path, unbegun, reason, stop)
  local unit = self.units[path]
  if unit and units.is_begun(self, unit) then
    return units.stop(self, unit, units.copy_stop(stop))
  end
  if stop.whole then self.cut_hit = true end
  if not unit then return self:end_step(path, unbegun, reason) end
  self:unqueue(unit)
  units.drop(self, unit, unbegun, reason)
end

--- Ends a step that has not ended: what has not begun ends as said, what runs is stopped.
---@param node table
---@param unbegun string  the outcome of what has not begun
---@param stop table      see units.stop
local function stop_node(self, node, unbegun, stop)
  local path = node.step.name
  local step = self.state.steps[path]
  if step.phase == "ended" then return end
  local reason = { kind = stop.kind, message = stop.message }
  if step.items then return fan_out.stop(self, node, unbegun, reason, stop) end
  stop_unit(self, path, unbegun, reason, stop)
end

--- Ends all steps of a phase, for the whole run's sake.
function M.cut_off(self, phase, outcome, kind, message)
  self.cut = self.cut or { outcome = outcome, kind = kind }
  local stop = { outcome = outcome, kind = kind, message = message, final = true, whole = true }
  for _, step in ipairs(phase == "main" and self.plan.order or self.plan.finally) do
    stop_node(self, self.nodes[step.name], "skipped", stop)
  end
end

local function time_is_up(self, kind, message)
  if self.in_finally or self.cut then return end
  self:record { type = "cancel_requested", by = kind }
  M.cut_off(self, "main", "timed_out", kind, message)
end

local function deadline_of_step(self, node)
  local step = node.step
  local shown = core.format_time(step.deadline)
  if self.state.steps[step.name].phase == "ended" then return end
  if step.on_deadline == "warn" then
    return self:warn(step.name, ("its deadline, %s, has passed; it goes on"):format(shown))
  end
  stop_node(self, node, "timed_out", { outcome = "timed_out", kind = "deadline", final = true,
    message = ("the deadline %s has passed"):format(shown) })
end

local EARLY = 0.001 -- seconds; the two clocks are not read at the same instant

--- Calls a function at a time of the wall clock, which may have been set, or have gone on while the
--- machine slept.
local function at_wall(self, unix, fn, keep)
  local function check()
    local left = unix - self.host.wall()
    if left <= EARLY then return fn() end
    keep(self.timers:after(left, check))
  end
  keep(self.timers:after(unix - self.host.wall(), check))
end

local function ignore() end

--- An item or a branch may have a deadline of its own.
function M.watch_deadline(self, unit, deadline)
  if not deadline or deadline == unit.step.deadline then return end
  local shown = core.format_time(deadline)
  local warns = unit.branch.on_deadline == "warn"
  local message = ("the deadline %s has passed"):format(shown)
  if deadline <= self.host.wall() and not warns and not units.is_begun(self, unit) then
    return units.drop(self, unit, "timed_out", { kind = "deadline", message = message })
  end
  at_wall(self, deadline, function()
    unit.deadline_timer = nil
    if warns then
      return self:warn(unit.path, ("its deadline, %s, has passed; it goes on"):format(shown))
    end
    units.stop(self, unit, { outcome = "timed_out", kind = "deadline", final = true,
      message = message })
  end, function(timer) unit.deadline_timer = timer end)
end

--- Sets the clocks: the workflow's timeout and deadline, the deadlines of steps.
function M.watch_time(self)
  local plan = self.plan
  if plan.timeout then
    local passed = self.host.wall() - self.state.started_at
    self.timers:after(plan.timeout - passed, function()
      time_is_up(self, "timeout", "the workflow's timeout was used up")
    end)
  end
  if plan.deadline then
    at_wall(self, plan.deadline, function()
      local message = ("the workflow's deadline, %s, has passed"):format(
        core.format_time(plan.deadline))
      if plan.on_deadline == "warn" then return self:warn(nil, message .. "; it goes on") end
      time_is_up(self, "deadline", message)
    end, ignore)
  end
  for _, step in ipairs(plan.steps) do
    if type(step.deadline) == "number" then
      local node = self.nodes[step.name]
      at_wall(self, step.deadline, function() deadline_of_step(self, node) end, ignore)
    end
  end
end

--- A run that had been told to end is taken up again: it still ends.
---@param cancelled { by: string, now: boolean|nil }  as the history knows it
function M.cut_again(self, cancelled)
  local by = cancelled.by
  local is_time = by == "timeout" or by == "deadline"
  local kind, outcome = is_time and by or "cancelled", is_time and "timed_out" or "cancelled"
  self.cut = { outcome = outcome, kind = kind }
  for _, step in pairs(self.state.steps) do
    if step.reason and step.reason.kind == kind then self.cut_hit = true end
  end
  self.without_finally = cancelled.now
  self.asked = is_time and 0 or 1
  M.cut_off(self, "main", outcome, kind, "cut off before its process ended")
end

-- ---- orders from outside ----

local function cancel(self, order)
  self:record { type = "cancel_requested", by = order.by, now = order.now or nil }
  if not self.in_finally then M.cut_off(self, "main", "cancelled", "cancelled", "cancelled") end
  if not order.now then return end
  self.without_finally = true
  if self.in_finally then M.cut_off(self, "finally", "cancelled", "cancelled", "cancelled") end
end

--- Ends the run early: runs in Fabric are cancelled, `finally` still runs. A second time, or with
--- `now`, `finally` is skipped or cancelled too. Plain: may be called from anywhere in the loop,
--- from on_event too; the engine's own task carries it out.
---@param options { now: boolean|nil, by: string|nil }|nil  by: "user", "program"
function M.cancel(self, options)
  if self.over then return end
  self.asked = (self.asked or 0) + 1
  self.orders[#self.orders + 1] = { by = options and options.by or "program",
    now = options and options.now or self.asked > 1 }
  self.wake:signal()
end

--- Stops watching, and leaves what runs in Fabric. An answer that is on its way is waited for, so
--- that its run is known; a second time it is not. Plain, as above.
function M.detach(self)
  self.leaving = self.detaching
  self.detaching = true
  self.wake:signal()
end

--- Stops as `detach` does, for another process to go on at once: nothing is written down but the
--- answers of submissions that are on their way, and the run is let go of when the last one is. A
--- second time they are not waited for. Plain, as above.
function M.hand_over(self)
  if self.detaching then return M.detach(self) end
  self.handing_over = true
  M.detach(self)
end

--- Carries out what was ordered.
function M.obey(self)
  local orders = self.orders
  self.orders = {}
  if self.detaching then return end
  for _, order in ipairs(orders) do cancel(self, order) end
end

--- Whether its answer is on its way, or will be: of an attempt that is written down nobody who
--- takes the run over can know that it was not sent, so it is.
local function is_on_its_way(self, unit)
  if unit.in_flight then return true end
  if not self.handing_over or not unit.task or unit.in_doubt or unit.is_restored then
    return false
  end
  local attempt = attempts.open(self, unit)
  return attempt ~= nil and attempt.state == "intended"
end

--- Whether a run that is being left can be: nothing more is sent, and no answer is on its way.
---@return boolean
function M.is_left(self)
  local waits = false
  for _, unit in pairs(self.units) do
    local is_waited_for = is_on_its_way(self, unit)
    if unit.task and not is_waited_for then unit.task:cancel() end
    waits = waits or is_waited_for
  end
  return self.leaving or not waits
end

return M
