-- References where a value is expected: in a field they are the dependency, elsewhere they say so.

local fabric = require "luafabric"
local request = require "luafabric.workflow.request"
local secret = require "luafabric.workflow.secret"
local support = require "spec.workflow.support"

local names, plan, refusal, sent, view = support.names, support.plan, support.refusal, support.sent,
  support.view

local BODY = '{"regions":["eu","us"],"a":{"b":3,"none":null},"rows":[{"id":7}],"mode":"full",'
  .. '"rate":0.5,"empty":[],"nothing":{},"big":9007199254740993,"a.b":"dots","ok":false}'

describe("A reference as a parameter", function()
  local function parameter(make, text)
    local made = plan(function(flow)
      local ingest = flow:notebook "ingest"
      flow:notebook("b", { parameters = { x = make(ingest) } })
    end)
    local got, message = sent(made.by_name.b, view { ingest = text or BODY })
    return got and got.x, message
  end

  it("is typed by its value; a table becomes JSON text, an empty list stays one", function()
    assert.equal("Text full", parameter(function(s) return s:exit "mode" end))
    assert.equal("Integer 3", parameter(function(s) return s:exit "a.b" end))
    assert.equal("Number 0.5", parameter(function(s) return s:exit "rate" end))
    assert.equal("Boolean false", parameter(function(s) return s:exit "ok" end))
    assert.equal('Text ["eu","us"]', parameter(function(s) return s:exit "regions" end))
    assert.equal("Text []", parameter(function(s) return s:exit "empty" end))
    assert.equal("Text {}", parameter(function(s) return s:exit "nothing" end))
    assert.equal('Text {"l":[]}', parameter(function(s) return s:exit "o" end, '{"o":{"l":[]}}'))
    assert.equal("DateTime 2026-01-01T00:00:00Z", parameter(function(s)
      return s:exit("mode"):map(function() return fabric.types.datetime "2026-01-01T00:00:00Z" end)
    end))
  end)

  it("is the dependency", function()
    local made = plan(function(flow)
      local a, b, c = flow:notebook "a", flow:notebook "b", flow:notebook "c"
      flow:notebook("d", { after = b, notebook = a:exit "name", workspace = "W" .. b:exit(),
        compute = fabric.spark { executorCores = c:exit("cores"):default(8) } })
    end)
    local after = names(made.by_name.d.after)
    table.sort(after)
    assert.same({ "a", "b", "c" }, after)
  end)

  it("rejects the step when it is missing, with the parameter's name", function()
    local got, message = parameter(function(s) return s:exit "x" end, '{"a":1}')
    assert.is_nil(got)
    assert.equal("parameters.x: ingest:exit(\"x\"): in the exit value of \"ingest\", it has no "
      .. "'x'; "
      .. "it has: a", message)
  end)

  it("may be notebook, workspace or part of the compute", function()
    local made = plan(function(flow)
      local a = flow:notebook "a"
      flow:notebook("b", { notebook = a:exit "n", workspace = a:exit "w",
        compute = fabric.spark { executorCores = a:exit "c" } })
    end)
    local built = request.build(made.by_name.b, view { a = '{"n":"N","w":"W","c":8}' })
    assert.equal("N", built.notebook)
    assert.equal("W", built.workspace)
    assert.equal(8, built.compute.computeConfiguration.executorCores)
    local nothing, message = request.build(made.by_name.b, view { a = '{"n":1,"w":"W","c":8}' })
    assert.is_nil(nothing)
    assert.equal("notebook: expected a name or an id, got 1", message)
    nothing, message = request.build(made.by_name.b, view { a = '{"n":"N","w":"W","c":5}' })
    assert.is_nil(nothing)
    assert.equal("executionData.computeConfiguration.executorCores: 5 is not one of 4, 8, 16, "
      .. "32, 64",
      message)
  end)
end)

