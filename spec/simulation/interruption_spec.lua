-- A workflow that is cut off: at every moment in a step's life, by every means. Whatever it was,
-- no run may go on in Fabric, what comes last must have run (unless that was forbidden), and the
-- outcome and the exit code must say what happened.

local exit_codes = require "luafabric.cli.exit_codes"
local fabric = require "luafabric"

local START = 1767225600 -- 2026-01-01T00:00:00Z

local function copy(given)
  local result = {}
  for name, value in pairs(given or {}) do result[name] = value end
  return result
end

local function clock(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", START + seconds)
end

local function fail_first(p, run) -- luacheck: ignore 212/p
  if run.attempt == 1 then run:fail("failed", "the first time", 20) end
  return { n = 1 }, "1h"
end

local function capacity_first(p, run) -- luacheck: ignore 212/p
  if run.attempt == 1 then run:fail("capacity", nil, 20) end
  return { n = 1 }, "1h"
end

-- ---- the moments ----

-- at: seconds from the start, or the event after which it is, and how long after; begun: whether a
-- run of `work` was started by then (only then can it have a time-out); step, workflow, notebooks,
-- faults, settings: what makes the moment last.
local moments = {
  { name = "before its turn", at = 120, before = "10m" },
  { name = "waiting for a slot", at = 120, workflow = { max_concurrency = 1 }, other = "1h" },
  { name = "looking for a name", after = "before ended", at = 10, before = { name = "Work" },
    workspace = "V", names_its_notebook = true,
    faults = { { at = "notebooks", workspace = "V", fault = "slow", delay = 30 } } },
  { name = "with its submission in flight", at = 10, in_flight = true,
    faults = { { at = "submit", notebook = "Work", fault = "slow", delay = 30 } } },
  { name = "with a submission in flight that is refused for now", at = 10,
    faults = { { at = "submit", notebook = "Work", number = { 1, 5 }, fault = 429, delay = 30,
      retry_after = 300 } } },
  { name = "waiting for the quota", at = 120,
    faults = { { at = "submit", notebook = "Work", number = { 1, 5 }, fault = 429,
      retry_after = 300 } } },
  { name = "waiting for capacity at the door", at = 120,
    faults = { { at = "submit", notebook = "Work", number = { 1, 5 }, fault = 430,
      retry_after = 300 } } },
  { name = "in a pause for capacity", after = "retry_scheduled", at = 5, begun = true,
    pausing = true, work = capacity_first },
  { name = "accepted and not visible", at = 30, begun = true, work = "1h",
    settings = { visibility_lag = 60, retry_after = 10 } },
  { name = "not started in Fabric", at = 120, begun = true, work = "1h",
    settings = { queue = 600 } },
  { name = "running", at = 600, begun = true, work = "1h" },
  { name = "running, with attempts left", at = 600, begun = true, work = "1h",
    step = { retry = { attempts = 3, on = { "failed", "cancelled", "timed_out" } } } },
  { name = "giving its exit value", after = "Completed", at = 10, begun = true, over = true,
    faults = { { at = "instance", number = 1, fault = "slow", delay = 40 } } },
  { name = "in a pause before its next attempt", after = "retry_scheduled", at = 60,
    begun = true, pausing = true, work = fail_first,
    step = { retry = { attempts = 2, interval = "10m" } } },
  { name = "with only what comes last running", after = "finally", at = 60, begun = true,
    last = "1h", is_last = true, over = true },
}

local function definition(moment, cut)
  local options = copy(moment.workflow)
  for name, value in pairs(cut.workflow or {}) do options[name] = value end
  return fabric.workflow("cut off", options, function(flow)
    local before
    if moment.before then
      before = flow:notebook("before", { workspace = "W", notebook = "Before" })
    end
    if moment.other then
      flow:notebook("other", { workspace = "W", notebook = "Other", priority = 9 })
    end
    local step = copy(moment.step)
    for name, value in pairs(not moment.is_last and cut.step or {}) do step[name] = value end
    step.workspace, step.notebook, step.after = moment.workspace or "W", "Work", before
    if moment.names_its_notebook then step.notebook = before:exit("name") end
    local work = flow:notebook("work", step)
    flow:notebook("next", { workspace = "W", notebook = "Next", after = work })
    local last = copy(moment.is_last and cut.step)
    last.workspace, last.notebook = "W", "Last"
    flow:finally("last", last)
  end)
end

local function name_of_work(moment)
  return (moment.workspace or "W") .. "/Work"
end

--- Runs it, cut off or not.
local function run(moment, cut, options)
  local settings = copy(moment.settings)
  settings.cancel_lag = 20
  local lab = fabric.lab { start = START, faults = moment.faults, settings = settings,
    notebooks = { ["W/Before"] = moment.before or 1, ["W/Other"] = moment.other or 1,
      [name_of_work(moment)] = moment.work or "5m", ["W/Next"] = "1m",
      ["W/Last"] = moment.last or "5m" } }
  local report, err = lab:run(definition(moment, cut), {}, options)
  if not report then error(tostring(err), 0) end
  return lab, report
end

local function is_mark(moment, event)
  if moment.after == "finally" then
    return event.type == "attempt_submitted" and event.path == "last"
  end
  if moment.after == "before ended" then
    return event.type == "step_ended" and event.path == "before"
  end
  if moment.after == "Completed" then
    return event.type == "status_changed" and event.path == "work" and event.status == "Completed"
  end
  return event.type == moment.after and event.path == "work"
end

--- Seconds from the start: the same program takes the same time again, so a run that is not cut off
--- tells.
local function seconds_of(moment)
  if not moment.after then return moment.at end
  local lab = run(moment, {})
  for _, event in ipairs(lab.events) do
    if is_mark(moment, event) then return event.at - START + moment.at end
  end
  error("there is no such moment: " .. moment.name, 0)
end

-- ---- what must hold ----

local function ended_well(lab, report)
  assert.equal(0, lab:open_runs())
  assert.equal("run_ended", lab.events[#lab.events].type)
  for path, step in pairs(report.steps) do
    assert.message(path).equal("ended", step.phase)
  end
  for _, warning in ipairs(report.warnings) do
    assert.not_matches("may still run", warning.message, 1, true)
  end
end

local PROMPTLY = 100 -- seconds: answers that are slow, a cancel that takes its time to show

--- Whatever it waited for, it did not wait for that when it was cut off.
local function promptly(report, at)
  assert.is_true(report.steps.work.ended_at - START - at < PROMPTLY)
end

local function reason_of(step) return step.reason and step.reason.kind end

--- That nothing of the step is left to be done, and that it says why.
local function was_cut(moment, report, outcome, kind)
  local work = report.steps.work
  if moment.over then return assert.equal("succeeded", work.outcome) end
  if moment.begun or moment.in_flight then return assert.equal(outcome, work.outcome) end
  if work.outcome == "skipped" then return assert.equal(kind, reason_of(work)) end
  assert.equal(outcome, work.outcome)
end

local function comes_to(report, outcome, code)
  assert.equal(outcome, report.outcome)
  assert.equal(code, exit_codes.of_outcome(report.outcome))
end

local function started_last(lab)
  assert.equal(1, lab:started("W/Last"))
end

describe("a workflow that is cancelled", function()
  for _, moment in ipairs(moments) do
    it("with a step " .. moment.name .. " ends its runs and runs what comes last", function()
      local at = seconds_of(moment)
      local lab, report = run(moment, {}, { cancel_at = at })
      ended_well(lab, report)
      promptly(report, at)
      started_last(lab)
      was_cut(moment, report, "cancelled", "cancelled")
      assert.equal("succeeded", report.steps.last.outcome)
      if moment.is_last then return comes_to(report, "succeeded", 0) end
      assert.equal("skipped", report.steps.next.outcome)
      assert.equal("cancelled", reason_of(report.steps.next))
      comes_to(report, "cancelled", 3)
    end)

    it("twice, with a step " .. moment.name .. ", does not wait for what comes last", function()
      local at = seconds_of(moment)
      local lab, report = run(moment, {}, { cancel_at = at, cancel_now_at = at + 1 })
      ended_well(lab, report)
      assert.is_true(report.steps.last.outcome == "cancelled"
        or report.steps.last.outcome == "skipped", report.steps.last.outcome)
      was_cut(moment, report, "cancelled", "cancelled")
      comes_to(report, "cancelled", 3)
    end)
  end

  it("a second time while what comes last runs, ends that too", function()
    local lab, report = run({ work = "1h", last = "1h" }, {},
      { cancel_at = 300, cancel_now_at = 900 })
    ended_well(lab, report)
    started_last(lab)
    assert.equal("cancelled", report.steps.work.outcome)
    assert.equal("cancelled", report.steps.last.outcome)
    comes_to(report, "cancelled", 3)
  end)

  it("at once ends its runs and never begins what comes last", function()
    local lab, report = run({ work = "1h" }, {}, { cancel_now_at = 300 })
    ended_well(lab, report)
    assert.equal(0, lab:started("W/Last"))
    comes_to(report, "cancelled", 3)
  end)
end)

describe("a workflow whose time is up", function()
  local function check(moment, options)
    local lab, report = run(moment, { workflow = options })
    ended_well(lab, report)
    started_last(lab)
    was_cut(moment, report, "timed_out", options.timeout and "timeout" or "deadline")
    assert.equal("succeeded", report.steps.last.outcome)
    if moment.is_last then
      assert.is_nil(report.cancelled)
      return comes_to(report, "succeeded", 0)
    end
    assert.equal("skipped", report.steps.next.outcome)
    comes_to(report, "timed_out", 4)
  end

  for _, moment in ipairs(moments) do
    it("by its timeout with a step " .. moment.name .. " ends its runs", function()
      check(moment, { timeout = seconds_of(moment) })
    end)

    it("by its deadline with a step " .. moment.name .. " ends its runs", function()
      check(moment, { deadline = clock(math.ceil(seconds_of(moment))) })
    end)
  end
end)

describe("a step", function()
  local function check(moment, fields)
    local lab, report = run(moment, { step = fields })
    ended_well(lab, report)
    started_last(lab)
    local step = report.steps[moment.is_last and "last" or "work"]
    if moment.over and not moment.is_last then
      assert.equal("succeeded", step.outcome)
      return comes_to(report, "succeeded", 0)
    end
    assert.equal("timed_out", step.outcome)
    if not moment.is_last then
      assert.equal("skipped", report.steps.next.outcome)
      assert.equal("upstream", reason_of(report.steps.next))
    end
    comes_to(report, "timed_out", 4)
    return lab, step
  end

  for _, moment in ipairs(moments) do
    it(moment.name .. " past its deadline is timed out and its run ended", function()
      local lab, step = check(moment, { deadline = clock(math.ceil(seconds_of(moment))) })
      if moment.begun or moment.in_flight then return end
      assert.equal("deadline", reason_of(step))
      assert.equal(0, lab:started(name_of_work(moment)))
    end)

    if moment.begun and not moment.pausing and not (moment.over and not moment.is_last) then
      it(moment.name .. " past its timeout is timed out and its run ended", function()
        check(moment, { timeout = moment.at })
      end)
    end
  end

  it("that waits for the quota has not begun to use up its timeout", function()
    local moment = { faults = { { at = "submit", notebook = "Work", number = { 1, 5 }, fault = 429,
      retry_after = 300 } } }
    local lab, report = run(moment, { step = { timeout = "10m" } })
    ended_well(lab, report)
    comes_to(report, "succeeded", 0)
  end)

  it("whose deadline only warns goes on", function()
    local lab, report = run({ work = "1h" }, { step = { deadline = clock(600),
      on_deadline = "warn" } })
    ended_well(lab, report)
    comes_to(report, "succeeded", 0)
    assert.equal("work", report.warnings[1].path)
  end)
end)

describe("a step with many items, of which the second runs,", function()
  local function many(options, fields, given)
    local lab = fabric.lab { start = START, settings = { cancel_lag = 20, retry_after = 10 },
      notebooks = { ["W/Item"] = "20m", ["W/Last"] = "5m" } }
    local report = lab:run(fabric.workflow("many", options, function(flow)
      fields.workspace, fields.notebook, fields.max_concurrency = "W", "Item", 1
      fields.parameters = function(item) return { item = item } end
      flow:each("many", { "a", "b", "c" }, fields)
      flow:finally("last", { workspace = "W", notebook = "Last" })
    end), {}, given)
    ended_well(lab, report)
    started_last(lab)
    assert.equal("succeeded", report.steps["many[a]"].outcome)
    return report, lab
  end

  local function check(report, outcome, kind, code)
    assert.equal(outcome, report.steps["many[b]"].outcome)
    assert.equal(kind, reason_of(report.steps["many[c]"]))
    assert.equal(outcome, report.steps.many.outcome)
    comes_to(report, outcome, code)
  end

  it("ends it when the workflow is cancelled, and begins no other", function()
    local report, lab = many({}, {}, { cancel_at = 1800 })
    check(report, "cancelled", "cancelled", 3)
    assert.equal(2, lab:started("W/Item"))
  end)

  it("ends it when the workflow's time is up", function()
    check(many({ timeout = 1800 }, {}), "timed_out", "timeout", 4)
  end)

  it("ends it when its deadline has passed", function()
    check(many({}, { deadline = clock(1800) }), "timed_out", "deadline", 4)
  end)

  it("ends each item that takes too long", function()
    local report = many({}, { tolerate = 3, timeout = function(item)
      return item == "a" and "1h" or "10m"
    end })
    assert.equal("timed_out", report.steps["many[b]"].outcome)
    assert.equal("timed_out", report.steps["many[c]"].outcome)
    comes_to(report, "succeeded", 0)
  end)
end)
