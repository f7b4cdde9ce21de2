-- The live table of a workflow's run, one moment after another.

local progress = require "luafabric.view.progress"
local story = require "spec.view.story"
local text = require "luafabric.view.text"

local function frame(told, options)
  local set = { width = 100, now = told.now }
  for name, value in pairs(options or {}) do set[name] = value end
  return progress.frame(told.state, set)
end

--- The rows without the first line, spaces as one.
local function rows(told, options)
  local list = frame(told, options)
  table.remove(list, 1)
  for index, line in ipairs(list) do list[index] = line:gsub("(%S)%s+", "%1 ") end
  return list
end

describe("the live table", function()
  it("names the run first, and how to leave it", function()
    local told = story.new { "ingest" }
    told:pass(252)
    assert.are.equal("nightly 7f3a12  4m12s  Ctrl-C cancels",
      frame(told, { hint = "Ctrl-C cancels" })[1])
    assert.are.equal("nightly 7f3a12  4m12s", frame(told)[1])
    assert.are.same({ "nightly 7f3a12  4m12s", "Ctrl-C cancels and", "waits for all" },
      { (table.unpack or unpack)(frame(told, { width = 23, height = 20,
        hint = "Ctrl-C cancels and waits for all" }), 1, 3) })
  end)

  it("says that it is being cancelled", function()
    local told = story.new { "ingest" }
    told:tell("cancel_requested", nil, { by = "user" })
    assert.are.equal("nightly 7f3a12  0s  cancelling", frame(told)[1])
  end)

  it("has a row for each step: what it waits for, what it does, how it ended", function()
    local told = story.new { "ingest", { path = "clean", after = { "ingest" } },
      { path = "tidy", is_finally = true } }
    assert.are.same({ "· ingest", "· clean after ingest", "· tidy at the end" }, rows(told))
    told:ready("ingest"):pass(5)
    assert.are.equal("○ ingest waits for a free slot 5s", rows(told)[1])
    told:intend("ingest")
    assert.are.equal("● ingest submitting 0s", rows(told)[1])
    told:pass(2):tell("attempt_submitted", "ingest", { attempt = 1, job_id = "j" })
    assert.are.equal("● ingest submitted 2s", rows(told)[1])
    told:pass(1):tell("status_changed", "ingest", { attempt = 1, status = "InProgress" })
    assert.are.equal("● ingest InProgress 3s", rows(told)[1])
    told:pass(61):stop("ingest", "succeeded"):finish("ingest", "succeeded"):pass(100)
    assert.are.equal("✓ ingest 1m04s", rows(told)[1])
    told:finish("clean", "skipped", { reason = { kind = "upstream", step = "ingest" } })
    assert.are.equal("- clean skipped upstream: ingest", rows(told)[2])
  end)

  it("names the cause of a wait, and since when", function()
    local told = story.new { "ingest" }
    told:ready("ingest"):intend("ingest")
    told:tell("attempt_waiting", "ingest", { attempt = 1, cause = "capacity", seconds = 200 })
    told:pass(180)
    assert.are.equal("○ ingest waiting: capacity (430), 3m00s next try in 20s", rows(told)[1])
    told:tell("attempt_waiting", "ingest", { attempt = 1, cause = "throttled", seconds = 30 })
    assert.are.equal("○ ingest waiting: quota (429), 0s next try in 30s", rows(told)[1])
  end)

  it("names what a step queues for before it is sent", function()
    local told = story.new { "ingest" }
    told:ready("ingest"):tell("step_waiting", "ingest", { cause = "capacity", position = 2 })
    told:pass(180)
    assert.are.equal("○ ingest waiting: capacity (430), 3m00s", rows(told)[1])
    told:tell("step_waiting", "ingest", { cause = "throttled", seconds = 30 })
    assert.are.equal("○ ingest waiting: quota (429), 0s next try in 30s", rows(told)[1])
    told:intend("ingest")
    assert.are.equal("● ingest submitting 0s", rows(told)[1])
  end)

  it("counts down to a retry, with what failed", function()
    local told = story.new { "ingest" }
    told.state.steps.ingest.max_attempts = 3
    told:ready("ingest"):start("ingest"):pass(10)
    told:stop("ingest", "failed", { failure_reason = { errorCode = "PARSE_ERROR" } })
    told:tell("retry_scheduled", "ingest", { attempt = 2, cause = "failed", seconds = 30,
      spent = true })
    told:pass(2)
    assert.are.equal('↻ ingest retry 2/3 in 28s: failed "PARSE_ERROR"', rows(told)[1])
    told:pass(28):start("ingest"):pass(4)
    assert.are.equal("● ingest InProgress attempt 2/3 44s", rows(told)[1])
  end)

  it("does not count what a full capacity sent back", function()
    local told = story.new { "ingest" }
    told:ready("ingest"):start("ingest"):stop("ingest", "capacity")
    told:tell("retry_scheduled", "ingest", { attempt = 2, cause = "capacity", seconds = 60,
      spent = false })
    assert.are.equal("↻ ingest waiting: capacity (430), again in 1m00s", rows(told)[1])
    told:pass(60):start("ingest")
    assert.are.equal("● ingest InProgress 1m00s", rows(told)[1])
  end)

  it("shows an each in one row, with its failed items below it", function()
    local told = story.new { { path = "clean", kind = "each" } }
    local labels = {}
    for index = 1, 24 do labels[index] = "r" .. index end
    told:expand("clean", labels)
    told:run("clean[r1]", 60)
    told:run("clean[r2]", 60, "failed", { reason = { kind = "failed", message = "no rows" } })
    told:start("clean[r3]"):intend("clean[r4]")
    told:tell("attempt_waiting", "clean[r4]", { attempt = 1, cause = "capacity", seconds = 30 })
    assert.are.same({
      "● clean 2/24 ✗1 2 running 1 waiting: capacity (430) 2m00s",
      '  ✗ clean[r2] failed 1m00s "no rows"',
    }, rows(told))
    for index = 5, 24 do told:run("clean[r" .. index .. "]", 1, "failed") end
    local list = rows(told)
    assert.are.equal(7, #list)
    assert.are.equal("  … 16 more failed", list[7])
  end)

  it("shows how it all ended, an unknown fate as such", function()
    local told = story.new { "a", { path = "mode", kind = "switch" },
      { path = "b", may_fail = true } }
    told:ready("a"):run("a", 3, "unknown", { reason = { kind = "unknown", message = "lost" } })
    told:ready("mode"):tell("branch_taken", "mode", { branch = "full" }):run("mode", 5)
    told:ready("b"):run("b", 1, "timed_out"):done("unknown")
    assert.are.same({ '? a unknown 3s "lost"', "✓ mode branch full 5s",
      "✗ b timed out may fail 1s" }, rows(told))
    assert.are.equal("nightly 7f3a12  9s  unknown", frame(told)[1])
  end)
end)

describe("the live table on a small screen", function()
  local function long_story()
    local steps = {}
    for index = 1, 60 do
      steps[index] = { path = ("step %02d 日本語 🚀 of a long name"):format(index) }
      if index > 30 then steps[index].after = { steps[index - 30].path } end
    end
    local told = story.new(steps)
    for index = 1, 12 do
      told:ready(steps[index].path):run(steps[index].path, 10, index == 5 and "failed" or nil)
    end
    for index = 13, 15 do told:ready(steps[index].path):start(steps[index].path) end
    return told
  end

  it("is never wider than it nor higher", function()
    local told = long_story()
    for _, width in ipairs { 1, 2, 10, 20, 40, 79, 200 } do
      for _, height in ipairs { 1, 2, 3, 5, 10, 24, 100 } do
        local lines = frame(told, { width = width, height = height, hint = "Ctrl-C cancels all" })
        assert.is_true(#lines <= height, ("%d lines of %d"):format(#lines, height))
        for _, line in ipairs(lines) do
          assert.is_true(text.width(line) <= width, ("%d: %s"):format(width, line))
        end
      end
    end
  end)

  it("keeps what runs and what failed, and counts the others", function()
    local lines = frame(long_story(), { width = 60, height = 8 })
    assert.are.equal(8, #lines)
    assert.is_truthy(lines[2]:find("^✗ step 05"))
    assert.is_truthy(lines[3]:find("^● step 13"))
    assert.is_truthy(lines[5]:find("^● step 15"))
    assert.is_truthy(lines[6]:find("^· step 16"))
    assert.are.equal("… 11 done, 43 waiting", lines[8])
  end)

  it("keeps what ended last of what went well", function()
    local told = story.new { "a", "b", "c", "d" }
    for _, path in ipairs { "b", "d", "a", "c" } do told:ready(path):run(path, 10) end
    assert.are.same({ "✓ a  10s", "✓ c  10s", "… 2 done" },
      { (table.unpack or unpack)(frame(told, { width = 60, height = 4 }), 2) })
  end)

  it("cuts long names, so that there is room for what happens", function()
    local told = story.new { { path = ("n"):rep(60) } }
    told:ready(told.state.order[1]):start(told.state.order[1])
    assert.are.equal("● " .. ("n"):rep(31) .. "…  InProgress  0s", frame(told)[2])
    assert.are.equal("● " .. ("n"):rep(15) .. "…  InProgress  0s", frame(told, { width = 40 })[2])
  end)

  it("keeps what runs before what failed", function()
    local lines = frame(long_story(), { width = 60, height = 4 })
    assert.is_truthy(lines[2]:find("^● step 13"))
    assert.are.equal("… 11 done, 1 failed, 1 running, 45 waiting", lines[4])
  end)
end)

describe("the live table's colours", function()
  it("say nothing that a sign or a word does not say, and take no columns", function()
    local told = story.new { "ingest", "Publish" }
    told:ready("ingest"):run("ingest", 3, "failed", { reason = { kind = "failed",
      message = ("word "):rep(40) } })
    local function mark(open) return function(piece) return open .. piece .. "\1" end end
    local palette = { good = mark "\2", bad = mark "\2", careful = mark "\2", faint = mark "\2" }
    local coloured = frame(told, { width = 40, palette = palette })
    local plain = frame(told, { width = 40 })
    assert.is_truthy(coloured[2]:find("\2✗\1", 1, true))
    for index, line in ipairs(coloured) do
      assert.are.equal(plain[index], (line:gsub("[\1\2]", "")))
    end
  end)

  it("cannot be given by the names of steps", function()
    local told = story.new { { path = "a\27[31mb\nc" } }
    assert.are.same({ "· a?[31mb c" }, rows(told))
  end)
end)
