-- The JUnit report, as CI systems read it.

local report = require "luafabric.view.report_junit"
local story = require "spec.view.story"

describe("the JUnit report", function()
  it("has a suite for the workflow and a case for each step and item", function()
    local told = story.new({ "ingest", { path = "clean", kind = "each" }, "Publish" },
      { inputs = { { name = "day", type = "Text", value = "monday" } } })
    told:ready("ingest"):run("ingest", 60, nil, { exit_value = "42" })
    told:expand("clean", { "eu", "us" }):run("clean[eu]", 30.5)
    told:run("clean[us]", 10, "failed", { job_id = "4c1e",
      reason = { kind = "failed", message = "column\nday" } })
    told:finish("clean", "unknown", { reason = { kind = "unknown", message = "lost" } })
    told:finish("Publish", "skipped", { reason = { kind = "upstream", step = "clean" } })
    told:done("unknown")
    assert.are.equal([[
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="luafabric" tests="5" failures="1" errors="1" skipped="1" time="100.500">
 <testsuite name="nightly" timestamp="2026-11-25T13:00:00" tests="5" failures="1" errors="1" ]]
      .. [[skipped="1" time="100.500">
  <properties>
    <property name="run" value="7f3a12"/>
    <property name="outcome" value="unknown"/>
    <property name="input.day" value="monday"/>
  </properties>
  <testcase name="ingest" classname="nightly" time="60.000">
    <system-out>exit value: 42</system-out>
  </testcase>
  <testcase name="clean" classname="nightly" time="40.500">
    <error message="lost" type="unknown">outcome: unknown&#10;reason: lost</error>
  </testcase>
  <testcase name="eu" classname="clean" time="30.500"/>
  <testcase name="us" classname="clean" time="10.000">
    <failure message="column day" type="failed">outcome: failed&#10;reason: column&#10;day&#10;]]
      .. [[attempts: 1&#10;job: 4c1e</failure>
  </testcase>
  <testcase name="Publish" classname="nightly" time="0">
    <skipped message="upstream: clean"/>
  </testcase>
 </testsuite>
</testsuites>
]], report(told.state))
  end)

  it("is no failure where the workflow bears it", function()
    local told = story.new { { path = "score", may_fail = true },
      { path = "clean", kind = "each" } }
    told:ready("score"):run("score", 1, "failed"):expand("clean", { "us" })
    told:run("clean[us]", 1, "failed"):finish("clean", "succeeded"):done("succeeded")
    local xml = report(told.state)
    assert.is_truthy(xml:find('tests="3" failures="0" errors="0" skipped="0"', 1, true))
    local _, count = xml:gsub("<system%-out>borne", "")
    assert.are.equal(2, count)
  end)

  it("counts an unknown fate as an error even where failures are borne", function()
    local told = story.new { { path = "score", may_fail = true } }
    told:ready("score"):run("score", 1, "unknown"):done("unknown")
    assert.is_truthy(report(told.state):find('errors="1"', 1, true))
  end)

  it("counts what had not ended as skipped", function()
    local told = story.new { "ingest", "Publish" }
    told:ready("ingest"):start("ingest"):pass(5):tell("detached")
    local xml = report(told.state)
    assert.is_truthy(xml:find('skipped="2"', 1, true))
    assert.is_truthy(xml:find('<property name="outcome" value="detached"/>', 1, true))
  end)

  it("is XML whatever others wrote", function()
    local bad = "]]>\"'<&\0\27\255\239\191\191 ü日🚀\ttab\nline"
    local told = story.new({ { path = bad } }, { workflow = bad, run_id = bad, inputs = {
      { name = bad, value = bad } } })
    told:ready(bad):run(bad, 1, "failed", { exit_value = bad, failure_reason = bad })
    local xml = report(told:done("failed").state)
    assert.is_nil(xml:find("[%z\1-\8\11-\31\127]"))
    assert.is_nil(xml:find("\255", 1, true))
    assert.is_nil(xml:find("\239\191\191", 1, true))
    local shown = "]]&gt;&quot;&#39;&lt;&amp;???? ü日🚀&#9;tab&#10;line"
    assert.is_truthy(xml:find('<testcase name="' .. shown .. '"', 1, true))
    -- Every "<" begins an element of ours, and every "&" one of the known signs.
    for name in xml:gmatch("<[/?]?(%a*)") do assert.is_truthy(name ~= "") end
    for sign in xml:gmatch("&([^;]*);") do
      assert.is_truthy(({ amp = 1, lt = 1, gt = 1, quot = 1, ["#39"] = 1, ["#9"] = 1,
        ["#10"] = 1 })[sign], sign)
    end
  end)

  it("is red where the run did not succeed, even though no step failed", function()
    local function case(told, options)
      local xml = report(told.state, options)
      assert.is_truthy(xml:find('errors="1"', 1, true), xml)
      return xml:match('<testcase name="nightly".-</testcase>')
    end
    local told = story.new { "ingest" }
    told:finish("ingest", "skipped", { reason = { kind = "timeout" } }):done("timed_out")
    assert.are.equal('<testcase name="nightly" classname="workflow" time="0">\n'
      .. '    <error message="nightly 7f3a12 timed out" type="timed_out"/>\n  </testcase>',
      case(told))
    assert.matches('type="detached"', case(story.new({ "ingest" }):tell("detached")))
    assert.matches('type="running"', case(story.new { "ingest" }))
    told = story.new { "ingest" }
    told:ready("ingest"):run("ingest", 1):done("succeeded")
    assert.matches('message="boom" type="succeeded"', case(told, { error = "boom" }))
    assert.is_truthy(report(told.state):find('tests="1" failures="0" errors="0"', 1, true))
  end)

  it("has inputs of any JSON as such", function()
    local told = story.new({}, { inputs = { { name = "options", type = "Automatic",
      value = { depth = 2 } } } })
    assert.is_truthy(report(told.state):find('value="{&quot;depth&quot;:2}"', 1, true))
  end)
end)
