local core = require "luafabric.core"
local types = require "luafabric.types"

local GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"

-- Type, constructor, what it takes, what it refuses.
local constructors = {
  { "Text", types.text, "x", 5 },
  { "Integer", types.integer, 5, 1.5 },
  { "Number", types.number, 1.5, "x" },
  { "Boolean", types.boolean, true, "true" },
  { "DateTime", types.datetime, "2026-11-23T00:00:00Z", "2026-11-23" },
  { "Guid", types.guid, GUID, "x" },
  { "VariableReference", types.variable_reference, "$(/**/library/variable)", "x" },
  { "Automatic", types.automatic, { a = 1 }, print },
}

local function check(expected_type, expected_value, typed)
  assert.is_true(types.is(typed))
  assert.equal(expected_type, typed.type)
  assert.equal(expected_value, typed.value)
end

describe("the types of parameters", function()
  it("are those of the run request's model", function()
    local words
    for _, field in ipairs(core.run_model().request.fields) do
      if field.name == "parameters" then words = field.object.fields[2].words end
    end
    assert.same(words, types.names)
    assert.equal(#types.names, #constructors)
  end)

  for _, row in ipairs(constructors) do
    local name, construct, good, bad = row[1], row[2], row[3], row[4]

    it("take a value that fits, as it is: " .. name, function()
      check(name, good, construct(good))
      assert.equal(name .. " " .. tostring(good), tostring(construct(good)))
    end)

    it("raise for another at the caller's line: " .. name, function()
      local ok, message = pcall(function() construct(bad) end)
      assert.is_false(ok)
      assert.matches("^spec/types_spec.lua:%d+: types: ", message)
      assert.is_nil(message:find("parameters[1]", 1, true))
      assert.has_error(function() construct(nil) end)
      assert.has_error(function() construct(core.null) end)
    end)
  end

  it("keep digits that are given as text", function()
    check("Integer", "9223372036854775807", types.integer "9223372036854775807")
    check("Number", "0.10", types.number "0.10")
  end)
end)

describe("the type of a plain value", function()
  it("is its own where it has one", function()
    check("Text", "x", types.of "x")
    check("Text", "5", types.of "5")
    check("Boolean", false, types.of(false))
    check("Integer", 5, types.of(5))
    check("Number", 1.5, types.of(1.5))
    local typed = types.guid(GUID)
    assert.equal(typed, types.of(typed))
  end)

  it("of a whole number depends on whether Lua has integers", function()
    local one = tonumber("1.0")
    check(math.type and "Number" or "Integer", one, types.of(one))
    check("Number", 2 ^ 60, types.of(2 ^ 60))
    check("Number", 1 / 0, types.of(1 / 0)) -- refused when the request is built
  end)

  it("is none for null, tables and functions", function()
    local typed, message = types.of(core.null)
    assert.is_nil(typed)
    assert.equal("null is not a value Fabric can bind", message)
    for _, value in ipairs { {}, print, coroutine.create(function() end) } do
      typed, message = types.of(value)
      assert.is_nil(typed)
      assert.matches("^a " .. type(value) .. " is not a parameter value", message)
    end
    assert.is_nil((types.of(nil)))
  end)

  it("is not to be had by a table that looks like one", function()
    assert.is_false(types.is { type = "Text", value = "x" })
    assert.is_false(types.is "x")
    assert.is_true(types.is(types.unchecked("Text", 5)))
  end)
end)

describe("a value on the command line", function()
  local function parsed(type_name, text, value)
    check(type_name, value == nil and text or value, types.parse(type_name, text))
  end

  local function refused(type_name, text, words)
    local typed, message = types.parse(type_name, text)
    assert.is_nil(typed)
    assert.is_truthy(message:find(words, 1, true), message)
  end

  it("is taken by its type and never rewritten", function()
    parsed("Text", "")
    parsed("Text", "a=b:c")
    parsed("Integer", "-5")
    parsed("Integer", "9223372036854775807")
    parsed("Number", "0.10")
    parsed("Number", "1e400")
    parsed("DateTime", "2026-11-23T00:00:00Z")
    parsed("Guid", GUID)
    parsed("VariableReference", "$(/**/library/variable)")
    parsed("Boolean", "true", true)
    parsed("Boolean", "false", false)
    parsed("Automatic", '"x"', "x")
    assert.same({ a = { 1 } }, types.parse("Automatic", '{"a":[1]}').value)
  end)

  it("that does not fit is refused, with what its type takes", function()
    refused("Boolean", "yes", '"yes" is not a value for Boolean, which takes true or false')
    refused("Boolean", "True", "which takes true or false")
    refused("Integer", "1.0", '"1.0" is not a value for Integer')
    refused("Integer", "", '"" is not a value for Integer')
    refused("Integer", "9223372036854775808", "a whole number within 64 bits")
    refused("Number", "1,5", '"1,5" is not a value for Number')
    refused("Number", "NaN", '"NaN" is not a value for Number')
    refused("Guid", "x", '"x" is not a value for Guid')
    refused("DateTime", "2026-11-23", "which takes a UTC time")
    refused("VariableReference", "$(a)", "which takes a reference as")
    refused("Text", "\255", "byte 1 is not valid UTF-8")
    refused("Automatic", "{", "Automatic takes JSON; not JSON: ")
    refused("Automatic", "null", "is required")
  end)

  it("with leading zeros is told how to write it", function()
    refused("Integer", "007", "; write 7, or use Text")
    refused("Integer", "-00", "; write 0, or use Text")
    refused("Number", "-01", "; write -1, or use Text")
  end)
end)
