--- Watches runs: what is watched is a row in a table (the run itself), and one task for each loop
--- and client asks for all of them, while somebody waits. Two or more runs of one notebook are read
--- from one paged list; a single one, or one that vanished from the list, with a GET of its own. A
--- poll that fails is repeated for as long as it takes: an accepted run is never forgotten.

local call = require "luafabric.client.call"
local durations = require "luafabric.client.durations"
local gate = require "luafabric.client.gate"
local heap = require "luafabric.heap"
local jobs = require "luafabric.api.jobs"
local news = require "luafabric.client.news"
local pages = require "luafabric.api.pages"
local polling = require "luafabric.policy.polling"
local response = require "luafabric.api.response"
local retry = require "luafabric.policy.retry"
local tasks = require "luafabric.tasks"
local words = require "luafabric.client.words"

local M = {}

local weak_keys = { __mode = "k" }

-- Runs that vanished from a list are asked for one by one; so many in one poll, for the quota.
local MOST_LOOKS = 30

-- Pauses after failed polls; the floor of the polling holds as well.
local PAUSES = { first = 10, ceiling = 60, throttled = 60 }

-- ---- groups: the active runs of one notebook ----

--- A group: { at = host time of its next poll, rows = set of runs, endpoint, ids, failures }.
local Watcher = {}
Watcher.__index = Watcher

local function by_number(a, b) return a.number < b.number end

