-- A repair: a new run that keeps what succeeded in another one, and runs the rest. What counts is
-- how many runs Fabric is asked for.

local fabric = require "luafabric"
local repair_world = require "spec.engine.repair_world"
local tasks = require "luafabric.tasks"

local new_world, workflow, RUN_ID = repair_world.new, repair_world.workflow, repair_world.RUN_ID

local regions = { "eu", "us", "jp" }

local nightly = workflow(function(flow)
  local ingest = flow:notebook("ingest", { notebook = "Ingest" })
  local clean = flow:each("clean", ingest:exit("regions"), { notebook = "Clean",
    parameters = function(region) return { region = region } end })
  flow:notebook("publish", { notebook = "Publish", parameters = { rows = clean:exit("rows") } })
  flow:notebook("audit", { notebook = "Audit", after = ingest })
  flow:finally("last", { notebook = "Last" })
end)

local function nightly_world()
  return new_world { Ingest = { regions = regions }, Clean = { rows = 3 }, Publish = "done",
    Audit = "done", Last = "bye" }
end

describe("a repair", function()
  it("runs what failed and what comes after it, and keeps the rest", function()
    local world = nightly_world()
    world.broken = { ["Clean us"] = true }
    local first = assert(world.run(nightly, { run_id = RUN_ID }))
    assert.equal("failed", first.outcome)
    world.broken = {}
    local report = assert(world.run(nightly, { repair = RUN_ID }))
    assert.equal("succeeded", report.outcome)
    assert.same({ "Clean us", "Last", "Publish" }, world.ran())
    assert.equal(RUN_ID, report.parent)
    assert.not_equal(RUN_ID, report.run_id)
    local kept = report.steps["clean[eu]"].kept
    assert.equal(RUN_ID, kept.run_id)
    assert.equal(first.steps["clean[eu]"].job_id, kept.job_id)
    assert.equal('{"rows":3}', report.steps["clean[eu]"].exit_value)
    assert.equal(4, #world.events_of("step_kept"))
    assert.equal(RUN_ID, assert(world.store:find(report.run_id)).parent)
  end)

  it("of twenty steps runs the two that failed and those that depend on them", function()
    local names = {}
    for number = 1, 20 do names[("S%02d"):format(number)] = "done" end
    local world = new_world(names)
    -- A chain of ten, a fan of nine from its fifth, and one that joins two of the fan.
    local definition = workflow(function(flow)
      local steps = {}
      local function step(number, after)
        local name = ("S%02d"):format(number)
        steps[number] = flow:notebook(name, { after = after })
      end
      step(1)
      for number = 2, 10 do step(number, steps[number - 1]) end
      for number = 11, 19 do step(number, steps[5]) end
      step(20, { steps[11], steps[12] })
    end)
    world.broken = { S08 = true, S11 = true }
    assert.equal("failed", assert(world.run(definition, { run_id = RUN_ID })).outcome)
    assert.equal(17, #world.seen)
    world.broken = {}
    assert.is_true(assert(world.run(definition, { repair = RUN_ID })):ok())
    assert.same({ "S08", "S09", "S10", "S11", "S20" }, world.ran())
  end)

  it("gives back a run that has nothing to repair, and sends nothing", function()
    local world = nightly_world()
    assert(world.run(nightly, { run_id = RUN_ID }))
    local report = assert(world.run(nightly, { repair = RUN_ID }))
    assert.equal(RUN_ID, report.run_id)
    assert.same({}, world.ran())
    assert.equal(1, #assert(world.store:runs()))
  end)

  it("runs what is named, and what depends on it, and leaves all else as it was", function()
    local world = nightly_world()
    world.broken = { ["Clean us"] = true, ["Clean jp"] = true, Audit = true }
    assert(world.run(nightly, { run_id = RUN_ID }))
    world.broken = {}
    local report = assert(world.run(nightly, { repair = RUN_ID, only = { "clean[us]" } }))
    assert.same({ "Clean us", "Last" }, world.ran())
    assert.equal("failed", report.outcome)
    assert.equal("failed", report.steps["clean[jp]"].outcome)
    assert.matches("^broken", report.steps["clean[jp]"].reason.message)
    assert.equal("failed", report.steps.audit.outcome)
    assert.equal("skipped", report.steps.publish.outcome)
    -- The second repair finds what the first one left.
    report = assert(world.run(nightly, { repair = report.run_id }))
    assert.same({ "Audit", "Clean jp", "Last", "Publish" }, world.ran())
    assert.is_true(report:ok())
    assert.equal(RUN_ID, report.steps["clean[eu]"].kept.run_id)
  end)

  it("runs a success again where it is named", function()
    local world = nightly_world()
    assert(world.run(nightly, { run_id = RUN_ID }))
    local report = assert(world.run(nightly, { repair = RUN_ID, only = { "clean[us]" } }))
    assert.is_true(report:ok())
    assert.same({ "Clean us", "Last", "Publish" }, world.ran())
  end)

  it("says what is nearest where a path is none of the run's", function()
    local world = nightly_world()
    world.broken = { ["Clean us"] = true }
    assert(world.run(nightly, { run_id = RUN_ID }))
    local report, err = world.run(nightly, { repair = RUN_ID, only = { "clean[uk]" } })
    assert.is_nil(report)
    assert.matches("run 7f3a12000000 has no step 'clean%[uk%]'; did you mean 'clean%[us%]'%?",
      err.message)
    report, err = world.run(nightly, { repair = RUN_ID, only = { "last" } })
    assert.is_nil(report)
    assert.matches("'last' is a finally step", err.message)
    assert.same({}, world.ran())
  end)

  it("is refused for a path that its file does not have any more", function()
    local world = new_world { Load = "done", Other = "done" }
    local function of(names)
      return workflow(function(flow)
        for _, name in ipairs(names) do flow:notebook(name:lower(), { notebook = name }) end
      end)
    end
    world.broken = { Load = true }
    assert(world.run(of { "Load", "Other" }, { run_id = RUN_ID }))
    local report, err = world.run(of { "Other" }, { repair = RUN_ID, only = { "load" } })
    assert.is_nil(report)
    assert.matches("the workflow has no step 'load' any more", err.message)
    assert.same({}, world.ran())
  end)

  it("fails where an item that it names is not there any more", function()
    local list = { "eu", "us" }
    local world = new_world { Ingest = function() return { regions = list }, "1m" end,
      Clean = "done" }
    local definition = workflow(function(flow)
      local ingest = flow:notebook("ingest", { notebook = "Ingest" })
      flow:each("clean", ingest:exit("regions"), { notebook = "Clean",
        parameters = function(region) return { region = region } end })
    end)
    world.broken = { ["Clean us"] = true }
    assert(world.run(definition, { run_id = RUN_ID }))
    list = { "eu" }
    local report = assert(world.run(definition, { repair = RUN_ID,
      only = { "ingest", "clean[us]" } }))
    assert.equal("failed", report.outcome)
    assert.matches("there is no item clean%[us%] any more", report.steps.clean.reason.message)
    assert.same({ "Ingest" }, world.ran())
  end)

  it("is refused where another repair left something that may run, and names that one", function()
    local world = new_world({ Load = function() return "done", "3h" end },
      { faults = { { at = "submit", notebook = "Load", number = 2, fault = "lost_answer" } } })
    local definition = workflow(function(flow) flow:notebook("load", { notebook = "Load" }) end)
    world.broken = { Load = true }
    assert(world.run(definition, { run_id = RUN_ID }))
    world.lab.host.advance(60)
    world.broken = {}
    local second = assert(world.run(definition, { repair = RUN_ID }))
    assert.equal("unknown", second.outcome)
    local report, err = world.run(definition, { repair = RUN_ID })
    assert.is_nil(report)
    assert.matches("repaired by run " .. second.run_id .. ", whose step load may still run: repair "
      .. "that one: luafabric repair " .. second.run_id, err.message)
    assert.equal(2, world.lab:started("Sales/Load"))
  end)

  it("says that another repair was there before", function()
    local world = new_world { Load = "done" }
    local definition = workflow(function(flow) flow:notebook("load", { notebook = "Load" }) end)
    world.broken = { Load = true }
    assert(world.run(definition, { run_id = RUN_ID }))
    local second = assert(world.run(definition, { repair = RUN_ID }))
    world.broken = {}
    local told = {}
    assert.is_true(assert(world.run(definition, { repair = RUN_ID,
      on_notice = function(text) told[#told + 1] = text end })):ok())
    assert.same({ ("run %s was repaired before, by run %s (failed): what that one did is not kept")
      :format(RUN_ID, second.run_id) }, told)
  end)

  it("keeps a success only where its request would be the same", function()
    local world = new_world { Ingest = "done", Clean = "done", Load = "done" }
    local definition = workflow(function(flow)
      local day = flow:input("day", { type = "Text", default = "monday" })
      flow:notebook("ingest", { notebook = "Ingest", parameters = { day = day } })
      flow:notebook("clean", { notebook = "Clean" })
      flow:notebook("load", { notebook = "Load" })
    end)
    world.broken = { Load = true }
    assert(world.run(definition, { run_id = RUN_ID }))
    world.broken = {}
    assert.is_true(assert(world.run(definition, { repair = RUN_ID,
      inputs = { day = "tuesday" } })):ok())
    assert.same({ "Ingest", "Load" }, world.ran())
    assert.equal("tuesday", world.seen[1].parameters.day)
  end)

  it("tells the workflow's function the first run's id and time", function()
    local world = new_world { Ingest = "done", Load = "done" }
    local told = {}
    local definition = workflow(function(flow)
      told[#told + 1] = { flow.run_id, flow.started_at }
      flow:notebook("ingest", { notebook = "Ingest", parameters = { run = flow.run_id } })
      flow:notebook("load", { notebook = "Load" })
    end)
    world.broken = { Load = true }
    assert(world.run(definition, { run_id = RUN_ID }))
    local again = assert(world.run(definition, { repair = RUN_ID }))
    assert.same({ "Load" }, world.ran())
    assert(world.run(definition, { repair = again.run_id }))
    assert.same({ "Load" }, world.ran())
    for _, entry in ipairs(told) do
      if entry[2] > 0 then assert.same({ RUN_ID, told[1][2] }, entry) end -- 0: to see its inputs
    end
  end)

  it("takes the branch anew, and judges conditions anew", function()
    local mode = "full"
    local world = new_world { Check = function() return { mode = mode }, "1m" end, Full = "f",
      Delta = "d", Tidy = "t" }
    local definition = workflow(function(flow)
      local check = flow:notebook("check", { notebook = "Check" })
      local load = flow:switch("load", check:exit("mode"), { full = { notebook = "Full" },
        delta = { notebook = "Delta" } })
      flow:notebook("tidy", { notebook = "Tidy", after = load, when = "any_failed" })
    end)
    world.broken = { Full = true }
    assert(world.run(definition, { run_id = RUN_ID }))
    assert.same({ "Check", "Full", "Tidy" }, world.ran())
    world.broken = {}
    local report = assert(world.run(definition, { repair = RUN_ID }))
    assert.same({ "Full" }, world.ran())
    assert.is_true(report:ok())
    assert.equal("skipped", report.steps.tidy.outcome)
  end)

  it("reads an exit value again that was masked, instead of running its notebook", function()
    local world = new_world { Ingest = function(p) return "Files/" .. p.key, "1m" end,
      Load = "done" }
    local definition = workflow(function(flow)
      local key = flow:input("key", { secret = true })
      local ingest = flow:notebook("ingest", { notebook = "Ingest", parameters = { key = key } })
      flow:notebook("load", { notebook = "Load", parameters = { path = ingest:exit() } })
    end)
    world.broken = { Load = true }
    assert(world.run(definition, { run_id = RUN_ID, inputs = { key = "s3cr3t!value" } }))
    world.broken = {}
    local report, err = world.run(definition, { repair = RUN_ID })
    assert.is_nil(report)
    assert.matches("needs its secrets again: key", err.message)
    report = assert(world.run(definition, { repair = RUN_ID, inputs = { key = "s3cr3t!value" } }))
    assert.is_true(report:ok())
    assert.same({ "Load" }, world.ran())
    assert.equal("Files/s3cr3t!value", world.seen[1].parameters.path)
    for _, event in ipairs(assert(world.store:events(report.run_id))) do
      assert.is_nil(fabric.json.encode(event):find("s3cr3t", 1, true), event.type)
    end
  end)

  it("runs again what was given another secret", function()
    local world = new_world { Ingest = "done", Load = "done" }
    local definition = workflow(function(flow)
      local key = flow:input("key", { secret = true })
      flow:notebook("ingest", { notebook = "Ingest", parameters = { key = key } })
      flow:notebook("load", { notebook = "Load" })
    end)
    world.broken = { Load = true }
    assert(world.run(definition, { run_id = RUN_ID, inputs = { key = "one secret" } }))
    assert(world.run(definition, { repair = RUN_ID, inputs = { key = "another one" } }))
    assert.same({ "Ingest", "Load" }, world.ran())
  end)

  it("asks `expect` of what is kept, and runs it again where it says no", function()
    local world, least = new_world { Ingest = { rows = 3 }, Load = "done" }, 1
    local definition = workflow(function(flow)
      flow:notebook("ingest", { notebook = "Ingest", expect = function(exit)
        return exit.rows >= least, "too few rows"
      end })
      flow:notebook("load", { notebook = "Load" })
    end)
    world.broken = { Load = true }
    assert(world.run(definition, { run_id = RUN_ID }))
    least, world.broken = 10, {}
    local report = assert(world.run(definition, { repair = RUN_ID }))
    assert.same({ "Ingest", "Load" }, world.ran())
    assert.equal("too few rows", report.steps.ingest.reason.message)
  end)

  it("is refused while the run has not ended, and for another workflow", function()
    local world = nightly_world()
    assert(world.store:create_run { run_id = RUN_ID, workflow = "nightly" }):close()
    local report, err = world.run(nightly, { repair = RUN_ID })
    assert.is_nil(report)
    assert.matches("run 7f3a12000000 has not ended: go on with it by luafabric run %-%-resume",
      err.message)
    world = nightly_world()
    world.broken = { ["Clean us"] = true }
    assert(world.run(nightly, { run_id = RUN_ID }))
    local other = fabric.workflow("weekly", function(flow)
      flow:notebook("Ingest", { workspace = "Sales" })
    end)
    report, err = world.run(other, { repair = RUN_ID })
    assert.is_nil(report)
    assert.matches("is one of the workflow nightly, and this is weekly", err.message)
  end)

  it("that is cut off anywhere goes on as a repair, and runs nothing twice", function()
    for after = 1, 60, 7 do
      local world = nightly_world()
      world.broken = { ["Clean us"] = true, Audit = true }
      assert(world.run(nightly, { run_id = RUN_ID }))
      world.broken = {}
      local started = world.lab:started()
      local loop = tasks.new(world.lab.host)
      local repaired
      local task = loop:spawn(function()
        repaired = nightly:run { client = world.lab.client, repair = RUN_ID, run_id = "abcdef",
          store = repair_world.dying(world.store, after) }
      end)
      pcall(loop.run, loop, task)
      world.lab.host.close()
      world.lab.host.advance(60)
      if not repaired then
        local client = fabric.client { credential = "token",
          host = function() return world.lab.host end }
        local report = assert(nightly:run { client = client, store = world.store,
          resume = "abcdef", exclusive = true })
        assert.is_true(report:ok(), "after " .. after)
        assert.equal(RUN_ID, report.steps["clean[eu]"].kept.run_id)
      end
      assert.equal(started + 4, world.lab:started(), "after " .. after)
      world.store:close()
    end
  end)
end)
