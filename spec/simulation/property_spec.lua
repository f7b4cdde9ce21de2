-- Random workflows in a lab, against the reference model. SEEDS sets how many, FIRST_SEED where
-- they begin; SEED=123 runs one and shows it.

local checks = require "spec.simulation.checks"
local description = require "spec.simulation.description"
local random_workflow = require "spec.simulation.random_workflow"

local function number_of(name, default)
  return tonumber(os.getenv(name) or "") or default
end

local is_main_lua = _VERSION == "Lua 5.4"
local one = number_of("SEED", nil)
local first = one or number_of("FIRST_SEED", 1)
local count = one and 1 or number_of("SEEDS", is_main_lua and 2000 or 50)
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
