-- Durable workflows in simulated worlds, where everything goes wrong that may: no run is started
-- twice, forgotten or taken for another's, histories are legal, and where the faults end, so do the
-- runs. SEEDS sets how many, FIRST_SEED where they begin; SEED=123 plays one and tells its story.

local durable_world = require "spec.simulation.durable_world"
local faults = require "luafabric.simulation.faults"
local mistakes = require "spec.simulation.durable_mistakes"
local seeds = require "spec.simulation.seeds"
local story = require "luafabric.simulation.story"

local played = seeds.new(5000, 100)
local first, count = played.first, played.count
local MOST_SHOWN = 5

-- Seeds that found something once, with the faults that it took.
local kept = {
  { 23, "clock,lost,late" }, { 54, "clock,lost,late" }, -- a clock that is set during a doubt
  { 42 }, { 287 }, { 442 }, -- an end that was seen before its adoption was written down
  { 60 }, { 68 }, { 184 }, -- the job of another attempt, taken for one's own
  { 647 }, { 759 }, -- an intent of who had lost the run
  { 22190 }, -- a notebook that was free again before the last look of who took the run up
}

--- The line that plays it again, and what it shows.
local function report_of(seed, problems)
  return ("SEED=%d busted spec/simulation/durable_spec.lua\n  %s"):format(seed,
    table.concat(problems, "\n  "))
end

local function options_of(names)
  return names and { faults = assert(faults.read(names)), each = true } or nil
end

--- What goes wrong in worlds, one after the other.
---@param list { [1]: integer, [2]: string|nil }[]  seeds, and the faults of each
local function failures_of(list)
  local failures, failed = {}, 0
  for _, entry in ipairs(list) do
    local problems = durable_world.play(entry[1], options_of(entry[2]))
    if #problems > 0 then
      failed = failed + 1
      if failed <= MOST_SHOWN then failures[failed] = report_of(entry[1], problems) end
    end
  end
  return failed, table.concat(failures, "\n")
end

local function tell(seed)
  local world = durable_world.new(seed, { has_story = true })
  world:play()
  io.write(table.concat(story.lines(world), "\n"), "\n")
  world:close()
end

describe("a durable workflow in a world of faults", function()
  if played.one then tell(played.one) end

  it(("keeps the promise (%d from seed %d on)"):format(count, first), function()
    local list = {}
    for index = 1, count do list[index] = { first + index - 1 } end
    local failed, shown = failures_of(list)
    if failed > 0 then error(("%d of %d went wrong:\n%s"):format(failed, count, shown), 0) end
  end)

  if played.one then return end

  it("keeps it where it once did not", function()
    local failed, shown = failures_of(kept)
    if failed > 0 then error(shown, 0) end
  end)

  it("is the same world for the same seed", function()
    local function told(seed)
      local world = durable_world.new(seed, { has_story = true })
      world:play()
      local lines = table.concat(story.lines(world), "\n")
      world:close()
      return lines
    end
    assert.equal(told(7), told(7))
  end)
end)

describe("a client with a mistake in it", function()
  for _, mistake in ipairs(mistakes) do
    it("is caught when it " .. mistake.name, function()
      local undo = mistake.make()
      local found
      for seed = 1, 400 do
        for _, problem in ipairs(durable_world.play(seed, mistake.world)) do
          if problem:find(mistake.shows, 1, true) then found = seed end
        end
        if found then break end
      end
      undo()
      assert.is_truthy(found)
    end)
  end
end)
