-- Submissions that a run left in doubt: what a repair finds out about them, and what the user says.

local doubt = require "luafabric.history.doubt"
local repair_world = require "spec.engine.repair_world"
local settling = require "luafabric.workflow.settling"
local taking_up = require "luafabric.workflow.taking_up"

local RUN_ID = repair_world.RUN_ID

describe("a repair of a run that left a submission in doubt", function()
  local world, definition

  --- A run whose submission of Load got no answer; `fault`: whether Fabric took it.
  local function leave_in_doubt(fault, fields)
    world = repair_world.new({ Ingest = "done", Load = { rows = 3 }, Publish = "done" },
      { faults = { { at = "submit", notebook = "Load", number = 1, fault = fault } } })
    definition = repair_world.workflow(function(flow)
      local given = { notebook = "Load" }
      for name, value in pairs(fields or {}) do given[name] = value end
      local load = flow:notebook("load", given)
      flow:notebook("ingest", { notebook = "Ingest" })
      flow:notebook("publish", { notebook = "Publish", parameters = { rows = load:exit("rows") } })
    end)
    local report = assert(world.run(definition, { run_id = RUN_ID, submission = "at_most_once" }))
    assert.equal("unknown", report.outcome)
    world.lab.host.advance(600)
  end

  local function repair()
    return world.run(definition, { repair = RUN_ID, submission = "reconcile" })
  end

  local function say(job_id)
    local state = assert(taking_up.fold(world.store, RUN_ID))
    local attempt = assert(doubt.of(state.steps.load))
    return settling.record(world.store, state, doubt.event("load", attempt, { by = "user",
      job_id = job_id }))
  end

  after_each(function() world.store:close() end)

  it("watches the run that is proven to be it, and sends none beside it", function()
    leave_in_doubt("lost_answer", { exclusive = true })
    assert.equal(1, world.lab:started("Sales/Load"))
    local report = assert(repair())
    assert.is_true(report:ok())
    assert.equal(1, world.lab:started("Sales/Load"))
    assert.same({ "Publish" }, world.ran())
    assert.equal(3, world.seen[1].parameters.rows)
    local attempt = report.steps.load.attempts[1]
    assert.equal(RUN_ID, attempt.from_run)
    local old = assert(taking_up.fold(world.store, RUN_ID))
    assert.equal(attempt.job_id, old.steps.load.attempts[1].resolved.job_id)
    assert.equal("unknown", old.outcome)
  end)

  it("sends it again where it is proven that there is none", function()
    leave_in_doubt("lost_request")
    assert.equal(0, world.lab:started("Sales/Load"))
    assert.is_true(assert(repair()):ok())
    assert.equal(1, world.lab:started("Sales/Load"))
  end)

  it("is refused where nothing is proven, and names the command", function()
    leave_in_doubt "lost_answer"
    local report, err = repair()
    assert.is_nil(report)
    assert.equal("unknown", err.kind)
    assert.matches("load: whether its submission at .* started a run is still not known: job %x+.* "
      .. "may be it. Settle it with `luafabric resolve 7f3a12000000 load %-%-adopt %x", err.message)
    assert.equal(1, world.lab:started("Sales/Load"))
    assert.same({}, world.ran())
  end)

  it("goes by what the user says of it", function()
    leave_in_doubt "lost_answer"
    local _, err = repair()
    local job_id = err.message:match("%-%-adopt ([%x-]+)")
    assert.is_true(say(job_id))
    local report = assert(repair())
    assert.is_true(report:ok())
    assert.equal(1, world.lab:started("Sales/Load"))
    assert.equal(job_id, report.steps.load.job_id)
    local _, why = doubt.of(assert(taking_up.fold(world.store, RUN_ID)).steps.load)
    assert.equal("it is settled already: its run is job " .. job_id, why)
  end)

  it("is settled once: who looked before that is told, and nothing is written down", function()
    leave_in_doubt "lost_answer"
    local state = assert(taking_up.fold(world.store, RUN_ID))
    local event = doubt.event("load", assert(doubt.of(state.steps.load)), { by = "user" })
    assert.is_true(say(nil))
    local count = #assert(world.store:events(RUN_ID))
    local ok, err = settling.record(world.store, state, event)
    assert.is_nil(ok)
    assert.equal("usage", err.kind)
    assert.equal("run 7f3a12000000: load: there is nothing to resolve: it is settled already: it "
      .. "was not started", err.message)
    assert.equal(count, #assert(world.store:events(RUN_ID)))
  end)

  it("runs what the user says was not started", function()
    leave_in_doubt "lost_answer"
    assert.is_true(say(nil))
    assert.is_true(assert(repair()):ok())
    assert.equal(2, world.lab:started("Sales/Load"))
  end)

  it("asks nothing about what it leaves out", function()
    leave_in_doubt "lost_answer"
    local report = assert(world.run(definition, { repair = RUN_ID, only = { "ingest" } }))
    assert.equal("unknown", report.outcome)
    assert.same({ "Ingest" }, world.ran())
  end)
end)

describe("somebody who says what became of a submission while the run goes on", function()
  local function run(fault, job_of)
    local world = repair_world.new({ Load = { rows = 3 } },
      { faults = { { at = "submit", notebook = "Load", number = 1, fault = fault } } })
    local definition = repair_world.workflow(function(flow)
      flow:notebook("load", { notebook = "Load" })
    end)
    local asked
    local report = assert(world.run(definition, { run_id = RUN_ID, on_event = function(event)
      if event.type ~= "attempt_doubtful" or asked then return end
      asked = true
      local job_id = job_of(world)
      assert(world.store:request(RUN_ID, job_id and "resolve_adopt" or "resolve_not_started", nil,
        { path = "load", job_id = job_id }))
    end }))
    return report, world
  end

  it("has the run adopted at once", function()
    local report, world = run("lost_answer", function(world)
      return (next(world.lab.service.jobs.by_id)) -- the only one
    end)
    assert.equal("succeeded", report.outcome)
    assert.equal("user", report.steps.load.attempts[1].adopted)
    assert.equal(1, world.lab:started())
    assert.is_true(report.ended_at - report.started_at < 200)
  end)

  it("has it sent again", function()
    local report, world = run("lost_request", function() return nil end)
    assert.equal("succeeded", report.outcome)
    assert.equal(1, world.lab:started())
    assert.equal("not_started", report.steps.load.attempts[1].outcome)
    assert.is_true(report.ended_at - report.started_at < 200)
  end)
end)

describe("a repair that cannot tell yet", function()
  local function left(faults, definition, notebooks)
    local world = repair_world.new(notebooks, { faults = faults })
    assert.equal("unknown", assert(world.run(definition, { run_id = RUN_ID,
      submission = "at_most_once" })).outcome)
    world.lab.host.advance(600)
    return world
  end

  it("settles what comes after what it is restricted to", function()
    local definition = repair_world.workflow(function(flow)
      local ingest = flow:notebook("ingest", { notebook = "Ingest" })
      local clean = flow:notebook("clean", { notebook = "Clean", after = ingest })
      flow:notebook("load", { notebook = "Load", after = clean })
    end)
    local world = left({ { at = "submit", notebook = "Load", number = 1, fault = "lost_answer" } },
      definition, { Ingest = "done", Clean = "done", Load = "done" })
    local report, err = world.run(definition, { repair = RUN_ID, only = { "ingest" },
      submission = "reconcile" })
    assert.is_nil(report)
    assert.matches("^load: whether its submission", err.message)
    assert.equal(1, world.lab:started("Sales/Load"))
    assert.same({}, world.ran())
  end)

  it("gives up where the runs cannot be listed, and says what it waits for", function()
    local definition = repair_world.workflow(function(flow)
      flow:notebook("load", { notebook = "Load" })
    end)
    local world = left({ { at = "submit", notebook = "Load", number = 1, fault = "lost_answer" },
      { at = "list", notebook = "Load", number = "every", fault = 403 } }, definition,
      { Load = "done" })
    local told, began = {}, world.lab:now()
    local report, err = world.run(definition, { repair = RUN_ID, submission = "reconcile",
      on_notice = function(text)
        assert.is_true(world.lab:now() - began < 3600)
        told[#told + 1] = text
      end })
    assert.is_nil(report)
    assert.equal("unknown", err.kind)
    assert.matches("the runs could not be listed", err.message)
    assert.equal(1, #told)
    assert.matches("^load: what became of its submission is looked for before anything is sent; "
      .. "the runs cannot be listed now", told[1])
    assert.is_true(world.lab:now() - began < 3600)
  end)
end)

describe("somebody who names a job that is another step's", function()
  it("is told that it is not taken, and the run goes on", function()
    local world = repair_world.new({ Load = "done", Ingest = "done",
      Slow = function() return "done", "1h" end },
      { faults = { { at = "submit", notebook = "Load", number = 1, fault = "lost_answer" } } })
    local definition = repair_world.workflow(function(flow)
      flow:notebook("load", { notebook = "Load" })
      flow:notebook("ingest", { notebook = "Ingest" })
      flow:notebook("slow", { notebook = "Slow" })
    end)
    local report = assert(world.run(definition, { run_id = RUN_ID, submission = "at_most_once",
      on_event = function(event, state)
        if event.type ~= "step_ended" or event.path ~= "ingest" then return end
        assert(world.store:request(RUN_ID, "resolve_adopt", nil, { path = "load",
          job_id = state.steps.ingest.job_id }))
      end }))
    assert.equal("succeeded", report.steps.slow.outcome)
    assert.equal("unknown", report.steps.load.outcome)
    assert.matches("is the run of another attempt, and is not taken", report.warnings[1].message)
  end)
end)
