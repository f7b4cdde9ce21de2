--- The body of a request: one JSON object, said to be that, in UTF-8, of a limited size and depth,
--- and without what two readers would not agree on: a name that is there twice, or an integer with
--- more digits than a double has.

local core = require "luafabric.core"
local json = require "luafabric.json"
local nearest = require "luafabric.nearest"
local problem = require "luafabric.service.problem"
local tasks = require "luafabric.tasks"

local M = {}

local LONGEST_KEY = 255 -- bytes
local MOST_NAMES = 1000 -- of one object
local MOST_MISTAKES = 20 -- that are told; to find what was meant takes time
local TURN = 1000 -- names and brackets; then others have theirs

local function refuse(kind, message, ...)
  return nil, problem.new(kind, message:format(...))
end

-- ---- what it is said to be ----

local function check_type(headers)
  local given = headers["content-type"]
  if not given then
    return refuse("media-type", "give Content-Type: application/json")
  end
  local name, rest = given:lower():match("^%s*([^;%s]+)%s*(.*)$")
  if name ~= "application/json" then
    return refuse("media-type", "the Content-Type is not application/json")
  end
  local charset = rest:match("charset%s*=%s*\"?([^\";%s]*)")
  if charset and charset ~= "utf-8" and charset ~= "utf8" then
    return refuse("media-type", "the body's charset is not UTF-8, which JSON is written in")
  end
  return true
end

local function check_encoding(headers)
  local given = headers["content-encoding"]
  if not given or given:lower() == "identity" then return true end
  return refuse("media-type", "the body has a Content-Encoding: send it as it is")
end

-- ---- names that are there twice ----

-- The name itself, escapes read.
local function name_of(quoted)
  return quoted:find("\\", 1, true) and json.decode("[" .. quoted .. "]")[1] or quoted:sub(2, -2)
end

-- The place behind a text that begins at a quote.
local function text_end(text, at)
  local from = at + 1
  while true do
    local stop = text:find('["\\]', from)
    if text:sub(stop, stop) == '"' then return stop + 1 end
    from = stop + 2
  end
end

--- Takes a name of an object; what is wrong with it, if something is.
local function take_name(object, name)
  if object.names[name] then
    return select(2, refuse("bad-json", "the body has the name '%s' twice in one object", name))
  end
  object.names[name], object.count = true, object.count + 1
  if object.count <= MOST_NAMES then return nil end
  return select(2, refuse("body-too-large", "an object of the body has more than %d names",
    MOST_NAMES))
end

--- What is wrong with the names of a JSON object; in a task, which lets others go first at times.
--- Empty lists in it are marked, so that they are not taken for empty objects.
---@param text string   that json.decode could read
---@param object table  what it gave
---@return luafabric.service.Problem|nil
local function check_names(text, object)
  local stack, depth, at, count = {}, 0, text:find('[{}%[%]"]'), 0
  while at do
    local sign, after = text:sub(at, at), at + 1
    if sign == "{" or sign == "[" then
      depth = depth + 1
      stack[depth] = sign == "{" and { names = {}, count = 0 } or false
    elseif sign ~= '"' then
      depth = depth - 1
    else
      after = text_end(text, at)
      if stack[depth] and text:find("^%s*:", after) then
        local name = name_of(text:sub(at, after - 1))
        local err = take_name(stack[depth], name)
        if err then return err end
        if depth == 1 and text:find("^%s*:%s*%[%s*%]", after) then core.json_array(object[name]) end
      end
    end
    count = count + 1
    if count % TURN == 0 then tasks.yield() end
    at = text:find('[{}%[%]"]', after)
  end
end

-- ---- reading ----

--- The object in a body; an empty body is an empty object. In a task.
---@param request luafabric.service.Request
---@param max_body integer  bytes
---@return table|nil object
---@return luafabric.service.Problem|nil err
function M.read(request, max_body)
  local text = request.body or ""
  if request.body_too_large or #text > max_body then
    return refuse("body-too-large", "the body is longer than %d bytes", max_body)
  end
  local ok, err = check_encoding(request.headers)
  if not ok then return nil, err end
  if text == "" then return {} end
  ok, err = check_type(request.headers)
  if not ok then return nil, err end
  if not core.encode_json(text) then return refuse("bad-json", "the body is not UTF-8") end
  local value, message = json.path(text)
  if value == nil and message:find("^not JSON") then
    return refuse("bad-json", "the body is %s", message)
  end
  if value == nil then return refuse("invalid-request", "the body: %s", message) end
  if type(value) ~= "table" or not text:find("^%s*{") then
    return refuse("bad-json", "the body is not a JSON object")
  end
  err = check_names(text, value)
  if err then return nil, err end
  return value
