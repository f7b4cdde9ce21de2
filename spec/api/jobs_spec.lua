-- The job calls: how they are spelled, and what is read from their answers.

local jobs = require "luafabric.api.jobs"
local json = require "luafabric.json"
local notebooks = require "luafabric.api.notebooks"

local E, WS = "https://api.fabric.microsoft.com/v1", "11111111-2222-4333-8444-555555555555"
local NB, JOB = "22222222-2222-4333-8444-555555555555", "33333333-2222-4333-8444-555555555555"

describe("the job calls", function()
  it("are spelled as published", function()
    local item = ("%s/workspaces/%s/items/%s/jobs/"):format(E, WS, NB)
    local notebook = ("%s/workspaces/%s/notebooks/%s/jobs/execute/instances"):format(E, WS, NB)
    local submit = jobs.submit(E, "typed", WS, NB, "{}")
    assert.equal("POST " .. notebook .. "?beta=false", submit.method .. " " .. submit.url)
    assert.is_true(submit.send_once)
    local generic = jobs.submit(E, "generic", WS, NB)
    assert.equal("POST " .. item .. "RunNotebook/instances", generic.method .. " " .. generic.url)
    assert.is_true(generic.send_once)
    assert.is_nil(generic.headers["Content-Type"])
    assert.equal(item .. "instances/" .. JOB, jobs.get(E, WS, NB, JOB).url)
    assert.equal(item .. "instances", jobs.list(E, WS, NB).url)
    assert.equal(item .. "instances?continuationToken=a%3D", jobs.list(E, WS, NB, "a%3D").url)
    local cancel = jobs.cancel(E, WS, NB, JOB)
    assert.equal("POST " .. item .. "instances/" .. JOB .. "/cancel",
      cancel.method .. " " .. cancel.url)
    assert.is_nil(cancel.send_once)
    assert.equal(notebook .. "/" .. JOB .. "?beta=true", notebooks.get_instance(E, WS, NB, JOB).url)
  end)
end)

describe("the answer that accepts a run", function()
  local function accepted(headers)
    return jobs.read_accepted { status = 202, headers = headers, body = "" }
  end
  local location = ("%s/workspaces/%s/items/%s/jobs/instances/"):format(E, WS, NB)

  it("names it in Location, whatever the host", function()
    assert.equal(JOB, accepted({ location = location .. JOB }).job_id)
    assert.equal(JOB, accepted({ location = "https://elsewhere.example/jobs/instances/"
      .. JOB:upper() }).job_id)
    assert.equal(JOB, accepted({ location = location .. JOB, ["x-ms-job-id"] = NB }).job_id)
  end)

  it("names it in x-ms-job-id where Location has no id", function()
    local without = location:gsub("/$", "?jobType=Execute")
    assert.equal(JOB, accepted({ location = without, ["x-ms-job-id"] = JOB }).job_id)
    assert.equal(JOB, accepted({ ["x-ms-job-id"] = JOB }).job_id)
  end)

  it("names no run where there is no GUID in these", function()
    for _, headers in ipairs { {}, { location = "nonsense" }, { location = location .. "x" },
      { location = "https://h/operations/" .. JOB }, { ["x-ms-job-id"] = "../.." } } do
      assert.is_nil(accepted(headers).job_id)
    end
  end)

  it("says its request id and when to look first", function()
    local found = accepted { requestid = WS, ["retry-after"] = "60" }
    assert.equal(WS, found.request_id)
    assert.equal(60, found.retry_after)
  end)
end)

describe("a job instance", function()
  it("is read into our words, null into nothing, what is unknown kept", function()
    local row = jobs.read_instance { id = JOB:upper(), itemId = NB, jobType = "RunNotebook",
      invokeType = "Manual", status = "InProgress", rootActivityId = WS,
      startTimeUtc = "2025-09-07T14:59:18.14", endTimeUtc = json.null, failureReason = json.null,
      newField = { a = 1 }, properties = {} }
    assert.same({ job_id = JOB, job_type = "RunNotebook", invoke_type = "Manual",
      status = "InProgress", root_activity_id = WS, started_at = "2025-09-07T14:59:18.14",
      more = { newField = { a = 1 } } }, row)
  end)

  it("has the whole reason of its failure", function()
    local reason = { requestId = WS, errorCode = "JobInstanceStatusFailed", message = "m",
      isRetriable = false, extra = json.null }
    local row = jobs.read_instance { id = JOB, status = "Failed", failureReason = reason }
    assert.same({ requestId = WS, errorCode = "JobInstanceStatusFailed", message = "m",
      isRetriable = false }, row.failure_reason)
    for _, nothing in ipairs { {}, { errorCode = json.null }, 5 } do
      assert.is_nil(jobs.read_instance({ id = JOB, failureReason = nothing }).failure_reason)
    end
  end)

  it("is none without an id", function()
    assert.is_nil(jobs.read_instance { status = "Completed" })
    assert.is_nil(jobs.read_instance { id = "x", status = "Completed" })
  end)
end)

describe("a notebook's instance", function()
  local function read(body) return notebooks.read_instance { status = 200, body = body } end

  it("has the exit value as text, exactly", function()
    local function value(text) return read(('{"properties":{"exitValue":%s}}'):format(text)) end
    assert.equal('{"days": 730}', value([["{\"days\": 730}"]]).exit_value)
    assert.equal("", value('""').exit_value)
    assert.equal("9007199254740993", value("9007199254740993").exit_value)
    assert.equal("1.50", value("1.50").exit_value)
    assert.equal('{"a": [1,2]}', value('{"a": [1,2]}').exit_value)
    assert.is_nil(value("null").exit_value)
    assert.is_nil(read('{"properties":{}}').exit_value)
    assert.is_nil(read("{}").exit_value)
  end)

  it("has it at the top where one page of the documentation has it", function()
    assert.equal("x", read('{"exitValue":"x"}').exit_value)
    assert.equal("y", read('{"exitValue":"x","properties":{"exitValue":"y"}}').exit_value)
  end)

  it("has its monitoring pages by Fabric's names, and only pages", function()
    local found = read([[{"properties":{"computeDetails":{"monitoringInfo":{
      "sparkUiUrl":"https://spark/","driverLogUrl":null,"odd":"javascript:x",
      "activityDetails":{"livyName":"n"}}}}}]])
    assert.same({ sparkUiUrl = "https://spark/" }, found.links)
    assert.is_nil(read('{"properties":{"computeDetails":null}}').links)
  end)

  it("is none where the answer is no JSON object", function()
    local found, message = read("<html>")
    assert.is_nil(found)
    assert.matches("not JSON", message)
  end)
end)
