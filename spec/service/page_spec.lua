-- The page of the service: what a browser is given, and that nothing of others becomes more than
-- text in it.

local page = require "luafabric.service.page"
local story = require "spec.view.story"

local RUN = "7f3a12bb90aa"

local function asset(path)
  return page.asset(path, {}) or error("nothing at " .. path)
end

--- The drawing of a run.
local function drawing(known)
  known.run_id, known.now = known.run_id or RUN, known.now or 1795611700
  local response = page.view(known)
  assert.are.equal(200, response.status)
  return response.body, response.headers
end

--- The text that a reader sees.
local function seen(html)
  return (html:gsub("<[^>]*>", " "):gsub("%s+", " "):gsub("&quot;", '"'):gsub("&#39;", "'")
    :gsub("&lt;", "<"):gsub("&gt;", ">"):gsub("&amp;", "&"))
end

local function has(html, wanted)
  assert.is_truthy(seen(html):find(wanted, 1, true), "not to be seen: " .. wanted)
end

local function has_not(html, unwanted)
  assert.is_nil(seen(html):find(unwanted, 1, true), "to be seen: " .. unwanted)
end

local function actions_of(html)
  local list = {}
  for action in html:gmatch('data%-action="([%w%-]+)"') do list[#list + 1] = action end
  return list
end

local function running()
  local told = story.new({ "ingest", { path = "clean", kind = "each", after = { "ingest" } },
    { path = "tidy", is_finally = true } }, { run_id = RUN })
  return told:ready("ingest"):run("ingest", 10):expand("clean", { "eu", "us", "asia" })
    :start("clean[eu]")
end

local function failed()
  local told = running()
  told:stop("clean[eu]", "succeeded"):finish("clean[eu]", "succeeded")
  for _, item in ipairs { "us", "asia" } do
    told:run(("clean[%s]"):format(item), 5, "failed", {
      reason = { kind = "failed", message = "no rows in " .. item },
      links = { executionSnapshotUrl = "https://fabric/" .. item } })
  end
  told:finish("clean", "failed", { reason = { kind = "tolerance", message = "2 of 3 failed" } })
  return told:ready("tidy"):run("tidy", 1, "failed"):done("failed")
end

describe("the page's files", function()
  it("have their types, and are asked for again only when they changed", function()
    local types = { ["/"] = "text/html; charset=utf-8", ["/page.css"] = "text/css; charset=utf-8",
      ["/page.js"] = "text/javascript; charset=utf-8" }
    local etags = {}
    for path, kind in pairs(types) do
      local response = asset(path)
      assert.are.equal(200, response.status)
      assert.are.equal(kind, response.headers["Content-Type"])
      assert.are.equal("nosniff", response.headers["X-Content-Type-Options"])
      assert.are.equal("no-cache", response.headers["Cache-Control"])
      local etag = response.headers["ETag"]
      assert.matches('^"%x+"$', etag)
      assert.is_nil(etags[etag])
      etags[etag] = true
      local again = page.asset(path, { ["if-none-match"] = "W/" .. etag })
      assert.are.same({ 304, "" }, { again.status, again.body })
      assert.are.equal(200, page.asset(path, { ["if-none-match"] = '"0"' }).status)
    end
  end)

  it("are these three", function()
    for _, path in ipairs { "", "/index.html", "/page", "/page.js/", "/../page.js", "/runs" } do
      assert.is_nil(page.asset(path, {}))
    end
  end)

  it("forbid whatever the page does not need", function()
    local policy = asset("/").headers["Content-Security-Policy"]
    assert.are.equal("default-src 'none'; script-src 'self'; style-src 'self'; "
      .. "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
      .. "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'", policy)
  end)

  it("load nothing from elsewhere, and have nothing inline", function()
    local document = asset("/").body
    for _, way in ipairs { "<style", " style=", " on%l+=", "<script>", "javascript:", "<iframe",
      "<img" } do
      assert.is_nil(document:find(way), way)
    end
    local loaded = {}
    for address in document:gmatch('<[ls][^>]- [hs]r[ec]f?="([^"]*)"') do
      loaded[#loaded + 1] = address:match("^data:") or address
    end
    assert.are.same({ "data:", "page.css", "page.js" }, loaded)
    for _, way in ipairs { "url%(", "@import", "expression" } do
      assert.is_nil(asset("/page.css").body:find(way), way)
    end
  end)

  it("make no mark-up of texts, and no code", function()
    local script = asset("/page.js").body
    for _, way in ipairs { "innerHTML", "outerHTML", "insertAdjacentHTML", "document%.write",
      "DOMParser", "setHTML", "createContextualFragment", "eval", "new Function", "localStorage",
      "https?://", "%.style%f[%W]", "EventSource%(" } do
      assert.is_nil(script:find(way), way)
    end
  end)

  it("fit together: the script finds every element that it names", function()
    local document, count = asset("/").body, 0
    for id in asset("/page.js").body:gmatch('element%("([%w%-]+)"%)') do
      count = count + 1
      if id ~= "run" then
        assert.is_truthy(document:find(('id="%s"'):format(id), 1, true), id)
      end
    end
    assert.is_true(count > 10)
  end)

  it("name every field and every heading", function()
    local document = asset("/").body
    for id in document:gmatch('<input id="([%w%-]+)"') do
      assert.is_truthy(document:find(('<label for="%s">'):format(id), 1, true), id)
    end
    local _, selects = document:gsub("<select", "")
    local _, labelled = document:gsub("<label>%a+ <select", "")
    assert.are.equal(selects, labelled)
    assert.is_truthy(document:find('<html lang="en">', 1, true))
    local _, live = document:gsub('role="%l+"', "")
    assert.are.equal(4, live)
  end)
end)

describe("a run on the page", function()
  it("is the report's drawing, with how it stands beside it", function()
    local told = running()
    local html, headers = drawing { state = told.state, now = told.now + 5, last_event = 11 }
    has(html, "nightly ● running 1 ok, 1 running, 1 not begun")
    has(html, "So far 15s")
    assert.is_truthy(html:find('<svg class="graph"', 1, true))
    assert.is_truthy(html:find('<svg class="track"', 1, true))
    assert.matches('^<article data%-state="running" data%-last%-event="11" '
      .. 'data%-title="● nightly 7f3a12bb90aa running" '
      .. 'data%-news="nightly 7f3a12bb90aa running: 1 ok, 1 running, 1 not begun%."', html)
    assert.are.equal("text/html; charset=utf-8", headers["Content-Type"])
    assert.are.equal("no-store", headers["Cache-Control"])
    assert.matches("^default%-src 'none'", headers["Content-Security-Policy"])
  end)

  it("can be cancelled while it goes on, with its last steps or without", function()
    local told = running()
    assert.are.same({ "cancel", "cancel-now" }, actions_of(drawing { state = told.state }))
    has(drawing { state = told.state, order = { cancel = "cancel" } }, "Cancel at once…")
    told:tell("cancel_requested", nil, { by = "ops" })
    assert.are.same({ "cancel-now" }, actions_of(drawing { state = told.state }))
    told:tell("cancel_requested", nil, { by = "ops", now = true })
    assert.are.same({}, actions_of(drawing { state = told.state }))
  end)

  it("needs no advice as long as the service runs it", function()
    local told = running()
    has_not(drawing { state = told.state, order = { by = "ops" } }, "What to do next")
    local html = drawing { state = told.state, row = { state = "running", orphaned = true } }
    has(html, "What to do next")
    has(html, "Run by nobody: the process that ran it let it go")
  end)

  it("that failed says why and what to do, with its pages in Fabric, and can be repaired",
    function()
    local html = drawing { state = failed().state }
    has(html, "What went wrong clean ✗ failed : 2 of 3 failed clean[us] ✗ failed : no rows in us")
    has(html, "What to do next Open the page of the failed run in Fabric")
    assert.is_truthy(html:find('<a href="https://fabric/us" rel="noreferrer noopener">snapshot',
      1, true))
    assert.are.same({ "repair" }, actions_of(html))
  end)

  it("is repaired whole, or some of what failed, but not what runs at the end anyway", function()
    local html, chosen = drawing { state = failed().state }, {}
    for path in html:gmatch('name="only" value="([^"]*)"') do chosen[#chosen + 1] = path end
    assert.are.same({ "clean[us]", "clean[asia]" }, chosen)
  end)

  it("is not repaired where it succeeded, or its workflow is gone", function()
    local told = story.new { "ingest" }
    told:ready("ingest"):run("ingest", 1):done("succeeded")
    assert.are.same({}, actions_of(drawing { state = told.state }))
    local html = drawing { state = failed().state, can_repair = false }
    assert.are.same({}, actions_of(html))
    has(html, "It cannot be repaired here")
  end)

  it("that an emulator ran has no pages, since there are none", function()
    local told = failed()
    told.state.endpoint = "http://127.0.0.1:4000"
    assert.is_nil(drawing({ state = told.state }):find("https://fabric/", 1, true))
  end)

  it("says who asked for it, and what it repairs", function()
    local html = drawing { state = failed().state, order = { by = "ops <b>", at = 1795611599 },
      row = { state = "ended", parent = "ab12", key = "k-1" } }
    has(html, "Asked by ops <b> Repairs ab12 Key k-1")
    assert.is_truthy(html:find('<a href="?run=ab12">', 1, true))
  end)
end)

describe("a run on the page that has not begun", function()
  local order = { workflow = "nightly", state = "queued", at = 1795611599,
    inputs = { day = "monday", at = 3 } }

  it("says what it waits for, and can be taken back", function()
    local html = drawing { order = order }
    has(html, "nightly ● queued It waits until a worker of the service takes it up.")
    has(html, "Asked 2026-11-25 12:59:59 UTC Inputs at 3 day monday")
    assert.matches('^<article data%-state="queued" data%-last%-event="0"', html)
    assert.are.same({ "cancel" }, actions_of(html))
    has_not(html, "Steps")
    local repair = { workflow = "nightly.lua", state = "queued", kind = "repair",
      options = { title = "nightly", parent = "ab12" } }
    has(drawing { order = repair }, "Repairs ab12")
    has(drawing { order = repair }, "nightly ● queued")
  end)

  it("says why it could not begin yet", function()
    has(drawing { order = { workflow = "nightly", state = "queued",
      problem = "the token endpoint is away: it is tried again" } },
      "What went wrong the token endpoint is away")
  end)

  it("says that it never will", function()
    local html = drawing { order = { workflow = "nightly", state = "refused",
      inputs = '{"day":"x"}', problem = "inputs.day: no date" } }
    has(html, "nightly ✗ rejected It never began: nothing was sent to Fabric.")
    has(html, "day x")
    has(html, "What went wrong inputs.day: no date")
    assert.matches('^<article data%-state="ended"', html)
    assert.are.same({}, actions_of(html))
  end)
end)

describe("a run on the page and what others wrote", function()
  it("shows it as the text that it is, wherever it stands", function()
    local bad = "<script>alert(1)</script>\"'&\27 style=x onload=y"
    local told = story.new({ { path = bad, notebook = bad, workspace = bad, place = bad },
      { path = "each " .. bad, kind = "each" } },
      { workflow = bad, run_id = bad, file = bad, inputs = { { name = bad, value = bad } } })
    told:ready(bad):start(bad, bad):stop(bad, "failed", { failure_reason = { errorCode = bad,
      message = bad }, links = { a = "javascript:alert(1)", c = 'https://x/"><script>' } })
    told:finish(bad, "failed", { reason = { kind = bad, message = bad }, exit_value = bad })
    told:expand("each " .. bad, { bad, bad .. "2" })
    for _, item in ipairs(told.state.steps["each " .. bad].items) do
      told:run(item.path, 1, "failed")
    end
    told:finish("each " .. bad, "failed"):tell("cancel_requested", nil, { by = bad })
    told:done("failed")
    local html = drawing { run_id = bad, state = told.state,
      order = { by = bad, problem = bad, workflow = bad },
      row = { state = "ended", parent = bad, key = bad } }
    for _, sign in ipairs { "<script", "\27", 'href="javascript' } do
      assert.is_nil(html:find(sign, 1, true), sign)
    end
    -- Within a tag everything stands in quotes, and a quote of others does not end them.
    for tag in html:gmatch "<%l[^>]*>" do
      local bare = tag:gsub('"[^"]*"', "")
      assert.is_nil(bare:find("style", 1, true) or bare:find("onload", 1, true), tag)
    end
  end)

  it("has no style and no script of its own", function()
    local html = drawing { state = failed().state }
    for _, way in ipairs { " style=", "<style", "<script", " on%l+=", "<img", "<link", "<form" } do
      assert.is_nil(html:find(way), way)
    end
  end)
end)
