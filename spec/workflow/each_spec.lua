local request = require "luafabric.workflow.request"
local support = require "spec.workflow.support"

local plan, refusal, sent, step, view = support.plan, support.refusal, support.sent, support.step,
  support.view

local function labels(list)
  local found = {}
  for index, entry in ipairs(list) do found[index] = entry.label end
  return found
end

-- The labels of an each over a list, with a parameters function.
local function labels_of(list, label)
  local made = step(function(flow)
    flow:each("x", list, { label = label, parameters = function() return {} end })
  end)
  return labels(request.items(made, view {}))
end

local function none() return {} end

describe("flow:each", function()
  it("has items, and the fields of a step besides", function()
    local made = step(function(flow)
      flow:each("clean", { { region = "eu" } }, { notebook = "Clean region", max_concurrency = 4,
        tolerate = 1, timeout = "1h" })
    end)
    assert.equal("each", made.kind)
    assert.same({ { region = "eu" } }, made.items)
    assert.equal("Clean region", made.fields.notebook)
    assert.equal(4, made.max_concurrency)
    assert.same({ count = 1 }, made.tolerate)
    assert.equal(3600, made.timeout)
  end)

  it("tolerates nothing unless it says so: a count, or a share", function()
    local function tolerate(given)
      return step(function(flow)
        flow:each("x", {}, { tolerate = given })
      end).tolerate
    end
    assert.same({ count = 0 }, tolerate(nil))
    assert.same({ count = 0 }, tolerate(0))
    assert.same({ percent = 5 }, tolerate "5%")
    assert.same({ percent = 0.5 }, tolerate "0.5%")
    assert.same({ percent = 100 }, tolerate "100%")
    for _, bad in ipairs { -1, 1.5, "5", "101%", "x%" } do
      assert.equal(('step "x": tolerate: expected how many items may fail, 2 or "5%%", got '
        .. '%s'):format(
        type(bad) == "string" and '"' .. bad .. '"' or tostring(bad)), refusal(function(flow)
          flow:each("x", {}, { tolerate = bad })
        end))
    end
  end)

  it("sends a table item's fields as its parameters, over the defaults, under its own", function()
    local made = plan(function(flow)
      flow:defaults { parameters = { mode = "d", level = "d", region = "d" } }
      flow:each("x", { { region = "eu", n = 1 } }, { parameters = { mode = "own", n = 2 } })
      flow:each("bare", { { region = "eu" } })
      flow:each("off", { { region = "eu" } }, { parameters = false })
    end)
    local function of(name)
      local each = made.by_name[name]
      return sent(each, nil, request.items(each, view {})[1].item, 1)
    end
    assert.same({ region = "Text eu", n = "Integer 2", mode = "Text own", level = "Text "
      .. "d" }, of "x")
    assert.same({ region = "Text eu", mode = "Text d", level = "Text d" }, of "bare")
    assert.same({}, of "off")
  end)

  it("calls a parameters function with item and index; its result goes over the "
    .. "defaults", function()
    local made = step(function(flow)
      flow:defaults { parameters = { mode = "d", region = "d" } }
      flow:each("x", { "eu", "us" }, { parameters = function(region, index)
        return { region = region, n = index }
      end })
    end)
    assert.same({ region = "Text us", n = "Integer 2", mode = "Text d" },
      sent(made, nil, "us", 2))
  end)

  it("lets any field be a function of the item", function()
    local made = step(function(flow)
      local function of(value) return function(item, index) return value(item, index) end end
      flow:each("x", { "a", "b" }, {
        notebook = of(function(item) return "Load " .. item end),
        workspace = of(function(item) return "W" .. item end),
        compute = of(function() return { compute = "Jupyter" } end),
        timeout = of(function(_, index) return index .. "h" end),
        deadline = of(function() return "06:00Z" end),
        priority = of(function(_, index) return index end),
        exclusive = of(function() return true end), tag = of(function() return false end) })
    end)
    local built = request.build(made, view {}, "b", 2)
    assert.same({ notebook = "Load b", workspace = "Wb", compute = { compute = "Jupyter" },
      timeout = 7200, deadline = support.STARTED + 21600, priority = 2, exclusive = true,
      tag = false, parameters = {}, masks = {} }, built)
  end)

  it("keeps the default where such a function returns nothing, and has none where false", function()
    local function built(fn)
      local made = step(function(flow)
        flow:defaults { timeout = "5m", priority = 3, tag = true }
        flow:each("x", { 1 }, { parameters = none, timeout = fn, priority = fn, tag = fn,
          deadline = fn, exclusive = fn })
      end)
      local got = assert(request.build(made, view {}, 1, 1))
      return { got.timeout or "none", got.priority or "none", tostring(got.tag),
        got.deadline or "none", tostring(got.exclusive) }
    end
    assert.same({ 300, 3, "true", "none", "false" }, built(function() return nil end))
    assert.same({ "none", "none", "false", "none", "false" }, built(function() return false end))
  end)

  it("rejects what such a function returns wrongly, and tells where it raised", function()
    local function message(field, fn)
      local made = step(function(flow)
        flow:each("x", { "a" }, { [field] = fn })
      end)
      local built, problem = request.build(made, view {}, "a", 1)
      assert.is_nil(built)
      return problem
    end
    assert.matches("each_spec.lua:%d+: in the function given as parameters: no good$",
      message("parameters", function() error "no good" end))
    assert.equal("the function given as parameters must return a table of names and values, it "
      .. "returned nil", message("parameters", function() end))
    assert.equal("the function given as parameters must return names and values, the key 1 is none",
      message("parameters", function() return { "x" } end))
    assert.equal("parameters.x: a function is not a parameter value; JSON text, or "
      .. "types.automatic, "
      .. "can carry a table", message("parameters", function() return { x = print } end))
    assert.equal("notebook: expected a name or an id, got 5",
      message("notebook", function() return 5 end))
    assert.equal("the function given as timeout: timeout: must be more than 0; false takes away "
      .. "the "
      .. "default", message("timeout", function() return 0 end))
    assert.matches('^the function given as priority: priority: expected a number, got "x"',
      message("priority", function() return "x" end))
    assert.matches("each_spec.lua:%d+: in the function given as notebook: ",
      message("notebook", function(item) return item.x.y end))
    assert.matches("the function given as parameters", message("parameters", function()
      require("luafabric.tasks").sleep(1)
    end), 1, true)
    assert.equal("the function given as compute must return fabric.spark { … } or the like, it "
      .. 'returned "big"', message("compute", function() return "big" end))
  end)

  it("takes references from a parameters function when their step is before", function()
    local made = plan(function(flow)
      local first = flow:notebook "first"
      local second = flow:notebook("second", { after = first })
      flow:notebook "apart"
      flow:each("x", { "a" }, { after = second, parameters = function()
        return { path = "F/" .. first:exit "f" }
      end })
    end)
    assert.same({ path = "Text F/G" },
      sent(made.by_name.x, view { first = '{"f":"G"}' }, "a", 1))
  end)

  it("rejects a reference to a step that is not before, naming `after`", function()
    local made = plan(function(flow)
      local apart = flow:notebook "apart"
      flow:each("x", { "a" }, { parameters = function() return { v = apart:exit() } end })
    end)
    local got, message = sent(made.by_name.x, view { apart = "1" }, "a", 1)
    assert.is_nil(got)
    assert.matches('each_spec.lua:%d+: step "x": parameters.v: apart:exit%(%) reads step "apart", '
      .. "which is not before it: add it to `after`$", message)
  end)

  it("rejects a reference written into a text by a function, and a step as a value", function()
    local made = plan(function(flow)
      local a = flow:notebook "a"
      flow:each("x", { 1 }, { after = a, parameters = function()
        return { v = "F/" .. tostring(a:exit()) }
      end })
      flow:each("y", { 1 }, { after = a, parameters = function() return { v = a } end })
    end)
    local _, message = sent(made.by_name.x, view { a = "1" }, 1, 1)
    assert.equal("parameters.v holds a reference written into a text by %s or tostring: join "
      .. 'with .. instead, as in "Files/" .. step:exit("folder")', message)
    _, message = sent(made.by_name.y, view { a = "1" }, 1, 1)
    assert.equal('parameters.v: step "a" is no value: use a:exit() for its exit value, or '
      .. "a:outcome()", message)
  end)

  it("carries tables that items hold as JSON text", function()
    local made = step(function(flow)
      flow:each("x", { "a" }, { parameters = function() return { v = { 1, { b = 2 } } } end })
    end)
    assert.same({ v = 'Text [1,{"b":2}]' }, sent(made, nil, "a", 1))
  end)

  it("accepts an empty list", function()
    assert.same({}, labels_of {})
  end)

  for what, row in pairs {
    ["nothing"] = { function() return nil end,
      "expected a list of items, or a reference to one, got nil" },
    ["a text"] = { function() return "eu" end,
      'expected a list of items, or a reference to one, got "eu"' },
    ["a step"] = { function(s) return s end,
      'a step is no list of items: use ingest:exit("name")' },
    ["names as keys"] = { function() return { eu = 1 } end,
      'expected a list of items, found the key "eu" in it' },
    ["a hole"] = { function() return { 1, nil, 3 } end, "there is a nil in the list of items" },
    ["a reference in the list"] = { function(s) return { s:exit() } end,
      "item 1 is a reference, which has no value yet: for a list that a notebook gives, give the "
        .. "reference itself in place of the list" },
    ["a reference in an item"] = { function(s) return { { p = s:exit() } } end,
      "item 1: p is a reference, which has no value yet: write parameters = function(item) "
        .. "return { "
        .. "…, p = … } end" },
    ["a function in the list"] = { function() return { print } end, "item 1 is a function" },
    ["plain items that go nowhere"] = { function() return { "eu" } end, "item 1 (eu) is a plain "
      .. "value, "
      .. "and nothing says where it goes: write parameters = function(item) return { name = item "
        .. "} end" },
    ["items that are the same"] = { function() return { { r = "eu" }, { r = "eu" } } end,
      'items 1 and 2 have the same label "r=eu": take one out, or tell them apart with label = '
        .. "function(item, index) … end" },
    ["an item's field that is no parameter"] = { function() return { { x = print } } end,
      "parameters.x: a function is not a parameter value; JSON text, or types.automatic, can "
        .. "carry a "
        .. "table" },
    ["items that are lists"] = { function() return { { 1, 2 } } end, 'item "1,2": its fields are '
      .. 'no '
      .. "parameters, which have names: write parameters = function(item) return { … } end" },
  } do
    it("is refused with " .. what, function()
      assert.equal('step "x": ' .. row[2], refusal(function(flow)
        local ingest = flow:notebook "ingest"
        flow:each("x", row[1](ingest))
      end))
    end)
  end

  for _, field in ipairs { "when", "expect", "retry" } do
    it("does not call a function of the item for " .. field, function()
      local made = step(function(flow)
        flow:each("x", {}, { [field] = field == "retry" and { attempts = 2, on = none } or none })
      end)
      assert.is_nil(made.item_functions)
    end)
  end
end)

describe("A request in a plan", function()
  it("of an each shows an item's, and a placeholder where there is none", function()
    local made = plan(function(flow)
      local p = flow:notebook "p"
      flow:each("a", { { r = "eu" } }, { parameters = { x = p:exit "n" } })
      flow:each("b", p:exit(), { parameters = function(item) return { v = item } end,
        notebook = function(item) return "N" .. item end })
      flow:each("c", p:exit())
    end)
    local function body(name, ...) return request.shown(made.by_name[name], ...).body end
    assert.equal('{"parameters":[{"name":"r","type":"Text","value":"eu"},{"name":"x","type":"by '
      .. 'value"'
      .. ',"value":"${p.exit.n}"}]}', body("a", { r = "eu" }, 1))
    assert.equal('{"parameters":"${parameters(item)}"}', body "b")
    assert.equal("${notebook(item)}", request.shown(made.by_name.b).notebook)
    assert.equal('{"parameters":[{"name":"v","type":"Integer","value":7}]}', body("b", 7, 1))
    assert.equal('{"parameters":[{"name":"${item}","type":"by '
      .. 'value","value":"${item}"}]}', body "c")
  end)
end)
