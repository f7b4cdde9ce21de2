-- Signals while a workflow runs. Ctrl-C and SIGTERM (HUP too: a terminal that is gone is no reason
-- to leave runs behind) cancel what runs, and `finally` still comes; a second one cancels `finally`
-- as well; a third leaves. Ctrl-\ leaves at once: the runs go on in Fabric. Who leaves is told what
-- goes on and how to look at it.

local exit_codes = require "luafabric.cli.exit_codes"
local terminal_module = require "luafabric.cli.terminal"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"
local worker = require "luafabric.cli.worker"

local M = {}

-- coreutils' timeout, for one, sends its signal to the process and then to the group: one wish,
-- which arrives twice.
local ECHO = 0.2 -- seconds
local MOST_ROWS = 20

--- The signals that the command's host has to report.
M.signals = { "INT", "TERM", "HUP", "QUIT", "PIPE", "WINCH", "CONT" }

local wishes = { INT = "cancel", TERM = "cancel", HUP = "cancel", QUIT = "detach" }

local Interrupt = {}
Interrupt.__index = Interrupt

--- Watches a command that runs a workflow.
---@param loop table
---@param terminal table
---@param options { on_interrupt: "cancel"|"detach"|nil, local_dir: string|nil,
---  has_keys: boolean|nil, resume_command: nil|fun(run_id: string): string }  has_keys: somebody
---  can type Ctrl-C again; resume_command: of a run that is kept in a store
---@return table interrupt
function M.new(loop, terminal, options)
  local self = setmetatable({
    loop = loop, terminal = terminal, choice = options.on_interrupt or "cancel",
    is_local = options.local_dir ~= nil, has_keys = options.has_keys,
    resume_command = options.resume_command,
    finished = loop:condition(), cancels = 0,
  }, Interrupt)
  loop:on("signal", function(event)
    local wish = wishes[event.name]
    if wish then self:signalled(wish, event.name) end
  end)
  return self
end

-- ---- what is under way ----

local function words_of(request)
  local workspace = request.workspace_id or request.workspace or "WORKSPACE"
  local notebook = request.notebook_id or request.notebook or "NOTEBOOK"
  return ("%s %s"):format(terminal_module.shell_word(tostring(workspace)),
    terminal_module.shell_word(tostring(notebook)))
end

