--- The coroutine scheduler. Whatever waits in luafabric waits here, in a task of a loop on a host,
--- and `loop:run` is the one place that calls `host.wait`. A task is the unit of protection: an
--- error ends its task and nobody else's, so no `pcall` is ever around code that waits (Lua 5.1
--- cannot yield across one). The machinery is in tasks/loop.lua; this is what others use.

local engine = require "luafabric.tasks.loop"

local M = {}

local unpack = table.unpack or unpack
local Loop, Task = engine.Loop, engine.Task
local waiting_task, suspend, set_timer = engine.waiting_task, engine.suspend, engine.set_timer
local queue_push, make_ready = engine.queue_push, engine.make_ready

M.new = engine.new
M.current = engine.current

local Condition = {}
Condition.__index = Condition

local Semaphore = {}
Semaphore.__index = Semaphore

local function check_seconds(value, name)
  if type(value) ~= "number" or value ~= value then
    error(name .. ": expected a number of seconds, got " .. tostring(value), 3)
  end
end

--- A wait of a public function `what` in the queue of an object that belongs to a loop.
local function wait_in(queue, owner_loop, max_s, what, waiting)
  local task = waiting_task(what)
  if task.loop ~= owner_loop then error(what .. ": it belongs to another loop", 3) end
  if max_s then set_timer(task, task.loop.host.now() + max_s) end
  queue_push(queue, task)
  return suspend(task, waiting)
end

-- ---- requests and time ----

--- Sends a request and waits for its end. An ill-formed request raises.
---@param request table      see luafabric.hosts.plain
---@return table completion  with `failure` when there was no whole answer
function M.request(request)
  local task = waiting_task("tasks.request")
  local loop = task.loop
  local id = loop.host.start(request)
  loop.requests[id], task.request_id = task, id
  loop.request_count = loop.request_count + 1
  return suspend(task, "the answer to an HTTP request")
end

--- Waits; 0 lets everybody else who is ready go first.
---@param seconds number
function M.sleep(seconds)
  local task = waiting_task("tasks.sleep")
  check_seconds(seconds, "tasks.sleep")
  if seconds > 0 then
    set_timer(task, task.loop.host.now() + seconds)
  else
    make_ready(task)
  end
  suspend(task, "a time")
end

--- Waits until a time of the host's clock, `loop.host.now()`.
---@param at number  host time, seconds
function M.sleep_until(at)
  local task = waiting_task("tasks.sleep_until")
  check_seconds(at, "tasks.sleep_until")
  set_timer(task, at)
  suspend(task, "a time")
end

--- Lets everybody else who is ready, and what the host has to report, go first.
function M.yield()
  local task = waiting_task("tasks.yield")
  make_ready(task)
  suspend(task, "its turn")
end

-- ---- other tasks ----

--- Waits for the task's end.
---@param max_s number|nil  seconds to wait at most; nil for ever
---@return boolean|nil ok   true, then the results; false, then the error; nil when the time is up
function Task:join(max_s)
  local task = waiting_task("task:join")
  if max_s ~= nil then check_seconds(max_s, "task:join") end
  if task == self then error("task:join: a task cannot wait for itself", 2) end
  if self.ended then return self:result() end
  if task.loop == self.loop then task.joining = self end
  local ended = wait_in(self.joiners, self.loop, max_s, "task:join", "the end of " .. self.name)
  if not ended then return nil end
  return self:result()
end

--- How the task ended: true and its results, or false and the error; nil while it lives.
---@return boolean|nil ok
function Task:result()
  if not self.ended then return nil end
  if self.loop.unseen == self then self.loop.unseen = nil end
  if self.ok then return true, unpack(self.outcome, 1, self.outcome.n) end
  return false, self.outcome
end

-- ---- events ----

