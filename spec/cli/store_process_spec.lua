-- The commands that look into the store, as processes beside the one that runs a run.

local command = require "spec.cli.command"
local core = require "luafabric.core"
local json = require "luafabric.json"
local shell = require "spec.support.shell"

local LIMIT = 60 -- seconds that only a failure reaches

local Owner = {}
Owner.__index = Owner

local function start_owner(path)
  local child = assert(core.spawn { stdin = "pipe", stdout = "pipe",
    args = { os.getenv("LUAFABRIC_LUA") or "lua5.4", "spec/cli/store_owner.lua", path },
    env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
  return setmetatable({ child = child }, Owner)
end

--- Has it do something; what it answers.
function Owner:ask(line)
  assert(self.child:write(line .. "\n"))
  local text, deadline = "", core.monotonic() + LIMIT
  while not text:find("\n") do
    local more = self.child:read()
    assert(more and core.monotonic() < deadline, "it did not answer: " .. line)
    text = text .. more
    if more == "" then self.child:wait(0.01) end
  end
  return (text:gsub("\n$", ""))
end

describe("beside another process #process", function()
  local folder, path, owner

  before_each(function()
    folder = shell.scratch()
    path = folder .. "/luafabric/runs.db"
    owner = start_owner(path)
    owner:ask "create aaaaaa"
  end)
  after_each(function()
    owner.child:close()
    shell.remove(folder)
  end)

  -- Without --store: the file of whoever calls.
  local function start(...)
    return command.start({ ... }, { env = { XDG_STATE_HOME = folder } })
  end

  local function lines_with(started, word)
    started:until_true(function() return started.out:find(word, 1, true) end)
  end

  it("events --follow tell what it writes, until the run has ended", function()
    local events = start("events", "aaa", "--follow", "--from", "2")
    lines_with(events, '"status_changed"')
    owner:ask "warn one"
    lines_with(events, '"one"')
    owner:ask "warn two"
    owner:ask "end succeeded"
    events:finish()
    local types = {}
    for line in events.out:gmatch("[^\n]+") do types[#types + 1] = json.decode(line).type end
    assert.are.same({ 0, "", "attempt_intended attempt_submitted status_changed warning warning "
      .. "attempt_ended step_ended run_ended" }, { events.code, events.err,
      table.concat(types, " ") })
  end)

  it("cancel has it cancel the run, and ends with its end", function()
    local cancel = start("cancel", "aaa", "--now")
    cancel:says "waiting for its end"
    assert.are.equal("asked: cancel_now", owner:ask "look")
    assert.are.equal("asked: ", owner:ask "look")
    owner:ask "end cancelled"
    cancel:finish()
    assert.are.equal(3, cancel.code)
    assert.matches("nightly aaaaaa cancelled: 1 cancelled in ", cancel.out)
    assert.matches(("^asked process %d to cancel"):format(owner.child.pid), cancel.err)
  end)

  it("they say when it was killed", function()
    local cancel, events = start("cancel", "aaa"), start("events", "aaa", "--follow")
    cancel:says "waiting for its end"
    lines_with(events, '"status_changed"')
    assert(owner.child:kill "KILL")
    cancel:finish()
    events:finish()
    local why = ("nobody runs nightly aaaaaa: process %d is gone."):format(owner.child.pid)
    for _, ended in ipairs { cancel, events } do
      assert.are.equal(7, ended.code)
      assert(ended.err:find(why, 1, true), ended.err)
    end
    assert.matches("a may still run in Fabric: luafabric notebook cancel w%-1 n%-1 job%-a\n",
      cancel.err)
    local runs = start("runs"):finish()
    assert.matches("\naaaaaa  nightly   %? orphaned  .* 1 open +nobody\n$", runs.out)
    local show = start("show", "aaa"):finish()
    assert.are.equal(0, show.code)
    assert.matches("^nightly aaaaaa orphaned\n.*Go on with  luafabric run %-%-resume aaaaaa\n$",
      show.out)
  end)

  it("Ctrl-C ends the waiting of cancel, and not what was asked for", function()
    local cancel = start("cancel", "aaa")
    cancel:says "waiting for its end"
    cancel:kill "INT"
    cancel:finish()
    assert.are.equal(7, cancel.code)
    assert.matches("\ninterrupted; process %d+ still cancels the run%. Look with: luafabric show "
      .. "aaaaaa\n$", cancel.err)
    assert.are.equal("asked: cancel", owner:ask "look")
  end)

  it("help and completion know them", function()
    for _, name in ipairs { "runs", "show", "events", "cancel" } do
      local help = start(name, "--help"):finish()
      assert.are.equal(0, help.code)
      assert.matches("^Usage: luafabric " .. name .. " ", help.out)
      assert.matches("%-%-store PATH", help.out)
    end
    assert.matches("\n   runs +List the runs of workflows", start("--help"):finish().out)
    assert.matches("%-%-follow", start("completion", "bash"):finish().out)
    local bare = start():finish()
    assert.matches("commands: run, repair, plan, .*runs, show, events, cancel", bare.err)
  end)
end)
