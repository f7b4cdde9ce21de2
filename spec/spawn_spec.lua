local core = require "luafabric.core"

local lua = os.getenv("LUAFABRIC_LUA") or "lua5.4"

--- All that the child prints until every process that holds its output has ended.
local function read_all(child, read)
  local parts, deadline = {}, core.monotonic() + 20
  while core.monotonic() < deadline do
    local text = read(child)
    if not text then return table.concat(parts) end
    parts[#parts + 1] = text
    if text == "" then child:wait(0.01) end
  end
  error("the output did not end")
end

local function output_of(options)
  options.stdout = "pipe"
  local child = assert(core.spawn(options))
  local text = read_all(child, child.read)
  local ending = child:wait(20)
  child:close()
  return text, ending
end

--- Reads one line, of its output unless said otherwise.
local function read_line(child, read)
  local text, deadline = "", core.monotonic() + 20
  while not text:find("\n") and core.monotonic() < deadline do
    text = text .. assert((read or child.read)(child), "the child ended")
    child:wait(0.005)
  end
  return text:match("^(.-)\n")
end

local function is_alive(pid)
  local text, ending = output_of { args = { "kill", "-0", tostring(pid) }, stderr = "null" }
  assert.equal("", text)
  return ending.code == 0
end

--- How many descriptors this process has open; looked at when spawn has come back. What earlier
--- specs of this process left to the garbage collector is closed first, in two rounds, since what a
--- finalizer lets go of is collected by the next.
local function descriptor_count()
  collectgarbage()
  collectgarbage()
  local child = assert(core.spawn { stdin = "pipe", stdout = "pipe",
    args = { "sh", "-c", ("read go; ls /proc/%d/fd"):format(core.pid()) } })
  child:write("go\n")
  local listing = read_all(child, child.read)
  child:close()
  return select(2, listing:gsub("\n", ""))
end

describe("a child process #process", function()
  it("gets arguments, input and environment, and gives output, errors and an exit code", function()
    local child = assert(core.spawn {
      args = { "sh", "-c", 'echo "$1|$LUAFABRIC_A|${HOME-none}|$PWD"; cat; echo oops >&2; exit 7',
        "sh", "a b 'c" },
      env = { LUAFABRIC_A = "x=y", HOME = false }, cwd = "/", stdin = "pipe", stdout = "pipe",
      stderr = "pipe",
    })
    assert.is_true(child.pid > 1)
    assert.is_true(child:write("from the parent"))
    child:close_stdin()
    assert.equal("a b 'c|x=y|none|/\nfrom the parent", read_all(child, child.read))
    assert.equal("oops\n", read_all(child, child.read_error))
    assert.same({ code = 7 }, child:wait(20))
    assert.same({ code = 7 }, child:wait())
    child:close()
    child:close()
  end)

  it("keeps the environment it is not told about, and takes PATH from the one it gets", function()
    assert.equal(os.getenv("PATH") .. "\n",
      (output_of { args = { "sh", "-c", "echo $PATH" }, env = { LUAFABRIC_A = "1" } }))
    local child, message = core.spawn { args = { "true" }, env = { PATH = "/nowhere:/no/where" } }
    assert.is_nil(child)
    assert.equal("cannot start true: not found in PATH (/nowhere:/no/where)", message)
  end)

  it("that cannot start is an error that says why, and leaves nothing behind", function()
    local before = descriptor_count()
    for words, options in pairs {
      ["cannot start no%-such%-program: not found in PATH"] = { args = { "no-such-program" } },
      ["cannot start /no/such: No such file"] = { args = { "/no/such" }, stdin = "pipe",
        stdout = "pipe", stderr = "pipe" },
      ["cannot start /etc/passwd: Permission denied"] = { args = { "/etc/passwd" } },
      ["cannot start true in /no/such: No such file"] = { args = { "true" }, cwd = "/no/such" },
    } do
      local child, message = core.spawn(options)
      assert.is_nil(child)
      assert.matches(words, message)
    end
    assert.equal(before, descriptor_count())
  end)

  it("is refused when its description is wrong, naming the field", function()
    for words, options in pairs {
      ["args: expected a list"] = {}, ["args%[2%]: expected a string"] = { args = { "a", 5 } },
      ["args%[1%]: contains a zero byte"] = { args = { "a\0b" } },
      ["args%[1%]: expected the name of a program"] = { args = { "" } },
      ["env: expected names of variables"] = { args = { "a" }, env = { ["A=B"] = "c" } },
      ["env.A: expected a string"] = { args = { "a" }, env = { A = 5 } },
      ["env.A: contains a zero byte"] = { args = { "a" }, env = { A = "\0" } },
      ["cwd: expected a string"] = { args = { "a" }, cwd = 5 },
      ["stdin: expected \"null\""] = { args = { "a" }, stdin = "tty" },
      ["own_group: expected a boolean"] = { args = { "a" }, own_group = "yes" },
      ["stdot: unknown field"] = { args = { "a" }, stdot = "pipe" },
      ["args\\x00: unknown field"] = { args = { "a" }, ["args\0"] = {} },
      ["stdout: expected \"null\""] = { args = { "a" }, stdout = "pipe\0" },
    } do
      assert.error_matches(function() core.spawn(options) end, "spawn: " .. words)
    end
  end)

  it("has no file or pipe of its parent but its three streams", function()
    local file = assert(io.open("/etc/passwd"))
    local other = assert(core.spawn { args = { "sleep", "1000" }, stdin = "pipe", stdout = "pipe" })
    local listing = output_of { args = { "ls", "-l", "/proc/self/fd" }, stderr = "null" }
    file:close()
    other:close()
    assert.is_nil(listing:find("/etc/passwd", 1, true))
    local _, pipes = listing:gsub("pipe:", "")
    assert.is_true(pipes <= 2, listing) -- its output; and where there is no pidfd, its life line
  end)

  it("starts with default signal handlers and none blocked", function()
    local signals = core.signals { "INT" }
    local _, ending = output_of { args = { "sh", "-c", "kill -INT $$; echo still here" } }
    assert.same({ signal = "INT" }, ending)
    local status = output_of { args = { "cat", "/proc/self/status" } }
    assert.matches("SigBlk:%s+0+\n", status)
    assert.matches("SigIgn:%s+0+\n", status)
    assert.same({}, signals:read())
    signals:close()
  end)

  it("can be waited for a while, looked at, and signalled", function()
    for _, pidfd in ipairs { true, false } do
      local child = assert(core.spawn { args = { "sleep", "1000" }, pidfd = pidfd })
      assert.is_number(child:fd())
      assert.is_nil(child:wait(0))
      assert.is_nil(child:wait(0.01))
      assert.is_true(child:kill("TERM"))
      assert.same({ signal = "TERM" }, child:wait(20))
      assert.is_true(child:kill("TERM")) -- still ours, though it hears nothing
      child:close()
      assert.is_nil(child:kill("TERM"))
      assert.is_nil(child:fd())
      assert.same({ signal = "TERM" }, child:wait(0))
    end
    local child = assert(core.spawn { args = { "true" } })
    assert.error_matches(function() child:kill("NOPE") end, "expected the name of a signal")
    assert.error_matches(function() child:wait(-1) end, "expected seconds from 0 up")
    child:close()
  end)

  it("is read in pieces of the wanted size, 16384 bytes at most", function()
    local child = assert(core.spawn { stdin = "pipe", stdout = "pipe", stderr = "pipe",
      args = { "sh", "-c", "head -c 40000 /dev/zero; echo done >&2; cat" } })
    assert.equal("done", (read_line(child, child.read_error)))
    assert.equal(7, #child:read(7))
    assert.equal(16384, #child:read(1000000))
    for _, wrong in ipairs { 0, -1, "x" } do
      assert.has_error(function() child:read(wrong) end)
    end
    child:close()
    assert.is_nil(child:read())
    assert.is_nil(child:read_error())
  end)

  it("shares the streams of its parent when told to, and has no others", function()
    local parent = assert(core.spawn { stdin = "pipe", stdout = "pipe", args = { lua, "-e", [[
      local core = require "luafabric.core"
      local child = assert(core.spawn { args = { "cat" }, stdin = "inherit", stdout = "inherit" })
      assert(child:read() == nil and child:stdout_fd() == nil and child:stderr_fd() == nil)
      assert(child:write("x") == nil)
      child:wait()]] }, env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
    parent:write("through")
    parent:close_stdin()
    assert.equal("through", read_all(parent, parent.read))
    assert.same({ code = 0 }, parent:wait(20))
    parent:close()
  end)

  it("gets its streams also where its parent has none", function()
    for _, pidfd in ipairs { "true", "false" } do
      local parent = assert(core.spawn { stdin = "pipe", stdout = "pipe",
        args = { "sh", "-c", 'exec 3>&1; exec "$0" -e "$1" <&- >&- 2>&-', lua, ([[
          local core = require "luafabric.core"
          local child = assert(core.spawn { args = { "sh", "-c", "cat; echo error >&2" },
            stdin = "pipe", stdout = "pipe", stderr = "pipe", pidfd = %s })
          assert(child:write("input"))
          child:close_stdin()
          child:wait()
          local result = assert(io.open("/dev/fd/3", "w"))
          result:write(child:read(), "|", child:read_error())
          result:close()]]):format(pidfd) },
        env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
      assert.equal("input|error\n", read_all(parent, parent.read))
      assert.same({ code = 0 }, parent:wait(20))
      parent:close()
    end
  end)

  it("has a pid, a name for people, and nothing that was not given to it", function()
    local child = assert(core.spawn { args = { "true" } })
    assert.equal(("luafabric.child (pid %d)"):format(child.pid), tostring(child))
    assert.is_nil(child.novel)
    assert.is_nil(child[1])
    assert.has_error(function() child.pid = 5 end)
    child:close()
  end)

  it("takes more input than a pipe holds", function()
    local child = assert(core.spawn { args = { "wc", "-c" }, stdin = "pipe", stdout = "pipe" })
    assert.is_true(child:write(("x"):rep(3000000)))
    child:close_stdin()
    assert.equal("3000000", read_all(child, child.read):match("%d+"))
    child:close()
  end)

  it("that does not listen makes a write an error, not the end of this process", function()
    local child = assert(core.spawn { args = { "true" }, stdin = "pipe" })
    child:wait(20)
    local ok, message = child:write("hello")
    assert.is_nil(ok)
    assert.matches("Broken pipe", message)
    child:close()
    child = assert(core.spawn { args = { "sleep", "1000" }, stdin = "pipe" })
    ok, message = child:write(("x"):rep(3000000), 0.01)
    assert.is_nil(ok)
    assert.matches("timed out", message)
    child:close()
    assert.is_nil((child:write("x")))
  end)

  it("leads a group that can be signalled whole, and ends with close", function()
    local program = { "sh", "-c", "sleep 1000 & echo ready; wait" }
    local child = assert(core.spawn { args = program, stdout = "pipe" })
    assert.equal("ready", read_line(child))
    child:kill("TERM", true)
    assert.equal("", read_all(child, child.read)) -- the grandchild held it open
    child:close()

    local outer = { "sh", "-c", "sleep 1000 & echo $!; wait" }
    child = assert(core.spawn { args = outer, stdout = "pipe" })
    local grandchild = read_line(child)
    local pid = child.pid
    assert.is_true(is_alive(grandchild))
    child:close()
    assert.is_false(is_alive(pid))
  end)

  it("that nobody refers to any more is killed and reaped", function()
    local pid
    do
      local child = assert(core.spawn { args = { "sleep", "1000" } })
      pid = child.pid
    end
    assert.is_true(is_alive(pid))
    for _ = 1, 3 do collectgarbage() end
    assert.is_false(is_alive(pid))
  end)

  it("dies when its parent is killed with kill -9", function()
    for _, group in ipairs { "true", "false" } do
      local parent = assert(core.spawn {
        args = { lua, "-e", ([[
          local core = require "luafabric.core"
          local child = assert(core.spawn { args = { "sleep", "1000" }, own_group = %s })
          io.write(child.pid, "\n")
          io.flush()
          child:wait()]]):format(group) },
        env = { LUA_PATH = package.path, LUA_CPATH = package.cpath }, stdout = "pipe",
      })
      local grandchild = read_line(parent)
      assert.is_true(is_alive(grandchild))
      parent:kill("KILL")
      assert.same({ signal = "KILL" }, parent:wait(20))
      assert.equal("", read_all(parent, parent.read)) -- ends when the grandchild lets go of it
      parent:close()
    end
  end)

  it("outlives its parent only when asked to", function()
    local parent = assert(core.spawn {
      args = { lua, "-e", [[
        local core = require "luafabric.core"
        local child = assert(core.spawn { args = { "sleep", "1000" }, die_with_parent = false })
        io.write(child.pid, "\n")
        io.flush()
        child:wait()]] },
      env = { LUA_PATH = package.path, LUA_CPATH = package.cpath }, stdout = "pipe",
    })
    local grandchild = read_line(parent)
    parent:kill("KILL")
    parent:wait(20)
    assert.equal("", parent:read()) -- still held open
    assert.is_true(is_alive(grandchild))
    output_of { args = { "kill", "-KILL", grandchild } }
    assert.equal("", read_all(parent, parent.read))
    parent:close()
  end)

  it("leaves no descriptor behind, however often", function()
    local before = descriptor_count()
    for _ = 1, 20 do
      local child = assert(core.spawn { args = { "true" }, stdin = "pipe", stdout = "pipe",
        stderr = "pipe", pidfd = false })
      child:wait(20)
      child:close()
    end
    assert.equal(before, descriptor_count())
  end)
end)
