-- What `luafabric run` gives to machines: the same fields every time, null where there is nothing.

local errors = require "luafabric.errors"
local history = require "luafabric.history"
local json = require "luafabric.json"
local output = require "luafabric.view.run_document"
local story = require "spec.cli.workflow_story"

local function names_of(value)
  local names = {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names)
  return names
end

describe("the document of a workflow's run", function()
  it("says what became of each step and item", function()
    local text = output.document(story.whole(), { exit_code = 1, reports = { "a.html" } })
    assert.is_nil(text:find("\n", 1, true))
    local value = assert(json.decode(text))
    assert.are.same({ "7f3a12", "nightly", "nightly.lua", "failed", 1, false,
      "1970-01-01T00:16:40Z", "1970-01-01T00:17:42Z" }, { value.run_id, value.workflow, value.file,
      value.outcome, value.exit_code, value.detached, value.started_at, value.ended_at })
    assert.are.same({ { name = "token", type = "Text", value = "***" } }, value.inputs)
    assert.are.same({ "a.html" }, value.reports)
    local paths = {}
    for index, step in ipairs(value.steps) do paths[index] = step.path .. " " .. step.outcome end
    assert.are.same({ "clean failed", "clean[eu] succeeded", "clean[us] failed",
      "publish skipped", "report skipped" }, paths)
    local eu, us, publish = value.steps[2], value.steps[3], value.steps[4]
    assert.are.same({ "item", "clean", "eu", '{"rows":3}', "JOB-1", story.WS, story.NB },
      { eu.kind, eu.parent, eu.label, eu.exit_value, eu.job_id, eu.workspace_id, eu.notebook_id })
    assert.are.equal("https://x", eu.links.sparkUiUrl)
    assert.are.equal("PARSE_ERROR", us.attempts[1].failure_reason.errorCode)
    assert.are.same({ "upstream", "clean" }, { publish.reason.kind, publish.reason.step })
    assert.are.equal("odd", value.warnings[1].message)
  end)

  it("has the same fields for a run that began, one that did not, and one that ended", function()
    local begun = history.new()
    history.apply(begun, story.events[1])
    history.apply(begun, { type = "cancel_requested", at = 1001, by = "user" })
    local whole = assert(json.decode(output.document(story.whole(), { exit_code = 1 })))
    local first = assert(json.decode(output.document(begun, { exit_code = 7 })))
    local none = assert(json.decode(output.refusal({ file = "x.lua" }, 2,
      errors.new { kind = "usage", message = "no" })))
    assert.are.same({ json.null, "user" }, { whole.cancelled_by, first.cancelled_by })
    assert.are.same(names_of(whole), names_of(first))
    assert.are.same(names_of(whole), names_of(none))
    assert.are.same(names_of(whole.steps[2]), names_of(first.steps[1]))
    assert.are.same({ json.null, 2, "x.lua", "no" },
      { none.outcome, none.exit_code, none.file, none.error.message })
  end)
end)

describe("an event", function()
  it("is one line that tells the same run when it is read again", function()
    local state = history.new()
    for _, event in ipairs(story.events) do
      local line = output.event(event)
      assert.is_nil(line:find("\n", 1, true))
      assert.matches('^{"type":"' .. event.type .. '",', line)
      history.apply(state, assert(json.decode(line)))
    end
    assert.are.equal("JOB-1", state.steps["clean[eu]"].job_id)
  end)

  it("for an error is the last line", function()
    local value = assert(json.decode(output.error_event(2, errors.new { kind = "usage",
      message = "no" })))
    assert.are.same({ type = "error", exit_code = 2, error = { kind = "usage", message = "no" } },
      value)
  end)

  it("is a whole line whatever Fabric wrote into it", function()
    local deep = {}
    for _ = 1, 300 do deep = { deep } end
    for _, odd in ipairs { { message = "x", n = 1 / 0 }, deep, { message = "\255" } } do
      local line = output.event { type = "attempt_ended", at = 1000, path = "clean", outcome =
        "failed", failure_reason = odd }
      local value = assert(json.decode(line))
      assert.are.same({ "attempt_ended", "clean", "failed" },
        { value.type, value.path, value.outcome })
    end
  end)
end)
