--- One real run, started to see how Fabric behaves where it promises nothing. It is submitted as
--- every run is, at most once; a lost answer is a lost answer. What is seen becomes the facts that
--- doctor/beliefs judges. In a task.

local call = require "luafabric.client.call"
local claiming = require "luafabric.doctor.claiming"
local compute_module = require "luafabric.compute"
local core = require "luafabric.core"
local errors = require "luafabric.errors"
local jobs = require "luafabric.api.jobs"
local notebooks = require "luafabric.api.notebooks"
local options_module = require "luafabric.client.options"
local preparation = require "luafabric.client.preparation"
local response = require "luafabric.api.response"
local submission = require "luafabric.client.submission"
local tag_module = require "luafabric.client.tag"
local tasks = require "luafabric.tasks"
local watcher = require "luafabric.client.watcher"

local M = {}

local SUBMIT_PATIENCE = 120 -- seconds, for quota and capacity
local LIST_PATIENCE = 300 -- seconds
local PAUSE = 2 -- seconds between two looks, at first
local GROWTH, MOST_GROWN = 1.5, 15
-- A session's name may come late: after the run's end it is looked for that much longer.
local AFTER_END = 2 -- times the time until a run is surely listed

-- Headers in which services of Microsoft take a caller's id for a request.
local ID_HEADERS = { "x-ms-client-request-id", "requestid", "activityid" }

local makers = { spark = compute_module.spark, jupyter = compute_module.jupyter }

local function new_guid()
  local hex = core.random_hex(16)
  return ("%s-%s-4%s-a%s-%s"):format(hex:sub(1, 8), hex:sub(9, 12), hex:sub(14, 16),
    hex:sub(18, 20), hex:sub(21, 32))
end

---@class luafabric.Proof
---@field client table
---@field prepared luafabric.Submission
---@field claim luafabric.ProofClaim|nil  where there is a store
---@field run luafabric.Run|nil
---@field facts luafabric.ProofFacts
local Proof = {}
Proof.__index = Proof

--- Everything before the submission.
---@param client luafabric.Client
---@param given { workspace: string, notebook: string, compute: "spark"|"jupyter"|"none"|nil,
---  store: luafabric.SqliteStore|nil }  store: where it is written down before it is sent
---@return luafabric.Proof|nil proof
---@return luafabric.Error|nil err
function M.prepare(client, given)
  local make = makers[given.compute or "spark"]
  local compute, tag
  -- The generic route's older body has no place for a session's name.
  if make and client.route ~= "generic" then
    compute, tag = tag_module.add(make { name = "luafabric doctor" })
  end
  local spec = options_module.read_run({ workspace = given.workspace, notebook = given.notebook,
    compute = compute, submit_timeout = SUBMIT_PATIENCE }, client.route, "doctor", 0)
  local claim
  local prepared, err = preparation.prepare(client, spec, function(event)
    if claim and event.type == "waiting" and not event.submitted then claim:withdraw() end
  end)
  if not prepared then return nil, err end
  claim = given.store and claiming.new(given.store, prepared)
  local sent_ids = {}
  for _, name in ipairs(ID_HEADERS) do sent_ids[name] = new_guid() end
  prepared.tag, prepared.headers = tag, sent_ids
  return setmetatable({ client = client, prepared = prepared, claim = claim,
    facts = { route = prepared.route, sent_ids = sent_ids, enough = client.visible_after, tag = tag,
    tag_question = tag and tag_module.question(prepared.body) } }, Proof)
end

--- Right before the send, behind all waits for its turn, the notebook becomes ours.
local function begin(self)
  if not self.claim then return true end
  local ok, err = submission.enter(self.prepared)
  if not ok then return nil, err end
  ok, err = self.claim:open()
  if not ok then submission.withdraw(self.prepared) end
  return ok, err
end

local function send(self)
  local run, err = preparation.send(self.prepared)
  if self.claim then self.claim:answered(run) end
  if err and err.store_code == "lease" then
    err = errors.new { kind = "timeout", sent = "no", message = "nothing was started: the way to "
      .. "the submission took longer than its notebook was kept free for it. Try again" }
  end
  return run, err
end

--- Starts the run.
---@return luafabric.Run|nil run    accepted, or with the outcome "unknown"
---@return luafabric.Error|nil err  surely none was started
function Proof:submit()
  local ok, problem = begin(self)
  if not ok then return nil, problem end
  local facts, run, err = self.facts, send(self)
  facts.refusal = err
  if not run or run.outcome then return run, err end
  self.run, facts.accepted, facts.request_id = run, true, run.request_id
  facts.headers = self.prepared.answer.headers
  return run
end

-- ---- what is seen of it ----

local options = { what = "the runs could not be listed", tries = 1, quiet = true,
  class = "reconcile" }

---@return table|nil row
---@return boolean was_read  nil then means that it is not listed
local function row_of(self)
  local run, found = self.run, nil
  local ok = call.each(self.client, function(token)
    return jobs.list(run.endpoint, run.workspace_id, run.notebook_id, token)
  end, function(value)
    local row = jobs.read_instance(value)
    if row and row.job_id == run.job_id then found = row end
    return found ~= nil
  end, options)
  return found, ok == true
end

local function session_name_of(self)
  local run, found = self.run, nil
  call.each(self.client, function(token)
    return notebooks.list_sessions(run.endpoint, run.workspace_id, run.notebook_id, token)
  end, function(value)
    local job_id = response.text(value.jobInstanceId)
    if job_id and job_id:lower() == run.job_id then found = response.text(value.livyName) end
    return found ~= nil
  end, options)
  return found
end

--- Looks until it is listed. The time is that of the answer which shows it first.
local function await_row(self, pause)
  local host, facts = call.host(), self.facts
  local from = self.run.accepted_at
  while not facts.row do
    local was_read
    facts.row, was_read = row_of(self)
    local now = host.now()
    if facts.row then facts.visible_after = now - from end
    if now > from + LIST_PATIENCE then
      -- Where nothing could be read, nothing is known.
      if not facts.row and was_read then facts.unlisted_for = LIST_PATIENCE end
      return
    end
    if facts.row then return end
    tasks.sleep(pause)
  end
end

--- Looks until its session has the name that was sent, or the run has ended and it is late.
local function await_name(self, pause)
  local host, facts, run = call.host(), self.facts, self.run
  local limit, longest = nil, pause * MOST_GROWN
  while facts.tag do
    facts.session_name = session_name_of(self) or facts.session_name
    local is_shown = facts.session_name and facts.session_name:find(facts.tag, 1, true)
    if facts.session_name and not is_shown then facts.had_other_name = true end
    if run.outcome then limit = limit or host.now() + AFTER_END * self.client.visible_after end
    if is_shown or limit and host.now() > limit then return end
    tasks.sleep(pause)
    pause = math.min(pause * GROWTH, longest)
  end
end

--- Watches the run to its end, and what Fabric shows of it.
---@return luafabric.Run run
function Proof:watch()
  local pause = math.min(PAUSE, self.client.poll_floor)
  local leave = watcher.attend(self.client) -- so that its end is seen meanwhile
  await_row(self, pause)
  await_name(self, pause)
  leave()
  self.run:wait()
  return self.run
end

--- What was seen, as far as it was.
---@return luafabric.ProofFacts
function Proof:seen()
  local facts, run = self.facts, self.run
  if run then
    facts.outcome, facts.details_read, facts.exit_value = run.outcome, run.details_read,
      run.exit_value
  end
  return facts
end

return M
