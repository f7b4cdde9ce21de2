-- The Markdown report, as a CI job's summary page shows it.

local report = require "luafabric.view.report_markdown"
local story = require "spec.view.story"

local function lines_of(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do list[#list + 1] = line end
  return list
end

describe("the Markdown report", function()
  it("has the outcome, the failures, what to do, and a table, failures first", function()
    local told = story.new { "ingest", { path = "clean", kind = "each" }, "Publish" }
    told:ready("ingest"):run("ingest", 60, nil, { exit_value = "42",
      links = { executionSnapshotUrl = "https://fabric/a(b)" } })
    told:expand("clean", { "us" }):run("clean[us]", 30, "failed", { job_id = "4c1e",
      reason = { kind = "failed", message = "column day" } })
    told:finish("clean", "failed", { reason = { kind = "tolerance", message = "1 of 1 failed" } })
    told:finish("Publish", "skipped", { reason = { kind = "upstream", step = "clean" } })
    told:tell("warning", "clean", { message = "late" }):done("failed")
    assert.are.same({
      "## ❌ nightly 7f3a12 failed",
      "1 ok, 1 failed, 1 skipped in 1m30s, started 2026-11-25 13:00:00 UTC.",
      "### What went wrong",
      "- **clean** ❌ failed: 1 of 1 failed",
      "- **clean\\[us\\]** ❌ failed: column day · job <code>4c1e</code>",
      "### What to do next",
      "- Open the page of the failed run in Fabric: its snapshot shows the cell that failed.",
      "- Go on with <code>luafabric repair 7f3a12</code>",
      "### Steps",
      "| Step | Outcome | Attempts | Duration | Details |",
      "|---|---|---|---|---|",
      "| clean | ❌ failed | 0 of 1 ok | 30s | 1 of 1 failed |",
      "| ingest | ✅ succeeded | 1 | 1m00s | gave <code>42</code><br>"
        .. "[snapshot](https://fabric/a%28b%29) |",
      "| Publish | ⏭️ skipped |  |  | upstream: clean |",
      "<details><summary>clean: 1 item</summary>",
      "| Item | Outcome | Attempts | Duration | Details |",
      "|---|---|---|---|---|",
      "| us | ❌ failed | 1 | 30s | column day |",
      "</details>",
      "### Warnings",
      "- **clean**: late",
    }, lines_of(report(told.state, { next = "luafabric repair 7f3a12" })))
  end)

  it("shows what others wrote as the text that it is", function()
    local bad = "a|b\n`c` <img src=x> *d* [e](http://f) @g #1 www.i ~h~ \\ &amp; \27"
    local told = story.new { { path = bad } }
    told:ready(bad):start(bad, bad):stop(bad, "failed", { failure_reason = bad,
      links = { x = "https://x/) | <b>", y = "https://ok/" } })
    told:finish(bad, "failed", { exit_value = bad }):tell("warning", bad, { message = bad })
    local text = report(told:done("failed").state)
    local shown = "a\\|b \\`c\\` &lt;img src=x&gt; \\*d\\* \\[e\\](http:&#8203;//f) @&#8203;g "
      .. "\\#&#8203;1 www&#8203;.i \\~h\\~ \\\\ &amp;amp; ?"
    assert.is_truthy(text:find("| " .. shown .. " | ❌ failed | 1 | 0s | " .. shown
      .. "<br>gave <code>a&#124;b &#96;c&#96; &lt;img src=x&gt; &#42;d&#42; &#91;e&#93;(http:&#47;"
      .. "&#47;f) &#64;&#8203;g #1 &#119;ww.i &#126;h&#126; &#92; &amp;amp; ?</code>"
      .. "<br>[y](https://ok/) |\n", 1, true))
    assert.is_nil(text:find("<img", 1, true))
    assert.is_nil(text:find("<b>", 1, true))
  end)

  it("stays within what CI systems take, and says what is left out", function()
    local told = story.new { { path = "clean", kind = "each" } }
    local labels = {}
    for index = 1, 5000 do labels[index] = "r" .. index end
    told:expand("clean", labels)
    for index = 1, 5000 do
      told:run("clean[r" .. index .. "]", 1, index % 2 == 0 and "failed" or nil, {
        reason = index % 2 == 0 and { kind = "failed", message = ("x"):rep(9000) } or nil })
    end
    local text = report(told:finish("clean", "failed"):done("failed").state)
    assert.is_true(#text < 500000, #text .. " bytes")
    assert.is_truthy(text:find("Not shown: 2300 more failed, 2480 others.", 1, true))
    assert.is_truthy(text:find("- … and 2451 more", 1, true))
  end)

  it("can be made of a run that nothing is known of", function()
    assert.are.same({ "## ⏳ workflow running", "no steps." },
      lines_of(report(require("luafabric.history").new())))
  end)

  it("begins with what went wrong beside the steps", function()
    local state = require("luafabric.history").new()
    state.outcome = "failed"
    assert.are.same({ "## ❌ workflow failed", "no steps.", "### What went wrong", "- no \\*role" },
      lines_of(report(state, { error = "no *role" })))
  end)
end)
