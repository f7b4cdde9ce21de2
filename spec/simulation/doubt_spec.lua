-- Many submissions of few notebooks through a wire that loses requests and answers, delivers some
-- late, to a Fabric that shows runs late and whose clock is another: no item is ever run twice,
-- none takes the run of another or of somebody else, and where nobody else is there, all are found.
-- SEEDS sets how many worlds, SEED=123 plays one.

local fabric = require "luafabric"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"
local worlds = require "spec.client.world"

local one = tonumber(os.getenv("SEED") or "")
local first = one or 1
local is_main_lua = _VERSION == "Lua 5.4"
local count = one and 1 or math.min(tonumber(os.getenv("SEEDS") or "") or is_main_lua and 300 or 50,
  2000)

local LATEST, SLOWEST = 295, 29 -- seconds; less than what the client reckons with

local function new_random(seed)
  local random = virtual.new({ seed = seed }).random
  return {
    whole = function(low, high) return low + math.floor(random() * (high - low + 1)) end,
    chance = function(share) return random() < share end,
    one = function(list) return list[math.floor(random() * #list) + 1] end,
  }
end

local LOST = { failure = { code = "reset", message = "the connection was reset" }, sent = "maybe" }
local FATES = { "good", "good", "lost_answer", "lost_request", "late", "late", 504, "gone", 429 }

local fates = {}

function fates.good(world, request, now) return world.fabric(request, now) end

function fates.lost_answer(world, request, now)
  world.fabric(request, now)
  return LOST
end

function fates.lost_request() return LOST end

function fates.late(world, request)
  local seconds = world.random.whole(1, LATEST)
  world.loop:spawn(function()
    tasks.sleep(seconds)
    world.fabric(request, world.host.wall())
  end)
  return LOST
end

fates[504] = function(world, request, now)
  world.fabric(request, now)
  return { status = 504, headers = {}, body = "" }
end

--- Accepted, and nothing says as what.
function fates.gone(world, request, now)
  world.fabric(request, now)
  return { status = 202, headers = {}, body = "" }
end

fates[429] = function() return { status = 429, headers = { ["Retry-After"] = "20" }, body = "" } end

--- A world of its own: what it does to submissions, how often each item was started.
local function new_world(seed)
  local random = new_random(seed)
  local made = { random = random, started = {}, with_others = random.chance(0.4) }
  local ahead = random.one { 0, 0, 40, -40, 3600, -3600 }
  local options = { settings = { queue = random.one { 0, 0, 20 },
    visibility_lag = { list = random.whole(0, SLOWEST) },
    run = function(job)
      local item = job.parameters.item.value
      made.started[item] = (made.started[item] or 0) + 1
      return { exit_value = tostring(item) }, random.whole(1, 900)
    end } }
  local world
  function made.fabric(request, now) return world.service:handle(request, now + ahead) end
  function options.handle(request, now)
    if request.purpose ~= "submit" or request.headers["Authorization"] ~= "Bearer secret-token" then
      return made.fabric(request, now)
    end
    return fates[random.one(FATES)](made, request, now)
  end
  world = worlds.new(options)
  made.host, made.client, made.run = world.host, world.client, world.run
  return made
end

local function definition(random, is_exclusive)
  local items = {}
  for index = 1, random.whole(1, 5) do items[index] = index end
  return fabric.workflow("many", function(flow)
    flow:defaults { workspace = "Sales", exclusive = is_exclusive }
    for name, factor in pairs { Ingest = 1, Report = 100 } do
      flow:each(name, items, { notebook = name,
        parameters = function(item) return { item = item * factor } end })
    end
  end)
end

local function submit_as_others(world)
  local client = world.client { credential = "the-token-of-others" }
  for _ = 1, world.random.whole(1, 6) do
    world.loop:spawn(function()
      tasks.sleep(world.random.whole(0, 900))
      client:submit_notebook { workspace = "Sales", notebook = world.random.one { "Ingest",
        "Report" }, parameters = { item = -1 } }
    end)
  end
end

local function play(seed)
  local world = new_world(seed)
  local report
  world.run(function(loop)
    world.loop = loop
    if world.with_others then submit_as_others(world) end
    report = assert(definition(world.random, not world.with_others):run {
      client = world.client(), exit_values = true })
    tasks.sleep(LATEST + 1) -- what is late comes
  end)
  return world, report
end

--- What went wrong, as sentences.
local function problems_of(seed)
  local world, report = play(seed)
  local problems, tally = {}, {}
  local function say(text, ...) problems[#problems + 1] = ("SEED=%d "):format(seed)
    .. text:format(...) end
  for _, step in ipairs(report.top) do
    for index, item in ipairs(step.items) do
      local value = index * (step.name == "Report" and 100 or 1)
      local started = world.started[value] or 0
      tally[item.outcome] = (tally[item.outcome] or 0) + 1
      if started > 1 then say("%s was started %d times", item.path, started) end
      if item.outcome == "succeeded" and item.exit_value ~= tostring(value) then
        say("%s has the run of %s", item.path, item.exit_value)
      end
      if item.outcome == "succeeded" and started ~= 1 then say("%s did not run", item.path) end
      local was_skipped = item.outcome == "skipped"
      if not world.with_others and item.outcome ~= "succeeded" and not was_skipped then
        say("%s is %s: %s", item.path, item.outcome, item.reason.message)
      end
      if was_skipped and started > 0 then say("%s was skipped, and ran", item.path) end
    end
  end
  return problems, tally
end

describe("submissions through a wire that loses", function()
  it(("start each item once, and find it (%d worlds)"):format(count), function()
    local all, tally = {}, {}
    for seed = first, first + count - 1 do
      local problems, outcomes = problems_of(seed)
      for _, problem in ipairs(problems) do all[#all + 1] = problem end
      for outcome, times in pairs(outcomes) do tally[outcome] = (tally[outcome] or 0) + times end
    end
    assert.same({}, all)
    if one then return end
    -- The worlds are such that both happen.
    assert.is_true(tally.succeeded > count and tally.unknown > count / 10)
  end)
end)
