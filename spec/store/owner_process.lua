-- Another process that runs a run of a store: it does what it reads from standard input, line by
-- line, and answers each line with one. Arguments: the store's file.

local sqlite_store = require "luafabric.store.sqlite"

local store = assert(sqlite_store.open(arg[1]))
local run

local commands = {}

function commands.create(run_id, key)
  local err
  run, err = store:create_run { run_id = run_id, workflow = "nightly", key = key }
  return run and "ok" or err.store_code .. ": " .. err.message
end

--- Appends events one by one, each when the one before is durable.
function commands.append(count)
  for index = 1, tonumber(count) do
    local ticket = assert(run:append { { type = "warning", at = index, message = "x" } })
    store:flush(60)
    local durable, err = run:is_durable(ticket)
    if not durable then return err.store_code .. ": " .. err.message end
  end
  return "ok"
end

--- Appends and reports for ever.
function commands.keep_on()
  local index = 0
  while true do
    index = index + 1
    local ticket = assert(run:append { { type = "warning", at = index, message = "x" } })
    store:flush(60)
    assert(run:is_durable(ticket))
    io.stdout:write(index, "\n")
    io.stdout:flush()
  end
end

--- Queues without waiting for anything.
function commands.queue(count)
  for index = 1, tonumber(count) do
    assert(run:append { { type = "warning", at = index, message = "x" } })
  end
  return "ok"
end

for line in io.lines() do
  local name, first, second = line:match("^(%S+)%s*(%S*)%s*(%S*)$")
  io.stdout:write(commands[name](first, second ~= "" and second or nil), "\n")
  io.stdout:flush()
end
