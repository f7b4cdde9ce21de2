local duration = require "luafabric.duration"

describe("a duration", function()
  it("is a number of seconds or a text with units", function()
    local expected = { [90] = 90, [0] = 0, [0.5] = 0.5, ["90s"] = 90, ["15m"] = 900, ["2h"] = 7200,
      ["1d"] = 86400, ["1h30m"] = 5400, ["1d2h3m4s"] = 93784, ["0s"] = 0, ["1.5h"] = 5400 }
    for given, seconds in pairs(expected) do assert.equal(seconds, duration.parse(given)) end
  end)

  it("is nothing else", function()
    local wrong = { "", "90", "h", "1 h", " 1h", "1h ", "1H", "5m1h", "30s30s", "-1s", "1h-5m",
      "1e3s", "2 hours", "1w", ".5h", "1..5h", -1, 0 / 0, math.huge, true, {},
      ("9"):rep(400) .. "d" }
    for _, given in ipairs(wrong) do
      local seconds, message = duration.parse(given)
      assert.is_nil(seconds, tostring(given))
      assert.matches("is no duration: expected", message)
    end
    assert.is_nil(duration.parse(nil))
  end)

  it("that is wrong in an option is reported with its name, at the caller's line", function()
    local ok, message = pcall(function() duration.check("2 hours", "timeout") end)
    assert.is_false(ok)
    assert.matches('^spec/duration_spec.lua:%d+: timeout: "2 hours" is no duration: expected '
      .. 'seconds or a text such as "90s"', message)
    assert.equal(7200, duration.check("2h", "timeout"))
  end)

  it("can be blamed on the caller's caller", function()
    local line
    local function option() duration.check("x", "timeout", 2) end
    local _, message = pcall(function()
      line = debug.getinfo(1, "l").currentline + 1
      option()
      return nil
    end)
    assert.matches(":" .. line .. ": timeout: ", message)
  end)

  it("is shown with the two units that matter", function()
    local expected = { [0] = "0s", [0.04] = "0s", [0.83] = "0.8s", [9.96] = "10s", [42] = "42s",
      [59.7] = "1m00s", [724] = "12m04s", [3600] = "1h00m", [11100] = "3h05m", [187200] = "2d04h" }
    for seconds, shown in pairs(expected) do assert.equal(shown, duration.format(seconds)) end
  end)
end)
