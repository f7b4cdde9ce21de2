-- A workflow meets a capacity that takes fewer runs than it has: it queues, and says so.

local fabric = require "luafabric"

local function item_parameters(item) return { item = item } end

--- A lab whose capacity takes so many, and a workflow of so many items.
local function run(count, settings, more, most)
  local lab = fabric.lab { notebooks = { ["Sales/Clean"] = "20m" }, settings = settings }
  local items = {}
  for index = 1, count do items[index] = { id = index } end
  local options = { max_concurrency = most or 100 }
  local report = assert(lab:run(fabric.workflow("many", options, function(flow)
    local step = { workspace = "Sales", notebook = "Clean", parameters = item_parameters }
    for name, value in pairs(more or {}) do step[name] = value end
    flow:each("clean", items, step)
  end)))
  return report, lab
end

describe("a capacity that is full and refuses at once", function()
  it("is asked by nobody who waited for another one's submission meanwhile", function()
    local report, lab = run(30, { capacity = 4, capacity_answer = "post" })
    assert.is_true(report:ok())
    local posts = lab.service:responses().posts
    assert.is_true(posts <= 30 + 10, posts .. " submissions")
  end)

  it("is no reason to warn again of what was warned of before", function()
    local report = run(30, { capacity = 4, capacity_answer = "post" },
      { parameters = { n = 5000000000 } })
    assert.is_true(report:ok())
    local seen = {}
    for _, warning in ipairs(report.warnings) do
      assert.is_nil(seen[warning.path or "the workflow"])
      seen[warning.path or "the workflow"] = true
    end
    assert.is_true(seen["clean[id=1]"])
  end)

  it("takes them in their order, those too that were about to be sent", function()
    local _, lab = run(30, { capacity = 4, capacity_answer = "post" }, nil, 10)
    local last = 0
    for _, event in ipairs(lab.events) do
      if event.type == "attempt_intended" and event.attempt == 1 then
        local index = tonumber(event.path:match("(%d+)"))
        assert.is_true(index > last, event.path .. " began after those behind it")
        last = index
      end
    end
  end)
end)

for _, answer in ipairs { "post", "failure" } do
  describe(('a capacity that is full and says so by "%s"'):format(answer), function()
    local settings = { capacity = 4, capacity_answer = answer }

    it("takes all runs in the end, and no attempt was spent on its refusals", function()
      local report, lab = run(30, settings)
      assert.is_true(report:ok())
      assert.equal(30, lab:started())
      for _, item in ipairs(report.steps.clean.items) do assert.equal(1, item.spent) end
    end)

    it("is not asked again and again by those who wait", function()
      local _, lab = run(30, settings)
      -- Each may be refused once, and a few tries for more.
      assert.is_true(lab.service:responses().posts <= 30 + 30 + 8,
        lab.service:responses().posts .. " submissions")
    end)

    it("has a queue that is told", function()
      local report, lab = run(30, settings)
      local queued = 0
      for _, event in ipairs(lab.events) do
        if event.type == "step_waiting" then
          assert.equal("capacity", event.cause)
          assert.is_true(event.position >= 1)
          queued = queued + 1
        end
      end
      assert.is_true(queued > 0)
      for _, item in ipairs(report.steps.clean.items) do assert.is_nil(item.waiting) end
    end)

    it("takes the urgent ones first", function()
      local _, lab = run(30, settings, { priority = function(_, index)
        return index > 25 and 1 or 0
      end })
      local last_urgent, ended, ends = 0, 0, {}
      for _, event in ipairs(lab.events) do
        if event.type == "step_ended" and event.path ~= "clean" then
          ended = ended + 1
          ends[event.path] = ended
        end
      end
      for path, place in pairs(ends) do
        local id = tonumber(path:match("id=(%d+)") or path:match("%[(%d+)"))
        if id and id > 25 then last_urgent = math.max(last_urgent, place) end
      end
      assert.is_true(last_urgent > 0 and last_urgent <= 16, "the last urgent one was number "
        .. last_urgent)
    end)
  end)
