-- Random workflows in a lab, against the reference model. SEEDS sets how many, FIRST_SEED where
-- they begin; SEED=123 runs one and shows it.

local checks = require "spec.simulation.checks"
local description = require "spec.simulation.description"
local random_workflow = require "spec.simulation.random_workflow"
local seeds = require "spec.simulation.seeds"

local played = seeds.new(1000, 50)
local first, count = played.first, played.count
local MOST_SHOWN = 5

--- What somebody needs who wants to see it again.
local function report_of(seed)
  local desc, problems = checks.shrink(random_workflow.new(seed))
  return ("SEED=%d busted spec/simulation/property_spec.lua\n%s\n  %s"):format(seed,
    description.describe(desc), table.concat(problems, "\n  "))
end

describe("a random workflow", function()
  it(("does what the rules say (%d from seed %d on)"):format(count, first), function()
    local failures, failed = {}, 0
    for seed = first, first + count - 1 do
      if #checks.problems(random_workflow.new(seed)) > 0 then
        failed = failed + 1
        if failed <= MOST_SHOWN then failures[failed] = report_of(seed) end
      end
    end
    if failed > 0 then
      error(("%d of %d went wrong:\n%s"):format(failed, count, table.concat(failures, "\n")), 0)
    end
  end)
end)
