local definition = require "luafabric.workflow.definition"
local fabric = require "luafabric"
local support = require "spec.workflow.support"

local names, plan, refusal = support.names, support.plan, support.refusal

describe("The order of steps", function()
  it("is that of their declaration, which handles alone cannot break", function()
    local made = plan(function(flow)
      local a = flow:notebook "a"
      flow:notebook "b"
      flow:notebook("c", { after = a })
    end)
    assert.same({ "a", "b", "c" }, names(made.order))
    assert.same({ "a" }, names(made.by_name.c.after))
  end)

  it("follows `after`: a step, a list, names, names of later steps", function()
    local made = plan(function(flow)
      flow:notebook("z", { after = "a" })
      flow:notebook "x"
      local a = flow:notebook "a"
      flow:notebook("b", { after = { a, "z", "c" } })
      flow:notebook "c"
      flow:notebook("d", { after = { a, a, "a" }, parameters = { x = a:exit() } })
      flow:notebook("e", { after = {} })
      flow:notebook("f", { after = false })
    end)
    assert.same({ "a", "z", "x", "c", "b", "d", "e", "f" }, names(made.order))
    assert.same({ "a", "z", "c" }, names(made.by_name.b.after))
    assert.same({ "a" }, names(made.by_name.d.after))
    assert.same({}, made.by_name.e.after)
  end)

  it("follows `after` first, then the parameters as their names sort", function()
    local made = plan(function(flow)
      local steps = {}
      for _, name in ipairs { "a", "b", "c", "d", "e" } do steps[name] = flow:notebook(name) end
      flow:notebook("z", { parameters = { p = steps.e:exit(), q = steps.b:exit(),
        r = steps.d:exit(), s = steps.a:exit() }, after = steps.c })
      flow:each("m", fabric.matrix { q = steps.b:exit(), p = steps.d:exit(), o = steps.c:exit(),
        n = steps.e:exit() })
    end)
    assert.same({ "c", "e", "b", "d", "a" }, names(made.by_name.z.after))
    assert.same({ "e", "c", "d", "b" }, names(made.by_name.m.after))
  end)

  it("puts every one of several later steps before", function()
    local made = plan(function(flow)
      flow:notebook("x", { after = { "p", "q", "r", "s" } })
      for _, name in ipairs { "p", "q", "r", "s" } do flow:notebook(name) end
    end)
    assert.same({ "p", "q", "r", "s", "x" }, names(made.order))
  end)

  it("keeps each step once in a long `after`", function()
    local made = plan(function(flow)
      local all = {}
      for index = 1, 40 do all[index] = flow:notebook("s" .. index) end
      for index = 1, 40 do all[40 + index] = all[index] end
      flow:notebook("last", { after = all })
    end)
    assert.equal(40, #made.by_name.last.after)
  end)

  it("is found for a chain of 30,000 steps that are declared backwards", function()
    local made = plan(function(flow)
      for index = 30000, 1, -1 do
        flow:notebook("s" .. index, index > 1 and { after = "s" .. index - 1 } or nil)
      end
    end)
    assert.equal("s1", made.order[1].name)
    assert.equal("s30000", made.order[30000].name)
  end)

  it("with a cycle is refused, all of it shown with its lines", function()
    local message = refusal(function(flow)
      flow:notebook("start", { after = "b" })
      flow:notebook("a", { after = "c" })
      flow:notebook("b", { after = "a" })
      flow:notebook("c", { after = "b" })
    end)
    assert.matches('^step "b": after: it waits for itself: "b" %(.-:%d+%) after "a" %(.-:%d+%) '
      .. 'after "c" '
      .. '%(.-:%d+%) after "b": take out one `after` of these$', message)
    assert.equal('step "a": after: it comes after itself: take it out of its own `after`',
      refusal(function(flow) flow:notebook("a", { after = "a" }) end))
    assert.matches("it waits for itself", refusal(function(flow)
      flow:finally("a", { after = "b" })
      flow:finally("b", { after = "a" })
    end))
  end)

  for what, row in pairs {
    ["nil in a list"] = { function(a) return { a, nil, a } end,
      "entry 2 is nil: is the variable spelled as the step's was, and set before?" },
    ["nil first in a list"] = { function(a) return { nil, a } end,
      "entry 1 is nil: is the variable spelled as the step's was, and set before?" },
    ["a number"] = { function() return 5 end,
      "expected a step, the name of one, or a list of them, got 5" },
    ["a number in a list"] = { function(a) return { a, 5 } end,
      "entry 2: expected a step, the name of one, or a list of them, got 5" },
    ["a name that nobody has"] = { function() return "ingst" end,
      'there is no step "ingst", did you mean ingest?' },
    ["a reference"] = { function(a) return a:exit() end,
      "ingest:exit() is a reference: give the step itself, after = ingest" },
    ["a step written into a text"] = { tostring,
      "a step was written into a text: give the step itself" },
    ["names as keys"] = { function(a) return { ingest = a } end,
      'expected a list of steps, found the key "ingest" in it' },
  } do
    it("is refused with " .. what .. " as `after`", function()
      assert.equal('step "b": after: ' .. row[2], refusal(function(flow)
        flow:notebook("b", { after = row[1](flow:notebook "ingest") })
      end))
    end)
  end

  it("does not take steps of another workflow, or of an earlier plan", function()
    local other
    plan(function(flow) other = flow:notebook "other" end)
    local tail = " belongs to another workflow, or to an earlier run of this one's function"
    local message = refusal(function(flow) flow:notebook("a", { after = other }) end)
    assert.matches('^step "a": after: step "other" %(.-:%d+%)', message)
    assert.equal(tail, message:sub(-#tail))
    message = refusal(function(flow) flow:notebook("a", { parameters = { x = other:exit() } }) end)
    assert.equal(tail, message:sub(-#tail))
  end)
end)

describe("When a step runs", function()
  local function when_of(given)
    local made = plan(function(flow)
      local ingest = flow:notebook "ingest"
      flow:notebook("b", { after = ingest, when = type(given) == "function" and given(ingest)
        or given })
    end)
    return made.by_name.b
  end

  it("is one of five words", function()
    for _, word in ipairs { "all_succeeded", "all_done", "any_failed", "any_succeeded",
      "none_failed" } do
      assert.same({ kind = word }, when_of(word).when)
    end
  end)

  it("is a condition on a reference, which is a dependency", function()
    local made = plan(function(flow)
      local check = flow:notebook "check"
      flow:notebook("a", { when = check:exit("mode"):is "full" })
      flow:notebook("b", { when = check:exit("n"):test(function(n) return n > 1 end) })
      flow:notebook("c", { when = check:exit("n"):is(1):default(false) })
      flow:notebook("d", { when = check:outcome():is "failed" })
    end)
    for _, name in ipairs { "a", "b", "c", "d" } do
      assert.equal("condition", made.by_name[name].when.kind)
      assert.same({ "check" }, names(made.by_name[name].after))
    end
  end)

  it("is a function, for the engine to call", function()
    local fn = function() return true end
    local step = when_of(function() return fn end)
    assert.same({ kind = "function", fn = fn }, step.when)
  end)

  for what, row in pairs {
    ["an unknown word"] = { "any_suceeded", 'when: "any_suceeded" is none of all_succeeded, '
      .. 'all_done, '
      .. "any_failed, any_succeeded, none_failed, did you mean any_succeeded?" },
    ["what == gave"] = { false, "when: got false, which is no condition: on a reference, == is "
      .. "false "
      .. 'at once, before any step has run: write step:exit("mode"):is("full")' },
    ["true"] = { true, "when: got true, which is no condition: " },
    ["a number"] = { 1, "when: expected one of all_succeeded, all_done, any_failed, any_succeeded, "
      .. 'none_failed, a condition such as step:exit("mode"):is("full"), or a function, got 1' },
    ["a value that is no condition"] = { function(s) return s:exit "mode" end,
      'when: ingest:exit("mode") is a value, not a condition: write '
        .. 'ingest:exit("mode"):is("…") or '
        .. 'ingest:exit("mode"):test(function(value) … end)' },
    ["a transformation"] = { function(s) return s:exit("n"):map(function() return true end) end,
      "when: ingest:exit(\"n\"):map(" },
  } do
    it("is refused as " .. what, function()
      local expected = 'step "b": ' .. row[2]
      assert.equal(expected, refusal(function(flow)
        local ingest = flow:notebook "ingest"
        local given = row[1]
        if type(given) == "function" then given = given(ingest) end
        flow:notebook("b", { after = ingest, when = given })
      end):sub(1, #expected))
    end)
  end

  it("is not decided in the plan: functions are not called", function()
    plan(function(flow)
      local function never() error "called" end
      local a = flow:notebook("a", { expect = never, retry = { attempts = 2, on = never } })
      flow:notebook("b", { after = a, when = never })
      flow:notebook("c", { when = a:exit():test(never), parameters = { x = a:exit():map(never) } })
      flow:each("d", a:exit(), { parameters = never, label = never, timeout = never })
      flow:each("e", { 1 }, { parameters = never, notebook = never, workspace = never,
        compute = never, deadline = never, priority = never, exclusive = never, tag = never })
    end)
  end)
end)

describe("A plan", function()
  it("is the same for the same inputs", function()
    local nightly = definition.new("nightly", function(flow)
      flow:defaults { workspace = "Sales" }
      local a = flow:notebook("a", { parameters = { from = flow:input "from" } })
      flow:each("b", { "x", "y" }, { after = a, parameters = function() return {} end })
    end)
    local given = { inputs = { from = "1" }, started_at = 1, run_id = "r" }
    local one, two = assert(nightly:plan(given)), assert(nightly:plan(given))
    assert.same(names(one.order), names(two.order))
    assert.same(one.inputs, two.inputs)
    assert.equal(one.steps[1].place, two.steps[1].place)
    assert.not_equal(one.steps[1], two.steps[1])
  end)

  it("has all a run is known by", function()
    local made = plan(function(flow)
      flow:input("from", { default = "2024-01" })
      flow:notebook "a"
    end)
    assert.same({ "nightly", "7f3a", support.STARTED }, { made.name, made.run_id, made.started_at })
    assert.same({ { name = "from", type = "Text", value = "2024-01" } }, made.inputs)
    assert.equal(made.steps[1], made.by_name.a)
    assert.equal(1, made.steps[1].index)
    assert.same({}, made.finally)
    assert.same({}, made.warnings)
  end)

  it("tells the warnings of bodies", function()
    local made = plan(function(flow)
      flow:notebook("a", { parameters = { v = 5000000000 } })
    end)
    assert.equal(1, #made.warnings)
    assert.matches('order_spec.lua:%d+: step "a": parameters.v', made.warnings[1])
  end)
end)
