-- A Fabric with its quotas or a full capacity, workflows that meet it, and what came of it: shared
-- by spec/simulation/manners_spec.lua and the figures of bench/manners.lua. Virtual
-- time.

local fabric = require "luafabric"
local service_module = require "luafabric.emulator.service"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local M = {}

local BUCKETS = { submit = "submit", status = "get", list = "get", instance = "get" }

--- A world that keeps what was asked, second by second.
---@param options { notebooks: string[], seconds: fun(job: table): number, settings: table?,
---  latency: number? }
---@return table world
function M.new(options)
  local notebooks = {}
  for index, name in ipairs(options.notebooks) do notebooks[index] = { name = name } end
  local settings = { history = 1e5,
    run = function(job) return { exit_value = "done" }, options.seconds(job) end }
  for name, value in pairs(options.settings or {}) do settings[name] = value end
  local world = { log = {}, refused = {} }
  world.service = service_module.new { settings = settings,
    workspaces = { { name = "Sales", notebooks = notebooks } } }
  local latency = options.latency or 0.2
  world.host = virtual.new { log = false, connect_delay = latency / 2,
    handle = function(request, now)
      local answer = world.service:handle(request, now)
      local entry = { at = world.host.now(), wall = now, bucket = BUCKETS[request.purpose],
        purpose = request.purpose, status = answer.status }
      world.log[#world.log + 1] = entry
      if answer.status == 429 then world.refused[#world.refused + 1] = entry end
      answer.delay = (answer.delay or 0) + latency / 2
      return answer
    end }

  --- A client of one more process of the same identity.
  ---@param path string|nil  of the file through which they share what they know
  function world.process(path)
    local client = fabric.client { credential = fabric.credentials.token "the-token-of-a-bench",
      host = function() return world.host end }
    client.shared = path and require("luafabric.store.shared").new(path, world.host.wall)
    return client
  end

  world.client = world.process()

  --- Requests of a bucket that passed, by window of the wall clock; the first and the last window.
  function world.windows(bucket)
    local counts, first, last = {}, nil, nil
    for _, entry in ipairs(world.log) do
      if entry.bucket == bucket and entry.status ~= 429 then
        local index = math.floor(entry.wall / 60)
        counts[index] = (counts[index] or 0) + 1
        first, last = first or index, index
      end
    end
    return counts, first, last
  end

  --- The part of a bucket that was used in the windows after the first 429, up to the last but one
  --- in which there was work for it; and the least in one window.
  function world.use(bucket, limit)
    local counts, first, last = world.windows(bucket)
    local total, least, number = 0, math.huge, 0
    for index = first + 1, last - 1 do
      local count = counts[index] or 0
      total, number, least = total + count, number + 1, math.min(least, count)
    end
    return total / (number * limit), least / limit, number
  end

  --- 429s that came after the first one, but for those that were on their way with it.
  function world.further_refusals()
    local first, count = world.refused[1], 0
    for _, entry in ipairs(world.refused) do
      if entry.at > first.at + latency * 2 then count = count + 1 end
    end
    return count
  end

  function world.calls()
    local counts = {}
    for _, entry in ipairs(world.log) do
      counts[entry.purpose] = (counts[entry.purpose] or 0) + 1
    end
    return counts
  end

  return world
end

--- A workflow of one `each` a notebook.
---@param notebooks string[]
---@param count integer  runs of each
---@param most integer   at a time
---@return table definition
function M.workflow(notebooks, count, most)
  local items = {}
  for index = 1, count do items[index] = index end
  return fabric.workflow("many", { max_concurrency = most }, function(flow)
    for _, name in ipairs(notebooks) do
      flow:each("run " .. name, items, { workspace = "Sales", notebook = name,
        parameters = function(item) return { item = item } end })
    end
  end)
end

--- Runs workflows at the same time, each with a client of its own.
---@param world table
---@param definitions table[]
---@param clients table[]
---@return table[] reports
function M.together(world, definitions, clients)
  local reports = {}
  tasks.blocking(function() return world.host end, function()
    local _, loop = tasks.current()
    local runs = {}
    for index, definition in ipairs(definitions) do
      runs[index] = loop:spawn(function() return definition:run { client = clients[index] } end)
    end
    for index, run in ipairs(runs) do
      local ok, report = run:join()
      assert(ok, report)
      reports[index] = assert(report)
    end
  end)
  return reports
end

--- How many steps of a report ended, and succeeded.
function M.ends(report)
  local ended, succeeded = 0, 0
  for _, path in ipairs(report.order) do
    local step = report.steps[path]
    if step.kind == "item" then
      if step.phase == "ended" then ended = ended + 1 end
      if step.outcome == "succeeded" then succeeded = succeeded + 1 end
    end
  end
  return ended, succeeded
end

--- The same runs as somebody else's script would have them: all submitted at once, a GET for each
--- run each 30 seconds, and a pause as long as a 429 says.
---@return number seconds  until all ends were seen
function M.naive(world, notebooks, count)
  local catalog = world.service.catalog.list[1]
  local base = "https://api.fabric.microsoft.com/v1/workspaces/" .. catalog.id
  local headers = { Authorization = "Bearer the-token-of-a-bench",
    ["Content-Type"] = "application/json" }
  local function ask(request)
    while true do
      local completion = tasks.request(request)
      if completion.status ~= 429 then return completion end
      tasks.sleep(tonumber(completion.headers["retry-after"]))
    end
  end
  local function one(notebook)
    local completion = ask { method = "POST", purpose = "submit", headers = headers, body = "{}",
      url = ("%s/notebooks/%s/jobs/execute/instances?beta=false"):format(base, notebook) }
    local job = completion.headers.location:match("[%x-]+$")
    repeat
      tasks.sleep(30)
      completion = ask { method = "GET", purpose = "status", headers = headers,
        url = ("%s/items/%s/jobs/instances/%s"):format(base, notebook, job) }
    until completion.body:find('"status":"Completed"', 1, true)
  end
  tasks.blocking(function() return world.host end, function()
    local _, loop = tasks.current()
    local all = {}
    for index in ipairs(notebooks) do
      for _ = 1, count do all[#all + 1] = loop:spawn(one, catalog.items[index].id) end
    end
    for _, task in ipairs(all) do assert(task:join()) end
  end)
  return world.host.now()
end

-- ---- capacity ----

--- Durations from 30 to 60 minutes, the same ones each time.
function M.durations(count)
  local list, state = {}, 12345
  for index = 1, count do
    state = state * 48271 % 2147483647
    list[index] = 1800 + state / 2147483647 * 1800
  end
  return list
end

--- The best that anybody can do who learns of an end when the status is refreshed: as many at a
--- time as there is room for, in the same order.
---@param durations number[]
---@param room integer
---@param lag number  seconds between refreshes of a run's status, from its submission
---@return number seconds
function M.best(durations, room, lag)
  local free = {}
  for index = 1, room do free[index] = 0 end
  local last = 0
  for _, seconds in ipairs(durations) do
    local first = 1
    for index = 2, room do
      if free[index] < free[first] then first = index end
    end
    local seen = lag > 0 and math.ceil(seconds / lag) * lag or seconds
    free[first] = free[first] + seen
    last = math.max(last, free[first])
  end
  return last
end

return M
