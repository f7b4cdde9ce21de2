local codec = require "luafabric.store.event_codec"
local json = require "luafabric.json"

local math_type = math.type or type

local function round_trip(value)
  local text = assert(codec.encode(value))
  local back, message = codec.decode(text)
  assert.is_nil(message)
  return back, text
end

describe("store.event_codec", function()
  it("gives values back as they were, floats as floats and integers as integers", function()
    for _, value in ipairs { 0, 1, -7, 1.5, -0.25, 1e300, 5e-324, 2 ^ 53, 0.1, 1e15, 1e14, true,
      false, "", "text", "with \"quotes\", \\ and \n", "ü€𝄞", "5.0]", "[]", "1234567890123456" } do
      local back = round_trip { a = value, list = { value, value } }
      assert.same({ a = value, list = { value, value } }, back)
      assert.equal(math_type(value), math_type(back.a))
      assert.equal(math_type(value), math_type(back.list[2]))
    end
  end)

  if math.type then
    it("keeps whole floats and long integers apart from what they resemble", function()
      for _, value in ipairs { 5.0, -3.0, 0.0, 100000.0, 9007199254740992.0, math.maxinteger,
        math.mininteger, 9007199254740993, 9007199254740992, 1e18, 1000000000000000.0 } do
        local back = round_trip { value, { b = value } }
        assert.equal(value, back[1])
        assert.equal(math.type(value), math.type(back[1]))
        assert.equal(math.type(value), math.type(back[2].b))
      end
    end)
  end

  it("tells an empty list from an empty table, and null from nothing", function()
    local _, text = round_trip { a = json.array {}, b = {}, c = { json.null } }
    assert.equal(' {"a":[],"b":{},"c":[null]}', text)
    local back = codec.decode(text)
    assert.equal(json.null, back.c[1])
    assert.equal(text, codec.encode(back))
  end)

  it("reads with care what holds anything that asks for it", function()
    local value = { a = json.array {}, text = 'é \\u "\t"', list = { { 1, 2.5, true, false } },
      null = json.null, deep = { deep = { n = -12, e = 1e-7 } }, ["a.b c"] = "\0\1" }
    local back, text = round_trip(value)
    assert.equal(text, codec.encode(back))
    assert.equal(value.text, back.text)
    assert.same({ { 1, 2.5, true, false } }, back.list)
    assert.equal(json.null, back.null)
    assert.same({ deep = { n = -12, e = 1e-7 } }, back.deep)
    assert.equal("\0\1", back["a.b c"])
  end)

  it("writes something readable for what JSON has no word for", function()
    assert.same({ a = "\239\191\189x", b = "nan" },
      { a = round_trip({ a = "\255x" }).a,
        b = (round_trip({ b = 0 / 0 }).b:lower():gsub("^%-", "")) })
    assert.equal("é", round_trip({ a = "é", b = "\255" }).a)
    assert.is_string(round_trip({ a = print }).a)
  end)

  it("says so when a text is no JSON", function()
    for _, text in ipairs { "{", " {", ' {"a":[1', " [1;2]", "", " " } do
      local value, message = codec.decode(text)
      assert.is_nil(value)
      assert.is_truthy(message:find("^not "), text)
    end
  end)
end)
