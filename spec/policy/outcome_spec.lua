-- What a job instance means for the user who waits for it.

local of_instance = require("luafabric.policy.outcome").of_instance

local LIVY = "Livy session failed. [TooManyRequestsForCapacity] HTTP Response code 430: no room"

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
