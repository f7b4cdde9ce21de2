-- A process that ends anywhere: after every single event of a run it stops dead, and another one
-- takes the run up from the store. What is seen in the end is what would have been seen without.

local cut = require "spec.simulation.cut_run"
local fabric = require "luafabric"

local function new_lab()
  return fabric.lab { notebooks = {
    ["Sales/Ingest"] = function()
      return { regions = { "eu", "us", "jp" }, mode = "full" }, "5m"
    end,
    ["Sales/Clean"] = function(p, run)
      if p.region == "us" and run.attempt == 1 then run:fail("failed", "flaky") end
      return { rows = 3 }, "3m"
    end,
    ["Sales/Full"] = "2m", ["Sales/Report"] = "1m", ["Sales/Last"] = "1m" },
    settings = { retry_after = 20 } }
end

local definition = fabric.workflow("nightly", function(flow)
  flow:defaults { workspace = "Sales", exclusive = true,
    retry = { attempts = 3, interval = "1m" } }
  local ingest = flow:notebook("ingest", { notebook = "Ingest" })
  local cleaned = flow:each("clean", ingest:exit("regions"), { notebook = "Clean",
    max_concurrency = 2, parameters = function(region) return { region = region } end })
  local load = flow:switch("load", ingest:exit("mode"), { full = { notebook = "Full" },
    default = false })
  flow:notebook("report", { notebook = "Report", after = { cleaned, load },
    parameters = { rows = cleaned:exit("rows") } })
  flow:finally("last", { notebook = "Last", parameters = { outcome = flow:outcome() } })
end)

local RUN_ID = cut.RUN_ID

local function outcome_of(report)
  local seen = { run = report.outcome }
  for _, path in ipairs(report.order) do seen[path] = report.steps[path].outcome end
  return seen
end

local function whole_run()
  local lab = new_lab()
  local store = cut.store_of(lab)
  local report = assert(definition:run { client = lab.client, store = store, run_id = RUN_ID })
  return report, #assert(store:events(RUN_ID)), lab:started()
end

describe("a run whose process ends", function()
  local expected, count, started = whole_run()

  it("would have gone well", function()
    assert.is_true(expected:ok())
    assert.equal(8, started) -- one of them flaky
    assert.is_true(count > 40)
  end)

  it("ends as it would have, wherever that happened, and no notebook runs twice", function()
    for after = 1, count - 1 do
      local lab = new_lab()
      local store = cut.store_of(lab)
      cut.run_until_dead(lab, definition, { store = cut.dying(store, after) })
      lab.host.advance(60)
      local report, err = cut.resume(lab, definition, store)
      assert(report, ("after %d events: %s"):format(after, tostring(err)))
      assert.same(outcome_of(expected), outcome_of(report), "after " .. after .. " events")
      assert.equal(started, lab:started(), "after " .. after .. " events")
      assert.equal(0, lab:open_runs())
      store:close()
    end
  end)

  it("can be taken up again and again", function()
    local lab = new_lab()
    local store = cut.store_of(lab)
    cut.run_until_dead(lab, definition, { store = cut.dying(store, 5) })
    for _ = 1, 6 do
      lab.host.advance(40)
      cut.run_until_dead(lab, definition, { store = cut.dying(store, 6), resume = RUN_ID,
        client = cut.client_of(lab) })
    end
    lab.host.advance(40)
    local report, err = cut.resume(lab, definition, store)
    if not report then assert.matches("has ended", tostring(err)) end
    assert.equal(started, lab:started())
  end)

  it("never sends a mask where an exit value held a secret", function()
    local lab = fabric.lab { notebooks = { ["Sales/Ingest"] = function(p)
      return "Files/" .. p.key, "5m"
    end, ["Sales/Clean"] = "1m" } }
    local secretive = fabric.workflow("secretive", function(flow)
      flow:defaults { workspace = "Sales" }
      local key = flow:input("key", { secret = true })
      local ingest = flow:notebook("Ingest", { parameters = { key = key } })
      flow:notebook("Clean", { parameters = { path = ingest:exit() } })
    end)
    local store = cut.store_of(lab)
    cut.run_until_dead(lab, secretive, { store = cut.dying(store, 9),
      inputs = { key = "s3cr3t" } })
    lab.host.advance(60)
    local report = assert(cut.resume(lab, secretive, store, { inputs = { key = "s3cr3t" } }))
    assert.equal("succeeded", report.steps.Ingest.outcome)
    assert.equal("rejected", report.steps.Clean.outcome)
    assert.equal(0, lab:started("Sales/Clean"))
  end)

  it("is not taken up with another workflow", function()
    local lab = new_lab()
    local store = cut.store_of(lab)
    cut.run_until_dead(lab, definition, { store = cut.dying(store, 12) })
    local other = fabric.workflow("nightly", function(flow)
      flow:defaults { workspace = "Sales" }
      flow:notebook("ingest", { notebook = "Ingest" })
      flow:notebook("report", { notebook = "Report" })
    end)
    lab.host.advance(60)
    local report, err = other:run { client = lab.client, store = store, resume = RUN_ID }
    assert.is_nil(report)
    assert.equal("usage", err.kind)
    assert.matches("is not the workflow that run 7f3a12 was started with: step report stands where "
      .. "clean was", err.message)
  end)

  it("is not taken up twice, nor when it is over", function()
    local lab = new_lab()
    local store = cut.store_of(lab)
    assert(definition:run { client = lab.client, store = store, run_id = RUN_ID })
    local report, err = cut.resume(lab, definition, store)
    assert.is_nil(report)
    assert.equal("run 7f3a12 has ended: succeeded", err.message)
    report, err = definition:run { client = lab.client, store = store, resume = "nosuch" }
    assert.is_nil(report)
    assert.matches("no run nosuch in .*; runs belong to the machine that started them", err.message)
  end)
end)
