-- What a 429 says: the recorded one of Fabric, and others.

local quota_answer = require "luafabric.policy.quota_answer"

local function blocked(message, headers, code)
  return { status = 429, headers = headers, body = ('{"requestId":"5ce3","errorCode":"%s",'
    .. '"message":"%s"}'):format(code or "RequestBlocked", message) }
end

local until_text = "Request is blocked by the upstream service until: 9/3/2025 6:54:11 AM (UTC)"

describe("an answer about quotas", function()
  local date = "Wed, 03 Sep 2025 06:53:14 GMT"
  for name, case in pairs {
    ["as recorded"] = { blocked(until_text, { ["retry-after"] = "57", date = date }), 57, true },
    ["its header rounded up"] = { blocked(until_text, { ["retry-after"] = "58", date = date }), 57,
      true },
    ["without a header"] = { blocked(until_text, { date = date }), 57, true },
    ["without a date"] = { blocked(until_text, { ["retry-after"] = "57" }), 57, true },
    ["in the afternoon"] = { blocked("… until: 12/31/2025 12:00:05 PM (UTC)",
      { date = "Wed, 31 Dec 2025 12:00:00 GMT" }), 5, true },
    ["past midnight"] = { blocked("… until: 1/1/2026 12:00:05 AM (UTC)",
      { date = "Wed, 31 Dec 2025 23:59:55 GMT" }), 10, true },
    ["whose day and month are the other way round"] = { blocked(
      "… until: 3/9/2025 6:54:11 AM (UTC)", { ["retry-after"] = "57", date = date }), 57, true },
    ["whose message is about a day that is none"] = { blocked(
      "… until: 23/9/2025 6:54:11 AM (UTC)", { date = date }), nil, true },
    ["that says nothing"] = { { status = 429, headers = {} }, nil, true },
    ["with a time of 0"] = { { status = 429, headers = { ["retry-after"] = "0" } }, nil, true },
    ["of another limit"] = { blocked("too many", { ["retry-after"] = "60" },
      "TooManyRequestsForJobs"), 60, false },
  } do
    it(name .. " is read", function()
      local found = quota_answer.read(case[1])
      assert.is_true(found.is_limited)
      assert.equal(case[2], found.wait)
      assert.equal(case[3], found.is_window)
    end)
  end

  it("that is no 429 says nothing about them", function()
    assert.is_false(quota_answer.read({ status = 503, headers = {} }).is_limited)
    assert.is_false(quota_answer.read({ failure = { code = "reset" } }).is_limited)
  end)
end)
