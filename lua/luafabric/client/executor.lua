--- Runs notebooks for the workflow engine, which knows no HTTP and no client: this is what it is
--- handed instead. All functions are called in a task of the loop that the runs belong to; what
--- happens to a run is told to its listener (plain, may not wait), from then until its end.

local call = require "luafabric.client.call"
local capacity = require "luafabric.policy.capacity"
local core = require "luafabric.core"
local details = require "luafabric.client.details"
local errors = require "luafabric.errors"
local names = require "luafabric.client.names"
local endpoints = require "luafabric.client.endpoints"
local intents = require "luafabric.client.intents"
local jobs = require "luafabric.api.jobs"
local options_module = require "luafabric.client.options"
local notebooks = require "luafabric.api.notebooks"
local preparation = require "luafabric.client.preparation"
local response = require "luafabric.api.response"
local submission = require "luafabric.client.submission"
local tag_module = require "luafabric.client.tag"
local watcher = require "luafabric.client.watcher"
local run_module = require "luafabric.client.run"
local words = require "luafabric.client.words"

local M = {}

-- One run was seen to be listed after so long; others may take longer.
local LAG_MARGIN = 2

---@class luafabric.Executor
---@field client luafabric.Client
---@field findings luafabric.Finding[]|nil  see `trust`
local Executor = {}
Executor.__index = Executor

---@param client luafabric.Client
---@return luafabric.Executor
function M.new(client)
  return setmetatable({ client = client }, Executor)
end

--- Keeps the runs watched until the given function is called, or the running task ends.
---@return fun() leave
function Executor:attend()
  return watcher.attend(self.client)
end

--- Fabric's limits, and what is learnt about them, are shared from now on with other processes.
---@param shared luafabric.Shared|nil  of store/shared, or what has its functions
function Executor:share(shared)
  local client = self.client
  if not shared or shared == client.shared then return end
  client.shared, client.capacities, client.durations_read = shared, {}, {}
end

--- Finds a workspace and a notebook by their names, once; an id is never looked up.
---@param workspace string
---@param notebook string
---@return string|nil workspace_id
---@return string|luafabric.Error notebook_id  or the error
function Executor:resolve(workspace, notebook)
  local workspace_id, err = names.workspace(self.client, workspace)
  if not workspace_id then return nil, err end
  local endpoint
  endpoint, err = endpoints.of_workspace(self.client, workspace_id, workspace)
  if not endpoint then return nil, err end
  local notebook_id
  notebook_id, err = names.notebook(self.client, endpoint, { id = workspace_id, name = workspace },
    notebook)
  if not notebook_id then return nil, err end
  return workspace_id, notebook_id
end

--- The ids behind two names, as far as they are known without asking.
---@param workspace string
---@param notebook string
---@return string|nil workspace_id
---@return string|nil notebook_id
function Executor:known_ids(workspace, notebook)
  return names.known(self.client, workspace, notebook)
end

--- Checks a request and finds what it names; nothing is submitted yet. Where the user gave a
--- compute whose session has a name, a tag of this one submission goes into it.
---@param request table     workspace, notebook, parameters, compute, tag, priority; or sealed =
---                         { text, tag, route }, the body of an attempt that was written down
---@param patience number   seconds to get it submitted, waits for quota and capacity included
---@param listener fun(event: table)
---@param alone boolean     it is sent while the notebook has no other open intent
---@return luafabric.Submission|nil prepared  with run.workspace_id, run.notebook_id and body
---@return luafabric.Error|nil err
function Executor:prepare(request, patience, listener, alone)
  -- The generic route's older body has no place for a session's name.
  local has_name = request.tag ~= false and self.client.route ~= "generic"
  local compute, tag = tag_module.add(request.compute, has_name)
  local ok, spec = pcall(options_module.read_run, { workspace = request.workspace,
    notebook = request.notebook, parameters = request.parameters, compute = compute,
    submit_timeout = patience }, request.sealed and request.sealed.route or self.client.route,
    "step", 0)
  if not ok then
    return nil, errors.new { kind = "usage", message = (tostring(spec):gsub("^step: ", "")) }
  end
  if request.sealed then
    local text
    text, tag = tag_module.renew(request.sealed)
    spec.body = { text = text, warnings = {} }
  end
  local prepared, err = preparation.prepare(self.client, spec, listener)
  if not prepared then return nil, err end
  prepared.tag, prepared.alone = tag, alone
  prepared.yields_capacity, prepared.priority = true, request.priority
  return prepared
end

--- Waits until it may be sent: for the other submissions to its notebook, and for its place in the
--- quotas. Before it is written down as intended, so that what waits is not in doubt should this
--- process end, and what is written down is sent at once.
---@param prepared luafabric.Submission
---@param on_wait fun()  called once, when it has to wait for another submission; plain
---@return boolean|nil ok
---@return luafabric.Error|nil err  there is no place within its time
function Executor:enter(prepared, on_wait)
  local listener = prepared.run.listener
  return submission.enter(prepared, on_wait, function(seconds, cause)
    listener { type = "paced", cause = cause, seconds = seconds }
  end)
