--- What the runs of one loop have in common at the store: its news are told to those that wait
--- for some, one task looks for what all of them are asked, and another holds them. A thousand runs
--- that wait cost little more than one.

local holding = require "luafabric.store.holding"
local tasks = require "luafabric.tasks"

local M = {}

local LOOK_EVERY = 1 -- seconds
local RENEWALS = 3 -- of a lease
local FALLBACK_LEASE = 30 -- seconds

---@class luafabric.StoreMember  what a run that watches its store does; none of it may wait
---@field hear fun(engine: table): boolean  told of the store's news; true: it waits for more
---@field look nil|fun(engine: table, known: table): boolean|nil  every second in which somebody may
---  have written, with what all of them share that are called then; true: nothing is left to see
---@field check nil|fun(engine: table)  it is to be held, and this raises where it was lost

-- By loop: { members, lists, waiting, count, forget, tasks, hold_at }
local rooms = setmetatable({}, { __mode = "k" })

local function lease_of(engine)
  return engine.store.store and engine.store.store.lease or FALLBACK_LEASE
end

--- Members that have such a function, in the order in which they joined. The list is kept until
--- one comes or goes: it is not to be changed.
local function those_with(room, name)
  local list = room.lists[name]
  if list then return list end
  list = {}
  room.lists[name] = list
  for _, member in pairs(room.members) do
    if member.does[name] then list[#list + 1] = member end
  end
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

-- ---- news ----

--- Tells the news to those that wait for some, in the order in which they began to.
local function tell(room)
  local waiting = room.waiting
  room.waiting = {}
  for _, engine in ipairs(waiting) do
    local member = room.members[engine]
    if member then
      member.is_waiting = nil
      if member.does.hear(engine) then M.expect(engine) end
    end
  end
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

-- ---- what comes again and again ----

--- The version of the store of a run, which is read once for all of a turn; nil where it has none.
local function version_of(engine, versions)
  local store = engine.store.store
  if not store or not store.version then return nil end
  if versions[store] == nil then versions[store] = store:version() or false end
  return versions[store] or nil
end

local function look_once(member, known, version)
  if member.does.look(member.engine, known) then member.seen_version = version end
end

local function look(room)
  while true do
    tasks.sleep(LOOK_EVERY)
    local known, versions = {}, {}
    for _, member in ipairs(those_with(room, "look")) do
      local version = version_of(member.engine, versions)
      if not version or version ~= member.seen_version then
        member.engine:protect(look_once, member, known, version)
      end
    end
  end
end

--- When a member is to be held again; or after a part of that time.
local function holding_time(member, part)
  return member.held_at + lease_of(member.engine) / RENEWALS * part
end

--- The next member to be held is due then.
local function next_holding(room)
  local at = math.huge
  for _, member in ipairs(those_with(room, "check")) do
    at = math.min(at, holding_time(member, 1))
  end
  return at
end

--- Runs of one store that are to be held now. Those whose time comes soon go with the others.
local function due(room, now)
  local by_store, stores = {}, {}
  for _, member in ipairs(those_with(room, "check")) do
    local store = member.engine.store.store or member.engine.store
    if holding_time(member, 0.5) <= now then
      if not by_store[store] then
        by_store[store] = { is_due = false }
        stores[#stores + 1] = by_store[store]
      end
      table.insert(by_store[store], member)
      if holding_time(member, 1) <= now then by_store[store].is_due = true end
    end
  end
  return stores
end

local function renew(members, now)
  local runs = {}
  for index, member in ipairs(members) do runs[index], member.held_at = member.engine.store, now end
  local ok, err
  if runs[1].store then
    ok, err = holding.renew(runs, now)
  else
    ok, err = runs[1]:renew(now) -- a store of one run
  end
  for _, member in ipairs(members) do
    local engine = member.engine
    if not ok then
      engine:protect(error, err, 0)
    elseif not engine.over then
      engine:protect(member.does.check, engine)
    end
  end
end

--- A mistake of ours ends the runs that it met, and not the task that holds all others.
local function renew_or_end(room, members, now)
  local _, loop = tasks.current()
  room.tasks.renew = loop:spawn(renew, members, now)
  local ok, err = room.tasks.renew:join()
  if ok then return end
  for _, member in ipairs(members) do
    if not member.engine.over then member.engine:protect(error, err, 0) end
  end
end

local function hold(room, host)
  while true do
    tasks.sleep(LOOK_EVERY)
    if host.now() >= room.hold_at then
      for _, members in ipairs(due(room, host.now())) do
        if members.is_due then renew_or_end(room, members, host.now()) end
      end
      room.hold_at = next_holding(room)
    end
  end
end

-- ---- coming and going ----

--- A run begins to watch the store; it is held already.
---@param engine luafabric.Engine
---@param does luafabric.StoreMember
function M.join(engine, does)
  local loop = engine.loop
  local room = rooms[loop]
  if not room then
    room = { members = {}, lists = {}, waiting = {}, count = 0, joined = 0, tasks = {},
      hold_at = math.huge }
    rooms[loop] = room
    room.forget = loop:on("store", function() tell(room) end)
  end
  room.count, room.joined, room.lists = room.count + 1, room.joined + 1, {}
  local member = { engine = engine, does = does, number = room.joined, held_at = loop.host.now() }
  room.members[engine] = member
  if does.check then room.hold_at = math.min(room.hold_at, holding_time(member, 1)) end
  if does.look and not room.tasks.look then room.tasks.look = loop:spawn(look, room) end
  if does.check and not room.tasks.hold then
    room.tasks.hold = loop:spawn(hold, room, loop.host)
  end
end

--- It watches the store no more; twice does no harm.
---@param engine luafabric.Engine
function M.leave(engine)
  local room = rooms[engine.loop]
  if not room or not room.members[engine] then return end
  room.members[engine] = nil
  room.count, room.lists = room.count - 1, {}
  if room.count > 0 then return end
  rooms[engine.loop] = nil
  room.forget()
  for _, task in pairs(room.tasks) do task:cancel() end
end

return M
