-- The last words about a workflow's run.

local story = require "spec.view.story"
local summary = require "luafabric.view.summary"

local function lines(told, options)
  local list = {}
  for index, line in ipairs(summary.lines(told.state, options)) do
    list[index] = (line:gsub("(%S)%s+", "%1 "))
  end
  return list
end

local failed = { reason = { kind = "failed", message = "PARSE_ERROR: column day" } }

describe("the summary", function()
  it("of a run that succeeded is one line", function()
    local told = story.new { "ingest", "Publish", "Archive" }
    told:ready("ingest"):run("ingest", 60):ready("Publish"):run("Publish", 60)
    told:finish("Archive", "skipped", { reason = { kind = "condition" } }):done("succeeded")
    assert.are.same({ "nightly 7f3a12 succeeded: 2 ok, 1 skipped in 2m00s." }, lines(told))
  end)

  it("gives what the last steps gave", function()
    local told = story.new { "ingest", { path = "Publish", after = { "ingest" } } }
    told:ready("ingest"):run("ingest", 1, nil, { exit_value = "1" })
    told:ready("Publish"):run("Publish", 1, nil, { exit_value = '{"rows":\n5}' }):done("succeeded")
    assert.are.equal('Publish gave {"rows": 5}', lines(told)[1])
    assert.are.equal(2, #lines(told))
  end)

  it("has failures first, then what was skipped and why, then how to go on", function()
    local told = story.new { "Archive", "ingest", { path = "clean", kind = "each" }, "Publish" }
    told:finish("Archive", "skipped", { reason = { kind = "condition", message = "mode: delta" } })
    told:ready("ingest"):run("ingest", 60):expand("clean", { "us", "eu" })
    told.state.steps["clean[us]"].max_attempts = 1
    told:start("clean[us]", "4c1e"):pass(124)
    told:stop("clean[us]", "failed", { links = { sparkUiUrl = "https://fabric/ui",
      executionSnapshotUrl = "https://fabric/snapshot", bad = "javascript:alert(1)" } })
    told:finish("clean[us]", "failed", failed):run("clean[eu]", 1)
    told:finish("clean", "failed", { reason = { kind = "tolerance", message = "1 of 2 failed" } })
    told:finish("Publish", "skipped", { reason = { kind = "upstream", step = "clean" } })
    told:done("failed")
    assert.are.same({
      '✗ clean failed 1 of 2 ok 2m05s "1 of 2 failed"',
      '  ✗ clean[us] failed attempt 1/1 2m04s job 4c1e "PARSE_ERROR: column day" '
        .. "https://fabric/snapshot",
      "- Archive skipped condition: mode: delta",
      "- Publish skipped upstream: clean",
      "nightly 7f3a12 failed: 1 ok, 1 failed, 2 skipped in 3m05s. Next: luafabric repair 7f3a12",
    }, lines(told, { next = "luafabric repair 7f3a12" }))
  end)

  it("breaks a long reason, and never a job id or an address", function()
    local told = story.new { "ingest" }
    local url = "https://fabric/" .. ("x"):rep(80)
    told:ready("ingest"):start("ingest", ("j"):rep(36)):stop("ingest", "failed", {
      failure_reason = ("word "):rep(100), links = { executionSnapshotUrl = url } })
    told:finish("ingest", "failed"):done("failed")
    local list = summary.lines(told.state, { width = 60 })
    assert.is_truthy(list[1]:find("job " .. ("j"):rep(36), 1, true))
    for index = 2, 5 do assert.is_true(#list[index] <= 64 and #list[index] > 40) end
    assert.is_truthy(list[5]:find(" …$"))
    assert.are.equal("    " .. url, list[6])
  end)

  it("shows ten of many failed items", function()
    local told = story.new { { path = "clean", kind = "each" } }
    local labels = {}
    for index = 1, 47 do labels[index] = "r" .. index end
    told:expand("clean", labels)
    for index = 1, 47 do told:run("clean[r" .. index .. "]", 1, "failed") end
    told:finish("clean", "failed"):done("failed")
    local list = lines(told)
    assert.are.equal(13, #list)
    assert.are.equal("  … 37 more failed", list[12])
  end)

  it("shows failures that were tolerated", function()
    local told = story.new { { path = "clean", kind = "each" } }
    told:expand("clean", { "us", "eu" }):run("clean[us]", 1, "failed"):run("clean[eu]", 1)
    told:finish("clean", "succeeded"):done("succeeded")
    assert.are.same({ "✓ clean succeeded 1 of 2 ok 2s",
      "  ✗ clean[us] failed 1s job job-clean[us]",
      "nightly 7f3a12 succeeded: 1 ok in 2s." }, lines(told))
  end)

  it("says how to look where nobody knows whether it runs", function()
    local told = story.new { "ingest" }
    told:ready("ingest"):intend("ingest"):stop("ingest", "unknown")
    told:finish("ingest", "unknown", { reason = { kind = "unknown", message = "lost" } })
    told:done("unknown")
    assert.are.same({ '? ingest unknown 0s "lost" it may or may not run: look with '
      .. "`luafabric notebook list w-1 n-1 --endpoint X`",
      "nightly 7f3a12 unknown: 1 unknown in 0s." }, lines(told, { look_options = " --endpoint X" }))
  end)

  it("never cuts a command in a long reason: it is on a line of its own", function()
    local told = story.new { "ingest" }
    told:ready("ingest"):intend("ingest"):stop("ingest", "unknown")
    local settle = "luafabric resolve 7f3a12 ingest --adopt 4c1e4c1e-4c1e-4c1e-4c1e-4c1e4c1e4c1e"
    local message = ("lost and lost "):rep(20) .. "Look with `luafabric notebook list w-1 n-1`. "
      .. "Settle it with `" .. settle .. "`"
    told:finish("ingest", "unknown", { reason = { kind = "unknown", message = message } })
    told:done("unknown")
    local list, count = summary.lines(told.state, { width = 60 }), 0
    for _, line in ipairs(list) do
      if line == "    " .. settle then count = count + 1 end
    end
    assert.are.equal(1, count)
    local _, looks = table.concat(list, "\n"):gsub("luafabric notebook list", "")
    assert.are.equal(1, looks)
  end)

  it("of a detached run lists what runs on", function()
    local told = story.new { "ingest", "Publish" }
    told:ready("ingest"):start("ingest", "4c1e"):pass(60):tell("detached")
    assert.are.same({
      "● ingest runs on 1m00s luafabric notebook status w-1 n-1 4c1e",
      "nightly 7f3a12 detached: 1 running, 1 not begun in 1m00s.",
    }, lines(told))
  end)

  it("says who cancelled, and that there were warnings", function()
    local told = story.new { "ingest" }
    told:tell("warning", nil, { message = "odd" }):tell("cancel_requested", nil, { by = "user" })
    told:finish("ingest", "skipped", { reason = { kind = "cancelled" } }):done("cancelled")
    assert.are.same({ "- ingest skipped cancelled",
      "nightly 7f3a12 cancelled by user: 1 skipped, 1 warning in 0s." }, lines(told))
  end)

  it("shows no page of what was cancelled", function()
    local told = story.new { "ingest" }
    told:ready("ingest"):start("ingest", "4c1e"):pass(5):stop("ingest", "cancelled", {
      links = { executionSnapshotUrl = "https://fabric/a" } })
    told:finish("ingest", "cancelled", { reason = { kind = "cancelled", message = "cancelled" } })
    told:done("cancelled")
    assert.are.same({ "✗ ingest cancelled 5s job 4c1e",
      "nightly 7f3a12 cancelled: 1 cancelled in 5s." }, lines(told))
  end)

  it("counts what was skipped beyond ten", function()
    local steps = {}
    for index = 1, 14 do steps[index] = "s" .. index end
    local told = story.new(steps)
    for index = 1, 14 do
      told:finish("s" .. index, "skipped", { reason = { kind = "cancelled" } })
    end
    told:done("cancelled")
    assert.are.equal("… 4 more skipped", lines(told)[11])
  end)

  it("of a detached run lists what may run, too", function()
    local told = story.new { "ingest", "Publish" }
    told:ready("ingest"):intend("ingest"):pass(60):tell("detached")
    assert.are.same({
      "? ingest may run 1m00s it may or may not run: look with `luafabric notebook list w-1 n-1`",
      "nightly 7f3a12 detached: 1 running, 1 not begun in 1m00s.",
    }, lines(told))
  end)

  it("does not say that what waits runs", function()
    local told = story.new { "ingest", "clean", "Publish" }
    told:ready("ingest"):start("ingest"):stop("ingest", "failed")
    told:tell("retry_scheduled", "ingest", { attempt = 2, cause = "failed", seconds = 60 })
    told:ready("clean"):intend("clean")
    told:tell("attempt_waiting", "clean", { attempt = 1, cause = "throttled", seconds = 60 })
    told:ready("Publish"):tell("detached")
    assert.are.same({ "nightly 7f3a12 detached: 3 waiting in 0s." }, lines(told))
  end)

  it("does not send anybody to look at runs of an emulator that is gone", function()
    local words = require "luafabric.view.words"
    local told = story.new { "ingest", { path = "clean", kind = "each" } }
    told:ready("ingest"):intend("ingest"):stop("ingest", "unknown"):finish("ingest", "unknown")
    told:expand("clean", { "us" }):start("clean[us]"):stop("clean[us]", "failed",
      { links = { sparkUiUrl = "https://app/x" } })
    told:finish("clean[us]", "failed"):finish("clean", "failed"):done("unknown")
    local shown = summary.lines(words.without_pages(told.state), { is_local = true })
    local text = table.concat(shown, "\n")
    assert.matches("clean%[us%] +failed", text)
    assert.is_nil(text:find("look with", 1, true))
    assert.is_nil(text:find("https", 1, true))
    assert.matches("https", table.concat(lines(told), "\n"))
  end)
end)
