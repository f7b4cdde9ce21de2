local history = require "luafabric.history"

local function folded(events)
  local state = history.new()
  local at = 1000
  for _, event in ipairs(events) do
    at = at + 1
    event.at = event.at or at
    history.apply(state, event)
  end
  return state
end

local function started(steps)
  for _, step in ipairs(steps) do
    step.kind, step.after = step.kind or "notebook", step.after or {}
  end
  return { type = "run_started", run_id = "7f3a", workflow = "nightly", inputs = {}, steps = steps }
end

local function intended(path, number)
  return { type = "attempt_intended", path = path, attempt = number,
    request = { workspace = "Sales", notebook = "Ingest" } }
end

describe("history", function()
  it("shows every step as pending when the run has begun", function()
    local state = folded { started { { path = "ingest" },
      { path = "clean", after = { "ingest" } } } }
    assert.same({ "ingest", "clean" }, state.order)
    assert.equal("pending", state.steps.clean.phase)
    assert.equal("7f3a", state.run_id)
    assert.is_nil(state.outcome)
  end)

  it("shows what a step queues for until it is sent, or has ended", function()
    local state = folded { started { { path = "ingest" } },
      { type = "step_ready", path = "ingest", because = {} },
      { type = "step_waiting", path = "ingest", cause = "capacity", position = 3, at = 1010 },
      { type = "step_waiting", path = "ingest", cause = "capacity", position = 2, at = 1020 } }
    local step = state.steps.ingest
    assert.equal("ready", step.phase)
    assert.same({ "capacity", 1010, 2 }, { step.waiting.cause, step.waiting.since,
      step.waiting.position })
    history.apply(state, { type = "step_waiting", path = "ingest", cause = "throttled",
      seconds = 30, at = 1030 })
    assert.same({ "throttled", 1030, 1060 }, { step.waiting.cause, step.waiting.since,
      step.waiting.till })
    local intent = intended("ingest", 1)
    intent.at = 1040
    history.apply(state, intent)
    assert.is_nil(step.waiting)
  end)

  it("follows an attempt from the intention to the end", function()
    local state = folded {
      started { { path = "ingest" } },
      { type = "step_ready", path = "ingest", because = { kind = "all_succeeded" } },
      intended("ingest", 1),
      { type = "attempt_waiting", path = "ingest", attempt = 1, cause = "throttled", seconds = 57 },
      { type = "attempt_submitted", path = "ingest", attempt = 1, job_id = "j1",
        request_id = "r1" },
      { type = "status_changed", path = "ingest", attempt = 1, status = "InProgress" },
    }
    local step = state.steps.ingest
    local attempt = step.attempts[1]
    assert.equal("running", step.phase)
    assert.equal("submitted", attempt.state)
    assert.equal("InProgress", attempt.status)
    assert.equal(state.now, attempt.running_at)
    assert.is_nil(attempt.waiting)
    history.apply(state, { type = "attempt_ended", at = 1100, path = "ingest", attempt = 1,
      outcome = "succeeded", job_id = "j1", exit_value = "42" })
    history.apply(state, { type = "step_ended", at = 1101, path = "ingest", outcome = "succeeded",
      exit_value = "42" })
    assert.equal("ended", step.phase)
    assert.equal("42", step.exit_value)
    assert.equal("j1", step.job_id)
  end)

  it("says since when and how long a submission waits", function()
    local state = folded {
      started { { path = "ingest" } }, intended("ingest", 1),
      { type = "attempt_waiting", path = "ingest", attempt = 1, cause = "capacity", seconds = 60 },
      { type = "attempt_waiting", path = "ingest", attempt = 1, cause = "capacity", seconds = 30 },
    }
    local waiting = state.steps.ingest.attempts[1].waiting
    assert.same({ cause = "capacity", since = 1003, till = 1034 }, waiting)
  end)

  it("knows that a submission is in doubt, and how its run was found", function()
    local events = { started { { path = "ingest" } }, intended("ingest", 1),
      { type = "attempt_doubtful", path = "ingest", attempt = 1, message = "lost", till = 1400,
        request_id = "r" } }
    local attempt = folded(events).steps.ingest.attempts[1]
    assert.same({ "unknown", { since = 1003, till = 1400, message = "lost" }, "r" },
      { attempt.state, attempt.doubt, attempt.request_id })
    assert.same({ cause = "doubt", since = 1003, till = 1400 }, attempt.waiting)

    events[4] = { type = "attempt_adopted", path = "ingest", attempt = 1, job_id = "j",
      how = "exclusive" }
    local step = folded(events).steps.ingest
    attempt = step.attempts[1]
    assert.same({ "submitted", "j", "j", "exclusive", 1004, "r" }, { attempt.state, attempt.job_id,
      step.job_id, attempt.adopted, attempt.submitted_at, attempt.request_id })
    assert.is_nil(attempt.waiting)
  end)

  it("puts items behind their each, and counts how they end", function()
    local state = folded {
      started { { path = "clean", kind = "each" }, { path = "report" } },
      { type = "items_expanded", path = "clean", items = { { path = "clean[eu]", label = "eu" },
        { path = "clean[us]", label = "us" } } },
      intended("clean[eu]", 1), intended("clean[us]", 1),
      { type = "attempt_ended", path = "clean[us]", attempt = 1, outcome = "failed" },
      { type = "step_ended", path = "clean[us]", outcome = "failed" },
    }
    assert.same({ "clean", "clean[eu]", "clean[us]", "report" }, state.order)
    local clean = state.steps.clean
    assert.same({ 1, 1, 1, 0 }, { clean.open, clean.running, clean.failed, clean.succeeded })
    assert.equal("clean", state.steps["clean[us]"].parent)
  end)

  it("refuses what cannot have happened", function()
    local state = folded { started { { path = "ingest" } }, intended("ingest", 1) }
    local function apply(event)
      event.at = 2000
      return function() history.apply(state, event) end
    end
    assert.has_error(apply(intended("ingest", 2)),
      "history: attempt_intended of ingest: its attempt 1 is still intended")
    assert.has_error(apply { type = "status_changed", path = "ingest", attempt = 1,
      status = "Completed" }, "history: status_changed of ingest: its attempt 1 is intended")
    assert.has_error(apply { type = "attempt_submitted", path = "ingest", attempt = 2 },
      "history: attempt_submitted of ingest: its attempt 2 is intended")
    assert.has_error(apply { type = "step_ready", path = "gone" },
      "history: step_ready: there is no step gone")
  end)

  it("lets no event but those of its table change an attempt's state", function()
    local makers = {
      attempt_waiting = { cause = "network", seconds = 1 }, attempt_submitted = { job_id = "j" },
      status_changed = { status = "InProgress" }, attempt_ended = { outcome = "failed" },
      attempt_doubtful = { message = "lost", till = 4000 }, attempt_adopted = { job_id = "j" },
    }
    local ways = { intended = {}, waiting = { "attempt_waiting" },
      unknown = { "attempt_doubtful" },
      submitted = { "attempt_submitted" }, ended = { "attempt_ended" } }
    for from, way in pairs(ways) do
      for kind, fields in pairs(makers) do
        local state = folded { started { { path = "ingest" } }, intended("ingest", 1) }
        local function event(name)
          local made = { type = name, path = "ingest", attempt = 1, at = 3000 }
          for field, value in pairs(makers[name]) do made[field] = value end
          return made
        end
        for _, name in ipairs(way) do history.apply(state, event(name)) end
        local wanted = history.attempt_transitions[from][kind]
        local ok = pcall(history.apply, state, event(kind))
        assert.equal(wanted ~= nil, ok, from .. " " .. kind)
        if wanted then assert.equal(wanted, state.steps.ingest.attempts[1].state) end
        assert.is_table(fields)
      end
    end
  end)

  it("keeps what a later version writes from disturbing it", function()
    local state = folded { started { { path = "ingest" } }, { type = "moon_rose" } }
    assert.equal("pending", state.steps.ingest.phase)
  end)

  it("remembers that a cancel was repeated", function()
    local state = folded { started { { path = "ingest" } },
      { type = "cancel_requested", by = "user" },
      { type = "cancel_requested", by = "user", now = true } }
    assert.same({ by = "user", at = 1002, now = true }, state.cancelled)
  end)

  it("ends with an outcome, and prints as a sentence", function()
    local state = folded { started { { path = "ingest" } } }
    assert.equal("run 7f3a of workflow nightly: running", tostring(state))
    assert.is_false(state:ok())
    history.apply(state, { type = "run_ended", at = 2000, outcome = "succeeded", counts = {} })
    assert.is_true(state:ok())
    assert.equal("run 7f3a of workflow nightly: succeeded", tostring(state))
  end)
end)
