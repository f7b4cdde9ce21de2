--- A simulated world: one Fabric (the emulator's pure service), one store of runs (the real SQLite
--- code on a database in memory), and processes that run workflows with the real client and engine.
--- Time is virtual and everything is chosen by a seed, so that a seed tells the same story again.
--- While it plays, the world keeps what is true beside what the processes believe.

local faults = require "luafabric.simulation.faults"
local jobs_api = require "luafabric.api.jobs"
local processes = require "luafabric.simulation.process"
local seed_module = require "luafabric.simulation.seed"
local service_module = require "luafabric.emulator.service"
local sqlite_store = require "luafabric.store.sqlite"
local troubles = require "luafabric.simulation.troubles"
local truth = require "luafabric.simulation.truth"
local virtual = require "luafabric.hosts.virtual"
local wire = require "luafabric.simulation.wire"

local M = {}

local LATEST = 12 * 3600 -- seconds beside what notebooks take: longer than that is not lively
local MOST_TRIES = 60 -- of taking a run up

---@class luafabric.World
---@field base luafabric.VirtualHost  time, and what is on its way
---@field service table
---@field store luafabric.SqliteStore
---@field weather luafabric.Weather
---@field chance luafabric.Choices  of everything but the weather
---@field runs table[]       { run_id, definition, inputs, began_at, ended_at, report }; world time
---@field problems string[]  what must not be
---@field truth table        of simulation/truth
---@field notes table[]|nil  { at, text }, where somebody wants the story
---@field events table[]     { at, run_id, event }, the same
local World = {}
World.__index = World