describe("A reference used as a value", function()
  local exit = 'ingest:exit("n")'

  for what, row in pairs {
    ["calculated with"] = { function(r) return r + 1 end,
      " cannot be calculated with, since its value is not there yet: use :map(function(value) "
        .. "… end)" },
    ["calculated with from the left"] = { function(r) return 1 - r end,
      " cannot be calculated with, since its value is not there yet: use :map(function(value) "
        .. "… end)" },
    ["negated"] = { function(r) return -r end,
      " cannot be calculated with, since its value is not there yet: use :map(function(value) "
        .. "… end)" },
    ["compared with another"] = { function(r, other) return r < other end,
      " cannot be compared, since its value is not there yet: use :is(value) or "
        .. ":test(function(value) … end)" },
    ["== to another"] = { function(r, other) return r == other end,
      " cannot be compared, since its value is not there yet: use :is(value) or "
        .. ":test(function(value) … end)" },
    ["called"] = { function(r) return r() end, " is not a function" },
    ["changed"] = { function(r) r.x = 1 end, " cannot be changed" },
    ["indexed"] = { function(r) return r.x end, ' has no field "x": a reference has the methods '
      .. 'default, is, test and map; a part of an exit value is step:exit("a.b")' },
  } do
    it("says what to do when it is " .. what, function()
      assert.equal(exit .. row[2], refusal(function(flow)
        local ingest = flow:notebook "ingest"
        return row[1](ingest:exit "n", ingest:exit "m")
      end))
    end)
  end

  it("says how a field of the exit value is written", function()
    assert.equal('ingest:exit() has no field "regions": write ingest:exit("regions")',
      refusal(function(flow) return flow:notebook "ingest":exit().regions end))
  end)

  it("never leaves inside a text", function()
    local advice = " holds a reference written into a text by %s or tostring: join with .. "
      .. "instead, "
      .. 'as in "Files/" .. step:exit("folder")'
    local function with(make)
      return refusal(function(flow) make(flow, tostring(flow:notebook "ingest":exit "n")) end)
    end
    assert.equal('step "b": parameters.x' .. advice,
      with(function(flow, text) flow:notebook("b", { parameters = { x = "F/" .. text } }) end))
    assert.equal('step "b": notebook' .. advice,
      with(function(flow, text) flow:notebook("b", { notebook = text }) end))
    assert.equal('step "b": compute.computeConfiguration.name' .. advice,
      with(function(flow, text) flow:notebook("b", { compute = fabric.spark { name = text } }) end))
    assert.equal('step "b": parameters.x' .. advice, with(function(flow, text)
      flow:notebook("b", { parameters = { x = fabric.types.text(text) } })
    end))
    assert.equal('step "b": parameters.x' .. advice, with(function(flow, text)
      flow:notebook("b", { parameters = { x = secret.new(text) } })
    end))
    assert.equal("flow:notebook: the name holds a reference or a secret",
      with(function(flow, text) flow:notebook(text) end))
    assert.equal("the text holds a reference written into it by %s or tostring: join with .. "
      .. "instead, "
      .. 'as in "Files/" .. step:exit("folder")', with(function(flow, text)
        return text .. flow:notebook "x":exit()
      end))
  end)

  it("refuses paths, defaults and conditions that make no sense", function()
    local function with(make)
      return refusal(function(flow) return make(flow:notebook "ingest") end)
    end
    local path = 'ingest:exit: expected a path such as "a.b", or keys (texts, and indices from 1 '
      .. 'up), '
      .. "got "
    assert.equal(path .. "nil", with(function(s) return s:exit(nil) end))
    assert.equal(path .. "0", with(function(s) return s:exit("a", 0) end))
    assert.equal(path .. "true", with(function(s) return s:exit(true) end))
    assert.equal('ingest:exit: "a..b" has an empty name between its dots; write a name with dots '
      .. 'as '
      .. "one of several keys", with(function(s) return s:exit "a..b" end))
    assert.equal(":default takes a text, a number or a boolean, got nil",
      with(function(s) return s:exit():default() end))
    assert.equal(":default takes a value, not another reference",
      with(function(s) return s:exit():default(s:exit()) end))
    assert.equal(":is takes a text, a number or a boolean, got a table",
      with(function(s) return s:exit():is {} end))
    assert.equal(":map takes a function of the value, got 5",
      with(function(s) return s:exit():map(5) end))
    assert.equal(":is was called with a dot: write ref:is(…)",
      with(function(s) return s:exit().is "x" end))
    assert.equal("a secret and a reference cannot be joined: give them as two parameters, and join "
      .. "them in the notebook", with(function(s) return s:exit() .. secret.new "x" end))
    assert.equal("a secret and a reference cannot be joined: give them as two parameters, and join "
      .. "them in the notebook", with(function(s) return secret.new "x" .. s:exit() end))
    assert.equal("a reference cannot be joined with true",
      with(function(s) return s:exit() .. true end))
  end)
end)

describe("A step used as a value", function()
  local function with(make)
    return refusal(function(flow) return make(flow:notebook "ingest", flow) end)
  end

  it("says which reference was meant", function()
    local advice = "use ingest:exit() for its exit value, or ingest:outcome()"
    assert.equal('step "b": parameters.x: step "ingest" is no value: ' .. advice,
      with(function(s, flow) flow:notebook("b", { parameters = { x = s } }) end))
    assert.equal('step "b": notebook: step "ingest" is no value: ' .. advice,
      with(function(s, flow) flow:notebook("b", { notebook = s }) end))
    for deed, act in pairs { [".."] = function(s) return "x" .. s end,
      arithmetic = function(s) return s + 1 end, ["a call"] = function(s) return s() end,
      ["an assignment"] = function(s) s.x = 1 end } do
      assert.equal(('step "ingest" is used as a value (%s), and is none: %s'):format(deed, advice),
        with(act))
    end
    assert.equal('step "ingest" has no field "regions": write ingest:exit("regions") for a part of '
      .. "its exit value; ingest:outcome() and ingest:failures() are there too",
      with(function(s) return s.regions end))
    assert.equal("step.exit was called with a dot: write step:exit(…)",
      with(function(s) return s.exit "x" end))
    assert.matches('^step "b": parameters.x holds a reference written into a text',
      with(function(s, flow) flow:notebook("b", { parameters = { x = tostring(s) } }) end))
  end)
end)
