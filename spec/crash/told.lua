-- What the history of a run says in the end, as far as a crash must not change it: outcomes, and
-- the jobs of the attempts that came to a run.

local history = require "luafabric.history"
local json = require "luafabric.json"

local M = {}

---@param store luafabric.SqliteStore
---@param run_id string
---@return { run_id: string, outcome: string|nil, events: integer, steps: table<string, table> }
function M.of(store, run_id)
  local state, steps, events = history.new(), {}, assert(store:events(run_id))
  for _, event in ipairs(events) do history.apply(state, event) end
  for _, name in ipairs(state.order) do
    local step, jobs = state.steps[name], json.array {}
    for _, attempt in ipairs(step.attempts) do jobs[#jobs + 1] = attempt.job_id end
    steps[name] = { outcome = step.outcome, jobs = jobs }
  end
  return { run_id = run_id, outcome = state.outcome, events = #events, steps = steps }
end

return M
