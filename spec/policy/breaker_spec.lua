-- An origin that does not answer is asked with single GETs, and a budget of retries is used up.

local breaker_module = require "luafabric.policy.breaker"
local retry_budget = require "luafabric.policy.retry_budget"

local reset = { failure = { code = "reset" } }

local function fail(breaker, count, now)
  local changed
  for _ = 1, count do
    breaker:sent(now)
    changed = breaker:answered(reset, now, function() return 0.5 end)
  end
  return changed
end

describe("a breaker", function()
  local breaker

  before_each(function() breaker = breaker_module.new() end)

  it("lets everything through until many failures in a row", function()
    assert.is_false(fail(breaker, 9, 10))
    breaker:answered({ status = 404 }, 10)
    assert.is_false(fail(breaker, 9, 10))
    assert.equal(10, breaker:ask(10, false))
    assert.is_true(fail(breaker, 1, 10))
    assert.is_nil(breaker:ask(10, false))
  end)

  it("asks with one GET at a time, and never with a submission", function()
    fail(breaker, 10, 10)
    assert.is_nil(breaker:ask(1000, false))
    local at = breaker:ask(10, true)
    assert.is_true(at >= 12.5 and at <= 15)
    breaker:sent(at)
    assert.is_nil(breaker:ask(at, true))
  end)

  it("asks less and less often, each minute in the end", function()
    fail(breaker, 10, 0)
    local now, pauses = 0, {}
    for index = 1, 8 do
      local at = breaker:ask(now, true)
      pauses[index] = at - now
      breaker:sent(at)
      breaker:answered({ status = 503 }, at, function() return 0.999999 end)
      now = at
    end
    assert.is_true(pauses[1] < 5.1 and pauses[2] > 9.9 and pauses[8] > 59)
    assert.is_true(pauses[8] <= 60)
  end)

  it("learns nothing new from the failures of what was on its way when it opened", function()
    fail(breaker, 10, 0)
    for _ = 1, 5 do breaker:answered(reset, 1, function() return 0.999999 end) end
    assert.is_true(breaker:ask(1, true) <= 5)
  end)

  it("lets everything through again after one answer, whatever it says", function()
    for _, status in ipairs { 200, 401, 404, 429 } do
      fail(breaker, 10, 0)
      breaker:sent(20)
      assert.is_true(breaker:answered({ status = status }, 20))
      assert.equal(21, breaker:ask(21, false))
    end
  end)

  it("is not opened by what we ended ourselves", function()
    for _, code in ipairs { "cancelled", "expired", "too_large" } do
      for _ = 1, 20 do breaker:answered({ failure = { code = code } }, 0) end
      assert.equal(0, breaker:ask(0, false))
    end
  end)

  it("asks again where the answer to its question never came", function()
    fail(breaker, 10, 0)
    breaker:sent(10)
    assert.is_nil(breaker:ask(100, true))
    assert.equal(131, breaker:ask(131, true))
  end)
end)

describe("a budget of retries", function()
  it("is used up by retries, and filled by calls that succeed", function()
    local budget = retry_budget.new { share = 0.25, most = 3 }
    for _ = 1, 3 do assert.is_true(budget:spend()) end
    assert.is_false(budget:spend())
    for _ = 1, 4 do budget:earn() end
    assert.is_true(budget:spend())
    assert.is_false(budget:spend())
  end)

  it("saves up so many and no more", function()
    local budget = retry_budget.new { share = 1, most = 2 }
    for _ = 1, 100 do budget:earn() end
    assert.is_true(budget:spend())
    assert.is_true(budget:spend())
    assert.is_false(budget:spend())
  end)
end)
