-- A reconciliation goes by what `doctor --prove` has found out about the tenant, by itself.

local fabric = require "luafabric"
local sqlite_store = require "luafabric.store.sqlite"
local tasks = require "luafabric.tasks"
local worlds = require "spec.client.world"

local HERE = "https://api.fabric.microsoft.com/v1"
local OTHER_WORKSPACE = "0f8fad5b-d9cb-469f-a165-70867728950e"

local function ingest(compute)
  return fabric.workflow("nightly", function(flow)
    flow:notebook("ingest", { workspace = "Sales", notebook = "Ingest",
      compute = compute or fabric.spark() })
  end)
end

describe("a submission with a lost answer, beside somebody else's runs", function()
  local store

  before_each(function()
    store = assert(sqlite_store.open(":memory:", { synchronous = true }))
  end)

  after_each(function() store:close() end)

  --- Its answer is lost; somebody else starts the same notebook 5 s later.
  local function run(findings, options)
    options = options or {}
    local world = worlds.new { seconds = 600, settings = options.settings,
      faults = { { at = "submit", number = 1, fault = "lost_answer" } } }
    if findings then
      assert(store:put_findings(options.endpoint or HERE, options.workspace or world.ws, findings))
    end
    local client, report = world.client(options.client), nil
    world.run(function(loop)
      loop:spawn(function()
        tasks.sleep(5)
        assert(world.client():submit_notebook(worlds.ingest()))
      end)
      report = assert(ingest(options.compute):run { client = client, store = store })
    end)
    return report, report.steps.ingest.attempts[1].adopted, client
  end

  it("is found by its tag where the store knows that Fabric shows tags there", function()
    local report, adopted = run { ["tag/Spark"] = true }
    assert.is_true(report:ok())
    assert.equal("tag", adopted)
  end)

  it("stays unknown where nobody knows, or it is known that Fabric does not", function()
    for _, findings in ipairs { {}, { ["tag/Spark"] = false } } do
      local report, adopted = run(findings)
      assert.same({ "unknown" }, { report.outcome, adopted })
    end
  end)

  it("stays unknown where that is known of another compute, workspace or endpoint only",
    function()
      local proven = { ["tag/Spark"] = true }
      for _, other in ipairs {
        { proven, { compute = fabric.jupyter { numCores = 4 } } },
        { proven, { workspace = OTHER_WORKSPACE } },
        { proven, { endpoint = "https://fabric.example/v1" } },
        { { ["tag/Jupyter"] = true } } } do
        local report, adopted = run(other[1], other[2])
        assert.same({ "unknown" }, { report.outcome, adopted })
        store:close()
        store = assert(sqlite_store.open(":memory:", { synchronous = true }))
      end
    end)

  it("stays unknown where the client was told not to go by tags", function()
    local report = run({ ["tag/Spark"] = true }, { client = { tag_proven = false } })
    assert.equal("unknown", report.outcome)
  end)

  it("is waited for twice as long as a run was seen to take until it was listed", function()
    local _, _, client = run({ visible_after = 40 })
    assert.equal(80, client.visible_after)
    _, _, client = run({ visible_after = 3 })
    assert.equal(30, client.visible_after)
  end)

  it("stays unknown where the findings cannot be read", function()
    assert(store.db:exec "drop table findings")
    assert.equal("unknown", (run().outcome))
  end)
end)

describe("a run that is taken up", function()
  it("is found by its tag, too", function()
    local store = assert(sqlite_store.open(":memory:", { synchronous = true }))
    local world = worlds.new { seconds = 600 }
    assert(store:put_findings(HERE, world.ws, { ["tag/Spark"] = true }))
    local executor = require("luafabric.client.executor").new(world.client())
    world.run(function()
      executor:trust(store)
      local run, doubt = executor:in_doubt({ workspace = "Sales", notebook = "Ingest",
        workspace_id = world.ws, notebook_id = world.nb, tag = "lf-0123456789ab",
        body = '{"executionData":{"compute":"Spark","computeConfiguration":{"name":"luafabric '
          .. 'lf-0123456789ab"}}}' }, world.host.wall(), {}, function() end)
      assert.is_true(executor:reconciliation(run, doubt).tag_proven)
      doubt.tag_question = "tag/Jupyter"
      assert.is_false(executor:reconciliation(run, doubt).tag_proven)
    end)
    store:close()
  end)
end)
