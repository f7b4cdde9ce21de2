--- A run, as its user holds it. It exists where a run was or may have been started; its fields are
--- what was last learnt, its methods wait.

local call = require "luafabric.client.call"
local duration = require "luafabric.duration"
local errors = require "luafabric.errors"
local nearest = require "luafabric.nearest"
local news = require "luafabric.client.news"
local tasks = require "luafabric.tasks"
local words = require "luafabric.client.words"

local M = {}

-- A run object is made before the run is submitted; what only its methods need is loaded by them,
-- so that the submission does not wait for it.
local function lazily(name)
  return setmetatable({}, { __index = function(self, key)
    local value = require(name)[key]
    self[key] = value
    return value
  end })
end

local details = lazily "luafabric.client.details"
local jobs = lazily "luafabric.api.jobs"
local polling = lazily "luafabric.policy.polling"
local response = lazily "luafabric.api.response"
local watcher = lazily "luafabric.client.watcher"

-- How long a cancel may take to show.
local END_PATIENCE = 600 -- seconds
local INVISIBLE = 5 -- seconds, between cancels of a run that is not visible yet

---@class luafabric.Run
---@field outcome string|nil      nil while it runs: succeeded, failed, cancelled, deduped,
---  timed_out, capacity, unauthorized (no way to watch it), unknown (not known whether it started,
---  or how it ended)
---@field exit_value string|nil   as text, once it ended
---@field status string|nil       Fabric's own word
---@field failure_reason table|string|nil  Fabric's ErrorResponse: errorCode, message, …
---@field job_id string|nil       nil where the outcome is unknown
---@field request_id string|nil   of the submission; Fabric's support asks for it
---@field workspace_id string
---@field notebook_id string
---@field workspace string|nil    as it was named
---@field notebook string|nil
---@field started_at string|nil   UTC, as Fabric writes it: mostly without a zone
---@field ended_at string|nil
---@field links table<string, string>|nil  monitoring pages, by Fabric's names
---@field error luafabric.Error|nil         why the outcome is what it is, and how to go on
---@field warnings string[]|nil   what was strange
---@field more table|nil          fields of Fabric's instance that are not known here
local Run = {}
Run.__index = Run
Run.__name = "luafabric.run"
M.Run = Run

function Run:__tostring()
  return ("run %s of %s: %s"):format(self.job_id or "without a known job", words.name(self),
    self.outcome or self.status or "submitted")
end

--- A run object; only client.lua makes them.
---@param fields table
---@return luafabric.Run
function M.new(fields)
  return setmetatable(fields, Run)
end

--- True when it succeeded.
---@return boolean
function Run:ok()
  return self.outcome == "succeeded"
end

local function check_options(options, known, what)
  if options == nil then return {} end
  if type(options) ~= "table" then
    error(("%s: expected a table, got a %s"):format(what, type(options)), 3)
  end
  nearest.check_fields(options, known, what, 3)
  return options
end

--- A run that may be somewhere, but not where we could look.
local function no_job(run)
  return run.error or errors.new { kind = "unknown",
    message = "the job id of this run is not known. Look with " .. words.list_command(run) }
end

-- ---- cancel ----

local function is_over(answer)
  return answer and not answer.failure and answer.status >= 400 and answer.status < 500
    and response.error_fields(answer).code == "JobAlreadyCompleted"
end

local function accepted_here(run, host)
  if run.clock == host.name and run.accepted_at and run.accepted_at <= host.now() then
    return run.accepted_at
  end
end

--- Whether a 404 only means that Fabric does not show the run yet.
local function may_be_invisible(run, answer)
  local host = call.host()
  return answer and answer.status == 404
    and polling.may_be_invisible(accepted_here(run, host), host.now())
end

--- Asks Fabric to end the run. "Already completed" is fine: the next look shows how.
local function send_cancel(run)
  local client, host = run.client, call.host()
  while true do
    local completion, err, answer = call.safe(client, jobs.cancel(run.endpoint, run.workspace_id,
      run.notebook_id, run.job_id), {
        what = ("job %s of %s could not be cancelled"):format(run.job_id, words.name(run)) })
    local now = host.now()
    if completion then
      watcher.look_at(run, now + polling.after_cancel(response.retry_after(completion),
        client.poll_floor))
      return true
    end
    if is_over(answer) then
      watcher.look_at(run, now)
      return true
    end
    if not may_be_invisible(run, answer) then return nil, err end
    tasks.sleep(INVISIBLE)
  end
end

local function cancel(run, wait)
  if not run.job_id then return nil, no_job(run) end
  if run.outcome and not run:is_lost() then return true end
  local outcome, reason = run.outcome, run.error
  run:resume()
  local ok, err = send_cancel(run)
  if not ok then
    if not run.outcome then run.outcome, run.error = outcome, reason end -- nothing new was learnt
    return nil, err
  end
  if not wait then return true end
  if not watcher.wait(run, call.host().now() + END_PATIENCE) then
    return nil, errors.new { kind = "timeout", message = ("job %s of %s was asked to end and has "
      .. "not within %s. Look with %s"):format(run.job_id, words.name(run),
        duration.format(END_PATIENCE), words.status_command(run)) }
  end
  if run:is_lost() then return nil, run.error end
  details.read(run)
  return true
