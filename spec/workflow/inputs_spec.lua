local definition = require "luafabric.workflow.definition"
local secret = require "luafabric.workflow.secret"
local support = require "spec.workflow.support"
local types = require "luafabric.types"

local plan, refusal, sent = support.plan, support.refusal, support.sent

local GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"

-- What the function sees, and what is sent when it gives that as a parameter.
local function input(options, given)
  local seen
  local made = plan(function(flow)
    seen = flow:input("x", options)
    flow:notebook("a", { parameters = { x = seen } })
  end, { x = given })
  return seen, sent(made.steps[1]).x, made
end

describe("An input", function()
  it("is Text unless it says otherwise, and a value at once", function()
    local seen, out = input(nil, "2024-01")
    assert.equal("2024-01", seen)
    assert.equal("Text 2024-01", out)
  end)

  for _, row in ipairs {
    { "Integer", "5", 5, "Integer 5" }, { "Integer", 5, 5, "Integer 5" },
    { "Integer", types.integer(5), 5, "Integer 5" },
    { "Number", "0.5", 0.5, "Number 0.5" }, { "Number", types.integer(5), 5 },
    { "Boolean", "true", true, "Boolean true" }, { "Boolean", false, false, "Boolean false" },
    { "Text", types.text "a", "a", "Text a" },
  } do
    it(("of type %s takes %s %s"):format(row[1], type(row[2]), tostring(row[2])), function()
      local seen, out = input({ type = row[1] }, row[2])
      assert.equal(row[3], seen)
      if row[4] then assert.equal(row[4], out) end
    end)
  end

  it("is sent as its type where Lua has none: DateTime, Guid, and behaves as its text", function()
    local seen, out = input({ type = "DateTime" }, "2026-11-23T00:00:00Z")
    assert.equal("DateTime 2026-11-23T00:00:00Z", out)
    assert.equal("2026-11-23T00:00:00Z", tostring(seen))
    assert.equal("day 2026-11-23T00:00:00Z!", "day " .. seen .. "!")
    assert.equal("2026-11-23", seen:sub(1, 10))
    assert.is_true(seen < input({ type = "DateTime" }, "2026-11-24T00:00:00Z"))
    assert.is_true(seen == input({ type = "DateTime" }, types.datetime "2026-11-23T00:00:00Z"))
    seen, out = input({ type = "Guid" }, GUID)
    assert.equal(GUID, tostring(seen))
    assert.equal("Guid " .. GUID, out)
  end)

  it("keeps digits that Lua cannot hold, and JSON as it is", function()
    local digits, out = input({ type = "Integer" }, "9007199254740993")
    assert.is_truthy(digits)
    assert.equal("Integer 9007199254740993", out)
    local seen = input({ type = "Automatic" }, '{"a":1}')
    assert.same({ a = 1 }, seen.value)
  end)

  it("has its default where none is given", function()
    local seen, _, made = input({ type = "Integer", default = 7 })
    assert.equal(7, seen)
    assert.same({ { name = "x", type = "Integer", value = 7 } }, made.inputs)
    assert.equal(8, (input({ type = "Integer", default = 7 }, "8")))
  end)

  it("that is secret is sent and shown nowhere", function()
    local seen, out, made = input({ secret = true }, "hush")
    assert.is_true(secret.is(seen))
    assert.equal("Text hush", out)
    assert.same({ { name = "x", type = "Text", value = "***", secret = true } }, made.inputs)
    seen, out = input({ secret = true, type = "DateTime" }, "2026-11-23T00:00:00Z")
    assert.is_true(secret.is(seen))
    assert.equal("DateTime 2026-11-23T00:00:00Z", out)
    assert.equal('input "x": its value is no Integer', refusal(function(flow)
      flow:input("x", { secret = true, type = "Integer" })
    end, { x = "hush" }))
  end)

  it("is sent as its type from a function of the item, and may name a notebook", function()
    local made = plan(function(flow)
      local id = flow:input("x", { type = "Guid" })
      flow:each("a", { 1 }, { notebook = id, parameters = function() return { id = id } end })
      assert.is_nil(id.nothing)
      assert.equal(#GUID, #tostring(id))
    end, { x = GUID })
    assert.equal(GUID, made.steps[1].fields.notebook)
    assert.same({ id = "Guid " .. GUID }, sent(made.steps[1], nil, 1, 1))
  end)

  it("can be joined with a reference", function()
    local made = plan(function(flow)
      local day = flow:input("x", { type = "DateTime" })
      local a = flow:notebook "a"
      flow:notebook("b", { parameters = { p = day .. "/" .. a:exit(), q = a:exit() .. day } })
    end, { x = "2026-11-23T00:00:00Z" })
    assert.same({ p = "Text 2026-11-23T00:00:00Z/E", q = "Text E2026-11-23T00:00:00Z" },
      sent(made.by_name.b, support.view { a = "E" }))
  end)

  it("that is missing is told together with the others, after the function went on", function()
    local message = refusal(function(flow)
      flow:input("day", { type = "DateTime" })
      flow:input("from", { default = "x" })
      flow:input("region")
      flow:input("key", { secret = true })
      error "a sample was not good enough"
    end)
    assert.matches("support.lua: missing inputs: day %(DateTime%), region %(Text%), key "
      .. "%(Text%): give %-P day=… %-P region=… %-%-parameter%-env key=VARIABLE$", message)
    assert.matches(": missing input: x %(Text%): give %-P x=…$", refusal(function(flow)
      flow:input "x"
    end))
  end)

  it("that nobody declared is refused, with the nearest", function()
    assert.matches('"dya" is no input of "nightly", did you mean day%?$', refusal(function(flow)
      flow:input("day", { default = "x" })
    end, { dya = "1" }))
    assert.matches('"x" is no input of "nightly", which has none$', refusal(function() end,
      { x = "1" }))
    assert.matches(': missing input: day %(Text%): give %-P day=…; "dya" is no input of '
      .. '"nightly", '
      .. "did you mean day%?$", refusal(function(flow) flow:input "day" end, { dya = "1" }))
  end)

  for what, row in pairs {
    ["a wrong DateTime"] = { { type = "DateTime" }, "monday", 'input "x": ' },
    ["a wrong Integer"] = { { type = "Integer" }, "1.5", 'input "x": ' },
    ["a wrong Boolean"] = { { type = "Boolean" }, "yes",
      'input "x": "yes" is not a value for Boolean, which takes true or false' },
    ["another type"] = { { type = "Integer" }, types.boolean(true),
      'input "x": expected Integer, got Boolean' },
    ["a number for a Text"] = { nil, 5, 'input "x": ' },
    ["a bad default"] = { { type = "Integer", default = "x" }, nil, 'input "x": default: ' },
    ["an unknown type"] = { { type = "Datetime" }, "x", 'input "x": type: "Datetime" is none of '
      .. 'Text, '
      .. "Integer, Number, Boolean, DateTime, Guid, VariableReference, Automatic, did you mean "
      .. "DateTime?" },
    ["an unknown field"] = { { typ = "Text" }, "x", 'input "x": typ: unknown field, did you mean '
      .. 'type?' },
    ["options that are none"] = { "DateTime", "x",
      'input "x": expected a table such as { type = "DateTime" }, got "DateTime"' },
    ["a description that is no text"] = { { description = 5 }, "x",
      'input "x": description: expected a text, got 5' },
    ["a secret that is no boolean"] = { { secret = "x" }, "x",
      'input "x": secret: expected true or false, got "x"' },
  } do
    it("is refused with " .. what .. ", naming it", function()
      local message = refusal(function(flow) flow:input("x", row[1]) end, { x = row[2] })
      assert.equal(row[3], message:sub(1, #row[3]))
      assert.is_nil(message:find("types.lua", 1, true))
    end)
  end

  it("needs a name of its own", function()
    assert.matches('^two inputs are named "x"; the other is at .*:%d+$', refusal(function(flow)
      flow:input("x", { default = "" })
      flow:input("x", { default = "" })
    end))
    assert.equal('flow:input: expected a name, as in flow:input("day"), got "a=b"',
      refusal(function(flow) flow:input "a=b" end))
  end)
end)

describe("The inputs of a workflow", function()
  it("are listed for help without any given", function()
    local nightly = definition.new("nightly", function(flow)
      flow:input("day", { type = "DateTime", description = "the day" })
      flow:input("n", { type = "Integer", default = 3 })
      flow:input("key", { secret = true, default = "hush" })
    end)
    local declared, err = nightly:declared()
    assert.is_nil(err)
    assert.same({
      { name = "day", type = "DateTime", description = "the day", secret = false, required = true },
      { name = "n", type = "Integer", default = 3, secret = false, required = false },
      { name = "key", type = "Text", default = "***", secret = true, required = false },
    }, declared)
  end)

  it("are listed as far as the function came", function()
    local nightly = definition.new("nightly", function(flow)
      flow:input "day"
      error "no"
    end)
    local declared, err = nightly:declared()
    assert.equal("day", declared[1].name)
    assert.matches('in workflow "nightly": no$', err.message)
  end)
end)
