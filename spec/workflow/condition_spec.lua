-- Conditions: what they may compare with, and what happens to those that Lua looked at by itself.

local fabric = require "luafabric"
local support = require "spec.workflow.support"

local plan, refusal = support.plan, support.refusal

local NOWHERE = "is used nowhere: Lua's and, or, if and not cannot look into a condition, whose "
  .. "value is not there yet: give it as when = …, or several as when = function(results) … end"

describe("A condition", function()
  for what, use in pairs {
    ["`and`"] = function(condition, flow, a)
      flow:notebook("b", { after = a, when = condition and a:exit("y"):is("go") })
    end,
    ["`if`"] = function(condition, flow, a)
      if condition then flow:notebook("b", { after = a }) end
    end,
    ["`if`, with a default"] = function(condition, flow, a)
      if condition:default(true) then flow:notebook("b", { after = a }) end
    end,
    ["`not`"] = function(condition, flow, a)
      flow:notebook("b", { after = a, parameters = { skip = not condition } })
    end,
  } do
    it("that only Lua's " .. what .. " looked at is refused", function()
      local said = refusal(function(flow)
        local a = flow:notebook "a"
        use(a:exit("x"):is("full"), flow, a)
      end)
      assert.matches('^a:exit%("x"%):is%("full"%)', said)
      assert.equal(NOWHERE, said:sub(-#NOWHERE))
    end)
  end

  it("of `or` is the first one, so that the second is refused", function()
    assert.equal('a:exit("y"):is("go") ' .. NOWHERE, refusal(function(flow)
      local a = flow:notebook "a"
      local first, second = a:exit("x"):is("full"), a:exit("y"):is("go")
      flow:notebook("b", { when = first or second })
    end))
  end)

  it("may be used as `when`, as a parameter, in another reference, and in a function", function()
    plan(function(flow)
      local a = flow:notebook "a"
      local function condition(name) return a:exit(name):is("full") end
      local inner, in_table = condition "d", { condition "e" }
      flow:notebook("b", { when = condition("b"):default(false), parameters = {
        is = condition "p", text = "is " .. condition "q",
        map = condition("r"):map(tostring) } })
      flow:each("c", fabric.matrix { x = condition("m"):map(function() return { 1 } end) }, {
        after = a,
        parameters = function() return { d = inner, e = in_table[1] } end })
    end)
  end)
end)

describe("A condition by :is", function()
  it("on the exit value's text takes texts only", function()
    local function said(value)
      return refusal(function(flow)
        flow:notebook("b", { when = flow:notebook "a":exit():is(value) })
      end)
    end
    assert.equal('a:exit():is: an exit value is a text, and 5 is none: write :is("5"), or read it '
      .. 'as JSON with exit("name")', said(5))
    assert.matches("and true is none", said(true), 1, true)
    assert.matches("and 1.5 is none", said(fabric.types.number(1.5)), 1, true)
  end)

  it("on an outcome takes outcomes only", function()
    assert.equal('a:outcome():is: "suceeded" is none of succeeded, failed, cancelled, deduped, '
      .. "timed_out, rejected, unauthorized, capacity, throttled, platform, unknown, skipped, did "
      .. "you mean succeeded?", refusal(function(flow)
        flow:notebook("b", { when = flow:notebook "a":outcome():is "suceeded" })
      end))
    assert.equal('flow:outcome():is: "skipped" is none of succeeded, failed, cancelled, timed_out, '
      .. "unauthorized, unknown", refusal(function(flow)
        flow:finally("b", { when = flow:outcome():is "skipped" })
      end))
    plan(function(flow)
      local a = flow:notebook "a"
      flow:notebook("b", { when = a:outcome():is "skipped" })
      flow:finally("c", { when = flow:outcome():is "unauthorized" })
    end)
  end)
end)
