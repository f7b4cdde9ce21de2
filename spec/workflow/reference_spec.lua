local evaluate = require "luafabric.workflow.evaluate"
local fabric = require "luafabric"
local json = require "luafabric.json"
local reference = require "luafabric.workflow.reference"
local support = require "spec.workflow.support"

local names, plan, sent, view = support.names, support.plan, support.sent, support.view

-- The reference that the function makes of a step "ingest".
local function of(make, kind)
  local ref
  plan(function(flow)
    local ingest
    if kind == "each" then
      ingest = flow:each("ingest", { { region = "eu" }, { region = "us" }, { region = "x" } })
    else
      ingest = flow:notebook "ingest"
    end
    ref = make(ingest, flow)
    reference.node(ref).is_used = true -- as in a field
  end)
  return ref
end

local function value(make, results, kind)
  local got, problem = reference.value(of(make, kind), view { ingest = results })
  return got, problem
end

local BODY = '{"regions":["eu","us"],"a":{"b":3,"none":null},"rows":[{"id":7}],"mode":"full",'
  .. '"rate":0.5,"empty":[],"nothing":{},"big":9007199254740993,"a.b":"dots","ok":false}'

describe("A reference", function()
  it("gives the exit value's text as it is", function()
    assert.equal("plain text", value(function(s) return s:exit() end, "plain text"))
    assert.equal(BODY, value(function(s) return s:exit() end, BODY))
  end)

  it("gives a part of an exit value that is JSON: by dots, or by exact keys", function()
    assert.equal(3, value(function(s) return s:exit "a.b" end, BODY))
    assert.equal(7, value(function(s) return s:exit("rows", 1, "id") end, BODY))
    assert.equal(7, value(function(s) return s:exit "rows.1.id" end, BODY))
    assert.same({ "eu", "us" }, value(function(s) return s:exit "regions" end, BODY))
    assert.equal("us", value(function(s) return s:exit("regions", 2) end, BODY))
    assert.equal(2, value(function(s) return s:exit(2) end, "[1,2]"))
    assert.is_false(value(function(s) return s:exit "ok" end, BODY))
  end)

  it("with a missing field names those that exist", function()
    local got, problem = value(function(s) return s:exit "a.c" end, BODY)
    assert.is_nil(got)
    assert.same({ step = "ingest", message = 'ingest:exit("a.c"): in the exit value of "ingest", '
      .. "a has no 'c'; it has: b, none" }, problem)
  end)

  it("tells null, no JSON, no exit value and what JSON cannot carry", function()
    local function message(make, text)
      local got, problem = value(make, text)
      assert.is_nil(got)
      assert.is_nil(problem.cause)
      return problem.message
    end
    assert.matches("it is null$", message(function(s) return s:exit "a.none" end, BODY))
    assert.matches("not JSON", message(function(s) return s:exit "a" end, "plain"))
    assert.equal('ingest:exit(): "ingest" gave no exit value',
      message(function(s) return s:exit() end, { outcome = "succeeded" }))
    assert.matches("beyond 2^53", message(function(s) return s:exit "big" end, BODY), 1, true)
  end)

  it("to a step that failed or was skipped has no value, and says which", function()
    local function problem(result)
      local got, found = value(function(s) return s:exit "a" end, result)
      assert.is_nil(got)
      return found
    end
    local failed = problem { outcome = "failed", exit_value = BODY }
    assert.same({ "failed", "ingest" }, { failed.cause, failed.step })
    assert.equal('ingest:exit("a"): step "ingest" ended as failed, so it has no exit value; '
      .. ":default(…) gives one", failed.message)
    assert.equal("failed", problem({ outcome = "timed_out" }).cause)
    assert.equal("failed", problem({ outcome = "skipped", skipped = "upstream" }).cause)
    assert.equal("condition", problem({ outcome = "skipped", skipped = "condition" }).cause)
    assert.matches("was skipped (condition)",
      problem({ outcome = "skipped", skipped = "condition" }).message, 1, true)
  end)

  it("with a default has that instead: missing, null, no JSON, failed, skipped", function()
    local function default(path, result)
      return value(function(s) return s:exit(path):default "d" end, result)
    end
    assert.equal("d", default("x", BODY))
    assert.equal("d", default("a.none", BODY))
    assert.equal("d", default("a", "plain"))
    assert.equal("d", default("a", { outcome = "succeeded" }))
    assert.equal("d", default("a", { outcome = "failed" }))
    assert.equal("d", default("a", { outcome = "skipped", skipped = "condition" }))
    assert.equal("full", default("mode", BODY))
    assert.is_false(value(function(s) return s:exit("x"):default(false) end, BODY))
    assert.same({ 1 }, value(function(s) return s:exit("x"):default { 1 } end, BODY))
    assert.is_false(value(function(s) return s:exit("x"):is(1):default(false) end, BODY))
    assert.is_false(value(function(s) return s:exit("x"):default(2):is(1) end, BODY))
  end)

  it("has a default of its own, whatever is done to a table that it was given", function()
    local given = { 1, { 2 } }
    local ref = of(function(s) return s:exit("x"):default(given) end)
    given[1], given[2][1] = 5, 5
    for _ = 1, 2 do
      local got = reference.value(ref, view { ingest = BODY })
      assert.same({ 1, { 2 } }, got)
      got[2][1] = 7
    end
  end)

  it("by :map is a list where the function gave an empty table", function()
    local got = value(function(s)
      return s:exit("x"):default {}:map(function() return {} end):default {}
    end, BODY)
    assert.equal("[]", json.encode(got))
  end)

  it("is not helped by a default where a value is there and cannot be carried", function()
    local got, problem = value(function(s) return s:exit("big"):default(1) end, BODY)
    assert.is_nil(got)
    assert.matches("beyond 2^53", problem.message, 1, true)
  end)

  it("compares with :is, numbers by value and all else exactly", function()
    local function is(path, wanted)
      return value(function(s) return s:exit(path):is(wanted) end, BODY)
    end
    assert.is_true(is("mode", "full"))
    assert.is_false(is("mode", "Full"))
    assert.is_true(is("a.b", 3))
    assert.is_true(is("a.b", 3.0))
    assert.is_true(is("a.b", fabric.types.integer "3"))
    assert.is_true(is("rate", fabric.types.number "0.50"))
    assert.is_false(is("a.b", "3"))
    assert.is_true(is("ok", false))
    assert.is_true(value(function(s) return s:exit():is "full" end, "full"))
    assert.is_true(value(function(s) return s:outcome():is "failed" end, { outcome = "failed" }))
  end)

  it("is tested and transformed by functions, which may not wait", function()
    local function apply(method, fn)
      return value(function(s) local ref = s:exit "a.b" return ref[method](ref, fn) end, BODY)
    end
    assert.is_true(apply("test", function(n) return n > 2 end))
    assert.is_false(apply("test", function(n) return n > 3 end))
    assert.equal(6, apply("map", function(n) return n * 2 end))
    local got, problem = apply("test", function() return "yes" end)
    assert.is_nil(got)
    assert.matches('the function must return true or false, it returned "yes"$', problem.message)
    got, problem = apply("map", function() error "no good" end)
    assert.is_nil(got)
    assert.matches("reference_spec.lua:%d+: in the function given to ingest:exit%(\"a.b\"%):map: "
      .. "no good$", problem.message)
    got, problem = apply("map", function() return nil end)
    assert.is_nil(got)
    assert.matches("the function returned nil$", problem.message)
    got, problem = apply("map", function() return print end)
    assert.is_nil(got)
    assert.matches("must return a value, it returned a function$", problem.message)
    got, problem = apply("test", function() require("luafabric.tasks").sleep(1) end)
    assert.is_nil(got)
    assert.matches("the function given to :test", problem.message, 1, true)
  end)

  it("joins with text, numbers and other references, on both sides", function()
    assert.equal("Files/full/in", value(function(s) return "Files/" .. s:exit "mode" .. "/in" end,
      BODY))
    assert.equal("full-3-0.5", value(function(s)
      return s:exit "mode" .. "-" .. s:exit "a.b" .. "-" .. s:exit "rate"
    end, BODY))
    assert.equal("1full2", value(function(s) return 1 .. s:exit "mode" .. 2 end, BODY))
    assert.equal('["eu","us"]!', value(function(s) return s:exit "regions" .. "!" end, BODY))
  end)

  it("gives outcome and failures of its step", function()
    assert.equal("failed", value(function(s) return s:outcome() end, { outcome = "failed" }))
    assert.same({ { label = "ingest", outcome = "failed", reason = "why", job_id = "1" } },
      value(function(s) return s:failures() end,
        { outcome = "failed", reason = "why", job_id = "1" }))
    assert.equal("[]", json.encode((value(function(s) return s:failures() end, "x"))))
  end)

  it("gives outcome and failures of the workflow", function()
    local ends = view({}, { { label = "a" } }, "cancelled")
    local made = plan(function(flow)
      flow:finally("r", { parameters = { a = flow:failures(), b = flow:outcome() } })
    end)
    assert.same({ a = 'Text [{"label":"a"}]', b = "Text cancelled" }, sent(made.steps[1], ends))
  end)

  it("names the steps it reads, and is shown as it was written and as a placeholder", function()
    local function shown(make)
      local ref = of(make)
      return reference.describe(ref), reference.placeholder(ref)
    end
    assert.same({ "ingest:exit()", "${ingest.exit}" }, { shown(function(s) return s:exit() end) })
    assert.same({ 'ingest:exit("a.b")', "${ingest.exit.a.b}" },
      { shown(function(s) return s:exit "a.b" end) })
    assert.same({ 'ingest:exit("rows", 1, "id")', "${ingest.exit.rows.1.id}" },
      { shown(function(s) return s:exit("rows", 1, "id") end) })
    assert.same({ 'ingest:exit("a"):default("x")', '${ingest.exit.a or "x"}' },
      { shown(function(s) return s:exit("a"):default "x" end) })
    assert.same({ 'ingest:exit("a"):is("full")', '${ingest.exit.a is "full"}' },
      { shown(function(s) return s:exit("a"):is "full" end) })
    assert.same({ '"Files/" .. ingest:exit("a") .. "/in"', "Files/${ingest.exit.a}/in" },
      { shown(function(s) return "Files/" .. s:exit "a" .. "/in" end) })
    assert.same({ "ingest:outcome()", "${ingest.outcome}" },
      { shown(function(s) return s:outcome() end) })
    assert.same({ "flow:failures()", "${failures}" },
      { shown(function(_, flow) return flow:failures() end) })
    local text = reference.describe(of(function(s) return s:exit("a"):map(function() end) end))
    assert.matches('^ingest:exit%("a"%):map%(function at .*reference_spec.lua:%d+%)$', text)
    assert.same({ "ingest" }, names(reference.steps(of(function(s) return s:exit("a"):is(1) end))))
  end)
end)

