-- What a job instance means for the user who waits for it.

local jobs = require "luafabric.emulator.jobs"
local policy = require "luafabric.policy.outcome"
local of_instance = policy.of_instance

local LIVY = "Livy session failed. [TooManyRequestsForCapacity] HTTP Response code 430: no room"

local function livy_session(rest)
  return "Failed to create Livy session for executing notebook. Error: " .. rest
end

local function failed(code, message)
  return { status = "Failed", failure_reason = { errorCode = code, message = message } }
end

-- In the order of the policy's own table: what each of its rows is there for.
local cases = {
  { nil, { status = "NotStarted" } },
  { nil, { status = "InProgress" } },
  { "failed", { status = "Completed", failure_reason = { errorCode = "X" } } },
  { "succeeded", { status = "Completed" } },
  { "failed", failed("System_Cancelled_Session_Statements_Failed", LIVY) },
  { "capacity", failed("TooManyRequestsForCapacity", "no room") },
  { "capacity", failed("X", livy_session "[TooManyRequestsForCapacity] This spark job can't be "
    .. "run because you have hit a spark compute or API rate limit.") },
  { "capacity", failed("X", livy_session "Choose a larger capacity SKU. HTTP status code: 430.") },
  { "platform", failed("X", livy_session "Something went wrong. HTTP status code: 503.") },
  { "platform", failed("LivyHttpRequestFailure", "Error name - LivyHttpRequestFailure, Error "
    .. "value - Something went wrong. HTTP status code: 500. Trace ID: 78ecdd22") },
  { "failed", failed("JobInstanceStatusFailed", "Job instance failed without detail error") },
  { "failed", failed("NotFound", "not found") },
  { "failed", failed("Spark_System_ABFS_OperationFailed", "a system error, says its name") },
  { "cancelled", { status = "Cancelled" } },
  { "cancelled", { status = "Canceled" } },
  { "deduped", { status = "Deduped" } },
}

describe("the table of outcomes", function()
  for index, row in ipairs(policy.rows) do
    it(("has a case for row %d: %s, %s"):format(index, row.status, row.source), function()
      assert.equal(cases[index][1], (of_instance(cases[index][2])))
      assert.equal(row, policy.row_of(cases[index][2]))
    end)
  end

  it("says of each row where it was seen", function()
    local marks = { recorded = true, specified = true, reported = true, client = true }
    assert.equal(#cases, #policy.rows)
    for _, row in ipairs(policy.rows) do
      assert.is_true(marks[row.seen])
      assert.is_true(#row.source > 0)
    end
  end)

  it("leaves to the notebook what is not plainly Fabric's", function()
    for _, row in ipairs {
      failed("X", livy_session "Invalid settings. HTTP status code: 400."),
      failed("X", livy_session "no status at all"),
      failed("X", "the service I called said HTTP status code: 500"),
      failed("System_Something", "unclear"), failed("X", 430), failed(nil, nil),
      failed("LivyHttpRequestFailure", "HTTP status code: 404"),
      failed("X", "Orders API said: HTTP 430"),
      failed("X", "child run: TooManyRequestsForCapacity"),
      failed("X", livy_session "HTTP status code: 4301."),
      failed("System_Cancelled_Session_Statements_Failed", "HTTP 430: " .. LIVY),
      failed("System_Cancelled_Session_Statements_Failed", livy_session "HTTP status code: 500"),
    } do
      assert.equal("failed", (of_instance(row)))
    end
  end)
end)

describe("a full capacity", function()
  it("is told by a text about the session, or by its code", function()
    for _, reason in ipairs {
      jobs.capacity_failure,
      { errorCode = "430" },
      { message = "InvalidHttpRequestToLivy: [TooManyRequestsForCapacity] This spark job can't be "
        .. "run because you have hit a spark compute or API rate limit. HTTP status code: 430." },
      { message = "HTTP Response code 430: This Spark job can't be run because you have hit …" },
    } do
      assert.equal("capacity", (of_instance { status = "Failed", failure_reason = reason }))
    end
  end)
end)

describe("a job instance", function()
  local rows = {
    { nil, { status = "NotStarted" } }, { nil, { status = "InProgress" } },
    { "succeeded", { status = "Completed" } },
    { "failed", { status = "Completed", failure_reason = { errorCode = "X" } } },
    { "failed", { status = "Failed" } },
    { "failed", { status = "Failed", failure_reason = { message = "row 430 is bad" } } },
    { "failed", { status = "Failed", failure_reason = "boom" } },
    { "capacity", { status = "Failed", failure_reason = { message = LIVY } } },
    { "capacity", { status = "Failed", failure_reason = LIVY } },
    { "capacity", { status = "Failed",
      failure_reason = { errorCode = "TooManyRequestsForCapacity" } } },
    { "cancelled", { status = "Cancelled" } }, { "cancelled", { status = "Canceled" } },
    { "deduped", { status = "Deduped" } },
  }
  for _, row in ipairs(rows) do
    local reason = row[2].failure_reason
    it(("%s%s is %s"):format(row[2].status, reason and " with a reason" or "",
      row[1] or "running"), function()
        local outcome, warning = of_instance(row[2])
        assert.equal(row[1], outcome)
        assert.is_nil(warning)
      end)
  end

  it("goes on, with a warning, where its status is not known here", function()
    for _, status in ipairs { "Paused", "TimedOut", "Disabled", "completed" } do
      local outcome, warning = of_instance { status = status }
      assert.is_nil(outcome)
      assert.equal(('Fabric gave the status "%s", which is not known here; it counts as running')
        :format(status), warning)
    end
    local outcome, warning = of_instance {}
    assert.is_nil(outcome)
    assert.matches("gave no status", warning)
  end)
end)
