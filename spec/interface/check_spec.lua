-- The published interface, by validators that are not ours: see check.lua. Only where
-- ./dev interface has installed them.

local prism = require "spec.interface.prism"

describe("the published interface, by validators from npm #process", function()
  local is_there, reason = prism.is_there()

  if not is_there then
    io.stdout:write("\nthe interface was not tried by validators from npm: ", reason, "\n")
    pending("is what the server answers: " .. reason)
    return
  end

  it("is what the server answers", function()
    local check = require "spec.interface.check"
    local said = {}
    local passed, failed = check.run(function(text) said[#said + 1] = text end)
    assert.equal(0, failed, table.concat(said, "\n"))
    assert.is_true(passed > 100)
  end)

  it("is not what the server answers, where it says something else", function()
    local check = require "spec.interface.check"
    local said = {}
    local _, failed = check.run(function(text) said[#said + 1] = text end, function(document)
      local changed, count = document:gsub('"orphaned":{(.-)"type":"boolean"',
        '"orphaned":{%1"type":"string"')
      assert.is_true(count > 0)
      return changed
    end)
    assert.is_true(failed > 2)
    assert.matches("orphaned: [^\n]*string", table.concat(said, "\n"))
  end)
end)
