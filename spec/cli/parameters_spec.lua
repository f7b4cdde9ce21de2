local parameters = require "luafabric.cli.parameters"

local function typed(argument)
  local name, value = parameters.parse(argument)
  assert(name, value)
  return name, value.type, value.value
end

describe("-P", function()
  it("cuts at the first = and sends Text", function()
    assert.are.same({ "a", "Text", "b=c" }, { typed "a=b=c" })
    assert.are.same({ "a", "Text", "" }, { typed "a=" })
    assert.are.same({ "a b", "Text", " x " }, { typed "a b= x " })
  end)

  it("takes a suffix only if it is one of the eight types", function()
    assert.are.same({ "n", "Integer", "12" }, { typed "n:Integer=12" })
    assert.are.same({ "n", "Number", "0.10" }, { typed "n:Number=0.10" })
    assert.are.same({ "n", "Boolean", true }, { typed "n:Boolean=true" })
    assert.are.same({ "n", "DateTime", "2026-11-23T00:00:00Z" },
      { typed "n:DateTime=2026-11-23T00:00:00Z" })
    assert.are.same({ "n", "Guid", "12345678-1234-1234-1234-123456789abc" },
      { typed "n:Guid=12345678-1234-1234-1234-123456789abc" })
    assert.are.same({ "n", "VariableReference", "$(/**/lib/var)" },
      { typed "n:VariableReference=$(/**/lib/var)" })
    assert.are.same({ "n:integer", "Text", "12" }, { typed "n:integer=12" })
    assert.are.same({ "spark:x", "Text", "1" }, { typed "spark:x=1" })
    assert.are.same({ "a:b", "Text", "1" }, { typed "a:b:Text=1" })
  end)

  it("refuses what cannot be sent as it was written", function()
    for argument, words in pairs {
      ["n"] = "name=value", ["=x"] = "name is empty", [":Integer=1"] = "name is empty",
      ["n:Integer=007"] = "write 7", ["n:Integer=1.5"] = "whole number",
      ["n:Integer=99999999999999999999"] = "64 bits", ["n:Boolean=yes"] = "true or false",
      ["n:DateTime=2026-02-30T00:00:00Z"] = "UTC time", ["n:Guid=x"] = "GUID",
      ["n:Number=.5"] = "JSON", ["n:Automatic={"] = "JSON",
    } do
      local name, message = parameters.parse(argument)
      assert.is_nil(name, argument)
      assert(message:find(words, 1, true), argument .. ": " .. message)
    end
  end)

  it("says how to write another type where the text looks like one", function()
    local _, _, hint = parameters.parse "full=true"
    assert.are.equal("full is sent as Text; for a Boolean write full:Boolean=true", hint)
    _, _, hint = parameters.parse "n=12"
    assert.matches("n:Integer=12", hint, 1, true)
    _, _, hint = parameters.parse "n=1.5"
    assert.matches("n:Number=1.5", hint, 1, true)
    _, _, hint = parameters.parse "n=twelve"
    assert.is_nil(hint)
    _, _, hint = parameters.parse "n:Text=true"
    assert.is_nil(hint)
  end)
end)

describe("--params", function()
  local function read(text)
    local list, message = parameters.read_json(text)
    if not list then return nil, message end
    local map = {}
    for _, entry in ipairs(list) do map[entry.name] = { entry.typed.type, entry.typed.value } end
    return map
  end

  it("types plain JSON values and keeps the digits of numbers", function()
    assert.are.same({
      a = { "Text", "x" }, b = { "Boolean", false }, c = { "Integer", "9007199254740993" },
      d = { "Number", "0.10" }, e = { "Number", "1e3" },
    }, read '{"a":"x","b":false,"c":9007199254740993,"d":0.10,"e":1e3}')
  end)

  it("takes explicit types, as an object or a list", function()
    assert.are.same({ day = { "DateTime", "2026-11-23T00:00:00Z" }, n = { "Integer", "5" } },
      read('{"day":{"type":"DateTime","value":"2026-11-23T00:00:00Z"},' ..
        '"n":{"type":"Integer","value":5}}'))
    assert.are.same({ day = { "Text", "x" }, n = { "Number", "1.50" } },
      read '[{"name":"day","type":"Text","value":"x"},{"name":"n","type":"Number","value":1.50}]')
  end)

  it("refuses what no parameter can be, naming it", function()
    for text, words in pairs {
      ["[1"] = "not JSON", ["5"] = "expected an object", ['{"a":null}'] = "a: null",
      ['{"a":[1]}'] = "a: a table", ['[{"type":"Text"}]'] = "entry 1 has no name",
      ['{"a":{"type":"Text"}}'] = "value is missing",
      ['{"a":{"type":"Text","value":1,"x":2}}'] = "'x'",
    } do
      local map, message = read(text)
      assert.is_nil(map, text)
      assert(message:find(words, 1, true), text .. ": " .. message)
    end
  end)

  it("gives way to -P, and a name is there once, whatever its letter case", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write '{"Day":"monday","n":1}'
    file:close()
    local list = assert(parameters.collect { params = path, parameter = { "day=tuesday" } })
    os.remove(path)
    assert.are.same({ { name = "day", type = "Text", value = "tuesday" },
      { name = "n", type = "Integer", value = "1" } }, list)
    local none, message = parameters.collect { parameter = { "a=1", "A=2" } }
    assert.is_nil(none)
    assert.matches("twice", message)
  end)

  it("names a file that is not there", function()
    local none, message = parameters.collect { params = "no/such/file.json" }
    assert.is_nil(none)
    assert.matches("no/such/file.json", message, 1, true)
  end)
end)
