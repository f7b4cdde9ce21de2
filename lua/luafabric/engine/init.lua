--- The workflow engine: which step is ready, who gets a free slot, what comes last. It knows no
--- HTTP, no clock and no database: an executor (client/executor), the loop's time and a store are
--- handed in. All that it knows of a run is the fold of the events it recorded (luafabric.history).

local conditions = require "luafabric.engine.conditions"
local continuing = require "luafabric.engine.continuing"
local fan_out = require "luafabric.engine.fan_out"
local heap = require "luafabric.heap"
local history = require "luafabric.history"
local journal = require "luafabric.engine.journal"
local masks = require "luafabric.engine.masks"
local offering = require "luafabric.engine.offering"
local outcomes = require "luafabric.engine.outcomes"
local reconciling = require "luafabric.engine.reconciling"
local request_module = require "luafabric.workflow.request"
local resume = require "luafabric.engine.resume"
local secret = require "luafabric.workflow.secret"
local slots = require "luafabric.engine.slots"
local stopping = require "luafabric.engine.stopping"
local submitting = require "luafabric.engine.submitting"
local tasks = require "luafabric.tasks"
local timers = require "luafabric.engine.timers"
local units = require "luafabric.engine.unit"
local view = require "luafabric.engine.view"

local M = {}

-- One step of priority is more than any difference in the order of steps.
local PRIORITY = 1e9

---@class luafabric.Engine
---@field plan table
---@field port luafabric.Executor
---@field state luafabric.WorkflowRun
local Engine = {}
Engine.__index = Engine

for name, method in pairs(slots) do Engine[name] = method end

-- ---- recording ----

--- Writes an event down and takes it into the state.
---@param event table  without `at`
---@param intent table|nil  see journal.append
---@param before table|nil  an event that the state has already: written with this one, or neither
---@return any ticket
function Engine:record(event, intent, before)
  event.at = self.host.wall()
  local kept = self.masks:event(event)
  if kept.exit_value ~= event.exit_value then
    kept.is_exit_masked = true
    self:keep_exit_value(event)
  end
  history.apply(self.state, kept)
  local ticket = journal.append(self, before and { before, kept } or { kept }, intent)
  if self.on_event then self:tell(kept) end
  return ticket
end

--- Writes an event down, and takes it into the state only when it is safe: for one that the store
--- may refuse; in a task.
---@param event table  without `at`
---@return boolean|nil ok
---@return luafabric.Error|nil err  the event did not happen
function Engine:record_safely(event)
  event.at = self.host.wall()
  local ok, err = journal.await(self, journal.append(self, { event }))
  if not ok then return nil, err end
  history.apply(self.state, event)
  if self.on_event then self:tell(event) end
  return true
end

--- An exit value that holds a secret: later steps read it as it is, nobody else does.
function Engine:keep_exit_value(event)
  if event.type ~= "step_ended" then return end
  self.exit_values[event.path] = event.exit_value
  self:warn(event.path, "its exit value holds a secret, which is masked in everything that is kept "
    .. "and shown")
end

--- Errors of on_event end no run: it is not called any more, and the run says so.
function Engine:tell(event)
  local ok, problem = pcall(tasks.forbid_waiting, "the function given as on_event", self.on_event,
    event, self.state)
  if ok then return end
  self.on_event = nil
  self:warn(nil, "on_event raised, and is not called any more: " .. tostring(problem))
end

--- Something strange that changes nothing.
---@param path string|nil
---@param message string
function Engine:warn(path, message)
  self:record { type = "warning", path = path, message = message }
end

-- ---- steps ----

local function unit_place(priority, step)
  return step.index - (priority or 0) * PRIORITY
end

--- Whether nobody else runs the unit's notebook: its one unclaimed run is its own.
function Engine:is_exclusive(unit)
  return self.exclusive == true or unit.request.exclusive == true
end

--- A unit of a step; `branch` is whose fields it runs with.
function Engine:new_unit(path, step, branch, priority)
  return { path = path, step = step, branch = branch,
    at = unit_place(priority or branch.priority, step) }
end

--- A step, or an item, is over: those after it may be ready.
function Engine:end_step(path, outcome, reason, exit_value, is_exit_masked)
  local step = self.state.steps[path]
  self.units[path] = nil
  self:record { type = "step_ended", path = path, outcome = outcome, reason = reason,
    job_id = step.job_id, exit_value = exit_value, is_exit_masked = is_exit_masked }
  if step.parent then return fan_out.item_ended(self, step) end
  local node = self.nodes[path]
  self.open[node.phase] = self.open[node.phase] - 1
  for _, later in ipairs(node.dependents) do
    later.waiting = later.waiting - 1
    if later.waiting == 0 then self:to_judge(later) end
  end
  self.wake:signal()
end

