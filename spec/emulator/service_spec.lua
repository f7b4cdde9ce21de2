-- Runs as they move with time in the emulated Fabric, and what a client sees of them when.

local new_caller = require("spec.emulator.caller").new
local json = require "luafabric.json"

--- A service whose notebook runs in process for some seconds.
local function running(seconds, settings, result)
  settings = settings or {}
  settings.run = function() return result or { exit_value = "done" }, seconds end
  return new_caller { settings = settings }
end

describe("a run in the emulator", function()
  it("moves from NotStarted over InProgress to Completed as time passes", function()
    local caller = running(90, { queue = 20 })
    local job = caller.submit()
    assert.equal("NotStarted", (caller.status(job)))
    caller.now = caller.now + 20
    assert.equal("InProgress", (caller.status(job)))
    caller.now = caller.now + 89
    assert.equal("InProgress", (caller.status(job)))
    caller.now = caller.now + 1
    assert.equal("Completed", (caller.status(job)))
  end)

  it("has a start even while NotStarted, an end only when ended, both without a zone", function()
    local caller = running(90.14, { queue = 20.5 })
    local job = caller.submit()
    local _, _, value = caller.status(job)
    assert.equal("2026-01-01T00:00:00", value.startTimeUtc)
    assert.equal(json.null, value.endTimeUtc)
    caller.now = caller.now + 200
    _, _, value = caller.status(job)
    assert.equal("2026-01-01T00:00:20.5", value.startTimeUtc)
    assert.truthy(value.endTimeUtc:find("^2026%-01%-01T00:01:50%.6[34]%d*$"))
  end)

  it("gives the exit value on the notebook's route only", function()
    local caller = running(1, nil, { exit_value = "42 rows" })
    local job = caller.submit()
    caller.now = caller.now + 1
    local _, _, generic = caller.status(job)
    assert.is_nil(generic.properties)
    assert.is_nil(generic.exitValue)
    assert.equal("42 rows", caller.instance(job).properties.exitValue)
  end)

  it("has an exit value of null when the notebook gave none, and before its end", function()
    local caller = running(10, nil, {})
    local job = caller.submit()
    assert.equal(json.null, caller.instance(job).properties.exitValue)
    caller.now = caller.now + 10
    assert.equal(json.null, caller.instance(job).properties.exitValue)
  end)

  it("needs beta=true on the notebook's route", function()
    local caller = running(1)
    local job = caller.submit()
    for _, query in ipairs { "", "?beta=false", "?beta=" } do
      local response = caller.get(caller.notebook_path() .. "/jobs/execute/instances/" .. job
        .. query)
      assert.equal(400, response.status)
    end
  end)

  it("fails with a reason whose request id is that of the asking", function()
    local caller = running(5, nil, { status = "Failed", failure_reason = "PARSE_ERROR: day" })
    local job = caller.submit()
    caller.now = caller.now + 5
    local status, response, value = caller.status(job)
    assert.equal("Failed", status)
    assert.equal("System_Cancelled_Session_Statements_Failed", value.failureReason.errorCode)
    assert.equal("PARSE_ERROR: day", value.failureReason.message)
    assert.equal(response.headers.RequestId, value.failureReason.requestId)
    assert.is_false(value.failureReason.isRetriable)
  end)

  it("is finished from outside where notebooks are not run in process", function()
    local caller = new_caller()
    local job = caller.submit { parameters = { { name = "day", type = "Text", value = "1" } } }
    local started = caller.service:take_started()
    assert.equal(1, #started)
    assert.same({ job_id = job, workspace = "Sales", notebook = "Ingest", attempt = 1,
      day = { type = "Text", value = "1" } }, { job_id = started[1].job_id,
      workspace = started[1].workspace, notebook = started[1].notebook,
      attempt = started[1].attempt, day = started[1].parameters.day })
    assert.same({}, caller.service:take_started())
    assert.equal("InProgress", (caller.status(job)))
    caller.service:finish(job, { exit_value = "x" }, caller.now + 3)
    caller.now = caller.now + 3
    assert.equal("Completed", (caller.status(job)))
  end)

  it("counts attempts of one notebook", function()
    local caller = new_caller()
    caller.submit()
    caller.submit()
    local started = caller.service:take_started()
    assert.same({ 1, 2 }, { started[1].attempt, started[2].attempt })
    assert.equal(2, caller.service:started("Sales/Ingest"))
    assert.equal(0, caller.service:started("Report"))
    assert.equal(2, caller.service:started())
  end)

  it("is named by Location, x-ms-job-id and, as rootActivityId, by RequestId", function()
    local caller = running(1)
    local job, response = caller.submit()
    assert.equal(202, response.status)
    assert.equal("", response.body)
    assert.equal("gzip", response.headers["Content-Encoding"])
    assert.equal("60", response.headers["Retry-After"])
    assert.equal(("https://api.fabric.microsoft.com/v1/workspaces/%s/items/%s/jobs/instances/%s")
      :format(caller.ws, caller.nb, job), response.headers.Location)
    local _, _, value = caller.status(job)
    assert.equal(response.headers.RequestId, value.rootActivityId)
  end)

  it("is the same run in every way of spelling the job type", function()
    local caller = new_caller()
    local paths = {
      caller.notebook_path() .. "/jobs/execute/instances?beta=false",
      caller.item_path() .. "/jobs/RunNotebook/instances",
      caller.item_path() .. "/jobs/runnotebook/instances",
      caller.item_path() .. "/jobs/instances?jobType=RunNotebook",
    }
    local types = {}
    for index, path in ipairs(paths) do
      local response = caller.call("POST", path)
      assert.equal(202, response.status)
      local _, _, value = caller.status(response.headers["x-ms-job-id"])
      types[index] = value.jobType
    end
    assert.same({ "Execute", "RunNotebook", "RunNotebook", "RunNotebook" }, types)
    assert.equal(4, caller.service:started())
  end)

  it("is not forgotten while active, and old ones are bounded", function()
    local caller = running(1, { history = 3 })
    local jobs = {}
    for index = 1, 5 do
      jobs[index] = caller.submit()
      caller.now = caller.now + 2
    end
    assert.equal(404, (select(2, caller.status(jobs[1]))).status)
    assert.equal("Completed", (caller.status(jobs[5])))
  end)
end)

describe("cancelling in the emulator", function()
  it("is accepted, then Cancelled with no reason", function()
    local caller = running(600, { cancel_lag = 5 })
    local job = caller.submit()
    local response = caller.cancel(job)
    assert.equal(202, response.status)
    assert.equal("60", response.headers["Retry-After"])
    assert.equal("InProgress", (caller.status(job)))
    assert.equal(202, caller.cancel(job).status)
    caller.now = caller.now + 5
    local status, _, value = caller.status(job)
    assert.equal("Cancelled", status)
    assert.equal(json.null, value.failureReason)
  end)

  it("of an ended run says JobAlreadyCompleted", function()
    local caller = running(1)
    local job = caller.submit()
    caller.now = caller.now + 1
    local response = caller.cancel(job)
    assert.equal(400, response.status)
    assert.equal("JobAlreadyCompleted", json.decode(response.body).errorCode)
  end)

  it("is handed once to whoever runs the notebook", function()
    local caller = new_caller()
    local job = caller.submit()
    caller.cancel(job)
    caller.cancel(job)
    assert.same({ job }, caller.service:cancelled())
    assert.same({}, caller.service:cancelled())
    assert.equal("InProgress", (caller.status(job)))
    caller.service:finish(job, { status = "Cancelled" }, caller.now)
    assert.equal("Cancelled", (caller.status(job)))
  end)

  it("ends a run that waits for capacity without starting it", function()
    local caller = new_caller { settings = { capacity = 1, capacity_answer = "queue" } }
    local first, second = caller.submit(), caller.submit()
    caller.cancel(second)
    caller.service:finish(first, {}, caller.now)
    assert.equal("Cancelled", (caller.status(second)))
    assert.equal(1, #caller.service:take_started())
  end)
end)

describe("what a client sees late", function()
  it("is a 404 until the run is visible, per route", function()
    local caller = running(600, { visibility_lag = { status = 5, instance = 30, list = 10 } })
    local job = caller.submit()
    local function seen()
      local _, generic = caller.status(job)
      local _, notebook = caller.instance(job)
      return { generic.status, notebook.status, #caller.list().value }
    end
    assert.same({ 404, 404, 0 }, seen())
    caller.now = caller.now + 5
    assert.same({ 200, 404, 0 }, seen())
    caller.now = caller.now + 5
    assert.same({ 200, 404, 1 }, seen())
    caller.now = caller.now + 20
    assert.same({ 200, 200, 1 }, seen())
  end)

  it("is a 404 without an errorCode on the notebook's route", function()
    local caller = running(600, { visibility_lag = 5 })
    local job = caller.submit()
    local value, response = caller.instance(job)
    assert.equal(404, response.status)
    assert.is_nil(value.errorCode)
    local _, _, generic = caller.status(job)
    assert.equal("ItemNotFound", generic.errorCode)
  end)

  it("is a stale status between two refreshes", function()
    local caller = running(5, { status_lag = 48 }, { status = "Failed" })
    local job = caller.submit()
    caller.now = caller.now + 47
    local status, _, value = caller.status(job)
    assert.equal("NotStarted", status)
    assert.equal(json.null, value.endTimeUtc)
    assert.equal("NotStarted", caller.list().value[1].status)
    caller.now = caller.now + 1
    assert.equal("Failed", (caller.status(job)))
  end)

  it("is a Retry-After that counts down, disappears, and starts again", function()
    local caller = running(10000, { status_lag = 80 })
    local job = caller.submit()
    local function hint()
      local _, response = caller.status(job)
      return response.headers["Retry-After"] or "-"
    end
    local seen = {}
    for index = 1, 9 do
      seen[index] = hint()
      caller.now = caller.now + 10
    end
    assert.same({ "60", "50", "40", "30", "20", "10", "-", "-", "60" }, seen)
  end)

  it("is a Retry-After that can be 0, and none on an ended run", function()
    local caller = running(100, { status_lag = 80 })
    local job = caller.submit()
    caller.now = caller.now + 59.5
    assert.equal("0", (select(2, caller.status(job))).headers["Retry-After"])
    caller.now = caller.now + 200
    local status, response = caller.status(job)
    assert.equal("Completed", status)
    assert.is_nil(response.headers["Retry-After"])
  end)

  it("begins its countdown anywhere below the 202's", function()
    local caller = running(10000)
    for _ = 1, 20 do
      local job = caller.submit()
      caller.now = caller.now + 1
      local hint = (select(2, caller.status(job))).headers["Retry-After"]
      assert.is_true(hint == nil or tonumber(hint) < 60)
    end
  end)
end)

describe("the order of events", function()
  it("lets queued runs start when capacity is free, first come first served", function()
    local caller = running(10, { capacity = 2, capacity_answer = "queue" })
    local jobs = {}
    for index = 1, 4 do jobs[index] = caller.submit() end
    local function statuses()
      local list = {}
      for index, job in ipairs(jobs) do list[index] = caller.status(job) end
      return list
    end
    assert.same({ "InProgress", "InProgress", "NotStarted", "NotStarted" }, statuses())
    caller.now = caller.now + 10
    assert.same({ "Completed", "Completed", "InProgress", "InProgress" }, statuses())
    caller.now = caller.now + 10
    assert.same({ "Completed", "Completed", "Completed", "Completed" }, statuses())
  end)

  it("is the same whether somebody looks in between or not", function()
    local function ends(look)
      local caller = running(7, { capacity = 1, capacity_answer = "queue", queue = 2 })
      local jobs = {}
      for index = 1, 5 do jobs[index] = caller.submit() end
      if look then
        for _ = 1, 60 do
          caller.now = caller.now + 1
          caller.status(jobs[1])
        end
      else
        caller.now = caller.now + 60
      end
      local list = {}
      for index, job in ipairs(jobs) do
        local _, _, value = caller.status(job)
        list[index] = value.endTimeUtc
      end
      return list
    end
    assert.same(ends(false), ends(true))
    assert.equal("2026-01-01T00:00:37", ends(false)[5])
  end)

  it("can be slept through: next_change says when something happens", function()
    local caller = running(30, { queue = 10 })
    assert.is_nil(caller.service:next_change(caller.now))
    caller.submit()
    assert.equal(caller.now + 10, caller.service:next_change(caller.now))
  end)

  it("gives the same ids for the same seed", function()
    local function first(seed) return (new_caller { seed = seed }.submit()) end
    assert.equal(first(7), first(7))
    assert.not_equal(first(7), first(8))
  end)
end)
