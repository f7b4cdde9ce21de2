-- A plan as text and as a document: what would run, in which order, with which requests.

local definition = require "luafabric.workflow.definition"
local fabric = require "luafabric"
local json = require "luafabric.json"
local plan_document = require "luafabric.view.plan_document"
local plan_view = require "luafabric.view.plan"

local SALES = "11111111-2222-4333-8444-555555555555"
local INGEST = "21111111-2222-4333-8444-555555555555"

local function plan_of(fn, options, inputs)
  local plan, err = definition.new("nightly", options or {}, fn):plan { inputs = inputs or {},
    started_at = 1764000000, run_id = "r" }
  return assert(plan, tostring(err))
end

--- The text, without the places, which are lines of this file.
local function text_of(fn, options, inputs, shown)
  local text = plan_view.text(plan_of(fn, options, inputs), shown)
  return (text:gsub("spec/view/plan_spec%.lua:%d+", "HERE")
    :gsub("spec/view/plan_spec%.lua", "HERE"))
end

local function step_text(text, name)
  return (text .. "\n\n"):match("\n(%d+  " .. name .. ".-)\n\n")
end

local function one_step(fields)
  return function(flow)
    flow:defaults { workspace = "Sales" }
    flow:notebook("one", fields)
  end
end

describe("the text of a plan", function()
  it("shows the whole in order, with each request as it would be sent", function()
    assert.equal([=[
workflow nightly  HERE
  input      day = 2026-01-01T00:00:00Z (DateTime)
  timeout    8h00m
  deadline   2025-11-25T06:00:00Z, then warn
  runs       at most 5 at a time

1  ingest  HERE
  after      nothing: it starts at once
  workspace  {id of "Sales"}
  notebook   {id of "Ingest orders"}
  body       {
               "parameters": [{"name": "day", "type": "DateTime", "value": "2026-01-01T00:00:00Z"}]
             }

2  Publish  HERE
  after      ingest
  when       all_done
  may fail   counts as success for what comes after
  workspace  {id of "Sales"}
  notebook   {id of "Publish"}
  body       none

finally, whatever happened

3  report  HERE
  after      everything
  workspace  {id of "Sales"}
  notebook   {id of "report"}
  body       {
               "parameters": [{"name": "failed", "type": "Text", "value": "${failures}"}]
             }]=], text_of(function(flow)
      flow:defaults { workspace = "Sales" }
      local day = flow:input("day", { type = "DateTime" })
      local ingest = flow:notebook("ingest", { notebook = "Ingest orders",
        parameters = { day = day } })
      flow:notebook("Publish", { after = ingest, when = "all_done", may_fail = true })
      flow:finally("report", { parameters = { failed = flow:failures() } })
    end, { timeout = "8h", deadline = "06:00Z", on_deadline = "warn", max_concurrency = 5 },
      { day = "2026-01-01T00:00:00Z" }))
  end)

  it("shows what is known only later as placeholders, and by what it is decided", function()
    local text = text_of(function(flow)
      flow:defaults { workspace = "Sales" }
      local ingest = flow:notebook("ingest")
      flow:notebook("check", { when = ingest:exit("mode"):is("full"), notebook = ingest:exit(),
        parameters = { path = "Files/" .. ingest:exit("folder") } })
      flow:notebook("guard", { after = ingest, when = function() return true end })
    end)
    local check = step_text(text, "check")
    assert.matches('when       ingest:exit("mode"):is("full")', check, 1, true)
    assert.matches("notebook   ${ingest.exit}", check, 1, true)
    assert.matches('"value": "Files/${ingest.exit.folder}"', check, 1, true)
    assert.matches("when       a function at HERE", step_text(text, "guard"), 1, true)
  end)

  it("shows the items of an each, or where they come from", function()
    local text = text_of(function(flow)
      flow:defaults { workspace = "Sales" }
      local ingest = flow:notebook("ingest")
      flow:each("month", fabric.months("2026-01", "2026-09"), { tolerate = "5%",
        max_concurrency = 4, parameters = function(month) return { month = month } end })
      flow:each("clean", ingest:exit("regions"), { tolerate = 1,
        parameters = function(region) return { region = region } end,
        timeout = function() return "1h" end })
      flow:each("none", {}, { parameters = function(item) return { item = item } end })
    end)
    local month, clean = step_text(text, "month"), step_text(text, "clean")
    assert.matches("9: 2026-01, 2026-02, 2026-03, 2026-04, 2026-05, … 4 more; 4 at a time; "
      .. "5 % may fail", month, 1, true)
    assert.matches("request    of the first item", month, 1, true)
    assert.matches('"value": "2026-01"', month, 1, true)
    assert.matches("items from ${ingest.exit.regions}; 1 may fail", clean, 1, true)
    assert.matches("timeout    by item", clean, 1, true)
    assert.matches('"parameters": "${parameters(item)}"', clean, 1, true)
    assert.matches("each       none", step_text(text, "none"), 1, true)
  end)

  it("shows the branches of a switch", function()
    local text = text_of(function(flow)
      flow:defaults { workspace = "Sales" }
      local ingest = flow:notebook("ingest")
      flow:switch("load", ingest:exit("mode"), { full = { notebook = "Full", timeout = "1h" },
        delta = { notebook = "Delta" }, default = false })
    end)
    assert.equal([[
2  load  (switch)  HERE
  after      ingest
  by         ${ingest.exit.mode}
  delta
    workspace  {id of "Sales"}
    notebook   {id of "Delta"}
    body       none
  full
    workspace  {id of "Sales"}
    notebook   {id of "Full"}
    body       none
    timeout    1h00m
  default    skipped]], step_text(text, "load"))
  end)

  it("shows what each attempt may take, and how often it is tried", function()
    local text = step_text(text_of(one_step { timeout = "90s", deadline = "06:00Z", priority = 5,
      exclusive = true, expect = function() return true end,
      retry = { attempts = 3, on = "transient", interval = "30s", backoff = 2,
        max_interval = "10m" } }), "one")
    for _, line in ipairs { "timeout    1m30s", "deadline   2025-11-25T06:00:00Z, then cancel",
      "retry      3 attempts, on capacity, platform, throttled; pauses from 30s, times 2, up to "
        .. "10m00s", "expect     a function at HERE", "priority   5",
      "exclusive  nobody else runs this notebook" } do
      assert.matches("\n  " .. line, text, 1, true)
    end
    text = text_of(one_step { retry = { attempts = 2, on = function() return true end } })
    assert.matches("2 attempts, on what a function says", text, 1, true)
  end)

  it("hides secrets", function()
    local function with_secret(flow)
      flow:defaults { workspace = "Sales" }
      local token = flow:input("token", { secret = true })
      flow:notebook("one", { parameters = { token = token, other = fabric.secret("hush") } })
    end
    local text = text_of(with_secret, {}, { token = "hush" })
    local document = json.encode(plan_document.document(plan_of(with_secret, {},
      { token = "hush" })))
    for _, shown in ipairs { text, document } do
      assert.is_nil(shown:find("hush", 1, true))
      assert.matches("%*%*%*", shown)
    end
    assert.matches("input      token = *** (Text)", text, 1, true)
  end)

  it("keeps every digit and sign of what would be sent", function()
    local text = text_of(one_step { parameters = {
      big = fabric.types.number "123456789012345678901234567890.10",
      odd = 'a", [c]: {d} \\' } })
    assert.matches('"value": 123456789012345678901234567890.10', text, 1, true)
    assert.matches([["value": "a\", [c]: {d} \\"]], text, 1, true)
  end)

  it("shows ids where they were looked up, and ids and references as they are", function()
    local text = text_of(function(flow)
      flow:notebook("one", { workspace = "Sales", notebook = "Ingest" })
      flow:notebook("two", { workspace = SALES, notebook = "Other" })
    end, {}, {}, { ids = { Sales = { id = SALES, notebooks = { Ingest = INGEST } } } })
    local one, two = step_text(text, "one"), step_text(text, "two")
    assert.matches(('workspace  %s ("Sales")'):format(SALES), one, 1, true)
    assert.matches(('notebook   %s ("Ingest")'):format(INGEST), one, 1, true)
    assert.matches("workspace  " .. SALES .. "\n", two, 1, true)
    assert.matches('notebook   {id of "Other"}', two, 1, true)
  end)

  it("shows warnings, and a request that cannot be made", function()
    local text = text_of(function(flow)
      flow:defaults { workspace = "Sales" }
      flow:each("each", { 1 }, { parameters = function() error("no such item") end })
      flow:notebook("one", { parameters = { n = fabric.types.integer "9007199254740993" } })
    end)
    assert.matches('  warning    HERE: step "one": parameters.n.value: outside 32 bits', text, 1,
      true)
    assert.matches("request    [^\n]*HERE: in the function given as parameters: no such item", text)
  end)

  it("is as wide as it may be, and cannot command a terminal", function()
    local text = text_of(function(flow)
      local before = {}
      for index = 1, 30 do
        before[index] = flow:notebook("step number " .. index, { workspace = "Sales" })
      end
      flow:notebook("last", { workspace = "Sales\27[2J", after = before,
        parameters = { p = "\226\128\174turned" } })
    end, {}, {}, { width = 60 })
    for line in step_text(text, "last"):gmatch("[^\n]+") do assert.is_true(#line <= 60, line) end
    assert.is_nil(text:find("\27", 1, true))
    assert.is_nil(text:find("\226\128\174", 1, true)) -- what follows would be read backwards
  end)

  it("is coloured where that is asked for, and says the same", function()
    local function mark(colour)
      return function(text) return "<" .. colour .. ">" .. text .. "</>" end
    end
    local palette = { good = mark "good", bad = mark "bad", careful = mark "careful",
      faint = mark "faint" }
    local plain = text_of(one_step {})
    local coloured = text_of(one_step {}, {}, {}, { palette = palette })
    assert.matches("<good>1  one</>", coloured, 1, true)
    assert.equal(plain, (coloured:gsub("<[/%a]*>", "")))
  end)
end)

describe("the document of a plan", function()
  local function document_of(fn, options, inputs, shown)
    local document = plan_document.document(plan_of(fn, options, inputs), shown)
    return (json.decode(assert(json.encode(document))))
  end

  it("says the same with the names of fields", function()
    local document = document_of(function(flow)
      flow:defaults { workspace = "Sales" }
      local day = flow:input("day", { type = "DateTime" })
      local ingest = flow:notebook("ingest", { parameters = { day = day }, timeout = "2h" })
      flow:each("clean", ingest:exit("regions"), { tolerate = 1,
        parameters = function(region) return { region = region } end })
      flow:each("months", { "01", "02" }, { parameters = function(m) return { m = m } end })
      flow:switch("load", ingest:exit("mode"), { full = { notebook = "Full" }, default = false })
      flow:notebook("x", { when = ingest:exit("mode"):is("full") })
      flow:finally("report", { when = "any_failed" })
    end, { timeout = "8h" }, { day = "2026-01-01T00:00:00Z" },
      { ids = { Sales = { id = SALES, notebooks = { ingest = INGEST } } } })
    assert.equal("nightly", document.name)
    assert.equal(28800, document.timeout)
    assert.equal("2025-11-24T16:00:00Z", document.started_at)
    assert.same({ { name = "day", type = "DateTime", value = "2026-01-01T00:00:00Z" } },
      document.inputs)
    local ingest, clean, months, load, x, report = (table.unpack or unpack)(document.steps)
    assert.same({ workspace = "Sales", notebook = "ingest", workspace_id = SALES,
      notebook_id = INGEST, body = { parameters = { { name = "day", type = "DateTime",
        value = "2026-01-01T00:00:00Z" } } } }, ingest.request)
    assert.equal(7200, ingest.timeout)
    assert.same({}, ingest.after)
    assert.same({ "ingest" }, clean.after)
    assert.same({ from = "${ingest.exit.regions}", tolerate = { count = 1 } }, clean.each)
    assert.same({ labels = { "01", "02" }, count = 2, tolerate = { count = 0 } }, months.each)
    assert.equal("${ingest.exit.mode}", load.on)
    assert.equal("full", load.branches[1].key)
    assert.equal("Full", load.branches[1].request.notebook)
    assert.same({ key = "default", skipped = true }, load.branches[2])
    assert.same({ kind = "condition", condition = 'ingest:exit("mode"):is("full")' }, x.when)
    assert.is_true(report.finally)
    assert.same({ kind = "any_failed" }, report.when)
  end)

  it("keeps a body as text where a number in it would lose digits", function()
    local document = document_of(one_step { parameters = {
      n = fabric.types.number "9007199254740993" } })
    assert.equal('{"parameters":[{"name":"n","type":"Number","value":9007199254740993}]}',
      document.steps[1].request.body)
  end)

  it("has empty lists as lists", function()
    local text = json.encode(plan_document.document(plan_of(one_step {})))
    for _, part in ipairs { '"inputs":[]', '"warnings":[]', '"after":[]' } do
      assert.matches(part, text, 1, true)
    end
  end)
end)
