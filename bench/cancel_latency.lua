-- From `luafabric cancel` at one terminal to the process at another one that runs the workflow:
-- when its cancel begins, and when the command returns. Real processes and a real emulator.

local command = require "spec.cli.command"
local core = require "luafabric.core"
local machine = require "bench.machine"
local sqlite_store = require "luafabric.store.sqlite"
local world = require "spec.cli.workflow_world"

local ROUNDS = 5

world.prepare()

local function run_once(round)
  local env = { XDG_STATE_HOME = world.path("bench" .. round) }
  for name, value in pairs(world.environment) do env[name] = env[name] or value end
  local process = command.start({ "run", world.path "endless.lua" }, { env = env })
  process:says "InProgress"
  local run_id = process.err:match "%-%-resume (%x+)"
  local asked = core.wall()
  local cancelled = command.run({ "cancel", run_id }, { env = env })
  local returned = core.wall() - asked
  assert(cancelled.code == 3, cancelled.err)
  process:finish()
  local store = assert(sqlite_store.open(env.XDG_STATE_HOME .. "/luafabric/runs.db"))
  local begun
  for _, event in ipairs(assert(store:events(run_id))) do
    if event.type == "cancel_requested" then begun = begun or event.at - asked end
  end
  store:close()
  return begun, returned
end

local begun, returned = {}, {}
for round = 1, ROUNDS do begun[round], returned[round] = run_once(round) end
world.clean_up()
print(("cancel from another process: its effect begins after %.2f s (at most %.2f s); the command "
  .. "returns after %.2f s, finally steps included"):format(machine.median(begun), begun[#begun],
  machine.median(returned)))
