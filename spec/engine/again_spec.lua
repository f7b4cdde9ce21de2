-- What comes back by itself, where a step's attempt crashed before it had a run.

local again = require "luafabric.engine.again"

describe("engine.again", function()
  local function comes_back(attempt)
    local events = {}
    local engine = { submission = "at_least_once", random = function() return 0 end,
      state = { steps = { load = { attempts = { attempt }, spent = 1 } } },
      timers = { now = function() return 0 end, after = function() return {} end },
      record = function(_, event) events[#events + 1] = event.type end,
      release = function() end }
    local unit = { path = "load", branch = { retry = { attempts = 1 } } }
    return again.after_attempt(engine, unit, "unknown"), events
  end

  it("repeats a submission that was lost before there was a run, where that is wanted", function()
    local comes, events = comes_back { number = 1 }
    assert.is_true(comes)
    assert.same({ "retry_scheduled" }, events)
  end)

  it("repeats nothing whose job is known", function()
    assert.is_false((comes_back { number = 1, job_id = "8e79e562" }))
  end)
end)
