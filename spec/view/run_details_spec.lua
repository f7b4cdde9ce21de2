-- A run looked at later: the head, its inputs, a line for each step, what to do next.

local run_details = require "luafabric.view.run_details"
local story = require "spec.view.story"

local function shown(told, options)
  return table.concat(run_details.lines(told.state, options or {}), "\n")
end

describe("the details of a run", function()
  local told

  before_each(function()
    told = story.new({ "ingest", { path = "clean", kind = "each", after = { "ingest" },
      max_attempts = 2 }, { path = "publish", after = { "clean" } } },
      { inputs = { { name = "day", type = "Text", value = "2026-11-23" },
        { name = "token", type = "Text", value = "***" }, { name = "list", value = { 1, 2 } } } })
    told:run("ingest", 60)
  end)

  it("are a head, the inputs, the steps and the counts", function()
    told:expand("clean", { "eu" }):run("clean[eu]", 30):finish("clean", "succeeded")
    told:run("publish", 5):done("succeeded")
    assert.are.equal([[
nightly 7f3a12 succeeded
  file       nightly.lua
  started    2026-11-25 13:00:00 UTC, took 1m35s
  run by     process 12
  inputs     day = 2026-11-23
             token = ***
             list = [1,2]

✓ ingest       1m00s  job job-ingest
✓ clean        1/1  30s
  ✓ clean[eu]  30s  job job-clean[eu]
✓ publish      5s  job job-publish

3 ok.]], shown(told, { facts = { { "run by", "process 12" }, { "key", nil } } }))
  end)

  it("have each attempt where there were several, with reasons and the page", function()
    told:expand("clean", { "us" }):start("clean[us]", "J1"):pass(10)
    told:stop("clean[us]", "platform", { failure_reason = { errorCode = "E", message = "gone" } })
    told:tell("retry_scheduled", "clean[us]", { cause = "platform", seconds = 5, spent = true })
    told:pass(5):run("clean[us]", 20, "failed", { job_id = "J2",
      failure_reason = { errorCode = "PARSE", message = "column day" },
      links = { executionSnapshotUrl = "https://fabric/J2" } })
    told:finish("clean", "failed", { reason = { kind = "tolerance", message = "1 of 1 failed" } })
    told:finish("publish", "skipped", { reason = { kind = "upstream", step = "clean" } })
    told:done("failed")
    local text = shown(told)
    assert(text:find([[
  ✗ clean[us]  failed  attempt 2/2  35s
      "column day (PARSE)"
      attempt 1  platform  10s  job J1
        "gone (E)"
      attempt 2  failed  20s  job J2
      https://fabric/J2
- publish      skipped  upstream: clean]], 1, true), text)
    assert.matches("\n1 ok, 1 failed, 1 skipped%.\nOpen the page", text)
  end)

  it("of a run that nobody runs say so, and how to go on", function()
    told:expand("clean", { "us" }):start("clean[us]")
    local text = shown(told, { is_left = true, orphaned = true,
      next = "luafabric run --resume 7f" })
    assert.matches("^nightly 7f3a12 orphaned\n", text)
    assert.matches("started    2026%-11%-25 13:00:00 UTC, last heard of 2026%-11%-25 13:01:00 UTC",
      text)
    assert.matches("\nGo on with  luafabric run %-%-resume 7f$", text)
  end)

  it("of a run that goes on count until now", function()
    told:expand("clean", { "us" }):start("clean[us]")
    local text = shown(told, { now = told.now + 100 })
    assert.matches("^nightly 7f3a12 running\n", text)
    assert.matches("2m40s ago", text)
    assert.matches("● clean%[us%]  InProgress  1m40s", text)
    -- It is watched: nobody has to look after it.
    assert.is_nil(text:find("look with", 1, true))
  end)

  it("show of many items what went wrong or runs, and how to see another", function()
    local labels = {}
    for index = 1, 40 do labels[index] = ("n%02d"):format(index) end
    told:expand("clean", labels)
    for index = 1, 30 do
      told:run("clean[" .. labels[index] .. "]", 1, index == 7 and "failed" or "succeeded")
    end
    told:start "clean[n31]"
    local text = shown(told, { show = "luafabric show 7f3a12" })
    assert.matches("✗ clean%[n07%]  failed", text)
    assert.matches("● clean%[n31%]  InProgress", text)
    assert.is_nil(text:find("clean[n06]", 1, true))
    assert(text:find("… 38 more items: luafabric show 7f3a12 'clean[…]' shows one", 1, true), text)
  end)

  it("wrap a long reason, cut an endless one, and command nothing", function()
    told:expand("clean", { "us" }):run("clean[us]", 1, "failed",
      { failure_reason = { message = "\27[2J" .. ("word "):rep(1000) } })
    local count = 0
    for line in shown(told, { width = 60 }):gmatch("[^\n]+") do
      assert.is_nil(line:find("\27", 1, true))
      if line:find("word", 1, true) then
        count = count + 1
        assert.is_true(#line <= 62, line)
      end
    end
    assert.are.equal(6, count)
  end)

  it("of a run without events are its name and start", function()
    local text = shown { state = require("luafabric.history").new() }
    assert.are.equal("workflow running\n\nno steps.", text)
  end)
end)