--- Something that must not be.
function World:problem(text, ...)
  self.problems[#self.problems + 1] = text:format(...)
  self:note("PROBLEM: " .. text, ...)
end

--- A line of the story.
function World:note(text, ...)
  if not self.notes then return end
  self.notes[#self.notes + 1] = { at = self.base.wall(), text = text:format(...) }
end

--- What a process did, for the story. What a dead one goes on to think is none.
function World:tell(process, event)
  if process.is_dead then return end
  self.events[#self.events + 1] = { at = self.base.wall(), run_id = process.run.run_id,
    event = event }
end

--- The notebook that a request is about, for the story.
function World:place(request)
  if not self.notes then return "" end
  local item = truth.item_of(self.service, request.url)
  return item and item.name or "its workspace"
end

function World:is_healed()
  local at = self.weather.heals_at
  return at ~= nil and self.base.now() >= at
end

function World:post(event, seconds)
  self.base.post(event, self.base.now() + seconds)
end

--- The request gets to Fabric after all, when nobody waits for its answer any more.
function World:later(request, seconds)
  self:post({ kind = "late", request = request }, seconds)
end

--- Whether the one who holds a run is known to have ended.
function World:is_dead_owner(run_id)
  local row = self:row(run_id)
  return row ~= nil and row.owner ~= nil and self.dead[row.owner] == true
end

function World:row(run_id)
  return assert(self.store:rows("select owner, state from runs where run_id = ?1", run_id))[1]
end

-- ---- what the wire tells ----

--- A request was taken by Fabric.
function World:applied(request, response)
  if request.purpose == "submit" then self.truth:took(request, response) end
end

-- ---- events ----

local events = {}

function events.response(world, event)
  local request = world.by_request[event.id]
  world.by_request[event.id] = nil
  local process = request and request.process
  if not process or process.is_dead then return end
  process:pass "before an answer"
  if process.is_dead then return end
  world.truth:answered(request, event)
  process.inbox[#process.inbox + 1] = event
end

function events.late(world, event)
  world:note("a late submission of %s arrives", world:place(event.request))
  world:applied(event.request, world.service:handle(event.request, world.base.wall()))
end

function events.commit(_, event) event.process:commit() end

function events.foreign(world, event)
  local item = event.item
  local request = jobs_api.submit(world.client_settings.endpoint, "typed", item.workspace.id,
    item.id, "{}")
  request.headers["Authorization"] = "Bearer the-token-of-others"
  request.purpose = "submit"
  world:note("somebody else runs %s", item.name)
  world:applied(request, world.service:handle(request, world.base.wall()))
end

events["end"] = function(world) world.is_over = true end

--- The notebooks that ran give it time.
function events.too_late(world)
  local left = world.latest - world.base.now()
  if left <= 0 then return events["end"](world) end
  world:post({ kind = "too_late" }, left)
end

--- A run that nobody runs is taken up; one that is not there yet is started.
function events.begin(world, event)
  local run = event.run
  if run.is_ended then return end
  run.began_at = run.began_at or world.base.now()
  local is_there = world:row(run.run_id) ~= nil
  local process = processes.new(world, run, is_there)
  world:note("%s %s run %s", process.name, is_there and "takes up" or "starts", run.run_id)
  troubles.expose(world, process)
  world.processes[#world.processes + 1] = process
end

for kind, happen in pairs(troubles.events) do events[kind] = happen end

-- ---- the end of a process ----

local function is_run_by_another(world, run)
  for _, process in ipairs(world.processes) do
    if process.run == run and not process.is_over then return true end
  end
  return false
end

--- Somebody takes it up again after a while; where it is being run, nobody has to.
local function next_try(world, run)
  if is_run_by_another(world, run) then return end
  run.tries = (run.tries or 0) + 1
  if run.tries > MOST_TRIES then
    return world:problem("run %s cannot be taken up: %s", run.run_id, tostring(run.last_error))
  end
  world:post({ kind = "begin", run = run }, world.chance.one { 0, 5, 31, 120 })
end

local function is_left(world)
  for _, run in ipairs(world.runs) do
    if not run.is_ended then return true end
  end
  return false
end

local expected = { owned = true, fenced = true, duplicate = true }

--- What a process ended with.
local function look_at(world, process)
  local run, problem = process.run, process.problem
  local err = problem or process.err
  if err then
    local code = type(err) == "table" and err.store_code
    run.last_error = err
    world:note("%s ends: %s", process.name, tostring(err))
    if problem and not expected[code] then
      world:problem("run %s: its process raised: %s", run.run_id, tostring(problem))
    end
  end
  if process.report and not process.is_dead then run.report = process.report end
  local row = world:row(run.run_id)
  if not row or row.state ~= "ended" then return next_try(world, run) end
  if run.is_ended then return end
  run.is_ended, run.ended_at = true, world.base.now()
  world:note("run %s has ended", run.run_id)
  -- What is still on its way comes, and what was lost is lost for good.
  if not is_left(world) then world:post({ kind = "end" }, faults.LATE + faults.VISIBLE + 5) end
end

-- ---- the scheduler ----

local function let_go_on(world)
  local now, list = world.base.now(), world.processes
  local has_moved, left = false, {}
  for index = 1, #list do
    local process = list[index]
    if process:is_ready(now) then
      process:go_on()
      has_moved = true
    end
    if process.is_over then
      look_at(world, process)
      has_moved = true
    else
      left[#left + 1] = process
    end
  end
  for index = #list + 1, #world.processes do left[#left + 1] = world.processes[index] end
  world.processes = left
  return has_moved
end

local function next_at(world)
  local at = math.huge
  for _, process in ipairs(world.processes) do at = math.min(at, process:next_at()) end
  return at
end

--- Plays the world to its end.
---@return luafabric.World world
function World:play()
  local base = self.base
  while not self.is_over do
    if not let_go_on(self) then
      for _, event in ipairs(base.wait(math.max(0, next_at(self) - base.now()))) do
        events[event.kind](self, event)
      end
    end
  end
  for _, run in ipairs(self.runs) do
    if not run.is_ended then run.is_stuck = true end
  end
  return self
end

--- Lets go of its database.
function World:close()
  self.store:close()
end

-- ---- a new world ----

local function new_service(world, options, weather, chance)
  local function run(job, now)
    local result, seconds = options.notebooks.run(job, now)
    world.latest = world.latest + seconds
    return result, seconds
  end
  local settings = { run = run, retry_after = chance.one { 20, 60 },
    visibility_lag = { list = weather.list_lag, status = weather.visibility,
      instance = weather.visibility, livy = weather.list_lag },
    status_lag = weather.status_lag, queue = chance.one { 0, 0, 0, 25 },
    cancel_lag = chance.one { 0, 20 } }
  for name, value in pairs(options.settings or {}) do settings[name] = value end
  return service_module.new { workspaces = options.notebooks.workspaces, settings = settings,
    seed = options.seed }
end

---@class luafabric.WorldOptions
---@field seed integer
---@field faults table<string, boolean>  what may go wrong, of simulation/faults
---@field each boolean|nil      all of it does, instead of a part that the seed chooses
---@field heals boolean|nil     after a while nothing goes wrong any more
---@field runs { run_id: string, definition: table, inputs: table|nil }[]  at the same time
---@field notebooks luafabric.LabNotebooks
---@field client { exclusive: boolean|nil, submission: string|nil, tag_proven: boolean|nil }|nil
---@field settings table|nil    of the emulated Fabric
---@field has_story boolean|nil keeps notes of what happens

--- A world in which nothing has happened yet.
---@param options luafabric.WorldOptions
---@return luafabric.World
function M.new(options)
  local choices = seed_module.new(options.seed)
  local weather = faults.weather(choices.apart(), options.faults,
    { each = options.each, heals = options.heals })
  local self = setmetatable({ weather = weather, chance = choices, runs = options.runs,
    problems = {}, processes = {}, by_request = {}, dead = {}, told = {}, born = 0,
    latest = LATEST,
    offset = weather.offset, notes = options.has_story and {} or nil,
    events = {}, client_settings = { visible_after = 30, late_by = 300,
      endpoint = "https://api.fabric.microsoft.com/v1" } }, World)
  for name, value in pairs(options.client or {}) do self.client_settings[name] = value end
  self.ways = wire.ways(weather)
  self.service = new_service(self, options, weather, choices)
  self.truth = truth.new(self)
  self.base = virtual.new { seed = options.seed, log = false,
    connect_delay = weather.connect_delay,
    handle = function(request, now)
      if request.purpose == "submit" then self.truth:arrived(request) end
      return wire.answer(self, request, now)
    end }
  self.store = assert(sqlite_store.open(":memory:", { synchronous = true, owner = "the world",
    now = self.base.wall }))
  for _, run in ipairs(self.runs) do
    run.is_asked = weather.has.cancel and choices.chance(0.4) or nil
    self:post({ kind = "begin", run = run }, choices.one { 0, 0, 3, 60 })
  end
  troubles.prepare(self)
  self:post({ kind = "too_late" }, LATEST)
  return self
end

return M
