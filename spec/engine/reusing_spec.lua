-- `once`: what succeeded in an earlier run of the store is not run again. What counts is how many
-- runs Fabric is asked for.

local repair_world = require "spec.engine.repair_world"

local new_world, workflow = repair_world.new, repair_world.workflow

describe("once", function()
  local world, fields

  local function definition()
    return workflow(function(flow)
      local day = flow:input("day", { type = "Text", default = "monday" })
      local given = { notebook = "Ingest", once = true, parameters = { day = day } }
      for name, value in pairs(fields) do given[name] = value end
      local ingest = flow:notebook("ingest", given)
      flow:notebook("load", { notebook = "Load", parameters = { rows = ingest:exit("rows") } })
    end)
  end

  before_each(function()
    world, fields = new_world { Ingest = { rows = 3 }, Load = "done" }, {}
  end)
  after_each(function() world.store:close() end)

  it("reuses the success of an earlier run, and says of which", function()
    local first = assert(world.run(definition()))
    local second = assert(world.run(definition()))
    assert.is_true(second:ok())
    assert.same({ "Load" }, world.ran())
    assert.equal(3, world.seen[1].parameters.rows)
    local kept = second.steps.ingest.kept
    assert.equal(first.run_id, kept.run_id)
    assert.equal("once", kept.why)
    assert.equal(first.steps.ingest.job_id, second.steps.ingest.job_id)
    -- The third finds the one that ran.
    assert.equal(first.run_id, assert(world.run(definition())).steps.ingest.kept.run_id)
  end)

  it("runs where the request is another, or it is told to", function()
    assert(world.run(definition()))
    assert(world.run(definition(), { inputs = { day = "tuesday" } }))
    assert.same({ "Ingest", "Load" }, world.ran())
    assert(world.run(definition(), { again = true }))
    assert.same({ "Ingest", "Load" }, world.ran())
  end)

  it("does not reuse what failed, nor what is too old, nor what `expect` refuses", function()
    fields.once = "30d"
    world.broken = { Ingest = true }
    assert(world.run(definition()))
    world.broken = {}
    assert(world.run(definition()))
    assert.same({ "Ingest", "Load" }, world.ran())
    world.lab.host.advance(29 * 86400)
    assert(world.run(definition()))
    assert.same({ "Load" }, world.ran())
    fields.expect = function(exit) return exit.rows > 10 end
    assert(world.run(definition()))
    assert.same({ "Ingest" }, world.ran())
    fields.expect = nil
    world.lab.host.advance(31 * 86400)
    assert(world.run(definition()))
    assert.same({ "Ingest", "Load" }, world.ran())
  end)

  it("holds for each item by itself", function()
    local regions = { "eu", "us" }
    local function each()
      return workflow(function(flow)
        flow:each("clean", regions, { notebook = "Ingest", once = true, parameters =
          function(region) return { region = region } end })
      end)
    end
    world.broken = { ["Ingest us"] = true }
    assert(world.run(each()))
    world.broken, regions = {}, { "eu", "us", "jp" }
    assert.is_true(assert(world.run(each())):ok())
    assert.same({ "Ingest jp", "Ingest us" }, world.ran())
  end)

  it("reads an exit value again that held a secret", function()
    world = new_world { Ingest = function(p) return "Files/" .. p.key, "1m" end, Load = "done" }
    local secretive = workflow(function(flow)
      local key = flow:input("key", { secret = true })
      local ingest = flow:notebook("ingest", { notebook = "Ingest", once = true,
        parameters = { key = key } })
      flow:notebook("load", { notebook = "Load", parameters = { path = ingest:exit() } })
    end)
    assert(world.run(secretive, { inputs = { key = "s3cr3t!value" } }))
    assert(world.run(secretive, { inputs = { key = "s3cr3t!value" } }))
    assert.same({ "Load" }, world.ran())
    assert.equal("Files/s3cr3t!value", world.seen[1].parameters.path)
    assert.same({}, world.store:rows("select * from successes where exit_value like '%s3cr%'"))
    assert(world.run(secretive, { inputs = { key = "another!value" } }))
    assert.same({ "Ingest", "Load" }, world.ran())
  end)

  it("has no effect in memory, and says so", function()
    local report = assert(world.run(definition(), { store = false }))
    assert.matches("once has no effect: this run is kept in memory", report.warnings[1].message)
  end)
end)
