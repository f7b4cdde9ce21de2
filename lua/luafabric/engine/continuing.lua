--- What was under way before a run's file was changed goes on before anything else is looked at, so
--- that it is watched, and ends at a timeout or a cancel, as all that runs does. It is written down
--- here, and restored with the rest of the run (engine/resume).

local changing = require "luafabric.engine.changing"
local fan_out = require "luafabric.engine.fan_out"
local request_module = require "luafabric.workflow.request"

local M = {}

--- Paths of what was under way, in the order of the steps.
local function paths_under_way(engine)
  local paths, places = {}, {}
  for index, step in ipairs(engine.plan.steps) do places[step.name] = index end
  for path, step in pairs(engine.state.previous.steps) do
    places[path] = places[step.parent or path]
    if places[path] and changing.is_under_way(step) then paths[#paths + 1] = path end
  end
  table.sort(paths, function(a, b)
    if places[a] ~= places[b] then return places[a] < places[b] end
    return a < b
  end)
  return paths
end

--- The items of an `each` are needed now, before it is judged.
local function expand(engine, path)
  local state, step = engine.state.steps[path], engine.plan.by_name[path]
  if state.items or state.phase == "ended" then return end
  if state.phase == "pending" then engine:record { type = "step_continued", path = path } end
  fan_out.expand(engine, step, request_module.items(step, engine.view)
    or engine.state.previous.steps[path].items)
end

--- Writes down what goes on, where that was not done yet.
---@param engine table  whose state has `previous`
function M.record(engine)
  for _, path in ipairs(paths_under_way(engine)) do
    local parent = engine.state.previous.steps[path].parent
    if parent then expand(engine, parent) end
    local now = engine.state.steps[path]
    if now.phase ~= "ended" and #now.attempts == 0 then
      engine:record { type = "step_continued", path = path }
    end
  end
end

return M
