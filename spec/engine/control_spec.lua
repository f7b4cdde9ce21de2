-- Cancelled, detached, given up, or broken in the middle: what a run leaves behind.

local fabric = require "luafabric"
local night = require "spec.engine.night"
local tasks = require "luafabric.tasks"

local new_lab = night.lab

local function workflow(fn, options)
  return fabric.workflow("nightly", options or {}, function(flow)
    flow:defaults { workspace = "Sales", notebook = "Clean" }
    fn(flow)
  end)
end

local function a_night(flow)
  local first = flow:notebook("first")
  flow:each("clean", { "a", "b", "c", "d", "e", "f" }, { after = first, max_concurrency = 2,
    parameters = function(item) return { item = item } end })
  flow:finally("last", { notebook = "Last" })
end

local notebooks = { ["Sales/Clean"] = "1h", ["Sales/Last"] = "1m" }

--- Every step_ended is there once, and the events can be folded again.
local function check_history(lab)
  local history = require "luafabric.history"
  local state = history.new()
  for _, event in ipairs(lab.events) do history.apply(state, event) end
  return state
end

describe("a run that is cancelled", function()
  for _, moment in ipairs {
    { type = "step_ready", path = "first" }, { type = "attempt_intended", path = "first" },
    { type = "attempt_submitted", path = "first" }, { type = "step_ended", path = "first" },
    { type = "items_expanded", path = "clean" }, { type = "attempt_submitted", path = "clean[b]" },
    { type = "step_ended", path = "clean[a]" },
  } do
    it(("from on_event, at %s of %s, starts nothing more but finally"):format(moment.type,
      moment.path), function()
      local lab, control, started = new_lab(notebooks), nil, nil
      local report = assert(lab:run(workflow(a_night), {}, {
        on_start = function(given) control = given end,
        on_event = function(event)
          if started or event.type ~= moment.type or event.path ~= moment.path then return end
          control:cancel { by = "user" }
          started = lab:started("Sales/Clean")
        end }))
      assert.equal("cancelled", report.outcome)
      assert.equal("succeeded", report.steps.last.outcome)
      assert.is_true(lab:started("Sales/Clean") <= started + 1) -- one may be on its way
      assert.equal(0, lab:open_runs())
      assert.equal("cancelled", check_history(lab).outcome)
    end)
  end

  it("before it began sends nothing but finally", function()
    local lab = new_lab(notebooks)
    local report = assert(lab:run(workflow(a_night), {},
      { on_start = function(control) control:cancel { by = "user" } end }))
    assert.equal("cancelled", report.outcome)
    assert.equal(0, lab:started("Sales/Clean"))
    assert.equal(1, lab:started("Sales/Last"))
  end)

  it("after its own time-out keeps its finally steps", function()
    local lab = new_lab { ["Sales/Clean"] = "1h", ["Sales/Last"] = "30m" }
    local report = assert(lab:run(workflow(a_night, { timeout = "10m" }), {},
      { cancel_at = "20m" }))
    assert.equal("timed_out", report.outcome)
    assert.equal("succeeded", report.steps.last.outcome)
  end)

  it("while an attempt's time-out is being carried out is cancelled, whatever may fail", function()
    local lab = new_lab({ ["Sales/Clean"] = "1h" }, { settings = { cancel_lag = 120 } })
    local report = assert(lab:run(workflow(function(flow)
      flow:notebook("first", { timeout = "10m", may_fail = true,
        retry = { attempts = 3, on = "timed_out" } })
    end), {}, { cancel_at = 630 }))
    assert.equal("cancelled", report.outcome)
    assert.equal(1, lab:started())
  end)
end)

describe("a run whose task ends early", function()
  local function abandoned(lab, stop_at)
    local loop = tasks.new(lab.host)
    local definition = workflow(a_night)
    local main = loop:spawn(function() return definition:run { client = lab.client } end)
    loop:spawn(function()
      tasks.sleep(stop_at)
      main:cancel()
      tasks.sleep(10 * 3600)
    end)
    assert(loop:run())
  end

  it("sends nothing more, though a submission waited for its turn", function()
    local lab = new_lab(notebooks, { faults = { { at = "submit", number = { 1, 100 },
      fault = 430, retry_after = 60 } } })
    abandoned(lab, 100)
    local posts = lab.service:responses().posts
    assert.is_true(posts >= 1 and posts <= 4)
    assert.equal(0, lab:started())
  end)

  it("asks for nothing more", function()
    local lab = new_lab(notebooks)
    abandoned(lab, 100)
    assert.is_true((lab.service:responses().by_kind.status or 0) <= 3)
  end)

  it("raises what the store raised, instead of going on without a memory", function()
    local lab, count = new_lab(notebooks), 0
    local store = { is_durable = function() return true end, append = function()
      count = count + 1
      if count > 5 then error("the disk is full", 0) end
      return count
    end }
    local ok, problem = pcall(function()
      return workflow(a_night):run { client = lab.client, store = store }
    end)
    assert.is_false(ok)
    assert.matches("the disk is full", tostring(problem))
    assert.is_true(lab:started() <= 1)
  end)

  it("leaves another run of the same client watched", function()
    local lab, count = new_lab(notebooks), 0
    local store = { is_durable = function() return true end, append = function()
      count = count + 1
      if count > 5 then error("the disk is full", 0) end
      return count
    end }
    local loop = tasks.new(lab.host)
    local healthy = loop:spawn(function()
      return workflow(a_night):run { client = lab.client }
    end)
    local broken = loop:spawn(function()
      return workflow(a_night):run { client = lab.client, store = store }
    end)
    local seen = loop:spawn(function() return broken:join() end)
    local ok, report = loop:run(healthy)
    assert.is_true(ok)
    assert.equal("succeeded", report.outcome)
    assert.is_false((select(2, seen:result())))
  end)
end)

describe("a run that is detached", function()
  it("does not send again what was refused on the way", function()
    local lab, control, detached_at = new_lab({ ["Sales/Clean"] = "1h" },
      { faults = { { at = "submit", number = 1, fault = 429, retry_after = 300 } } })
    local report = assert(lab:run(workflow(function(flow) flow:notebook("first") end), {}, {
      on_start = function(given) control = given end,
      on_event = function(event)
        if event.type == "attempt_intended" then
          control:detach()
          detached_at = event.at
        end
      end }))
    assert.is_true(report.detached)
    assert.equal(0, lab:started())
    assert.is_true(report.now - detached_at < 60)
  end)

  it("is told of nothing any more, and asks for nothing", function()
    local lab, control = new_lab(notebooks), nil
    local later, asked = 0, nil
    local loop = tasks.new(lab.host)
    local ok = loop:run(loop:spawn(function()
      local report = workflow(a_night):run { client = lab.client,
        on_start = function(given) control = given end,
        on_event = function(event)
          if event.type == "detached" then later = 0 else later = later + 1 end
          if event.type == "attempt_submitted" then control:detach() end
        end }
      assert.is_true(report.detached)
      asked = lab.service:responses().requests
      tasks.sleep(5 * 3600)
    end))
    assert.is_true(ok)
    assert.equal(0, later)
    assert.equal(asked, lab.service:responses().requests)
  end)
end)
