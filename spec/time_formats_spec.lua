local core = require "luafabric.core"

-- 2026-11-23T00:00:00Z
local MONDAY = 1795392000

local function is_near(expected, actual, what)
  assert.is_true(math.abs(expected - actual) < 1e-6, ("%s: %s"):format(what, tostring(actual)))
end

describe("a timestamp of Fabric", function()
  it("is UTC when it names no zone, and has any number of fraction digits", function()
    local times = { ["2026-11-23T00:00:00"] = 0, ["2026-11-23T00:00:00Z"] = 0,
      ["2026-11-23T14:59:18.1"] = 53958.1, ["2026-11-23T14:59:18.14"] = 53958.14,
      ["2026-11-23T00:00:00.1234567"] = 0.1234567, ["2026-11-23T00:00:00.1234567Z"] = 0.1234567,
      ["2026-11-23T00:00:00.123456789012345"] = 0.123456789, ["2026-11-23T00:00:00.0"] = 0,
      ["2026-11-23t00:00:00z"] = 0, ["2026-11-23 00:00:00"] = 0 }
    for text, seconds in pairs(times) do is_near(MONDAY + seconds, core.parse_time(text), text) end
    is_near(MONDAY + 1, core.parse_time("2026-11-23T00:00:00." .. ("9"):rep(100000)), "many digits")
  end)

  it("may have an offset", function()
    local times = { ["2026-11-23T02:00:00+02:00"] = 0, ["2026-11-22T18:30:00-05:30"] = 0,
      ["2026-11-23T00:00:00+00:00"] = 0, ["2026-11-23T00:00:00-00:00"] = 0,
      ["2026-11-23T01:00:00.5+0100"] = 0.5, ["2026-11-22T00:01:00-23:59"] = 0 }
    for text, seconds in pairs(times) do is_near(MONDAY + seconds, core.parse_time(text), text) end
  end)

  it("follows the calendar", function()
    local times = { ["1970-01-01T00:00:00Z"] = 0, ["1969-12-31T23:59:59Z"] = -1,
      ["2000-02-29T00:00:00Z"] = 951782400, ["2000-03-01T00:00:00Z"] = 951868800,
      ["0001-01-01T00:00:00Z"] = -62135596800, ["9999-12-31T23:59:59Z"] = 253402300799,
      ["2024-02-29T12:00:00Z"] = 1709208000, ["2016-12-31T23:59:60Z"] = 1483228800,
      ["2038-01-19T03:14:08Z"] = 2147483648 }
    for text, seconds in pairs(times) do assert.equal(seconds, core.parse_time(text), text) end
  end)

  it("is nothing else", function()
    for _, text in ipairs { "", "2026", "2026-11-23", "2026-11-23T", "2026-11-23T00:00",
      "2026-11-23T00:00:0", "26-11-23T00:00:00", "2026-1-23T00:00:00", "2026/11/23T00:00:00",
      "2026-11-23T00:00:00.", "2026-11-23T00:00:00.Z", "2026-11-23T00:00:00,5",
      "2026-11-23T00:00:00+2", "2026-11-23T00:00:00+24:00", "2026-11-23T00:00:00+02:60",
      "2026-11-23T00:00:00+02:", "2026-11-23T00:00:00ZZ", "2026-11-23T00:00:00 Z",
      " 2026-11-23T00:00:00", "2026-11-23T00:00:00\n", "2026-11-23T00:00:00\0",
      "2026-00-23T00:00:00", "2026-13-23T00:00:00", "2026-11-00T00:00:00", "2026-11-31T00:00:00",
      "2023-02-29T00:00:00", "1900-02-29T00:00:00", "0000-01-01T00:00:00", "2026-11-23T24:00:00",
      "2026-11-23T00:60:00", "2026-11-23T00:00:61", "-026-11-23T00:00:00", "+026-11-23T00:00:00",
      "2026-11-23T-1:00:00", "2026-11-23T00:00:00.5.5", "2026-11-23T00:00:00é", "null" } do
      assert.equal(1, select("#", core.parse_time(text)))
      assert.is_nil(core.parse_time(text), text)
    end
    assert.has_error(function() core.parse_time() end)
  end)

  it("is written as Fabric wants a DateTime", function()
    local texts = { [0] = "1970-01-01T00:00:00Z", [MONDAY] = "2026-11-23T00:00:00Z",
      [MONDAY + 0.999] = "2026-11-23T00:00:00Z", [-1] = "1969-12-31T23:59:59Z",
      [-0.5] = "1969-12-31T23:59:59Z", [951782400] = "2000-02-29T00:00:00Z",
      [-62135596800] = "0001-01-01T00:00:00Z", [253402300799] = "9999-12-31T23:59:59Z",
      [1709251199] = "2024-02-29T23:59:59Z" }
    for seconds, text in pairs(texts) do assert.equal(text, core.format_time(seconds)) end
    for _, wrong in ipairs { -62135596801, 253402300800, 1 / 0, -1 / 0, 0 / 0, 1e300, "x" } do
      assert.has_error(function() core.format_time(wrong) end)
    end
  end)

  it("reads back as it was written, over all years", function()
    for seconds = -62135596800, 253402300799, 86399 * 997 do
      assert.equal(seconds, core.parse_time(core.format_time(seconds)))
    end
  end)
end)

