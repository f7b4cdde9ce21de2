--- The faults of a simulated world that are no request's: processes that end or stand still,
--- clocks that are set, somebody else's submissions, somebody who cancels. When each happens is
--- chosen when the world, or the process, begins.

local M = {}

local SOON = 1200 -- seconds in which it happens
local STEPS = { 2, -2, 90, -90, 7200, -7200 } -- seconds by which a clock is set
-- While nobody runs a run there is only that clock to go by: more than this is not promised.
local SMALL_STEPS = { 2, -2 }
local MOST_POINTS = 120 -- of a process' life, at which it may end

M.events = {}

function M.events.die(world, event)
  if event.process.is_over or world:is_healed() then return end
  event.process:die "out of nothing"
end

function M.events.freeze(world, event)
  local process = event.process
  if process.is_over or world:is_healed() then return end
  local seconds = world.chance.one { 20, 45, 200 }
  process.frozen_until = world.base.now() + seconds
  world:note("%s stands still for %d s", process.name, seconds)
  -- Somebody wonders what became of it.
  world:post({ kind = "begin", run = process.run }, world.chance.one { 1, 35, 60 })
end

function M.events.clock(world, event)
  if world:is_healed() then return end
  world.offset = world.offset + event.by
  world:note("the clients' clock is set by %d s", event.by)
end

function M.events.cancel(world, event)
  if event.run.is_ended then return end
  world:note("run %s is asked to cancel", event.run.run_id)
  world.store:request(event.run.run_id, event.how)
end

--- What may happen to a process that begins.
---@param world luafabric.World
---@param process luafabric.SimulatedProcess
function M.expose(world, process)
  local has, chance, run = world.weather.has, world.chance, process.run
  if world:is_healed() then return end
  if has.restart and (run.deaths or 0) < 4 and chance.chance(0.7) then
    run.deaths = (run.deaths or 0) + 1
    if chance.chance(0.7) then
      process.dies_at = process.points + chance.whole(1, MOST_POINTS)
    else
      world:post({ kind = "die", process = process }, chance.whole(0, SOON))
    end
  end
  if has.freeze and (run.freezes or 0) < 3 and chance.chance(0.7) then
    run.freezes = (run.freezes or 0) + 1
    world:post({ kind = "freeze", process = process }, chance.seconds(0, SOON / 4))
  end
end

local function notebooks_of(world)
  local list = {}
  for _, workspace in ipairs(world.service.catalog.list) do
    for _, item in ipairs(workspace.items) do list[#list + 1] = item end
  end
  return list
end

--- What will happen in the world, whoever lives in it.
---@param world luafabric.World
function M.prepare(world)
  local has, chance = world.weather.has, world.chance
  local items = has.foreign and notebooks_of(world)
  for _ = 1, has.foreign and chance.whole(1, 6) or 0 do
    world:post({ kind = "foreign", item = chance.one(items) }, chance.seconds(0, SOON))
  end
  local steps = (has.restart or has.freeze) and SMALL_STEPS or STEPS
  for _ = 1, has.clock and chance.whole(1, 3) or 0 do
    world:post({ kind = "clock", by = chance.one(steps) }, chance.whole(0, SOON))
  end
  for _, run in ipairs(world.runs) do
    if run.is_asked then
      world:post({ kind = "cancel", run = run, how = chance.one { "cancel", "cancel_now" } },
        chance.whole(0, SOON))
    end
  end
end

return M
