--- Values as JSON text and back, exactly: integers stay integers and floats floats (5.0 is not 5),
--- 64 bits are not lost on the way, and a marked empty list stays one. luafabric.core and lua-cjson
--- do the work where they are exact, which is nearly always. Where they are not, the text begins
--- with a space, and is read here. For texts that were written here; pure.

local cjson = require "cjson"
local json = require "luafabric.json"

local M = {}

local MAX_DEPTH = 70 -- more than is written
local MAX_EXACT = 2 ^ 53
local MAX_INTEGER = 2 ^ 63 -- no integer is as large

local to_integer = math.tointeger
local math_type = math.type
local array_type = getmetatable(json.array {})

local reader = cjson.new()
reader.decode_max_depth(MAX_DEPTH)
reader.decode_invalid_numbers(false)

-- ---- writing ----

--- A float that JSON would write like an integer; only a Lua with integers can tell them apart.
local function is_whole_float(value)
  return math_type(value) == "float" and value % 1 == 0 and value >= -MAX_INTEGER
    and value < MAX_INTEGER
end

local function number_needs_care(value)
  if not math_type then return false end
  if math_type(value) == "float" then return is_whole_float(value) end
  return value >= MAX_EXACT or value <= -MAX_EXACT
end

--- Would lua-cjson lose something of it: an empty list, a whole float, a long integer?
local function needs_care(value)
  local kind = type(value)
  if kind == "number" then return number_needs_care(value) end
  if kind ~= "table" then return false end
  if next(value) == nil then return getmetatable(value) == array_type end
  for _, item in pairs(value) do
    if needs_care(item) then return true end
  end
  return false
end

local function sorted_names(value)
  local names = {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Only for values that json.encode took before: nothing in here can be refused any more.
local function write(value)
  if math_type and is_whole_float(value) then return ("%.1f"):format(value) end
  if type(value) ~= "table" then return json.encode(value) end
  local parts = {}
  if value[1] ~= nil then
    for index, item in ipairs(value) do parts[index] = write(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  if next(value) == nil then return json.encode(value) end
  for _, name in ipairs(sorted_names(value)) do
    parts[#parts + 1] = json.encode(name) .. ":" .. write(value[name])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function clean_text(text)
  if json.encode(text) then return text end
  return (text:gsub("[\128-\255]", "\239\191\189")) -- U+FFFD, the replacement character
end

--- What JSON can say of a value that it cannot say: a text of foreign bytes, or an infinite number.
local function clean(value, depth)
  local kind = type(value)
  if kind == "string" then return clean_text(value) end
  if kind ~= "table" then return json.encode(value) and value or tostring(value) end
  if depth == 0 then return "…" end
  local copy = {}
  for name, item in pairs(value) do
    copy[type(name) == "number" and name or clean_text(tostring(name))] = clean(item, depth - 1)
  end
  return setmetatable(copy, getmetatable(value))
end

local MOST_CLEAN_DEPTH = 60

--- A value as JSON text. What JSON has no words for (NaN, bytes that are not UTF-8) becomes text
--- that shows it.
---@param value any
---@return string|nil text
---@return string|nil message
function M.encode(value)
  local text = json.encode(value)
  if not text then
    local message
    value = clean(value, MOST_CLEAN_DEPTH)
    text, message = json.encode(value)
    if not text then return nil, message end
  end
  if needs_care(value) then return " " .. write(value) end
  return text
end

-- ---- reading ----

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\",
  ["/"] = "/" }

local read -- of any value

local function read_string(text, at)
  local plain, stop = text:match('^"([^"\\]*)"()', at)
  if plain then return plain, stop end
  stop = at + 1
  while true do
    local quote = text:find('["\\]', stop)
    if text:sub(quote, quote) == '"' then
      local slice = text:sub(at, quote)
      if slice:find("\\u", 1, true) then return json.decode(slice), quote + 1 end
      return slice:sub(2, -2):gsub("\\(.)", escapes), quote + 1
    end
    stop = quote + 2
  end
end

local function read_number(text, at)
  local word, stop = text:match("^([%-%+%.%deE]+)()", at)
  return assert(tonumber(word)), stop
end

local function read_list(text, at)
  local list = {}
  at = text:match("^%s*()", at + 1)
  if text:sub(at, at) == "]" then return json.array(list), at + 1 end
  while true do
    list[#list + 1], at = read(text, at)
    local mark
    mark, at = text:match("^%s*([,%]])%s*()", at)
    if mark == "]" then return list, at end
  end
end

local function read_object(text, at)
  local object = {}
  at = text:match("^%s*()", at + 1)
  if text:sub(at, at) == "}" then return object, at + 1 end
  while true do
    local name, mark
    name, at = read_string(text, at)
    at = text:match("^%s*:%s*()", at)
    object[name], at = read(text, at)
    mark, at = text:match("^%s*([,}])%s*()", at)
    if mark == "}" then return object, at end
  end
end

local words = { t = { true, 4 }, f = { false, 5 }, n = { json.null, 4 } }

function read(text, at)
  local first = text:sub(at, at)
  if first == "{" then return read_object(text, at) end
  if first == "[" then return read_list(text, at) end
  if first == '"' then
    local value, stop = read_string(text, at)
    return value, stop
  end
  local word = words[first]
  if word then return word[1], at + word[2] end
  return read_number(text, at)
end

-- cjson's null becomes ours, and its doubles the integers that they were, in place.
local function restore(value)
  if value == cjson.null then return json.null end
  local kind = type(value)
  if kind == "number" and to_integer then return to_integer(value) or value end
  if kind ~= "table" then return value end
  for key, item in pairs(value) do
    local was = type(item)
    if was ~= "string" and was ~= "boolean" then value[key] = restore(item) end
  end
  return value
end

--- The value of a text that `encode` wrote.
---@param text string
---@return any value
---@return string|nil message  why it could not be read; `value` is nil then
function M.decode(text)
  if text:byte(1) == 32 then
    local ok, value = pcall(read, text, 2)
    if ok then return value end
    return nil, "not what was written: " .. text:sub(1, 60)
  end
  local ok, value = pcall(reader.decode, text)
  if not ok then return nil, "not JSON: " .. tostring(value) end
  return restore(value)
end

return M
