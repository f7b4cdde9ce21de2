--- JSON: what we emit is written by luafabric.core, what others send is read by lua-cjson. Whole
--- numbers become integers where Lua has them, null is `json.null`, and a value can be cut out of a
--- text exactly as it stands there, which matters for integers beyond 2^53 and for [] beside {}.

local cjson = require "cjson"
local core = require "luafabric.core"

local M = {}

local MAX_DEPTH = 64
local MAX_EXACT = 9007199254740992 -- 2^53
local MAX_NAMES = 12 -- of an object, in a message

-- An instance of our own: the settings of the program that embeds us stay as they are.
local reader = cjson.new()
reader.decode_max_depth(MAX_DEPTH)
reader.decode_invalid_numbers(false)

local to_integer = math.tointeger -- absent before 5.3: then every number is a double already

M.null = core.null
M.array = core.json_array

--- Write a value.
---@param value any  nil, boolean, number, string, table, json.null
---@return string|nil text
---@return string|nil message  names the place: `a[2]: NaN cannot be written as JSON`
function M.encode(value)
  return core.encode_json(value)
end

-- cjson's null becomes ours, and whole doubles become integers, in place; -0.0 has no integer.
local function normalize(value)
  local kind = type(value)
  if kind == "number" then
    local negative_zero = value == 0 and 1 / value < 0
    if to_integer and value > -MAX_EXACT and value < MAX_EXACT and not negative_zero then
      return to_integer(value) or value
    end
    return value
  end
  if value == cjson.null then return M.null end
  if kind ~= "table" then return value end
  for key, item in pairs(value) do value[key] = normalize(item) end
  return value
end

-- What stands outside of strings: JSON's own three words, and numbers.
local function bare_words(text)
  return text:gsub("\\.", ""):gsub('"[^"]*"', " "):gmatch("[%w%.%+%-]+")
end

-- cjson takes numbers that JSON does not have: 0x10, 01, inf.
local function find_bad_number(text)
  for word in bare_words(text) do
    if word ~= "true" and word ~= "false" and word ~= "null" then
      local whole, rest = word:match("^%-?(%d+)(.*)$")
      local fraction, exponent = (rest or ""):match("^(%.?%d*)(.*)$")
      local good = whole and (whole == "0" or not whole:find("^0")) and fraction ~= "."
        and (exponent == "" or exponent:find("^[eE][%+%-]?%d+$"))
      if not good then return word end
    end
  end
  return nil
end

-- The first integer that a double may not hold exactly.
local function find_large_integer(text)
  for word in bare_words(text) do
    if word:find("^%-?%d+$") and #word >= 16 then
      local value = tonumber(word)
      if value >= MAX_EXACT or value <= -MAX_EXACT then return word end
    end
  end
  return nil
end

--- Read a text.
---@param text string
---@return any value         json.null for null
---@return string|nil message  why it could not be read; `value` is nil then
function M.decode(text)
  if type(text) ~= "string" then return nil, "expected JSON text, got " .. type(text) end
  local zero = text:find("\0", 1, true) -- cjson would stop there and be content
  if zero then return nil, ("not JSON: zero byte at character %d"):format(zero) end
  local ok, value = pcall(reader.decode, text)
  if not ok then return nil, "not JSON: " .. tostring(value) end
  local word = find_bad_number(text)
  if word then return nil, "not JSON: '" .. word .. "' is not a number" end
  return normalize(value)
end

--- "a.b" as the path { "a", "b" }; digits are 1-based indices.
---@param dotted string
---@return (string|integer)[] path
function M.split_path(dotted)
  local path = {}
  for step in (dotted .. "."):gmatch("([^%.]*)%.") do
    path[#path + 1] = step:find("^[1-9]%d*$") and tonumber(step) or step
  end
  return path
end

local function describe_path(path, count)
  if count == 0 then return "it" end
  local steps = {}
  for index = 1, count do steps[index] = tostring(path[index]) end
  return table.concat(steps, ".")
end

local function field_names(value)
  local names = {}
  for name in pairs(value) do names[#names + 1] = tostring(name) end
  table.sort(names)
  if #names > MAX_NAMES then
    names[MAX_NAMES + 1] = "…"
    for index = #names, MAX_NAMES + 2, -1 do names[index] = nil end
  end
  return table.concat(names, ", ")
end

-- Why the step behind `there` steps is not to be had.
local function missing(text, path, there)
  local before = {}
  for index = 1, there do before[index] = path[index] end
  local value = M.decode((core.json_slice(text, before)) or "null")
  local place, wanted = describe_path(path, there), path[there + 1]
  if type(value) ~= "table" then
    return ("%s has no '%s': it is %s"):format(place, tostring(wanted),
      value == M.null and "null" or "a " .. type(value))
  end
  if #value > 0 then
    return ("%s has no '%s': it is a list of %d"):format(place, tostring(wanted), #value)
  end
  local names = field_names(value)
  if names == "" then return ("%s has no '%s': it is empty"):format(place, tostring(wanted)) end
  return ("%s has no '%s'; it has: %s"):format(place, tostring(wanted), names)
end

local function locate(text, path)
  local value, message = M.decode(text)
  if value == nil then return nil, message end
  local slice, there = core.json_slice(text, path)
  if slice then return slice end
  return nil, missing(text, path, there)
end

--- The exact text of a value inside a JSON text.
---@param text string
---@param ... string|integer  names and 1-based indices
---@return string|nil slice
---@return string|nil message  not JSON, or which step is missing and what is there instead
function M.slice(text, ...)
  return locate(text, { ... })
end

--- A value inside a JSON text. An integer beyond 2^53 is an error, since it has already lost digits
--- on the way through a double: `json.slice` gives its text.
---@param text string
---@param ... string|integer  names and 1-based indices
---@return any value
---@return string|nil message
function M.path(text, ...)
  local slice, message = locate(text, { ... })
  if not slice then return nil, message end
  local large = find_large_integer(slice)
  if large then
    return nil, ("%s holds an integer beyond 2^53 (%s), which is exact only as text")
      :format(describe_path({ ... }, select("#", ...)), large:sub(1, 40))
  end
  return (M.decode(slice))
end

return M
