--- What happened in a simulated world, as lines: its weather, what the world did, and what the runs
--- wrote down, in the order of Fabric's clock.

local core = require "luafabric.core"

local M = {}

local function weather_line(world)
  local names = {}
  for name in pairs(world.weather.has) do names[#names + 1] = name end
  table.sort(names)
  local heals_at = world.weather.heals_at
  return ("faults: %s; %d %% of the requests meet one%s"):format(
    #names > 0 and table.concat(names, ", ") or "none", world.weather.rate * 100,
    heals_at and ("; all is well after %d s"):format(heals_at) or "")
end

--- One event in a few words, whatever its type.
local function event_text(event)
  local parts = { event.type, event.path }
  local function add(value)
    if value ~= nil then parts[#parts + 1] = tostring(value) end
  end
  if event.attempt then add("attempt " .. event.attempt) end
  add(event.status)
  add(event.outcome)
  add(event.cause)
  add(event.how)
  add(event.job_id and "job " .. event.job_id)
  add(event.message or event.error and event.error.message)
  return table.concat(parts, "  ")
end

--- The story of a world that was played with notes.
---@param world luafabric.World
---@return string[] lines
function M.lines(world)
  local all = {}
  for _, note in ipairs(world.notes) do
    all[#all + 1] = { at = note.at, text = "* " .. note.text, number = #all }
  end
  for _, entry in ipairs(world.events) do
    all[#all + 1] = { at = entry.at, number = #all,
      text = ("  %s  %s"):format(entry.run_id, event_text(entry.event)) }
  end
  table.sort(all, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    return a.number < b.number
  end)
  local list = { weather_line(world) }
  for _, entry in ipairs(all) do
    list[#list + 1] = ("%s %s"):format(core.format_time(entry.at):sub(12, 19), entry.text)
  end
  return list
end

return M
