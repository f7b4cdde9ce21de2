--- One process of a simulated world: a client, a loop on a host of its own, its hand on the store,
--- and the run that it runs. It can end at any point, and stand still for a while. The host is a
--- view on the world's virtual one: it has its own clock, and waits in the world's scheduler.

local client_module = require "luafabric.client"
local disk = require "luafabric.simulation.disk"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local M = {}

-- Two clocks are the same time with other roundings: a wait ends when it is surely over.
local TICK = 1e-6 -- seconds

---@class luafabric.SimulatedProcess
---@field world luafabric.World
---@field name string        as an owner of runs
---@field run table          of the world
---@field is_dead boolean|nil
---@field frozen_until number|nil  world time
local Process = {}
Process.__index = Process

-- ---- its host ----

local function new_host(process)
  local world, born = process.world, process.born
  local base = world.base
  local host = { name = "simulated", random = virtual.random(world.chance.whole(1, 1e9)) }

  function host.now() return base.now() - born end

  function host.wall() return base.wall() + world.offset end

  function host.start(request)
    process:pass("before " .. (request.purpose or "a request"))
    if process.is_dead then return {} end
    if request.not_after then request.not_after = request.not_after + born end
    request.process = process
    local id = base.start(request)
    world.by_request[id] = request
    process:pass("after " .. (request.purpose or "a request"))
    return id
  end

  function host.cancel(id)
    if not process.is_dead then base.cancel(id) end
  end

  --- Only the scheduler goes on from here, and never for a process that has ended.
  function host.wait(max_s)
    process.wakes_at = max_s and base.now() + (max_s > 0 and max_s + TICK or 0) or math.huge
    return coroutine.yield()
  end

  function host.watch_store() return true end

  function host.unwatch_store() end

  function host.close() end

  return host
end

-- ---- its life ----

--- Something that can be the last thing it did.
---@param where string
function Process:pass(where)
  if self.is_dead then return end
  self.points = self.points + 1
  if self.points == self.dies_at then self:die(where) end
end

--- What was not on the wire yet may never be.
local function drop_requests(process)
  local world, ids = process.world, {}
  for id, request in pairs(world.by_request) do
    if request.process == process then ids[#ids + 1] = id end
  end
  table.sort(ids)
  for _, id in ipairs(ids) do
    if world.chance.chance(0.5) then world.base.cancel(id) end
  end
end

--- It ends here: what it had not written is lost, or some of it; what it had sent goes on.
---@param where string
function Process:die(where)
  local world, writer = self.world, self.store and self.store.writer
  self.is_dead, self.is_over = true, true
  world.dead[self.name] = true
  world:note("%s ends %s", self.name, where)
  if writer and #writer.queue > 0 then writer:commit(world.chance.whole(0, #writer.queue)) end
  drop_requests(self)
end

--- The disk has something for it after a while.
function Process:commit_in(most)
  self.world:post({ kind = "commit", process = self }, self.world.chance.seconds(most / 10, most))
end

--- The disk has finished.
function Process:commit()
  local writer = self.store.writer
  if self.is_dead then return end
  writer.is_due = nil
  writer:commit(#writer.queue)
  self.inbox[#self.inbox + 1] = { kind = "store" }
  self:pass "after a commit"
end

function Process:is_ready(now)
  if self.is_over or self.frozen_until and now < self.frozen_until then return false end
  return #self.inbox > 0 or self.wakes_at <= now
end

--- Until the next thing that it waits for.
function Process:next_at()
  if self.is_over then return math.huge end
  local at = #self.inbox > 0 and 0 or self.wakes_at
  return math.max(at, self.frozen_until or 0)
end

local function resume(self, ...)
  local ok, problem = coroutine.resume(self.thread, ...)
  if not ok then
    self.is_over, self.problem = true, self.problem or problem
  elseif coroutine.status(self.thread) == "dead" then
    self.is_over = true
  end
  if self.is_over and not self.is_dead then self.store.writer:flush() end
end

--- Goes on until it waits again.
function Process:go_on()
  local events = self.inbox
  self.inbox, self.wakes_at = {}, math.huge
  resume(self, events)
end

local function live(process, order)
  local loop = tasks.new(process.host)
  local task = loop:spawn(function() return order.definition:run(order.options) end)
  local ok, report, err = loop:run(task)
  if not ok then
    process.problem = report
    return
  end
  process.report, process.err = report, err
end

--- A process that runs a run, or takes it up.
---@param world luafabric.World
---@param run table  { run_id, definition, inputs, is_asked }
---@param is_resuming boolean
---@return luafabric.SimulatedProcess
function M.new(world, run, is_resuming)
  world.born = world.born + 1
  local self = setmetatable({ world = world, run = run, name = "process " .. world.born,
    born = world.base.now(), points = 0, inbox = {}, wakes_at = 0, is_asked = run.is_asked,
    is_resuming = is_resuming }, Process)
  self.host = new_host(self)
  self.store = disk.new(world.store, self, world.weather)
  local settings = world.client_settings
  local client = client_module.new { credential = "the-token-of-" .. world.born,
    host = function() return self.host end, tag_proven = settings.tag_proven,
    visible_after = settings.visible_after, late_by = settings.late_by }
  local order = { definition = run.definition, options = { client = client, store = self.store,
    inputs = run.inputs, submission = settings.submission, exclusive = settings.exclusive,
    on_event = world.notes and function(event) world:tell(self, event) end } }
  if is_resuming then order.options.resume = run.run_id else order.options.run_id = run.run_id end
  self.thread = coroutine.create(live)
  resume(self, self, order)
  return self
end

return M
