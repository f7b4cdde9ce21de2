-- One step looked at closely: its declaration, and each attempt with the request it sent.

local step_details = require "luafabric.view.step_details"
local story = require "spec.view.story"

local function shown(told, path, options)
  return table.concat(step_details.lines(told.state, told.state.steps[path], options or {}), "\n")
end

describe("the details of a step", function()
  it("have each attempt with its times, ids, reason, pages and request", function()
    local told = story.new { { path = "clean", kind = "each", place = "nightly.lua:4" } }
    told:expand("clean", { "us" }):pass(1):intend("clean[us]"):pass(2)
    told:tell("attempt_submitted", "clean[us]", { attempt = 1, job_id = "J1", request_id = "R1" })
    told:pass(3):tell("status_changed", "clean[us]", { attempt = 1, status = "InProgress" })
    told:pass(10):stop("clean[us]", "failed", { failure_reason = { message = "column day" },
      links = { executionSnapshotUrl = "https://fabric/J1" },
      error = { kind = "platform", message = "x", status = 500, code = "E" },
      started_at = "2026-11-25T13:00:04", ended_at = "2026-11-25T13:00:15" })
    told:finish("clean[us]", "failed", { reason = { kind = "failed" }, job_id = "J1" })
    assert.are.equal([[
run nightly 7f3a12
✗ clean[us]  failed  15s  job J1
  "column day"
  notebook   Sales / clean
  declared   nightly.lua:4
  ready      2026-11-25 13:00:00 UTC
  ended      2026-11-25 13:00:16 UTC

✗ attempt 1  failed
    intended   2026-11-25 13:00:01 UTC
    accepted   2026-11-25 13:00:03 UTC
    running    2026-11-25 13:00:06 UTC
    ended      2026-11-25 13:00:16 UTC, took 13s
    Fabric ran 2026-11-25T13:00:04 to 2026-11-25T13:00:15
    job        J1
    request id R1
    "column day"
    error      platform, HTTP 500, E
    snapshot   https://fabric/J1
    request    Sales / clean (w-1 / n-1)
    body       {}

look with  luafabric notebook status w-1 n-1 J1 --endpoint E]],
      shown(told, "clean[us]", { look_options = " --endpoint E" }))
  end)

  it("of an each have its items", function()
    local told = story.new { { path = "clean", kind = "each", after = { "ingest" } } }
    told:expand("clean", { "eu", "us" }):run("clean[eu]", 5)
    local text = shown(told, "clean")
    assert.matches("after      ingest", text)
    assert.matches("\n\n  ✓ clean%[eu%]  5s  job job%-clean%[eu%]\n  ○ clean%[us%]", text)
  end)

  it("of one whose fate is unknown say how to look", function()
    local told = story.new { "a" }
    told:intend("a"):stop("a", "unknown"):finish("a", "unknown")
    assert.matches("it may or may not run in Fabric: look with  luafabric notebook list w%-1 n%-1$",
      shown(told, "a"))
  end)

  it("of one that was skipped, or has not begun, are its declaration", function()
    local told = story.new { { path = "a", is_finally = true }, { path = "b", after = { "a" } } }
    told:finish("b", "skipped", { reason = { kind = "upstream", step = "a" } })
    assert.matches("^run nightly 7f3a12\n· a  at the end\n  notebook   Sales / a\n"
      .. "  runs       at the end %(finally%)$", shown(told, "a"))
    assert.matches("%- b  skipped  upstream: a\n", shown(told, "b"))
  end)
end)
