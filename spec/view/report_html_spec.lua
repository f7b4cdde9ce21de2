-- The HTML report: what a reader finds in it, and what it never does.

local report = require "luafabric.view.report_html"
local story = require "spec.view.story"

local function nightly()
  local told = story.new({ { path = "ingest", place = "nightly.lua:3" },
    { path = "clean", kind = "each", after = { "ingest" } },
    { path = "Publish", after = { "clean" } }, { path = "tidy", is_finally = true } },
    { inputs = { { name = "day", type = "Text", value = "monday" } } })
  told:ready("ingest"):pass(5):intend("ingest"):pass(2)
  told:tell("attempt_submitted", "ingest", { attempt = 1, job_id = "4c1e" }):pass(20)
  told:tell("status_changed", "ingest", { attempt = 1, status = "InProgress" }):pass(60)
  told:stop("ingest", "succeeded", { links = { executionSnapshotUrl = "https://fabric/a?b=1&c" } })
  told:finish("ingest", "succeeded", { exit_value = "42" })
  told:expand("clean", { "eu", "us" }):run("clean[eu]", 60)
  told:run("clean[us]", 30, "failed", { reason = { kind = "failed", message = "column day" } })
  told:finish("clean", "failed", { reason = { kind = "tolerance", message = "1 of 2 failed" } })
  told:finish("Publish", "skipped", { reason = { kind = "upstream", step = "clean" } })
  told:ready("tidy"):run("tidy", 10):done("failed")
  return told
end

--- The text that a reader sees.
local function seen(html)
  local body = html:match("<body>(.*)</body>"):gsub("<[^>]*>", " "):gsub("%s+", " ")
  return body:gsub("&quot;", '"'):gsub("&#39;", "'"):gsub("&lt;", "<"):gsub("&gt;", ">")
    :gsub("&amp;", "&")
end

local function has(html, wanted)
  assert.is_truthy(seen(html):find(wanted, 1, true), "not to be seen: " .. wanted)
end

