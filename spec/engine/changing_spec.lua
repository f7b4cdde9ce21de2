-- A run that is taken up after its file was changed: what is kept, what goes on, what runs anew,
-- and when it is refused. What counts is how many runs Fabric is asked for.

local fabric = require "luafabric"
local file_module = require "luafabric.workflow.file"
local repair_world = require "spec.engine.repair_world"
local shell = require "spec.support.shell"
local tasks = require "luafabric.tasks"

local RUN_ID, workflow = repair_world.RUN_ID, repair_world.workflow
local regions = { "eu", "us", "jp" }

--- A workflow; `change` says what is other than it was.
local function nightly(change)
  change = change or {}
  return workflow(function(flow)
    flow:defaults { exclusive = true }
    local ingest = flow:notebook("ingest", { notebook = "Ingest",
      parameters = { day = change.day or "monday" } })
    local clean = flow:each("clean", ingest:exit("regions"), { notebook = "Clean",
      parameters = function(region) return { region = region } end })
    if not change.without_load then
      flow:notebook("load", { notebook = "Load", parameters = { rows = clean:exit("rows") } })
    end
    if change.audit then flow:notebook("audit", { notebook = "Audit", after = ingest }) end
    flow:finally("last", { notebook = "Last" })
  end)
end

local function new_world()
  return repair_world.new { Ingest = { regions = regions }, Clean = { rows = 3 }, Load = "done",
    Audit = "done", Last = "bye" }
end

--- Leaves a run at the first event of that type and path.
local function leave_at(world, definition, kind, path)
  local control
  local report = assert(definition:run { client = world.lab.client, store = world.store,
    run_id = RUN_ID, on_start = function(given) control = given end,
    on_event = function(event)
      if event.type == kind and event.path == path then control:detach() end
    end })
  assert.is_true(report.detached)
  world.lab.host.advance(30)
end

local function resume(world, definition, options)
  options = options or { changed = true }
  options.resume = RUN_ID
  return world.run(definition, options)
end

