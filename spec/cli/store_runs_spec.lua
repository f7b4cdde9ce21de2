-- luafabric runs: what a user sees of the store.

local capture = require "spec.cli.capture"
local cli = require "luafabric.cli"
local json = require "luafabric.json"
local story = require "spec.view.story"
local store_world = require "spec.cli.store_world"

describe("luafabric runs", function()
  local world

  before_each(function() world = store_world.new() end)
  after_each(function() world:close() end)

  local function lines_of(text)
    local lines = {}
    for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
    return lines
  end

  local function put_four()
    world:put_whole() -- of 1970
    local told = story.new({ "a", "b", "c" }, { run_id = "aaaaaabb0000", workflow = "left" })
    told:run("a", 60):run("b", 5, "failed"):start("c")
    world:as_somebody_gone(function() world:put(told.events) end)
    told = story.new({ "a" }, { run_id = "aaaaaacc0000", workflow = "detached",
      at = 1795611700 })
    told:start("a", "J-2"):pass(10):tell("detached")
    world:put(told.events):close()
    told = story.new({ "a" }, { run_id = "bbbbbb000000", workflow = "held", at = 1795611800 })
    world:put(told.events)
  end

  it("are a table, the latest first", function()
    put_four()
    local code, out, err = world:luafabric "runs"
    assert.are.same({ 0, "" }, { code, err })
    local lines = lines_of(out)
    assert.are.equal(5, #lines)
    assert.matches("^bbbbbb +held .* ● running .* 0 ok, 1 open +process %d+$", lines[2])
    assert.matches("^aaaaaac +detached +○ detached .* 10s +0 ok, 1 open +nobody$", lines[3])
    assert.matches("^aaaaaab +left +%? orphaned .* 1m05s +1 ok, 1 failed, 1 open +nobody$",
      lines[4])
    assert.matches("^7f3a12 +nightly +✗ failed .* 1m02s +0 ok, 1 failed, 2 skipped$", lines[5])
  end)

  it("may be those of one state, and so many", function()
    put_four()
    local _, out = world:luafabric("runs", "--state", "detached")
    assert.are.equal(2, #lines_of(out))
    local code, some, err = world:luafabric("runs", "--limit", "3")
    assert.are.same({ 0, 4, "there are more: --limit 15 shows so many\n" },
      { code, #lines_of(some), err })
    _, some, err = world:luafabric("runs", "--limit", "4")
    assert.are.same({ 5, "" }, { #lines_of(some), err })
  end)

  it("are one document for machines", function()
    put_four()
    local code, out = world:luafabric("runs", "--output", "json")
    assert.are.equal(0, code)
    local list = assert(json.decode(out))
    assert.are.equal(4, #list)
    assert.are.same({ run_id = "aaaaaabb0000", short_id = "aaaaaab", workflow = "left",
      state = "running", orphaned = true, outcome = json.null, owner = "nobody",
      started_at = "2026-11-25T13:00:00Z", ended_at = json.null, file = "nightly.lua",
      key = json.null, parent = json.null,
      steps = { ok = 1, failed = 1, skipped = 0, open = 1 } }, list[3])
    assert.are.same({ "failed", "1970-01-01T00:17:42Z", json.null },
      { list[4].outcome, list[4].ended_at, list[4].owner })
  end)

  it("of an empty store are none", function()
    local code, out, err = world:luafabric "runs"
    assert.are.same({ 0, "", ("no runs in %s\n"):format(world.path) }, { code, out, err })
    code, out = world:luafabric("runs", "-o", "json")
    assert.are.same({ 0, "[]\n" }, { code, out })
  end)

  it("are none before the first, but a store that was named must be there", function()
    local function main(...)
      local arguments = { ... }
      return capture.run({}, function() return cli.main(arguments) end)
    end
    local code, out, err = main("runs", "--store", world.folder .. "/none.db")
    assert.are.same({ 2, "" }, { code, out })
    assert.matches("^luafabric: there is no .*/none%.db: no run was started with it", err)
    local option = require "luafabric.store.sqlite"
    local default_path = option.default_path
    option.default_path = function() return world.folder .. "/none.db" end
    code, out, err = main("runs")
    local _, document = main("runs", "-o", "json")
    option.default_path = default_path
    assert.are.same({ 0, "", "[]\n" }, { code, out, document })
    assert.matches("^there is no .*/none%.db", err)
  end)

  it("whose events make no sense do not hide the others", function()
    put_four()
    local run = assert(world.store:create_run { run_id = "cccccc", workflow = "broken" })
    run:append { { type = "step_ready", at = 1, path = "nowhere" } }
    local code, out, err = world:luafabric "runs"
    assert.are.same({ 0, 6 }, { code, #lines_of(out) })
    assert.matches("cccccc +broken .* %? +process", out)
    assert.matches("^luafabric: event 1 of run cccccc in .* cannot have happened: history: "
      .. "step_ready: there is no step nowhere%. Please report this\n$", err)
  end)
end)