--- A unit is to run, unless its end is known from another run.
function Engine:begin_unit(unit)
  if not offering.offer(self, unit) then self:enqueue(unit) end
end

function Engine:to_judge(node)
  if node.phase == "finally" and not self.in_finally then return end
  self.judged_last = self.judged_last + 1
  self.judging[self.judged_last] = node
end

local function begin_switch(self, node)
  local step = node.step
  local key, branch, outcome = request_module.branch(step, self.view)
  if key == nil then
    return self:end_step(step.name, outcome, { kind = outcome, message = branch })
  end
  self:record { type = "branch_taken", path = step.name, branch = key,
    max_attempts = branch and branch.retry.attempts or nil }
  if not branch then
    return self:end_step(step.name, "skipped", { kind = "condition",
      message = ("the branch %s is false"):format(key) })
  end
  self:begin_unit(self:new_unit(step.name, step, branch))
end

local begin = {
  notebook = function(self, node)
    self:begin_unit(self:new_unit(node.step.name, node.step, node.step))
  end,
  switch = begin_switch,
  each = fan_out.begin,
}

--- A step is ready, and begins as its kind does.
function Engine:begin_step(node)
  if offering.offer_step(self, node) then return end
  begin[node.step.kind](self, node)
end

--- The steps whose ends decide whether this one runs.
function Engine:considered(node)
  if node.phase == "finally" then
    -- Whatever else happened, a condition of a finally step is its own judge.
    return node.step.when.kind == "condition" and {} or self.main_steps
  end
  local list = {}
  for index, step in ipairs(node.step.after) do list[index] = self.state.steps[step.name] end
  return list
end

function Engine:judge(node)
  local path = node.step.name
  local is_early = node.each and node.each.is_early
  if self.state.steps[path].phase ~= "pending" and not is_early then return end
  local verdict = conditions.judge(node.step.when, self:considered(node), self.view)
  if is_early then return fan_out.judged(self, node, verdict) end
  if not verdict.runs then return self:end_step(path, verdict.outcome, verdict.reason) end
  self:record { type = "step_ready", path = path, because = { kind = node.step.when.kind } }
  self:begin_step(node)
end

function Engine:judge_all()
  while self.judged_first <= self.judged_last do
    local node = self.judging[self.judged_first]
    self.judging[self.judged_first] = nil
    self.judged_first = self.judged_first + 1
    self:judge(node)
  end
end

--- A stop took effect.
function Engine:was_stopped(stop)
  if stop.whole then self.cut_hit = true end
end

--- The outcome of what was cut off; nil where nothing was.
function Engine:cut_outcome()
  return self.cut and self.cut_hit and self.cut.outcome or nil
end

-- ---- from the first step to the last ----