--- Calls `fn(event)` for every event of that kind ("signal", "child", "fd", "wake") from now on, in
--- the order of registration. `fn` is plain and may not wait; it may signal, spawn and cancel.
---@param kind string
---@param fn fun(event: table)
---@return fun() remove
function Loop:on(kind, fn)
  local function without(removed)
    local rest = {}
    for _, handler in ipairs(self.handlers[kind] or {}) do
      if handler ~= removed then rest[#rest + 1] = handler end
    end
    return rest
  end
  local entry = { fn = fn }
  local handlers = without(nil)
  handlers[#handlers + 1] = entry
  self.handlers[kind] = handlers
  self.handler_count = self.handler_count + 1
  return function()
    if not entry.fn then return end
    entry.fn = nil
    self.handlers[kind] = without(entry)
    self.handler_count = self.handler_count - 1
  end
end

-- ---- conditions ----

---@class luafabric.Condition

--- Something that tasks of this loop wait for until somebody signals it.
---@return luafabric.Condition
function Loop:condition()
  return setmetatable({ loop = self, waiters = {} }, Condition)
end

---@param max_s number|nil    seconds to wait at most; nil for ever
---@return boolean signalled  false when the time is up
function Condition:wait(max_s)
  if max_s ~= nil then check_seconds(max_s, "condition:wait") end
  return wait_in(self.waiters, self.loop, max_s, "condition:wait", "a condition")
end

--- Wakes all who wait now, in the order they came. May be called from anywhere.
function Condition:signal()
  engine.wake_all(self.waiters, true)
end

-- ---- semaphores ----

---@class luafabric.Semaphore

--- At most `count` tasks at a time. What a task holds when it ends, or is cancelled, goes back.
---@param count integer  from 1 up
---@return luafabric.Semaphore
function Loop:semaphore(count)
  if type(count) ~= "number" or count ~= count or count < 1 then
    error("loop:semaphore: expected a number from 1 up, got " .. tostring(count), 2)
  end
  return setmetatable({ loop = self, free = math.floor(count), waiters = {} }, Semaphore)
end

local function grant(semaphore, task)
  task.permits = task.permits or {}
  task.permits[#task.permits + 1] = semaphore
end

local function take_back(semaphore, task)
  local permits = task and task.permits or {}
  for index = #permits, 1, -1 do
    if permits[index] == semaphore then return table.remove(permits, index) end
  end
end

--- Takes a permit, in turn.
---@param max_s number|nil   seconds to wait at most; nil for ever
---@return boolean acquired  false when the time is up
function Semaphore:acquire(max_s)
  if max_s ~= nil then check_seconds(max_s, "semaphore:acquire") end
  if self.free == 0 then
    return wait_in(self.waiters, self.loop, max_s, "semaphore:acquire", "a semaphore")
  end
  local task = waiting_task("semaphore:acquire")
  if task.loop ~= self.loop then error("semaphore:acquire: it belongs to another loop", 2) end
  self.free = self.free - 1
  grant(self, task)
  return true
end

--- A permit is free: it goes to the one who waits longest, at once, so that nobody can overtake.
function Semaphore:hand_on()
  local next_task = self.waiters.first
  if not next_task then
    self.free = self.free + 1
    return
  end
  grant(self, next_task)
  make_ready(next_task, true)
end

--- Gives back a permit of the running task.
function Semaphore:release()
  if not take_back(self, (M.current())) then
    error("semaphore:release: the running task holds no permit of it", 2)
  end
  self:hand_on()
end

-- ---- from outside a task, and where waiting is forbidden ----

-- Hosts of other programs yield in their wait. Where a yield cannot cross a pcall (Lua 5.1 but not
-- LuaJIT), what the host itself raises leaves the loop to the garbage collector.
local protected = pcall
if _VERSION == "Lua 5.1" and not rawget(_G, "jit") then
  protected = function(fn, ...) return true, fn(...) end
end

local function finish_blocking(loop, ran, ok, ...)
  loop:close()
  if not ran then error(ok, 0) end -- the host itself failed
  if ok then return ... end
  local err = (...)
  if err.kind == "raised" and err.value ~= nil then err = err.value end
  error(err, 0)
end

--- Calls a function that waits, from wherever this is: inside a task at once; outside, as the only
--- task of a new loop, which is closed with its host when the function has ended. Its errors are
--- raised here with their message unchanged.
---@param host_factory fun(): table  gives the host for the new loop; not called inside a task
---@param fn function
---@param ... any  its arguments
---@return any ...  its results
function M.blocking(host_factory, fn, ...)
  engine.check_allowed("a function of luafabric that waits", 2)
  if engine.inside() then
    waiting_task("a function of luafabric that waits")
    return fn(...)
  end
  local loop = engine.new(host_factory())
  local task = loop:spawn(fn, ...)
  return finish_blocking(loop, protected(loop.run, loop, task))
end

--- Calls a user's function that may not wait; a wait in it raises, naming `label`.
---@param label string  as in a sentence: `the function given as "parameters"`
---@param fn function
---@param ... any  its arguments
---@return any ...  its results; its errors are raised as they are
function M.forbid_waiting(label, fn, ...)
  return engine.without_waiting(label, fn, ...)
end

return M