describe("A reference to an each", function()
  local results = { outcome = "failed", items = {
    { label = "eu", outcome = "succeeded", exit_value = '{"mape":1}' },
    { label = "us", outcome = "failed", reason = "why", job_id = "j" },
    { label = "x", outcome = "skipped", skipped = "tolerance" },
  } }

  it("is a list in item order, null where there is no success", function()
    assert.same({ 1, json.null, json.null },
      value(function(s) return s:exit "mape" end, results, "each"))
    assert.same({ '{"mape":1}', json.null, json.null },
      value(function(s) return s:exit() end, results, "each"))
    assert.same({ 1, 0, 0 }, value(function(s) return s:exit("mape"):default(0) end, results,
      "each"))
  end)

  it("says which item lacks the field", function()
    local got, problem = value(function(s) return s:exit "mse" end, results, "each")
    assert.is_nil(got)
    assert.equal("ingest:exit(\"mse\"): in the exit value of \"ingest[eu]\", it has no 'mse'; it "
      .. "has: "
      .. "mape", problem.message)
  end)

  it("lists its failures", function()
    assert.same({ { label = "us", outcome = "failed", reason = "why", job_id = "j" } },
      value(function(s) return s:failures() end, results, "each"))
  end)

  it("without items has no list", function()
    local got, problem = value(function(s) return s:exit "mape" end,
      { outcome = "skipped", skipped = "upstream" }, "each")
    assert.is_nil(got)
    assert.equal("failed", problem.cause)
    assert.same({}, value(function(s) return s:exit("mape"):default {} end,
      { outcome = "skipped", skipped = "upstream" }, "each"))
  end)
end)

describe("The value of a JSON text", function()
  it("keeps empty lists apart from empty objects", function()
    assert.equal('{"a":[],"b":{},"c":[[]]}',
      json.encode((evaluate.decode('{"a":[],"b":{},"c":[[]]}', {}))))
  end)
end)
