-- From a seed a small workflow, or two that share their notebooks, and a simulated world around
-- them: shared by durable_spec.lua and ./dev campaign. Small, because what goes wrong with a
-- submission needs no more than one or two of them, and many seeds say more than many steps.

local checks = require "luafabric.simulation.checks"
local fabric = require "luafabric"
local faults = require "luafabric.simulation.faults"
local ids = require "luafabric.emulator.ids"
local lab_notebooks = require "luafabric.lab.notebooks"
local seed_module = require "luafabric.simulation.seed"
local service_module = require "luafabric.emulator.service"
local worlds = require "luafabric.simulation.world"

local M = {}

local SECRET = "s3cr3t-of-the-night"

-- By their ids: how names are found is no part of this.
local catalog = service_module.new { workspaces = { { name = "W", notebooks = { "A", "B" } } } }
  .catalog.list[1]
local WORKSPACE, NOTEBOOKS = catalog.id, { catalog.items[1].id, catalog.items[2].id }
assert(ids.is_guid(WORKSPACE))

--- What a run of a notebook does: by its numbers, not by who asks.
local function new_notebook(chance)
  return function(parameters, run)
    local seconds = chance.whole(1, chance.one { 60, 400 })
    local roll = chance.next()
    if roll < 0.06 then run:fail("failed", "it had to be", seconds) end
    if roll < 0.08 then run:fail("capacity", nil, 5) end
    return { n = 1, list = { "a", "b" }, key = parameters.key and "kept" or nil }, seconds
  end
end

-- ---- a workflow ----

local kinds = {}

function kinds.notebook(flow, name, fields) return flow:notebook(name, fields) end

function kinds.each(flow, name, fields, chance)
  fields.parameters = function(item) return { item = item } end
  fields.tolerate = chance.chance(0.5) and 1 or nil
  return flow:each(name, chance.chance(0.5) and { "x", "y" } or { "x" }, fields)
end

local function fields_of(chance, choice)
  local fields = { workspace = WORKSPACE, notebook = chance.one(NOTEBOOKS) }
  if chance.chance(0.3) then fields.retry = { attempts = 2, interval = 30 } end
  if chance.chance(0.15) then fields.timeout = chance.one { 60, 600 } end
  if choice.has_tags then fields.compute = fabric.spark {} end
  return fields
end

--- The same one each time that it is planned.
local function definition(seed, choice)
  return fabric.workflow("night", function(flow)
    local chance = seed_module.new(seed)
    flow:defaults { exclusive = choice.exclusive }
    local key = choice.has_secret and flow:input("key", { secret = true })
    local before
    for index = 1, chance.one { 1, 1, 2, 3 } do
      local fields = fields_of(chance, choice)
      fields.after = before and chance.chance(0.6) and before or nil
      if index == 1 and key then fields.parameters = { key = key } end
      local kind = index > 1 and chance.chance(0.25) and "each" or "notebook"
      before = kinds[kind](flow, "s" .. index, fields, chance)
    end
    if chance.chance(0.2) then flow:finally("last", fields_of(chance, choice)) end
  end)
end

-- ---- its world ----

local ALL = assert(faults.read "all")

--- Where somebody else runs the notebooks nothing is exclusive, or it would be a lie.
local function allowed_faults(choice)
  local set = {}
  for name in pairs(ALL) do set[name] = true end
  set.foreign = not choice.exclusive or nil
  return set
end

--- A world of its own, before it is played.
---@param seed integer
---@param options table|nil  for the world; `faults` instead of all that may be
---@return luafabric.World
function M.new(seed, options)
  local chance = seed_module.new(seed + 7919)
  local choice = { exclusive = chance.chance(0.6) or nil, has_tags = chance.chance(0.25),
    has_secret = chance.chance(0.1) }
  local runs = {}
  for index = 1, chance.one { 1, 1, 2 } do
    runs[index] = { run_id = "run" .. index, definition = definition(chance.whole(1, 1e9), choice),
      inputs = choice.has_secret and { key = SECRET } or nil }
  end
  local notebook = new_notebook(chance.apart())
  local given = { seed = seed, faults = allowed_faults(choice), heals = chance.chance(0.5),
    runs = runs, notebooks = lab_notebooks.read { ["W/A"] = notebook, ["W/B"] = notebook },
    client = { tag_proven = choice.has_tags and chance.chance(0.5) or nil,
      submission = chance.chance(0.1) and "at_most_once" or nil } }
  for name, value in pairs(options or {}) do given[name] = value end
  local world = worlds.new(given)
  world.secret = choice.has_secret and SECRET or nil
  return world
end

--- Plays the world of a seed; what must not be.
---@param seed integer
---@param options table|nil
---@return string[] problems
---@return table tally  { started =, hours = } simulated ones
function M.play(seed, options)
  local world = M.new(seed, options)
  local ok, problem = pcall(world.play, world)
  local problems = ok and checks.problems(world) or { "the world broke: " .. tostring(problem) }
  local tally = { started = world.service:started(), hours = world.base.now() / 3600 }
  world:close()
  return problems, tally
end

return M
