local core = require "luafabric.core"
local fabric = require "luafabric"
local request = require "luafabric.workflow.request"
local secret = require "luafabric.workflow.secret"
local support = require "spec.workflow.support"

local plan, step, view = support.plan, support.step, support.view

local function shown(fn, ...)
  local made, message = request.shown(step(fn), ...)
  return assert(made, message)
end

describe("A request", function()
  it("has parameters sorted by name and typed by their values", function()
    local made = step(function(flow)
      flow:notebook("a", { timeout = "1h", parameters = { text = "x", int = 5, num = 0.5,
        yes = true, day = fabric.types.datetime "2026-11-23T00:00:00Z" } })
    end)
    assert.same({ workspace = "Sales", notebook = "a", timeout = 3600, priority = 0,
      exclusive = false, masks = {}, parameters = {
        { name = "day", type = "DateTime", value = "2026-11-23T00:00:00Z" },
        { name = "int", type = "Integer", value = 5 },
        { name = "num", type = "Number", value = 0.5 },
        { name = "text", type = "Text", value = "x" },
        { name = "yes", type = "Boolean", value = true },
      } }, request.build(made, view {}))
  end)

  it("holds secrets, and the texts that must be seen nowhere", function()
    local made = step(function(flow)
      flow:notebook("a", { parameters = { key = secret.new "hush",
        day = secret.new(fabric.types.datetime "2026-11-23T00:00:00Z") },
        compute = fabric.spark { sparkProperties = { ["spark.k"] = secret.new "hush2" } } })
    end)
    local built = request.build(made, view {})
    assert.same({ { name = "day", type = "DateTime", value = "2026-11-23T00:00:00Z" },
      { name = "key", type = "Text", value = "hush" } }, built.parameters)
    assert.equal("hush2", built.compute.computeConfiguration.sparkProperties["spark.k"])
    table.sort(built.masks)
    assert.same({ "2026-11-23T00:00:00Z", "hush", "hush2" }, built.masks)
  end)

  it("does not share its tables with the plan", function()
    local made = step(function(flow)
      flow:notebook("a", { compute = fabric.spark { executorCores = 8 } })
    end)
    request.build(made, view {}).compute.computeConfiguration.executorCores = 16
    assert.equal(8, request.build(made, view {}).compute.computeConfiguration.executorCores)
  end)
end)

describe("A request as a plan shows it", function()
  it("is the exact body where all is known", function()
    local body = shown(function(flow)
      flow:notebook("a", { parameters = { n = fabric.types.integer "9007199254740993" },
        compute = fabric.spark { executorCores = 8 } })
    end).body
    assert.equal(core.encode_run { executionData = fabric.spark { executorCores = 8 },
      parameters = { { name = "n", type = "Integer", value = "9007199254740993" } } }, body)
  end)

  it("is nothing but names where nothing else is said", function()
    assert.same({ workspace = "Sales", notebook = "a" },
      shown(function(flow) flow:notebook "a" end))
  end)

  it("has placeholders for what is not known", function()
    local made = shown(function(flow)
      local a = flow:notebook "a"
      flow:notebook("b", { notebook = "N" .. a:exit "n", workspace = a:exit "w", parameters = {
        p = "F/" .. a:exit "f", t = a:exit(), v = a:exit "v", d = a:exit("d"):default(3) },
        compute = fabric.spark { executorCores = a:exit "c" } })
    end)
    assert.equal("N${a.exit.n}", made.notebook)
    assert.equal("${a.exit.w}", made.workspace)
    assert.equal('{"executionData":{"compute":"Spark","computeConfiguration":{"executorCores":'
      .. '"${a.exit.c}"}},"parameters":[{"name":"d","type":"by value","value":"${a.exit.d or 3}"},'
      .. '{"name":"p","type":"Text","value":"F/${a.exit.f}"},{"name":"t","type":"Text","value":'
      .. '"${a.exit}"},{"name":"v","type":"by value","value":"${a.exit.v}"}]}', made.body)
  end)

  it("shows no secret", function()
    local made = shown(function(flow)
      flow:notebook("a", { parameters = { key = secret.new "hush", n = secret.new(5) },
        compute = fabric.spark { name = secret.new "hush" } })
    end)
    assert.equal('{"executionData":{"compute":"Spark","computeConfiguration":{"name":"***"}},'
      .. '"parameters":[{"name":"key","type":"Text","value":"***"},'
      .. '{"name":"n","type":"Integer","value":"***"}]}', made.body)
  end)

  it("tells what a function of the item raised", function()
    local made = step(function(flow)
      flow:each("a", { 1 }, { parameters = function() error "oh" end })
    end)
    local nothing, message = request.shown(made, 1, 1)
    assert.is_nil(nothing)
    assert.matches("request_spec.lua:%d+: in the function given as parameters: oh$", message)
  end)
end)

describe("expect", function()
  local function judge(fn, text)
    local made = step(function(flow) flow:notebook("a", { expect = fn }) end)
    return request.expect(made, text)
  end

  it("judges the exit value: JSON decoded, other text as it is", function()
    local seen
    local function keep(value) seen = value return true end
    assert.is_true(judge(keep, '{"rows":3}'))
    assert.same({ rows = 3 }, seen)
    assert.is_true(judge(keep, "plain"))
    assert.equal("plain", seen)
    assert.is_true(judge(keep, nil))
    assert.is_nil(seen)
  end)

  it("says no with a reason", function()
    assert.same({ false, "no rows" }, { judge(function() return false, "no rows" end, "1") })
    assert.same({ false, "expect returned false" }, { judge(function() return false end, "1") })
    assert.same({ false, "expect returned nothing" }, { judge(function() end, "1") })
  end)

  it("says no when it raises, waits, or answers neither true nor false", function()
    local ok, reason = judge(function(exit) return exit.rows > 0 end, nil)
    assert.is_false(ok)
    assert.matches("request_spec.lua:%d+: in the function given as expect: attempt", reason)
    ok, reason = judge(function() return 5 end, "1")
    assert.is_false(ok)
    assert.equal("the function given as expect must return true, or false and a reason; it "
      .. "returned 5",
      reason)
    ok, reason = judge(function() require("luafabric.tasks").sleep(1) end, "1")
    assert.is_false(ok)
    assert.matches("the function given as expect", reason, 1, true)
  end)

  it("is not there for a step that has none", function()
    assert.is_true((judge(nil, "x")))
    local made = plan(function(flow)
      flow:switch("s", "x", { x = { notebook = "X", expect = function() return false, "r" end } })
    end)
    assert.same({ false, "r" }, { request.expect(made.by_name.s.branches.x, "1") })
  end)
end)
