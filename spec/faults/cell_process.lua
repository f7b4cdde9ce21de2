-- A process that plays one cell of spec/faults/cells on the whole product: that many connections
-- are warm, then all trials run a workflow at once, each of its own notebook, kept in one store.
-- Arguments: url of the server, number of the cell, trials, file of the store. Prints as JSON, for
-- each notebook's id, how its run ended, how often a submission was written down, and its jobs.

local cells = require "spec.faults.cells"
local fabric = require "luafabric"
local json = require "luafabric.json"
local sqlite_store = require "luafabric.store.sqlite"
local tasks = require "luafabric.tasks"
require("spec.faults.short_pauses")

local VISIBLE, LATE = 0.5, 5 -- seconds, as the client is told; a busy machine is no faster

local url, cell, trials = arg[1], cells.list[tonumber(arg[2])], tonumber(arg[3])
local store = assert(sqlite_store.open(arg[4]))
local loop = tasks.new(require("luafabric.hosts.plain").new {})

local function warm_up()
  local host, left = loop.host, cell.warm
  for _ = 1, cell.warm do host.start { method = "GET", url = url .. "/emulator/state" } end
  while left > 0 do left = left - #host.wait(30) end
end

local function new_client()
  return fabric.client { endpoint = url .. "/v1", credential = "any", poll_floor = 0.1,
    visible_after = VISIBLE, late_by = LATE,
    request_timeout = cell.fault == "silence" and 4 or 30 }
end

local function run(trial)
  local definition = fabric.workflow("trial " .. trial, function(flow)
    flow:notebook("only", { workspace = cells.workspace_id(cell), exclusive = true,
      notebook = cells.notebook_id(cell, trial) })
  end)
  local report = assert(definition:run { client = new_client(), store = store })
  local seen = { outcome = report.outcome, intents = 0, adopted = 0, jobs = json.array {} }
  for _, event in ipairs(assert(store:events(report.run_id))) do
    local is_intent = event.type == "attempt_intended" or event.type == "attempt_repeated"
    if is_intent then seen.intents = seen.intents + 1 end
    if event.type == "attempt_adopted" then seen.adopted = seen.adopted + 1 end
    local is_job = event.type == "attempt_submitted" or event.type == "attempt_adopted"
    if is_job then table.insert(seen.jobs, event.job_id) end
  end
  return seen
end

warm_up()
local found, started = {}, {}
for trial = 1, trials do
  started[trial] = loop:spawn(function()
    found[cells.notebook_id(cell, trial)] = run(trial)
  end)
end
assert(loop:run(loop:spawn(function()
  for _, task in ipairs(started) do assert(task:join()) end
end)))
loop:close()
store:close()
io.stdout:write(assert(json.encode(found)), "\n")