end

--- It is not sent after all, and keeps no others from sending.
---@param prepared luafabric.Submission
function Executor:withdraw(prepared)
  submission.withdraw(prepared)
end

--- The workspace's id, where it is known. What is forgotten of names goes on here: runs have their
--- places.
local function capacity_key(client, workspace, workspace_id)
  if core.is_guid(workspace) then return workspace:lower() end
  local id = workspace_id or client.ids[names.workspace_key(workspace)]
    or client.capacity_ids[workspace]
  client.capacity_ids[workspace] = id
  return id or workspace
end

--- The capacity that the runs of a workspace share, as far as it is known.
---@param workspace string  name or id
---@param workspace_id string|nil  where the name's is known
---@return luafabric.Capacity
function Executor:capacity(workspace, workspace_id)
  local client = self.client
  local key = capacity_key(client, workspace, workspace_id)
  local capacities = client.capacities
  if capacities[key] then return capacities[key] end
  local topic = ("capacity of %s at %s"):format(key, client.endpoint)
  local found = capacities[workspace] -- from before its id was known
  if found and found.topic then found:moves(topic) end
  found = found or client.shared
    and require("luafabric.client.shared_capacity").new(client.shared, topic) or capacity.new()
  capacities[workspace] = nil
  capacities[key] = found
  return found
end

--- Submits what was prepared, at most once.
---@param prepared luafabric.Submission
---@return luafabric.Run|nil run  accepted, or with the outcome "unknown"
---@return luafabric.Error|nil err  surely none was started
function Executor:submit(prepared)
  return preparation.send(prepared)
end

--- Asks Fabric to end a run; its listener is told when it has.
---@param run luafabric.Run
---@param outcome "cancelled"|"timed_out"  what a cancelled run then counts as
---@return boolean|nil ok
---@return luafabric.Error|nil err
function Executor:cancel(run, outcome)
  run.timing_out = outcome == "timed_out"
  return run:cancel()
end

--- Reads the exit value and the links of a run that ended, into the run.
---@param run luafabric.Run
function Executor:read_details(run)
  details.read(run)
end

-- ---- submissions in doubt ----

--- What was found out about this tenant counts from now on (`luafabric doctor --prove`). Where it
--- cannot be read, nothing is taken for proven.
---@param store luafabric.SqliteStore|nil  or what has its `findings`
function Executor:trust(store)
  local client = self.client
  self.findings = store and store.findings and store:findings(client.endpoint) or {}
  for _, finding in ipairs(self.findings) do
    if finding.question == "visible_after" and type(finding.answer) == "number" then
      client.visible_after = math.max(client.visible_after, finding.answer * LAG_MARGIN)
    end
  end
end

--- Whether Fabric was seen to show tags like that of this submission in its workspace.
local function was_seen(self, run, doubt)
  for _, finding in ipairs(self.findings or {}) do
    if finding.workspace_id == run.workspace_id and finding.question == doubt.tag_question then
      return finding.answer == true
    end
  end
  return false
end

--- What a reconciliation goes by; of one submission, where it is given.
---@param run luafabric.Run|nil
---@param doubt luafabric.SubmissionDoubt|nil
---@return { V: number, D: number, skew: luafabric.Skew|nil, tag_proven: boolean|nil }
function Executor:reconciliation(run, doubt)
  local client = self.client
  local is_proven = client.tag_proven
  if is_proven == nil and doubt and doubt.tag then is_proven = was_seen(self, run, doubt) end
  return { V = client.visible_after, D = client.late_by, skew = client.skew,
    tag_proven = is_proven }
end

--- A look comes again by itself.
local function each(self, make, visit, what, class)
  return call.each(self.client, make, visit, { what = what, class = class, tries = 2,
    quiet = true })
end

--- The names of the sessions behind a notebook's runs, by job; what cannot be read is not there.
local function session_names(self, run)
  local found = {}
  each(self, function(token)
    return notebooks.list_sessions(run.endpoint, run.workspace_id, run.notebook_id, token)
  end, function(value)
    local job_id, name = response.text(value.jobInstanceId), response.text(value.livyName)
    if job_id and name then found[job_id:lower()] = name end
  end, "the sessions could not be listed")
  return found
end

