--- The submission of one run: the POST that costs money. It is sent again only when the answer says
--- surely that no run was started (policy/answer); every doubt ends here, as `unknown`.

local answer = require "luafabric.policy.answer"
local call = require "luafabric.client.call"
local core = require "luafabric.core"
local duration = require "luafabric.duration"
local errors = require "luafabric.errors"
local gate = require "luafabric.client.gate"
local intents = require "luafabric.client.intents"
local jobs = require "luafabric.api.jobs"
local response = require "luafabric.api.response"
local retry = require "luafabric.policy.retry"
local tasks = require "luafabric.tasks"
local words = require "luafabric.client.words"

local M = {}

-- An answer is worth waiting for: without one the outcome is unknown.
local ANSWER_TIMEOUT = 120 -- seconds
-- While nothing can be sent at all.
local UNSENT_PATIENCE = 30 -- seconds
local UNSENT = { first = 2, ceiling = 10, throttled = 60 }
-- 429 and 430.
local LIMITED = { first = 15, ceiling = 240, throttled = 60 }
-- Seconds between the looks for a run that was accepted without an id.
local LOOKS = { 5, 10, 15, 30, 60 }

--- @class luafabric.Submission  what is submitted, and how far it is
--- @field client table
--- @field run table            the run object, without job_id as yet
--- @field endpoint string
--- @field route "typed"|"generic"
--- @field body string|nil
--- @field deadline number      host time; nothing is sent after it
--- @field submit_timeout number  seconds until the deadline, as they were given
--- @field attempt integer
--- @field sent_wall number|nil     unix seconds of the last send
--- @field sent_at number|nil       … in host time
--- @field token string|nil         of the last send
--- @field unsent integer|nil       how many failures before the send in a row
--- @field first_unsent number|nil  host time of the first failure before the send
--- @field limited integer|nil      how many 429 and 430 in a row
--- @field renewed boolean|nil      a 401 was answered with a new token
--- @field headers table<string, string>|nil  sent beside the usual ones
--- @field answer table|nil         the completion that accepted it
--- @field intent luafabric.Intent|nil  open from right before the send until its answer
--- @field alone boolean|nil        it waits until the notebook has no other open intent
--- @field tag string|nil           what is in the name of its session, and of no other
--- @field before_again nil|fun(): boolean|nil, luafabric.Error|nil  called before it is sent once
---   more after a wait; may wait
--- @field not_after nil|fun(): number  host time after which it must not be sent
--- @field lease_is_short boolean|nil  that came before the deadline
--- @field waited boolean|nil       it was told that nothing was started
--- @field doubt luafabric.SubmissionDoubt|nil  the outcome is `unknown`: what can be told of it
--- @field pass luafabric.Pass|nil   through the gate of the quotas, over all tries
--- @field priority number|nil      among submissions that wait for the quota
--- @field yields_capacity boolean|nil  a full capacity ends it: somebody else queues for it
--- @field is_in boolean|nil         it has passed the gate for the next try

local function about(self, event)
  local run = self.run
  event.workspace_id, event.notebook_id = run.workspace_id, run.notebook_id
  event.workspace, event.notebook = run.workspace, run.notebook
  return event
end

local function emit(self, event)
  self.client:emit(about(self, event), self.run)
end

local function tell_wait(self, cause, seconds)
  self.waited = true
  emit(self, { type = "waiting", cause = cause, seconds = seconds })
end

local function wait(self, cause, seconds)
  tell_wait(self, cause, seconds)
  tasks.sleep(seconds)
end

local function refused(self, completion, kind, tail)
  return nil, response.error(completion, kind,
    ("Fabric refused to run %s"):format(words.name(self.run)), tail)
end

-- ---- a doubt ----

local function what_happened(completion)
  local failure = completion.failure
  if failure then
    return ("no whole answer (%s)"):format(tostring(failure.message or failure.code))
  end
  if completion.status >= 300 and completion.status < 400 then
    return ("a redirect, HTTP %d, which is never followed"):format(completion.status)
  end
  local fields = response.error_fields(completion)
  return ("HTTP %d%s"):format(completion.status,
    fields.message and (", " .. fields.message:gsub("%.$", "")) or "")
end

--- What a reconciliation needs to know is left in `doubt`.
local function unknown(self, completion, what)
  local run = self.run
  self.doubt = { intent = self.intent, at = self.sent_wall, sent_at = self.sent_at, what = what,
    request_id = response.request_id(completion), tag = self.tag,
    tag_question = self.tag and require("luafabric.client.tag").question(self.body),
    accepted = answer.of_submission(completion) == "accepted" or nil }
  self.intent:doubt()
  local fields = response.error_fields(completion)
  run.outcome = "unknown"
  run.request_id = response.request_id(completion)
  run.error = errors.new { kind = "unknown", status = completion.status, code = fields.code,
    request_id = run.request_id, sent = completion.sent,
    message = ("the submission of %s at %s got %s: it may or may not run, and is not sent again. "
      .. "Look with %s"):format(words.name(run), core.format_time(self.sent_wall), what,
      words.list_command(run)) }
  return run
