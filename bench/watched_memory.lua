-- Memory of 10,000 runs that are being watched: 100 notebooks, 100 active runs each, read through
-- one paged list a notebook, on the virtual host. Once with one task that waits for them all, and
-- once with a task for each (fabric.parallel). What is counted is the Lua heap above what it was
-- before the first run, after the lists of a minute were read; the whole process stands beside it.

local fabric = require "luafabric"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local NOTEBOOKS, RUNS = 100, 10000

local function guid(number)
  return ("00000000-0000-4000-8000-%012d"):format(number)
end

local row_text = '{"id":"%s","itemId":"%s","jobType":"Execute","invokeType":"Manual",'
  .. '"status":"%s","rootActivityId":"%s","startTimeUtc":"2026-01-01T00:00:00.00",'
  .. '"endTimeUtc":null,"failureReason":null}'

--- A Fabric that keeps nothing but how many runs each notebook has.
local function new_fabric()
  local started, counts = 0, {}
  local world = { status = "InProgress", lists = 0 }
  local base = "https://api.fabric.microsoft.com/v1/workspaces/" .. guid(1)
  local function list(notebook)
    world.lists = world.lists + 1
    local rows = {}
    for index, job in ipairs(counts[notebook]) do
      rows[index] = row_text:format(job, notebook, world.status, job)
    end
    return { status = 200, body = '{"value":[' .. table.concat(rows, ",") .. "]}" }
  end
  function world.handle(request)
    local notebook = request.url:match("/notebooks/([%x-]+)/")
      or request.url:match("/items/([%x-]+)/")
    if request.method == "GET" then return list(notebook) end
    started = started + 1
    counts[notebook] = counts[notebook] or {}
    table.insert(counts[notebook], guid(started))
    return { status = 202, headers = { ["Retry-After"] = "60", RequestId = guid(started),
      Location = ("%s/items/%s/jobs/instances/%s"):format(base, notebook, guid(started)) } }
  end
  return world
end

local function heap_mib()
  collectgarbage()
  collectgarbage()
  return collectgarbage("count") / 1024
end

local function resident_mib()
  for line in io.lines("/proc/self/status") do
    local kib = line:match("^VmRSS:%s+(%d+)")
    if kib then return tonumber(kib) / 1024 end
  end
end

local function request_for(index)
  return { workspace = guid(1), notebook = guid(100 + index % NOTEBOOKS), exit_value = false }
end

local function measure(name, start)
  local world = new_fabric()
  local host = virtual.new { handle = world.handle, log = false }
  local client = fabric.client { credential = fabric.credentials.token "token" }
  local loop = tasks.new(host)
  local before
  local ok, err = loop:run(loop:spawn(function()
    -- What the model of Fabric keeps, and what is loaded on first use, is not what we count.
    client:submit_notebook(request_for(0))
    before = heap_mib()
    local done = start(loop, client)
    tasks.sleep(200)
    local watched = heap_mib()
    print(("%-28s %6.1f MiB of Lua heap, process %6.1f MiB; %d lists read"):format(name,
      watched - before, resident_mib(), world.lists))
    world.status = "Completed"
    assert(done:join())
  end))
  assert(ok, tostring(err))
end

measure("one task waits for all", function(loop, client)
  local runs = {}
  for index = 1, RUNS do runs[index] = assert(client:submit_notebook(request_for(index))) end
  return loop:spawn(function()
    for index = 1, RUNS do assert(runs[index]:wait().outcome == "succeeded") end
  end)
end)

measure("a task for each", function(loop, client)
  return loop:spawn(function()
    local items = {}
    for index = 1, RUNS do items[index] = index end
    fabric.parallel(items, { max_concurrency = RUNS }, function(index)
      assert(client:run_notebook(request_for(index)).outcome == "succeeded")
    end)
  end)
end)
