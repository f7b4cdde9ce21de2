--- What the runs of one loop have in common at the store: its news are told to those that wait for
--- some, and one task looks for what all of them are asked. A thousand runs that wait cost little
--- more than one.

local tasks = require "luafabric.tasks"

local M = {}

local LOOK_EVERY = 1 -- seconds

-- By loop: { members, waiting, count, forget, task }
local rooms = setmetatable({}, { __mode = "k" })

--- Tells the news to those that wait for some, in the order in which they began to.
local function tell(room)
  local waiting = room.waiting
  room.waiting = {}
  for _, engine in ipairs(waiting) do
    local member = room.members[engine]
    if member then
      member.is_waiting = nil
      if member.hear(engine) then M.expect(engine) end
    end
  end
end

local function look(room)
  while true do
    tasks.sleep(LOOK_EVERY)
    local lookers = {}
    for engine, member in pairs(room.members) do
      if member.look then lookers[#lookers + 1] = { engine = engine, member = member } end
    end
    table.sort(lookers, function(a, b) return a.member.number < b.member.number end)
    local known = {}
    for _, one in ipairs(lookers) do one.engine:protect(one.member.look, one.engine, known) end
  end
end

--- A run begins to watch the store.
---@param engine luafabric.Engine
---@param hear fun(engine): boolean  told the store's news; true: it waits for more
---@param look_for nil|fun(engine, known: table)  called every second, with what all of them share
---  that are called then; may not wait
function M.join(engine, hear, look_for)
  local loop = engine.loop
  local room = rooms[loop]
  if not room then
    room = { members = {}, waiting = {}, count = 0, joined = 0 }
    rooms[loop] = room
    room.forget = loop:on("store", function() tell(room) end)
  end
  room.count, room.joined = room.count + 1, room.joined + 1
  room.members[engine] = { hear = hear, look = look_for, number = room.joined }
  if look_for and not room.task then room.task = loop:spawn(look, room) end
end

--- It waits for the store's news.
---@param engine luafabric.Engine
function M.expect(engine)
  local room = rooms[engine.loop]
  local member = room and room.members[engine]
  if not member or member.is_waiting then return end
  member.is_waiting = true
  room.waiting[#room.waiting + 1] = engine
end

--- It watches the store no more; twice does no harm.
---@param engine luafabric.Engine
function M.leave(engine)
  local room = rooms[engine.loop]
  if not room or not room.members[engine] then return end
  room.members[engine] = nil
  room.count = room.count - 1
  if room.count > 0 then return end
  rooms[engine.loop] = nil
  room.forget()
  if room.task then room.task:cancel() end
end

return M
