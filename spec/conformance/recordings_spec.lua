-- Microsoft's recorded traffic as a server: on the generic route the client reaches the end that
-- was recorded, submits the same in meaning, and asks for nothing that the recording lacks, but
-- where Microsoft's specification has the better way: the spelling of the submission that is still
-- in it, and the exit value, which only the notebook's own instance has.

local cassette = require "spec.conformance.cassette"
local client_module = require "luafabric.client"
local json = require "luafabric.json"
local shared = require "spec.support.shared"
local virtual = require "luafabric.hosts.virtual"

local ENDPOINT = "https://api.fabric.microsoft.com/v1"

local function absent()
  if shared.path("recordings/COMMIT") then return false end
  pending(shared.absent)
  return true
end

--- Headers by small names, as a host gives them.
local function answer_of(interaction)
  local response = interaction.response
  return { status = response.status, headers = response.headers, body = response.body or "" }
end

--- What of the recording a request of ours stands for.
local function recorded_key(request)
  local key = request.method .. " " .. request.url
  return (key:gsub("/jobs/RunNotebook/instances$", "/jobs/instances?jobType=RunNotebook"))
end

local function queues_of(interactions)
  local queues, posts = {}, {}
  for _, interaction in ipairs(interactions) do
    local request = interaction.request
    local key = ("%s %s"):format(request.method, request.uri)
    queues[key] = queues[key] or {}
    table.insert(queues[key], interaction)
    if request.uri:find("jobType=RunNotebook$") then posts[#posts + 1] = interaction end
  end
  return queues, posts
end

--- A server that gives each recorded answer once, in order.
---@return table replay  host, client, post (the recorded submission), lacking, sent
local function replay(name)
  local queues, posts = queues_of(cassette.read(shared.path("recordings/" .. name .. ".yaml")))
  assert.equal(1, #posts)
  local self = { post = posts[1], lacking = {} }
  local host = virtual.new { start_wall = 1756882391, handle = function(request)
    local queue = queues[recorded_key(request)]
    local interaction = queue and table.remove(queue, 1)
    if interaction then
      if request.purpose == "submit" then self.sent = request end
      return answer_of(interaction)
    end
    self.lacking[#self.lacking + 1] = request.method .. " " .. request.url
    return { status = 404, headers = {}, body = "" }
  end }
  self.host = host
  self.client = client_module.new { credential = "x", route = "generic",
    host = function() return host end }
  self.workspace, self.notebook = self.post.request.uri:match(
    "/workspaces/([%x-]+)/items/([%x-]+)/")
  self.job = self.post.response.headers.Location:match("([%x-]+)$")
  -- The last state that the recording shows of the job.
  local states = queues[("GET %s"):format(self.post.response.headers.Location)]
  self.last = states and json.decode(states[#states].response.body)
  return self
end

--- The workspace by the name that it has in the recording.
local function workspace_name(self)
  for _, entry in ipairs(self.client:list_workspaces()) do
    if entry.id == self.workspace then return entry.name end
  end
end

local function expect_same_submission(self)
  local ours = self.sent.body and json.decode(self.sent.body)
  local theirs = self.post.request.body and json.decode(self.post.request.body)
  assert.same(theirs, ours)
end

local function exit_value_url(self)
  return ("GET %s/workspaces/%s/notebooks/%s/jobs/execute/instances/%s?beta=true"):format(ENDPOINT,
    self.workspace, self.notebook, self.job)
end

describe("the client beside Microsoft's recordings", function()
  local ends = {
    test_job_run_exits_with_code_1_success = { outcome = "failed" },
    test_run_job_notebook = { outcome = "succeeded" },
    test_run_param_job = { outcome = "succeeded", parameters = { string_param = "new_value",
      int_param = 10, float_param = 0.1234, bool_param = true } },
  }
  for name, expected in pairs(ends) do
    it("reaches the recorded end of " .. name, function()
      if absent() then return end
      local self = replay(name)
      local run = assert(self.client:run_notebook { workspace = workspace_name(self),
        notebook = self.notebook, parameters = expected.parameters })
      assert.equal(expected.outcome, run.outcome)
      assert.equal(self.job, run.job_id)
      assert.equal(self.last.status, run.status)
      assert.equal(self.last.startTimeUtc, run.started_at)
      assert.equal(self.last.endTimeUtc, run.ended_at)
      assert.equal(self.last.rootActivityId, run.request_id)
      if expected.outcome == "failed" then
        assert.same(self.last.failureReason, run.failure_reason)
      else
        assert.is_nil(run.failure_reason)
      end
      assert.is_true(self.host.now() >= 60)
      expect_same_submission(self)
      assert.is_true(#self.lacking > 0)
      for _, request in ipairs(self.lacking) do
        assert.equal(exit_value_url(self), request)
      end
    end)

    it("asks for nothing more where nobody wants an exit value: " .. name, function()
      if absent() then return end
      local self = replay(name)
      local run = assert(self.client:run_notebook { workspace = self.workspace,
        notebook = self.notebook, parameters = expected.parameters, exit_value = false })
      assert.equal(expected.outcome, run.outcome)
      assert.same({}, self.lacking)
    end)
  end

  it("submits without waiting, and has the recorded job", function()
    if absent() then return end
    local self = replay("test_job_start_json_output_contains_instance_id_success")
    local run = assert(self.client:submit_notebook { workspace = workspace_name(self),
      notebook = self.notebook })
    assert.equal(self.job, run.job_id)
    assert.equal(self.post.response.headers.RequestId, run.request_id)
    assert.is_nil(run.outcome)
    expect_same_submission(self)
    assert.same({}, self.lacking)
  end)

  it("cancels as it was recorded", function()
    if absent() then return end
    local self = replay(
      "test_job_run_timeout_cancelled_json_output_contains_instance_id_success")
    local run = assert(self.client:submit_notebook { workspace = self.workspace,
      notebook = self.notebook })
    assert.is_true(run:cancel())
    assert.equal(self.job, run.job_id)
    expect_same_submission(self)
    assert.same({}, self.lacking)
  end)

  it("finds the workspaces of the set-up", function()
    if absent() then return end
    local interactions = cassette.read(shared.path("recordings/class_setup.yaml"))
    local queues = queues_of(interactions)
    local host = virtual.new { handle = function(request)
      return answer_of(table.remove(queues[recorded_key(request)], 1))
    end }
    local client = client_module.new { credential = "x", host = function() return host end }
    local recorded = {}
    for _, interaction in ipairs(interactions) do
      if interaction.request.uri:find("/workspaces$") and interaction.request.method == "GET" then
        recorded[#recorded + 1] = json.decode(interaction.response.body).value
      end
    end
    assert.equal(3, #recorded)
    for _, expected in ipairs(recorded) do
      local found = client:list_workspaces()
      assert.equal(#expected, #found)
      for index, entry in ipairs(expected) do
        assert.equal(entry.id, found[index].id)
        assert.equal(entry.displayName, found[index].name)
      end
    end
  end)
end)