end

it("a run that is cancelled while its steps queue for capacity starts none of them", function()
  local lab = fabric.lab { notebooks = { ["Sales/Clean"] = "2h" },
    settings = { capacity = 2, capacity_answer = "post" } }
  local report = assert(lab:run(fabric.workflow("many", function(flow)
    flow:each("clean", { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, { workspace = "Sales",
      notebook = "Clean", parameters = item_parameters })
  end), {}, { cancel_at = "30m" }))
  assert.equal("cancelled", report.outcome)
  assert.equal(2, lab:started())
  assert.equal(0, lab:open_runs())
end)

describe("a workspace's capacity", function()
  local executor = require "luafabric.client.executor"
  local names = require "luafabric.client.names"
  local worlds = require "spec.client.world"

  it("is one and the same, whatever is known or forgotten of its name", function()
    local world = worlds.new {}
    local port = executor.new(world.client())
    local found = port:capacity("Sales")
    port.client.ids[names.workspace_key("Sales")] = world.ws
    assert.equal(found, port:capacity("Sales"))
    assert.equal(found, port:capacity(world.ws))
    port.client.ids = {} -- as after a 404
    assert.equal(found, port:capacity("Sales"))
    assert.not_equal(found, port:capacity("Finance"))
  end)

  it("is that of the id with which a run was written down", function()
    local world = worlds.new {}
    local port = executor.new(world.client())
    local found = port:capacity("Sales", world.ws)
    assert.equal(found, port:capacity(world.ws))
    assert.equal(found, port:capacity("Sales"))
  end)
end)

--- Items that fill a capacity of four, left as soon as one of them has to queue.
local function left_run(lab, definition, options)
  local control, submitted = nil, 0
  local given = { client = lab.client, on_start = function(made) control = made end,
    on_event = function(event)
      if event.type == "attempt_submitted" then submitted = submitted + 1 end
      if event.type == "step_waiting" and submitted >= 4 then control:detach() end
    end }
  for name, value in pairs(options or {}) do given[name] = value end
  return assert(definition:run(given))
end

describe("a run that is left while its steps queue for capacity", function()
  local lab, definition

  before_each(function()
    lab = fabric.lab { notebooks = { ["Sales/Clean"] = "20m" },
      settings = { capacity = 4, capacity_answer = "post" } }
    definition = fabric.workflow("many", { max_concurrency = 100, timeout = "1d" }, function(flow)
      flow:each("clean", { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, { workspace = "Sales",
        notebook = "Clean", parameters = item_parameters })
    end)
  end)

  it("keeps no places from the next run of the same client", function()
    assert.is_true(left_run(lab, definition).detached)
    lab.host.advance(7200)
    assert.equal("succeeded", assert(definition:run { client = lab.client }).outcome)
  end)

  it("is taken up by the same client, and ends", function()
    local store = assert(require("luafabric.store.sqlite").open(":memory:", { synchronous = true,
      now = function() return lab:now() end }))
    local left = left_run(lab, definition, { store = store })
    local report = assert(definition:run { client = lab.client, store = store,
      resume = left.run_id })
    assert.equal("succeeded", report.outcome)
    assert.equal(12, lab:started())
  end)
end)

describe("what a run proves about a capacity whose limit was found", function()
  local capacity_queue = require "luafabric.engine.capacity_queue"

  local function left_with(watched)
    local seen
    local capacity = { wakes = {}, left = function(_, _, is_good) seen = is_good end }
    capacity_queue.leave(nil, { place = {}, capacity = capacity, run = watched },
      watched.outcome)
    return seen
  end

  it("is that there was room, where Fabric showed its end", function()
    assert.is_true(left_with { job_id = "j", outcome = "failed", ended = true })
  end)

  it("is nothing, where it was lost sight of", function()
    assert.is_false(left_with { job_id = "j", outcome = "unknown" })
    assert.is_false(left_with { job_id = "j", outcome = "timed_out" })
  end)
end)
