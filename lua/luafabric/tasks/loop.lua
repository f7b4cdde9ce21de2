--- The engine room of tasks.lua: tasks from spawned to ended, who is ready, who waits until when,
--- and `loop:run`, the one place that calls `host.wait`. Only tasks.lua requires this.

local errors = require "luafabric.errors"
local heap = require "luafabric.heap"

local M = {}

local unpack = table.unpack or unpack
local running_thread, status_of = coroutine.running, coroutine.status
local close_thread = coroutine.close -- Lua 5.4: runs the <close> variables of a dropped task

-- What runs now, by coroutine. Programs like nginx interleave: a function that waits with the
-- program's own means (ngx.sleep in a task) is in the middle of a step while others run. So an
-- entry counts for its coroutine and for those that it resumed, and for nobody else.
local MAIN = {} -- where Lua 5.1 gives no coroutine
local steps = setmetatable({}, { __mode = "kv" }) -- the task whose step it is
local labels = setmetatable({}, { __mode = "k" }) -- the function that may not wait, for a message

-- Lua 5.1 makes no coroutine of a C function.
local new_thread = coroutine.create
if not pcall(coroutine.create, print) then
  new_thread = function(fn)
    return coroutine.create(function(...) return fn(...) end)
  end
end

local RAISE = {} -- a wait that is resumed with this raises what comes after it

---@class luafabric.Loop
---@field host table  the host it runs on; nobody else may call `host.wait`
local Loop = {}
Loop.__index = Loop
M.Loop = Loop

---@class luafabric.Task
---@field loop luafabric.Loop
---@field name string
local Task = {}
Task.__index = Task
M.Task = Task

-- ---- who waits for the same thing, oldest first ----

--- Puts the task at the end of a queue, where it stays until it is ready again.
function M.queue_push(queue, task)
  local last = queue.last
  task.queue, task.queue_before = queue, last
  if last then last.queue_after = task else queue.first = task end
  queue.last = task
end

local function queue_remove(task)
  local queue, before, after = task.queue, task.queue_before, task.queue_after
  if before then before.queue_after = after else queue.first = after end
  if after then after.queue_before = before else queue.last = before end
  task.queue, task.queue_before, task.queue_after = nil, nil, nil
end

-- ---- from spawned to ready to ended ----

local function forget_wait(task)
  local loop = task.loop
  loop.timers:remove(task)
  if task.queue then queue_remove(task) end
  if task.request_id ~= nil then
    loop.requests[task.request_id] = nil
    loop.request_count = loop.request_count - 1
    task.request_id = nil
  end
  task.waiting, task.joining = nil, nil
end

--- Its host waits, and something else of the program (another request of nginx, a callback of luv)
--- gave it something to do.
local function disturb(loop)
  if loop.asleep and loop.host.wake then loop.host.wake() end
end

--- The task's wait is over: it gets `value` in the loop's next turn.
function M.make_ready(task, value, more)
  forget_wait(task)
  task.value, task.more = value, more
  local loop = task.loop
  disturb(loop)
  loop.ready_last = loop.ready_last + 1
  loop.ready[loop.ready_last] = task
end
local make_ready = M.make_ready

--- Ends the wait of everybody in a queue.
function M.wake_all(queue, value)
  while queue.first do make_ready(queue.first, value) end
end

local function end_task(task, ok, outcome)
  local loop = task.loop
  forget_wait(task)
  task.ended, task.ok, task.outcome = true, ok, outcome
  task.thread, task.body, task.arguments = nil, nil, nil
  loop.live[task] = nil
  loop.live_count = loop.live_count - 1
  disturb(loop)
  if not ok and not task.joiners.first then loop.unseen = loop.unseen or task end
  local permits = task.permits
  task.permits = nil
  for _, semaphore in ipairs(permits or {}) do semaphore:hand_on() end
  M.wake_all(task.joiners, true)
end

--- What `join` reports for a raised value. Error objects stay themselves; anything else keeps its
--- message, with the traceback beside it and the value itself for those who rethrow.
local function as_error(value, traceback)
  if errors.is(value) then return value end
  local message = type(value) == "string" and value or tostring(value)
  return errors.new { kind = "raised", message = message, value = value, traceback = traceback }
end

local function pack(...)
  return { n = select("#", ...), ... }
end