local function make_nodes(self)
  local plan = self.plan
  for _, phase in ipairs { "main", "finally" } do
    for _, step in ipairs(phase == "main" and plan.order or plan.finally) do
      self.nodes[step.name] = { step = step, phase = phase, waiting = #step.after,
        dependents = {} }
      self.open[phase] = self.open[phase] + 1
    end
  end
  for _, step in ipairs(plan.steps) do
    for _, before in ipairs(step.after) do
      local list = self.nodes[before.name].dependents
      list[#list + 1] = self.nodes[step.name]
    end
  end
end

local function begin_phase(self, steps)
  for _, step in ipairs(steps) do
    local node = self.nodes[step.name]
    if node.waiting == 0 then self:to_judge(node) end
  end
end

local function begin_finally(self)
  self.in_finally = true
  if self.without_finally then
    return stopping.cut_off(self, "finally", "cancelled", "cancelled", "cancelled")
  end
  -- A finally step may name steps of the workflow in `after`: they have ended all the same.
  begin_phase(self, self.plan.finally)
end

--- All that can be done now.
local function advance(self)
  repeat
    if self.failure then error(self.failure, 0) end
    stopping.obey(self)
    if self.detaching then return end
    self.timers:fire()
    self:judge_all()
    self:dispatch()
    self:dispatch_reads()
    if self.open.main == 0 and not self.in_finally then begin_finally(self) end
  until self.judged_first > self.judged_last and #self.orders == 0
end

local function is_done(self)
  if self.failure then return false end
  if self.detaching then return stopping.is_left(self) end
  return self.in_finally and self.open.main == 0 and self.open.finally == 0
end

--- Nothing of this run lives on in the loop.
local function tidy(self)
  self.over, self.tidied = true, true
  for task in pairs(self.tasks) do task:cancel() end
  submitting.forget_unsent(self)
  for _, unit in pairs(self.units) do units.let_go(unit) end
  self:close_queues()
  journal.close(self)
  if self.leave_watcher then self.leave_watcher() end
  if self.let_go then self.let_go() end
end

--- The task that runs this may be cancelled, or raise.
local function guard(self, main)
  local ok, err = main:join()
  if self.tidied then return end
  tidy(self)
  if not ok and err.kind ~= "cancelled" then error(err, 0) end
end

local function finish(self)
  self.over = true
  if self.handing_over then
    self.state.handed_over = true
  elseif self.detaching then
    self:record { type = "detached" }
  else
    self:record { type = "run_ended", counts = outcomes.count(self.state),
      outcome = outcomes.of_run(self.state, false, self:cut_outcome()) }
  end
  local ok, err = journal.settle(self)
  if ok and self.handing_over then journal.release(self) end
  tidy(self)
  if not ok then error(err, 0) end
  return self.state
end

--- The first event of a run; a store that knows runs got it together with the run.
local function begin_history(self)
  if not self.is_written then return self:record(self.started) end
  history.apply(self.state, self.started)
  if self.on_event then self:tell(self.started) end
end

local function start(self)
  self.leave_watcher = self.port:attend()
  journal.open(self)
  if not self.resumed then
    begin_history(self)
    for _, message in ipairs(self.plan.warnings or {}) do self:warn(nil, message) end
  end
  if self.change then
    self:record(self.change)
    self.earlier.state = self.state.previous
  end
  if self.state.previous then continuing.record(self) end
  for index, step in ipairs(self.plan.order) do
    self.main_steps[index] = self.state.steps[step.name]
  end
  stopping.watch_time(self)
  if self.resumed then resume.restore(self) end
  begin_phase(self, self.plan.order)
end

--- Calls what does not wait. Where it raises the loop may end with this task, so that nobody else
--- would tidy.
local function protect_run(self, fn)
  local ok, problem = pcall(fn, self)
  if ok then return end
  tidy(self)
  error(problem, 0)
end

--- Runs a plan to its end; in a task of `loop`.
---@return luafabric.WorkflowRun
function Engine:run()
  local watch = self.loop:spawn(guard, self, (tasks.current()))
  protect_run(self, start)
  while true do
    protect_run(self, advance)
    if is_done(self) then
      local report = finish(self)
      watch:cancel()
      return report
    end
    -- Of a run that is left only answers are awaited. What failed just now woke nobody.
    if not self.failure then
      self.wake:wait(not self.detaching and self.timers:left() or nil)
    end
  end
end

Engine.cancel = stopping.cancel
Engine.resolve_doubt = reconciling.answer
Engine.detach = stopping.detach
Engine.hand_over = stopping.hand_over
Engine.watch_deadline = stopping.watch_deadline

---@class luafabric.EngineOptions
---@field plan table
---@field port luafabric.Executor
---@field store table
---@field loop luafabric.Loop
---@field started table|nil         of a new run: the event that begins it
---@field is_written boolean|nil    the store has that event already
---@field state luafabric.WorkflowRun|nil  of a run that is taken up again
---@field on_event nil|fun(event: table, state: luafabric.WorkflowRun)
---@field let_go nil|fun(): any     called when nothing is written any more, however the run ends;
---  a ticket says when that is on the disk
---@field key string|nil            16 random bytes for the fingerprints of secrets
---@field all_exits boolean|nil     reads the exit values that nothing in the workflow needs, too
---@field submission "at_most_once"|"reconcile"|"at_least_once"|nil  what follows a submission
---  whose fate is in doubt
---@field exclusive boolean|nil     nobody else runs any of its notebooks
---@field again boolean|nil         runs what `once` would reuse
---@field change table|nil          the event that says that its file has changed
---@field earlier luafabric.Earlier|nil  what it need not run again

--- An engine for one run of a plan.
---@param given luafabric.EngineOptions
---@return luafabric.Engine
function M.new(given)
  local loop = given.loop
  local self = setmetatable({
    plan = given.plan, port = given.port, store = given.store, on_event = given.on_event,
    submission = given.submission or "reconcile", exclusive = given.exclusive,
    loop = loop, host = loop.host, random = loop.host.random, wake = loop:condition(),
    stored = loop:condition(), state = given.state or history.new(),
    resumed = given.state ~= nil, started = given.started, is_written = given.is_written,
    let_go = given.let_go, masks = masks.new(given.key),
    timers = timers.new(loop.host.now), ready = heap.new(), active = 0, submitting = 0,
    most = given.plan.max_concurrency, nodes = {}, units = {}, tasks = {}, judging = {},
    judged_first = 1, judged_last = 0, to_read = {}, first_read = 1, reading = 0,
    held = {}, looks = {}, all_exits = given.all_exits, earlier = given.earlier,
    again = given.again, change = given.change,
    open = { main = 0, finally = 0 }, main_steps = {}, orders = {}, exit_values = {},
  }, Engine)
  self.view = view.new(self.state, self.exit_values, function() return self:cut_outcome() end)
  for _, held in pairs(given.plan.secrets or {}) do self.masks:add { secret.text(held) } end
  make_nodes(self)
  return self
end

return M
