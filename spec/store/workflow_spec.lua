-- What a workflow's run writes, in a store in memory of a virtual world, is what is read back.

local fabric = require "luafabric"
local history = require "luafabric.history"
local lab_module = require "luafabric.lab"
local sqlite_store = require "luafabric.store.sqlite"

local function flow_of(flow)
  local ingest = flow:notebook("ingest", { notebook = "Ingest", workspace = "W" })
  local clean = flow:each("clean", ingest:exit "regions", { notebook = "Clean", workspace = "W",
    parameters = function(region) return { region = region, factor = 2.0, big = 3 } end,
    retry = { attempts = 2, on = { "failed" }, interval = "10s" } })
  flow:notebook("broken", { notebook = "Broken", workspace = "W", after = { clean },
    may_fail = true })
  flow:finally("report", { notebook = "Ingest", workspace = "W" })
end

describe("a workflow's run in the store", function()
  it("is folded to the state that the engine had", function()
    local store = assert(sqlite_store.open(":memory:", { synchronous = true }))
    local run = assert(store:create_run { run_id = "r1", workflow = "nightly" })
    local failures = 0
    local lab = lab_module.new { notebooks = {
      ["W/Ingest"] = function() return { regions = { "us", "eu" } }, "2m" end,
      ["W/Clean"] = function()
        failures = failures + 1
        if failures == 1 then error "not the first time" end
        return "ü"
      end,
      ["W/Broken"] = function() error "never" end,
    } }
    local report = assert(lab:run(fabric.workflow("nightly", flow_of), {},
      { store = run, run_id = "r1" }))
    assert.equal("succeeded", report.outcome)

    local events = assert(store:events "r1")
    local state = history.new()
    for _, event in ipairs(events) do history.apply(state, event) end
    assert.is_true(#events > 20)
    assert.same(report, state)
    local row = store:find "r1"
    assert.same({ "ended", "succeeded" }, { row.state, row.outcome })
    assert.is_true(#store:rows "select * from jobs" >= 6)
    assert.same({}, store:rows "select * from intents where state = 'open'")
    store:close()
  end)
end)