local function after_step(task, thread, ok, ...)
  if task.ended then return end -- it cancelled itself
  if not ok then
    local value = (...)
    end_task(task, false, as_error(value, debug.traceback(thread)))
    return
  end
  if coroutine.status(thread) == "dead" then
    end_task(task, true, pack(...))
    return
  end
  if task.waiting then return end
  end_task(task, false, errors.new { kind = "raised", traceback = debug.traceback(thread),
    message = "coroutine.yield was called directly in " .. task.name
      .. ": a task waits with tasks.sleep, tasks.yield, task:join and the like" })
end

local function step(task)
  if task.ended then return end
  local value, more, thread = task.value, task.more, task.thread
  task.value, task.more, task.waiting = nil, nil, nil
  if thread then
    steps[thread] = task
    after_step(task, thread, coroutine.resume(thread, value, more))
  else
    local arguments = task.arguments or { n = 0 }
    thread = new_thread(task.body)
    task.thread, task.body, task.arguments = thread, nil, nil
    steps[thread] = task
    after_step(task, thread, coroutine.resume(thread, unpack(arguments, 1, arguments.n)))
  end
  steps[thread] = nil
end

-- ---- waiting, seen from inside a task ----

--- What the running code is inside of: an entry of its own coroutine, or of one that resumed it.
local function around(entries)
  local entry = entries[running_thread() or MAIN]
  if entry then return entry end
  for thread, other in pairs(entries) do
    if thread == MAIN or status_of(thread) == "normal" then return other end
  end
end

--- The running task and its loop; nil outside tasks, and in a coroutine of the user's own.
function M.current()
  local task = steps[running_thread() or MAIN]
  if not task then return nil end
  return task, task.loop
end

--- True in a task's step, in whatever coroutine.
function M.inside()
  return around(steps) ~= nil
end

--- Raises (at the caller of the public function) when the running code may not wait.
--- `level` is as for `error`, seen from the function that calls this.
function M.check_allowed(what, level)
  local label = around(labels)
  if not label then return end
  error(label .. " may not wait: it is a plain function, and it called " .. what,
    level + 1)
end

--- The running task, or an error at the caller of the public function that says why there is none.
function M.waiting_task(what)
  M.check_allowed(what, 3)
  local task = around(steps)
  if not task then
    error(what .. " was called outside a task: start one with loop:spawn or tasks.blocking", 3)
  end
  if task.ended then error(what .. " was called in a task that was cancelled", 3) end
  if running_thread() ~= task.thread then
    error(what .. " was called in a coroutine that is not a task: "
      .. "start tasks with loop:spawn, not with coroutine.create or coroutine.wrap", 3)
  end
  return task
end

--- Suspends the task until `make_ready`; gives back its value, or raises what it was told to.
function M.suspend(task, waiting)
  task.waiting = waiting
  local value, more = coroutine.yield()
  if value == RAISE then error(more, 0) end
  return value
end

--- The wait ends with `false` at that host time, if nothing ends it before. math.huge is never.
function M.set_timer(task, at)
  if at == math.huge then return end
  task.at = at
  task.loop.timers:push(task)
end

--- Runs `fn` where nothing may wait; its results, or its error as it was raised.
function M.without_waiting(label, fn, ...)
  local thread = running_thread() or MAIN
  local outer_label = labels[thread]
  labels[thread] = label
  local results = pack(pcall(fn, ...))
  labels[thread] = outer_label
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2, results.n)
end

--- Ends the task where it stands: it is not resumed any more, and its request is cancelled. Those
--- who join it get `false, err`. A task that cancels itself does not come back from here.
---@param err luafabric.Error|string|nil
---@return boolean cancelled  false when it had ended before
function Task:cancel(err)
  if self.ended then return false end
  if err == nil then err = self.name .. " was cancelled" end
  if not errors.is(err) then
    err = errors.new { kind = "cancelled", message = tostring(err) }
  end
  local thread, request_id = self.thread, self.request_id
  end_task(self, false, err)
  if self.loop.unseen == self then self.loop.unseen = nil end -- somebody asked for this
  if request_id ~= nil then self.loop.host.cancel(request_id) end
  if thread and steps[thread] then -- in the middle of a step
    if running_thread() == thread and not labels[thread] then coroutine.yield() end
    return true
  end
  if thread and close_thread then
    pcall(M.without_waiting, "a <close> variable of " .. self.name .. ", which was cancelled,",
      close_thread, thread)
  end
  return true
end

-- ---- the loop ----

--- A loop on a host. The host is the loop's alone.
---@param host table
---@return luafabric.Loop
function M.new(host)
  if type(host) ~= "table" or type(host.wait) ~= "function" then
    error("tasks.new: expected a host (luafabric.hosts.*), got a " .. type(host), 2)
  end
  return setmetatable({
    host = host, timers = heap.new(), requests = {}, request_count = 0, handlers = {},
    handler_count = 0, live = {}, live_count = 0, spawned = 0, ready = {}, ready_first = 1,
    ready_last = 0,
  }, Loop)