describe("an HTTP date", function()
  it("has any of its three forms", function()
    for _, text in ipairs { "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun Nov  6 08:49:37 1994" } do
      assert.equal(784111777, core.parse_http_date(text))
    end
    assert.equal(MONDAY, core.parse_http_date("Mon, 23 Nov 2026 00:00:00 GMT"))
    assert.equal(MONDAY, core.parse_http_date("Monday, 23-Nov-26 00:00:00 GMT"))
    assert.equal(MONDAY, core.parse_http_date("Mon Nov 23 00:00:00 2026"))
  end)

  it("is nothing else", function()
    for _, text in ipairs { "", "Mon", "Mon,", "Mon, ", "23 Nov 2026 00:00:00 GMT",
      "Mon, 23 Nov 2026 00:00:00", "Mon, 23 Nov 2026 00:00:00 UTC", "Mon, 3 Nov 2026 00:00:00 GMT",
      "Mon, 23 nov 2026 00:00:00 GMT", "Mon, 31 Nov 2026 00:00:00 GMT",
      "Mon, 23 Nov 2026 24:00:00 GMT", "Mon, 23 Nov 26 00:00:00 GMT",
      "Mon, 23-Nov-2026 00:00:00 GMT", "Mon Nov 6 08:49:37 1994", "Mon, 23 Nov 2026 00:00:00 GMT ",
      "Mon, 23 Nov 2026 00:00:00 GMT\0", "5", "Mon Nov 23 00:00:00 2026 GMT" } do
      assert.equal(1, select("#", core.parse_http_date(text)))
      assert.is_nil(core.parse_http_date(text), text)
    end
  end)
end)

describe("Retry-After", function()
  it("is seconds", function()
    for text, seconds in pairs { ["0"] = 0, ["57"] = 57, [" 57 "] = 57, ["007"] = 7,
      ["86400"] = 86400, ["86401"] = 86400, ["99999999999999999999"] = 86400,
      [("9"):rep(1000)] = 86400 } do
      assert.equal(seconds, core.parse_retry_after(text, nil, nil), text)
    end
    assert.equal(57, core.parse_retry_after("57"))
  end)

  it("is an HTTP date, which counts from the answer's own clock", function()
    local date = "Mon, 23 Nov 2026 00:00:00 GMT"
    assert.equal(30, core.parse_retry_after("Mon, 23 Nov 2026 00:00:30 GMT", nil, date))
    assert.equal(0, core.parse_retry_after("Sun, 22 Nov 2026 23:59:59 GMT", nil, date))
    assert.equal(86400, core.parse_retry_after("Sun, 23 Nov 2036 00:00:00 GMT", nil, date))
    assert.equal(90, core.parse_retry_after("Monday, 23-Nov-26 00:01:30 GMT", nil, date))
    -- Without a Date, or with one that cannot be read, it is this machine's clock.
    for _, other in ipairs { "x", "" } do
      assert.equal(0, core.parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", nil, other))
    end
    assert.equal(86400, core.parse_retry_after("Sun Nov  6 08:49:37 9994", nil, nil))
  end)

  it("is milliseconds where the other header says so, which wins", function()
    assert.equal(1.5, core.parse_retry_after("57", "1500", nil))
    assert.equal(0, core.parse_retry_after(nil, "0", nil))
    assert.equal(86400, core.parse_retry_after(nil, ("9"):rep(400), nil))
    assert.equal(57, core.parse_retry_after("57", "soon", nil))
  end)

  it("that says nothing readable is nil", function()
    for _, text in ipairs { "", " ", "-1", "+5", "1.5", "1,5", "5s", "0x10", "1 2", "soon", "5\0",
      "\t5", "2026-11-23T00:00:00Z" } do
      assert.equal(1, select("#", core.parse_retry_after(text, nil, nil)))
      assert.is_nil(core.parse_retry_after(text, nil, nil), text)
      assert.is_nil(core.parse_retry_after(nil, text, nil), text)
    end
    assert.is_nil(core.parse_retry_after(nil, nil, nil))
    assert.is_nil(core.parse_retry_after())
    assert.has_error(function() core.parse_retry_after({}) end)
  end)
end)
