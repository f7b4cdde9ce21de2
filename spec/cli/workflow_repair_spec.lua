-- `luafabric repair`, as somebody at a terminal sees it: what it refuses, and a repair of a run
-- that went wrong, on the emulator.

local command = require "spec.cli.command"
local shell = require "spec.support.shell"
local store_world = require "spec.cli.store_world"

describe("luafabric repair", function()
  local world
  before_each(function() world = store_world.new() end)
  after_each(function() world:close() end)

  it("says what is wrong before anything is sent", function()
    local code, out, err, _ = world:luafabric("repair", "nosuch")
    assert.equal(2, code)
    assert.equal("", out)
    assert.matches("^luafabric: no run nosuch in .*runs belong to the machine that started them",
      err)
    code, _, err = world:luafabric("repair")
    assert.equal(2, code)
    assert.matches("repair: which run%? luafabric repair RUN; luafabric runs lists them", err)
    world:put { { type = "run_started", run_id = "ab12cd", workflow = "nightly", at = 1000,
      steps = {}, inputs = {} } }
    code, _, err = world:luafabric("repair", "ab12")
    assert.equal(2, code)
    assert.matches("run ab12cd has not ended, and is being run: wait for it, or cancel it", err)
  end)

  it("gives its reports and its document where there is nothing to repair", function()
    local path, report = world.folder .. "/nightly.lua", world.folder .. "/nightly.md"
    local file = assert(io.open(path, "w"))
    file:write('return require("luafabric").workflow("nightly", function(flow) '
      .. 'flow:notebook("load", { workspace = "Sales" }) end)')
    file:close()
    world:put({ { type = "run_started", run_id = "ab12cd", workflow = "nightly", at = 1000,
      steps = {}, inputs = {} }, { type = "run_ended", at = 1001, outcome = "succeeded",
      counts = {} } }):close()
    local code, out, err, _ = world:luafabric("repair", "ab12", path, "--report", report,
      "--output", "jsonl")
    assert.equal(0, code, err)
    assert.matches('^{"type":"run_ended".*"outcome":"succeeded"', out)
    assert.matches("there is nothing to repair", err)
    file = assert(io.open(report))
    assert.matches("nightly", file:read("*a"))
    file:close()
    code, out = world:luafabric("repair", "ab12", path, "--report", report, "--output", "json")
    assert.equal(0, code)
    assert.matches('"reports":%["[^"]*nightly%.md"%]', out)
  end)

  it("is named with all that the run needed", function()
    local repair = require "luafabric.cli.workflow_repair"
    local run = world:put { { type = "run_started", run_id = "ab12cd", workflow = "nightly",
      at = 1000, steps = {}, inputs = {} } }
    run:close()
    assert.equal("luafabric repair ab12cd --store runs.db --endpoint https://api.example/v1 "
      .. "--parameter-env key=NIGHTLY_KEY", repair.command(world.store, { run_id = "ab12cd",
      outcome = "failed" }, { store = "runs.db", parameter_env = { "key=NIGHTLY_KEY" } },
      " --endpoint https://api.example/v1"))
  end)
end)

describe("luafabric repair #process", function()
  local FILE = [[
local fabric = require "luafabric"
return fabric.workflow("nightly", function(flow)
  flow:defaults { workspace = "Tests", notebook = "Echo" }
  local least = flow:input("least", { type = "Integer", default = 1 })
  local first = flow:notebook("first")
  flow:each("clean", { "eu", "us" }, { after = first,
    parameters = function(region) return { text = region } end })
  flow:notebook("check", { after = first, parameters = { integer = least },
    expect = function() return least == 0, "too few" end })
  flow:notebook("last", { after = { "clean", "check" } })
end)
]]

  local folder
  before_each(function() folder = shell.scratch() end)
  after_each(function() shell.remove(folder) end)

  local function luafabric(...)
    return command.start({ ... }, {}):finish()
  end

  it("runs what failed and what comes after it, and says what was kept", function()
    local path, store = folder .. "/nightly.lua", folder .. "/runs.db"
    local file = assert(io.open(path, "w"))
    file:write(FILE)
    file:close()
    local first = luafabric("run", path, "--local", "spec/notebooks", "--store", store)
    assert.equal(1, first.code)
    local id = first.out:match("Next: luafabric repair (%x+) %-%-store")
    assert.is_string(id)
    local second = luafabric("repair", id, "--local", "spec/notebooks", "--store", store, "-P",
      "least=0")
    assert.equal(0, second.code)
    assert.matches("4 ok %(2 kept%)", second.out)
    assert.matches("clean%[eu%]  succeeded, kept from run " .. id, second.err)
    local _, submitted = second.err:gsub("submitted  job", "")
    assert.equal(2, submitted)
    id = luafabric("runs", "--store", store).out:match("\n(%x+)  nightly, repairs " .. id)
    local third = luafabric("repair", id, "--store", store)
    assert.equal(0, third.code)
    assert.matches("there is nothing to repair", third.err)
  end)
end)
