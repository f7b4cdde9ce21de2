--- A user's workflow in simulated worlds: one world of a seed, and what came of it; many, and the
--- sum of them.

local checks = require "luafabric.simulation.checks"
local guessed = require "luafabric.simulation.notebooks"
local lab_notebooks = require "luafabric.lab.notebooks"
local seed_module = require "luafabric.simulation.seed"
local story = require "luafabric.simulation.story"
local worlds = require "luafabric.simulation.world"

local M = {}

---@class luafabric.TrialOptions
---@field definition table
---@field inputs table<string, any>
---@field plan table            of the definition with these inputs
---@field faults table<string, boolean>
---@field each boolean|nil      all of them in every world
---@field notebooks table|nil   of a lab, instead of guessed ones
---@field exclusive boolean|nil
---@field submission string|nil

---@class luafabric.Trial  what came of one world
---@field seed integer
---@field problems string[]  ways in which the promise was not kept
---@field outcome string     of the run; "unfinished" where it did not end in the world's time
---@field seconds number|nil from its start to its end
---@field started integer    runs that Fabric started for it
---@field requested integer  attempts that came to a run, as the history has them
---@field lines string[]|nil the story

--- Attempts of which the history says that there is, or may be, a run.
local function requested(state)
  local count = 0
  for _, step in pairs(state and state.steps or {}) do
    for _, attempt in ipairs(step.attempts) do
      if attempt.job_id then count = count + 1 end
    end
  end
  return count
end

local function unknown(state)
  local count = 0
  for _, step in pairs(state and state.steps or {}) do
    for _, attempt in ipairs(step.attempts) do
      if attempt.outcome == "unknown" and not attempt.job_id then count = count + 1 end
    end
  end
  return count
end

local function started(world)
  local count = 0
  for _, entry in ipairs(world.truth.jobs) do
    if entry.send then count = count + 1 end
  end
  return count
end

--- Plays the workflow in the world of a seed. Raises for a slip in the notebooks' functions.
---@param options luafabric.TrialOptions
---@param seed integer
---@param has_story boolean|nil
---@return luafabric.Trial
function M.play(options, seed, has_story)
  local chance = seed_module.new(seed + 104729)
  local notebooks = options.notebooks and lab_notebooks.read(options.notebooks)
    or guessed.guess(options.plan, chance)
  local run = { run_id = "simulated", definition = options.definition, inputs = options.inputs }
  local world = worlds.new { seed = seed, faults = options.faults, each = options.each,
    heals = true, runs = { run }, notebooks = notebooks, has_story = has_story,
    client = { exclusive = options.exclusive, submission = options.submission } }
  world:play()
  local trial = { seed = seed, problems = checks.problems(world), started = started(world) }
  local state = run.state
  trial.outcome = run.is_ended and state and state.outcome or "unfinished"
  trial.seconds = run.is_ended and run.ended_at - run.began_at or nil
  trial.requested, trial.unknown = requested(state), unknown(state)
  trial.lines = has_story and story.lines(world) or nil
  world:close()
  return trial
end

---@class luafabric.TrialSum
---@field count integer
---@field outcomes table<string, integer>
---@field started integer
---@field requested integer
---@field unknown integer     attempts whose fate was not to be known, and was said so
---@field seconds number[]    how long the runs took, sorted once it is complete
---@field broken luafabric.Trial[]  those that did not keep the promise
---@field of_outcome table<string, integer>  the first seed of each outcome

--- A sum of nothing yet.
---@return luafabric.TrialSum
function M.sum()
  return { count = 0, outcomes = {}, started = 0, requested = 0, unknown = 0, seconds = {},
    broken = {}, of_outcome = {} }
end

--- Adds what came of one world.
---@param sum luafabric.TrialSum
---@param trial luafabric.Trial
function M.add(sum, trial)
  sum.count = sum.count + 1
  sum.outcomes[trial.outcome] = (sum.outcomes[trial.outcome] or 0) + 1
  sum.of_outcome[trial.outcome] = sum.of_outcome[trial.outcome] or trial.seed
  sum.started, sum.requested = sum.started + trial.started, sum.requested + trial.requested
  sum.unknown = sum.unknown + trial.unknown
  if trial.seconds then table.insert(sum.seconds, trial.seconds) end
  if #trial.problems > 0 then table.insert(sum.broken, trial) end
end

return M