--- Fails unless every element that is opened is closed, in the right order.
local function check_elements(html)
  local void, open = { meta = true }, {}
  for close, name, rest in html:gmatch("<(/?)([%a%d]+)([^>]*)>") do
    if close == "/" then
      assert.are.equal(name, table.remove(open), "the element that is closed")
    elseif not void[name] and not rest:find("/$") then
      open[#open + 1] = name
    end
  end
  assert.are.same({}, open)
end

describe("the HTML report", function()
  it("tells what happened, what went wrong and what to do", function()
    local html = report(nightly().state, { next = "luafabric repair 7f3a12" })
    has(html, "nightly ✗ failed 2 ok, 1 failed, 1 skipped")
    has(html, "Started 2026-11-25 13:00:00 UTC")
    has(html, "Took 3m07s")
    has(html, "day monday")
    has(html, "What went wrong clean ✗ failed : 1 of 2 failed clean[us] ✗ failed : column day")
    has(html, "Go on with luafabric repair 7f3a12")
    assert.is_truthy(html:find("<title>✗ nightly 7f3a12 failed</title>", 1, true))
  end)

  it("has a table of steps with attempts, times, jobs, values and pages", function()
    local html = report(nightly().state)
    has(html, "ingest Sales/ingest · nightly.lua:3 ✓ succeeded 1 attempt 1m22s exit value 42 "
      .. "job 4c1e snapshot")
    has(html, "clean Sales/clean ✗ failed 1 of 2 ok 1m30s 1 of 2 failed 2 items of clean")
    has(html, "us ✗ failed 1 attempt 30s column day job job-clean[us]")
    has(html, "Publish Sales/Publish - skipped – – upstream: clean")
    assert.is_truthy(html:find('<th scope="col" class="one">Step</th>', 1, true))
    assert.is_truthy(html:find('href="https://fabric/a?b=1&amp;c"', 1, true))
  end)

  it("shows when each attempt was queued, started and ran", function()
    local html = report(nightly().state)
    assert.is_truthy(html:find(
      'aria-label="ingest: queued 7s, starting 20s, succeeded after 1m00s"', 1, true))
    assert.is_truthy(html:find("<title>succeeded after 1m00s, 13:00:27 to 13:01:27 UTC</title>", 1,
      true))
    has(html, "13:00:00 13:00:30 13:01:00")
  end)

  it("draws the steps by their order, with what comes at the end apart", function()
    local html = report(nightly().state)
    local svg = html:match("<svg.*</svg>")
    assert.is_truthy(svg:find('<desc id="graph-desc">ingest; clean after ingest; Publish after '
      .. "clean; tidy at the end.</desc>", 1, true))
    local x = {}
    for name_x, name in svg:gmatch('<svg x="([%d%.]+)"[^>]*><text class="name"[^>]*>([^<]+)<') do
      x[name] = tonumber(name_x)
    end
    assert.is_true(x.ingest < x.clean and x.clean < x.Publish and x.Publish < x.tidy)
    local _, lines = svg:gsub('class="line"', "")
    assert.are.equal(2, lines)
  end)

  it("draws a step that was kept without a time of its own", function()
    local told = story.new { "ingest" }
    told:ready("ingest"):tell("step_kept", "ingest", { from_run = "ab12", why = "repair" })
    told:finish("ingest", "succeeded")
    has(report(told.state), "ingest: succeeded · kept")
    has(report(told.state), "kept from run ab12")
  end)

  it("leads a line past the columns between two steps", function()
    local told = story.new { "a", { path = "b", after = { "a" } }, { path = "c", after = { "b" } },
      { path = "d", after = { "c", "a" } } }
    local svg = report(told.state):match("<svg.*</svg>")
    local _, lines = svg:gsub('class="line"', "")
    assert.are.equal(6, lines) -- a-b, b-c, c-d, and a to d in three parts
  end)

  it("has a picture of a whole size where steps lie in the middle of others", function()
    local told = story.new { "a", "b", "c", "d", { path = "x", after = { "a", "b", "d" } },
      { path = "y", after = { "a", "b", "d" } }, { path = "z", after = { "a", "b", "d" } } }
    assert.matches('<svg class="graph"[^>]* width="%d+" height="%d+" viewBox="0 0 %d+ %d+">',
      report(told.state))
  end)

  it("begins with what went wrong beside the steps", function()
    local state = require("luafabric.history").new()
    state.outcome = "failed"
    local html = report(state, { error = "no <role>" })
    check_elements(html)
    has(html, "What went wrong no <role>")
  end)

  it("shows inputs of any JSON as such", function()
    local told = story.new({}, { inputs = { { name = "options", type = "Automatic",
      value = { depth = 2 } } } })
    has(report(told.state), 'options {"depth":2}')
  end)

  it("shows an unknown fate with the command that looks", function()
    local told = story.new { "ingest" }
    told:ready("ingest"):intend("ingest"):stop("ingest", "unknown"):finish("ingest", "unknown")
    told:done("unknown")
    has(report(told.state), "ingest may or may not run in Fabric: look with "
      .. "luafabric notebook list w-1 n-1")
  end)

  it("can be made while the run goes on", function()
    local told = story.new { "ingest", "Publish" }
    told:ready("ingest"):start("ingest"):pass(60):tell("detached")
    local html = report(told.state, { now = told.now + 60 })
    check_elements(html)
    has(html, "nightly ● detached 1 running, 1 not begun")
    has(html, "So far 2m00s")
    has(html, "ingest runs on in Fabric: look with luafabric notebook status w-1 n-1 job-ingest")
  end)

  it("says what a step that has not ended waits for", function()
    local told = story.new { "ingest", { path = "Publish", after = { "ingest" } } }
    told:ready("ingest"):intend("ingest"):pass(5)
    told:tell("attempt_waiting", "ingest", { attempt = 1, cause = "throttled", seconds = 30 })
    local html = report(told.state, { now = told.now + 10 })
    has(html, "waiting: quota (429), 10s · next try in 20s")
    has(html, "– – after ingest")
  end)

  it("is whole for a run of which nothing is known", function()
    local html = report(require("luafabric.history").new())
    check_elements(html)
    has(html, "Nothing ran.")
  end)
end)

describe("the HTML report and what others wrote", function()
  it("shows it as the text that it is, wherever it stands", function()
    local bad = "<script>alert(1)</script>\"'&\27"
    local told = story.new({ { path = bad, notebook = bad, workspace = bad, place = bad },
      { path = "each " .. bad, kind = "each" }, { path = "mode", kind = "switch" } },
      { workflow = bad, run_id = bad, file = bad, inputs = { { name = bad, value = bad } } })
    told:ready(bad):start(bad, bad):stop(bad, "failed", { failure_reason = { errorCode = bad,
      message = bad }, links = { [bad] = 'https://x/"><script>', a = "javascript:alert(1)",
      b = "data:text/html,x", c = "https://ok/" } })
    told:tell("retry_scheduled", bad, { attempt = 2, cause = bad, seconds = 1, spent = true })
    told:start(bad, bad):stop(bad, bad, { links = { c = "https://ok/", x = 'https://x/"><script>',
      a = "javascript:alert(1)" } })
    told:finish(bad, bad, { reason = { kind = bad, message = bad, step = bad }, exit_value = bad })
    told:expand("each " .. bad, { bad })
    told:run(told.state.steps["each " .. bad].items[1].path, 1, "succeeded", { exit_value =
      bad:rep(100) })
    told:tell("branch_taken", "mode", { branch = bad }):tell("warning", bad, { message = bad })
    told:tell("cancel_requested", nil, { by = bad }):done("failed")
    local html = report(told.state, { next = bad, look_options = bad })
    check_elements(html)
    for _, sign in ipairs { "<script", "\27", 'href="javascript', 'href="data' } do
      assert.is_nil(html:find(sign, 1, true), sign)
    end
    assert.is_truthy(html:find('href="https://ok/"', 1, true))
    assert.is_truthy(html:find('href="https://x/&quot;&gt;&lt;script&gt;"', 1, true))
  end)

  it("loads nothing and runs nothing", function()
    local html = report(nightly().state)
    assert.is_truthy(html:find([[content="default-src 'none'; style-src 'unsafe-inline'; ]]
      .. [[img-src data:;]], 1, true))
    for _, way in ipairs { "<script", "<img", "<link", "<iframe", " on%l+=", "url%(", "@import",
      " src=", " style=" } do
      assert.is_nil(html:find(way), way)
    end
    check_elements(html)
  end)
end)

describe("the HTML report of 10,000 items", function()
  it("stays small, shows the failed ones, and says what is left out", function()
    local told = story.new { { path = "clean", kind = "each" } }
    local labels = {}
    for index = 1, 10000 do labels[index] = "r" .. index end
    told:expand("clean", labels)
    for index = 1, 10000 do
      local failed = index % 8 == 0
      told:run("clean[r" .. index .. "]", 1, failed and "failed" or nil, {
        reason = failed and { kind = "failed", message = "no rows" } or nil,
        exit_value = ("x"):rep(5000) })
    end
    told:finish("clean", "failed"):done("failed")
    local html = report(told.state)
    assert.is_true(#html < 3e6, #html .. " bytes")
    has(html, "r8000 ✗ failed")
    assert.is_nil(seen(html):find("r8008 ✗ failed", 1, true))
    has(html, "Not shown: 250 more failed, 8700 others.")
    has(html, "9970 steps and items are not drawn.")
    has(html, "… and 1231 more, in the table below")
  end)
end)

describe("the HTML report of many steps", function()
  it("draws some of them, failed ones in any case, and has no picture of their order", function()
    local steps = {}
    for index = 1, 400 do steps[index] = "s" .. index end
    local told = story.new(steps)
    for index = 1, 400 do
      told:ready("s" .. index):run("s" .. index, 1, index == 400 and "failed" or nil)
    end
    local html = report(told:done("failed").state)
    local _, drawn = html:gsub('class="track"', "")
    assert.are.equal(300, drawn)
    assert.is_truthy(html:find('aria-label="s400: ', 1, true))
    has(html, "100 steps and items are not drawn.")
    has(html, "No picture: 400 steps are too many for one.")
    has(html, "s399 Sales/s399 ✓ succeeded")
  end)

  it("shares what is shown of failed items", function()
    local told, labels = story.new { { path = "a", kind = "each" }, { path = "b", kind = "each" } },
      {}
    for index = 1, 600 do labels[index] = "r" .. index end
    for _, path in ipairs { "a", "b" } do
      told:expand(path, labels)
      for index = 1, 600 do told:run(path .. "[r" .. index .. "]", 1, "failed") end
    end
    has(report(told.state), "Not shown: 200 more failed.")
  end)
end)
