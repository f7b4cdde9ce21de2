--- JSON for files that people write: every value with the line it stands in, members in their
--- order, numbers with the digits they have in the file, and mistakes told with a place and a way
--- out. What travels on the wire is read by luafabric.json, which is faster and knows no lines.
--- Pure.

local json = require "luafabric.json"

local M = {}

local MAX_DEPTH = 64
local BYTE_ORDER_MARK = "\239\187\191"

---@class luafabric.workflow.JsonNode
---@field kind "object"|"array"|"string"|"number"|"boolean"|"null"
---@field line integer
---@field text string|nil     string, number, boolean, null: as it stands in the file
---@field value any           string: its text; boolean: true or false
---@field members { name: string, line: integer, node: luafabric.workflow.JsonNode }[]|nil  object
---@field by_name table<string, luafabric.workflow.JsonNode>|nil  object
---@field items luafabric.workflow.JsonNode[]|nil  array

local Reader = {}
Reader.__index = Reader

function Reader:fail(message, ...)
  error({ line = self.line, message = message:format(...) }, 0)
end

--- Passes white space and counts its lines: no other place of JSON holds one.
function Reader:skip()
  local from = self.at
  local byte = self.text:byte(from)
  if byte and byte > 32 then return end
  self.at = self.text:match("^[ \t\r\n]*()", from)
  for _ in self.text:sub(from, self.at - 1):gmatch("\n") do self.line = self.line + 1 end
end

-- Words of other languages.
local slips = { True = "true", False = "false", None = "null", undefined = "null", ["nil"] = "null",
  NULL = "null", TRUE = "true", FALSE = "false" }

-- What stands at the place, for a message; with the way out where it is a common slip.
function Reader:found()
  local rest = self.text:sub(self.at, self.at + 40)
  if rest == "" then return "the end of the file" end
  if rest:find("^'") then return "': JSON writes texts in double quotes" end
  if rest:find("^#") or rest:find("^//") or rest:find("^/%*") then
    return rest:match("^[#/*]+") .. ": JSON has no comments"
  end
  local word = rest:match("^[%w_%.%+%-]+")
  if slips[word] then return ("%s: JSON writes %s"):format(word, slips[word]) end
  return (word or rest:match("^[%z\1-\127\194-\244][\128-\191]*") or rest:sub(1, 1))
    :gsub("%c", "?")
end

-- The text of a string: the common one without a backslash is cut out as it stands.
local function unescape(raw)
  if not raw:find("\\", 1, true) then return raw:sub(2, -2) end
  local list = json.decode("[" .. raw .. "]")
  return list and list[1]
end

function Reader:string()
  local first = self.at
  local at = first + 1
  while true do
    at = self.text:match('^[^"\\%c]*()', at)
    local sign = self.text:sub(at, at)
    if sign == '"' then break end
    if sign == "" or sign == "\n" or sign == "\r" then
      self:fail("a text is not closed: the \" at its end is missing")
    end
    if sign:find("%c") and sign ~= "\127" then
      self:fail("a text holds a control character; JSON writes a tab as \\t")
    end
    at = at + (sign == "\\" and 2 or 1)
  end
  self.at = at + 1
  local raw = self.text:sub(first, at)
  local value = unescape(raw)
  if not value then self:fail("a text holds a \\ that JSON does not know: %s", raw:sub(1, 60)) end
  return { kind = "string", line = self.line, text = raw, value = value }
end

local function is_number(word)
  local whole, rest = word:match("^%-?(%d+)(.*)$")
  if not whole or whole:find("^0%d") then return false end
  rest = rest:gsub("^%.%d+", "")
  return rest == "" or rest:find("^[eE][%+%-]?%d+$") ~= nil
end

function Reader:word()
  local word = self.text:match("^[%w_%.%+%-]+", self.at)
  local node = { line = self.line, text = word }
  if word == "true" or word == "false" then
    node.kind, node.value = "boolean", word == "true"
  elseif word == "null" then
    node.kind = "null"
  elseif word and is_number(word) then
    node.kind = "number"
  else
    self:fail("expected a value, found %s", self:found())
  end
  self.at = self.at + #word
  return node
end

--- What stands between the brackets: `read` takes one entry. Says when a comma is missing, or too
--- many.
function Reader:list(closing, read)
  self.at = self.at + 1
  self:skip()
  if self.text:sub(self.at, self.at) == closing then
    self.at = self.at + 1
    return
  end
  while true do
    read()
    self:skip()
    local sign = self.text:sub(self.at, self.at)
    if sign ~= "," and sign ~= closing then
      self:fail("expected , or %s, found %s", closing, self:found())
    end
    self.at = self.at + 1
    if sign == closing then return end
    self:skip()
    if self.text:sub(self.at, self.at) == closing then
      self:fail("take out the comma before the %s", closing)
    end
  end
end

function Reader:object(depth)
  local node = { kind = "object", line = self.line, members = {}, by_name = {} }
  self:list("}", function()
    if self.text:sub(self.at, self.at) ~= '"' then
      self:fail("expected a name in double quotes, found %s", self:found())
    end
    local name, line = self:string().value, self.line
    if node.by_name[name] then self:fail("\"%s\" is there twice in one object", name) end
    self:skip()
    if self.text:sub(self.at, self.at) ~= ":" then
      self:fail("expected : after \"%s\", found %s", name, self:found())
    end
    self.at = self.at + 1
    local value = self:value(depth + 1)
    node.by_name[name] = value
    node.members[#node.members + 1] = { name = name, line = line, node = value }
  end)
  return node
end

function Reader:array(depth)
  local node = { kind = "array", line = self.line, items = {} }
  self:list("]", function() node.items[#node.items + 1] = self:value(depth + 1) end)
  return node
end

function Reader:value(depth)
  if depth > MAX_DEPTH then self:fail("it is nested too deeply") end
  self:skip()
  local sign = self.text:sub(self.at, self.at)
  if sign == "{" then return self:object(depth) end
  if sign == "[" then return self:array(depth) end
  if sign == '"' then return self:string() end
  return self:word()
end

local function read(reader)
  local node = reader:value(1)
  reader:skip()
  if reader.at <= #reader.text then
    reader:fail("expected the end of the file, found %s", reader:found())
  end
  return node
end

--- Reads a text.
---@param text string
---@return luafabric.workflow.JsonNode|nil node
---@return string|nil message
---@return integer|nil line  of what the message is about
function M.read(text)
  if text:sub(1, #BYTE_ORDER_MARK) == BYTE_ORDER_MARK then text = text:sub(#BYTE_ORDER_MARK + 1) end
  local reader = setmetatable({ text = text, at = 1, line = 1 }, Reader)
  local ok, node = pcall(read, reader)
  if ok then return node end
  if type(node) ~= "table" then error(node, 0) end
  return nil, node.message, node.line
end

--- A value as JSON text again, without white space; strings and numbers as they stand in the file.
---@param node luafabric.workflow.JsonNode
---@return string
function M.compact(node)
  local parts = {}
  if node.kind == "array" then
    for index, item in ipairs(node.items) do parts[index] = M.compact(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  if node.kind ~= "object" then return node.text end
  for index, member in ipairs(node.members) do
    parts[index] = ("%s:%s"):format(assert(json.encode(member.name)), M.compact(member.node))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

return M
