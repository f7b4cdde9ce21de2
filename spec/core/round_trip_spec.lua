-- Values made by chance, the same ones every time: what is written reads back as the same value,
-- and writing that again gives the same bytes.

local json = require "luafabric.json"

local VALUES = 2000

-- Park and Miller's generator: exact in doubles, so the same on every Lua.
local function new_random(seed)
  local state = seed
  return function(limit)
    state = state * 16807 % 2147483647
    return state % limit + 1
  end
end

local function character(point)
  if point < 0x80 then return string.char(point) end
  local bytes, lead, first = {}, 0xC0, 0x20
  local length = point < 0x800 and 2 or point < 0x10000 and 3 or 4
  for index = length, 2, -1 do
    bytes[index] = string.char(0x80 + point % 64)
    point = math.floor(point / 64)
  end
  for _ = 3, length do lead, first = lead + first, first / 2 end
  bytes[1] = string.char(lead + point)
  return table.concat(bytes)
end

local function make_text(random)
  local limits, parts = { 0x20, 0x80, 0x800, 0xD800, 0x110000 }, {}
  for index = 1, random(12) - 1 do
    local point = random(limits[random(#limits)]) - 1
    if point >= 0xD800 and point < 0xE000 then point = point + 0x2000 end
    parts[index] = character(point)
  end
  return table.concat(parts)
end

-- Doubles of every size, with few or many digits; whole numbers up to 2^53.
local function make_number(random)
  local kind, sign = random(4), random(2) == 1 and 1 or -1
  if kind == 1 then return sign * random(1000) end
  if kind == 2 then return sign * (random(2 ^ 26) * 2 ^ 26 + random(2 ^ 26)) end
  if kind == 3 then return sign * random(100000) / 1000 end
  local mantissa = random(2 ^ 30) * 2 ^ 22 + random(2 ^ 22)
  return sign * mantissa * 2 ^ (random(2000) - 1070)
end

local make_value

local function make_list(random, depth)
  local list = {}
  for index = 1, random(5) do list[index] = make_value(random, depth - 1) end
  return list
end

local function make_object(random, depth)
  local object = {}
  for _ = 1, random(5) do object[make_text(random)] = make_value(random, depth - 1) end
  return object
end

function make_value(random, depth)
  local kind = random(depth > 0 and 7 or 5)
  if kind == 1 then return random(2) == 1 end
  if kind == 2 then return json.null end
  if kind == 3 then return make_text(random) end
  if kind <= 5 then return make_number(random) end
  return (kind == 6 and make_list or make_object)(random, depth)
end

local function is_same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not is_same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

describe("a value by chance", function()
  it("reads back as it was written, and is written again with the same bytes", function()
    local random, longest = new_random(20261123), 0
    for number = 1, VALUES do
      local value = make_value(random, 5)
      local text, message = json.encode(value)
      assert.is_string(text, message)
      local back = json.decode(text)
      assert.is_true(is_same(value, back), ("value %d: %s"):format(number, text))
      assert.equal(text, (json.encode(back)))
      assert.equal(text, (json.slice(text)))
      longest = math.max(longest, #text)
    end
    assert.is_true(longest > 1000)
  end)

  it("can be found under each of its names, cut out exactly", function()
    local random = new_random(7)
    for _ = 1, VALUES / 4 do
      local object = make_object(random, 3)
      local text = json.encode { { x = object } }
      for name, value in pairs(object) do
        assert.equal((json.encode(value)), json.slice(text, 1, "x", name))
      end
    end
  end)

  it("with any byte broken is read as another value or not at all", function()
    local random = new_random(11)
    for _ = 1, VALUES / 4 do
      local text = json.encode(make_value(random, 3))
      local place = random(#text)
      local broken = text:sub(1, place - 1) .. string.char(random(256) - 1) .. text:sub(place + 1)
      local value, message = json.decode(broken)
      assert.is_true(value ~= nil or message:find("^not JSON: ") ~= nil)
      json.slice(broken, 1, "a")
    end
  end)
end)
