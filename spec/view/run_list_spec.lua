-- The table of runs: a line each, whatever the ids and names are.

local run_list = require "luafabric.view.run_list"
local story = require "spec.view.story"

local function entry(fields)
  local made = { id = "7f3a12", workflow = "nightly", state = "ended", outcome = "succeeded",
    started_at = 1795611600, till = 1795611725, tally = run_list.tally { succeeded = 5 } }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

describe("the table of runs", function()
  it("has a head and a line for each run", function()
    assert.are.same({
      "RUN       WORKFLOW  STATE        STARTED                  TOOK   STEPS"
        .. "                      RUN BY",
      "7f3a12    nightly   ✓ succeeded  2026-11-25 13:00:00 UTC  2m05s  5 ok",
      "7f3a12ab  weekly    ✗ timed out  2026-11-25 13:00:00 UTC  2m05s  1 ok, 3 failed, 2 skipped",
    }, run_list.lines({ entry(), entry { id = "7f3a12ab", workflow = "weekly",
      outcome = "timed_out", tally = run_list.tally { succeeded = 1, failed = 1, timed_out = 2,
      skipped = 2 } } }, {}))
  end)

  it("says of a run that has not ended who runs it, or that nobody does", function()
    local lines = run_list.lines({
      entry { outcome = false, state = "running", owner = "process 12" },
      entry { outcome = false, state = "running", orphaned = true, owner = "nobody" },
      entry { outcome = false, state = "detached", owner = "nobody" } }, {})
    assert.matches("● running .* process 12$", lines[2])
    assert.matches("%? orphaned .* nobody$", lines[3])
    assert.matches("○ detached .* nobody$", lines[4])
  end)

  it("counts what has not ended as open, and an each once", function()
    local told = story.new { "a", { path = "b", kind = "each" }, "c" }
    told:run("a", 1):expand("b", { "x", "y" }):run("b[x]", 1, "failed")
    assert.are.same({ ok = 1, failed = 0, skipped = 0, open = 2 },
      run_list.tally_of_state(told.state))
  end)

  it("stays within the screen, and commands nothing", function()
    local lines = run_list.lines({ entry { workflow = ("naïve\27[2J "):rep(20) } }, { width = 40 })
    for _, line in ipairs(lines) do
      assert.is_nil(line:find("\27", 1, true))
      assert.is_true(require("luafabric.view.text").width(line) <= 40, line)
    end
  end)

  it("says ? of a run whose events cannot be read", function()
    local made = entry()
    made.tally = nil
    assert.matches("2m05s  %?$", run_list.lines({ made }, {})[2])
  end)
end)
