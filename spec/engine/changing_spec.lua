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
