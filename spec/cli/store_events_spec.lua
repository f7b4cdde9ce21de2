-- luafabric events: the lines, and those that come.

local history = require "luafabric.history"
local json = require "luafabric.json"
local story = require "spec.view.story"
local store_world = require "spec.cli.store_world"

describe("luafabric events", function()
  local world

  before_each(function() world = store_world.new() end)
  after_each(function() world:close() end)

  local function types_of(out)
    local list = {}
    for line in out:gmatch("[^\n]+") do list[#list + 1] = assert(json.decode(line)).type end
    return table.concat(list, " ")
  end

  it("prints lines that tell the same run when they are read again", function()
    world:put_whole()
    local code, out, err = world:luafabric("events", "7f3a12")
    assert.are.same({ 0, "" }, { code, err })
    local state = history.new()
    for line in out:gmatch("[^\n]+") do history.apply(state, assert(json.decode(line))) end
    assert.are.same({ "failed", "JOB-2" }, { state.outcome, state.steps["clean[us]"].job_id })
  end)

  it("begins where it is told to", function()
    world:put_whole()
    local _, out = world:luafabric("events", "7f3a12", "--from", "16")
    assert.are.equal("warning run_ended", types_of(out))
    local code
    code, out = world:luafabric("events", "7f3a12", "--from", "18")
    assert.are.same({ 0, "" }, { code, out })
  end)

  it("of a run that has ended need no waiting", function()
    world:put_whole()
    local code, out = world:module("store_events", { run_id = "7f3a12", from = 17, follow = true },
      function() error("it waits") end)
    assert.are.same({ 0, "run_ended" }, { code, types_of(out) })
  end)

  it("that come are printed until the run has ended, each once", function()
    local told = story.new({ "a" }, { run_id = "aaaaaa" })
    local run = world:put(told.events)
    local more = { { { type = "warning", at = 1, message = "x" },
      { type = "warning", at = 1, message = "y" } }, {},
      { { type = "run_ended", at = 2, outcome = "succeeded", counts = {} } } }
    local code, out, err = world:module("store_events",
      { run_id = "aaa", from = 1, follow = true }, function(seconds)
        assert.are.equal(0.5, seconds)
        run:append(assert(table.remove(more, 1)))
      end)
    assert.are.same({ 0, "run_started warning warning run_ended", "" },
      { code, types_of(out), err })
  end)

  it("stop where nobody runs the run any more", function()
    local told = story.new({ "a" }, { run_id = "aaaaaa" })
    local run = world:put(told.events)
    local code, out, err = world:module("store_events",
      { run_id = "aaa", from = 1, follow = true }, function()
        run:append { { type = "detached", at = 1 } }
        run:close()
      end)
    assert.are.same({ 7, "run_started detached" }, { code, types_of(out) })
    assert.are.equal("nobody runs nightly aaaaaa: it was detached. No more events come until "
      .. ("somebody goes on with it: luafabric run --resume aaaaaa --store %s\n")
        :format(world.path), err)
  end)

  it("are followed until Ctrl-C, which says that the run goes on", function()
    world:put(story.new({ "a" }, { run_id = "aaaaaa" }).events)
    local code, out, err = world:module("store_events",
      { run_id = "aaa", from = 1, follow = true }, function() return true end)
    assert.are.same({ 7, "run_started" }, { code, types_of(out) })
    assert.matches("^interrupted; process %d+ runs nightly aaaaaa on. Look with: luafabric show "
      .. "aaaaaa %-%-store [^\n]+\n$", err)
  end)

  it("of a run that is not there are an error, as an event, too", function()
    local code, out, err = world:luafabric("events", "zz")
    assert.are.equal(2, code)
    assert.are.same({ "error", 2 }, { json.decode(out).type, json.decode(out).exit_code })
    assert.matches("^luafabric: no run zz in ", err)
  end)
end)
