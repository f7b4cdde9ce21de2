-- Which failures of a safe call are repeated, and when.

local retry = require "luafabric.policy.retry"

describe("a safe call", function()
  it("is repeated for what may pass", function()
    for _, status in ipairs { 408, 425, 429, 430, 500, 502, 503, 504 } do
      assert.is_true(retry.may_help { status = status }, tostring(status))
    end
    for _, code in ipairs { "resolve", "connect", "timeout", "reset", "protocol", "proxy" } do
      assert.is_true(retry.may_help { failure = { code = code } }, code)
    end
  end)

  it("is not repeated for what would end the same", function()
    for _, status in ipairs { 301, 400, 401, 403, 404, 409, 410, 417, 501, 505 } do
      assert.is_false(retry.may_help { status = status }, tostring(status))
    end
    for _, code in ipairs { "tls", "too_large", "cancelled", "expired" } do
      assert.is_false(retry.may_help { failure = { code = code } }, code)
    end
  end)

  it("says why it waits", function()
    assert.equal("throttled", retry.cause { status = 429 })
    assert.equal("capacity", retry.cause { status = 430 })
    assert.equal("platform", retry.cause { status = 503 })
    assert.equal("network", retry.cause { failure = { code = "reset" } })
  end)
end)

describe("the pause before the next try", function()
  local settings = { first = 2, ceiling = 30, throttled = 60 }

  it("is anywhere in a range that doubles up to a ceiling", function()
    local longest = {}
    for attempt = 1, 6 do
      assert.equal(0, retry.delay({ status = 503 }, attempt, nil, 0, settings))
      longest[attempt] = retry.delay({ status = 503 }, attempt, nil, 1, settings)
    end
    assert.same({ 2, 4, 8, 16, 30, 30 }, longest)
    assert.equal(30, retry.delay({ status = 503 }, 5000, nil, 1, settings))
  end)

  it("is never shorter than the server asks", function()
    assert.equal(57, retry.delay({ status = 503 }, 1, 57, 1, settings))
    assert.equal(2, retry.delay({ status = 503 }, 1, 1, 1, settings))
    assert.equal(57, retry.delay(nil, 1, 57, 0, settings))
  end)

  it("is a whole window of the quota where a 429 names no time", function()
    for _, status in ipairs { 429, 430 } do
      assert.equal(60, retry.delay({ status = status }, 1, nil, 0, settings))
      assert.equal(62, retry.delay({ status = status }, 1, 0, 1, settings))
      assert.equal(7, retry.delay({ status = status }, 1, 7, 0, settings))
    end
  end)
end)
