-- A workflow and its store: what the store refuses, what other runs in it have, and what becomes of
-- a run that another process takes.

local cut = require "spec.simulation.cut_run"
local fabric = require "luafabric"
local journal = require "luafabric.engine.journal"
local tasks = require "luafabric.tasks"
local words = require "luafabric.view.words"

local RUN_ID = cut.RUN_ID

local function lab_of(faults)
  return fabric.lab { notebooks = { ["Sales/Ingest"] = "10m", ["Sales/Clean"] = "1h" },
    faults = faults }
end

local ingest = fabric.workflow("nightly", function(flow)
  flow:notebook("ingest", { notebook = "Ingest", workspace = "Sales", exclusive = true })
end)

local function lost(fault)
  return { { at = "submit", number = 1, fault = fault or "lost_answer" } }
end

--- The store with a handle that `change` has changed.
local function changed(store, change)
  return setmetatable({ create_run = function(_, given)
    local handle = assert(store:create_run(given))
    change(handle)
    return handle
  end }, { __index = store })
end

--- Another run of the store has it.
local function give_away(store, job_id)
  local other = assert(store:create_run { run_id = "other", workflow = "other" })
  assert(other:append { { type = "attempt_submitted", at = 1, path = "x", attempt = 1,
    job_id = job_id } })
end

describe("a run that may be the one of a lost answer", function()
  it("is none that another run of the store has", function()
    local lab = lab_of(lost())
    local store = cut.store_of(lab)
    local given = changed(store, function(handle)
      local claimed, is_given = handle.claimed, false
      function handle.claimed(self, ids)
        if not is_given then give_away(store, ids[1]) end
        is_given = true
        return claimed(self, ids)
      end
    end)
    local report = assert(ingest:run { client = lab.client, store = given, run_id = RUN_ID })
    assert.is_true(report:ok())
    assert.equal(2, lab:started())
    assert.is_true(store:job(report.steps.ingest.job_id).run_id == RUN_ID)
  end)

  it("is looked for again where another run takes it in the same moment", function()
    local lab = lab_of(lost())
    local store = cut.store_of(lab)
    local taken
    local given = changed(store, function(handle)
      local claimed = handle.claimed
      function handle.claimed(self, ids)
        if taken then return claimed(self, ids) end
        taken = ids[1]
        give_away(store, taken)
        return {}
      end
    end)
    local report = assert(ingest:run { client = lab.client, store = given, run_id = RUN_ID })
    assert.is_true(report:ok())
    assert.is_true(report.steps.ingest.job_id ~= taken)
    assert.is_nil(report.steps.ingest.attempts[1].adopted)
    assert.equal("other", store:job(taken).run_id)
  end)
end)

