-- Ctrl-C and SIGTERM while a run is on its way. First the user learns how to find the run; an answer
-- that is on its way is waited for, since it decides whether there is a run at all; then the run is
-- cancelled, or left. The second signal leaves at once.

local exit_codes = require "luafabric.cli.exit_codes"
local results = require "luafabric.cli.results"

local M = {}

local Interrupt = {}
Interrupt.__index = Interrupt

--- Watches a command that works on one run.
---@param loop table
---@param terminal table
---@param choice string|nil  "cancel" (default) or "detach"
---@return table interrupt  `finished` is a condition, `code` the exit code once one is decided
function M.new(loop, terminal, choice)
  local self = setmetatable({
    loop = loop, terminal = terminal, choice = choice or "cancel", finished = loop:condition(),
    count = 0,
  }, Interrupt)
  loop:on("signal", function() self:signalled() end)
  return self
end

--- For the client's events: whether an answer is on its way.
function Interrupt:note(event)
  if event.type == "submitting" then self.in_flight = event end
  if event.type == "waiting" or event.type == "submitted" then self.in_flight = nil end
end

--- The submission was answered, or never sent.
function Interrupt:answered()
  self.in_flight = nil
end

function Interrupt:decide(code)
  self.code = code
  self.finished:signal()
end

function Interrupt:detach(run)
  self.terminal:tell("detached: the run goes on in Fabric. Look with: " .. results.look_up(run))
  self.run = run
  self:decide(exit_codes.detached)
end

function Interrupt:cancel(run)
  self.terminal:tell("cancelling job " .. run.job_id .. " (Ctrl-C again leaves it running). "
    .. "Look with: " .. results.look_up(run))
  self.canceller = self.loop:spawn(function()
    local ok, err = run:cancel { wait = true }
    self.run = run
    if ok then return self:decide(exit_codes.of_outcome(run.outcome or "cancelled")) end
    self.terminal:tell("luafabric: the run could not be cancelled: " .. tostring(err))
    self:detach(run)
  end)
end

--- There is a run now, and we were interrupted.
function Interrupt:end_run(run)
  self.worker:cancel()
  if self.choice == "detach" then return self:detach(run) end
  self:cancel(run)
end

function Interrupt:first()
  if self.active_run then return self:end_run(self.active_run) end
  if self.in_flight then
    self.terminal:tell("interrupted: waiting for the answer of the submission, which decides "
      .. "whether there is a run. Look with: " .. results.look_for(self.in_flight))
    return
  end
  self.worker:cancel()
  self.terminal:tell("interrupted: nothing was submitted")
  self:decide(exit_codes.cancelled)
end

function Interrupt:second()
  if self.code then return end
  if self.active_run then
    if self.canceller then self.canceller:cancel() end
    return self:detach(self.active_run)
  end
  self.worker:cancel()
  self.terminal:tell("left without the answer of the submission: it may or may not run. Look with: "
    .. results.look_for(self.in_flight))
  self.run = {
    outcome = "unknown", workspace_id = self.in_flight.workspace_id,
    notebook_id = self.in_flight.notebook_id,
  }
  self:decide(exit_codes.unknown)
end

function Interrupt:signalled()
  self.count = self.count + 1
  if self.code then return end
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
---@return integer code, table|nil run  the run, when a signal decided
function Interrupt:run_worker(fn)
  local result
  self.worker = self.loop:spawn(function()
    result = { fn() }
    self.finished:signal()
  end)
  local main = self.loop:spawn(function()
    while not result and not self.code and not self.worker.ended do self.finished:wait(0.2) end
    if self.worker.ended and not self.code then return self.worker:join() end
    return true
  end)
  local ok, worker_ok, err = self.loop:run(main)
  if self.code then return self.code, self.run, true end
  if result then return result[1] end
  if not ok then error(worker_ok, 0) end
  error(err, 0)
end

return M
