local definition = require "luafabric.workflow.definition"
local fabric = require "luafabric"
local support = require "spec.workflow.support"

local plan, refusal = support.plan, support.refusal

describe("A workflow", function()
  it("has a name, and the place where it is defined", function()
    local nightly = definition.new("nightly", function() end)
    assert.equal("nightly", nightly.name)
    assert.equal("spec/workflow/definition_spec.lua", nightly.file:match("spec/.*$"))
    assert.equal(9, nightly.line)
    assert.matches('^workflow "nightly" %(.*definition_spec.lua:9%)$', tostring(nightly))
    assert.is_true(definition.is(nightly))
    assert.is_false(definition.is {})
  end)

  it("calls its function once for each plan, and not before", function()
    local calls = 0
    local nightly = definition.new("nightly", function(flow)
      calls = calls + 1
      flow:notebook("a", { workspace = "Sales" })
    end)
    assert.equal(0, calls)
    assert(nightly:plan {})
    assert(nightly:plan {})
    assert.equal(2, calls)
  end)

  it("tells its function the name, the run and the start", function()
    local seen
    plan(function(flow)
      seen = { flow.name, flow.run_id, flow.started_at }
      flow:notebook "a"
    end)
    assert.same({ "nightly", "7f3a", support.STARTED }, seen)
  end)

  it("is planned with options of its own", function()
    local made = plan(function(flow) flow:notebook "a" end, nil,
      { timeout = "3h", deadline = "06:00Z", on_deadline = "warn", max_concurrency = 4 })
    assert.equal(10800, made.timeout)
    assert.equal(support.STARTED + 6 * 3600, made.deadline)
    assert.equal("warn", made.on_deadline)
    assert.equal(4, made.max_concurrency)
    local bare = plan(function(flow) flow:notebook "a" end)
    assert.is_nil(bare.timeout)
    assert.is_nil(bare.deadline)
    assert.equal("cancel", bare.on_deadline)
    assert.equal(50, bare.max_concurrency)
  end)

  it("takes the number of runs at a time from the defaults", function()
    local made = plan(function(flow)
      flow:notebook "a"
      flow:defaults { max_concurrency = 8 }
    end)
    assert.equal(8, made.max_concurrency)
    assert.is_nil(made.steps[1].max_concurrency)
  end)

  it("leaves the collector as it was, and changes it for many steps only", function()
    local before, seen = collectgarbage("setpause", 160), {}
    collectgarbage("setpause", 160)
    for index, count in ipairs { 20, 600 } do
      assert(fabric.workflow("many", function(flow)
        for number = 1, count do flow:notebook("n" .. number, { workspace = "Sales" }) end
        seen[index] = collectgarbage("setpause", 160)
        collectgarbage("setpause", seen[index])
      end):plan())
    end
    local after = collectgarbage("setpause", before)
    assert.same({ 160, 1000, 160 }, { seen[1], seen[2], after })
  end)

  it("warns when it has no steps", function()
    local made = plan(function() end)
    assert.equal(1, #made.warnings)
    assert.matches("spec/.*:%d+: the workflow has no steps$", made.warnings[1])
  end)

  it("gives its function the start in whole seconds, as os.date wants it", function()
    local seen
    definition.new("nightly", function(flow) seen = flow.started_at end):plan {
      started_at = 1764000000.5 }
    assert.equal("1764000000", ("%d"):format(seen))
    assert.equal("2025-11-24", os.date("!%Y-%m-%d", seen))
  end)

  it("keeps the place of what its function raises, and says where it was", function()
    assert.equal('in workflow "nightly": no good', refusal(function() error "no good" end))
    local message = refusal(function() error({}) end)
    assert.equal('a table was raised, which says nothing: write error("what is wrong")', message)
    assert.matches("^in workflow \"nightly\": attempt to index", refusal(function(flow)
      local nothing = flow and nil
      return nothing.field
    end))
  end)

  it("may not wait while it is planned", function()
    local message = refusal(function()
      fabric.client { credential = "token", endpoint = "http://127.0.0.1:1" }:list_workspaces()
    end)
    assert.matches('the function of workflow "nightly"', message, 1, true)
  end)

  for what, row in pairs {
    ["an unknown option"] = { { time_out = 1 },
      'workflow "nightly": time_out: unknown option, did you mean timeout?' },
    ["a time-out of 0"] = { { timeout = 0 }, 'workflow "nightly": timeout: must be more than 0' },
    ["a bad time-out"] = { { timeout = "2 h" }, 'workflow "nightly": timeout: "2 h" is no '
      .. 'duration' },
    ["a bad deadline"] = { { deadline = "soon" }, 'workflow "nightly": deadline: ' },
    ["a wrong on_deadline"] = { { on_deadline = "stop" },
      'workflow "nightly": on_deadline: expected "cancel" or "warn", got "stop"' },
    ["a wrong max_concurrency"] = { { max_concurrency = 0 },
      'workflow "nightly": max_concurrency: expected a whole number from 1 up, got 0' },
    ["options that are none"] = { 5, 'workflow "nightly": expected a table of options, got 5' },
  } do
    it("is refused with " .. what, function()
      assert.equal(row[2], refusal(function() end, nil, row[1]):sub(1, #row[2]))
    end)
  end

  it("is refused without a name or a function", function()
    local function message(...)
      local ok, err = pcall(definition.new, ...)
      assert.is_false(ok)
      return (err.message:gsub("^.-:%d+: ", ""))
    end
    assert.equal("fabric.workflow: expected a name as first argument, got a function",
      message(function() end))
    assert.equal('workflow "x": expected function(flow) … end as last argument, got nil',
      message("x"))
    assert.equal('workflow "x": expected function(flow) … end as last argument, got nil',
      message("x", {}))
  end)
end)

describe("flow", function()
  it("with a dot in place of the colon is told so", function()
    assert.equal("flow.notebook(…) was called with a dot: write flow:notebook(…)",
      refusal(function(flow) flow.notebook("a", {}) end))
    assert.equal("flow.each(…) was called with a dot: write flow:each(…)",
      refusal(function(flow) flow.each("a", {}) end))
    assert.equal("flow.input(…) was called with a dot: write flow:input(…)",
      refusal(function(flow) flow.input("a") end))
    assert.equal("flow.defaults(…) was called with a dot: write flow:defaults(…)",
      refusal(function(flow) flow.defaults {} end))
  end)

  it("names the method that was meant", function()
    assert.equal('flow has no "notebok", did you mean notebook?',
      refusal(function(flow) flow:notebok "a" end))
    assert.equal('flow has no "execute": it has notebook, each, switch, finally, defaults, input, '
      .. "failures, outcome", refusal(function(flow) flow:execute "a" end))
  end)

  it("cannot be set, and is of no use after its function has ended", function()
    assert.equal("flow.day cannot be set: give flow:defaults { … }, or use a local variable",
      refusal(function(flow) flow.day = 1 end))
    local kept
    plan(function(flow) kept = flow end)
    local ok, err = pcall(function() kept:notebook "late" end)
    assert.is_false(ok)
    assert.matches("flow:notebook was called after the workflow's function had ended", err.message,
      1, true)
  end)
end)
