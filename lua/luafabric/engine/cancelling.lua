--- A run that is to end before its time: Fabric is told, until it says yes or patience is used up.

local M = {}

-- Seconds for a run that does not end although it was told to.
M.PATIENCE = 600
local AGAIN = 60

local function cancel_refused(engine, unit, err)
  local message = tostring(err)
  if unit.stop.refused == message then return end
  unit.stop.refused = message
  engine:warn(unit.path, message)
end

--- Tells Fabric to end the unit's run, again and again where that fails.
---@param engine table
---@param unit table
---@param give_up fun()  called when the run has not ended for too long
---@param is_first boolean|nil
function M.cancel_run(engine, unit, give_up, is_first)
  local run, by = unit.run, unit.stop.kind
  if by == "cancelled" then by = engine.state.cancelled.by end
  if is_first then engine:record { type = "cancel_requested", path = unit.path, by = by } end
  unit.cancel_until = unit.cancel_until or engine.timers.now() + M.PATIENCE
  unit.cancel_timer = nil
  local function is_past() return unit.over or run ~= unit.run or run.outcome ~= nil end
  engine:spawn(function()
    if is_past() then return end
    local ok, err = engine.port:cancel(run, unit.stop.outcome)
    if is_past() then return end
    if not ok then cancel_refused(engine, unit, err) end
    local left = unit.cancel_until - engine.timers.now()
    if left <= 0 then return give_up() end
    unit.cancel_timer = engine.timers:after(ok and left or math.min(left, AGAIN),
      function() M.cancel_run(engine, unit, give_up) end)
  end)
end

return M
