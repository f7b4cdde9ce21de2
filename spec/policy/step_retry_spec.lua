local step_retry = require "luafabric.policy.step_retry"

local function policy(more)
  local made = { attempts = 4, on = { failed = true, platform = true }, interval = 30, backoff = 2,
    max_interval = 100 }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

describe("policy.step_retry", function()
  it("waits longer each time, up to the longest interval", function()
    assert.equal(30, step_retry.delay(policy(), "failed", 1, 0))
    assert.equal(60, step_retry.delay(policy(), "failed", 2, 0))
    assert.equal(100, step_retry.delay(policy(), "failed", 3, 0))
  end)

  it("comes later by up to a tenth, never earlier", function()
    assert.equal(33, step_retry.delay(policy(), "failed", 1, 1))
  end)

  it("gives no more attempts than there are", function()
    assert.is_nil(step_retry.delay(policy(), "failed", 4, 0))
    assert.is_nil(step_retry.delay(policy { attempts = 1 }, "failed", 1, 0))
  end)

  it("repeats only the outcomes that were named", function()
    assert.is_nil(step_retry.delay(policy(), "timed_out", 1, 0))
    assert.equal(30, step_retry.delay(policy { on = { timed_out = true } }, "timed_out", 1, 0))
  end)

  it("asks a function, which must say true", function()
    local function on(outcome) return outcome == "deduped" end
    assert.equal(30, step_retry.delay(policy { on = on }, "deduped", 1, 0))
    assert.is_nil(step_retry.delay(policy { on = on }, "failed", 1, 0))
    assert.is_nil(step_retry.delay(policy { on = function() return 1 end }, "failed", 1, 0))
  end)

  it("never repeats what may run already, or would end the same", function()
    local always = policy { on = function() return true end }
    for _, outcome in ipairs { "unknown", "unauthorized", "rejected", "succeeded", "skipped" } do
      assert.is_nil(step_retry.delay(always, outcome, 1, 0), outcome)
    end
  end)

  it("comes back from a full capacity for a day, every ten minutes at last", function()
    assert.equal(30, step_retry.requeue("capacity", 1, 0, 0))
    assert.equal(480, step_retry.requeue("capacity", 5, 900, 0))
    assert.equal(600, step_retry.requeue("capacity", 60, 80000, 0))
    assert.is_nil(step_retry.requeue("capacity", 61, 86400, 0))
  end)

  it("gives up on the network after ten minutes", function()
    assert.equal(10, step_retry.requeue("network", 1, 0, 0))
    assert.equal(60, step_retry.requeue("network", 9, 500, 0))
    assert.is_nil(step_retry.requeue("network", 10, 600, 0))
  end)
end)