describe("a run whose workflow has changed", function()
  local world
  before_each(function() world = new_world() end)
  after_each(function() world.store:close() end)

  it("keeps what has ended, runs what is new, and starts nothing twice, wherever it was cut",
    function()
      for after = 1, 70, 6 do
        world.store:close()
        world = new_world()
        local loop = tasks.new(world.lab.host)
        local done
        local task = loop:spawn(function()
          done = nightly():run { client = world.lab.client, run_id = RUN_ID,
            store = repair_world.dying(world.store, after) }
        end)
        pcall(loop.run, loop, task)
        world.lab.host.close()
        world.lab.host.advance(60)
        if done then break end
        local client = fabric.client { credential = "token",
          host = function() return world.lab.host end }
        local report, err = nightly({ audit = true }):run { client = client, store = world.store,
          resume = RUN_ID, changed = true }
        assert(report, ("after %d: %s"):format(after, tostring(err)))
        assert.is_true(report:ok(), "after " .. after)
        assert.equal("succeeded", report.steps.audit.outcome)
        assert.equal(7, world.lab:started(), "after " .. after)
      end
    end)

  it("runs again what is asked for otherwise, and what comes after it", function()
    leave_at(world, nightly(), "step_ended", "clean")
    local report = assert(resume(world, nightly { day = "tuesday" }))
    assert.is_true(report:ok())
    assert.same({ "Clean eu", "Clean jp", "Clean us", "Ingest", "Last", "Load" }, world.ran())
  end)

  it("shows what was kept", function()
    leave_at(world, nightly(), "step_ended", "ingest")
    local report = assert(resume(world, nightly { audit = true }))
    assert.equal("changed", report.steps.ingest.kept.why)
    assert.equal(RUN_ID, report.steps.ingest.kept.run_id)
    assert.equal(1, #world.events_of("plan_changed"))
  end)

  it("can be cut off and changed again", function()
    leave_at(world, nightly(), "step_ended", "ingest")
    local control
    assert(resume(world, nightly { audit = true }, { changed = true,
      on_start = function(given) control = given end,
      on_event = function(event)
        if event.type == "step_ended" and event.path == "audit" then control:detach() end
      end }))
    world.lab.host.advance(30)
    local report = assert(resume(world, nightly { audit = true }, {}))
    assert.is_true(report:ok())
    assert.equal(7, world.lab:started())
  end)

  it("is refused where something under way is gone, or follows what is another", function()
    leave_at(world, nightly(), "attempt_submitted", "load")
    local report, err = resume(world, nightly { without_load = true })
    assert.is_nil(report)
    assert.matches("^load is under way in run 7f3a12000000, and is not in .* any more: let it end",
      err.message)
    report, err = resume(world, nightly { day = "tuesday" })
    assert.is_nil(report)
    assert.matches("^load is under way in run 7f3a12000000, and clean, which comes before it, is "
      .. "not what it was", err.message)
    assert.is_true(assert(resume(world, nightly { audit = true })):ok())
    assert.equal(7, world.lab:started())
  end)
end)

describe("what is under way when its workflow has changed", function()
  local world
  local function renew()
    if world then world.store:close() end
    world = repair_world.new { X = function() return { regions = regions }, "1m" end, Z = "z",
      Y = function() return "y", "3h" end, Clean = function() return "x", "3h" end }
  end
  before_each(function()
    world = nil
    renew()
  end)
  after_each(function() world.store:close() end)

  local function definition(change)
    change = change or {}
    return fabric.workflow("nightly", { timeout = change.timeout }, function(flow)
      flow:defaults { workspace = "Sales", exclusive = true, retry = { attempts = 1 } }
      local x = flow:notebook("x", { notebook = "X" })
      if not change.without_y then
        flow:notebook("y", { notebook = "Y", after = x })
      end
      flow:each("clean", x:exit("regions"), { notebook = "Clean",
        parameters = function(region) return { region = region } end })
      flow:notebook("z", { notebook = "Z", after = x })
    end)
  end

  --- Takes the run up in a process that ends after so many events.
  local function resume_dying(change, after)
    local loop = tasks.new(world.lab.host)
    local done
    local task = loop:spawn(function()
      done = definition(change):run { client = world.lab.client, resume = RUN_ID, changed = true,
        store = repair_world.dying(world.store, after) }
    end)
    pcall(loop.run, loop, task)
    world.lab.host.close()
    world.lab.host.advance(60)
    world.lab.client = fabric.client { credential = "token",
      host = function() return world.lab.host end }
    return done ~= nil
  end

  it("is started once, wherever the first try to go on was cut", function()
    for after = 1, 14 do
      renew()
      leave_at(world, definition(), "attempt_submitted", "clean[jp]")
      resume_dying(nil, after)
      local report = assert(resume(world, definition()))
      assert.is_true(report:ok(), "after " .. after)
      assert.equal(1, world.lab:started("Sales/Y"), "after " .. after)
      assert.equal(3, world.lab:started("Sales/Clean"), "after " .. after)
      assert.equal(1, world.lab:started("Sales/X"), "after " .. after)
    end
  end)

  it("is not forgotten by a second change", function()
    leave_at(world, definition(), "attempt_submitted", "clean[jp]")
    resume_dying(nil, 1)
    local report, err = resume(world, definition { without_y = true })
    assert.is_nil(report)
    assert.matches("^y is under way in run 7f3a12000000, and is not in ", err.message)
  end)

  local function jobs_left()
    local left = 0
    for _, job in pairs(world.lab.service.jobs.by_id) do
      if job.status == "InProgress" or job.status == "NotStarted" then left = left + 1 end
    end
    return left
  end

  it("is cancelled when the time is up, and when the run is told to end", function()
    for _, how in ipairs { "timeout", "cancel" } do
      renew()
      local limits = { timeout = how == "timeout" and "2h" or nil }
      leave_at(world, definition(limits), "attempt_submitted", "clean[jp]")
      world.lab.host.advance(how == "timeout" and 7400 or 60)
      local report = assert(resume(world, definition(limits), { changed = true,
        on_start = how == "cancel" and function(control) control:cancel() end or nil }))
      local outcome = how == "timeout" and "timed_out" or "cancelled"
      assert.equal(outcome, report.outcome)
      assert.equal(outcome, report.steps.y.outcome)
      assert.equal(outcome, report.steps["clean[eu]"].outcome)
      assert.equal(0, jobs_left(), how)
    end
  end)

  it("goes on although its condition says no now, and no other item begins", function()
    local function with(most, when)
      return workflow(function(flow)
        local x = flow:notebook("x", { notebook = "X" })
        local never = when and x:outcome():is "failed" or nil
        flow:notebook("y", { notebook = "Y", after = x, when = never })
        flow:each("clean", x:exit("regions"), { notebook = "Clean", max_concurrency = most,
          when = never,
          parameters = function(region) return { region = region } end })
      end)
    end
    leave_at(world, with(1), "attempt_submitted", "clean[eu]")
    local report = assert(resume(world, with(1, true)))
    assert.equal("succeeded", report.steps.y.outcome)
    assert.equal("succeeded", report.steps["clean[eu]"].outcome)
    assert.equal("skipped", report.steps["clean[us]"].outcome)
    assert.equal(3, world.lab:started())
  end)
end)

describe("a submission in doubt of a workflow that has changed", function()
  it("keeps the change from going on until it is settled", function()
    local world = repair_world.new({ Load = { rows = 3 }, Slow = function() return "x", "1h" end },
      { faults = { { at = "submit", notebook = "Load", number = 1, fault = "lost_answer" } } })
    local function definition(day)
      return workflow(function(flow)
        flow:notebook("load", { notebook = "Load", parameters = { day = day } })
        flow:notebook("slow", { notebook = "Slow" })
      end)
    end
    local control
    assert(world.run(definition "monday", { run_id = RUN_ID, submission = "at_most_once",
      on_start = function(given) control = given end,
      on_event = function(event)
        if event.type == "status_changed" and event.path == "slow" then control:detach() end
      end }))
    local report, err = resume(world, definition "tuesday")
    assert.is_nil(report)
    assert.equal("load of run 7f3a12000000 may or may not run, and is not sent again beside that. "
      .. "Settle it with `luafabric resolve 7f3a12000000 load --adopt JOB`, or with --not-started",
      err.message)
    assert.equal(1, world.lab:started("Sales/Load"))
    world.store:close()
  end)
end)

describe("a workflow's file that has changed since its run began", function()
  it("is named, and the run goes on with it where that is said", function()
    local world, folder = new_world(), shell.scratch()
    local function write(name, text)
      local file = assert(io.open(folder .. "/" .. name, "w"))
      file:write(text)
      file:close()
    end
    local function load(comment)
      write("nightly.lua", [[
local fabric = require "luafabric"
local names = require "names"
return fabric.workflow("nightly", function(flow)
  flow:defaults { workspace = "Sales" }
  local ingest = flow:notebook("ingest", { notebook = names.ingest })
  flow:notebook("load", { notebook = "Load", after = ingest })
end)]])
      write("names.lua", "return { ingest = \"Ingest\" } -- " .. comment)
      return assert(file_module.load(folder .. "/nightly.lua"))
    end
    leave_at(world, load "as it was", "step_ended", "ingest")
    local report, err = resume(world, load "changed", {})
    assert.is_nil(report)
    assert.equal("names.lua has changed since run 7f3a12000000 began: undo the change, or add "
      .. "--changed to go on with what it says now", err.message)
    report = assert(resume(world, load "changed"))
    assert.is_true(report:ok())
    assert.same({ "Load" }, world.ran())
    shell.remove(folder)
    world.store:close()
  end)
end)
