-- luafabric in a program with an event loop of its own. What it needs of the program is a host: two
-- clocks, a random number, requests, and ONE function that waits. Here the transport brings all but
-- the wait; the loop is a toy that resumes coroutines, as an application's would.
-- Needs the same environment as one_run.lua.

local fabric = require "luafabric"
local transport_host = require "luafabric.hosts.transport_host"

-- ---- the program: coroutines that take turns, one after the other ----

local program = { threads = {}, turns = 0 }

function program.start(fn)
  program.threads[#program.threads + 1] = coroutine.create(fn)
end

function program.run()
  while #program.threads > 0 do
    for index = #program.threads, 1, -1 do
      local thread = program.threads[index]
      local ok, problem = coroutine.resume(thread)
      if not ok then error(problem, 0) end
      if coroutine.status(thread) == "dead" then table.remove(program.threads, index) end
    end
    program.turns = program.turns + 1
  end
end

-- ---- the host: how luafabric waits in it ----

local function new_host()
  local host = transport_host.new("own loop", {})

  --- Gives the program its turns until there is news or the time is up. A program that can wait for
  --- a descriptor waits for `transport:fd()` here, which is what hosts/luv.lua does.
  function host.wait(max_s)
    local deadline = host.now() + (max_s or math.huge)
    while true do
      local events = host.collect(0)
      if #events > 0 or host.now() >= deadline then return events end
      coroutine.yield()
    end
  end

  return host
end

-- ---- two things at a time ----

local client = fabric.client {
  endpoint = os.getenv "LUAFABRIC_ENDPOINT",
  credential = assert(fabric.credentials.from_environment()),
  host = new_host,
}

local is_over = false

program.start(function()
  local run, err = client:run_notebook { workspace = "Weather", notebook = "Ingest",
    timeout = "10m" }
  is_over = true
  print(run and run.outcome or tostring(err))
end)

program.start(function()
  local turns = 0
  while not is_over do
    turns = turns + 1
    coroutine.yield()
  end
  print(turns > 1 and "the program went on meanwhile" or "the program stood still")
end)

program.run()
