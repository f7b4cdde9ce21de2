-- Ctrl-C and SIGTERM while a run is on its way. First the user learns how to find the run; an
-- answer that is on its way is waited for, since it decides whether there is a run at all; then
-- the run is cancelled, or left. The second signal leaves at once.

local exit_codes = require "luafabric.cli.exit_codes"
local results = require "luafabric.cli.results"
local worker = require "luafabric.cli.worker"

local M = {}

-- coreutils' timeout, for one, sends its signal to the process and then to the group: one wish,
-- which arrives twice.
local ECHO = 0.2 -- seconds

local Interrupt = {}
Interrupt.__index = Interrupt

--- Watches a command that works on one run.
---@param loop table
---@param terminal table
---@param options { on_interrupt: "cancel"|"detach"|nil, local_dir: string|nil }
---@return table interrupt
function M.new(loop, terminal, options)
  local self = setmetatable({
    loop = loop, terminal = terminal, choice = options.on_interrupt or "cancel",
    is_local = options.local_dir ~= nil, finished = loop:condition(), count = 0,
  }, Interrupt)
  loop:on("signal", function(event)
    if event.name == "INT" or event.name == "TERM" then self:signalled() end
  end)
  return self
end

--- For the client's events: whether the answer of a submission is on its way. Before "submitted",
--- "waiting" says that surely nothing was started, and so does another "submitting": neither comes
--- to pass once we were interrupted, since the cancelled worker cannot wait or send any more.
function Interrupt:note(event)
  if self.active_run or self.settled then return end
  if event.type ~= "submitting" and (event.type ~= "waiting" or event.submitted) then return end
  if self.count > 0 then return self:leave_nothing() end
  self.in_flight = event.type == "submitting" and event or nil
end

--- The submission was answered, or never sent.
function Interrupt:answered()
  self.in_flight, self.settled = nil, true
end

function Interrupt:decide(decision)
  self.decision = self.decision or decision
  self.finished:signal()
end

function Interrupt:leave_nothing()
  if self.decision or self.result then return end
  self.terminal:tell("interrupted: nothing was submitted")
  self:decide { code = exit_codes.cancelled, reason = "interrupted: nothing was submitted" }
  -- Last, since a task that cancels itself does not come back from here.
  if self.worker then self.worker:cancel() end
end

function Interrupt:detach(run)
  if self.is_local then
    self.terminal:tell("interrupted: the emulator of --local ends now, and the run with it")
    return self:decide { code = exit_codes.cancelled, run = run,
      reason = "interrupted: the emulator of --local ended, and the run with it" }
  end
  local reason = "detached: the run goes on in Fabric"
  if self.canceller then reason = "detached: its cancel was asked for, its end is not awaited" end
  self.terminal:tell(reason .. ". Look with: " .. results.look_up(self.terminal, run))
  self:decide { code = exit_codes.detached, run = run, reason = reason }
end

function Interrupt:cancel(run)
  self.terminal:tell(("cancelling job %s (Ctrl-C again does not wait for its end). Look with: %s")
    :format(run.job_id, results.look_up(self.terminal, run)))
  self.canceller = self.loop:spawn(function() return run:cancel { wait = true } end)
  self.loop:spawn(function()
    local whole, ok, err = self.canceller:join()
    if self.decision then return end
    if whole and ok and run.outcome then return self:decide { run = run, ended = true } end
    self.terminal:tell("luafabric: the run could not be cancelled: "
      .. tostring(err or run.error or ok))
    self.canceller = nil
    self:detach(run)
  end)
end

--- There is a run now, and we were interrupted.
function Interrupt:end_run(run)
  if self.choice == "detach" then self:detach(run) else self:cancel(run) end
  self.worker:cancel() -- last, as above
end

function Interrupt:first()
  local run = self.active_run
  if run and run.outcome then return end -- it is over: what is left is to read and print
  if run then return self:end_run(run) end
  if not self.in_flight then return self:leave_nothing() end
  self.terminal:tell("interrupted: waiting for the answer of the submission, which decides whether "
    .. "there is a run (Ctrl-C again does not wait). Look with: "
    .. results.look_for(self.terminal, self.in_flight))
end

function Interrupt:second()
  if self.active_run then
    if self.canceller then self.canceller:cancel() end
    return self:detach(self.active_run)
  end
  if not self.in_flight then return self:leave_nothing() end
  local run = { outcome = "unknown", workspace_id = self.in_flight.workspace_id,
    notebook_id = self.in_flight.notebook_id }
  self.worker:cancel()
  self.terminal:tell("left without the answer of the submission: it may or may not run. Look with: "
    .. results.look_for(self.terminal, run))
  self:decide { code = exit_codes.unknown, run = run,
    reason = "interrupted before the answer of the submission" }
end

function Interrupt:signalled()
  local now = self.loop.host.now()
  if self.first_at and now - self.first_at < ECHO then return end
  self.first_at = self.first_at or now
  self.count = self.count + 1
  if self.decision or self.result then return end
  if self.count == 1 then return self:first() end
  self:second()
end

--- The worker has a run that Fabric accepted. When a signal came meanwhile, this does not return.
function Interrupt:accepted(run)
  self.in_flight, self.active_run = nil, run
  if self.count > 0 then self:end_run(run) end
end

--- Runs the worker until it, or a signal, decides how the command ends.
---@param fn fun(): integer  gives the exit code
---@return { code: integer|nil, run: table|nil, ended: boolean|nil, reason: string|nil,
---  raised: luafabric.Error|nil, interrupted: boolean|nil }  raised: the worker's own error, which
---  nobody expected; ended: the run's end is known; interrupted: a signal decided
function Interrupt:run_worker(fn)
  local ended = worker.run(self, fn)
  if ended == self.decision then ended.interrupted = not ended.raised end
  return ended
end

return M
