local fabric = require "luafabric"
local secret = require "luafabric.workflow.secret"
local support = require "spec.workflow.support"

local names, plan, refusal, step = support.names, support.plan, support.refusal, support.step

describe("A step", function()
  it("is a run of the notebook of its name, in the workspace of the defaults", function()
    local made = step(function(flow) flow:notebook "Publish" end)
    assert.equal("Publish", made.name)
    assert.equal("notebook", made.kind)
    assert.equal("Publish", made.fields.notebook)
    assert.equal("Sales", made.fields.workspace)
    assert.same({}, made.after)
    assert.equal("all_succeeded", made.when.kind)
    assert.is_false(made.is_finally)
    assert.matches("steps_spec.lua:%d+$", made.place)
  end)

  it("has the fields it was given, durations in seconds", function()
    local expect = function() return true end
    local made = step(function(flow)
      flow:notebook("a", { notebook = "Ingest", workspace = "Other", parameters = { day = 1 },
        compute = fabric.spark { executorCores = 8 }, timeout = "2h", deadline = "06:00Z",
        on_deadline = "warn", expect = expect, may_fail = true, priority = 3, exclusive = true,
        tag = false, label = "the first" })
    end)
    assert.same({ notebook = "Ingest", workspace = "Other", parameters = { day = 1 },
      compute = { compute = "Spark", computeConfiguration = { executorCores = 8 } } }, made.fields)
    assert.equal(7200, made.timeout)
    assert.equal(support.STARTED + 21600, made.deadline)
    assert.equal("warn", made.on_deadline)
    assert.equal(expect, made.expect)
    assert.is_true(made.may_fail)
    assert.equal(3, made.priority)
    assert.is_true(made.exclusive)
    assert.is_false(made.tag)
    assert.equal("the first", made.label)
  end)

  it("without them has none, or the usual", function()
    local made = step(function(flow) flow:notebook "a" end)
    for _, field in ipairs { "timeout", "deadline", "expect", "once", "tag", "label" } do
      assert.is_nil(made[field], field)
    end
    assert.is_nil(made.fields.parameters)
    assert.is_false(made.may_fail)
    assert.is_false(made.exclusive)
    assert.equal(0, made.priority)
    assert.equal("cancel", made.on_deadline)
    assert.same({ attempts = 1, on = { failed = true, platform = true }, interval = 30,
      backoff = 2, max_interval = 600 }, made.retry)
  end)

  it("does not change when the user's tables are changed afterwards", function()
    local made = plan(function(flow)
      local fields = { parameters = {} }
      for day = 1, 2 do
        fields.parameters.day = day
        flow:notebook("a" .. day, fields)
      end
    end)
    assert.equal(1, made.steps[1].fields.parameters.day)
    assert.equal(2, made.steps[2].fields.parameters.day)
  end)

  it("takes secrets as parameters, and nowhere else", function()
    local made = step(function(flow)
      flow:notebook("a", { parameters = { key = secret.new "hush" } })
    end)
    assert.equal("hush", secret.reveal(made.fields.parameters.key))
    assert.equal('step "a": notebook: expected a name or an id, got a secret',
      refusal(function(flow) flow:notebook("a", { notebook = secret.new "hush" }) end))
  end)

  it("tells of several mistakes the same one each time: unknown fields, then in one order",
    function()
      local function said(fields)
        return refusal(function(flow) flow:notebook("a", fields) end):match('^step "a": ([%w_.]+)')
      end
      assert.equal("qq", said { zz = 1, yy = 1, xx = 1, qq = 1, rr = 1, timeout = "x" })
      assert.equal("timeout", said { priority = "x", deadline = "x", timeout = "x", retry = 3,
        may_fail = 1, label = 5 })
      assert.equal("parameters.b", said { parameters = { f = {}, e = {}, d = {}, c = {}, b = {} } })
    end)

  it("takes `once` as true, or as an age", function()
    local made = plan(function(flow)
      flow:notebook("a", { once = true })
      flow:notebook("b", { once = "30d" })
    end)
    assert.same({}, made.warnings)
    assert.is_true(made.steps[1].once)
    assert.equal(2592000, made.steps[2].once)
  end)

  for what, row in pairs {
    ["an unknown field, with the nearest"] = { { retries = 1 },
      "retries: unknown field, did you mean retry?" },
    ["a field of flow:each"] = { { tolerate = 1 }, "tolerate: only flow:each has it" },
    ["no table"] = { "Ingest", 'expected a table of fields, got "Ingest"' },
    ["a number as notebook"] = { { notebook = 5 }, "notebook: expected a name or an id, got 5" },
    ["an empty workspace"] = { { workspace = "" },
      "workspace: expected a name or an id, got an empty text" },
    ["a function outside of flow:each"] = { { notebook = function() end },
      "notebook: expected a value, got a function: only flow:each calls one, with each item" },
    ["parameters that are no table"] = { { parameters = "x" },
      'parameters: expected a table of names and values, got "x"' },
    ["parameters without names"] = { { parameters = { "x" } },
      "parameters: expected names and values, found the key 1" },
    ["a table as a parameter"] = { { parameters = { x = { 1 } } },
      "parameters.x: a table is not a parameter value; JSON text, or types.automatic, can carry a "
        .. "table" },
    ["a function as a parameter"] = { { parameters = { x = print } },
      "parameters.x: expected a value, got a function; in flow:each write parameters = "
        .. "function(item) return { … } end" },
    ["a parameter that is no number"] = { { parameters = { x = 0 / 0 } }, "parameters.x.value: " },
    ["compute that is no table"] = { { compute = "big" },
      'compute: expected fabric.spark { … } or the like, got "big"' },
    ["a slip in compute"] = { { compute = fabric.spark { numExecutor = 2 } },
      "executionData.computeConfiguration.numExecutor: unknown field, did you mean numExecutors?" },
    ["a time-out of 0"] = { { timeout = 0 },
      "timeout: must be more than 0; false takes away the default" },
    ["a time-out that is none"] = { { timeout = "soon" }, 'timeout: "soon" is no duration' },
    ["a deadline that is none"] = { { deadline = 6 },
      'deadline: expected a text such as "06:00", "06:00Z" or a full time, got 6' },
    ["a wrong on_deadline"] = { { on_deadline = "stop" },
      'on_deadline: expected "cancel" or "warn", got "stop"' },
    ["a priority that is no number"] = { { priority = "high" },
      'priority: expected a number, got "high"' },
    ["a may_fail that is no boolean"] = { { may_fail = "yes" },
      'may_fail: expected true or false, got "yes"' },
    ["an exclusive that is no boolean"] = { { exclusive = 1 },
      "exclusive: expected true or false, got 1" },
    ["a tag that is no boolean"] = { { tag = "x" }, 'tag: expected true or false, got "x"' },
    ["an expect that is no function"] = { { expect = "good" },
      'expect: expected a function(exit) that returns true, or false and a reason, got "good"' },
    ["an expect from =="] = { { expect = true },
      "expect: expected a function, got true: on a reference, == is false at once, before any step "
        .. 'has run: write expect = function(exit) return exit == "full", "why not" end' },
    ["an expect from == that gave false"] = { { expect = false },
      "expect: expected a function, got false: on a reference, ==" },
    ["a bad once"] = { { once = "often" }, "once: expected true or how old the success may be: " },
    ["a label that is no text"] = { { label = 5 }, "label: expected a text, got 5" },
  } do
    it("is refused with " .. what, function()
      local expected = 'step "a": ' .. row[2]
      assert.equal(expected,
        refusal(function(flow) flow:notebook("a", row[1]) end):sub(1, #expected))
    end)
  end

  it("is refused with another step in place of its fields", function()
    assert.equal('step "b": expected a table of fields, got a step: write { after = ingest }',
      refusal(function(flow)
        local ingest = flow:notebook "ingest"
        flow:notebook("b", ingest)
      end))
  end)

  it("needs a workspace from somewhere", function()
    assert.equal('step "a": it names no workspace: give workspace = "…", here or in '
      .. 'flow:defaults',
      refusal(function(flow) flow:notebook("a", { workspace = false }) end))
  end)

  it("needs a name that can stand in reports", function()
    local tail = " is no name for a step: it has to be a text without control characters, [ and ]"
    for _, name in ipairs { "", "a\nb", "clean[us]" } do
      assert.equal(('flow:notebook: "%s"%s'):format(name:gsub("%c", "?"), tail),
        refusal(function(flow) flow:notebook(name) end))
    end
    assert.equal("flow:notebook: expected a name as first argument, got nil",
      refusal(function(flow) flow:notebook() end))
    assert.equal("flow:each: expected a name as first argument, got a table",
      refusal(function(flow) flow:each({ 1 }) end))
  end)

  it("needs a name of its own; both lines are told", function()
    local message = refusal(function(flow)
      flow:notebook "a"
      flow:notebook "a"
    end)
    assert.matches('^two steps are named "a"; the other is at .*steps_spec.lua:%d+$', message)
  end)
end)

describe("Defaults", function()
  it("hold for all steps wherever they are declared, and steps win", function()
    local made = plan(function(flow)
      flow:notebook "a"
      flow:notebook("b", { timeout = "1h", workspace = "Other" })
      flow:defaults { timeout = "2h", priority = 2, may_fail = true, exclusive = true, tag = false,
        retry = { attempts = 3, on = "transient", interval = "30s", backoff = 2,
          max_interval = "10m" } }
    end)
    local a, b = made.steps[1], made.steps[2]
    assert.equal(7200, a.timeout)
    assert.equal(3600, b.timeout)
    assert.equal("Other", b.fields.workspace)
    assert.same({ attempts = 3, on = { capacity = true, throttled = true, platform = true },
      interval = 30, backoff = 2, max_interval = 600 }, a.retry)
    for _, one in ipairs { a, b } do
      assert.equal(2, one.priority)
      assert.is_true(one.may_fail)
      assert.is_true(one.exclusive)
      assert.is_false(one.tag)
    end
  end)

  it("merge parameters by key, and replace everything else", function()
    local made = plan(function(flow)
      flow:defaults { parameters = { mode = "full", level = 1 },
        retry = { attempts = 3, interval = "5s" } }
      flow:notebook("a", { parameters = { level = 2, own = true }, retry = { attempts = 2 } })
      flow:notebook "b"
    end)
    assert.same({ mode = "full", level = 2, own = true }, made.steps[1].fields.parameters)
    assert.equal(30, made.steps[1].retry.interval)
    assert.same({ mode = "full", level = 1 }, made.steps[2].fields.parameters)
  end)

  it("are removed by false; a parameter that is false stays a Boolean", function()
    local made = plan(function(flow)
      flow:defaults { timeout = "2h", expect = function() return true end, priority = 4,
        parameters = { a = 1, full = true }, retry = { attempts = 5 }, once = true,
        deadline = "06:00Z", compute = fabric.jupyter(), may_fail = true }
      flow:notebook("none", { timeout = false, expect = false, parameters = false, retry = false,
        priority = false, once = false, deadline = false, compute = false, may_fail = false })
      flow:notebook("some", { parameters = { full = false } })
    end)
    local none = made.by_name.none
    for _, field in ipairs { "timeout", "expect", "once", "deadline" } do
      assert.is_nil(none[field], field)
    end
    assert.is_nil(none.fields.parameters)
    assert.is_nil(none.fields.compute)
    assert.equal(1, none.retry.attempts)
    assert.equal(0, none.priority)
    assert.is_false(none.may_fail)
    assert.same({ a = 1, full = false }, made.by_name.some.fields.parameters)
  end)

  it("may be given several times: later keys win", function()
    local made = step(function(flow)
      flow:defaults { timeout = 1, priority = 1, parameters = { a = 1, b = 1 } }
      flow:defaults { timeout = 2, parameters = { b = 2 } }
      flow:notebook "a"
    end)
    assert.equal(2, made.timeout)
    assert.equal(1, made.priority)
    assert.same({ a = 1, b = 2 }, made.fields.parameters)
  end)

  it("cannot hold what belongs to a step", function()
    assert.equal("defaults: after: it cannot be a default: give it in each step that wants it",
      refusal(function(flow) flow:defaults { after = "x" } end))
    assert.equal("defaults: when: it cannot be a default: give it in each step that wants it",
      refusal(function(flow) flow:defaults { when = "all_done" } end))
    assert.equal("defaults: timout: unknown field, did you mean timeout?",
      refusal(function(flow) flow:defaults { timout = 1 } end))
    assert.equal("defaults: expected a table of fields, got nil",
      refusal(function(flow) flow:defaults() end))
    assert.equal("defaults: parameters.x: a:exit() is a reference: defaults hold for all steps, so "
      .. "give it in the steps that want it", refusal(function(flow)
        flow:defaults { parameters = { x = flow:notebook "a":exit() } }
      end))
  end)
end)

describe("Retry", function()
  local function retry_of(given)
    given.attempts = given.attempts or 2
    return step(function(flow) flow:notebook("a", { retry = given }) end).retry
  end

  it("is read whole, with what is not said", function()
    assert.same({ attempts = 4, on = { failed = true, platform = true }, interval = 30,
      backoff = 2, max_interval = 600 }, retry_of { attempts = 4 })
    assert.same({ attempts = 2, on = { failed = true, timed_out = true, capacity = true,
      throttled = true, platform = true }, interval = 5, backoff = 1, max_interval = 60 },
      retry_of { attempts = 2, on = { "failed", "timed_out", "transient" }, interval = "5s",
        backoff = 1, max_interval = 60 })
    assert.same({ deduped = true }, retry_of { on = "deduped" }.on)
  end)

  it("may be a function of the outcome", function()
    local retry = require "luafabric.workflow.retry"
    local read = retry_of { on = function(outcome) return outcome == "failed" end }
    assert.is_true(retry.wants(read, "failed"))
    assert.is_false(retry.wants(read, "platform"))
    assert.is_false(retry.wants(retry_of { on = function() return true end }, "unknown"))
    assert.is_true(retry.wants(retry_of { on = { "timed_out" } }, "timed_out"))
    assert.is_false(retry.wants(retry_of { on = { "timed_out" } }, "failed"))
    local wanted, message = retry.wants(retry_of { on = function() return 1 end }, "failed")
    assert.is_nil(wanted)
    assert.equal("the function given as retry.on must return true or false, it returned 1", message)
    wanted, message = retry.wants(retry_of { on = function() error "oh" end }, "failed")
    assert.is_nil(wanted)
    assert.matches("steps_spec.lua:%d+: in the function given as retry.on: oh$", message)
  end)

  for what, row in pairs {
    ["a number"] = { 3, "retry: expected a table: write retry = { attempts = 3 }" },
    ["an unknown field"] = { { attempt = 3 },
      "retry.attempt: unknown field, did you mean attempts?" },
    ["no attempts"] = { { attempts = 0 },
      "retry.attempts: expected a whole number from 1 to 100, got 0" },
    ["attempts left out"] = { { on = "transient" },
      "retry: attempts is missing: attempts = 3 is two more tries" },
    ["half an attempt"] = { { attempts = 1.5 },
      "retry.attempts: expected a whole number from 1 to 100, got 1.5" },
    ["an unknown outcome"] = { { on = "fail" },
      'retry.on: "fail" is no outcome that can be repeated, did you mean failed?' },
    ["unknown"] = { { on = { "failed", "unknown" } }, "retry.on: unknown cannot be repeated: the "
      .. "run "
      .. "may have started, and a second one would be paid for too" },
    ["unauthorized"] = { { on = "unauthorized" },
      "retry.on: unauthorized cannot be repeated: it would be refused again" },
    ["rejected"] = { { on = "rejected" },
      "retry.on: rejected cannot be repeated: it would be refused again" },
    ["succeeded"] = { { on = "succeeded" },
      "retry.on: succeeded cannot be repeated: there is nothing to repeat" },
    ["skipped"] = { { on = "skipped" }, "retry.on: skipped cannot be repeated: it did not run" },
    ["a set"] = { { on = { failed = true } },
      'retry.on: expected a list of outcomes, as in { "failed", "platform" }' },
    ["a bad interval"] = { { interval = "x" }, 'retry.interval: "x" is no duration' },
    ["a bad backoff"] = { { backoff = 0 }, "retry.backoff: expected a number from 1 to 100, got "
      .. "0" },
    ["a bad max_interval"] = { { max_interval = -1 }, "retry.max_interval: -1 is no duration" },
  } do
    it("is refused with " .. what, function()
      local expected = 'step "a": ' .. row[2]
      assert.equal(expected,
        refusal(function(flow) flow:notebook("a", { retry = row[1] }) end):sub(1, #expected))
    end)
  end
end)

describe("A finally step", function()
  it("comes last whatever happened, in its own list", function()
    local made = plan(function(flow)
      flow:finally("report", { parameters = { failed = flow:failures(), how = flow:outcome() } })
      flow:notebook "a"
      flow:finally "mail"
    end)
    assert.same({ "a" }, names(made.order))
    assert.same({ "report", "mail" }, names(made.finally))
    assert.same({ "report", "a", "mail" }, names(made.steps))
    local report = made.by_name.report
    assert.is_true(report.is_finally)
    assert.equal("all_done", report.when.kind)
    assert.same({}, report.after)
  end)

  it("alone may read the whole workflow's end", function()
    assert.equal('step "a": parameters.x: flow:failures() is known when the workflow has ended: '
      .. 'only '
      .. "a finally step can read it",
      refusal(function(flow) flow:notebook("a", { parameters = { x = flow:failures() } }) end))
    assert.equal('step "a": when: flow:outcome():is("failed") is known when the workflow has '
      .. 'ended: '
      .. "only a finally step can read it",
      refusal(function(flow) flow:notebook("a", { when = flow:outcome():is "failed" }) end))
    assert.matches("only a finally step can read it", refusal(function(flow)
      flow:notebook("a", { parameters = { x = "mode " .. flow:outcome() } })
    end))
  end)

  it("cannot come before a step that is none", function()
    assert.matches('^step "a": after: step "report" %(.*:%d+%) is a finally step, which runs '
      .. 'when all '
      .. "others have ended: only a finally step can come after it$", refusal(function(flow)
        local report = flow:finally "report"
        flow:notebook("a", { after = report })
      end))
    assert.matches("is a finally step", refusal(function(flow)
      flow:finally "report"
      flow:notebook("a", { after = "report" })
    end))
  end)

  it("may come after another, and read a step", function()
    local made = plan(function(flow)
      local a = flow:notebook "a"
      local report = flow:finally("report", { parameters = { x = a:exit():default "" } })
      flow:finally("mail", { after = report, when = "all_succeeded" })
    end)
    assert.same({ "a" }, names(made.by_name.report.after))
    assert.same({ "report" }, names(made.by_name.mail.after))
    assert.equal("all_succeeded", made.by_name.mail.when.kind)
  end)
end)
