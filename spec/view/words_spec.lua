-- The words for what happens in a run.

local words = require "luafabric.view.words"

local function skipped(reason)
  return words.reason { outcome = "skipped", reason = reason, attempts = {} }
end

describe("the reason of a step", function()
  it("names the kind and the step once, however it was said", function()
    assert.are.equal("upstream: clean", skipped { kind = "upstream", step = "clean" })
    assert.are.equal("upstream: clean",
      skipped { kind = "upstream", step = "clean", message = "upstream: clean" })
    assert.are.equal("upstream: clean failed",
      skipped { kind = "upstream", step = "clean", message = "clean failed" })
    assert.are.equal("upstream: clean: late",
      skipped { kind = "upstream", step = "clean", message = "late" })
    assert.are.equal("condition: x is false",
      skipped { kind = "condition", message = "x is false" })
    assert.are.equal("cancelled", skipped { kind = "cancelled" })
    assert.is_nil(skipped(nil))
  end)

  it("is what somebody said, or else what Fabric said", function()
    local attempt = { failure_reason = { errorCode = "E1", message = "no rows" } }
    local step = { outcome = "failed", attempts = { attempt } }
    assert.are.equal("no rows (E1)", words.reason(step))
    step.reason = { kind = "expect", message = "too few rows" }
    assert.are.equal("too few rows", words.reason(step))
    attempt.failure_reason, attempt.error = nil, { message = "the answer was lost" }
    step.reason = nil
    assert.are.equal("the answer was lost", words.reason(step))
    step.attempts, step.reason = {}, { kind = "deadline" }
    assert.are.equal("deadline", words.reason(step))
    step.outcome, step.reason = "cancelled", { kind = "cancelled", message = "cancelled" }
    assert.is_nil(words.reason(step))
    step.outcome = "succeeded"
    assert.is_nil(words.reason(step))
  end)

  it("says a code once", function()
    assert.are.equal("E1: no", words.failure_reason { errorCode = "E1", message = "E1: no" })
    assert.are.equal("E1", words.failure_reason { errorCode = "E1" })
    assert.are.equal("text", words.failure_reason "text")
    assert.is_nil(words.failure_reason {})
    assert.is_nil(words.failure_reason "")
  end)
end)

describe("the pages of an attempt", function()
  it("are web addresses, the one that says most first", function()
    assert.are.same({ { name = "snapshot", url = "https://a" }, { name = "driver log",
      url = "HTTP://d" }, { name = "other", url = "https://o" } }, words.links {
      driverLogUrl = "HTTP://d", other = "https://o", executionSnapshotUrl = "https://a",
      a = "javascript:alert(1)", b = "data:text/html,x", c = "https://a b", d = "//x", e = 7 })
    assert.are.same({}, words.links(nil))
  end)
end)

describe("a run's name", function()
  it("is short where the id is a GUID", function()
    assert.are.equal("nightly 4c1e2f00", words.run { workflow = "nightly",
      run_id = "4c1e2f00-0000-0000-0000-00000000000a" })
    assert.are.equal("nightly 7f3a12", words.run { workflow = "nightly", run_id = "7f3a12" })
    assert.are.equal("nightly", words.run { workflow = "nightly" })
  end)
end)

describe("times", function()
  it("are UTC", function()
    assert.are.equal("13:00:05", words.clock(1795611605.9))
    assert.are.equal("2026-11-25 13:00:05 UTC", words.time(1795611605.9))
    assert.is_nil(words.time(nil))
  end)

  it("are no time where a clock went back", function()
    assert.are.equal("0s", words.span(10, 5))
    assert.are.equal("4s", words.ticking(0, 4.9))
    assert.is_nil(words.span(nil, 5))
  end)
end)

describe("Fabric's reason of a failure", function()
  it("leaves out what Fabric left empty", function()
    local null = require("luafabric.json").null
    assert.are.equal("column day", words.failure_reason { message = "column day",
      errorCode = null })
    assert.is_nil(words.failure_reason(null))
  end)
end)
