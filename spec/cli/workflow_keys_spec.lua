-- Two commands that run the same workflow with the same inputs, as real processes on one store; and
-- stores that cannot be used.

local command = require "spec.cli.command"
local json = require "luafabric.json"
local shell = require "spec.support.shell"
local world = require "spec.cli.workflow_world"

local path, started = world.path, world.started

-- All in one state folder.
local function begin(name, ...)
  return command.start({ "run", path(name .. ".lua"), ... }, { env = world.environment })
end

local function run(name, ...) return begin(name, ...):finish() end

local function look(...)
  return command.run({ ... }, { env = world.environment })
end

--- Starts the endless workflow under a key, and waits until its run is on.
local function running(key, ...)
  local before = started "Endless"
  local process = begin("endless", "--key", key, ...)
  process:until_true(function() return started "Endless" == before + 1 end)
  process:says "Endless  submitted"
  return process, process.err:match("luafabric run %-%-resume (%x+)")
end

describe("two commands of one key #process", function()
  setup(world.prepare)
  teardown(world.clean_up)

  it("the second is refused, with the commands for what can be done", function()
    local first, id = running "refused"
    local before = started "Endless"
    local second = run("endless", "--key", "refused")
    assert.are.equal(2, second.code)
    assert.are.equal(("luafabric: endless %s has the same key, and process %d runs it: nothing was "
      .. "sent. Follow it with --on-duplicate join; look: luafabric show %s; end it: luafabric "
      .. "cancel %s\n"):format(id, first.child.pid, id, id), second.err)
    local cancelled = look("cancel", id)
    assert.are.equal(3, cancelled.code, cancelled.err)
    assert.are.same({ 3, before }, { first:finish().code, started "Endless" })
  end)

  it("begun at the same moment, one of them runs", function()
    local before = started "Done"
    local processes, codes = {}, {}
    for index = 1, 4 do processes[index] = begin("done", "--output", "json") end
    for index, process in ipairs(processes) do codes[index] = process:finish().code end
    table.sort(codes)
    -- One that came when the first had ended runs, too.
    local ran = 0
    for index, process in ipairs(processes) do
      if process.code == 0 then ran = ran + 1 end
      if process.code == 2 then
        assert.matches("has the same key", process.document.error.message, 1, true)
      end
      assert.is_true(process.code == 0 or process.code == 2, processes[index].err)
    end
    assert.are.equal(0, codes[1])
    assert.are.equal(before + ran, started "Done")
  end)

  it("follows the other, in lines and as events, and ends with its code", function()
    local first, id = running "joined"
    local lines = begin("endless", "--key", "joined", "--on-duplicate", "join")
    local events = begin("endless", "--key", "joined", "--on-duplicate", "join", "-o", "jsonl")
    lines:says "Endless  submitted"
    assert.matches(("^endless %s has the same key, and process %d runs it: this follows it"):format(
      id, first.child.pid), lines.err)
    events:says "Endless  submitted"
    first:kill "TERM"
    first:finish()
    for _, process in ipairs { first, lines, events } do
      assert.are.equal(3, process:finish().code, process.err)
    end
    assert.matches("cancelled by user", lines.out)
    local types = {}
    for line in events.out:gmatch("[^\n]+") do types[#types + 1] = json.decode(line).type end
    assert.are.same({ "run_started", "run_ended" }, { types[1], types[#types] })
  end)

  it("Ctrl-C ends only the following, and a dead owner is told with the way to go on", function()
    local first, id = running "left"
    local left = begin("endless", "--key", "left", "--on-duplicate", "join")
    left:says "Endless  submitted"
    left:kill "INT"
    assert.are.equal(7, left:finish().code)
    assert.matches(("no longer following endless %s, which process %d runs on. Look with: "
      .. "luafabric show %s\n"):format(id, first.child.pid, id), left.err, 1, true)
    local orphaned = begin("endless", "--key", "left", "--on-duplicate", "join")
    orphaned:says "Endless  submitted"
    first:kill "KILL"
    first:finish()
    assert.are.equal(7, orphaned:finish().code)
    assert.matches(("nobody runs endless %s any more: process %d is gone. Go on with it: luafabric "
      .. "run --resume %s\n"):format(id, first.child.pid, id), orphaned.err, 1, true)
    assert.matches("Next: luafabric run %-%-resume " .. id, orphaned.out)

    local before = started "Endless"
    local refused = run("endless", "--key", "left")
    assert.are.equal(2, refused.code)
    assert.matches(("nobody runs it: process %d is gone. Nothing was sent; --on-duplicate replace "
      .. "ends it first; go on with it: luafabric run --resume %s;"):format(first.child.pid, id),
      refused.err, 1, true)
    assert.are.equal(before, started "Endless")

    local again = begin("endless", "--key", "left", "--on-duplicate", "replace")
    again:until_true(function() return started "Endless" == before + 1 end)
    again:says "Endless  submitted"
    assert.matches("nobody runs it: what of it runs in Fabric is cancelled first", again.err)
    assert.matches("cancelled by replacement", look("show", id).out)
    again:kill "TERM"
    assert.are.equal(3, again:finish().code)
  end)

  it("a signal while a left run is ended is about that one: nothing of it is forgotten", function()
    local first, id = running "leaving"
    first:kill "KILL"
    first:finish()
    local before = started "Endless"
    local again = begin("held", "--key", "leaving", "--on-duplicate", "replace")
    again:finish()
    assert.are.equal(2, again.code, again.err)
    assert.matches("it is a run of the workflow endless, and this is held", again.err)
    again = begin("endless", "--key", "leaving", "--on-duplicate", "replace")
    again:says "is cancelled first"
    again:kill "QUIT"
    again:finish()
    -- It may have been taken up by then, or not.
    assert.are.equal(7, again.code, again.err)
    assert.is_nil(again.err:find("nothing was submitted", 1, true))
    assert.matches("luafabric run --resume " .. id, again.err, 1, true)
    assert.are.equal(before, started "Endless")
  end)

  it("Ctrl-C while the owner is awaited: it still cancels, and nothing was started", function()
    local first = begin("stubborn", "--key", "awaited")
    first:says "Endless  submitted"
    local id = first.err:match "luafabric run %-%-resume (%x+)"
    local second = begin("endless", "--key", "awaited", "--on-duplicate", "replace")
    second:says "asked process"
    second:kill "INT"
    assert.are.equal(7, second:finish().code)
    assert.matches(("interrupted: nothing was started. Run %s was asked to cancel, and goes on "
      .. "doing so. Look with: luafabric show %s\n"):format(id, id), second.err, 1, true)
    local joined = begin("stubborn", "--key", "awaited", "--on-duplicate", "join", "-o", "json")
    joined:says "this follows it"
    joined:kill "INT"
    joined:finish()
    assert.are.same({ 7, id }, { joined.code, joined.document.run_id })
    first:kill "QUIT"
    assert.are.equal(7, first:finish().code)
  end)

  it("replaces the other, which ends before", function()
    local first = running "replaced"
    local before = started "Endless"
    local second = begin("endless", "--key", "replaced", "--on-duplicate", "replace")
    assert.are.equal(3, first:finish().code)
    assert.matches("cancelled by replacement", first.out)
    second:until_true(function() return started "Endless" == before + 1 end)
    second:says "Endless  submitted"
    second:kill "TERM"
    assert.are.equal(3, second:finish().code)
  end)
end)

describe("a run that is kept #process", function()
  setup(world.prepare)
  teardown(world.clean_up)

  it("says how to resume it: at first, when told to end, and when it is left", function()
    local process, id = running("resumed", "--store", path "own.db")
    local resume = ("luafabric run --resume %s --store %s"):format(id, path "own.db")
    assert.matches("\nif it is cut off, go on with it: " .. resume .. "\n", process.err, 1, true)
    process:kill "QUIT"
    process:finish()
    assert.are.equal(7, process.code)
    assert.matches("\ngo on with this run later: " .. resume .. "\n", process.err, 1, true)
    assert.matches("Next: " .. resume .. "\n", process.out, 1, true)
    local resumed = command.start({ "run", "--resume", id, "--store", path "own.db" },
      { env = world.environment })
    resumed:says("endless " .. id .. ": 3 steps")
    resumed:kill "TERM"
    resumed:finish()
    assert.are.equal(3, resumed.code)
    assert.matches("if this is ended before that, finish it with: " .. resume .. "\n", resumed.err,
      1, true)
  end)

  it("nowhere promises nothing, and neither does one of --local, which is kept nowhere", function()
    local before = started "Endless"
    local process = begin("endless", "--store", "memory")
    process:until_true(function() return started "Endless" == before + 1 end)
    process:says "Endless  submitted"
    process:kill "QUIT"
    process:finish()
    assert.is_nil((process.err .. process.out):find("--resume", 1, true))
    assert.matches("look with: luafabric notebook status", process.err)
    local folder = shell.scratch()
    local env = { XDG_STATE_HOME = folder }
    local ran = command.run({ "run", path "here.lua", "--local", "spec/notebooks" }, { env = env })
    assert.are.equal(0, ran.code, ran.err)
    assert.is_nil(ran.err:find("--resume", 1, true))
    assert.matches("^there is no ", command.run({ "runs" }, { env = env }).err)
    shell.remove(folder)
  end)
end)

describe("a store that cannot be used #process", function()
  setup(world.prepare)
  teardown(world.clean_up)

  it("is one sentence and code 2, and nothing is sent", function()
    world.write("not_one.db", ("this is no database at all\n"):rep(50))
    assert.are.equal(0, (shell.run(("mkdir '%s'"):format(path "folder.db"))))
    local sqlite = require "luafabric.sqlite"
    local schema = require "luafabric.store.sqlite_schema"
    assert(sqlite.private_file(path "newer.db"))
    local db = assert(sqlite.open(path "newer.db", {}))
    assert(db:exec(("pragma application_id = %d; pragma user_version = %d"):format(
      schema.APPLICATION, schema.VERSION + 1)))
    db:close()
    local none = { XDG_STATE_HOME = false, HOME = false }
    local cases = {
      { store = path "not_one.db", says = "is not a store of runs" },
      { store = path "newer.db", says = "use a newer luafabric, or another file with --store" },
      { store = path "folder.db", says = "is a folder" },
      { store = "/proc/luafabric/runs.db", says = "the store of runs: " },
      { env = none, says = "neither XDG_STATE_HOME nor HOME is set" },
      { env = { XDG_STATE_HOME = path "not_one.db" }, says = "Give another file with --store" },
    }
    for _, case in ipairs(cases) do
      local env = {}
      for name, value in pairs(world.environment) do env[name] = value end
      for name, value in pairs(case.env or {}) do env[name] = value end
      local ended = command.run({ "run", path "endless.lua", case.store and "--store" or nil,
        case.store }, { env = env })
      assert.are.equal(2, ended.code, case.says .. ": " .. ended.err)
      assert(ended.err:find(case.says, 1, true), ended.err)
      assert.matches("^luafabric: [^\n]+\n$", ended.err)
      assert.are.equal("", ended.out)
    end
    assert.are.equal(0, world.state().posts)
  end)
end)
