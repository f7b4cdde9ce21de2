--- Draws a run's table on a terminal, again and again in one place. It is told the time and the
--- size of the window, and writes through a function: no clock, no file, no signal of its own.
---
--- Between two draws the cursor stands at the beginning of the frame's first line. A window that
--- becomes narrower breaks the lines below it, a lower one scrolls, but the cursor's own line moves
--- along: whatever became of the frame, what is from there on is ours to clear.

local progress = require "luafabric.view.progress"

local M = {}

local SHORTEST = 0.1 -- seconds between two draws
local LONGEST = 1 -- seconds until the clocks in the rows are old
local MANY = 20000 -- steps and items: looking at them so often would be felt

-- Not from the screen's first character: tmux takes that for a clear of the whole screen, and keeps
-- what was there in its history.
local CLEAR_BELOW = "\r \27[J\r"
local CLEAR_REST = "\27[K"
-- A line that is wider than we think is cut by the terminal, never broken. Only while we write: who
-- is killed leaves a terminal that works.
local WRAP_OFF, WRAP_ON = "\27[?7l", "\27[?7h"
local SAVE_PLACE, BACK = "\0277", "\0278"
-- Likewise: whoever stops us with Ctrl-Z gets a shell with a cursor.
local HIDE_CURSOR, SHOW_CURSOR = "\27[?25l", "\27[?25h"

local DEFAULT_ROWS, DEFAULT_COLUMNS = 24, 80

local Live = {}
Live.__index = Live

---@class luafabric.LiveOptions
---@field write fun(text: string)                 to the terminal, at once
---@field size fun(): integer|nil, integer|nil    rows and columns; nil where it is not known
---@field now fun(): number                       unix seconds
---@field palette luafabric.Palette|nil
---@field hint string|nil                         how to detach or cancel

--- A driver that has not drawn anything yet.
---@param options luafabric.LiveOptions
---@return luafabric.Live
function M.new(options)
  ---@class luafabric.Live
  return setmetatable({ write = options.write, size = options.size, clock = options.now,
    palette = options.palette, hint = options.hint, lines = {}, drawn_at = nil }, Live)
end

local function up(count)
  return count > 0 and ("\27[%dA"):format(count) or ""
end

--- What turns the old lines into the new ones; the cursor comes back to the first. Among the old
--- lines nothing scrolls, even when the window is lower than we know by now.
local function changes(old, new)
  local grows = #new > #old
  local parts = { grows and "" or SAVE_PLACE }
  for index, line in ipairs(new) do
    if index > 1 then parts[#parts + 1] = index > #old and "\r\n" or "\r\27[B" end
    if line ~= old[index] or index == #new and #old > #new then
      parts[#parts + 1] = line .. CLEAR_REST
    end
  end
  if #old > #new then parts[#parts + 1] = "\27[J" end
  parts[#parts + 1] = grows and "\r" .. up(#new - 1) or BACK
  return table.concat(parts)
end

local function is_same(a, b)
  if #a ~= #b then return false end
  for index, line in ipairs(a) do
    if line ~= b[index] then return false end
  end
  return true
end

function Live:frame(state)
  local rows, columns = self.size()
  rows, columns = rows or DEFAULT_ROWS, columns or DEFAULT_COLUMNS
  local resized = self.rows and (rows ~= self.rows or columns ~= self.columns)
  self.rows, self.columns = rows, columns
  -- The last column stays free: some terminals clear its character with the rest of the line.
  return progress.frame(state, { width = math.max(1, columns - 1), height = math.max(1, rows - 1),
    now = self.clock(), palette = self.palette, hint = self.hint }), resized
end

--- Shows the state, where the last frame was; does nothing when that was less than 0.1 s ago (1 s
--- for more than 20,000 steps).
---@param state luafabric.WorkflowRun
---@return number seconds  until the next draw is of use, even when nothing happens until then
function Live:draw(state)
  local now = self.clock()
  local age = self.drawn_at and now - self.drawn_at
  local shortest = #state.order > MANY and LONGEST or SHORTEST
  if age and age >= 0 and age < shortest then return shortest - age end
  self.drawn_at = now
  self:show(self:frame(state))
  -- Just after the next whole second, where the clocks in the rows change.
  return LONGEST - (now - (state.started_at or 0)) % 1 + 0.01
end

function Live:show(lines, afresh)
  local old = self.lines
  if not afresh and is_same(old, lines) then return end
  local start = HIDE_CURSOR
  if afresh then old, start = {}, start .. CLEAR_BELOW end
  self.lines = lines
  self.write(start .. WRAP_OFF .. changes(old, lines) .. WRAP_ON .. SHOW_CURSOR)
end

--- Puts a line above the frame, for good.
---@param line string  may have colours
function Live:print(line)
  local lines = self.lines
  if #lines == 0 then return self.write(line .. "\r\n") end
  self.lines = {}
  self.write(CLEAR_BELOW .. line .. "\r\n" .. WRAP_OFF .. changes({}, lines) .. WRAP_ON)
  self.lines = lines
end

--- Leaves the terminal as it was, with the cursor below the last frame of a run that is given, and
--- where the frame was otherwise. Twice does no harm.
---@param state luafabric.WorkflowRun|nil
function Live:finish(state)
  if state then
    self.hint = nil
    self:show(self:frame(state))
    self.write(("\r\n"):rep(#self.lines))
  elseif #self.lines > 0 then
    self.write(CLEAR_BELOW)
  end
  self.lines = {}
end

return M
