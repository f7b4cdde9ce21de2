-- When a status is asked for: never before the server said, and never in step with others.

local polling = require "luafabric.policy.polling"

describe("the first look at a run", function()
  it("is not before the Retry-After of its acceptance", function()
    assert.equal(60, polling.first(60, 10, 0))
    assert.equal(2, polling.first(2, 10, 0))
  end)

  it("is after the floor where there was none, or 0", function()
    assert.equal(10, polling.first(nil, 10, 0))
    assert.equal(10, polling.first(0, 10, 0))
  end)
end)

describe("the next look", function()
  it("is after the longer of Retry-After and floor", function()
    assert.equal(54, polling.next(54, 10, 0))
    assert.equal(10, polling.next(2, 10, 0))
    assert.equal(10, polling.next(0, 10, 0))
    assert.equal(10, polling.next(nil, 10, 0))
    assert.equal(86400, polling.next(86400, 10, 0))
  end)

  it("is later by up to a tenth, 5 s at most, and never earlier", function()
    for _, seconds in ipairs { 1, 10, 60, 600 } do
      for _, random in ipairs { 0, 0.5, 0.999 } do
        local delay = polling.next(seconds, 1, random)
        assert.is_true(delay >= seconds and delay <= seconds + math.min(5, seconds / 10))
        local first = polling.first(seconds, 1, random)
        assert.is_true(first >= seconds and first <= seconds + math.min(5, seconds / 10))
      end
    end
    assert.is_true(polling.next(60, 10, 0.9) > polling.next(60, 10, 0.1))
  end)

  it("leaves the quota room where a look takes many calls", function()
    assert.equal(10, polling.next(nil, 10, 0, 5))
    assert.equal(200, polling.next(nil, 10, 0, 100))
  end)

  it("comes soon after a cancel, whose Retry-After is about repeating it", function()
    assert.equal(10, polling.after_cancel(60, 10))
    assert.equal(1, polling.after_cancel(1, 10))
    assert.equal(10, polling.after_cancel(nil, 10))
    assert.equal(10, polling.after_cancel(0, 10))
  end)
end)

describe("a run that is not found", function()
  it("may be invisible yet for two minutes after its acceptance", function()
    assert.is_true(polling.may_be_invisible(1000, 1119.9))
    assert.is_false(polling.may_be_invisible(1000, 1120))
    assert.is_false(polling.may_be_invisible(nil, 0))
  end)
end)

describe("the looks at a run whose notebook ran before", function()
  local known = { count = 5, shortest = 1800, longest = 3600 }

  for name, case in pairs {
    ["go on as they are while too few are known"] = { { 10, 100, { count = 2, shortest = 1800,
      longest = 3600 } }, 10 },
    ["go on as they are while none is known"] = { { 10, 100, nil }, 10 },
    ["are 10 minutes apart at most"] = { { 10, 100, known }, 600 },
    ["begin a little before the shortest"] = { { 10, 1000, known }, 350 },
    ["are close while it may end"] = { { 10, 2000, known }, 45 },
    ["are as close as the server allows"] = { { 58, 2000, known }, 58 },
    ["never come before the server's Retry-After"] = { { 400, 1000, known }, 400 },
    ["begin at the end where all take the same time"] = { { 10, 60, { count = 3, shortest = 90,
      longest = 90 } }, 30 },
    ["are as usual around that end"] = { { 10, 90, { count = 3, shortest = 90, longest = 90 } },
      10 },
    ["grow rarer when it is late"] = { { 10, 5600, known }, 200 },
    ["are 10 minutes apart at most when it is very late"] = { { 10, 1e6, known }, 600 },
  } do
    it(name, function()
      local given = case[1]
      assert.equal(case[2], polling.expect(given[1], given[2], given[3]))
    end)
  end
end)