describe("a submission whose token is renewed", function()
  it("is written down once more, as the same attempt", function()
    local lab = lab_of { { at = "submit", number = 1, fault = 401 } }
    local function credential() return "token" end -- asked again, it may give another
    local store, kinds = cut.store_of(lab), {}
    local report = assert(ingest:run { client = cut.client_of(lab, { credential = credential }),
      store = store, run_id = RUN_ID })
    assert.is_true(report:ok())
    for index, event in ipairs(store:events(RUN_ID)) do kinds[index] = event.type end
    assert.matches("attempt_intended attempt_repeated attempt_submitted",
      table.concat(kinds, " "))
    assert.equal(1, #report.steps.ingest.attempts)
  end)
end)

describe("a run that another process has taken over", function()
  it("stops at what it writes next, says so, and has no outcome of its own", function()
    local lab = lab_of()
    local store = cut.store_of(lab)
    local outcome
    local ok, err = pcall(ingest.run, ingest, { client = lab.client, store = store,
      run_id = RUN_ID, on_event = function(event)
        if event.type == "attempt_submitted" then
          assert(store:open_run(RUN_ID, { take_over = true }))
        end
        outcome = event.outcome or outcome
      end })
    assert.is_false(ok)
    assert.equal("fenced", err.store_code)
    assert.matches("run 7f3a12 was taken over by another process", err.message)
    assert.is_nil(outcome)
    assert.equal("running", store:find(RUN_ID).state)
  end)
end)

describe("a run that waits", function()
  it("looks whether it is asked for something when somebody has written", function()
    local lab, looks, fails = lab_of(), 0, 0
    local store = cut.store_of(lab)
    local given = changed(store, function(handle)
      local requests = handle.requests
      function handle.requests(...)
        looks = looks + 1
        if fails > 0 then
          fails = fails - 1
          return nil, "not now"
        end
        return requests(...)
      end
    end)
    local loop = tasks.new(lab.host)
    local at_first, report, _
    local ok, err = loop:run(loop:spawn(function()
      local task = loop:spawn(function()
        return ingest:run { client = lab.client, store = given, run_id = RUN_ID }
      end)
      tasks.sleep(60)
      at_first, looks = looks, 0
      tasks.sleep(120)
      assert.is_true(looks < 30, looks .. " looks")
      fails = 4
      assert(store:request(RUN_ID, "cancel"))
      tasks.sleep(5)
      assert.equal(0, fails)
      _, report = task:join()
    end))
    assert.is_true(ok, tostring(err))
    assert.is_true(at_first > 0)
    assert.equal("cancelled", report.outcome)
  end)
end)

describe("a run whose clock is set", function()
  local function engine_of(run, clock)
    return { store = run, host = { now = function() return clock.now end,
      wall = function() return clock.wall end } }
  end

  it("sends nothing later than its lease, whatever the clock says", function()
    local clock = { now = 100, wall = 5000 }
    local store = cut.store_of({ now = function() return clock.wall end })
    local run = assert(store:create_run { run_id = "a", workflow = "nightly" })
    local engine = engine_of(run, clock)
    assert.is_true(journal.not_after(engine) < clock.now)
    run:renew(clock.now)
    assert.equal(130, journal.not_after(engine))
    clock.wall = 5000 - 3600
    assert.equal(130, journal.not_after(engine))
    clock.wall = 5000 + 3600 -- another process may have taken it
    assert.is_true(journal.not_after(engine) < clock.now)
  end)

  it("looks for a lost submission as long as before", function()
    local lab = lab_of(lost "lost_request")
    local wall, shift = lab.host.wall, 0
    lab.host.wall = function() return wall() + shift end
    local sent = {}
    local report = assert(ingest:run { client = lab.client, store = cut.store_of(lab),
      run_id = RUN_ID, on_event = function(event)
        if event.type == "attempt_doubtful" then shift = 3600 end
        if event.type == "attempt_intended" then sent[#sent + 1] = lab.host.now() end
      end })
    assert.is_true(report:ok())
    assert.equal(2, #sent)
    assert.is_true(sent[2] - sent[1] >= 330)
  end)
end)

describe("a notebook that another process has submitted", function()
  it("is waited for where that is not settled, which is said, and no attempt is spent", function()
    local lab = lab_of()
    local store = cut.store_of(lab)
    local other = setmetatable({ owner = "another process" }, { __index = store })
    local workspace = lab.service.catalog.list[1]
    local notebook
    for _, item in ipairs(workspace.items) do
      if item.name == "Ingest" then notebook = workspace.id .. "/" .. item.id end
    end
    local rival = assert(other:create_run { run_id = "other", workflow = "other" })
    assert(rival:append({ { type = "attempt_intended", at = lab:now(), path = "x", attempt = 1 } },
      { notebook = notebook, path = "x", attempt = 1, blocks_until = lab:now() + 125 }))
    local seen = {}
    local report = assert(ingest:run { client = lab.client, store = store, run_id = RUN_ID,
      on_event = function(event, state)
        if event.type ~= "step_waiting" then return end
        seen[#seen + 1] = { event.cause, math.floor(event.seconds + 0.5),
          words.cause(state.steps.ingest.waiting.cause) }
      end })
    assert.is_true(report:ok())
    assert.same({ { "intent", 125, "another process's submission is not settled" } }, seen)
    local attempts = report.steps.ingest.attempts
    assert.equal(1, #attempts)
    assert.equal(125, math.floor(attempts[1].intended_at - report.started_at + 0.5))
    assert.is_nil(report.steps.ingest.waiting)
  end)

  it("is not waited for any longer once the run is cancelled", function()
    local lab = lab_of()
    local store = cut.store_of(lab)
    local report = assert(lab:run(ingest, {}, { cancel_at = "1m", run_id = RUN_ID,
      store = changed(store, function(handle)
        function handle.rival_intent() return { blocks_until = lab:now() + 300 } end
      end) }))
    assert.equal("cancelled", report.outcome)
    assert.equal(60, math.floor(report.ended_at - report.started_at + 0.5))
    assert.equal(0, lab:started())
  end)
end)

describe("a cancel while a submission is in doubt", function()
  it("says what is waited for, and starts nothing", function()
    local lab = lab_of(lost "lost_request")
    local report = assert(lab:run(ingest, {}, { cancel_at = "1m" }))
    assert.equal("cancelled", report.outcome)
    assert.equal("ingest", report.warnings[1].path)
    assert.matches("whether its submission started a run is looked for, until "
      .. "2026%-01%-01T00:05:%d%dZ at the latest, and a run that is found is cancelled",
      report.warnings[1].message)
    assert.equal(0, lab:started())
  end)

  it("looks at once", function()
    local lab = fabric.lab { notebooks = { ["Sales/Ingest"] = "1h" }, faults = lost(),
      settings = { visibility_lag = 130 } }
    local report = assert(lab:run(ingest, {}, { cancel_at = 150 }))
    assert.equal("cancelled", report.outcome)
    assert.equal("exclusive", report.steps.ingest.attempts[1].adopted)
    assert.is_true(report.ended_at - report.started_at < 200) -- the next look was at 240
    assert.equal(0, lab:open_runs())
  end)
end)

describe("a submission while another one of its notebook is not settled", function()
  it("is written down together with its end, as what was not sent", function()
    local lab = lab_of()
    local units, is_refused = {}, false
    local given = changed(cut.store_of(lab), function(handle)
      local append, is_durable, refused = handle.append, handle.is_durable, nil
      function handle.append(self, events, intent)
        if intent and not is_refused then
          is_refused, refused = true, {}
          return refused
        end
        units[#units + 1] = events
        return append(self, events, intent)
      end
      function handle.is_durable(self, ticket)
        if ticket ~= refused or not refused then return is_durable(self, ticket) end
        return false, require("luafabric.errors").new { kind = "configuration",
          store_code = "intent_open", message = "another submission is not settled yet" }
      end
    end)
    local report = assert(ingest:run { client = lab.client, store = given, run_id = RUN_ID })
    assert.is_true(report:ok())
    for _, events in ipairs(units) do
      if events[1].type == "attempt_intended" and events[1].attempt == 1 then
        assert.equal("attempt_ended", events[2] and events[2].type)
        assert.equal("not_started", events[2].outcome)
        return
      end
    end
    error "the refused attempt was not written down"
  end)

  it("is no reason to wait for who sends again what is in doubt", function()
    local lab = lab_of(lost())
    local report = assert(ingest:run { client = lab.client, store = cut.store_of(lab),
      run_id = RUN_ID, submission = "at_least_once" })
    assert.is_true(report:ok())
    assert.equal(2, #report.steps.ingest.attempts)
  end)

  it("is tried once, and then waits, where that one is of its own process", function()
    local lab = lab_of(lost())
    local twice = fabric.workflow("nightly", function(flow)
      flow:notebook("first", { notebook = "Ingest", workspace = "Sales" })
      flow:notebook("second", { notebook = "Ingest", workspace = "Sales" })
    end)
    local report = assert(twice:run { client = lab.client, store = cut.store_of(lab),
      run_id = RUN_ID, submission = "at_most_once" })
    local first, second = report.steps.first, report.steps.second
    if first.outcome == "succeeded" then first, second = second, first end
    assert.equal("unknown", first.outcome)
    assert.equal("succeeded", second.outcome)
    assert.is_true(#second.attempts <= 2, #second.attempts .. " attempts")
  end)
end)
