-- Another process that runs a run of a store, for specs: it does what it reads from standard input,
-- line by line, and answers each line with one. Arguments: the store's file.

local sqlite_store = require "luafabric.store.sqlite"
local story = require "spec.view.story"

local store = assert(sqlite_store.open(arg[1]))
local run, told, written

-- Writes what was told since the last time, and waits until it is on the disk.
local function write()
  local events = {}
  for index = written + 1, #told.events do events[#events + 1] = told.events[index] end
  local ticket = assert(run:append(events))
  store:flush(60)
  assert(run:is_durable(ticket))
  written = #told.events
  return "ok"
end

local commands = {}

function commands.create(run_id)
  told, written = story.new({ "a" }, { run_id = run_id }), 0
  run = assert(store:create_run { run_id = run_id, workflow = "nightly" })
  told:start("a")
  return write()
end

function commands.warn(message)
  told:tell("warning", nil, { message = message })
  return write()
end

--- What others asked for.
function commands.look()
  local kinds = {}
  for index, request in ipairs(assert(run:requests())) do kinds[index] = request.kind end
  return "asked: " .. table.concat(kinds, " ")
end

commands["end"] = function(outcome)
  told:stop("a", outcome):finish("a", outcome):done(outcome)
  return write()
end

for line in io.lines() do
  local name, argument = line:match("^(%S+)%s*(.*)$")
  io.stdout:write(commands[name](argument), "\n")
  io.stdout:flush()
end
