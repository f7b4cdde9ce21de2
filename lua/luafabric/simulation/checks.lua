--- What must hold of a simulated world when it is over, as sentences about what does not. Safety:
--- no run but one for an attempt, none forgotten, none taken for another's, the history legal and
--- of one mind with Fabric. Liveness: where nothing goes wrong any more, every run ends.

local history = require "luafabric.history"
local jobs = require "luafabric.emulator.jobs"
local truth = require "luafabric.simulation.truth"

local M = {}

local Check = {}
Check.__index = Check

function Check:say(text, ...)
  self.problems[#self.problems + 1] = text:format(...)
end

-- ---- attempts against what is true ----

local of_status = { Completed = "succeeded", Cancelled = true, Deduped = "deduped" }

--- Whether an outcome may be that of a run that ended so.
local function fits(outcome, status)
  if outcome == "unknown" or outcome == "timed_out" then return true end
  local wanted = of_status[status]
  if wanted == true then return outcome == "cancelled" end
  if wanted then return outcome == wanted end
  return outcome ~= "succeeded"
end

local function adopted_without_proof(self, name, attempt)
  local settings = self.world.client_settings
  local is_exclusive = settings.exclusive or attempt.request.exclusive
  if attempt.adopted == "exclusive" and not is_exclusive
    or attempt.adopted == "tag" and not settings.tag_proven then
    self:say("%s took job %s for its own without a proof (%s)", name, attempt.job_id,
      attempt.adopted)
  end
end

function Check:attempt_with_job(name, attempt)
  local world = self.world
  local whose = world.truth.attempt_of[attempt.job_id]
  if whose ~= name then
    return self:say("%s has job %s, which is of %s", name, attempt.job_id, whose or "nobody")
  end
  if attempt.adopted then adopted_without_proof(self, name, attempt) end
  local job = world.service.jobs.by_id[attempt.job_id]
  if attempt.state ~= "ended" or not job then return end
  local is_over = jobs.ends(job.status)
  if attempt.outcome == "succeeded" and not is_over or is_over
    and not fits(attempt.outcome, job.status) then
    self:say("%s is %s, and its job is %s", name, attempt.outcome, job.status)
  end
end

function Check:attempt(name, attempt)
  if attempt.job_id then return self:attempt_with_job(name, attempt) end
  if attempt.outcome == "succeeded" then self:say("%s succeeded without a job", name) end
  local is_known = attempt.state ~= "ended" or attempt.outcome == "unknown"
  if self.world.truth.started[name] and not is_known then
    self:say("%s was started, and is said to be %s", name, tostring(attempt.outcome))
  end
end

--- Every run of ours is one of an attempt in the history.
function Check:nothing_forgotten(run, names)
  for _, entry in ipairs(self.world.truth.jobs) do
    local send = entry.send
    if send and send.run_id == run.run_id and not names[entry.name] then
      self:say("%s runs as job %s, and is not in the history", entry.name, entry.job.id)
    end
  end
end

-- ---- a run ----

local function fold(self, run)
  local events = assert(self.world.store:events(run.run_id))
  local state = history.new()
  for index, event in ipairs(events) do
    local ok, problem = pcall(history.apply, state, event)
    if not ok then
      self:say("run %s: event %d cannot be: %s", run.run_id, index, tostring(problem))
      return nil
    end
  end
  return state
end

--- The outcome of the whole is not better than those of its parts.
function Check:outcome(run, state)
  local has_unknown = false
  for _, step in pairs(state.steps) do
    if step.phase ~= "ended" then
      self:say("run %s has ended, and its step %s is %s", run.run_id, step.path, step.phase)
    end
    local is_counted = not step.parent and not step.may_fail
    if is_counted and state.outcome == "succeeded" and history.is_failure(step.outcome) then
      self:say("run %s succeeded, and its step %s is %s", run.run_id, step.path, step.outcome)
    end
    has_unknown = has_unknown or step.outcome == "unknown"
  end
  if state.outcome == "unknown" and not has_unknown then
    self:say("run %s is unknown, and no step of it is", run.run_id)
  end
  if run.report and run.report.outcome ~= state.outcome then
    self:say("run %s is %s, and its events come to %s", run.run_id, tostring(run.report.outcome),
      tostring(state.outcome))
  end
end

function Check:run(run)
  if not self.world:row(run.run_id) then return end
  local state = fold(self, run)
  if not state then return end
  run.state = state
  local names = {}
  for path, step in pairs(state.steps) do
    for number, attempt in ipairs(step.attempts) do
      local name = truth.name(run.run_id, path, number)
      names[name] = true
      self:attempt(name, attempt)
      self:surely_known(name, attempt)
    end
  end
  self:nothing_forgotten(run, names)
  if run.is_ended then self:outcome(run, state) end
end

-- ---- liveness ----

--- Where nothing goes wrong, nobody else is there and nobody sets a clock, no fate stays unknown.
function Check:surely_known(name, attempt)
  local world = self.world
  local heals_at, has = world.weather.heals_at, world.weather.has
  if attempt.outcome ~= "unknown" or not heals_at or has.foreign or has.clock then return end
  if world.client_settings.submission or not attempt.request.exclusive then return end
  local since = attempt.intended_at - world.offset - (world.base.wall() - world.base.now())
  if since > heals_at then
    self:say("%s is unknown, and all was well", name)
  end
end

function Check:everything_ended()
  if not self.world.weather.heals_at then return end
  for _, run in ipairs(self.world.runs) do
    if run.is_stuck then self:say("run %s has not ended", run.run_id) end
  end
end

-- ---- secrets ----

function Check:no_secret()
  local text = self.world.secret
  if not text then return end
  for _, place in ipairs { "events where body", "runs where inputs" } do
    local rows = assert(self.world.store:rows("select count(*) as n from " .. place
      .. " like '%' || ?1 || '%'", text))
    if rows[1].n > 0 then self:say("the secret is in the store") end
  end
end

--- What does not hold of a world that was played.
---@param world luafabric.World
---@return string[] problems
function M.problems(world)
  local self = setmetatable({ world = world, problems = {} }, Check)
  for index, problem in ipairs(world.problems) do self.problems[index] = problem end
  for _, run in ipairs(world.runs) do self:run(run) end
  self:everything_ended()
  self:no_secret()
  return self.problems
end

return M
