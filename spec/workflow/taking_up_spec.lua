-- What a run that is taken up is checked for, before anything is sent.

local cut = require "spec.simulation.cut_run"
local fabric = require "luafabric"

local RUN_ID = cut.RUN_ID

local function new_lab()
  return fabric.lab { notebooks = { ["Sales/Ingest"] = "5m", ["Sales/Clean"] = "1m",
    ["Sales/Other"] = "1m", ["Ops/Clean"] = "1m" } }
end

local function flow_of(clean)
  return fabric.workflow("nightly", function(flow)
    flow:defaults { workspace = "Sales" }
    local ingest = flow:notebook("ingest", { notebook = "Ingest" })
    if clean then clean(flow, ingest) end
  end)
end

local usual = flow_of(function(flow, ingest)
  flow:notebook("clean", { notebook = "Clean", after = ingest })
end)

--- A run of the usual workflow that was cut off, and what another process makes of it.
local function cut_off(after, options)
  local lab = new_lab()
  local store = cut.store_of(lab)
  local given = { store = cut.dying(store, after or 5) }
  for name, value in pairs(options or {}) do given[name] = value end
  cut.run_until_dead(lab, usual, given)
  lab.host.advance(60)
  return lab, store
end

describe("a run whose process ends at once", function()
  it("is in the store with its first event, and is taken up", function()
    local lab, store = cut_off(1, { key = "night" })
    assert.equal("run_started", assert(store:events(RUN_ID))[1].type)
    assert.is_true(assert(cut.resume(lab, usual, store)):ok())
    assert.is_nil(store:unfinished "night")
  end)

  it("is not in the store without its first event", function()
    local lab = new_lab()
    local store = cut.store_of(lab)
    local refused = { type = "attempt_submitted", at = 1, path = "a", attempt = 1, job_id = "j" }
    local run = store:create_run { run_id = "r1", workflow = "nightly", key = "night",
      events = { { type = "run_started", at = 1, steps = {} }, refused, refused } }
    assert.is_nil(run)
    assert.same({}, store:runs())
  end)
end)

describe("a run that is taken up", function()
  it("goes on as it was meant to", function()
    local _, store = cut_off(5, { submission = "at_most_once", exclusive = true })
    local started = store:events(RUN_ID)[1]
    assert.same({ "at_most_once", true, "https://api.fabric.microsoft.com/v1" },
      { started.submission, started.exclusive, started.endpoint })
    assert.matches('"after":%[%]', store:rows("select body from events where seq = 1")[1].body)
  end)

  it("does not send again what was meant to be sent once, whatever the default is", function()
    local lab = fabric.lab { notebooks = { ["Sales/Ingest"] = "5m", ["Sales/Clean"] = "1m" },
      faults = { { at = "submit", number = 1, fault = "lost_answer" } } }
    local store = cut.store_of(lab)
    cut.run_until_dead(lab, usual, { store = cut.dying(store, 1), submission = "at_most_once",
      exclusive = true })
    lab.host.advance(60)
    local report = assert(cut.resume(lab, usual, store))
    assert.equal("unknown", report.outcome) -- with the default it would have been looked for
  end)

  it("goes on at the endpoint where its jobs are, and nowhere else", function()
    local lab, store = cut_off()
    local client = cut.client_of(lab, { endpoint = "https://fabric.example.com/v1" })
    local report, err = cut.resume(lab, usual, store, { client = client })
    assert.is_nil(report)
    assert.equal("usage", err.kind)
    assert.equal("run 7f3a12 was started at https://api.fabric.microsoft.com/v1, and this client "
      .. "talks to https://fabric.example.com/v1: give that endpoint, or start a new run",
      err.message)
    assert.is_true(assert(cut.resume(lab, usual, store)):ok()) -- nobody holds it
  end)

  local changes = {
    ["the notebook of step clean is Other, and was Clean"] = function(flow, ingest)
      flow:notebook("clean", { notebook = "Other", after = ingest })
    end,
    ["the workspace of step clean is Ops, and was Sales"] = function(flow, ingest)
      flow:notebook("clean", { notebook = "Clean", workspace = "Ops", after = ingest })
    end,
    ["step clean is another"] = function(flow, ingest)
      flow:finally("clean", { notebook = "Clean", after = ingest })
    end,
  }
  for sentence, change in pairs(changes) do
    it("is not taken up where " .. sentence, function()
      local lab, store = cut_off()
      local report, err = cut.resume(lab, flow_of(change), store)
      assert.is_nil(report)
      assert.matches(sentence, err.message, 1, true)
    end)
  end

  it("says which name of what is still to be submitted is gone", function()
    local lab, store = cut_off(1)
    local other = fabric.lab { notebooks = { ["Sales/Ingest"] = "5m" } }
    local report, err = cut.resume(other, usual, store)
    assert.is_nil(report)
    assert.matches("Clean", err.message)
    assert.is_true(assert(cut.resume(lab, usual, store)):ok())
  end)

  it("looks for no name that it does not need any more", function()
    local small = flow_of()
    local lab = new_lab()
    local store = cut.store_of(lab)
    cut.run_until_dead(lab, small, { store = cut.dying(store, 6) })
    lab.host.advance(60)
    local names = lab.service:responses().by_kind.notebooks
    assert.is_true(assert(cut.resume(lab, small, store)):ok())
    assert.equal(names, lab.service:responses().by_kind.notebooks)
  end)
end)

describe("the run of a program that raises", function()
  it("in on_start can be taken up at once", function()
    local lab = new_lab()
    local store = cut.store_of(lab)
    local ok, problem = pcall(usual.run, usual, { client = lab.client, store = store,
      run_id = RUN_ID, on_start = function() error("no screen", 0) end })
    assert.is_false(ok)
    assert.matches("no screen", tostring(problem))
    assert.equal(0, lab:started())
    assert.is_true(assert(cut.resume(lab, usual, store)):ok())
  end)

  it("in the engine can be taken up at once", function()
    local lab = new_lab()
    local store = cut.store_of(lab)
    local host = lab.host
    local ok = pcall(usual.run, usual, { client = lab.client, store = store, run_id = RUN_ID,
      on_start = function(control)
        control.engine.considered = function() error("a mistake of ours", 0) end
      end })
    assert.is_false(ok)
    host.close()
    assert.is_true(assert(cut.resume(lab, usual, store)):ok())
  end)
end)
