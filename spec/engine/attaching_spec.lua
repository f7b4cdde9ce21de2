-- A run that an earlier run of the workflow lost sight of may still be there: a repair watches it
-- to its end, and sends nothing beside it before.

local doubt = require "luafabric.history.doubt"
local repair_world = require "spec.engine.repair_world"
local settling = require "luafabric.workflow.settling"
local taking_up = require "luafabric.workflow.taking_up"

local RUN_ID = repair_world.RUN_ID

local simple = repair_world.workflow(function(flow)
  local load = flow:notebook("load", { notebook = "Load" })
  flow:notebook("publish", { notebook = "Publish", parameters = { rows = load:exit() } })
end)

--- A world whose Load takes three hours, and gives `exit` then.
local function new_world(faults, exit)
  return repair_world.new({ Publish = "done", Load = exit or function() return 3, "3h" end },
    { faults = faults })
end

--- The run of Load as the run that lost sight of it left it.
local function left_by(world, definition, options)
  local given = { run_id = RUN_ID }
  for name, value in pairs(options or {}) do given[name] = value end
  local report = assert(world.run(definition, given))
  world.lab.host.advance(60)
  return report.steps.load.attempts[1], report
end

describe("a repair of a run that lost sight of a job", function()
  local unseen = { at = "status", notebook = "Load", number = { 1, 9 }, fault = 404 }
  local refused = { at = "status", notebook = "Load", number = 1, fault = 403 }

  it("watches one that Fabric did not show, and sends none beside it", function()
    local world = new_world { unseen }
    local attempt = left_by(world, simple)
    assert.equal("unknown", attempt.outcome)
    assert.is_true(attempt.may_run)
    local report = assert(world.run(simple, { repair = RUN_ID }))
    assert.is_true(report:ok())
    assert.equal(1, world.lab:started("Sales/Load"))
    assert.equal(attempt.job_id, report.steps.load.job_id)
    assert.same({ "Publish" }, world.ran())
  end)

  it("watches one that it was not allowed to look at", function()
    local world = new_world { refused }
    local attempt = left_by(world, simple)
    assert.equal("unauthorized", attempt.outcome)
    local report = assert(world.run(simple, { repair = RUN_ID }))
    assert.is_true(report:ok())
    assert.equal(1, world.lab:started("Sales/Load"))
    assert.same({ "Publish" }, world.ran())
    assert.equal(RUN_ID, report.steps.load.attempts[1].from_run)
  end)

  it("looks first at one that did not end when it was told to", function()
    local definition = repair_world.workflow(function(flow)
      flow:notebook("load", { notebook = "Load", timeout = "10m" })
    end)
    local world = new_world { { at = "cancel", notebook = "Load", number = "every",
      fault = "InsufficientPrivileges" } }
    local attempt = left_by(world, definition)
    assert.equal("timed_out", attempt.outcome)
    assert.is_true(attempt.may_run)
    world.lab.host.advance(3 * 3600)
    assert.is_true(assert(world.run(definition, { repair = RUN_ID })):ok())
    assert.equal(1, world.lab:started("Sales/Load"))
  end)

  it("runs it again once its end is seen, and it was no success", function()
    local ends = { "failed" }
    local world = new_world({ refused }, function(_, run)
      if table.remove(ends) then
        run:print("going")
        run:fail("failed", "broken")
      end
      return 3, "1m"
    end)
    left_by(world, simple)
    local report = assert(world.run(simple, { repair = RUN_ID }))
    assert.is_true(report:ok())
    assert.equal(2, world.lab:started("Sales/Load"))
    local attempts = report.steps.load.attempts
    assert.equal(2, #attempts)
    assert.equal("failed", attempts[1].outcome)
    assert.is_nil(attempts[2].from_run)
  end)

  it("does not take a run of another request for its own, and waits for its end", function()
    local definition = repair_world.workflow(function(flow)
      local day = flow:input("day", { type = "Text", default = "mon" })
      flow:notebook("load", { notebook = "Load", parameters = { day = day } })
    end)
    local world = new_world({ refused }, function(given) return given.day, "3h" end)
    local attempt = left_by(world, definition)
    local ended_at
    local report = assert(world.run(definition, { repair = RUN_ID, inputs = { day = "tue" },
      on_event = function(event)
        if event.type == "attempt_ended" then ended_at = ended_at or event.at end
        if event.type == "attempt_intended" then assert.is_number(ended_at) end
      end }))
    assert.is_true(report:ok())
    assert.equal("tue", report.steps.load.exit_value)
    assert.not_equal(attempt.job_id, report.steps.load.job_id)
    assert.equal(2, world.lab:started("Sales/Load"))
  end)

  it("goes by the request, too, where the user said which job it is", function()
    local definition = repair_world.workflow(function(flow)
      local day = flow:input("day", { type = "Text", default = "mon" })
      flow:notebook("load", { notebook = "Load", parameters = { day = day } })
    end)
    local world = new_world({ { at = "submit", notebook = "Load", number = 1,
      fault = "lost_answer" } }, function(given) return given.day, "1m" end)
    left_by(world, definition, { submission = "at_most_once" })
    local state = assert(taking_up.fold(world.store, RUN_ID))
    assert(settling.record(world.store, state, doubt.event("load",
      assert(doubt.of(state.steps.load)), { by = "user",
        job_id = next(world.lab.service.jobs.by_id) })))
    local report = assert(world.run(definition, { repair = RUN_ID, inputs = { day = "tue" } }))
    assert.equal("tue", report.steps.load.exit_value)
    assert.equal(2, world.lab:started("Sales/Load"))
  end)

  it("is repaired itself where it left that job alone", function()
    local definition = repair_world.workflow(function(flow)
      flow:notebook("load", { notebook = "Load" })
      flow:notebook("ingest", { notebook = "Publish" })
    end)
    local world = new_world { refused }
    left_by(world, definition)
    local restricted = assert(world.run(definition, { repair = RUN_ID, only = { "ingest" } }))
    assert.equal("unauthorized", restricted.outcome)
    local report = assert(world.run(definition, { repair = restricted.run_id }))
    assert.is_true(report:ok())
    assert.equal(1, world.lab:started("Sales/Load"))
    assert.equal(RUN_ID, report.steps.load.attempts[1].from_run)
  end)

  it("goes on watching where it was cut off itself", function()
    local world = new_world { refused }
    left_by(world, simple)
    local control
    local left = assert(world.run(simple, { repair = RUN_ID, run_id = "abcdef123456",
      on_start = function(given) control = given end, on_event = function(event)
        if event.type == "status_changed" then control:detach() end
      end }))
    assert.is_true(left.detached)
    assert.is_true(assert(world.run(simple, { resume = "abcdef" })):ok())
    assert.equal(1, world.lab:started("Sales/Load"))
  end)
end)

describe("a repair after a step took another success than before", function()
  it("runs what depends on it", function()
    local world = repair_world.new { X = "x", Y = "y", Z = "z" }
    local definition = repair_world.workflow(function(flow)
      local day = flow:input("day", { type = "Text", default = "mon" })
      local x = flow:notebook("x", { notebook = "X", parameters = { day = day }, once = true })
      local y = flow:notebook("y", { notebook = "Y", after = x })
      flow:notebook("z", { notebook = "Z", after = y })
    end)
    assert(world.run(definition, { run_id = "aaaa11110000" }))
    world.lab.host.advance(60)
    assert(world.run(definition, { run_id = "aaaa22220000", inputs = { day = "tue" } }))
    world.lab.host.advance(60)
    world.broken.Z = true
    assert(world.run(definition, { run_id = RUN_ID }))
    assert.same({ "Y", "Z" }, world.ran())
    world.broken.Z = nil
    assert(world.run(definition, { repair = RUN_ID, inputs = { day = "tue" } }))
    assert.same({ "Y", "Z" }, world.ran())
  end)
end)