--- All runs of a notebook that Fabric lists.
---@param run luafabric.Run
---@param tag string|nil    where there is one, the names of the sessions are read too
---@return table[]|nil rows  of api.jobs, with `name` where it is known
---@return luafabric.Error|nil err
function Executor:list_runs(run, tag)
  local rows, strange = {}, false
  local ok, err = each(self, function(token)
    return jobs.list(run.endpoint, run.workspace_id, run.notebook_id, token)
  end, function(value)
    local row = jobs.read_instance(value)
    strange = strange or not row
    rows[#rows + 1] = row
  end, "the list could not be read", "reconcile")
  if not ok then return nil, err end
  if strange then
    return nil, errors.new { kind = "platform", message = "the list has a run without an id" }
  end
  local names_by_job = tag and #rows > 0 and session_names(self, run) or {}
  for _, row in ipairs(rows) do row.name = names_by_job[row.job_id] end
  return rows
end

--- A run whose submission was in doubt is found: it is ours, and watched from now on.
---@param run luafabric.Run
---@param job_id string
---@param sent_at number  host time of its submission
function Executor:adopt(run, job_id, sent_at)
  run.outcome, run.error, run.job_id = nil, nil, job_id
  run.accepted_at, run.clock = sent_at, call.host().name
  intents.claim(self.client, run)
  watcher.watch(run)
end

-- ---- runs of a process that has ended ----

local function run_of(self, request, job_id, listener)
  local client = self.client
  local endpoint, err = endpoints.of_workspace(client, request.workspace_id, request.workspace)
  if not endpoint then return nil, err end
  client.runs = client.runs + 1
  local run = run_module.new { client = client, number = client.runs, endpoint = endpoint,
    route = request.route or client.route, workspace = request.workspace,
    notebook = request.notebook, workspace_id = request.workspace_id,
    notebook_id = request.notebook_id, job_id = job_id }
  run.listener = listener
  return run
end

--- A run that ended well before this process began, for what is to be read of it.
---@param request table  of the history: names and ids
---@param job_id string
---@return luafabric.Run|nil run
---@return luafabric.Error|nil err
function Executor:known_run(request, job_id)
  local run, err = run_of(self, request, job_id)
  if not run then return nil, err end
  run.outcome = "succeeded"
  return run
end

--- A run is known to be ours.
---@param request table  of the history: ids
---@param job_id string
function Executor:claim(request, job_id)
  intents.claim(self.client, { workspace_id = request.workspace_id,
    notebook_id = request.notebook_id, job_id = job_id })
end

--- A run that was submitted before is watched again.
---@param request table  of the history: names and ids
---@param job_id string
---@param listener fun(event: table)
---@return luafabric.Run|nil run
---@return luafabric.Error|nil err
function Executor:attach(request, job_id, listener)
  local run, err = run_of(self, request, job_id, listener)
  if not run then return nil, err end
  intents.claim(self.client, run)
  watcher.watch(run)
  return run
end

---@class luafabric.SubmissionDoubt  what a reconciliation goes by
---@field intent luafabric.Intent
---@field at number                unix seconds when it was sent, or written down
---@field sent_at number           … in host time
---@field sent_by number|nil       unix seconds until which it may have been sent, where that is
---   later
---@field what string              what came instead of an answer
---@field tag string|nil
---@field tag_question string|nil  the finding that says whether Fabric shows it
---@field request_id string|nil
---@field accepted boolean|nil     there is a run: the answer was a 202

--- A submission that was on its way when its process ended.
---@param request table       of the history
---@param at number           unix seconds when it may have been sent
---@param attempt luafabric.AttemptState
---@param listener fun(event: table)
---@param sent_by number|nil  unix seconds until which it may have been sent, where that is later
---@return luafabric.Run|nil run  with the outcome "unknown"
---@return luafabric.SubmissionDoubt|luafabric.Error doubt  or the error
function Executor:in_doubt(request, at, attempt, listener, sent_by)
  local run, err = run_of(self, request, nil, listener)
  if not run then return nil, err end
  local host = call.host()
  local intent = intents.open(self.client, run)
  intent:sending(at)
  intent:doubt(sent_by)
  run.outcome, run.request_id = "unknown", attempt.request_id
  run.error = errors.new { kind = "unknown", request_id = attempt.request_id,
    message = ("the submission of %s at %s was on its way when its process ended"):format(
      words.name(run), core.format_time(at)) }
  return run, { intent = intent, at = at, sent_by = sent_by,
    sent_at = host.now() - (host.wall() - at), what = "no answer before its process ended",
    tag = request.tag, request_id = attempt.request_id,
    tag_question = request.tag and tag_module.question(request.body),
    accepted = attempt.doubt and attempt.doubt.accepted }
end

--- The command that shows a run, for messages.
---@param run luafabric.Run
---@return string
function Executor:look_command(run)
  return run.job_id and words.status_command(run) or words.list_command(run)
end

--- The API that it talks to, where that is not the one that a command takes by itself.
---@return string|nil endpoint
function Executor:other_endpoint()
  local endpoint = self.client.endpoint
  return endpoint ~= options_module.DEFAULT_ENDPOINT and endpoint or nil
end

return M
