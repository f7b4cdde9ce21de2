local step_retry = require "luafabric.policy.step_retry"

local function policy(more)
  local made = { attempts = 4, interval = 30, backoff = 2, max_interval = 100 }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

describe("policy.step_retry", function()
  it("waits longer each time, up to the longest interval", function()
    assert.equal(30, step_retry.delay(policy(), 1, 0))
    assert.equal(60, step_retry.delay(policy(), 2, 0))
    assert.equal(100, step_retry.delay(policy(), 3, 0))
  end)

  it("comes later by up to a tenth, never earlier", function()
    assert.equal(33, step_retry.delay(policy(), 1, 1))
  end)

  it("gives no more attempts than there are", function()
    assert.is_nil(step_retry.delay(policy(), 4, 0))
    assert.is_nil(step_retry.delay(policy { attempts = 1 }, 1, 0))
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
