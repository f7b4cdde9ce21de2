-- Job instances as they move with time: accepted, waiting, running, ended. Pure: every change has a
-- time that is handed in, and nothing happens between two calls.

local heap = require "luafabric.heap"
local ids = require "luafabric.emulator.ids"

local M = {}

--- The states and where each may go. Terminal states go nowhere.
M.transitions = {
  NotStarted = { "InProgress", "Failed", "Cancelled", "Deduped" },
  InProgress = { "Completed", "Failed", "Cancelled" },
  Completed = {}, Failed = {}, Cancelled = {}, Deduped = {},
}

--- Whether a status ends a job; one that Fabric's specification lacks (a fault script may invent
--- one) does not.
---@param status string
---@return boolean
function M.ends(status)
  local next_states = M.transitions[status]
  return next_states ~= nil and #next_states == 0
end

M.capacity_failure = {
  -- Reported: the code says little, the message carries the 430.
  errorCode = "JobInstanceStatusFailed",
  message = "Livy session creation failed. [TooManyRequestsForCapacity] HTTP Response code 430: "
    .. "this Spark job can't be run because you have hit a Spark compute or API rate limit",
}

local MAX_LISTED = 100 -- Fabric lists the 100 most recent completed instances and all active ones

---@param settings table  of the service
---@return table jobs
function M.new(settings)
  local jobs = {
    by_id = {}, active = 0, running = 0, waiting = {}, started_total = 0,
    open_count = 0, due = heap.new(), to_start = {}, to_cancel = {},
    ended = {}, ended_first = 1, ended_last = 0,
  }
  local set_status, start

  local function forget_old(item, job)
    item.ended[#item.ended + 1] = job
    if #item.ended > MAX_LISTED then
      table.remove(item.ended, 1)
      item.listed = nil
    end
    jobs.ended_last = jobs.ended_last + 1
    jobs.ended[jobs.ended_last] = job
    if jobs.ended_last - jobs.ended_first + 1 > settings.history then
      jobs.by_id[jobs.ended[jobs.ended_first].id] = nil
      jobs.ended[jobs.ended_first] = nil
      jobs.ended_first = jobs.ended_first + 1
    end
  end

  local function start_waiting(now)
    while jobs.waiting[1] and not jobs.full("queue") do
      local job = table.remove(jobs.waiting, 1)
      if job.status == "NotStarted" then start(job, now) end
    end
  end

  function set_status(job, status, now, result)
    job.status = status
    job.history[#job.history + 1] = { at = now, status = status }
    if not M.ends(status) then return end
    job.ended_at, job.result = now, result or {}
    jobs.open_count = jobs.open_count - 1
    if job.holds_capacity then jobs.active = jobs.active - 1 end
    if job.running then jobs.running, job.running = jobs.running - 1, false end
    job.item.active[job.id] = nil
    forget_old(job.item, job)
    start_waiting(now)
  end

  function start(job, now)
    job.begun_at, job.running = now, true
    jobs.running = jobs.running + 1
    set_status(job, "InProgress", now)
    if not settings.run then
      jobs.to_start[#jobs.to_start + 1] = job
      return
    end
    local result, duration = settings.run(M.described(job), now)
    jobs.due:push { at = now + (duration or 0), job = job, result = result or {} }
  end

  --- Whether the capacity is used up, for the way in which that shows.
  ---@param answer "post"|"failure"|"queue"
  function jobs.full(answer)
    if not settings.capacity or settings.capacity_answer ~= answer then return false end
    return (answer == "queue" and jobs.running or jobs.active) >= settings.capacity
  end

  --- How many instances have not ended.
  function jobs.open()
    return jobs.open_count
  end

  --- Accept a run.
  ---@param fields table  id, root_activity_id, item, job_type, request, body, script (of a fault)
  ---@param now number
  function jobs.submit(fields, now)
    local job, item = fields, fields.item
    job.submitted_at, job.status = now, "NotStarted"
    job.history = { { at = now, status = "NotStarted" } }
    jobs.by_id[job.id], item.active[job.id], item.listed = job, job, nil
    jobs.open_count = jobs.open_count + 1
    if job.script then
      for _, step in ipairs(job.script) do
        jobs.due:push { at = now + (step.after or 0), job = job, status = step.status,
          result = step }
      end
      job.counts = job.script[#job.script].status ~= "Deduped"
    elseif jobs.full("failure") then
      jobs.due:push { at = now + settings.queue, job = job, status = "Failed",
        result = { failure_reason = M.capacity_failure } }
      job.counts = false
    else
      job.counts, job.holds_capacity = true, true
      jobs.active = jobs.active + 1
      jobs.due:push { at = now + settings.queue, job = job, begin = true }
    end
    if job.counts then
      jobs.started_total, item.started = jobs.started_total + 1, item.started + 1
      job.attempt = item.started
    end
    jobs.advance(now)
    return job
  end

  local function happen(job, entry)
    if entry.begin and jobs.full("queue") then
      jobs.waiting[#jobs.waiting + 1] = job
      return
    end
    if entry.begin then return start(job, entry.at) end
    set_status(job, entry.status or entry.result.status or "Completed", entry.at, entry.result)
  end

  --- Let everything happen that is due.
  ---@param now number
  function jobs.advance(now)
    local entry = jobs.due:peek()
    while entry and entry.at <= now do
      jobs.due:pop()
      if not entry.job.ended_at then happen(entry.job, entry) end
      entry = jobs.due:peek()
    end
  end

  --- End a job from outside (a real notebook ended).
  ---@param job table
  ---@param result { status?: string, exit_value?: any, failure_reason?: any }
  ---@param now number
  function jobs.finish(job, result, now)
    jobs.advance(now)
    if job.ended_at then return end
    set_status(job, result.status or "Completed", now, result)
  end

  --- Ask for a job's end.
  ---@return boolean accepted  false where it has ended already
  function jobs.cancel(job, now)
    if job.ended_at then return false end
    if job.cancel_asked then return true end
    job.cancel_asked = now
    jobs.to_cancel[#jobs.to_cancel + 1] = job.id
    if job.running and not settings.run then return true end
    jobs.due:push { at = now + settings.cancel_lag, job = job, status = "Cancelled" }
    jobs.advance(now)
    return true
  end

  return jobs
end

--- How a job is described to whoever runs it.
---@param job table
---@return table
function M.described(job)
  return {
    job_id = job.id, workspace = job.item.workspace.name, notebook = job.item.name,
    workspace_id = job.item.workspace.id, notebook_id = job.item.id,
    definition = job.item.definition, parameters = job.request.parameters,
    execution_data = job.request.execution_data, compute = job.request.compute,
    body = job.body, source = job.request.source, attempt = job.attempt,
  }
end

-- ---- what a client sees of it ------------------------------------------------------------------

--- The length of one refresh of a job's public state: Fabric shows a countdown, then nothing for a
--- while, then the news. Recorded: about 60 s and 10 to 40 s.
local function cycle(settings)
  if settings.status_lag > 0 then return settings.status_lag end
  return settings.retry_after * 4 / 3
end

--- The state that is shown at a time: behind the truth by up to `status_lag`.
---@return string status
---@return boolean begun  whether the shown state knows of the start
function M.shown(job, settings, now)
  local as_of = now
  if settings.status_lag > 0 then
    local refreshes = math.floor((now - job.submitted_at) / settings.status_lag)
    if refreshes == 0 then return job.history[1].status, false end
    as_of = job.submitted_at + refreshes * settings.status_lag
  end
  local status, begun = job.history[1].status, false
  for _, change in ipairs(job.history) do
    if change.at > as_of then break end
    status = change.status
    begun = begun or status == "InProgress"
  end
  return status, begun
end

--- Retry-After of a status answer: a countdown to the next refresh, absent in the last quarter of
--- the cycle and on ended jobs.
---@return number|nil seconds
function M.retry_after(job, settings, now)
  if M.ends((M.shown(job, settings, now))) then return nil end
  local length = cycle(settings)
  if length <= 0 then return settings.retry_after > 0 and settings.retry_after or nil end
  -- Each job has a phase of its own: one second after a submission a GET answered 29.
  local phase = settings.status_lag > 0 and 0 or job.phase * length / 2
  local position = (now - job.submitted_at + phase) % length
  local left = length * 3 / 4 - position
  if left <= 0 then return nil end
  return math.floor(left)
end

--- Whether a job is to be seen on a route yet.
---@param route "status"|"instance"|"list"|"livy"
function M.visible(job, settings, route, now)
  local lag = settings.visibility_lag
  if type(lag) == "table" then lag = lag[route] or 0 end
  return now >= job.submitted_at + lag
end

--- A number in [0, 1) that belongs to an id.
function M.phase(id)
  return tonumber(id:sub(1, 4), 16) / 65536
end

--- An id that belongs to a job, for its Livy session, activity and application.
function M.id_of(job, what)
  return ids.stable(what .. "\0" .. job.id)
end

return M
