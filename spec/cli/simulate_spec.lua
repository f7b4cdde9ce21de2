-- `luafabric simulate` as a user meets it: the sum of many worlds, the story of one, and what it
-- says of what it cannot play.

local capture = require "spec.cli.capture"
local checks = require "luafabric.simulation.checks"
local command_line = require "luafabric.cli.arguments"
local shell = require "spec.support.shell"
local simulate_command = require "luafabric.cli.simulate"

local HEAD = 'local fabric = require "luafabric"\n'

local NIGHTLY = HEAD .. [[
return fabric.workflow("nightly", function(flow)
  flow:defaults { workspace = "Sales", retry = { attempts = 3, on = { "failed", "capacity" } } }
  local day = flow:input("day", { default = "monday" })
  local ingest = flow:notebook("ingest", { parameters = { day = day } })
  flow:each("clean", ingest:exit("regions"), { notebook = "clean",
    parameters = function(region) return { region = region } end })
  flow:switch("load", ingest:exit("mode"), { full = { notebook = "full" },
    delta = { notebook = "delta" } })
  flow:notebook("report", { when = ingest:exit("a", "b"):is("yes"),
    parameters = { rows = ingest:exit("rows") } })
end)
]]

local scratch

local function write(name, text)
  local file = assert(io.open(scratch .. "/" .. name, "wb"))
  file:write(text)
  file:close()
  return scratch .. "/" .. name
end

--- The command in this process: its code, standard output and standard error.
local function simulate(...)
  local options, message = command_line.parse { "simulate", ... }
  assert(options, message)
  return capture.run({}, function(terminal)
    return simulate_command.run(options, terminal)
  end)
end

describe("luafabric simulate", function()
  setup(function() scratch = shell.scratch() end)
  teardown(function() shell.remove(scratch) end)

  it("plays a workflow in many worlds, with notebooks that give what it reads", function()
    local code, output = simulate(write("nightly.lua", NIGHTLY), "--seeds", "20", "--faults",
      "none")
    assert.equal(0, code, output)
    assert.matches("^20 worlds\n", output)
    assert.matches("\n +%d+  succeeded\n", output)
    assert.matches("\ntime: from %S+ to %S+, half of them within %S+\n", output)
    assert.matches("\nruns: (%d+) started, %1 known\n", output)
    assert.matches("promise: kept in all", output, 1, true)
    assert.not_matches("rejected", output)
  end)

  it("tells what happens in one world, the same each time", function()
    local path = write("nightly.lua", NIGHTLY)
    local code, output = simulate(path, "--seed", "7", "-P", "day=friday")
    assert.equal(0, code, output)
    assert.matches("^faults: ", output)
    assert.matches("attempt_intended  ingest  attempt 1", output, 1, true)
    assert.matches("\noutcome: %a+; %d+ runs started\n$", output)
    local _, again = simulate(path, "--seed", "7", "-P", "day=friday")
    assert.equal(output, again)
  end)

  it("has time for notebooks that run for longer than a day", function()
    local path = write("long.lua", HEAD .. [[return fabric.workflow("long", function(flow)
      flow:notebook("N", { workspace = "W", timeout = "20h" })
      flow:notebook("M", { workspace = "W", after = "N", timeout = "20h" })
    end)]])
    local code, output = simulate(path, "--seeds", "2", "--faults", "none", "--notebooks",
      write("hours.lua", 'return { ["W/N"] = "13h", ["W/M"] = "13h" }'))
    assert.equal(0, code, output)
    assert.matches("\n +2  succeeded\n", output)
  end)

  it("ends with the sum so far where Ctrl-C comes, after the world that it plays", function()
    local path, looks = write("nightly.lua", NIGHTLY), 0
    local options = assert(command_line.parse { "simulate", path, "--seeds", "20" })
    local code, output, told = capture.run({}, function(terminal)
      return simulate_command.run(options, terminal, function()
        looks = looks + 1
        return looks == 3
      end)
    end)
    assert.equal(3, code)
    assert.matches("^3 worlds\n", output)
    assert.equal("interrupted after 3 of 20 worlds\n", told)
  end)

  it("gives the line that plays a world again, with what it was given", function()
    local path = write("nightly.lua", NIGHTLY)
    local notebooks = write("failing.lua", 'return { ["Sales/ingest"] = function(_, run) '
      .. 'run:fail("platform") end, ["Sales/clean"] = 1, ["Sales/full"] = 1, '
      .. '["Sales/delta"] = 1, ["Sales/report"] = 1 }')
    local code, output = simulate(path, "--seeds", "3", "--faults", "429", "--notebooks",
      notebooks, "-P", "day=friday")
    assert.equal(0, code, output)
    assert.matches(("3  failed *luafabric simulate %s --seed 1 --faults 429 --notebooks %s "
      .. "-P day=friday\n"):format(path, notebooks):gsub("%-", "%%-"), output)
  end)

  it("ends with 1 where the promise was not kept, and says where", function()
    local usual = checks.problems
    checks.problems = function() return { "attempt 1 of ingest was started twice" } end
    local code, output = simulate(write("nightly.lua", NIGHTLY), "--seeds", "2")
    checks.problems = usual
    assert.equal(1, code)
    assert.matches("promise: not kept in 2\n", output, 1, true)
    assert.matches("nightly.lua --seed 2\n    attempt 1 of ingest was started twice", output, 1,
      true)
  end)

  it("says what is wrong with what it was given", function()
    local path = write("nightly.lua", NIGHTLY)
    local function says(expected, ...)
      local code, output, told = simulate(...)
      assert.equal(2, code, output)
      assert.equal("", output)
      assert.matches(expected, told, 1, true)
    end
    says("restrat is not a fault, did you mean restart?", path, "--faults", "restrat")
    says("no fault is named", path, "--faults", ",")
    says("did you mean day?", path, "-P", "dya=1")
    says("--notebooks " .. write("nb.lua", "return { Ingest = 1 }"), path, "--notebooks",
      scratch .. "/nb.lua")
    local own = NIGHTLY:gsub('"Sales",', '"Sales", exclusive = true,')
    says("leave one out", write("own.lua", own), "--faults", "foreign")
  end)
end)
