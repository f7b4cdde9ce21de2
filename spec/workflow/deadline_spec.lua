-- A deadline as written in a workflow, and the moment it means.

local core = require "luafabric.core"
local parse = require("luafabric.workflow.deadline").parse

local function unix(text) return core.parse_time(text) end

-- Central Europe in 2026: the clock goes forward on 29 March and back on 25 October, at 01:00 UTC.
local function berlin(at)
  local summer = at >= unix "2026-03-29T01:00:00Z" and at < unix "2026-10-25T01:00:00Z"
  return summer and 7200 or 3600
end

local function means(expected, text, now, offset)
  local at, message = parse(text, unix(now), offset)
  assert.is_nil(message)
  assert.equal(expected, core.format_time(at))
end

describe("a deadline with a time of day", function()
  it("is the next such time of the local clock", function()
    means("2026-11-24T05:00:00Z", "06:00", "2026-11-23T22:00:00Z", berlin)
    means("2026-11-24T05:00:00Z", "06:00", "2026-11-24T04:59:59Z", berlin)
    means("2026-11-25T05:00:00Z", "06:00", "2026-11-24T05:00:00Z", berlin)
    means("2026-11-24T05:00:30Z", "06:00:30", "2026-11-24T05:00:00Z", berlin)
    means("2026-11-24T23:00:00Z", "00:00", "2026-11-23T23:30:00Z", berlin)
  end)

  it("is the next such time of the zone it names", function()
    means("2026-11-24T06:00:00Z", "06:00Z", "2026-11-23T22:00:00Z", berlin)
    means("2026-11-24T04:00:00Z", "06:00+02:00", "2026-11-23T22:00:00Z", berlin)
    means("2026-11-24T04:00:00Z", "06:00+0200", "2026-11-23T22:00:00Z", berlin)
    means("2026-11-23T22:30:00Z", "13:30-09:00", "2026-11-23T22:00:00Z", berlin)
    means("2026-11-23T12:30:00Z", "02:30+14:00", "2026-11-23T12:00:00Z", berlin)
  end)

  it("counts with the clock as it will be then", function()
    means("2026-03-29T04:00:00Z", "06:00", "2026-03-28T22:00:00Z", berlin)
    means("2026-10-25T05:00:00Z", "06:00", "2026-10-24T22:00:00Z", berlin)
  end)

  it("is the first of the two where the clock is put back, unless that has passed", function()
    means("2026-10-25T00:30:00Z", "02:30", "2026-10-24T22:00:00Z", berlin)
    means("2026-10-25T01:30:00Z", "02:30", "2026-10-25T00:45:00Z", berlin)
    means("2026-10-26T01:30:00Z", "02:30", "2026-10-25T01:30:00Z", berlin)
  end)

  it("comes as late as ever where the clock is put forward past it", function()
    means("2026-03-29T01:30:00Z", "02:30", "2026-03-28T22:00:00Z", berlin)
    means("2026-03-30T00:30:00Z", "02:30", "2026-03-29T01:30:00Z", berlin)
  end)

  it("takes the zone of this machine where none is given", function()
    local now = unix "2026-11-23T22:00:00Z"
    assert.equal("06:00:00", os.date("%H:%M:%S", (parse("06:00", now))))
    assert.is_true(parse("06:00", now) - now <= 86400)
  end)
end)

describe("a deadline with a date", function()
  it("is that moment, in the past too", function()
    means("2026-11-24T06:00:00Z", "2026-11-24T06:00:00Z", "2026-11-30T00:00:00Z", berlin)
    means("2026-11-24T06:00:00Z", "2026-11-24 06:00Z", "2026-11-23T00:00:00Z", berlin)
    means("2026-11-24T04:00:00Z", "2026-11-24T06:00+02:00", "2026-11-23T00:00:00Z", berlin)
    means("2026-11-24T05:00:00Z", "2026-11-24T06:00:00", "2026-11-23T00:00:00Z", berlin)
    means("2026-07-24T04:00:00Z", "2026-07-24T06:00", "2026-11-23T00:00:00Z", berlin)
    means("2026-10-25T00:30:00Z", "2026-10-25T02:30", "2026-11-23T00:00:00Z", berlin)
    means("2026-03-29T01:30:00Z", "2026-03-29T02:30", "2026-01-01T00:00:00Z", berlin)
    means("2026-11-24T06:00:00Z", "2026-11-24T06:00:00", "2026-11-23T00:00:00Z", 0)
  end)
end)

describe("what is no deadline", function()
  local sentences = {
    ["6:00"] = '"6:00" is no deadline: write "06:00"',
    ["2026-11-24"] = 'a date needs its time of day, such as "2026-11-24T06:00"',
    ["2h"] = 'it is a duration, which is written timeout = "2h"',
    ["24:00"] = '"24:00" is no deadline: there is no such time',
    ["06:60"] = "there is no such time",
    ["06:00:60"] = "there is no such time",
    ["2026-02-30T06:00"] = "there is no such time",
    ["06:00+25:00"] = '"+25:00" is no time zone: write Z or +02:00',
    ["06:00 CET"] = '" CET" is no time zone',
    ["06:00pm"] = '"pm" is no time zone',
    ["06:00:5"] = '":5" is no time zone',
    tomorrow = 'expected a time such as "06:00" (local), "06:00Z"',
    [""] = "expected a time such as",
  }
  for text, sentence in pairs(sentences) do
    it(("gets a sentence: %q"):format(text), function()
      local at, message = parse(text, 0, berlin)
      assert.is_nil(at)
      assert(message:find(sentence, 1, true), message)
    end)
  end

  it("gets one for a value of another type", function()
    for _, value in ipairs { 5, true, {} } do
      local at, message = parse(value, 0)
      assert.is_nil(at)
      assert.equal(("a %s is no deadline: "):format(type(value)),
        message:match("^.-: "))
    end
  end)
end)
