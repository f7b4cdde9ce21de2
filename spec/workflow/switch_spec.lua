local request = require "luafabric.workflow.request"
local secret = require "luafabric.workflow.secret"
local support = require "spec.workflow.support"

local names, plan, refusal, sent, view = support.names, support.plan, support.refusal, support.sent,
  support.view

-- A switch on the exit value's "mode" of a step "check".
local function switch(branches, common)
  return plan(function(flow)
    local check = flow:notebook "check"
    flow:switch("load", check:exit "mode", branches, common)
  end).by_name.load
end

local function branch(step, exit_value)
  return request.branch(step, view { check = exit_value })
end

local full, delta = { notebook = "Full load" }, { notebook = "Delta load" }

describe("flow:switch", function()
  it("is one step, after all that its branches read", function()
    local made = plan(function(flow)
      local a, b, c = flow:notebook "a", flow:notebook "b", flow:notebook "c"
      local load = flow:switch("load", a:exit "mode", {
        full = { notebook = "F", parameters = { x = b:exit() } },
        default = { notebook = c:exit() },
      })
      flow:notebook("next", { after = load })
    end)
    local load = made.by_name.load
    assert.equal("switch", load.kind)
    local after = names(load.after)
    table.sort(after)
    assert.same({ "a", "b", "c" }, after)
    assert.same({ "load" }, names(made.by_name.next.after))
    assert.is_nil(load.fields.notebook)
  end)

  it("takes the branch of the value: text, number, boolean", function()
    local step = switch { full = full, [2] = delta, [true] = { notebook = "T" } }
    local key, taken = branch(step, '{"mode":"full"}')
    assert.same({ "full", "Full load" }, { key, taken.fields.notebook })
    key, taken = branch(step, '{"mode":2}')
    assert.same({ "2", "Delta load" }, { key, taken.fields.notebook })
    key, taken = branch(step, '{"mode":"2"}')
    assert.same({ "2", "Delta load" }, { key, taken.fields.notebook })
    key, taken = branch(step, '{"mode":true}')
    assert.same({ "true", "T" }, { key, taken.fields.notebook })
  end)

  it("takes the default where no other matches; false runs nothing", function()
    local step = switch { full = false, default = delta }
    local key, taken = branch(step, '{"mode":"other"}')
    assert.same({ "default", "Delta load" }, { key, taken.fields.notebook })
    assert.same({ "full", false }, { branch(step, '{"mode":"full"}') })
    assert.same({ "default", false },
      { branch(switch { full = full, default = false }, '{"mode":"x"}') })
  end)

  it("without a match or a default fails, naming the value", function()
    local step = switch { full = full, delta = delta }
    assert.same({ n = 3, nil, 'no branch matches "monthly": there are "delta", "full", and no '
      .. 'default',
      "failed" }, { n = select("#", branch(step, '{"mode":"monthly"}')),
      branch(step, '{"mode":"monthly"}') })
    local _, message = branch(step, '{"mode":{"a":1}}')
    assert.equal('no branch matches a table: there are "delta", "full", and no default', message)
  end)

  it("is rejected where the value is missing, default or not", function()
    local key, message, outcome = branch(switch { full = full, default = delta }, '{"a":1}')
    assert.is_nil(key)
    assert.equal("rejected", outcome)
    assert.equal("check:exit(\"mode\"): in the exit value of \"check\", it has no 'mode'; it "
      .. "has: a",
      message)
  end)

  it("may look at a value that is known", function()
    local made = plan(function(flow)
      flow:switch("load", flow:input("mode", { default = "full" }), { full = full })
      flow:switch("day", flow:input("d", { type = "DateTime", default = "2026-01-01T00:00:00Z" }),
        { ["2026-01-01T00:00:00Z"] = full })
    end)
    assert.equal("full", (request.branch(made.by_name.load, view {})))
    assert.equal("2026-01-01T00:00:00Z", (request.branch(made.by_name.day, view {})))
  end)

  it("gives its branches what is common to them, and the defaults", function()
    local made = plan(function(flow)
      flow:defaults { timeout = "1h", parameters = { a = 1, b = 1, c = 1 }, exclusive = true }
      local first = flow:notebook "first"
      flow:switch("load", "full", {
        full = { notebook = "F", parameters = { c = 3 }, timeout = "3h" },
        delta = { parameters = false, timeout = false },
      }, { notebook = "Any", parameters = { b = 2 }, after = first, when = "all_done",
        may_fail = true, priority = 5, retry = { attempts = 2 }, workspace = "Other" })
    end)
    local step = made.by_name.load
    assert.same({ "first" }, names(step.after))
    assert.same({ "all_done", true, 5 }, { step.when.kind, step.may_fail, step.priority })
    local f, d = step.branches.full, step.branches.delta
    assert.same({ "F", "Other", 10800 }, { f.fields.notebook, f.fields.workspace, f.timeout })
    assert.same({ a = 1, b = 2, c = 3 }, f.fields.parameters)
    assert.same({ 2, true }, { f.retry.attempts, f.exclusive })
    assert.equal("Any", d.fields.notebook)
    assert.is_nil(d.fields.parameters)
    assert.is_nil(d.timeout)
  end)

  it("builds the branch's request", function()
    local made = plan(function(flow)
      local a = flow:notebook "a"
      flow:switch("load", a:exit "mode", {
        full = { notebook = "F", timeout = "1h", parameters = { path = "x/" .. a:exit "p" } } })
    end)
    local step = made.by_name.load
    local known = view { a = '{"mode":"full","p":"q"}' }
    local _, taken = request.branch(step, known)
    local built = request.build(taken, known)
    assert.same({ "F", "Sales", 3600 }, { built.notebook, built.workspace, built.timeout })
    assert.same({ path = "Text x/q" }, sent(taken, known))
    assert.equal('{"parameters":[{"name":"path","type":"Text","value":"x/${a.exit.p}"}]}',
      request.shown(taken).body)
  end)

  for what, row in pairs {
    ["no branches"] = { {}, "branches: there are none" },
    ["branches that are no table"] = { "full",
      'branches: expected a table such as { full = { notebook = "Full load" }, default = false }, '
        .. 'got "full"' },
    ["a branch that is no table"] = { { full = "Full load" },
      'branches.full: expected a table of fields, got "Full load"' },
    ["a branch without a notebook"] = { { full = {} },
      'branches.full: it names no notebook: give notebook = "…"' },
    ["a slip in a branch"] = { { full = { notebok = "x" } },
      "branches.full: notebok: unknown field, did you mean notebook?" },
    ["what belongs to the whole in a branch"] = { { full = { notebook = "F", after = "x" } },
      "branches.full: after: it belongs to the whole switch: give it in the fourth argument" },
    ["two branches for one value"] = { { [1] = full, ["1"] = delta },
      'branches: two of them match "1"' },
    ["a table as a value to match"] = { { [{}] = full },
      "branches: a table is no value to match: expected texts, numbers, booleans" },
    ["a wrong body in a branch"] = { { full = { notebook = "F",
      compute = require("luafabric.compute").spark { numExecutor = 1 } } },
      "branches.full: executionData.computeConfiguration.numExecutor: unknown field, did you mean "
        .. "numExecutors?" },
  } do
    it("is refused with " .. what, function()
      local message = refusal(function(flow) flow:switch("load", "full", row[1]) end)
      assert.equal('step "load": ' .. row[2], message)
    end)
  end

  it("is refused with nothing to look at", function()
    local function message(on)
      return refusal(function(flow)
        flow:switch("load", on and on(flow:notebook "a"), { full = full })
      end)
    end
    assert.equal('step "load": expected a reference or a value to switch on, got nil', message(nil))
    assert.equal('step "load": a step is no value to switch on: use a:exit("mode") or a:outcome()',
      message(function(a) return a end))
    assert.equal('step "load": expected a reference or a value to switch on, got a secret',
      message(function() return secret.new "x" end))
  end)
end)
