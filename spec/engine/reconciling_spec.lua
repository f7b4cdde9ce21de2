-- A workflow whose submissions get no answer that tells: what is found out, what is sent again, and
-- what stays unknown.

local fabric = require "luafabric"
local json = require "luafabric.json"
local tasks = require "luafabric.tasks"
local worlds = require "spec.client.world"

local function lost(number, notebook, fault)
  return { at = "submit", number = number, notebook = notebook, fault = fault or "lost_answer" }
end

local function lab(faults, more)
  local options = { faults = faults, notebooks = { ["Sales/Ingest"] = "10m",
    ["Sales/Clean"] = function(given) return { region = given.region }, "10m" end } }
  for name, value in pairs(more or {}) do options[name] = value end
  return fabric.lab(options)
end

local function workflow(fn)
  return fabric.workflow("nightly", function(flow)
    flow:defaults { workspace = "Sales" }
    fn(flow)
  end)
end

local function ingest(fields)
  local own = { notebook = "Ingest" }
  for name, value in pairs(fields or {}) do own[name] = value end
  return workflow(function(flow) flow:notebook("ingest", own) end)
end

local function both_regions(fields)
  return workflow(function(flow)
    local own = { notebook = "Clean", parameters = function(region) return { region = region } end }
    for name, value in pairs(fields or {}) do own[name] = value end
    flow:each("clean", { "eu", "us" }, own)
  end)
end

