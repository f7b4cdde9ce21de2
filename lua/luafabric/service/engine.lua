--- The engine of a service: in one process at a time (the store's lease) it carries out the orders
--- that all of them take, takes up the runs that another process left, and hands its own over when
--- it is to leave. Everything in it is a task of one loop.

local carrying = require "luafabric.service.carrying"
local delivering = require "luafabric.service.delivering"
local lease_module = require "luafabric.store.lease"
local orders = require "luafabric.store.orders"
local outline = require "luafabric.store.outline"
local tasks = require "luafabric.tasks"
local webhooks = require "luafabric.store.webhooks"

local M = {}

-- Seconds between two looks.
local LEASE_EVERY = 0.5 -- of one that has it not
local QUEUE_EVERY = 0.2
local LEFT_EVERY = 2
local UNTOLD_EVERY = 2
-- Who has just taken the lease looks as often as it can: the one before lets its runs go now.
local HASTE = 5 -- seconds
local RENEWALS = 3 -- of a lease

-- Runs that are being started at a time; those that are under way are not counted.
local MOST_STARTING = 32

-- Between two tries to begin what could not be; the last one is repeated.
local PAUSES = { 1, 2, 5, 10, 20, 30, 60 }

local FORGOTTEN_AFTER = 300 -- seconds

-- Who leaves waits so long for runs that are just being started, and for answers to submissions.
local STARTING_PATIENCE = 1
local ANSWER_PATIENCE = 30

---@class luafabric.ServiceOfEngine  what the engine needs of a service
---@field options { max_concurrent_runs: integer|nil, webhook: luafabric.WebhookOptions|nil }
---@field log fun(self, text: string)  for the operator
---@field store fun(self): luafabric.SqliteStore|nil, luafabric.Error|nil
---@field client fun(self): luafabric.Client|nil, luafabric.Error|nil
---@field workflow fun(self, name: string): luafabric.Definition|nil, luafabric.Error|nil
---@field secrets_of fun(self, definition: luafabric.Definition): table<string, any>|nil,
---  luafabric.Error|nil
---@field document fun(self, run_id: string): table|nil, luafabric.Error|nil  for webhooks

---@class luafabric.ServiceEngine
---@field jobs table<string, table>  what is being carried out, by run id
---@field version string|nil  of the store, when it was looked at last; nil: it is to be again
local Engine = {}
Engine.__index = Engine

--- An engine that does nothing yet.
---@param service luafabric.ServiceOfEngine
---@return luafabric.ServiceEngine
function M.new(service)
  local self = setmetatable({ service = service, options = service.options or {}, jobs = {},
    starting = 0, count = 0, later = {}, looked = {}, said = {} }, Engine)
  self.delivering = delivering.new(self)
  return self
end

--- Tells the operator, once for as long as it goes on.
function Engine:say(text)
  local now = self.host.now()
  for known, at in pairs(self.said) do
    if at + FORGOTTEN_AFTER < now then self.said[known] = nil end
  end
  local is_known = self.said[text]
  self.said[text] = now
  if not is_known then self.service:log(text) end
end

--- What a look into the store gave; its failure is told once, and the next look comes anyway.
function Engine:seen(rows, err)
  if rows then return rows end
  self.version = nil
  self:say("the engine cannot read its orders: " .. tostring(err))
  return {}
end

--- Whether a look may find what the last one did not: somebody has written, or we have room again.
---@return boolean|nil has_news  nil: nothing can be read now
function Engine:has_news()
  local version, err = self.store:version()
  if not version then
    self:seen(nil, err)
    return nil
  end
  if version == self.version and not next(self.later) then return false end
  self.version = version
  return true
end

--- Whether it is time for a look again.
function Engine:is_time(name, every)
  local now = self.host.now()
  if now < (self.looked[name] or -math.huge) + every then return false end
  self.looked[name] = now
  return true
end

-- ---- an order, from its start to its end ----

--- Writes its end down, and with it the message to whoever wants to know.
function Engine:tell_end(run_id)
  local also = self.options.webhook and { webhooks.statement(self.store, run_id) } or nil
  local ok, err = orders.tell_end(self.store, run_id, also)
  if ok then return end
  self.version = nil -- the next look for untold ends finds it again
  self:say(tostring(err))
end

--- Somebody wants it to end. One that had been told to does so by itself; a second order would skip
--- its finally steps.
local function apply(job, wish)
  if job.told == wish.cancel or not job.control then return end
  job.told = wish.cancel
  local before, is_now = job.control.state.cancelled, wish.cancel == "cancel_now"
  if before and (before.now or not is_now) then return end
  job.control:cancel { by = wish.cancel_by, now = is_now or nil }
end

--- The run is there, and nothing of it was sent as yet; may not wait.
function Engine:begun(job, control)
  job.control = control
  self:not_starting(job)
  self.later[job.run_id] = nil
  if self.is_leaving or job.is_leaving then return control:hand_over() end
  local order = orders.find(self.store, job.run_id)
  if not order then return end
  if order.cancel then apply(job, order) end
  if not order.problem then return end
  self.loop:spawn(function() orders.set_problem(self.store, job.run_id, nil) end)
end

function Engine:not_starting(job)
  if not job.is_starting then return end
  job.is_starting = nil
  self.starting, self.version = self.starting - 1, nil
end

--- Carries out an order; in a task of its own.
---@return luafabric.WorkflowRun|nil report
---@return luafabric.Error|nil err  nil as well: it is not ours to carry out
local function carry_out(self, job)
  local order, service = job.order, self.service
  local row, definition, client, err
  if order.state == "queued" then
    local is_taken
    is_taken, err = orders.claim(self.store, job.run_id)
    if not is_taken then return nil, err end
  end
  row, err = outline.state(self.store, job.run_id)
  if err then return nil, err end
  if row and row.state == "ended" then return { run_id = job.run_id } end
  definition, err = carrying.definition(service, order)
  if not definition then return nil, err end
  client, err = service:client()
  if not client then return nil, carrying.of_service(err) end
  local options
  options, err = carrying.options(service, order, definition, row)
  if not options then return nil, carrying.of_service(err) end
  options.client, options.store = client, self.store
  options.on_start = function(control) self:begun(job, control) end
  return definition:run(options)
end

--- It is tried again after a while.
function Engine:try_later(run_id)
  local tries = (self.later[run_id] and self.later[run_id].tries or 0) + 1
  self.later[run_id] = { tries = tries,
    at = self.host.now() + PAUSES[math.min(tries, #PAUSES)] }
end

-- Another process has it, or had it, or was quicker.
local quiet = { owned = true, fenced = true, exists = true }

--- It will never begin. Where that cannot be written down it is tried again.
function Engine:refuse(run_id, problem)
  local ok, err = orders.refuse(self.store, run_id, problem)
  if ok then return self:tell_end(run_id) end
  self:say(tostring(err))
  self:try_later(run_id)
end

--- It did not begin, or was broken off.
function Engine:failed(job, err)
  local run_id, problem = job.run_id, carrying.problem(err)
  local row, read_err = outline.state(self.store, run_id)
  -- Who comes next tries.
  if read_err or (self.is_leaving or job.is_leaving) and not row then return end
  if row and row.state == "ended" then return self:tell_end(run_id) end
  if row then
    self:try_later(run_id)
    if not quiet[err.store_code or ""] then orders.set_problem(self.store, run_id, problem) end
  elseif carrying.may_pass(err) then
    self:try_later(run_id)
    orders.give_back(self.store, run_id, problem)
  else
    self:refuse(run_id, problem)
  end
end

--- What came of it.
local function settle(self, job, ok, report, err)
  if not ok then return self:failed(job, report) end
  if not report then
    if err then self:failed(job, err) end
    return
  end
  if report.handed_over then return end
  if report.run_id == job.run_id then return self:tell_end(job.run_id) end
  self:refuse(job.run_id, ("run %s has succeeded: there is nothing to repair"):format(
    report.run_id))
end

--- Begins with an order that nobody carries out.
function Engine:start(order)
  local job = { run_id = order.run_id, order = order, is_starting = true }
  self.jobs[job.run_id] = job
  self.starting, self.count = self.starting + 1, self.count + 1
  job.task = self.loop:spawn(carry_out, self, job)
  self.loop:spawn(function()
    settle(self, job, job.task:join())
    self:not_starting(job)
    self.jobs[job.run_id], self.count, self.version = nil, self.count - 1, nil
    self.news:signal()
  end)
end

-- ---- looking ----

--- Starts those of a list that nobody carries out, and whose time has come.
function Engine:start_some(rows, room)
  if self.is_leaving then return end
  for _, order in ipairs(rows) do
    local later = self.later[order.run_id]
    local is_time = not later or later.at <= self.host.now()
    if room > 0 and is_time and not self.jobs[order.run_id] then
      room = room - 1
      self:start(order)
    end
  end
end

function Engine:take_queued()
  local room = math.min(MOST_STARTING - self.starting,
    (self.options.max_concurrent_runs or math.huge) - self.count)
  if room <= 0 then return end
  local known = self.starting
  for _ in pairs(self.later) do known = known + 1 end
  self:start_some(self:seen(orders.queued(self.store, nil, room + known)), room)
end

--- Those that somebody left hold what runs in Fabric: they go before all others, however many.
function Engine:take_left()
  for run_id, later in pairs(self.later) do -- of those that went another way since
    if later.at + FORGOTTEN_AFTER < self.host.now() then self.later[run_id] = nil end
  end
  local rows, err, may_come = orders.left(self.store)
  self.may_come = not rows or may_come
  self:start_some(self:seen(rows, err), MOST_STARTING - self.starting)
end

function Engine:look_for_wishes()
  for _, wish in ipairs(self:seen(orders.wishes(self.store))) do
    local job = self.jobs[wish.run_id]
    if job then apply(job, wish) end
  end
end

--- Ends that were not told: of runs that were carried to their end elsewhere, and of orders that
--- were cancelled in the queue.
function Engine:tell_untold()
  for _, order in ipairs(self:seen(orders.untold(self.store))) do
    if not self.jobs[order.run_id] then self:tell_end(order.run_id) end
  end
end

-- ---- the lease ----

--- Another process does all this from now on.
function Engine:lose(why)
  self.lease = nil
  self:say(why)
  self:hand_over_all()
end

function Engine:try_lease()
  local err
  self.lease, err = lease_module.take(self.store, orders.LEASE)
  if err then self:say("the engine's lease: " .. tostring(err)) end
  if self.lease then self.said = {} end -- what is said from now on is new
  self.looked, self.later, self.version = { lease = self.host.now() }, {}, nil
  self.hasty_until = self.host.now() + HASTE
  if self.lease and self.is_leaving then self.lease:release() end -- it was told to meanwhile
  return self.lease ~= nil and not self.is_leaving
end

--- Holds the lease for another while.
---@return boolean held
function Engine:keep_lease()
  if not self:is_time("lease", self.store.lease / RENEWALS) then return true end
  local held, err = self.lease:renew()
  if held then return true end
  if err then
    self:say("the engine's lease: " .. tostring(err))
    self.looked.lease = nil -- at once again, as long as it lasts
    if self.lease:is_held() then return true end
    self:lose "the engine's lease ran out: it could not be renewed"
    return false
  end
  self:lose "the engine runs in another process now"
  return false
end

--- The store to work with. One that writes nothing any more is changed for a new one, once nothing
--- is carried out with it.
---@return luafabric.SqliteStore|nil store
function Engine:usable_store()
  local store = self.store
  if store and not store.stopped then return store end
  if store then
    self:say("nothing can be written: " .. tostring(store.stopped))
    self:hand_over_all()
    if next(self.jobs) then return nil end
    self.store, self.lease = nil, nil
  end
  local err
  self.store, err = self.service:store()
  if not self.store then self:say(tostring(err)) end
  return self.store and not self.store.stopped and self.store or nil
end

--- Everything that is to be done now. While all runs wait nobody writes, and nothing is looked for.
function Engine:turn()
  if not self.lease and not self:try_lease() then return end
  if not self:keep_lease() then return end
  local has_news = self:has_news()
  if has_news == nil then return end -- each look would keep the thread as long as this one
  if has_news then
    self.may_come, self.may_be_untold = true, true
    self:look_for_wishes()
  end
  local is_hasty = self.host.now() < self.hasty_until
  if self.may_come and self:is_time("left", is_hasty and 0 or LEFT_EVERY) then self:take_left() end
  if has_news then self:take_queued() end
  if self.may_be_untold and self:is_time("untold", UNTOLD_EVERY) then
    self.may_be_untold = false
    self:tell_untold()
  end
  self.delivering:look()
end

-- ---- from the first look to the last ----

--- Carries out orders until it is to leave; in a task. Where the store cannot be opened it is tried
--- again.
---@param is_exiting nil|fun(): boolean  whether this process is to end
function Engine:run(is_exiting)
  local _, loop = tasks.current()
  self.loop, self.host, self.news = loop, loop.host, loop:condition()
  while not self.is_leaving and not (is_exiting and is_exiting()) do
    if self:usable_store() then self:turn() end
    if not self.is_leaving then self.news:wait(self.lease and QUEUE_EVERY or LEASE_EVERY) end
  end
  self:leave()
end

--- `again`: also those that wait for answers, which are not waited for any more.
function Engine:hand_over_all(again)
  for _, job in pairs(self.jobs) do
    local is_new = not job.is_leaving
    job.is_leaving = true
    if job.control and (is_new or again) then job.control:hand_over() end
  end
end

--- Waits until nothing is carried out any more, so many seconds at most.
function Engine:wait_for_jobs(seconds)
  local till = self.host.now() + seconds
  while next(self.jobs) and self.host.now() < till do
    self.news:wait(till - self.host.now())
  end
end

--- Starts nothing more, and hands all runs over: another process goes on with them at once. Returns
--- when that is done, and answers that are on their way were waited for, 30 s at most; in a task.
function Engine:leave()
  if self.has_left or not self.loop then return end
  if self.is_leaving then
    while not self.has_left do self.news:wait(LEASE_EVERY) end
    return
  end
  self.is_leaving = true
  self:hand_over_all()
  if self.lease then self.lease:release() end
  self:wait_for_jobs(STARTING_PATIENCE)
  for _, job in pairs(self.jobs) do
    if not job.control then job.task:cancel() end
  end
  self:wait_for_jobs(ANSWER_PATIENCE - STARTING_PATIENCE)
  self:hand_over_all(true) -- what is not answered by now the next one looks for
  self:wait_for_jobs(STARTING_PATIENCE)
  self.has_left = true
  self.news:signal()
end

return M
