-- Signals while a workflow runs. Ctrl-C and SIGTERM (HUP too: a terminal that is gone is no reason
-- to leave runs behind) cancel what runs, and `finally` still comes; a second one cancels `finally`
-- as well; a third leaves. Ctrl-\ leaves at once: the runs go on in Fabric. Who leaves is told what
-- goes on and how to look at it.

local exit_codes = require "luafabric.cli.exit_codes"
local terminal_module = require "luafabric.cli.terminal"

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
---  has_keys: boolean|nil }  has_keys: somebody can type Ctrl-C again
---@return table interrupt
function M.new(loop, terminal, options)
  local self = setmetatable({
    loop = loop, terminal = terminal, choice = options.on_interrupt or "cancel",
    is_local = options.local_dir ~= nil, has_keys = options.has_keys,
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

--- The runs that are on in Fabric, or may be: { path, job_id, command }.
---@param state luafabric.WorkflowRun
---@param look_options string|nil  of the terminal
---@return table[] rows
function M.under_way(state, look_options)
  local rows = {}
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    local attempt = step.attempts[#step.attempts]
    if attempt and (attempt.state == "submitted" or attempt.state == "intended") then
      local action = attempt.job_id and "status" or "list"
      rows[#rows + 1] = { path = path, job_id = attempt.job_id, command =
        ("luafabric notebook %s %s%s%s"):format(action, words_of(attempt.request or {}),
          attempt.job_id and " " .. attempt.job_id or "", look_options or "") }
    end
  end
  return rows
end

local function waiting_steps(state)
  local count = 0
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    if step.kind ~= "item" and (step.phase == "pending" or step.phase == "ready") then
      count = count + 1
    end
  end
  return count
end

local function counted(count, word)
  return ("%d %s%s"):format(count, word, count == 1 and "" or "s")
end

function Interrupt:state()
  return self.control and self.control.state or { order = {}, steps = {} }
end

function Interrupt:list(rows)
  for index = 1, math.min(#rows, MOST_ROWS) do
    local row = rows[index]
    self:tell(("  %s  %s"):format(row.path, row.job_id and "job " .. row.job_id
      or "no job id yet: the answer of its submission is on its way"))
    self:tell("    look with: " .. row.command)
  end
  if #rows > MOST_ROWS then self:tell(("  … and %d more"):format(#rows - MOST_ROWS)) end
end

--- Where words go: above a live screen, if there is one.
function Interrupt:tell(text)
  if self.print_above then return self.print_above(text) end
  self.terminal:tell(text)
end

-- ---- what a signal does ----

--- The workflow runs now, and this controls it. A signal from before counts.
function Interrupt:started(control)
  self.control = control
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
  self:tell(("cancelling %s and waiting for the end%s"):format(
    #rows > 0 and counted(#rows, "run") or "the workflow", self:again("skips the finally steps")))
  if not by_key or not self.has_keys then self:list(rows) end
  self.control:cancel { by = "user" }
end

function Interrupt:cancel_now()
  self:tell("cancelling without the finally steps" .. self:again("does not wait for the end"))
  self.control:cancel { by = "user", now = true }
end

--- Leaves the runs; only answers of submissions are waited for.
function Interrupt:detach()
  self.detaches = 1
  if self.is_local then
    self:tell("interrupted: the emulator of --local ends now, and its runs with it")
  elseif self:code_of_leaving() == exit_codes.unknown then
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
    self:tell(("detached: %s of this workflow %s on in Fabric%s"):format(counted(#rows, "run"),
      #rows == 1 and "goes" or "go", briefly and "" or ":"))
    if not briefly then self:list(rows) end
  end
  local later = waiting_steps(state)
  if later > 0 then
    self:tell(("%s that had not begun %s not start"):format(counted(later, "step"),
      later == 1 and "does" or "do"))
  end
end

--- The exit code of a command that does not wait for anything any more.
---@return integer code
function Interrupt:code_of_leaving()
  if self.is_local then return exit_codes.cancelled end
  for _, row in ipairs(M.under_way(self:state())) do
    if not row.job_id then return exit_codes.unknown end
  end
  return exit_codes.detached
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
  if not self.control then return self:leave_nothing() end
  if self.detaches then return self:leave() end
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
  local main = self.loop:spawn(function()
    -- A signal from before this moment is delivered now, before anything is sent.
    require("luafabric.tasks").yield()
    if self.decision then return end
    self.worker = self.loop:spawn(function()
      self.result = { code = fn() }
      self.finished:signal()
    end)
    self.loop:spawn(function()
      local ok, err = self.worker:join()
      if not ok and not self.decision then self:decide { raised = err } end
    end)
    while not self.result and not self.decision do self.finished:wait() end
  end)
  local ok, err = self.loop:run(main)
  if not ok then return { raised = err } end
  return self.result or self.decision
end

return M
