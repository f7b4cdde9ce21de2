-- A Fabric for each trial of a crash campaign, in one process that outlives every client: the
-- endpoint /FATE/TRIAL/v1 makes the first submission of the notebook Clean meet that fate.
-- /FATE/TRIAL/tally tells the submissions, and the jobs that were started for each step.

local json = require "luafabric.json"
local service_module = require "luafabric.emulator.service"
local uv = require "luv"

local LATE = 0.4 -- seconds

local unnamed = { Location = false, ["x-ms-job-id"] = false, RequestId = false }

-- What Fabric does with it: a run that is started, and an answer.
local fates = {
  accepted = {}, lost_request = { fault = "fin", applied = false },
  lost_answer = { fault = "fin", applied = true }, late = { fault = "fin", applied = false },
  unnamed = { fault = { status = 202, headers = unnamed }, applied = true },
  throttled = { fault = 429, retry_after = 1 },
  failed_without_run = { fault = 500, applied = false },
  timed_out_with_run = { fault = 504, applied = true },
}

local trials = {}

local function wall()
  local seconds, microseconds = uv.gettimeofday()
  return seconds + microseconds / 1e6
end

local function step_of(job) return job.parameters.step.value end

local function new_trial(fate)
  local trial = { jobs = {}, posts = {}, late = fate == "late" }
  local rule = { at = "submit", notebook = "Clean" }
  for name, value in pairs(assert(fates[fate], fate)) do rule[name] = value end
  local settings = { retry_after = 0, run = function(job)
    local step = step_of(job)
    trial.jobs[step] = trial.jobs[step] or {}
    table.insert(trial.jobs[step], job.job_id)
    return { exit_value = step }, 0.1
  end }
  trial.service = service_module.new { settings = settings, faults = rule.fault and { rule } or {},
    workspaces = { { name = "Sales", notebooks = { "Ingest", "Clean" } } } }
  return trial
end

local function trial_of(fate, number)
  local key = fate .. "/" .. number
  trials[key] = trials[key] or new_trial(fate)
  return trials[key]
end

local function is_submission(request)
  return request.method == "POST" and request.path:find("/jobs/execute/instances", 1, true)
end

local function apply_later(trial, request)
  local timer = uv.new_timer()
  timer:start(LATE * 1000, 0, function()
    timer:close()
    trial.service:handle(request, wall())
  end)
end

local function handle(trial, request)
  if request.path == "/tally" then
    return { status = 200, body = assert(json.encode { jobs = trial.jobs, posts = trial.posts }) }
  end
  if is_submission(request) then
    local step = request.body:match('"step".-"value":"(%w+)"') or "?"
    trial.posts[step] = (trial.posts[step] or 0) + 1
  end
  local response = trial.service:handle(request, wall())
  if trial.late and response.wire then apply_later(trial, request) end
  return response
end

require("spec.support.process").serve(function(request, respond)
  local fate, number, path = request.path:match("^/([%w_]+)/(%w+)(/.*)$")
  if not fates[fate] then return respond { status = 404 } end
  request.path = path
  respond(handle(trial_of(fate, number), request))
end)