--- The runs of a set that have not ended, in the order they came; the others leave it.
local function active_of(set)
  local list = {}
  for run in pairs(set) do
    if run.outcome then set[run] = nil else list[#list + 1] = run end
  end
  table.sort(list, by_number)
  return list
end

function Watcher:add(run)
  local key = news.notebook_key(run)
  local group = self.groups[key]
  if not group then
    group = { key = key, at = run.due, failures = 0, endpoint = run.endpoint,
      workspace_id = run.workspace_id, notebook_id = run.notebook_id,
      rows = setmetatable({}, weak_keys) }
    self.groups[key] = group
    self.due:push(group)
  elseif run.due < group.at and group.heap_index then
    self.due:remove(group)
    group.at = run.due
    self.due:push(group)
  end
  group.rows[run] = true
  self.wake:signal()
end

--- The next poll of those that were asked for is in `delay` seconds; what was to be later stays so,
--- but a look that somebody wants sooner does not wait. A run that is running needs none before it
--- may end, where earlier ones tell when that is.
function Watcher:schedule(group, polled, delay)
  local now, known = self.host.now(), durations.of(self.client, group.key)
  for _, run in ipairs(polled) do
    local wait = delay
    if known and run.status == "InProgress" and run.accepted_at and run.clock == self.host.name then
      wait = polling.expect(delay, now - run.accepted_at, known)
    end
    run.due = math.min(math.max(now + wait, run.due), run.look_at or math.huge)
  end
  group.at = math.huge
  for run in pairs(group.rows) do
    if not run.outcome then group.at = math.min(group.at, run.due) end
  end
  if group.at < math.huge then
    self.due:push(group)
  else
    self.groups[group.key] = nil
  end
end

-- ---- polls ----

--- The poll brought nothing: again later. A quota is shared by all, so all of them wait for it.
function Watcher:postpone(group, rows, completion)
  local hint = completion and response.retry_after(completion)
  group.failures = group.failures + 1
  local pause = retry.delay(completion, group.failures, hint, self.host.random(), PAUSES)
  pause = math.max(pause, self.client.poll_floor)
  if not gate.may_retry(completion) then pause = math.max(pause, PAUSES.ceiling) end
  if completion and completion.status == 429 then
    self.not_before = math.max(self.not_before, self.host.now() + pause)
  end
  news.emit(rows[1], { type = "waiting", seconds = pause, submitted = true,
    cause = completion and retry.cause(completion) or "network" })
  self:schedule(group, rows, pause)
end

--- Where Fabric keeps saying that it does not know the run.
local function count_missing(run, completion, now)
  local accepted_at = run.clock == call.host().name and run.accepted_at or nil
  if polling.may_be_invisible(accepted_at, now) then return end
  run.missing = (run.missing or 0) + 1
  if run.missing < 2 then return end
  news.lose(run, "unknown", call.failed(completion, "Fabric gave no status for it"),
    "Look with " .. words.list_command(run))
end

local function is_no_access(completion)
  local status = not completion.failure and completion.status
  return status == 401 or status == 403
end

--- Asks for one run.
---@return boolean answered    false: try again later
---@return table|nil completion
function Watcher:look(run)
  local client = self.client
  local completion, err = call.fetch(client,
    jobs.get(run.endpoint, run.workspace_id, run.notebook_id, run.job_id))
  if not completion then
    if call.is_passing(err) then return false end
    news.lose_access(run, err)
    return true
  end
  if call.is_good(completion) then
    local value = response.object(completion)
    local row = value and jobs.read_instance(value)
    if not row or row.job_id ~= run.job_id then return false, completion end
    news.apply(run, row)
    return true, completion
  end
  if is_no_access(completion) then
    news.lose_access(run, call.failed(completion, "its status could not be read"))
    return true, completion
  end
  if not completion.failure and completion.status >= 400 and not retry.may_help(completion) then
    count_missing(run, completion, self.host.now())
    return true, completion
  end
  return false, completion
end

function Watcher:poll_one(group, run)
  local answered, completion = self:look(run)
  if not answered then return self:postpone(group, { run }, completion) end
  group.failures = 0
  local hint = completion and response.retry_after(completion)
  self:schedule(group, { run }, polling.next(hint, self.client.poll_floor, self.host.random()))
end

--- What a list that did not succeed means.
local function read_refusal(rows, completion)
  if is_no_access(completion) then
    local err = call.failed(completion, "the list of runs could not be read")
    for _, run in ipairs(rows) do news.lose_access(run, err) end
    return "lost"
  end
  local own = not completion.failure and completion.status >= 400
  return own and not retry.may_help(completion) and "refused" or "failed"
end

--- Reads pages until all runs were seen. Those that were not stay in `wanted`.
---@return string result  "read", "refused" (a 4xx of its own), "lost" (no access), "failed"
---@return table|nil completion
---@return integer calls
function Watcher:read_list(group, rows, wanted)
  local token, seen, calls, left = nil, {}, 0, #rows
  repeat
    local completion, err = call.fetch(self.client,
      jobs.list(group.endpoint, group.workspace_id, group.notebook_id, token))
    calls = calls + 1
    if not completion then
      if call.is_passing(err) then return "failed", nil, calls end
      for _, run in ipairs(rows) do news.lose_access(run, err) end
      return "lost", nil, calls
    end
    if not call.is_good(completion) then
      return read_refusal(rows, completion), completion, calls
    end
    local value = response.object(completion)
    local entries = value and pages.entries(value)
    if not entries then return "refused", completion, calls end -- no sense in it: ask one by one
    for _, entry in ipairs(entries) do
      local row = jobs.read_instance(entry)
      local run = row and wanted[row.job_id]
      if run then
        wanted[row.job_id], left = nil, left - 1
        news.apply(run, row)
      end
    end
    local message
    token, message = pages.next_token(value, seen)
    if message then return "refused", completion, calls end
    if not token or left == 0 then return "read", completion, calls end
  until false
end

--- Whoever was passed over, or could not be read, is not first again.
local function least_recently_looked_at(rows)
  local list = {}
  for index, run in ipairs(rows) do list[index] = run end
  table.sort(list, function(a, b)
    local a_at, b_at = a.looked_at or 0, b.looked_at or 0
    if a_at ~= b_at then return a_at < b_at end
    return a.number < b.number
  end)
  return list
end

function Watcher:poll_list(group, rows)
  local wanted = {}
  for _, run in ipairs(rows) do wanted[run.job_id] = run end
  local result, completion, calls = self:read_list(group, rows, wanted)
  if result == "failed" then return self:postpone(group, rows, completion) end
  if result == "lost" then return self:schedule(group, rows, 0) end
  local hint = completion and response.retry_after(completion)
  -- One that the list lacks may have ended long ago, or not be visible yet; before its first poll
  -- is due, that says nothing.
  local looks, failed = 0, nil
  local missed = next(wanted) and least_recently_looked_at(rows) or {}
  for _, run in ipairs(missed) do
    if looks < MOST_LOOKS and wanted[run.job_id] and run.due <= self.host.now() then
      local answered, answer = self:look(run)
      looks, run.looked_at = looks + 1, self.host.now()
      if not answered then
        failed = answer or {}
        if failed.status == 429 then break end
      end
    end
  end
  if failed then return self:postpone(group, rows, next(failed) and failed or nil) end
  group.failures = 0
  self:schedule(group, rows,
    polling.next(hint, self.client.poll_floor, self.host.random(), calls + looks))
end

function Watcher:poll(group)
  self.due:remove(group)
  local rows = active_of(group.rows)
  for _, run in ipairs(rows) do run.look_at = nil end
  if #rows == 0 then
    self.groups[group.key] = nil
  elseif #rows == 1 then
    self:poll_one(group, rows[1])
  else
    self:poll_list(group, rows)
  end
end

-- ---- the task ----

--- A task that was cancelled meanwhile does not count any more.
local function is_attended(client, loop)
  local attendants = client.attendants[loop] or {}
  for task in pairs(attendants) do
    if not task.ended then return true end
    attendants[task] = nil
  end
  return false
end

function Watcher:is_wanted()
  for task in pairs(self.waiters) do
    if not task.ended then return true end
    self.waiters[task] = nil
  end
  return is_attended(self.client, self.loop)
end

local function watch(self)
  while self:is_wanted() do
    local group = self.due:peek()
    local at = group and math.max(group.at, self.not_before)
    local left = at and at - self.host.now()
    if not left then
      self.wake:wait()
    elseif left > 0 then
      self.wake:wait(left)
    else
      self:poll(group)
    end
  end
  self.client.watchers[self.loop] = nil
end

--- Should the watching task fail, those who wait learn why.
local function guard(self)
  local ok, err = self.task:join()
  if ok then return end
  self.failure = err
  self.client.watchers[self.loop] = nil
  for run in pairs(self.client.active[self.loop]) do
    if run.signal then run.signal:signal() end
    if run.listener and not run.outcome then
      news.lose(run, "unknown", err, "Look with " .. words.status_command(run))
    end
  end
end

local function start(client, loop)
  local self = setmetatable({ client = client, loop = loop, host = loop.host, groups = {},
    due = heap.new(), waiters = {}, wake = loop:condition(), not_before = -math.huge }, Watcher)
  client.watchers[loop] = self
  for _, run in ipairs(active_of(client.active[loop])) do self:add(run) end
  self.task = loop:spawn(watch, self)
  loop:spawn(guard, self)
  return self
end

-- ---- for the run object; all from inside a task ----

--- When a run may be asked for first: what it was told in another loop of the same clock counts.
local function first_due(run, host)
  local now = host.now()
  if run.clock ~= host.name or not run.accepted_at or now < run.accepted_at then return now end
  if run.due then return run.due end
  return run.accepted_at + polling.first(run.hint, run.client.poll_floor, host.random())
end

--- Makes a run one of those that this loop watches, while somebody waits. It is forgotten when
--- nobody holds the run object any more.
---@param run table
function M.watch(run)
  local client, _, loop = run.client, tasks.current()
  local active = client.active[loop]
  if not active then
    active = setmetatable({}, weak_keys)
    client.active[loop] = active
  end
  if not active[run] or not run.due then
    active[run] = true
    run.due = first_due(run, loop.host)
  end
  local watcher = client.watchers[loop]
  if watcher then return watcher:add(run) end
  -- Its task may have failed since they came.
  if is_attended(client, loop) then start(client, loop) end
end

--- The next look at a run is at that time, whatever was said before.
---@param run table
---@param at number  host time
function M.look_at(run, at)
  local client, _, loop = run.client, tasks.current()
  M.watch(run)
  run.due, run.look_at = at, at
  local watcher = client.watchers[loop]
  if watcher then watcher:add(run) end
end

--- Has the client's runs watched in this loop, for who follows many runs through their listeners,
--- and waits for none of them: until the function given back is called, or the running task ends.
---@param client table
---@return fun() leave
function M.attend(client)
  local task, loop = tasks.current()
  client.active[loop] = client.active[loop] or setmetatable({}, weak_keys)
  local attendants = client.attendants[loop] or {}
  client.attendants[loop] = attendants
  attendants[task] = (attendants[task] or 0) + 1
  if not client.watchers[loop] then start(client, loop) end
  return function()
    attendants[task] = attendants[task] > 1 and attendants[task] - 1 or nil
    local watcher = client.watchers[loop]
    if watcher then watcher.wake:signal() end
  end
end

--- Waits until the run has an outcome.
---@param run table
---@param deadline number  host time; math.huge: for ever
---@return boolean ended
function M.wait(run, deadline)
  local client, task, loop = run.client, tasks.current()
  M.watch(run)
  local watcher = client.watchers[loop] or start(client, loop)
  watcher.waiters[task] = true
  if not run.signal or run.signal.loop ~= loop then run.signal = loop:condition() end
  while not run.outcome do
    if watcher.failure then
      news.lose(run, "unknown", watcher.failure, "Look with " .. words.status_command(run))
      break
    end
    local left = deadline - loop.host.now()
    if left <= 0 then break end
    run.signal:wait(left)
  end
  watcher.waiters[task] = nil
  watcher.wake:signal()
  return run.outcome ~= nil
end

return M
