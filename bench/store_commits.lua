-- Durable events a second: one at a time, each waited for on the plain host, and many that wait
-- together; beside a bare loop in C that commits the same rows to the same disk with the same
-- settings. Then how long a run with 100,000 events takes to be read and folded again. Median of 5
-- alternating rounds.

local core = require "luafabric.core"
local history = require "luafabric.history"
local machine = require "bench.machine"
local plain = require "luafabric.hosts.plain"
local shell = require "spec.support.shell"
local sqlite_store = require "luafabric.store.sqlite"

local ROUNDS, EVENTS, BODY = 5, 100000, ("x"):rep(280)

local folder = shell.scratch()
local files = 0

local function new_file()
  files = files + 1
  return folder .. "/" .. files .. ".db"
end

local function event(at)
  return { type = "warning", at = at + 0.5, path = "step", message = BODY }
end

--- Commits a second with the store: `together` events are queued, then waited for.
local function store_rate(commits, together)
  local host = plain.new()
  local store = assert(sqlite_store.open(new_file()))
  local run = assert(store:create_run { run_id = "r", workflow = "bench" })
  assert(host.watch_store(run))
  local started = core.monotonic()
  for _ = 1, commits do
    local ticket
    for index = 1, together do ticket = assert(run:append { event(index) }) end
    while not run:is_durable(ticket) do host.wait() end
  end
  local elapsed = core.monotonic() - started
  host.unwatch_store(run)
  store:close()
  host.close()
  return commits / elapsed
end

local function bare_rate(commits, together)
  local _, output = shell.run(("build/bin/bare_commits '%s' %d %d"):format(new_file(), commits,
    together))
  return commits / assert(tonumber(output), output)
end

for _, case in ipairs { { 400, 1 }, { 200, 10 }, { 100, 100 } } do
  local commits, together = case[1], case[2]
  local ours, bare = {}, {}
  for round = 1, ROUNDS do
    ours[round] = store_rate(commits, together)
    bare[round] = bare_rate(commits, together)
  end
  local ours_middle, bare_middle = machine.median(ours), machine.median(bare)
  print(("%3d events at a time   %6.0f events/s   bare SQLite %6.0f events/s   (%.2f)"):format(
    together, ours_middle * together, bare_middle * together, ours_middle / bare_middle))
end

local path = new_file()
local store = assert(sqlite_store.open(path))
local run = assert(store:create_run { run_id = "r", workflow = "bench" })
for from = 1, EVENTS, 1000 do
  local events = {}
  for index = from, from + 999 do events[#events + 1] = event(index) end
  assert(run:append(events))
end
store:close()
local times = {}
for round = 1, ROUNDS do
  local started = core.monotonic()
  store = assert(sqlite_store.open(path))
  local state = history.new()
  for _, stored in ipairs(assert(store:events "r")) do history.apply(state, stored) end
  times[round] = core.monotonic() - started
  assert(#state.warnings == EVENTS)
  store:close()
end
print(("a run with %d events    read and folded in %.2f s"):format(EVENTS, machine.median(times)))
shell.remove(folder)