end

-- ---- a yes ----

--- Looks for the run whose root activity is our request.
local function find_by_request(self, request_id)
  local run, found = self.run, nil
  for _, pause in ipairs(LOOKS) do
    tasks.sleep(pause)
    local ok, err = call.each(self.client, function(token)
      return jobs.list(self.endpoint, run.workspace_id, run.notebook_id, token)
    end, function(value)
      local row = jobs.read_instance(value)
      local root = row and row.root_activity_id
      if root and root:lower() == request_id:lower() then found = row.job_id end
      return found ~= nil
    end, { what = "the runs could not be listed", tries = 1, quiet = true, class = "reconcile",
      deadline = call.host().now() + pause })
    if found then return found end
    if not ok and err.kind == "unauthorized" and not call.is_passing(err) then return nil end
  end
end

local function accepted(self, completion)
  local run, host = self.run, call.host()
  local said = jobs.read_accepted(completion)
  self.answer = completion
  run.accepted_at, run.clock = host.now(), host.name
  run.request_id, run.hint = said.request_id, said.retry_after
  run.job_id = said.job_id
  if not run.job_id and core.is_guid(said.request_id) then
    emit(self, { type = "warning", message = "Fabric accepted the run without naming it; looking "
      .. "for it by its request id" })
    run.job_id = find_by_request(self, said.request_id)
  end
  if not run.job_id then
    return unknown(self, completion, ("an answer that names no run (HTTP %d)")
      :format(completion.status))
  end
  intents.claim(self.client, run)
  emit(self, { type = "submitted", job_id = run.job_id, request_id = run.request_id })
  return run
end

-- ---- a no: each reader gives "again", or what `submit` gives ----

local verdicts = {}

function verdicts.not_sent(self, completion)
  local host = call.host()
  local failure = completion.failure or {}
  self.first_unsent = self.first_unsent or host.now()
  self.unsent = (self.unsent or 0) + 1
  local pause = retry.delay(completion, self.unsent, nil, host.random(), UNSENT)
  local limit = math.min(self.first_unsent + UNSENT_PATIENCE, self.deadline)
  if host.now() + pause > limit then
    return nil, errors.new { kind = "network", sent = "no", message =
      ("%s could not be reached, so %s was not submitted: %s; %s"):format(self.endpoint,
        words.name(self.run), tostring(failure.message or failure.code), call.NETWORK_ADVICE) }
  end
  wait(self, "network", pause)
  return "again"
end

function verdicts.cannot_send(self, completion)
  local code = completion.failure.code
  return nil, errors.new { kind = code == "cancelled" and "cancelled" or "network", sent = "no",
    message = ("%s was not submitted: %s%s"):format(words.name(self.run),
      tostring(completion.failure.message or code), code == "tls"
        and ". If a company's own authority signs the connection, give its certificates as ca_file"
          .. " (for the command: LUAFABRIC_CA_FILE)"
        or "") }
end

function verdicts.too_late(self)
  if self.lease_is_short then
    return nil, errors.new { kind = "platform", store_code = "lease", sent = "no",
      message = ("%s was not submitted: by then this process might not have owned the run any more")
        :format(words.name(self.run)) }
  end
  return nil, errors.new { kind = "timeout", sent = "no",
    message = ("%s was not submitted within %s"):format(words.name(self.run),
      duration.format(self.submit_timeout)) }
end

function verdicts.unauthorized(self, completion)
  if not self.renewed then
    self.renewed = true
    local renewable, err = call.renew(self.client, self.token)
    self.waited = true -- a new intent, since getting a token may have taken its time
    if renewable then return "again" end
    if err then return nil, err end
  end
  return refused(self, completion, "unauthorized",
    "The token was refused: is it for Fabric, and not expired?")
end

function verdicts.forbidden(self, completion)
  return refused(self, completion, "unauthorized", "To run a notebook the identity needs the role "
    .. "Contributor or more in the workspace, and an app the tenant's consent to call Fabric's API")
end

local function limited(self, completion, cause)
  local host = call.host()
  -- An answer of Fabric: the network is there, and the token was taken.
  self.unsent, self.first_unsent, self.renewed = nil, nil, nil
  self.limited = (self.limited or 0) + 1
  local hint = response.retry_after(completion)
  local pause = cause == "throttled" and (hint and hint > 0 and hint or LIMITED.throttled)
    or retry.delay(completion, self.limited, hint, host.random(), LIMITED)
  if host.now() + pause <= self.deadline then
    -- The gate knows when the quota is filled again, and who was first.
    if cause == "throttled" then tell_wait(self, cause, pause) else wait(self, cause, pause) end
    return "again"
  end
  return refused(self, completion, cause, ("The %s for longer than the %s given as submit_timeout; "
    .. "nothing was started"):format(
      cause == "throttled" and "quota was used up" or "capacity was full",
      duration.format(self.submit_timeout)))
end

function verdicts.throttled(self, completion)
  return limited(self, completion, "throttled")
end

