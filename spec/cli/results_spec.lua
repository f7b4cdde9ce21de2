-- A finished command as words, document and exit code.

local capture = require "spec.cli.capture"
local errors = require "luafabric.errors"
local json = require "luafabric.json"
local results = require "luafabric.cli.results"

local function run_of(fields)
  local run = { outcome = "succeeded", job_id = "J", workspace_id = "WID", notebook_id = "NID",
    workspace = "W", notebook = "N", status = "Completed",
    started_at = "2026-01-01T00:00:00", ended_at = "2026-01-01T00:01:04.5Z",
    exit_value = '{"days":1461,"name":"x","none":null,"list":[1,2]}' }
  for name, value in pairs(fields or {}) do
    if value == "absent" then run[name] = nil else run[name] = value end
  end
  return run
end

local function shown(fields, path, options)
  return capture.run(options or {}, function(terminal)
    return results.run(terminal, run_of(fields), path)
  end)
end

describe("a run's result", function()
  it("is its exit value, and a line that says how it went", function()
    local code, out, err = shown()
    assert.are.same({ 0, run_of().exit_value .. "\n" }, { code, out })
    assert.are.equal("✓ W/N  succeeded  1m05s  job J\n", err)
  end)

  it("shows the page that says most about the run, the same every time", function()
    local links = { sparkUiUrl = "https://ui", executionSnapshotUrl = "https://snapshot",
      driverLogUrl = "https://log" }
    assert.matches("\n  https://snapshot\n$", (select(3, shown { links = links })))
    links.executionSnapshotUrl = nil
    assert.matches("\n  https://ui\n$", (select(3, shown { links = links })))
    assert.matches("\n  https://a\n$",
      (select(3, shown { links = { b = "https://b", a = "https://a" } })))
  end)

  it("can be the part of the exit value at a path, exactly", function()
    for path, part in pairs { days = "1461", name = "x", list = "[1,2]", ["list.2"] = "2",
      [""] = run_of().exit_value } do
      local code, out = shown({}, path)
      assert.are.same({ 0, part .. "\n" }, { code, out })
    end
  end)

  it("is a failure of the command where the wanted part is missing", function()
    for path, words in pairs { rows = "it has: days, list, name, none", none = "it is null" } do
      local code, out, err = shown({}, path)
      assert.are.same({ 1, "" }, { code, out })
      assert(err:find(words, 1, true), err)
    end
    local code, out, err = shown({ exit_value = "absent" }, "")
    assert.are.same({ 1, "" }, { code, out })
    assert.matches("the run gave no exit value", err)
    code, out = shown({ exit_value = "absent" })
    assert.are.same({ 0, "" }, { code, out })
  end)

  it("is nothing on standard output where the run did not succeed", function()
    local code, out, err = shown { outcome = "failed", exit_value = "half",
      failure_reason = { errorCode = "Oops", message = "it broke" } }
    assert.are.same({ 1, "" }, { code, out })
    assert.are.equal("✗ W/N  failed  1m05s  job J\n  reason: it broke (Oops)\n" ..
      "  next: look at the run in Fabric's monitoring hub; luafabric notebook status WID NID J\n",
      err)
  end)

  it("shows what others wrote in one line, and nothing that Fabric left empty", function()
    local _, _, err = shown { outcome = "failed", failure_reason = { message =
      "it broke\nluafabric: all is well", errorCode = json.null } }
    assert.matches("\n  reason: it broke luafabric: all is well\n", err, 1, true)
  end)

  it("says how to look where the fate is unknown, with the endpoint that was used", function()
    local code, _, err = shown({ outcome = "unknown", job_id = "absent" }, nil,
      { endpoint = "http://127.0.0.1:1/v1?a b" })
    assert.are.equal(6, code)
    assert(err:find("look with luafabric notebook list WID NID --endpoint " ..
      "'http://127.0.0.1:1/v1?a b'", 1, true), err)
  end)

  it("tells of a bad end even with --quiet, and of a good one only by its value", function()
    local quiet = { quiet = true }
    assert.are.equal("", (select(3, shown({}, nil, quiet))))
    assert.matches("cancelled", (select(3, shown({ outcome = "cancelled" }, nil, quiet))))
  end)

  it("is lost, not successful, where it cannot be written", function()
    assert.are.equal(1, (shown({}, nil, { full = true })))
    assert.are.equal(1, (shown({}, nil, { full = true, output = "json" })))
  end)
end)

describe("the document of a run", function()
  local function document(fields, path)
    local code, out = shown(fields, path, { output = "json" })
    assert.matches("^{[^\n]*}\n$", out)
    return code, assert(json.decode(out))
  end

  it("has its fields", function()
    local code, value = document { links = { a = "https://a" },
      error = errors.new { kind = "unauthorized", message = "m", status = 401 } }
    assert.are.equal(0, code)
    assert.are.same({ "succeeded", "J", run_of().exit_value, { a = "https://a" },
      { kind = "unauthorized", message = "m", status = 401 } },
      { value.outcome, value.job_id, value.exit_value, value.links, value.error })
  end)

  it("has the wanted part of the exit value, or the error", function()
    local code, value = document({}, "days")
    assert.are.same({ 0, "1461" }, { code, value.exit_value })
    code, value = document({}, "rows")
    assert.are.same({ 1, "succeeded", json.null, "usage" },
      { code, value.outcome, value.exit_value, value.error.kind })
  end)
end)

describe("an error before any run", function()
  local function failed(err, options)
    return capture.run(options or {}, function(terminal) return results.failure(terminal, err) end)
  end

  it("is one sentence and the code of its kind", function()
    local code, out, err = failed(errors.new { kind = "not_found", message = "no such notebook",
      code = "ItemNotFound", status = 404 })
    assert.are.same({ 2, "", "luafabric: no such notebook (ItemNotFound, HTTP 404)\n" },
      { code, out, err })
    assert.are.same({ 2, "", "luafabric: a word\n" }, { failed "a word" })
  end)

  it("is one document, too", function()
    local code, out = failed(errors.new { kind = "rejected", message = "no", code = "X",
      status = 400, request_id = "R" }, { output = "json" })
    local value = assert(json.decode(out))
    assert.are.same({ 1, "rejected", "R", json.null,
      { kind = "rejected", message = "no", code = "X", status = 400, request_id = "R" } },
      { code, value.outcome, value.request_id, value.job_id, value.error })
    value = assert(json.decode((select(2, failed("usage", { output = "json" })))))
    assert.are.same({ json.null, "usage" }, { value.outcome, value.error.kind })
  end)
end)

describe("what luafabric itself did wrong", function()
  it("does not lose a run that was on", function()
    local code, out, err = capture.run({ output = "json" }, function(terminal)
      return results.lost_run(terminal, run_of { outcome = "absent" }, "boom")
    end)
    local value = assert(json.decode(out))
    assert.are.same({ 7, "J", json.null }, { code, value.job_id, value.outcome })
    assert.matches("internal error: boom; the run goes on in Fabric. Look with: " ..
      "luafabric notebook status WID NID J", err, 1, true)
  end)

  it("does not pretend to know an answer that never came", function()
    local code, out = capture.run({ output = "json" }, function(terminal)
      return results.lost_answer(terminal, { workspace_id = "W", notebook_id = "N" }, "boom")
    end)
    local value = assert(json.decode(out))
    assert.are.same({ 6, "unknown", "N" }, { code, value.outcome, value.notebook_id })
  end)
end)