local function events_of(made, kind)
  local list = {}
  for _, event in ipairs(made.events) do
    if event.type == kind then list[#list + 1] = event end
  end
  return list
end

local function posts(made) return made.service:responses().posts end

--- Somebody else, who starts a notebook some seconds after the workflow began.
local function foreign(made, seconds)
  local _, loop
  return { on_start = function()
    _, loop = tasks.current()
    loop:spawn(function()
      tasks.sleep(seconds)
      local client = fabric.client { credential = "another-token-of-a-lab",
        host = function() return made.host end }
      assert(client:submit_notebook { workspace = "Sales", notebook = "Ingest" })
    end)
  end }
end

local without_any_id = { headers = { Location = false, ["x-ms-job-id"] = false,
  RequestId = false } }

describe("a submission whose answer is lost", function()
  it("is found where nobody else runs the notebook, and its run is watched to the end", function()
    for _, fault in ipairs { "lost_answer", "half_header", "silence",
      { status = 504, applied = true }, { status = 500, applied = true } } do
      local made = lab { lost(1, nil, fault) }
      local report = assert(made:run(ingest { exclusive = true }))
      local step = report.steps.ingest
      assert.is_true(report:ok())
      assert.same({ 1, 1 }, { made:started(), posts(made) })
      assert.same({ 1, 1 }, { #step.attempts, step.spent })
      assert.equal("exclusive", step.attempts[1].adopted)
      assert.equal(step.job_id, events_of(made, "attempt_adopted")[1].job_id)
      assert.same({}, report.warnings)
    end
  end)

  it("is found where the defaults, or who runs the workflow, say so", function()
    local by_default = workflow(function(flow)
      flow:defaults { workspace = "Sales", exclusive = true }
      flow:notebook("Ingest")
    end)
    assert.is_true(assert(lab({ lost(1) }):run(by_default)):ok())
    assert.is_true(assert(lab({ lost(1) }):run(ingest(), nil, { exclusive = true })):ok())
  end)

  it("is looked for as long as Fabric may not show it", function()
    local made = lab({ lost(1) }, { settings = { visibility_lag = { list = 200 } } })
    assert.is_true(assert(made:run(ingest { exclusive = true })):ok())
    assert.equal(1, posts(made))
    local found = events_of(made, "attempt_adopted")[1].at
    assert.equal(240, math.floor(found - events_of(made, "attempt_intended")[1].at + 0.5))
  end)

  it("stays unknown where others may run the notebook, with what settles it", function()
    local made = lab { lost(1) }
    local report = assert(made:run(ingest(), nil, { run_id = "r1" }))
    assert.equal("unknown", report.outcome)
    assert.same({ 1, 1 }, { made:started(), posts(made) })
    local message = report.steps.ingest.reason.message
    assert.matches("may or may not run, and is not sent again", message)
    assert.matches("1 run of this notebook may be it: job %x+%-", message)
    assert.matches("Look with `luafabric notebook list ", message)
    assert.matches("`luafabric resolve r1 ingest %-%-adopt %x+%-[%x-]+`", message)
    assert.matches("exclusive = true", message)
  end)

  it("names the API in what settles it, where that is not Fabric's own", function()
    local made = lab { lost(1) }
    local port = getmetatable(require("luafabric.client.executor").new(made.client))
    local usual = port.other_endpoint
    port.other_endpoint = function() return "https://fabric.example/v1" end
    local report = made:run(ingest(), nil, { run_id = "r1" })
    port.other_endpoint = usual
    assert.matches("`luafabric resolve r1 ingest %-%-adopt %x+%-[%x-]+ %-%-endpoint "
      .. "https://fabric%.example/v1`", report.steps.ingest.reason.message)
  end)

  it("never takes the run of somebody else for its own", function()
    local made = lab { lost(1, nil, "lost_request") }
    local report = assert(made:run(ingest(), nil, foreign(made, 5)))
    assert.equal("unknown", report.outcome)
    assert.is_nil(report.steps.ingest.job_id)
    assert.same({}, events_of(made, "attempt_adopted"))
    assert.equal(1, made:started())

    made = lab { lost(1) }
    report = assert(made:run(ingest { exclusive = true }, nil, foreign(made, 5)))
    assert.equal("unknown", report.outcome)
    assert.matches("2 runs of this notebook may be it", report.steps.ingest.reason.message)
    assert.same({}, events_of(made, "attempt_adopted"))
  end)

  it("keeps the time that the run has: it counts from its submission", function()
    local made = lab({ lost(1) }, { notebooks = { ["Sales/Ingest"] = "5h" } })
    local report = assert(made:run(ingest { exclusive = true, timeout = "20m" }))
    assert.equal("timed_out", report.outcome)
    local asked = events_of(made, "cancel_requested")[1].at
    assert.equal(1200, math.floor(asked - report.started_at + 0.5))
    assert.equal(0, made:open_runs())
  end)

  it("is found before it is cancelled", function()
    local made = lab { lost(1) }
    local report = assert(made:run(ingest { exclusive = true }, nil, { cancel_at = 5 }))
    assert.equal("cancelled", report.outcome)
    assert.same({ 1, 0 }, { made:started(), made:open_runs() })
  end)

  it("is not waited for by who only leaves", function()
    local made, control = lab { lost(1) }, nil
    local report = assert(made:run(ingest { exclusive = true }, nil, {
      on_start = function(given) control = given end,
      on_event = function(event)
        if event.type == "attempt_doubtful" then control:detach() end
      end }))
    assert.is_true(report.detached)
    assert.equal("unknown", report.steps.ingest.attempts[1].state)
    assert.is_true(report.now - report.started_at < 1)
  end)
end)

describe("a submission that was lost on its way", function()
  it("is sent again when it can be nowhere, and no attempt is spent", function()
    local made = lab { lost(1, nil, "lost_request") }
    local report = assert(made:run(ingest()))
    local step = report.steps.ingest
    assert.is_true(report:ok())
    assert.same({ 1, 2 }, { made:started(), posts(made) })
    assert.same({ "not_started", "succeeded" },
      { step.attempts[1].outcome, step.attempts[2].outcome })
    assert.equal(1, step.spent)
    local again = step.attempts[2].intended_at - step.attempts[1].intended_at
    assert.is_true(again > 330 and again < 345)
  end)

  it("again and again is Fabric's failure in the end, and not unknown", function()
    local made = lab { lost("every", nil, "lost_request") }
    local report = assert(made:run(ingest()))
    assert.equal("platform", report.steps.ingest.outcome)
    assert.matches("it was not started", report.steps.ingest.reason.message)
    assert.same({ 0, "failed" }, { made:started(), report.outcome })
  end)

  it("is not sent again for who cancelled meanwhile", function()
    local made = lab { lost(1, nil, "lost_request") }
    local report = assert(made:run(ingest(), nil, { cancel_at = 5 }))
    assert.same({ "cancelled", 0, 1 }, { report.outcome, made:started(), posts(made) })
    assert.equal("cancelled", report.steps.ingest.outcome)
  end)

  it("is not sent again where Fabric's list could not be read", function()
    local made = lab { lost(1, nil, "lost_request"),
      { at = "list", number = "every", fault = 403 } }
    local report = assert(made:run(ingest { exclusive = true }))
    assert.same({ "unknown", 1 }, { report.outcome, posts(made) })
    assert.matches("could not be listed", report.steps.ingest.reason.message)
  end)
end)

describe("a run that was accepted without an id", function()
  it("is found like one whose answer is lost", function()
    local made = lab { lost(1, nil, without_any_id) }
    assert.is_true(assert(made:run(ingest { exclusive = true })):ok())
    assert.equal(1, made:started())
  end)

  it("is never sent again, however long Fabric does not show it", function()
    local made = lab({ lost(1, nil, without_any_id) },
      { settings = { visibility_lag = { list = 3600 } } })
    local report = assert(made:run(ingest { exclusive = true }))
    assert.same({ "unknown", 1, 1 }, { report.outcome, made:started(), posts(made) })
    assert.matches("Fabric accepted it", report.steps.ingest.reason.message)
  end)
end)

describe("two items of one notebook", function()
  it("are in doubt one after the other, so that each finds its own run", function()
    local made = lab { lost(1), lost(2) }
    local report = assert(made:run(both_regions { exclusive = true }))
    assert.is_true(report:ok())
    assert.equal(2, made:started())
    for _, region in ipairs { "eu", "us" } do
      local step = report.steps[("clean[%s]"):format(region)]
      assert.equal(region, json.decode(step.exit_value).region)
      assert.equal("exclusive", step.attempts[1].adopted)
    end
    local second = report.steps["clean[us]"].attempts[1].intended_at
    assert.equal(30, math.floor(second - report.started_at + 0.5))
  end)

  it("wait for the doubt of one to be settled, and for nothing of another notebook", function()
    local made = lab { lost(1, "Clean", "lost_request") }
    local definition = workflow(function(flow)
      flow:each("clean", { "eu", "us" }, { notebook = "Clean",
        parameters = function(region) return { region = region } end })
      flow:notebook("Ingest")
    end)
    local report = assert(made:run(definition))
    assert.is_true(report:ok())
    local steps, start = report.steps, report.started_at
    assert.is_true(steps.Ingest.attempts[1].intended_at - start < 1)
    local us = steps["clean[us]"].attempts
    assert.equal(1, #us)
    assert.equal(330, math.floor(us[1].intended_at - start + 0.5))
    assert.equal(3, made:started())
  end)

  it("do not wait for one that the capacity refused", function()
    local made = lab { { at = "submit", number = 1, fault = 430 } }
    local report = assert(made:run(both_regions()))
    assert.is_true(report:ok())
    local eu, us = report.steps["clean[eu]"].attempts, report.steps["clean[us]"].attempts
    assert.equal(2, #eu)
    assert.is_true(us[1].submitted_at - report.started_at < 10)
  end)

  it("wait for their quota before they are written down as intended", function()
    local made = lab { { at = "submit", number = 1, fault = 429, retry_after = 600 } }
    local report = assert(made:run(both_regions()))
    assert.is_true(report:ok())
    assert.equal(3, posts(made))
    local us = report.steps["clean[us]"].attempts[1]
    assert.is_true(us.intended_at - report.started_at >= 600)
    assert.is_true(us.submitted_at - us.intended_at < 10)
  end)

  it("that is known at once is not taken for the one in doubt", function()
    local made = lab { lost(2) }
    local report = assert(made:run(both_regions { exclusive = true }))
    assert.is_true(report:ok())
    assert.equal("us", json.decode(report.steps["clean[us]"].exit_value).region)
  end)
end)

describe("two workflows of one client", function()
  it("know each other's runs, and do not submit a notebook that is in doubt", function()
    local world = worlds.new { seconds = 600, faults = { lost(1) } }
    local client, reports = world.client(), {}
    world.run(function(loop)
      local running = {}
      for index = 1, 2 do
        running[index] = loop:spawn(function()
          reports[index] = assert(ingest { exclusive = true }:run { client = client })
        end)
      end
      for _, task in ipairs(running) do task:join() end
    end)
    assert.is_true(reports[1]:ok() and reports[2]:ok())
    assert.equal(2, world.service:started())
    local one, two = reports[1].steps.ingest, reports[2].steps.ingest
    assert.is_true(one.job_id ~= two.job_id)
    assert.is_true(two.attempts[1].intended_at >= one.attempts[1].submitted_at)
  end)

  it("wait for what a plain call of the client left in doubt", function()
    local world = worlds.new { seconds = 600, faults = { lost(1) } }
    local client, report = world.client(), nil
    world.run(function()
      assert.equal("unknown", client:run_notebook(worlds.ingest()).outcome)
      report = assert(ingest { exclusive = true }:run { client = client })
    end)
    assert.is_true(report:ok())
    assert.equal(330, math.floor(report.steps.ingest.attempts[1].intended_at
      - report.started_at + 0.5))
    assert.equal(2, world.service:started())
  end)

  it("cannot tell their run where a plain call of the client is in doubt beside it", function()
    local world = worlds.new { seconds = 600, faults = { lost(1), lost(2, nil, "lost_request") } }
    local client, report = world.client(), nil
    world.run(function(loop)
      loop:spawn(function()
        tasks.sleep(5)
        client:run_notebook(worlds.ingest())
      end)
      report = assert(ingest { exclusive = true }:run { client = client })
    end)
    assert.equal("unknown", report.outcome)
    assert.equal(1, world.service:started())
  end)
end)

describe("what follows a doubt", function()
  it("is nothing at all where at_most_once was asked for", function()
    local made = lab { lost(1) }
    local report = assert(made:run(ingest { exclusive = true }, nil,
      { submission = "at_most_once" }))
    assert.equal("unknown", report.outcome)
    assert.equal(0, made.service:responses().by_kind.list or 0)
    assert.is_true(report.ended_at - report.started_at < 1)
  end)

  it("is another submission where at_least_once was asked for, a few times", function()
    local made = lab { lost(1) }
    local report = assert(made:run(ingest(), nil, { submission = "at_least_once" }))
    assert.is_true(report:ok())
    assert.same({ 2, 1 }, { made:started(), report.steps.ingest.spent })

    made = lab { lost("every") }
    report = assert(made:run(ingest(), nil, { submission = "at_least_once" }))
    assert.equal("unknown", report.outcome)
    assert.is_true(made:started() > 1 and made:started() < 5)
  end)

  it("is nothing for a run that is known, and was lost sight of", function()
    local made = lab { { at = "status", number = "every", fault = 404 } }
    local report = assert(made:run(ingest(), nil, { submission = "at_least_once" }))
    assert.same({ "unknown", 1 }, { report.outcome, made:started() })
  end)

  it("is one of three words", function()
    local ok, message = pcall(ingest().run, ingest(), { client = lab({}).client,
      submission = "twice" })
    assert.is_false(ok)
    assert.matches("submission: expected reconcile, at_most_once or at_least_once", message)
  end)
end)

describe("the tag of a submission", function()
  local function names_of(world)
    local names = {}
    for index, request in ipairs(world.asked "submit") do
      local data = json.decode(request.body or "{}").executionData or {}
      names[index] = (data.computeConfiguration or {}).name or "none"
    end
    return names
  end

  local function run(fields, client_options, faults)
    local world = worlds.new { seconds = 600, faults = faults }
    local report = assert(ingest(fields):run { client = world.client(client_options) })
    return report, names_of(world), world
  end

  it("is in the name of the session, where the user gave a compute", function()
    local tag = " lf%-" .. ("%w"):rep(12) .. "$"
    local report, names = run { compute = fabric.spark { name = "orders" } }
    assert.matches("^orders" .. tag, names[1])
    assert.matches(names[1], report.steps.ingest.attempts[1].request.body, 1, true)
    names = select(2, run { compute = fabric.jupyter { numCores = 4 } })
    assert.matches("^luafabric" .. tag, names[1])
  end)

  it("is not there without a compute, or with tag = false", function()
    for _, fields in ipairs { {}, { compute = fabric.data_warehouse() },
      { compute = fabric.spark { numExecutors = 2 }, tag = false } } do
      assert.same({ "none" }, (select(2, run(fields))))
    end
  end)

  it("is not there on the generic route, which has no place for it", function()
    local report, names = run({ compute = fabric.spark { sparkProperties = { a = "b" } } },
      { route = "generic" })
    assert.same({ "succeeded", "none" }, { report.outcome, names[1] })
  end)

  it("is another one for each attempt", function()
    local _, names = run({ compute = fabric.spark() }, nil, { lost(1, nil, "lost_request") })
    assert.equal(2, #names)
    assert.is_true(names[1] ~= names[2])
  end)

  it("finds the run beside others, where Fabric was seen to show it", function()
    local world = worlds.new { seconds = 600, faults = { lost(1) } }
    local client, report = world.client { tag_proven = true }, nil
    world.run(function(loop)
      loop:spawn(function()
        tasks.sleep(5)
        assert(world.client():submit_notebook(worlds.ingest()))
      end)
      report = assert(ingest { compute = fabric.spark() }:run { client = client })
    end)
    assert.is_true(report:ok())
    assert.equal("tag", report.steps.ingest.attempts[1].adopted)
    assert.equal(world.service:started(), 2)
  end)

  it("is a hint, and no more, where it was not", function()
    local report = run({ compute = fabric.spark() }, nil, { lost(1) })
    assert.equal("unknown", report.outcome)
    assert.matches("job [%x-]+ carries its tag", report.steps.ingest.reason.message)
  end)
end)
