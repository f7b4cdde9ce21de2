-- What a workflow file requires: what lies beside it first, under the rules of the file itself.

local file = require "luafabric.workflow.file"
local shell = require "spec.support.shell"

local HEAD = 'local fabric = require "luafabric"\n'

local scratch

setup(function() scratch = shell.scratch() end)
teardown(function() shell.remove(scratch) end)

local function write(name, text)
  local handle = assert(io.open(scratch .. "/" .. name, "wb"))
  handle:write(text)
  handle:close()
end

-- The plan of a file whose workflow's function has the body; what stands before it is the file's.
local function plan_of(body, before)
  write("nightly.lua", HEAD .. (before or "")
    .. 'return fabric.workflow("nightly", function(flow)\n' .. body
    .. '\nflow:notebook("A", { workspace = "W" })\nend)')
  local definition, err = file.load(scratch .. "/nightly.lua")
  if not definition then return nil, err.message end
  local plan
  plan, err = definition:plan { inputs = {}, started_at = 0, run_id = "r" }
  return plan, err and err.message
end

describe("A module beside a workflow file", function()
  it("is found when the file is loaded, and when its function runs", function()
    write("beside.lua", "local name = ... return { name = name }")
    assert(plan_of('assert(require("beside").name == "beside")'))
    assert(plan_of("assert(found.name)", 'local found = require "beside"\n'))
  end)

  it("comes before what Lua would find elsewhere, but not before luafabric", function()
    write("luassert.lua", 'return "beside"')
    write("luafabric.lua", 'error "the wrong one"')
    assert(plan_of('assert(require("luassert") == "beside")'))
    assert.is_table(require "luassert")
  end)

  it("is loaded once for a file, and anew for the next", function()
    write("counter.lua", "return { count = 0 }")
    local body = 'local counter = require "counter"\ncounter.count = counter.count + 1\n'
      .. 'assert(require("counter").count == 1)'
    assert(plan_of(body))
    assert(plan_of(body))
    assert.is_nil(package.loaded.counter)
  end)

  it("leaves Lua's own path alone", function()
    local before = package.path
    assert(plan_of "")
    assert.equal(before, package.path)
  end)

  it("is held to the rules of the file", function()
    write("clock.lua", "return function() local now = os.time() return now end")
    local _, message = plan_of 'require("clock")()'
    assert.equal('clock.lua:1: in workflow "nightly": os.time() would give another plan each time; '
      .. "use flow.started_at, the time at which the run started", message)
    write("loose.lua", "\nlimit = 5")
    _, message = plan_of("", 'require "loose"\n')
    assert.equal("loose.lua:2: `limit` is assigned without `local`, which would make it global; "
      .. "write `local limit = …`", message)
  end)

  it("that is not Lua, not there or goes in a circle is told in one sentence", function()
    write("bad.lua", "local t = { a: 1 }")
    local _, message = plan_of("", 'require "bad"\n')
    assert.matches("^bad%.lua:1: this is not Lua: ", message)
    write("inner.lua", 'local it = require "not_there" return it')
    _, message = plan_of 'require "inner"'
    assert.equal("inner.lua:1: there is no module 'not_there', neither beside the file nor where "
      .. "Lua looks", message)
    write("one.lua", 'local it = require "two" return it')
    write("two.lua", 'local it = require "one" return it')
    _, message = plan_of("", 'require "one"\n')
    assert.equal("two.lua:1: the module 'one' requires itself, in a circle", message)
    _, message = plan_of("", "require(5)\n")
    assert.equal("nightly.lua:2: require: expected the name of a module, got 5", message)
  end)

  it("elsewhere that misses another is told in one sentence", function()
    package.preload.half_there = function() return require "not_there_at_all" end
    local _, message = plan_of("", 'require "half_there"\n')
    package.preload.half_there = nil
    assert.equal("nightly.lua:2: the module 'half_there' requires 'not_there_at_all', which is not "
      .. "there", message)
  end)
end)