end

-- ---- its fields ----

--- A name as a part of a JSON pointer (RFC 6901).
---@param name string
---@return string
function M.pointer(name)
  return "/" .. name:gsub("~", "~0"):gsub("/", "~1")
end

--- Mistakes of a body, gathered, so that all of them are told at once.
---@class luafabric.service.Mistakes
local Mistakes = {}
Mistakes.__index = Mistakes

---@return luafabric.service.Mistakes
function M.mistakes()
  return setmetatable({ list = {}, count = 0 }, Mistakes)
end

--- Whether no more are told.
---@return boolean
function Mistakes:is_full()
  return #self.list >= MOST_MISTAKES
end

---@param pointer string
---@param message string  what follows the place in a sentence
function Mistakes:add(pointer, message, ...)
  self.count = self.count + 1
  if self:is_full() then return end
  self.list[#self.list + 1] = { pointer = pointer, detail = message:format(...) }
end

--- The problem, if there is a mistake.
---@param kind string
---@return luafabric.service.Problem|nil
function Mistakes:problem(kind)
  local first = self.list[1]
  if not first then return nil end
  local more = self.count > 1 and (" (and %d more)"):format(self.count - 1) or ""
  table.sort(self.list, function(a, b) return a.pointer < b.pointer end)
  first = self.list[1]
  return problem.new(kind, ("%s: %s%s"):format(first.pointer, first.detail, more),
    { errors = self.list })
end

local list_type = getmetatable(core.json_array {})

local function is_empty_list(value)
  return next(value) == nil and getmetatable(value) == list_type
end

-- What a field may be, and how it is said.
local checks = {
  any = { "a value", function() return true end },
  key = { "a text, or false", function(value)
    return value == false or type(value) == "string" and value ~= "" and #value <= LONGEST_KEY
  end },
  duration = { 'seconds, or a text such as "2h"', function(value)
    return type(value) == "number" or type(value) == "string"
  end },
  count = { "a whole number from 1 up", function(value)
    return type(value) == "number" and value >= 1 and value % 1 == 0
  end },
  text = { "a text", function(value) return type(value) == "string" and value ~= "" end },
  boolean = { "true or false", function(value) return type(value) == "boolean" end },
  object = { "an object", function(value)
    return type(value) == "table" and #value == 0 and not is_empty_list(value)
  end },
  texts = { "a list of texts", function(value)
    if type(value) ~= "table" or #value == 0 and not is_empty_list(value) then return false end
    for _, item in ipairs(value) do
      if type(item) ~= "string" or item == "" then return false end
    end
    return true
  end },
}

--- Checks the fields of an object against what is known.
---@param object table
---@param known table<string, string|string[]>  a name of `checks`; or the words that are allowed
---@param mistakes luafabric.service.Mistakes
---@param hint string|nil  what to do with a field that is not known
function M.check_fields(object, known, mistakes, hint)
  local names = {}
  for name in pairs(known) do names[#names + 1] = name end
  for name, value in pairs(object) do
    local wanted = known[name]
    if not wanted then
      local near = not mistakes:is_full() and nearest.find(name, names, 1)[1]
      mistakes:add(M.pointer(name), "there is no such field%s%s",
        near and ("; did you mean %s?"):format(near) or "", hint or "")
    elseif type(wanted) == "table" then
      local is_known = false
      for _, word in ipairs(wanted) do is_known = is_known or word == value end
      if not is_known then
        mistakes:add(M.pointer(name), "expected one of %s", table.concat(wanted, ", "))
      end
    elseif not checks[wanted][2](value) then
      mistakes:add(M.pointer(name), "expected %s", checks[wanted][1])
    end
  end
end

return M
