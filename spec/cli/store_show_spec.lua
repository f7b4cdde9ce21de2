-- luafabric show: a run, or a step, of the store.

local json = require "luafabric.json"
local story = require "spec.view.story"
local store_world = require "spec.cli.store_world"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

describe("luafabric show", function()
  local world

  before_each(function()
    world = store_world.new()
    world:put_whole()
  end)
  after_each(function() world:close() end)

  it("is the whole run, found by the beginning of its id; its outcome is no failure", function()
    local code, out, err = world:luafabric("show", "7f3")
    assert.are.same({ 0, "" }, { code, err })
    assert.matches("^nightly 7f3a12 failed\n  file       nightly%.lua\n  started    1970", out)
    assert.matches("inputs     token = %*%*%*\n", out)
    assert.matches("✗ clean%[us%]  failed  1m00s  job JOB%-2\n      \"column day\"", out)
    assert.matches("%- publish      skipped  upstream: clean\n", out)
    assert.matches("warning  clean: odd\n1 failed, 2 skipped%.", out)
  end)

  it("is one step, with the requests of its attempts", function()
    local code, out = world:luafabric("show", "7f3a12", "clean[us]")
    assert.are.equal(0, code)
    assert.matches("^run nightly 7f3a12\n✗ clean%[us%]  failed", out)
    assert.matches("request    Sales / Clean region %(aaaaaaaa.* / bbbbbbbb.*%)\n    body       {}",
      out)
    assert.is_nil(out:find("publish", 1, true))
  end)

  it("for machines is the run's document, and what the store knows beside it", function()
    local code, out = world:luafabric("show", "7f3a12", "--output", "json")
    local value = assert(json.decode(out))
    assert.are.same({ 0, "7f3a12", "failed", 1, 5, "ended", false, json.null },
      { code, value.run_id, value.outcome, value.exit_code, #value.steps, value.state,
        value.orphaned, value.requests })
    code, out = world:luafabric("show", "7f3a12", "clean[us]", "--output", "json")
    value = assert(json.decode(out))
    assert.are.same({ 0, 1, "clean[us]", "Clean region" },
      { code, #value.steps, value.steps[1].path, value.requests[1].notebook })
  end)

  it("writes reports", function()
    local path = world.folder .. "/r.md"
    local code, _, err = world:luafabric("show", "7f3a12", "--report", path)
    assert.are.same({ 0, ("report     %s\n"):format(path) }, { code, err })
    assert.matches("nightly", read(path))
    code, _, err = world:luafabric("show", "7f3a12", "--report", "r.pdf")
    assert.are.equal(2, code)
    assert.matches("^luafabric: %-%-report r%.pdf: the name decides", err)
  end)

  it("says what it does not know", function()
    local code, out, err = world:luafabric("show", "zz")
    assert.are.same({ 2, "", ("luafabric: no run zz in %s; runs belong to the machine that started "
      .. "them\n"):format(world.path) }, { code, out, err })
    world:put(story.new({ "a" }, { run_id = "7f3a13" }).events)
    code, out, err = world:luafabric("show", "7f")
    assert.are.same({ 2, "" }, { code, out })
    assert.matches("several runs in .* begin with 7f, such as 7f3a12 and 7f3a13: give more", err)
    code, out, err = world:luafabric("show", "7f3a12", "cleen[us]")
    assert.are.same({ 2, "", "luafabric: run 7f3a12 has no step 'cleen[us]'; did you mean "
      .. "'clean[us]'?\n" }, { code, out, err })
    err = select(3, world:luafabric("show", "7f3a12", "xyzzyxyzzy"))
    assert.matches("; its steps are clean, publish, report\n$", err)
    code, out, err = world:luafabric "show"
    assert.are.same({ 2, "" }, { code, out })
    assert.matches("show: which run%? luafabric show RUN; luafabric runs lists them\n", err)
  end)

  it("says of a run that nobody runs why, and how to go on", function()
    local told = story.new({ "a" }, { run_id = "aaaaaa" })
    told:start("a")
    world:as_somebody_gone(function() world:put(told.events) end)
    local code, out = world:luafabric("show", "aaaaaa")
    assert.are.equal(0, code)
    assert.matches("^nightly aaaaaa orphaned\n", out)
    assert.matches("run by     nobody: process %d+ is gone\n", out)
    assert(out:find("Go on with  luafabric run --resume aaaaaa --store " .. world.path, 1, true))
    code, out = world:luafabric("show", "aaaaaa", "-o", "json")
    local value = assert(json.decode(out))
    assert.are.same({ 0, "running", true, json.null }, { code, value.state, value.orphaned,
      value.exit_code })
  end)

  it("knows a run that was detached, and is run again, as running", function()
    local told = story.new({ "a" }, { run_id = "aaaaaa" })
    told:start("a"):tell("detached")
    world:put(told.events):close()
    assert.matches("^nightly aaaaaa detached\n", (select(2, world:luafabric("show", "aaaaaa"))))
    assert(world.store:open_run "aaaaaa")
    local out = select(2, world:luafabric("show", "aaaaaa"))
    assert.matches("^nightly aaaaaa running\n", out)
    assert.matches("run by     process %d+\n", out)
  end)

  it("shows a run whose first event is not written yet", function()
    assert(world.store:create_run { run_id = "aaaaaa", workflow = "early", file = "early.lua" })
    local code, out = world:luafabric("show", "aaaaaa")
    assert.are.equal(0, code)
    assert.matches("^early aaaaaa running\n  file       early%.lua\n", out)
    assert.are.same({ 2, "", "luafabric: run aaaaaa has no step 'x': it has not begun\n" },
      { world:luafabric("show", "aaaaaa", "x") })
  end)
end)
