-- Secrets of a run that is taken up again: an exit value that held one is read again from the job
-- that gave it, and none is told by what is written down, the names of items included.

local fabric = require "luafabric"
local repair_world = require "spec.engine.repair_world"
local unmasking = require "luafabric.engine.unmasking"

local RUN_ID, workflow = repair_world.RUN_ID, repair_world.workflow
local SECRET = "hunter2hunter2"

--- Leaves a run at the first event of that type and path.
local function leave_at(world, definition, kind, path)
  local control
  local report = assert(world.run(definition, { run_id = RUN_ID,
    on_start = function(given) control = given end,
    on_event = function(event)
      if event.type == kind and event.path == path then control:detach() end
    end }))
  assert.is_true(report.detached)
  world.lab.host.advance(30)
end

local function each_of_masked(given)
  given = given or {}
  return workflow(function(flow)
    local ingest = flow:notebook("ingest", { notebook = "Ingest",
      parameters = { token = fabric.secret(SECRET) } })
    local clean = flow:each("clean", ingest:exit("regions"), { notebook = "Clean",
      max_concurrency = given.most,
      parameters = function(region) return { region = region } end })
    flow:notebook("load", { notebook = "Load", after = clean })
  end)
end

local function texts_with_secret(world)
  local rows = assert(world.store:rows("select type, path, body from events"))
  local found = {}
  for _, row in ipairs(rows) do
    local text = (row.path or "") .. row.body
    if text:find(SECRET, 1, true) then found[#found + 1] = row.type .. ": " .. text end
  end
  return found
end

describe("an each over an exit value that holds a secret", function()
  local world
  local function renew()
    world = repair_world.new { Load = "done", Clean = function() return "x", "1h" end,
      Ingest = function(given) return { regions = { "us", "eu" }, note = given.token } end }
  end
  after_each(function() world.store:close() end)

  it("goes on after a resume: the value is read again, and its notebook is not run", function()
    renew()
    leave_at(world, each_of_masked { most = 1 }, "attempt_submitted", "clean[us]")
    local report = assert(world.run(each_of_masked { most = 1 }, { resume = RUN_ID }))
    assert.is_true(report:ok())
    assert.equal(4, world.lab:started())
    assert.same({}, texts_with_secret(world))
  end)

  it("ends what runs when it is cancelled at once after a resume", function()
    renew()
    leave_at(world, each_of_masked(), "attempt_submitted", "clean[eu]")
    local report = assert(world.run(each_of_masked(), { resume = RUN_ID,
      on_start = function(control) control:cancel { now = true } end }))
    assert.equal("cancelled", report.outcome)
    assert.equal("cancelled", report.steps["clean[eu]"].outcome)
    assert.equal("ended", world.store:find(RUN_ID).state)
  end)

  it("is not changed while its items are under way", function()
    renew()
    leave_at(world, each_of_masked(), "attempt_submitted", "clean[eu]")
    local report, err = world.run(each_of_masked(), { resume = RUN_ID, changed = true })
    assert.is_nil(report)
    assert.matches("^clean%[eu%] is under way in run 7f3a12000000, and the items of clean are not "
      .. "to be had: ", err.message)
    assert.is_true(assert(world.run(each_of_masked(), { resume = RUN_ID })):ok())
    assert.equal(4, world.lab:started())
  end)

  it("rejects the items that have not begun where the value is not to be had any more", function()
    renew()
    leave_at(world, each_of_masked { most = 1 }, "attempt_submitted", "clean[us]")
    local read = stub(unmasking, "read")
    local report = assert(world.run(each_of_masked { most = 1 }, { resume = RUN_ID }))
    read:revert()
    assert.equal("succeeded", report.steps["clean[us]"].outcome)
    assert.equal("rejected", report.steps["clean[eu]"].outcome)
  end)
end)

describe("an item whose label holds a secret", function()
  it("has a name without it, which is the same after a resume", function()
    local world = repair_world.new { Load = "done", Clean = function() return "x", "1h" end,
      Ingest = function(given) return { regions = { given.token, "eu" } } end }
    leave_at(world, each_of_masked(), "attempt_submitted", "clean[eu]")
    local report = assert(world.run(each_of_masked(), { resume = RUN_ID }))
    assert.is_true(report:ok())
    assert.matches("^clean%[%*%*%* %(%x+%)%]$", report.steps.clean.items[1].path)
    assert.equal("clean[eu]", report.steps.clean.items[2].path)
    assert.equal(4, world.lab:started())
    assert.same({}, texts_with_secret(world))
    world.store:close()
  end)
end)

describe("a masked request that cannot be built anew after a resume", function()
  it("is watched, and its secrets stay hidden", function()
    local world = repair_world.new { Load = function(given, run)
        run:fail("failed", "bad token " .. tostring(given.token))
      end,
      Ingest = function(given) return "it was " .. given.token, "1m" end }
    local definition = workflow(function(flow)
      local ingest = flow:notebook("ingest", { notebook = "Ingest",
        parameters = { token = fabric.secret "swordfish99" } })
      flow:notebook("load", { notebook = "Load",
        parameters = { token = fabric.secret(SECRET), text = ingest:exit() } })
    end)
    leave_at(world, definition, "attempt_submitted", "load")
    local report = assert(world.run(definition, { resume = RUN_ID }))
    assert.matches("^bad token %*%*%*", report.steps.load.reason.message)
    assert.same({}, texts_with_secret(world))
    world.store:close()
  end)
end)
