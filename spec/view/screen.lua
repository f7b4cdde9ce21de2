-- A small terminal for specs: it understands what luafabric.view.live writes, and nothing else.

local M = {}

local Screen = {}
Screen.__index = Screen

function M.new(rows, columns)
  local screen = setmetatable({ rows = rows, columns = columns, lines = {}, history = {}, y = 1,
    x = 1, cursor = true, wrap = true, written = 0 }, Screen)
  for index = 1, rows do screen.lines[index] = {} end
  return screen
end

local function feed_line(self)
  if self.y < self.rows then
    self.y = self.y + 1
    return
  end
  table.insert(self.history, table.remove(self.lines, 1))
  self.lines[self.rows] = {}
end

local function put(self, character)
  if self.x > self.columns then
    if not self.wrap then
      self.x = self.columns
    else
      self.x = 1
      feed_line(self)
    end
  end
  local line = self.lines[self.y]
  for column = #line + 1, self.x - 1 do line[column] = " " end
  line[self.x] = character
  self.x = self.x + 1
end

local function clear_line(line, from)
  for column = #line, from, -1 do line[column] = nil end
end

local commands = {
  ["[K"] = function(self) clear_line(self.lines[self.y], self.x) end,
  ["[J"] = function(self)
    clear_line(self.lines[self.y], self.x)
    for row = self.y + 1, self.rows do self.lines[row] = {} end
  end,
  ["[B"] = function(self) self.y = math.min(self.rows, self.y + 1) end,
  ["[?25l"] = function(self) self.cursor = false end,
  ["[?25h"] = function(self) self.cursor = true end,
  ["[?7l"] = function(self) self.wrap = false end,
  ["[?7h"] = function(self) self.wrap = true end,
  ["7"] = function(self) self.saved = { self.x, self.y } end,
  ["8"] = function(self) self.x, self.y = self.saved[1], self.saved[2] end,
}

function Screen:write(text)
  self.written = self.written + #text
  local at = 1
  while at <= #text do
    local command, count = text:match("^\27(%[%??(%d*)%a)", at)
    if not command then command = text:match("^\27(%d)", at) end
    local character = text:match("^[%z\1-\127\194-\244][\128-\191]*", at)
    if command and command:find("^%[%d+A$") then
      self.y = math.max(1, self.y - tonumber(count))
    elseif command then
      assert(commands[command], "the screen does not know " .. command)(self)
    elseif character == "\r" then
      self.x = 1
    elseif character == "\n" then
      feed_line(self)
    else
      put(self, character)
    end
    at = at + (command and #command + 1 or #character)
  end
end

local function text_of(line)
  return (table.concat(line):gsub("%s+$", ""))
end

--- What is to be seen, without the empty lines at the end; what was scrolled away comes first.
function Screen:text()
  local all = {}
  for _, line in ipairs(self.history) do all[#all + 1] = text_of(line) end
  for _, line in ipairs(self.lines) do all[#all + 1] = text_of(line) end
  while all[#all] == "" do all[#all] = nil end
  return all
end

return M