end

local cancel_options = { wait = true }

--- Asks Fabric to end the run; safe to repeat. A run that ended before is no error.
---@param options { wait: boolean|nil }|nil  wait: until Fabric shows its end, 10 minutes at most
---@return boolean|nil ok
---@return luafabric.Error|nil err  the cancel was refused, or has not taken effect
function Run:cancel(options)
  options = check_options(options, cancel_options, "run:cancel")
  return self.client:blocking(cancel, self, options.wait)
end

-- ---- wait ----

--- Whether the outcome is ours alone, and not an end that Fabric showed: it may still run.
function Run:is_lost()
  return self.outcome == "unauthorized" or self.outcome == "unknown"
    or self.outcome == "timed_out" and not self.ended
end

--- A run that was lost is active again.
function Run:resume()
  if self.job_id and self:is_lost() then
    self.outcome, self.error, self.due, self.missing = nil, nil, nil, nil
  end
end

--- Its time is used up: it is cancelled, and whatever Fabric says then is the truth.
local function stop(run)
  local limit = duration.format(run.timeout)
  run.timing_out = true
  news.warn(run, ("%s has not ended within %s and is cancelled"):format(words.name(run), limit))
  local ok, err = send_cancel(run)
  if ok then watcher.wait(run, call.host().now() + END_PATIENCE) end
  local what
  if run.outcome == "timed_out" then
    what = "and was cancelled"
  elseif run.outcome then
    return
  else
    what = (ok and ("and has not ended %s after it was cancelled"):format(
      duration.format(END_PATIENCE)) or ("and could not be cancelled (%s)"):format(tostring(err)))
      .. ": it may still run. Look with " .. words.status_command(run)
  end
  run.outcome = "timed_out"
  run.error = errors.new { kind = "timeout", message = ("%s did not end within %s %s")
    :format(words.name(run), limit, what) }
end

--- Host time when the run's time is used up: counted from its acceptance.
local function limit_of(run, host)
  if not run.timeout then return math.huge end
  if not accepted_here(run, host) then run.accepted_at, run.clock = host.now(), host.name end
  return run.accepted_at + run.timeout
end

--- Waits for the end of a run, from inside a task.
---@param run luafabric.Run
---@param max_s number|nil
---@return luafabric.Run|nil run
---@return luafabric.Error|nil err
function M.await(run, max_s)
  local host = call.host()
  run:resume()
  if not run.outcome then
    if not run.job_id then return nil, no_job(run) end
    local limit, bound = limit_of(run, host), max_s and host.now() + max_s or math.huge
    if not watcher.wait(run, math.min(limit, bound)) then
      if host.now() < limit then
        return nil, errors.new { kind = "timeout", message = ("job %s of %s has not ended yet, "
          .. "after a wait of %s"):format(run.job_id, words.name(run), duration.format(max_s)) }
      end
      stop(run)
    end
  end
  details.read(run)
  return run
end

local wait_options = { timeout = true }

--- Waits until the run has an outcome; reads its exit value. A run whose watching ended with
--- "unauthorized" or "unknown" is watched again, if its job is known.
---@param options { timeout: number|string|nil }|nil  timeout: of this wait; it cancels nothing
---@return luafabric.Run|nil run  itself
---@return luafabric.Error|nil err  "timeout": it goes on
function Run:wait(options)
  options = check_options(options, wait_options, "run:wait")
  local max_s = options.timeout and duration.check(options.timeout, "run:wait: timeout", 2)
  local is_done = self.outcome and not self:is_lost() and not details.is_wanted(self)
  if is_done or self.outcome and not self.job_id then return self end
  return self.client:blocking(M.await, self, max_s)
end

-- ---- refresh ----

local function refresh(run)
  if not run.job_id then return nil, no_job(run) end
  local completion, err, answer = call.safe(run.client, jobs.get(run.endpoint, run.workspace_id,
    run.notebook_id, run.job_id), {
      what = ("the status of job %s of %s could not be read"):format(run.job_id,
        words.name(run)) })
  if not completion and may_be_invisible(run, answer) then return run end
  if not completion then return nil, err end
  local value = response.object(completion)
  local row = value and jobs.read_instance(value)
  if not row or row.job_id ~= run.job_id then
    return nil, call.nonsense(completion, "job " .. run.job_id, "no job instance")
  end
  run.outcome, run.error, run.ended = nil, nil, nil
  news.apply(run, row)
  if run.outcome then details.read(run) end
  return run
end

--- Reads the status once.
---@return luafabric.Run|nil run  itself
---@return luafabric.Error|nil err
function Run:refresh()
  return self.client:blocking(refresh, self)
end

return M