function verdicts.capacity(self, completion)
  if self.yields_capacity then
    return refused(self, completion, "capacity", "The capacity is full; nothing was started")
  end
  return limited(self, completion, "capacity")
end

local missing = { ItemNotFound = true, WorkspaceNotFound = true, EntityNotFound = true }

local advice = {
  ComputeTypeMismatch = "Give the compute of the notebook's language: fabric.spark, "
    .. "fabric.jupyter (pure Python) or fabric.data_warehouse (T-SQL)",
}

function verdicts.rejected(self, completion)
  local code = response.error_fields(completion).code
  -- What was found by name may have been deleted since, and made again under another id.
  if completion.status == 404 then self.client.ids = {} end
  local kind = completion.status == 404 and missing[code] and "not_found" or "rejected"
  return refused(self, completion, kind, advice[code])
end

verdicts.accepted = accepted

function verdicts.unknown(self, completion)
  return unknown(self, completion, what_happened(completion))
end

-- ---- sending ----

local function request_of(self)
  local run = self.run
  local request = jobs.submit(self.endpoint, self.route, run.workspace_id, run.notebook_id,
    self.body)
  for name, value in pairs(self.headers or {}) do request.headers[name] = value end
  return request
end

--- Its way through the gate of the quotas.
local function new_pass(self)
  local pass = call.pass(self.client, request_of(self), { deadline = self.deadline,
    on_wait = function(seconds, cause)
      if self.limited and cause == "throttled" then return end -- told with the 429
      tell_wait(self, cause, seconds)
    end })
  pass.priority = self.priority
  return pass
end

--- Waits for its place among the requests of the identity.
local function pass_gate(self, on_wait)
  self.pass = self.pass or new_pass(self)
  local usual = self.pass.on_wait
  self.pass.on_wait = on_wait or usual
  local ok, err = gate.enter(self.client, self.pass)
  self.pass.on_wait = usual
  self.is_in = ok
  return ok, err
end

local function leave_gate(self)
  if self.is_in then gate.leave(self.pass) end
  self.is_in = nil
end

--- Waits for its turn and its place, and opens the intent, if it is not open. The intent comes
--- last: what waits for the quota is in nobody's way.
---@param self luafabric.Submission
---@param on_wait nil|fun()  called when it has to wait for another submission; plain
---@param on_paced nil|fun(seconds: number, cause: string)  called when it has to wait for its
---        place, instead of telling the run's listener; plain
---@return boolean|nil ok
---@return luafabric.Error|nil err  there is no place within its time; nothing was sent
function M.enter(self, on_wait, on_paced)
  if self.intent then return true end
  local function admit() return pass_gate(self, on_paced) end
  local err
  if self.alone then
    self.intent, err = intents.enter(self.client, self.run, { on_wait = on_wait, admit = admit,
      dismiss = function() leave_gate(self) end })
    return self.intent and true, err
  end
  local ok
  ok, err = admit()
  if not ok then return nil, err end
  self.intent = intents.open(self.client, self.run)
  return true
end

local function leave(self)
  if self.intent and not self.doubt then self.intent:close() end
  self.intent = nil
end

--- It is not sent after all: its place and its turn are another's.
---@param self luafabric.Submission
function M.withdraw(self)
  leave_gate(self)
  leave(self)
end

local function send(self)
  local host = call.host()
  local ok, err = M.enter(self)
  if not ok then return nil, err end
  if self.waited and self.before_again then
    ok, err = self.before_again()
    if not ok then return nil, err end
  end
  self.waited = nil
  -- Only now: what is known of the lease may have changed during the waits.
  local request = request_of(self)
  local lease = self.not_after and self.not_after() or math.huge
  request.not_after = math.min(self.deadline, lease)
  self.lease_is_short = lease < self.deadline
  request.timeout = self.client.request_timeout or ANSWER_TIMEOUT
  local completion, token = call.once(self.client, request, { pass = self.pass, is_in = true,
    before = function()
      self.attempt = self.attempt + 1
      self.sent_wall, self.sent_at = host.wall(), host.now()
      emit(self, { type = "submitting", attempt = self.attempt })
      self.is_in = nil
      self.intent:sending(self.sent_wall) -- last: the listener may end this task
    end })
  self.token, self.is_in = token, nil
  return completion, token
end

-- Those whose answer says at once that the intent has come to nothing: a wait for the next try
-- keeps nobody else from sending.
local sure = { not_sent = true, cannot_send = true, too_late = true, unauthorized = true,
  forbidden = true, throttled = true, capacity = true, rejected = true }

--- Submits one run.
---@param self luafabric.Submission
---@return table|nil run  accepted, or with the outcome "unknown"
---@return luafabric.Error|nil err  surely no run was started
function M.submit(self)
  self.attempt = 0
  while true do
    local completion, err = send(self)
    if not completion then
      M.withdraw(self)
      return nil, err
    end
    local verdict = answer.of_submission(completion)
    if sure[verdict] then leave(self) end
    local result
    result, err = verdicts[verdict](self, completion)
    if result ~= "again" then
      leave(self)
      return result, err
    end
  end
end

return M
