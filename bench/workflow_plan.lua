-- A plan of 100,000 steps with 200,000 edges: the workflow's function, the checks, the order.
-- Bodies are checked once for each distinct shape, which is in the figure too.

local fabric = require "luafabric"

local STEPS, TRIALS = 100000, 7

local definition = fabric.workflow("large", function(flow)
  flow:defaults { workspace = "Sales", notebook = "Clean", timeout = "2h" }
  local before, last
  for index = 1, STEPS do
    local after = last and { last, before } or nil
    before, last = last, flow:notebook("step " .. index, { after = after })
  end
end)

local times = {}
for trial = 1, TRIALS do
  collectgarbage()
  collectgarbage()
  local start = os.clock()
  local plan = assert(definition:plan { inputs = {}, started_at = 1767225600, run_id = "bench" })
  times[trial] = os.clock() - start
  assert(#plan.order == STEPS)
end
table.sort(times)
print(("plan of %d steps, %d edges: median %.2f s, best %.2f s of %d"):format(STEPS, 2 * STEPS - 3,
  times[math.ceil(TRIALS / 2)], times[1], TRIALS))
