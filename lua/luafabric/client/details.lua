--- The exit value and the monitoring links of a run that ended: one GET of the notebook's instance,
--- whose failure never fails the run.

local call = require "luafabric.client.call"
local gate = require "luafabric.client.gate"
local news = require "luafabric.client.news"
local notebooks = require "luafabric.api.notebooks"
local response = require "luafabric.api.response"
local retry = require "luafabric.policy.retry"
local tasks = require "luafabric.tasks"
local words = require "luafabric.client.words"

local M = {}

-- How often to try, by outcome; where it is not here, there is nothing to read. An exit value that
-- is there shows up late (reported: up to a minute after the submission); of a run that did not
-- succeed only the links are of interest.
local tries = { succeeded = 6, failed = 2, cancelled = 1, timed_out = 1 }
local GENERIC_TRIES = 2 -- a tenant without the typed route has no such GET at all
local PAUSES = { first = 4, ceiling = 30, throttled = 60 }
local INVISIBLE = 5 -- seconds, after a 404
local LONGEST_PAUSE = 300 -- seconds: who asks for more gets no other try

local function problem_of(completion, err)
  if not completion then return tostring(err) end
  return tostring(call.failed(completion, "Fabric did not give it"))
end

local function read(run)
  local client, problem = run.client, nil
  local most = tries[run.outcome]
  if run.route == "generic" then most = math.min(most, GENERIC_TRIES) end
  for attempt = 1, most do
    local completion, err = call.fetch(client, notebooks.get_instance(run.endpoint,
      run.workspace_id, run.notebook_id, run.job_id))
    if completion and call.is_good(completion) then
      local found, message = notebooks.read_instance(completion)
      if found then
        run.exit_value, run.links, run.details_read = found.exit_value, found.links, true
        return
      end
      problem = message
      break
    end
    problem = problem_of(completion, err)
    local invisible = completion and completion.status == 404 and not completion.failure
    if not completion or not invisible and not retry.may_help(completion) then break end
    if attempt < most then
      local pause = retry.delay(completion, attempt, response.retry_after(completion),
        call.host().random(), PAUSES)
      if pause > LONGEST_PAUSE then break end
      if not invisible and not gate.may_retry(completion) then break end
      tasks.sleep(invisible and math.max(pause, INVISIBLE) or pause)
    end
  end
  if run.outcome ~= "succeeded" then return end
  news.warn(run, ("the exit value of job %s could not be read (%s); %s may show it later"):format(
    run.job_id, problem, words.status_command(run)))
end

--- Whether there is something to read that was not read.
---@param run table
---@return boolean
function M.is_wanted(run)
  return not run.skip_details and not run.details_read and tries[run.outcome] ~= nil
end

--- Reads exit value and links, once, where they are wanted. In a task of its own: whoever is
--- cancelled meanwhile takes them from nobody who waits for the same.
---@param run table  ended
function M.read(run)
  if not M.is_wanted(run) then return end
  local _, loop = tasks.current()
  local reader = run.reader
  if not reader or reader.loop ~= loop or reader:result() ~= nil then
    reader = loop:spawn(read, run)
    run.reader = reader
  end
  local ok, err = reader:join()
  if run.reader == reader then run.reader = nil end
  if not ok then news.warn(run, "the exit value could not be read: " .. tostring(err)) end
end

return M