local function is_in_doubt(step)
  return step.attempts[#step.attempts].state == "unknown"
end

--- The runs that are on in Fabric, or may be: { path, job_id, in_doubt, command }.
---@param state luafabric.WorkflowRun
---@param look_options string|nil  of the terminal
---@return table[] rows
function M.under_way(state, look_options)
  local rows = {}
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    if words.under_way(step) then
      local attempt = step.attempts[#step.attempts]
      local action = attempt.job_id and "status" or "list"
      rows[#rows + 1] = { path = path, job_id = attempt.job_id,
        in_doubt = is_in_doubt(step), command =
        ("luafabric notebook %s %s%s%s"):format(action, words_of(attempt.request or {}),
          attempt.job_id and " " .. attempt.job_id or "", look_options or "") }
    end
  end
  return rows
end

-- What is left behind: "fresh" has not begun, "waiting" waits for another attempt or for quota. Of
-- an `each` its items count.
local function kind_of_rest(step)
  if step.phase == "pending" or step.phase == "ready" then return "fresh" end
  return words.is_waiting(step) and "waiting" or nil
end

--- Steps and items of one kind of rest in words: "2 steps and 1 item"; and how many there are.
local function rest_of(state, kind)
  local steps, items, parts = 0, 0, {}
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    if kind_of_rest(step) == kind then
      if step.kind == "item" then items = items + 1 else steps = steps + 1 end
    end
  end
  if steps > 0 then parts[1] = words.count(steps, "step") end
  if items > 0 then parts[#parts + 1] = words.count(items, "item") end
  return table.concat(parts, " and "), steps + items
end

local function has_finally(state)
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    if step.is_finally and step.phase ~= "ended" then return true end
  end
  return false
end

--- What is not known of the runs: "answer" of a submission, which is on its way, or "outcome": of
--- one that ended so, or whether there is one.
local function uncertain(state)
  local found
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    local is_open = words.under_way(step) == "unknown"
    if is_open and not is_in_doubt(step) then return "answer" end
    if is_open or step.outcome == "unknown" then found = "outcome" end
  end
  return found
end

function Interrupt:state()
  return self.control and self.control.state or { order = {}, steps = {} }
end

function Interrupt:list(rows)
  for index = 1, math.min(#rows, MOST_ROWS) do
    local row = rows[index]
    self:tell(("  %s  %s"):format(text.clean(row.path), row.job_id
      and "job " .. text.clean(row.job_id) or row.in_doubt and "may run: no answer told whether "
        .. "Fabric took its submission"
      or "no job id yet: the answer of its submission is on its way"))
    self:tell("    look with: " .. text.clean(row.command))
  end
  if #rows > MOST_ROWS then self:tell(("  … and %d more"):format(#rows - MOST_ROWS)) end
end

--- Where words go: above a live screen, if there is one.
function Interrupt:tell(line)
  if self.print_above then return self.print_above(line) end
  self.terminal:tell(line)
end

-- ---- what a signal does ----

--- The workflow runs now, and this controls it. A signal from before counts.
function Interrupt:started(control)
  self.control, self.is_replacing = control, nil
end

--- A run that this one replaces is ended from here: a signal is about that one, and this one does
--- not start.
function Interrupt:replacing(control)
  self.control, self.is_replacing, self.last_words = control, true, nil
end

--- It has ended: whatever is signalled now is about a run that has not begun.
function Interrupt:replaced()
  self.control, self.is_replacing, self.last_words = nil, nil, nil
end

--- Another process' run is followed, or was asked to end: a signal ends the following, and nothing
--- else.
---@param last_words fun(): string
function Interrupt:following(last_words)
  self.last_words = last_words
end

function Interrupt:stop_following()
  local reason = self.last_words()
  self:tell(reason)
  self:decide { code = exit_codes.detached, reason = reason }
  if self.worker then self.worker:cancel() end
end

--- How to go on with a run that is kept, before anything is waited for: whoever sent the signal may
--- not wait.
function Interrupt:say_how_to_resume(when)
  if not self.resume_command or self.told_to_resume then return end
  self.told_to_resume = true
  self:tell(("%s: %s"):format(when, self.resume_command(self:state().run_id)))
end

function Interrupt:decide(decision)
  self.decision = self.decision or decision
  self.finished:signal()
end

function Interrupt:leave_nothing()
  local reason = "interrupted: nothing was submitted"
  self:tell(reason)
  self:decide { code = exit_codes.cancelled, reason = reason }
  if self.worker then self.worker:cancel() end
end

--- What one more signal does, beside the words and, where there is one, in the table.
function Interrupt:again(does)
  if not self.has_keys then return "" end
  if self.show_hint then self.show_hint("Ctrl-C again " .. does) end
  return (" (Ctrl-C again %s)"):format(does)
end

function Interrupt:cancel(by_key)
  local rows = M.under_way(self:state(), self.terminal.look_options)
  local hint = ""
  if has_finally(self:state()) then
    hint = self:again("skips the finally steps")
  elseif self.show_hint then
    self.show_hint("waiting for the end")
  end
  self:tell(("cancelling %s and waiting for the end%s"):format(
    #rows > 0 and words.count(#rows, "run") or "the workflow", hint))
  -- The emulator of --local ends with us: nobody can ask it later.
  if not by_key or not self.has_keys then
    self:say_how_to_resume "if this is ended before that, finish it with"
    if not self.is_local then self:list(rows) end
  end
  self.control:cancel { by = "user" }
end

function Interrupt:cancel_now()
  local what = has_finally(self:state()) and "cancelling without the finally steps"
    or "still waiting for the end"
  self:tell(what .. self:again("does not wait for the end"))
  self.control:cancel { by = "user", now = true }
end

--- Leaves the runs; only answers of submissions are waited for.
function Interrupt:detach()
  self.detaches = 1
  self:say_how_to_resume "go on with this run later"
  if self.is_local then
    self:tell("interrupted: the emulator of --local ends now, and its runs with it")
  elseif uncertain(self:state()) == "answer" then
    self:tell("detaching: waiting for the answers of submissions that are on their way"
      .. self:again("does not wait for them"))
  end
  self.control:detach()
end

--- The last words of a command that leaves: what runs on, and what will not start.
---@param briefly boolean|nil  the runs are listed elsewhere
function Interrupt:say_what_is_left(briefly)
  if self.is_local then return end
  local state = self:state()
  local rows = M.under_way(state, self.terminal.look_options)
  if #rows == 0 then
    self:tell("detached: nothing of this workflow runs in Fabric")
  else
    local doubts = 0
    for _, row in ipairs(rows) do doubts = doubts + (row.in_doubt and 1 or 0) end
    self:tell(("detached: %s of this workflow %s on in Fabric%s%s"):format(
      words.count(#rows, "run"), #rows == 1 and "goes" or "go",
      doubts > 0 and (", %d of them perhaps"):format(doubts) or "", briefly and "" or ":"))
    if not briefly then self:list(rows) end
  end
  self:say_how_to_resume "go on with this run later"
  local until_then = self.resume_command and " until then" or ""
  local rest, count = rest_of(state, "fresh")
  if count > 0 then
    self:tell(("%s that had not begun %s not start%s"):format(rest,
      count == 1 and "does" or "do", until_then))
  end
  rest, count = rest_of(state, "waiting")
  if count > 0 then
    self:tell(("%s that waited to be submitted again %s not%s"):format(rest,
      count == 1 and "is" or "are", until_then))
  end
end

--- The exit code of a command that does not wait for anything any more.
---@return integer code
function Interrupt:code_of_leaving()
  if self.is_local then return exit_codes.cancelled end
  return uncertain(self:state()) and exit_codes.unknown or exit_codes.detached
end

local function was_sent(state)
  for _, step in pairs(state.steps) do
    for _, attempt in ipairs(step.attempts) do
      if attempt.job_id or attempt.outcome ~= "not_started" then return true end
    end
  end
  return false
end

--- The same for one that ends by a mistake of its own, or since its disk is full.
---@param err luafabric.Error
---@return integer code
function Interrupt:code_of_mistake(err)
  if self.is_local then return exit_codes.failed end
  local code = self:code_of_leaving()
  local goes_on = code ~= exit_codes.detached or #M.under_way(self:state()) > 0
  if goes_on then return code end
  return was_sent(self:state()) and exit_codes.failed or exit_codes.of_error(err)
end

--- Leaves without the answers that are on their way; if that is not enough, just so.
function Interrupt:leave()
  self.detaches = self.detaches + 1
  if self.detaches == 2 then return self.control:detach() end
  self:decide { code = self:code_of_leaving(), reason = "left on request, without waiting" }
  if self.worker then self.worker:cancel() end
end

function Interrupt:signalled(wish, name)
  local now = self.loop.host.now()
  if self.last_wish == wish and now - self.last_at < ECHO then return end
  self.last_wish, self.last_at = wish, now
  if self.decision or self.result then return end
  if self.last_words then return self:stop_following() end
  if not self.control then return self:leave_nothing() end
  if self.detaches then return self:leave() end
  if self.is_replacing and self.cancels == 0 then
    self:tell("the new run does not start; of the one that was to be replaced:")
  end
  if wish == "detach" or self.choice == "detach" then return self:detach() end
  self.cancels = self.cancels + 1
  if self.cancels == 1 then return self:cancel(name == "INT") end
  if self.cancels == 2 then return self:cancel_now() end
  self:detach()
end

-- ---- the worker ----

--- Runs the worker until it, or a signal, decides how the command ends.
---@param fn fun(): integer  gives the exit code
---@return { code: integer|nil, reason: string|nil, raised: luafabric.Error|nil }  raised: the
---  worker's own error, which nobody expected; reason: a signal decided
function Interrupt:run_worker(fn)
  return worker.run(self, fn)
end

return M
