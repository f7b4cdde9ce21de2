-- What the command has in its memory, tokens and secrets of the environment, is for nobody else.

local command = require "spec.cli.command"
local core = require "luafabric.core"
local shell = require "spec.support.shell"
local sign_in = require "spec.credentials.sign_in"

--- Whether this process could have core dumps at all.
local function dumps_are_possible()
  return shell.run("ulimit -S -c unlimited") == 0
end

describe("the memory of the command #process", function()
  it("is not in core dumps, whatever the limit before", function()
    if not dumps_are_possible() then return pending "this process may have no core dumps" end
    local folder = shell.scratch()
    local server = sign_in.serve { device = { approve_after = 60, interval = 0.05 } }
    local file = assert(io.open(folder .. "/start", "w"))
    file:write("#!/bin/sh\nulimit -S -c unlimited\n"
      .. "[ \"$(ulimit -S -c)\" = unlimited ] || exit 9\nexec \"$@\"\n")
    file:close()
    shell.run("chmod +x " .. folder .. "/start")
    local path = command.path
    command.path = folder .. "/start"
    local started = command.start({ path, "login", "--client-id", "app" }, { env = {
      AZURE_AUTHORITY_HOST = server.url, LUAFABRIC_SIGN_IN = folder .. "/sign-in.json" } })
    command.path = path
    started:says "enter the code"
    file = assert(io.open("/proc/" .. started.child.pid .. "/limits", "r"))
    local limits = file:read "*a"
    file:close()
    started:kill "TERM"
    started:finish()
    server.close()
    shell.remove(folder)
    assert.matches("Max core file size%s+0%s", limits)
  end)

  it("cannot be looked into by others of this user, nor can its environment", function()
    local child = assert(core.spawn { args = { os.getenv "LUAFABRIC_LUA", "-e", [[
      local core = require "luafabric.core"
      local function owner()
        return io.popen("stat -c %u /proc/" .. core.pid() .. "/environ"):read()
      end
      local before = owner()
      assert(core.keep_memory_private())
      print(before, owner())]] }, stdout = "pipe",
      env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
    assert.truthy(child:wait(10))
    local text = child:read()
    child:close()
    -- The kernel gives the files of a process that cannot be dumped to root.
    assert.matches("^%d+\t0\n$", text)
  end)
end)
