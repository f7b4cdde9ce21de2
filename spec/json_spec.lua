local core = require "luafabric.core"
local json = require "luafabric.json"

local has_integers = math.type ~= nil
local negative_zero = tonumber("-0.0") -- a constant -0.0 may become 0.0 in Lua 5.1

local function is_negative_zero(value)
  return value == 0 and 1 / value == -1 / 0
end

local function refused(value, words)
  local text, message = json.encode(value)
  assert.is_nil(text, words)
  assert.is_truthy(message:find(words, 1, true), message .. "\n  is not: " .. words)
end

-- `depth` tables around a value, lists and objects in turn.
local function nested(depth, inner)
  local value = inner
  for level = 1, depth do value = level % 2 == 0 and { value } or { a = value } end
  return value
end

describe("JSON that is written", function()
  it("has exact integers, as far as Lua has them", function()
    local texts = { [0] = "0", [-1] = "-1", [2147483648] = "2147483648",
      [-1e15] = "-1000000000000000", [9007199254740991] = "9007199254740991",
      [-9007199254740992] = "-9007199254740992" }
    for value, text in pairs(texts) do assert.equal(text, json.encode(value)) end
    if not has_integers then return end
    assert.equal("9223372036854775807", json.encode(math.maxinteger))
    assert.equal("-9223372036854775808", json.encode(math.mininteger))
    assert.equal("9007199254740993", json.encode(math.tointeger(2 ^ 53) + 1))
  end)

  it("has doubles that read back as the same double", function()
    local texts = { { 0.1, "0.1" }, { 0.1 + 0.2, "0.30000000000000004" }, { -2.5, "-2.5" },
      { 1 / 3, "0.3333333333333333" }, { 1e16, "1e+16" }, { 1e-7, "1e-07" },
      { 2 ^ 1023 * (2 - 2 ^ -52), "1.7976931348623157e+308" }, { 123456.789, "123456.789" } }
    for _, pair in ipairs(texts) do assert.equal(pair[2], json.encode(pair[1])) end
    for _, value in ipairs { 2 ^ -1074, 2 ^ -1022, 2 ^ 63, 2 ^ 64, 5e-324, 1 - 2 ^ -53,
      1 + 2 ^ -52 } do
      assert.equal(value, tonumber((json.encode(value))))
    end
  end)

  it("keeps the sign of zero", function()
    assert.equal("-0.0", json.encode(negative_zero))
    assert.equal("0", json.encode(0))
    assert.is_true(is_negative_zero(json.decode("-0.0")))
    assert.is_true(is_negative_zero(json.decode("[-0]")[1]))
    assert.is_false(is_negative_zero(json.decode("0.0")))
  end)

  it("has no NaN and no infinity", function()
    refused(0 / 0, "value: NaN cannot be written as JSON")
    refused({ 1, { a = 1 / 0 } }, "[2].a: infinity cannot be written as JSON")
    refused({ a = { -1 / 0 } }, "a[1]: infinity cannot be written as JSON")
  end)

  it("tells lists from objects by their keys, an empty list by its mark", function()
    assert.equal("{}", json.encode {})
    assert.equal("[]", json.encode(json.array {}))
    assert.equal('{"a":[],"b":{}}', json.encode { a = json.array {}, b = {} })
    assert.equal("[1,[2,[]]]", json.encode { 1, { 2, json.array {} } })
    assert.equal("[1,null,3]", json.encode { 1, json.null, 3 })
    assert.equal('{"1":"a","2":"b"}', json.encode { ["1"] = "a", ["2"] = "b" })
    refused({ 1, nil, 3, 4, [7] = 7 }, "a list with holes or odd indices")
    refused({ [0] = 1 }, "a list with holes or odd indices")
    refused({ [1.5] = 1 }, "a list with holes or odd indices")
    refused({ [-1] = 1 }, "a list with holes or odd indices")
    refused({ [true] = 1 }, "a list with holes or odd indices")
    refused({ 1, 2, a = 3 }, "a table with both names and indices")
    refused({ b = json.array { a = 1 } }, "b: marked as a list, but it has names")
  end)

  it("has text of every length of UTF-8, escaped where JSON asks for it", function()
    local texts = { ["\1\31\127"] = '"\\u0001\\u001f\127"', ["\0"] = '"\\u0000"',
      ['"\\/\b\f\n\r\t'] = '"\\"\\\\/\\b\\f\\n\\r\\t"', ["aß€🛰"] = '"aß€🛰"',
      ["\194\128\223\191"] = '"\194\128\223\191"',
      ["\224\160\128\237\159\191\238\128\128\239\191\191"] =
        '"\224\160\128\237\159\191\238\128\128\239\191\191"',
      ["\240\144\128\128\244\143\191\191"] = '"\240\144\128\128\244\143\191\191"' }
    for text, written in pairs(texts) do
      assert.equal(written, json.encode(text))
      assert.equal(text, json.decode(written))
    end
  end)

  it("has no text that is not UTF-8, and says at which byte", function()
    for text, place in pairs { ["\128"] = 1, ["a\255"] = 2, ["ab\192\128"] = 3,
      ["\193\191"] = 1, ["\224\159\191"] = 1, ["\237\160\128"] = 1, ["\240\143\191\191"] = 1,
      ["\244\144\128\128"] = 1,
      ["\245\128\128\128"] = 1, ["aa\194"] = 3, ["\226\130"] = 1, ["\240\159\155"] = 1,
      ["é\194é"] = 3, ["\226\130é"] = 1 } do
      refused({ a = text }, ("a: byte %d is not valid UTF-8"):format(place))
      refused({ [text] = 1 }, ("byte %d is not valid UTF-8"):format(place))
    end
  end)

  it("has texts of 10 MB", function()
    local text = ("0123456789abcdé🛰\n"):rep(500000)
    assert.is_true(#text > 10e6)
    assert.equal(text, json.decode(json.encode { text })[1])
    refused({ text .. "\255" }, ("[1]: byte %d is not valid"):format(#text + 1))
    local _, message = json.encode { [text] = print }
    assert.is_true(#message < 300)
  end)

  it("may be 64 levels deep, and no deeper; a table that holds itself is not endless", function()
    local text = assert(json.encode(nested(64)))
    assert.equal(64, select(2, text:gsub("[%[{]", "")))
    refused(nested(65), "nested deeper than 64 levels")
    local loop = {}
    loop[1] = { loop }
    refused(loop, "(or a table that holds itself)")
    refused({ a = loop }, "[1][1][1][1][1]…")
  end)

  it("has tables of 100,000 entries, names in the order of their bytes", function()
    local list, names = {}, {}
    for index = 1, 100000 do
      list[index] = index
      names["n" .. index] = index
    end
    assert.equal("[1,2,3,4,", json.encode(list):sub(1, 9))
    local text = json.encode(names)
    assert.equal('{"n1":1,"n10":10,"n100":100,"n1000":1000,"n10000":10000,"n100000":100000,',
      text:sub(1, 73))
    assert.same(names, json.decode(text))
  end)

  it("names fields with a zero byte whole", function()
    local value = { ["a\0b"] = 3, a = 1, ["a\0"] = 2 }
    assert.equal('{"a":1,"a\\u0000":2,"a\\u0000b":3}', json.encode(value))
    refused({ ["a\0b"] = 0 / 0 }, "a\\x00b: NaN")
    refused({ ["\27[2J"] = 0 / 0 }, "\\x1b[2J: NaN")
  end)

  it("is of plain values: no function, no thread, no userdata but null", function()
    refused(print, "value: a function cannot be written as JSON")
    refused({ coroutine.create(function() end) }, "[1]: a thread cannot be written as JSON")
    refused({ a = io.stdout }, "a: a userdata cannot be written as JSON")
    assert.equal("null", json.encode(json.null))
    assert.equal("null", json.encode(nil))
    assert.equal("null", tostring(json.null))
    assert.equal("[true,false]", json.encode { true, false })
    assert.has_error(function() core.encode_json() end)
  end)

  it("is made without calling a metamethod", function()
    local meta = {}
    for _, name in ipairs { "__index", "__len", "__pairs", "__ipairs", "__tostring", "__eq", "__lt",
      "__name", "__metatable", "__concat" } do
      meta[name] = function() error(name .. " was called") end
    end
    assert.equal('{"a":{"b":[1]}}', json.encode(setmetatable({ a = setmetatable({
      b = setmetatable({ 1 }, meta) }, meta) }, meta)))
    refused(setmetatable({ a = setmetatable({ [2] = 1 }, meta) }, meta), "a: a list with holes")
  end)
end)

describe("JSON that is read", function()
  it("gives integers where Lua has them, doubles elsewhere", function()
    local value = json.decode("[1, -2, 1.0, 1e3, 1.5, 9007199254740991, 1e300, 9007199254740993]")
    assert.same({ 1, -2, 1, 1000, 1.5, 9007199254740991, 1e300, 9007199254740992 }, value)
    if not has_integers then return end
    local kinds = {}
    for index, item in ipairs(value) do kinds[index] = math.type(item) end
    assert.equal("integer integer integer integer float integer float float",
      table.concat(kinds, " "))
  end)

  it("gives one null, also within tables", function()
    assert.equal(json.null, json.decode("null"))
    assert.same({ json.null, { a = json.null } }, json.decode('[null,{"a":null}]'))
  end)

  it("may be any value, with blanks around it", function()
    assert.equal("x", json.decode(' "x"\n'))
    assert.equal(false, json.decode("\tfalse\r\n"))
    assert.same({}, json.decode("[ ]"))
    assert.equal("é🛰/", json.decode('"\\u00e9\\ud83d\\udef0\\/"'))
    assert.equal("a\0b", json.decode('"a\\u0000b"'))
    assert.same({ ["a\0b"] = 1 }, json.decode('{"a\\u0000b":1}'))
    assert.same({ a = 2 }, json.decode('{"a":1,"a":2}'))
  end)

  it("is JSON and nothing else", function()
    for _, text in ipairs { "", " ", "nul", "NULL", "True", "{", "[1", "[1,]", "[,1]", "{,}",
      '{"a"}', '{"a":}', '{"a":1,}', "{a:1}", "{1:1}", "'a'", '"a', '"\\x"', '"\\u12"', '"\\u12g4"',
      '"a\0b"', "1 2", "[1] []", "[1]x", "{} //", "/**/1", "[1 2]", '{"a" 1}', "<html>",
      "\239\187\191{}", "[1]\0" } do
      local value, message = json.decode(text)
      assert.is_nil(value, text)
      assert.matches("^not JSON: ", message)
    end
    for _, other in ipairs { 5, true, {} } do
      assert.same({ nil, "expected JSON text, got " .. type(other) }, { json.decode(other) })
    end
    assert.is_nil((json.decode(nil)))
  end)

  it("may hold raw control characters and broken UTF-8, as lua-cjson takes them", function()
    assert.equal("a\nb\1", json.decode('"a\nb\1"'))
    assert.equal("a\255", json.decode('"a\255"'))
  end)

  it("has JSON's numbers and not those of C", function()
    for _, text in ipairs { "0x10", "0X1F", "01", "-01", "00", "+1", ".5", "5.", "-.5", "1e", "1e+",
      "- 1", "-", "1.e3", "inf", "-inf", "nan", "NaN", "Infinity", "-Infinity", "1_000", "1f",
      "0b1", "1e5.5", "--1" } do
      for _, frame in ipairs { "%s", "[%s]", '{"a":%s}', '["x", %s ]' } do
        assert.is_nil((json.decode(frame:format(text))), text)
      end
    end
    local good = { "0", "-0", "10", "0.5", "-0.50", "1e3", "1E-3", "1.25e+2", "100" }
    for _, text in ipairs(good) do
      assert.equal(tonumber(text), (json.decode("[" .. text .. "]"))[1])
    end
    assert.same({ "0x10", "inf, 01", '"01"' }, json.decode('["0x10", "inf, 01", "\\"01\\""]'))
  end)

  it("may be 64 levels deep, and no deeper", function()
    local text = ("["):rep(64) .. ("]"):rep(64)
    assert.is_table(json.decode(text))
    assert.is_nil((json.decode("[" .. text .. "]")))
    assert.is_nil((json.decode(("["):rep(1000000))))
    assert.is_nil((json.decode(('{"a":'):rep(100000))))
  end)

  it("leaves the program's own cjson as it is", function()
    local cjson = require "cjson"
    assert.is_table(cjson.decode(("["):rep(65) .. ("]"):rep(65)))
  end)
end)

describe("a value inside a JSON text", function()
  local text = '{ "a": { "b": [ 1, {"c": "é"}, [], {} ] }, "d\\u00e9\\"": 9007199254740993,'
    .. ' "a b": null, "n": {"1": "one"}, "big": [1, 12345678901234567890], "twice": 1,'
    .. ' "twice": [2] }'

  it("is found by names and 1-based indices", function()
    assert.equal(1, json.path(text, "a", "b", 1))
    assert.equal("é", json.path(text, "a", "b", 2, "c"))
    assert.equal(json.null, json.path(text, "a b"))
    assert.equal("one", json.path(text, "n", "1"))
    assert.same({ 2 }, json.path(text, "twice"))
    assert.equal(5, json.path("5"))
    assert.same({ b = 1 }, json.path('{"b":1}'))
  end)

  it("can be cut out as it stands", function()
    assert.equal('{"c": "é"}', json.slice(text, "a", "b", 2))
    assert.equal("[]", json.slice(text, "a", "b", 3))
    assert.equal("{}", json.slice(text, "a", "b", 4))
    assert.equal("9007199254740993", json.slice(text, 'dé"'))
    assert.equal("12345678901234567890", json.slice(text, "big", 2))
    assert.equal(" [1 ] ", " " .. json.slice(" [1 ] ") .. " ")
  end)

  it("that holds an integer beyond 2^53 is an error that says so", function()
    local value, message = json.path(text, 'dé"')
    assert.is_nil(value)
    assert.equal('dé" holds an integer beyond 2^53 (9007199254740993), which is exact only as text',
      message)
    value, message = json.path(text, "big")
    assert.is_nil(value)
    assert.matches("^big holds an integer beyond 2%^53 %(12345678901234567890%)", message)
    assert.equal(1, json.path(text, "big", 1))
    assert.equal(9007199254740991, json.path("[9007199254740991]", 1))
    assert.equal("9007199254740993", json.path('["9007199254740993"]', 1))
    local digits = ("9"):rep(100000)
    assert.is_true(#select(2, json.path("[" .. digits .. "]", 1)) < 200)
  end)

  it("that is not there is an error that says what is there instead", function()
    local function missing(words, ...)
      local value, message = json.path(text, ...)
      assert.is_nil(value)
      assert.equal(words, message)
    end
    missing("it has no 'x'; it has: a, a b, big, dé\", n, twice", "x")
    missing("a.b has no '5': it is a list of 4", "a", "b", 5)
    missing("a.b has no '0': it is a list of 4", "a", "b", 0)
    missing("a.b has no 'x': it is a list of 4", "a", "b", "x")
    missing("a.b.1 has no 'x': it is a number", "a", "b", 1, "x")
    missing("a.b.3 has no '1': it is empty", "a", "b", 3, 1)
    missing("a.b.4 has no 'x': it is empty", "a", "b", 4, "x")
    missing("a b has no 'x': it is null", "a b", "x")
    assert.equal("one", json.path(text, "n", 1)) -- an object's name may be digits
    local value, message = json.path("oops", "a")
    assert.is_nil(value)
    assert.matches("^not JSON: ", message)
  end)

  it("is found in a text as deep as can be read", function()
    local deep = ("["):rep(64) .. ("]"):rep(64)
    assert.equal(deep, json.slice(deep))
    assert.equal(deep:sub(2, -2), json.slice('{"a":1,"b":' .. deep:sub(2, -2) .. "}", "b"))
    local path = {}
    for level = 1, 63 do path[level] = 1 end
    assert.equal("[]", json.slice(deep, (table.unpack or unpack)(path)))
  end)

  it("has a path as people write it", function()
    assert.same({ "a", "b", 12, "c" }, json.split_path("a.b.12.c"))
    assert.same({ "a", "0", "01", "1x" }, json.split_path("a.0.01.1x"))
    assert.same({ "" }, json.split_path(""))
    assert.same({ "a", "", "b" }, json.split_path("a..b"))
  end)
end)

describe("cutting out of a text that nobody has read before", function()
  local good = '{"a":[1,{"b\\u00e9":"x\\"y"},[true,null]],"c":"\\ud83d\\udef0"}'

  it("never goes past its end, wherever it is cut or changed", function()
    local paths = { {}, { "a" }, { "a", 2 }, { "a", 2, "bé" }, { "a", 3, 2 }, { "c" }, { "x", 1 } }
    for length = 0, #good do
      for _, path in ipairs(paths) do
        core.json_slice(good:sub(1, length), path)
        for _, byte in ipairs { "\0", '"', "\\", "]", "}", ",", "\255" } do
          local changed = good:sub(1, length) .. byte .. good:sub(length + 2)
          local slice = core.json_slice(changed, path)
          assert.is_true(slice == nil or changed:find(slice, 1, true) ~= nil)
        end
      end
    end
  end)

  it("gives up on what is nested too deep, and on steps that are neither name nor index", function()
    assert.is_nil((core.json_slice(("["):rep(100000), {})))
    assert.is_nil((core.json_slice(("[1,"):rep(100000), { 2, 2, 2 })))
    assert.is_nil((core.json_slice("[1,2]", { 1.5 })))
    assert.is_nil((core.json_slice("[1,2]", { -1 })))
    assert.is_nil((core.json_slice("[1,2]", { 1 / 0 })))
    assert.is_nil((core.json_slice("[1,2]", { 0 / 0 })))
    assert.has_error(function() core.json_slice("[1]", { true }) end)
    assert.has_error(function() core.json_slice("[1]", "a") end)
    assert.has_error(function() core.json_slice(nil, {}) end)
  end)
end)
