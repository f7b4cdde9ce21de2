-- luafabric cancel: asking the process that runs a run, and what is said where there is none.

local json = require "luafabric.json"
local story = require "spec.view.story"
local store_world = require "spec.cli.store_world"

describe("luafabric cancel", function()
  local world, told

  before_each(function()
    world = store_world.new()
    told = story.new({ "a", "b" }, { run_id = "aaaaaa" })
    told:start("a", "J1")
  end)
  after_each(function() world:close() end)

  -- The events that an owner writes who cancels.
  local function ending(first)
    told:pass(5):tell("cancel_requested", nil, { by = "user" }):stop("a", "cancelled")
    told:finish("a", "cancelled")
    told:finish("b", "skipped", { reason = { kind = "cancelled" } }):done("cancelled")
    local events = {}
    for index = first, #told.events do events[#events + 1] = told.events[index] end
    return events
  end

  it("returns when the run has ended, with its code and its summary", function()
    local run = world:put(told.events)
    local seen = {}
    local first = #told.events + 1
    local code, out, err = world:module("store_cancel", { run_id = "aaa" }, function()
      for _, request in ipairs(run:requests()) do seen[#seen + 1] = request.kind end
      if #seen > 0 then run:append(ending(first)) end
    end)
    assert.are.same({ 3, "cancel" }, { code, table.concat(seen, " ") })
    assert.matches("nightly aaaaaa cancelled by user: 1 cancelled, 1 skipped in 5s%.\n$", out)
    assert.matches("^asked process %d+ to cancel nightly aaaaaa; waiting for its end", err)
  end)

  it("--now asks for no finally steps; --output json is the run's document", function()
    local run = world:put(told.events)
    local first, seen = #told.events + 1, nil
    local code, out, err = world:module("store_cancel", { run_id = "aaa", now = true,
      output = "json", quiet = true }, function()
      seen = run:requests()[1].kind
      run:append(ending(first))
    end)
    local value = assert(json.decode(out))
    assert.are.same({ 3, "cancel_now", "cancelled", 3, "user", "" },
      { code, seen, value.outcome, value.exit_code, value.cancelled_by, err })
  end)

  it("asks again who has taken the run over meanwhile", function()
    local run = world:put(told.events)
    local first, looks, seen = #told.events + 1, 0, nil
    local code = world:module("store_cancel", { run_id = "aaa" }, function()
      looks = looks + 1
      if looks == 1 then
        run = assert(world.store:open_run("aaaaaa", { take_over = true }))
        assert.are.same({}, run:requests())
      else
        seen = run:requests()[1].kind
        run:append(ending(first))
      end
    end)
    assert.are.same({ 3, 2, "cancel" }, { code, looks, seen })
  end)

  it("of a run that has ended says so, and how it ended", function()
    world:put_whole()
    local code, out, err = world:luafabric("cancel", "7f3a12")
    assert.are.same({ 1, "run 7f3a12 has ended already\n" }, { code, err })
    assert.matches("nightly 7f3a12 failed: ", out)
  end)

  it("of a run that nobody runs names what may run in Fabric, and how to go on", function()
    told:intend("b")
    world:as_somebody_gone(function() world:put(told.events) end)
    local code, out, err = world:luafabric("cancel", "aaa")
    assert.are.same({ 7, "" }, { code, out })
    assert.matches("^luafabric: nobody runs nightly aaaaaa: process %d+ is gone%. Nothing was "
      .. "cancelled; go on with it: luafabric run %-%-resume aaaaaa %-%-store ", err)
    assert.matches("\n  a may still run in Fabric: luafabric notebook cancel w%-1 n%-1 J1\n", err)
    assert.matches("\n  b may or may not run in Fabric: look with luafabric notebook list w%-1 "
      .. "n%-1\n$", err)
    code, out = world:luafabric("cancel", "aaa", "-o", "json")
    local value = assert(json.decode(out))
    assert.are.same({ 7, 7, "aaaaaa", "usage" },
      { code, value.exit_code, value.run_id, value.error.kind })
    assert.are.same({}, world.store:rows "select * from requests")
  end)

  it("of one that nobody runs, and of which nothing runs, is refused", function()
    told = story.new({ "a" }, { run_id = "aaaaaa" })
    world:put(told.events):close()
    local code, _, err = world:luafabric("cancel", "aaa")
    assert.are.equal(2, code)
    assert.matches("^luafabric: nobody runs nightly aaaaaa: the process that ran it let it go%.",
      err)
  end)

  it("says so when the process that was asked is gone before the end", function()
    local run = world:put(told.events)
    local code, _, err = world:module("store_cancel", { run_id = "aaa" }, function()
      run:close()
    end)
    assert.are.equal(7, code)
    assert.matches("\nluafabric: nobody runs nightly aaaaaa: the process that ran it let it go",
      err)
  end)

  it("that is interrupted leaves the request", function()
    local run = world:put(told.events)
    local code, out, err = world:module("store_cancel", { run_id = "aaa", output = "json" },
      function() return true end)
    assert.are.same({ 7, "cancelled", 7 }, { code, json.decode(out).error.kind,
      json.decode(out).exit_code })
    assert.matches("\ninterrupted; process %d+ still cancels the run%. Look with: luafabric show "
      .. "aaaaaa %-%-store ", err)
    assert.are.equal(1, #run:requests())
  end)

  it("of a notebook's run has another form", function()
    local code, _, err = world:luafabric("cancel", "W", "N", "J")
    assert.are.equal(2, code)
    assert.matches("for a single notebook's: luafabric notebook cancel WORKSPACE NOTEBOOK JOB", err)
  end)
end)
