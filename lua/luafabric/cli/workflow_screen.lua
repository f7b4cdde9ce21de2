-- What standard error shows while a workflow runs: a live table on a terminal, elsewhere a line for
-- each change, nothing with --quiet. The table is drawn by a task of the loop, which ends with the
-- run; whatever happens, `finish` leaves a clean screen.

local core = require "luafabric.core"
local redaction = require "luafabric.redaction"
local terminal_module = require "luafabric.cli.terminal"
local view_text = require "luafabric.view.text"

local M = {}

local SLOWEST = 1 -- seconds between two redraws: elapsed times go on
local DEFAULT_COLUMNS, DEFAULT_ROWS = 80, 24
local CLEAR_BELOW = "\r\27[J"

local Screen = {}
Screen.__index = Screen

--- How a terminal is used: "live", "lines" or "nothing".
---@param terminal table
---@param is_terminal fun(fd: integer): boolean
---@param kind string|nil  $TERM
---@return string
function M.mode(terminal, is_terminal, kind)
  if terminal.quiet then return "nothing" end
  -- Events on the same screen are what is shown; and who reads them may write to it, too, which a
  -- table does not bear.
  if terminal.jsonl then return is_terminal(1) and "nothing" or "lines" end
  if is_terminal(2) and kind ~= "dumb" then return "live" end
  return "lines"
end

local function size()
  local columns, rows = core.window_size(2)
  return rows or DEFAULT_ROWS, columns or DEFAULT_COLUMNS
end

local function write(text)
  io.stderr:write(redaction.text(text))
  io.stderr:flush()
end

--- The first words: what runs, and how to end or leave it.
---@param state luafabric.WorkflowRun
---@param options { has_keys: boolean, local_dir: string|nil, on_interrupt: string|nil,
---  joined: boolean|nil }  joined: another process runs it
---@return string title  "nightly 7f3a12: 7 steps"
---@return string hint
function M.first_words(state, options)
  local words = require "luafabric.view.words"
  local title = ("%s: %s"):format(view_text.clean(words.run(state)),
    words.count(#state.order, "step"))
  local cancel, leave = "SIGTERM", "SIGQUIT"
  if options.has_keys then cancel, leave = "Ctrl-C", "Ctrl-\\" end
  if options.joined then return title, cancel .. " ends only the following" end
  if options.local_dir then
    return title, cancel .. " cancels its runs and waits for them"
  end
  if options.on_interrupt == "detach" then
    return title, cancel .. " leaves its runs running in Fabric"
  end
  return title, ("%s cancels its runs and waits for them; %s leaves them running"):format(cancel,
    leave)
end

--- A screen for one run.
---@param terminal table
---@param loop table
---@param options table  of first_words; mode: "live", "lines", "nothing"; resume_command:
---  nil|fun(run_id: string): string, of a run that is kept in a store
---@return table screen
function M.new(terminal, loop, options)
  local self = setmetatable({ terminal = terminal, loop = loop, options = options,
    mode = options.mode, changed = loop:condition() }, Screen)
  loop:on("signal", function(event)
    -- A window of another size is drawn at once; after Ctrl-Z and fg the shell has written over it.
    if event.name == "CONT" then self:begin_again() end
    if event.name == "WINCH" or event.name == "CONT" then self.changed:signal() end
  end)
  return self
end

local function draw_until_the_end(self)
  while self.live do
    local ok, pause = pcall(self.live.draw, self.live, self.state)
    if not ok then
      self.drawer = nil -- that is who speaks here: it ends by itself
      return self:give_up(pause)
    end
    if type(pause) ~= "number" or pause > SLOWEST then pause = SLOWEST end
    self.changed:wait(pause)
  end
end

local function new_live(self, hint)
  return require("luafabric.view.live").new {
    write = write, size = size, now = core.wall, hint = hint,
    palette = terminal_module.palette(self.terminal),
  }
end

local function start_live(self, hint)
  self.live = new_live(self, hint)
  self.drawer = self.loop:spawn(draw_until_the_end, self)
end

--- A new table, from where the cursor is.
function Screen:begin_again()
  if not self.live then return end
  self.live = new_live(self, self.live.hint)
  write(CLEAR_BELOW)
end

local function start(self, state)
  self.state = state
  local title, hint = M.first_words(state, self.options)
  if self.mode == "live" then
    start_live(self, hint)
  elseif self.mode == "lines" then
    self.terminal:say(("%s. %s"):format(title, hint))
  end
  -- A process that is killed has no last words.
  if self.options.resume_command and not self.options.joined then
    self:tell("if it is cut off, go on with it: " .. self.options.resume_command(state.run_id))
  end
end

local function warning_line(terminal, event)
  local place = event.path and event.path .. ": " or ""
  return terminal:careful("warning    ") .. view_text.clean(place .. tostring(event.message))
end

local function show(self, event, state)
  -- The first event of a run that is taken up is any.
  if not self.state then start(self, state) end
  if self.mode == "live" then
    -- The table has no place for it.
    if event.type == "warning" then self:tell(warning_line(self.terminal, event)) end
    return self.changed:signal()
  end
  -- The first words have said it, but for the inputs.
  if event.type == "run_started" and #(event.inputs or {}) == 0 then return end
  local line = require("luafabric.view.lines").of(event, state)
  if line then self.terminal:say(line) end
end

--- For every event, once the state has it. Plain. A mistake of ours ends what is shown, and nothing
--- else.
function Screen:event(event, state)
  if self.mode == "nothing" then return end
  local ok, problem = pcall(show, self, event, state)
  if not ok then self:give_up(problem) end
end

--- Nothing is shown any more.
function Screen:give_up(problem)
  self.mode = "nothing"
  pcall(self.finish, self)
  self.terminal:tell("luafabric: internal error: progress is not shown any more: "
    .. tostring(problem))
end

--- Words that stay, above the table where there is one.
function Screen:tell(text)
  if not self.live then return self.terminal:tell(text) end
  self.live:print(terminal_module.harmless(text))
end

--- What the table says beside the run's name from now on.
function Screen:hint(text)
  if not self.live then return end
  self.live.hint = text
  self.changed:signal()
end

--- The end of the table. Twice does no harm.
---@param keep boolean|nil  its last state stays on the screen
function Screen:finish(keep)
  local live, drawer = self.live, self.drawer
  self.live, self.drawer = nil, nil
  if drawer then drawer:cancel() end
  if live then live:finish(keep and self.state or nil) end
end

return M
