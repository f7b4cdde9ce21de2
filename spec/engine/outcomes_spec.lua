local outcomes = require "luafabric.engine.outcomes"

local function step(outcome, more)
  local made = { outcome = outcome, phase = "ended", reason = { kind = "condition" } }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

local function run_of(list)
  local state = { order = {}, steps = {} }
  for index, made in ipairs(list) do
    local path = "s" .. index
    made.path = path
    state.order[index], state.steps[path] = path, made
  end
  return state
end

local function each_of(list, tolerate)
  local each = { items = {}, failed = 0, tolerate = tolerate or { count = 0 } }
  for index, outcome in ipairs(list) do
    each.items[index] = step(outcome, { reason = { kind = "cancelled" } })
    if outcome ~= "succeeded" and outcome ~= "skipped" then each.failed = each.failed + 1 end
  end
  return each
end

describe("engine.outcomes", function()
  it("tells what a step's end means to those after it", function()
    assert.equal("succeeded", outcomes.meaning(step "succeeded"))
    assert.equal("neutral", outcomes.meaning(step "skipped"))
    assert.equal("failed", outcomes.meaning(step("skipped", { reason = { kind = "upstream" } })))
    assert.equal("failed", outcomes.meaning(step "timed_out"))
    assert.equal("succeeded", outcomes.meaning(step("failed", { may_fail = true })))
    assert.equal("failed", outcomes.meaning(step("unknown", { may_fail = true })))
  end)

  it("takes the gravest outcome of the steps for the run", function()
    local cases = {
      { "succeeded", "succeeded", "skipped" }, { "failed", "succeeded", "failed" },
      { "failed", "capacity" }, { "cancelled", "failed", "cancelled" },
      { "timed_out", "timed_out", "cancelled" }, { "unauthorized", "timed_out", "unauthorized" },
      { "unknown", "unauthorized", "unknown", "succeeded" }, { "succeeded" },
    }
    for _, case in ipairs(cases) do
      local list = {}
      for index = 2, #case do list[index - 1] = step(case[index]) end
      assert.equal(case[1], outcomes.of_run(run_of(list)), table.concat(case, " "))
    end
  end)

  it("lets what may fail fail, but not what may still run", function()
    assert.equal("succeeded", outcomes.of_run(run_of { step("failed", { may_fail = true }) }))
    assert.equal("unknown", outcomes.of_run(run_of { step("unknown", { may_fail = true }) }))
  end)

  it("shows a finally step what was before it", function()
    local state = run_of { step "succeeded", step("failed", { is_finally = true }) }
    assert.equal("succeeded", outcomes.of_run(state, true))
    assert.equal("failed", outcomes.of_run(state))
  end)

  it("says that a run was cut off, where nothing graver happened", function()
    assert.equal("cancelled", outcomes.of_run(run_of { step "failed" }, false, "cancelled"))
    assert.equal("unknown", outcomes.of_run(run_of { step "unknown" }, false, "cancelled"))
  end)

  it("tolerates so many failed items, or so many in a hundred", function()
    assert.equal("succeeded", outcomes.of_each(each_of({ "failed", "succeeded" }, { count = 1 })))
    assert.equal("failed", outcomes.of_each(each_of({ "failed", "timed_out" }, { count = 1 })))
    assert.equal("succeeded",
      outcomes.of_each(each_of({ "failed", "succeeded" }, { percent = 50 })))
    assert.equal("failed", outcomes.of_each(each_of({ "failed", "succeeded" }, { percent = 49 })))
  end)

  it("names the outcome that all failed items share", function()
    assert.equal("timed_out", outcomes.of_each(each_of { "timed_out", "succeeded", "timed_out" }))
    assert.equal("failed", outcomes.of_each(each_of { "timed_out", "cancelled" }))
  end)

  it("never tolerates an item whose fate is unknown", function()
    assert.equal("unknown", outcomes.of_each(each_of({ "unknown" }, { count = 5 })))
  end)

  it("says that an each was cut off", function()
    assert.equal("cancelled",
      outcomes.of_each(each_of({ "succeeded", "skipped" }, { count = 1 }), "cancelled"))
    assert.equal("succeeded", outcomes.of_each(each_of({ "succeeded" }), "cancelled"))
  end)

  it("counts steps, not items", function()
    local state = run_of { step "succeeded", step "failed", step("failed", { parent = "s2" }) }
    assert.same({ succeeded = 1, failed = 1 }, outcomes.count(state))
  end)
end)
