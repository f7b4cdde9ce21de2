local conditions = require "luafabric.engine.conditions"
local reference = require "luafabric.workflow.reference"

local function dependency(path, outcome, more)
  local made = { path = path, name = path, phase = "ended", outcome = outcome,
    reason = outcome == "skipped" and { kind = "upstream" } or nil }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

local S = dependency("s", "succeeded")
local F = dependency("f", "failed")
local N = dependency("n", "skipped", { reason = { kind = "condition" } })
local U = dependency("u", "skipped")
local M = dependency("m", "failed", { may_fail = true })

local function view_of(...)
  local results = {}
  for _, step in ipairs { ... } do
    results[step.path] = { outcome = step.outcome, exit_value = step.exit_value,
      skipped = step.outcome == "skipped" and step.reason.kind or nil }
  end
  return { result = function(name) return results[name] end }
end

local function verdict(when, ...)
  if type(when) == "string" then when = { kind = when } end
  local made = conditions.judge(when, { ... }, view_of(...))
  if made.runs then return "runs" end
  return made.outcome .. " " .. made.reason.kind
end

describe("engine.conditions", function()
  local cases = {
    { "all_succeeded", "runs", S }, { "all_succeeded", "runs" }, { "all_succeeded", "runs", N },
    { "all_succeeded", "runs", S, M }, { "all_succeeded", "skipped upstream", S, F },
    { "all_succeeded", "skipped upstream", U },
    { "all_done", "runs", F, U, N },
    { "any_failed", "runs", S, F }, { "any_failed", "runs", U },
    { "any_failed", "skipped condition", S, N, M },
    { "any_succeeded", "runs", F, S }, { "any_succeeded", "skipped upstream", F, N },
    { "any_succeeded", "skipped condition", N },
    { "none_failed", "runs", S, N }, { "none_failed", "skipped upstream", S, U },
  }
  for _, case in ipairs(cases) do
    local names = {}
    for index = 3, #case do names[#names + 1] = case[index].path end
    it(("judges %s of (%s): %s"):format(case[1], table.concat(names, " "), case[2]), function()
      local unpack = table.unpack or unpack
      assert.equal(case[2], verdict(case[1], unpack(case, 3)))
    end)
  end

  it("names the step that is to blame", function()
    local made = conditions.judge({ kind = "all_succeeded" }, { S, F, U }, view_of())
    assert.same({ kind = "upstream", step = "f", message = "f" }, made.reason)
  end)

  describe("a condition on an exit value", function()
    local check = { name = "check", path = "check" }
    local function when(path)
      return { kind = "condition", condition = reference.exit(check, path):is("full") }
    end

    it("runs the step where it holds, and skips it where it does not", function()
      local full = dependency("check", "succeeded", { exit_value = '{"mode":"full"}' })
      local delta = dependency("check", "succeeded", { exit_value = '{"mode":"delta"}' })
      assert.equal("runs", verdict(when "mode", full))
      assert.equal("skipped condition", verdict(when "mode", delta))
    end)

    it("rejects the step where the value is missing", function()
      local empty = dependency("check", "succeeded", { exit_value = "{}" })
      assert.equal("rejected rejected", verdict(when "mode", empty))
    end)

    it("is skipped as upstream where the step it reads failed, neutral where that was skipped",
      function()
        assert.equal("skipped upstream", verdict(when "mode", dependency("check", "failed")))
        assert.equal("skipped condition", verdict(when "mode",
          dependency("check", "skipped", { reason = { kind = "condition" } })))
      end)

    it("asks of the other steps that none failed", function()
      local full = dependency("check", "succeeded", { exit_value = '{"mode":"full"}' })
      assert.equal("skipped upstream", verdict(when "mode", full, F))
      assert.equal("runs", verdict(when "mode", full, N, S))
    end)
  end)

  it("lets a condition on an outcome judge a failure", function()
    local step = { name = "f", path = "f" }
    assert.equal("runs", verdict({ kind = "condition",
      condition = reference.outcome(step):is("failed") }, F))
  end)

  describe("a function", function()
    local function when(fn) return { kind = "function", fn = fn } end

    it("gets the results by name and by position", function()
      assert.equal("runs", verdict(when(function(steps)
        return steps.f.outcome == "failed" and steps[1].outcome == "succeeded"
      end), S, F))
      assert.equal("skipped condition", verdict(when(function() return false end), S))
    end)

    it("must say true or false", function()
      local made = conditions.judge(when(function() end), { S }, view_of(S))
      assert.equal("rejected", made.outcome)
      assert.equal("when: its function returned nothing instead of true or false",
        made.reason.message)
    end)

    it("that raises rejects the step with its message", function()
      local made = conditions.judge(when(function() error("no mode", 0) end), { S }, view_of(S))
      assert.equal("when: its function raised: no mode", made.reason.message)
    end)
  end)
end)
