local core = require "luafabric.core"

local lua = os.getenv("LUAFABRIC_LUA") or "lua5.4"
local lua_env = { LUA_PATH = package.path, LUA_CPATH = package.cpath }

--- Runs a Lua program in a process of its own; how it ended, and what it printed.
local function run_lua(program)
  local child = assert(core.spawn { args = { lua, "-e", program }, env = lua_env, stdout = "pipe" })
  local ending = child:wait(20)
  local output = child:read()
  child:close()
  return ending, output
end

describe("the system", function()
  it("has a clock that never goes back, and one of the world", function()
    local first = core.monotonic()
    assert.is_true(core.monotonic() >= first)
    assert.is_true(math.abs(core.wall() - os.time()) < 5)
  end)

  it("has random numbers in [0, 1)", function()
    local sum = 0
    for _ = 1, 1000 do
      local number = core.random()
      assert.is_true(number >= 0 and number < 1)
      sum = sum + number
    end
    assert.is_true(sum > 400 and sum < 600)
  end)

  it("has random digits, as many as wanted", function()
    assert.matches("^%x%x$", core.random_hex(1))
    assert.matches("^[0-9a-f]+$", core.random_hex(256))
    assert.equal(512, #core.random_hex(256))
    assert.not_equal(core.random_hex(16), core.random_hex(16))
    for _, count in ipairs { 0, -1, 257, "x" } do
      assert.has_error(function() core.random_hex(count) end)
    end
  end)

  it("knows its process id, and refuses descriptors that are none", function()
    assert.is_true(core.pid() > 0)
    assert.has_error(function() core.isatty(-1) end)
    assert.has_error(function() core.window_size("x") end)
    assert.is_false(core.isatty(99999))
    assert.is_nil(core.window_size(99999))
  end)
end)

describe("a terminal #process", function()
  it("is recognised, and tells its size", function()
    local program = lua .. " -e 'local c = require [[luafabric.core]] "
      .. "io.write(tostring(c.isatty(0)), [[ ]], table.concat({ c.window_size(0) }, [[x]]))'"
    local child = assert(core.spawn { stdout = "pipe", env = lua_env,
      args = { "script", "-qec", "stty cols 123 rows 45; " .. program, "/dev/null" } })
    child:wait(20)
    assert.equal("true 123x45", child:read())
    child:close()
  end)

  it("is nothing that a pipe or a file is", function()
    local ending, output = run_lua("local c = require 'luafabric.core' "
      .. "io.write(tostring(c.isatty(0)), tostring(c.isatty(1)), tostring(c.window_size(1)))")
    assert.equal(0, ending.code)
    assert.equal("falsefalsenil", output)
  end)
end)

describe("signals #process", function()
  local function send(name)
    local child = assert(core.spawn { args = { "kill", "-" .. name, tostring(core.pid()) } })
    assert.equal(0, child:wait(20).code)
    child:close()
  end

  it("come as names through one descriptor, in their order", function()
    local signals = core.signals { "USR1", "TERM", "WINCH" }
    assert.is_number(signals:fd())
    assert.same({}, signals:read())
    for _, name in ipairs { "TERM", "USR1", "WINCH", "USR1" } do send(name) end
    assert.same({ "TERM", "USR1", "WINCH", "USR1" }, signals:read())
    assert.same({}, signals:read())
    signals:close()
    signals:close()
    assert.is_nil(signals:fd())
    assert.same({}, signals:read())
  end)

  it("are as they were before after close", function()
    local ending, output = run_lua([[
      local core = require "luafabric.core"
      local signals = core.signals { "TERM" }
      local function kill() os.execute("kill -TERM " .. core.pid()) end
      kill()
      io.write(signals:read()[1])
      io.flush()
      signals:close()
      kill()
      io.write("still here")]])
    assert.equal("TERM", ending.signal)
    assert.equal("TERM", output)
  end)

  it("stay ignored where whoever started us wants that, as nohup does", function()
    local program = [[
      local core = require "luafabric.core"
      local signals = core.signals { "HUP", "INT", "QUIT", "TERM" }
      -- os.execute would ignore INT and QUIT meanwhile.
      local function kill(name) io.popen("kill -" .. name .. " " .. core.pid()):close() end
      for _, name in ipairs { "HUP", "INT", "QUIT", "TERM" } do kill(name) end
      io.write(table.concat(signals:read(), " "))
      io.flush()
      signals:close()
      kill "HUP"
      io.write(", still here")]]
    local function run_ignoring(names)
      local child = assert(core.spawn { env = lua_env, stdout = "pipe", args = { "sh", "-c",
        "trap '' " .. names .. "; exec \"$0\" -e \"$1\"", lua, program } })
      child:wait(20)
      local output = child:read()
      child:close()
      return output
    end
    assert.equal("TERM, still here", run_ignoring "HUP INT QUIT TERM")
    assert.equal("INT QUIT TERM, still here", run_ignoring "HUP")
    assert.equal("HUP INT QUIT TERM", run_ignoring "USR1")
  end)

  it("are let go of when nobody refers to their set any more", function()
    do
      local signals = core.signals { "WINCH" }
      assert.equal("luafabric.signals (open)", tostring(signals))
    end
    for _ = 1, 3 do collectgarbage() end
    local signals = core.signals { "WINCH", "WINCH" }
    send("WINCH")
    assert.same({ "WINCH" }, signals:read())
    signals:close()
    assert.equal("luafabric.signals (closed)", tostring(signals))
  end)

  it("go to one set of handlers at a time, and a wrong name leaves none", function()
    for _, names in ipairs { {}, { "INT", "NOPE" }, { "CHLD" }, { "KILL" }, { 2 }, "INT" } do
      assert.has_error(function() core.signals(names) end)
    end
    local signals = core.signals { "INT" }
    assert.error_matches(function() core.signals { "TERM" } end, "has a set of handlers already")
    signals:close()
    core.signals({ "SIGTERM" }):close()
  end)
end)
