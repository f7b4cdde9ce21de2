--- Units that wait for their workspace's capacity: it refused what was too much, and Fabric queues
--- nothing, so they queue here, by priority and in their order (policy/capacity says how many go).

local heap = require "luafabric.heap"
local units = require "luafabric.engine.unit"

local M = {}

local weak_keys = { __mode = "k" }

--- The workspace as far as it is known; the request is built where it is not.
local function workspace_of(engine, unit)
  if unit.request then return unit.request.workspace end
  local given = unit.branch.fields.workspace
  if type(given) == "string" then return given end
  return units.build(engine, unit) and unit.request.workspace or nil
end

--- All engines of the client that wait for it look again.
local function wake_all(capacity)
  for wake in pairs(capacity.wakes) do wake:signal() end
end

local function tell(engine, unit, queue)
  if unit.told_queued then return end
  unit.told_queued = true
  engine:record { type = "step_waiting", path = unit.path, cause = "capacity",
    position = queue.size }
end

--- Where other processes have runs there, nobody wakes us when one ends.
local function look_again(engine, capacity)
  if not capacity.look_again or engine.looks[capacity] then return end
  engine.looks[capacity] = engine.timers:after(capacity.look_again, function()
    engine.looks[capacity] = nil
    if engine.held[capacity].size > 0 then look_again(engine, capacity) end
  end)
end

--- Tells who is first of those that wait, to a capacity that other processes wait for.
local function tell_first(engine, queue, capacity)
  if not capacity.waits then return end
  local first = queue:peek()
  if not first then return capacity:waits(engine, nil) end
  capacity:waits(engine, engine.state.steps[first.path].priority or 0, first.queued_at)
end

local function hold(engine, unit, capacity)
  local queue = engine.held[capacity]
  if not queue then
    queue = heap.new()
    engine.held[capacity] = queue
  end
  unit.queue = queue
  unit.queued_at = unit.queued_at or engine.host.wall()
  queue:push(unit, unit.heap_order)
  tell(engine, unit, queue)
  look_again(engine, capacity)
end

local function capacity_of(engine, workspace, workspace_id)
  local capacity = engine.port:capacity(workspace, workspace_id)
  capacity.wakes = capacity.wakes or setmetatable({}, weak_keys)
  capacity.wakes[engine.wake] = true
  return capacity
end

--- The unit has its place, whether there is room or not.
---@param unit table  with its request
function M.take(engine, unit)
  local request = unit.request
  unit.capacity = capacity_of(engine, request.workspace, request.workspace_id)
  unit.place, unit.told_queued = unit.capacity:take(), nil
end

--- Whether the place that the unit has is one still.
---@param unit table
---@return boolean
function M.has_room(_, unit)
  return unit.place == nil or unit.capacity:has_room_for(unit.place)
end

--- Whether a unit may be submitted now. Where it may, it has its place; where not, it is held, or
--- has ended since its request could not be built.
---@param engine table
---@param unit table  in no queue
---@return boolean
function M.may_start(engine, unit)
  local workspace = workspace_of(engine, unit)
  if not workspace then return false end
  local capacity = capacity_of(engine, workspace)
  if capacity:room() < 1 then
    hold(engine, unit, capacity)
    return false
  end
  unit.capacity, unit.place, unit.told_queued = capacity, capacity:take(), nil
  return true
end

--- Those for whom there is room are ready again.
function M.admit(engine)
  for capacity, queue in pairs(engine.held) do
    tell_first(engine, queue, capacity)
    local room = capacity:room()
    while room >= 1 and queue.size > 0 do
      local unit = queue:pop()
      unit.queue = nil
      engine.ready:push(unit, unit.heap_order)
      room = room - 1
    end
  end
end

--- The unit runs no more, or was not taken.
---@param unit table
---@param outcome string|nil  of the attempt; nil: there was no run
function M.leave(_, unit, outcome)
  local place, capacity = unit.place, unit.capacity
  if not place then return end
  unit.place = nil
  if outcome == "capacity" then
    capacity:refused(place)
  else
    unit.queued_at = nil
    -- A run that was lost sight of is no proof that there was room for it.
    capacity:left(place, outcome ~= nil and unit.run ~= nil and unit.run.ended == true)
  end
  wake_all(capacity)
end

--- The engine's run ends here, or is left: what it has of the client's capacities is another's.
---@param engine table
function M.close(engine)
  for _, unit in pairs(engine.units) do M.leave(engine, unit) end
  for capacity in pairs(engine.held) do
    if capacity.waits then capacity:waits(engine, nil) end
  end
end

return M