end

--- Starts a task; it runs from the loop's next turn on, never inside this call.
---@param fn function
---@param ... any  its arguments
---@return luafabric.Task
function Loop:spawn(fn, ...)
  if type(fn) ~= "function" then
    error("loop:spawn: expected a function, got a " .. type(fn), 2)
  end
  self.spawned = self.spawned + 1
  local task = setmetatable({ loop = self, name = "task " .. self.spawned, number = self.spawned,
    body = fn, joiners = {} }, Task)
  if select("#", ...) > 0 then task.arguments = pack(...) end
  self.live[task] = true
  self.live_count = self.live_count + 1
  make_ready(task)
  return task
end

local function deliver(loop, event)
  if event.kind == "response" then
    local task = loop.requests[event.id]
    if task then make_ready(task, event) end
    return
  end
  for _, entry in ipairs(loop.handlers[event.kind] or {}) do
    if entry.fn then
      local label = "a handler of loop:on(\"" .. event.kind .. "\")"
      local ok, err = pcall(M.without_waiting, label, entry.fn, event)
      if not ok then
        loop.running = false
        error(err, 0)
      end
    end
  end
end

local function run_ready(loop, target)
  local last = loop.ready_last
  while loop.ready_first <= last do
    local index = loop.ready_first
    local task = loop.ready[index]
    loop.ready[index] = nil
    loop.ready_first = index + 1
    step(task)
    if target and target.ended then return end
  end
  if loop.ready_first > loop.ready_last then loop.ready_first, loop.ready_last = 1, 0 end
end

local function fire_due_timers(loop)
  local timers = loop.timers
  local task = timers:peek()
  if not task then return end
  local now = loop.host.now()
  while task and task.at <= now do
    make_ready(task, false)
    task = timers:peek()
  end
end

local function tasks_in_order(loop)
  local list = {}
  for task in pairs(loop.live) do list[#list + 1] = task end
  table.sort(list, function(a, b) return a.number < b.number end)
  return list
end

--- Nothing is under way that could end any wait. The waits that others depend on raise; those that
--- only join see that as the end of what they join.
local function break_deadlock(loop)
  local list = tasks_in_order(loop)
  local roots = {}
  for _, task in ipairs(list) do
    if not task.joining then roots[#roots + 1] = task end
  end
  for _, task in ipairs(#roots > 0 and roots or list) do
    make_ready(task, RAISE, errors.new { kind = "usage", code = "deadlock",
      message = "deadlock: " .. task.name .. " waits for " .. tostring(task.waiting)
        .. ", and no request, timer or event is under way that could end it" })
  end
end

local function wait_for_host(loop)
  local quiet = loop.request_count == 0 and loop.handler_count == 0
  local max_s
  if loop.ready_first <= loop.ready_last then
    if quiet then return end
    max_s = 0
  else
    local timer = loop.timers:peek()
    if not timer and quiet then return break_deadlock(loop) end
    max_s = timer and math.max(0, timer.at - loop.host.now())
  end
  loop.asleep = true
  local events = loop.host.wait(max_s or nil)
  loop.asleep = false
  for _, event in ipairs(events) do deliver(loop, event) end
end

--- Drives the loop until that task ended, or until all did.
---@param target luafabric.Task|nil
---@return boolean ok  the task's result as `join` gives it; without a task: true, or false and the
---                    error of the first task that failed and that nobody joined
function Loop:run(target)
  if M.inside() or around(labels) then
    error("loop:run was called inside a task or a handler: a task waits with task:join", 2)
  end
  if self.running then
    error("loop:run: this loop is already running, or its host failed in the middle of it", 2)
  end
  if target and target.loop ~= self then
    error("loop:run: the task belongs to another loop", 2)
  end
  self.running = true
  while self.live_count > 0 and not (target and target.ended) do
    run_ready(self, target)
    if self.live_count == 0 or target and target.ended then break end
    wait_for_host(self)
    fire_due_timers(self)
  end
  self.running = false
  if target then return target:result() end
  local unseen = self.unseen
  if not unseen then return true end
  return unseen:result()
end

--- Cancels every task, oldest first, and closes the host.
function Loop:close()
  for _, task in ipairs(tasks_in_order(self)) do task:cancel() end
  self.host.close()
end

return M
