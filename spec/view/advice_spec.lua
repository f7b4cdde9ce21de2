-- What the reports say that somebody can do about a run.

local advice = require "luafabric.view.advice"
local story = require "spec.view.story"

local function said(told, options)
  local list = {}
  for index, entry in ipairs(advice.of(told.state, options)) do
    list[index] = entry.text .. (entry.command and " " .. entry.command or "")
  end
  return list
end

describe("the advice", function()
  it("has the commands for what runs, or may run, while nobody watches", function()
    local told = story.new { "ingest", "clean" }
    told:ready("ingest"):start("ingest"):ready("clean"):intend("clean"):tell("detached")
    assert.are.same({
      "clean may or may not run in Fabric: look with luafabric notebook list w-1 n-1",
      "ingest runs on in Fabric: look with luafabric notebook status w-1 n-1 job-ingest",
    }, said(told))
    assert.are.same({}, said(told, { is_local = true }))
  end)

  it("has commands that a shell takes, whatever the names", function()
    local told = story.new { "it's; rm" }
    told:ready("it's; rm"):start("it's; rm", "job 1")
    told.state.steps["it's; rm"].attempts[1].request = { workspace = "My W", notebook = "it's; rm" }
    told:tell("detached")
    assert.matches("luafabric notebook status 'My W' 'it'\\''s; rm' 'job 1'", said(told)[1], 1,
      true)
  end)

  it("tells a missing value from a request that Fabric refused", function()
    local told = story.new { "ingest" }
    told:finish("ingest", "rejected", { reason = { kind = "rejected", message = "no value" } })
    assert.matches("^Nothing was sent", said(told:done("failed"))[1])
    told = story.new { "ingest" }
    told:ready("ingest"):intend("ingest"):stop("ingest", "rejected"):finish("ingest", "rejected")
    assert.matches("^Fabric did not take the request", said(told:done("failed"))[1])
  end)

  it("tells a notebook that failed from an exit value that was refused", function()
    local told = story.new { "ingest" }
    told:ready("ingest"):run("ingest", 1, "failed"):done("failed")
    assert.matches("its snapshot shows the cell", said(told)[1])
    assert.is_nil(said(told, { is_local = true })[1]:find("Fabric", 1, true))
    told = story.new { "ingest" }
    told:ready("ingest"):start("ingest"):stop("ingest", "succeeded")
    told:finish("ingest", "failed", { reason = { kind = "expect", message = "0 rows" } })
    assert.matches("`expect` refused", said(told:done("failed"))[1])
  end)
end)
