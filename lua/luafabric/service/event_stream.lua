--- Reads a text/event-stream (HTML standard, "Server-sent events"): pieces of text in, whole
--- messages out. Pure.

local M = {}

local LONGEST = 16 * 1024 * 1024 -- bytes of one message; an event holds a request of a few MiB

---@class luafabric.StreamMessage
---@field id string     of the last message that had one, "" before
---@field event string  "message" where it has no other name
---@field data string

---@class luafabric.EventStream
---@field retry number|nil  seconds that the server asks to wait before a new connection
local Stream = {}
Stream.__index = Stream

--- Reads from the beginning of an answer.
---@return luafabric.EventStream
function M.new()
  return setmetatable({ pieces = {}, length = 0, id = "", data = {}, is_first = true }, Stream)
end

local fields = {}

function fields.data(self, value)
  self.data[#self.data + 1] = value
  self.length = self.length + #value
end

function fields.event(self, value) self.event = value end

function fields.id(self, value)
  if not value:find("\0", 1, true) then self.id = value end
end

function fields.retry(self, value)
  if value:find("^%d+$") and #value < 10 then self.retry = tonumber(value) / 1000 end
end

--- An empty line ends a message; one without data is none.
local function finish(self, messages)
  local data, event = self.data, self.event
  self.data, self.event, self.length = {}, nil, 0
  if #data == 0 then return end
  messages[#messages + 1] = { id = self.id, data = table.concat(data, "\n"),
    event = event ~= "" and event or "message" }
end

local function take_line(self, line, messages)
  if line == "" then return finish(self, messages) end
  local name, value = line:match("^([^:]*):? ?(.*)$")
  local take = fields[name] -- a comment has no name
  if take then take(self, value) end
end

--- Takes the next piece of text, cut anywhere.
---@param text string
---@return luafabric.StreamMessage[]|nil messages  that are whole now
---@return string|nil problem  a message is longer than is taken
function Stream:feed(text)
  local messages = {}
  if text:find("[\r\n]") then
    text = table.concat(self.pieces) .. text
    self.pieces = {}
    if self.is_first then text = text:gsub("^\239\187\191", "") end -- a byte order mark
    self.is_first = false
    local from = 1
    while true do
      local at, _, ending = text:find("(\r?\n)", from)
      local alone = text:find("\r[^\n]", from)
      if alone and (not at or alone < at) then at, ending = alone, "\r" end
      if not at then break end
      take_line(self, text:sub(from, at - 1), messages)
      from = at + #ending
    end
    text = text:sub(from)
  end
  if text ~= "" then self.pieces[#self.pieces + 1] = text end
  local waiting = self.length
  for _, piece in ipairs(self.pieces) do waiting = waiting + #piece end
  if waiting > LONGEST then
    return nil, ("a message longer than %d MiB"):format(LONGEST / 1048576)
  end
  return messages
end

return M
