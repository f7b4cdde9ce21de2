-- The scenario on every host, each in a real program of its kind.

local programs = require "spec.hosts.programs"
local shell = require "spec.support.shell"

describe("the scenario #process", function()
  local world

  setup(function() world = programs.world() end)
  teardown(function() world.close() end)

  local function needs(given)
    local reason = programs.missing(given)
    if reason then pending("not tried: " .. reason) end
    return reason ~= nil
  end

  for _, lua in ipairs { "lua5.1", "lua5.3", "lua5.4", "luajit" } do
    it("passes in a plain program, " .. lua, function()
      if needs { lua = lua, package = lua } then return end
      assert.equal("scenario passed on plain\n", programs.run_lua(world, lua, "plain"))
    end)

    for _, name in ipairs { "luv", "cqueues" } do
      it(("passes in a program on %s, %s"):format(name, lua), function()
        if needs { lua = lua, module = name, package = "lua-" .. name } then return end
        assert.equal(("scenario passed on %s\nthe program went on\n"):format(name),
          programs.run_lua(world, lua, name))
      end)
    end
  end

  it("passes in Neovim, in a coroutine and on its main thread", function()
    if needs(programs.neovim_needs) then return end
    local output = programs.run_neovim(world)
    assert.equal("scenario passed on luv\nscenario passed on luv\nthe program went on\n", output)
  end)

  describe("in nginx", function()
    local child, url

    local function start()
      if needs(programs.nginx_needs) then return false end
      child, url = programs.start_nginx(world)
      return true
    end

    after_each(function() if child then child:close() end end)

    local function log()
      local _, text = shell.run("cat " .. world.dir .. "/error.log")
      return text
    end

    for _, where in ipairs { "content", "timer" } do
      it("passes in a " .. where, function()
        if not start() then return end
        assert.equal("scenario passed on nginx\n", programs.get(child, url .. "/" .. where))
        assert.is_nil(log():find("%[[ew][ra][rr][on]"), log()) -- no error and no warning
      end)
    end

    it("passes twice at a time, in one worker", function()
      if not start() then return end
      assert.equal("scenario passed on nginx\nscenario passed on nginx\n",
        programs.get(child, url .. "/two"))
      assert.is_nil(log():find(" signal ", 1, true), log()) -- no worker died
    end)

    it("passes over lua-resty-http, which may be named", function()
      if not start() then return end
      local answer = programs.get(child, url .. "/resty")
      if answer:find("lua-resty-http is not installed", 1, true) then
        print("the scenario over lua-resty-http was not tried: " .. answer)
        pending "not tried: lua-resty-http is not installed"
        return
      end
      assert.equal("scenario passed on nginx\n", answer)
    end)

    it("passes over what stands in for lua-resty-http where that is absent", function()
      if not start() then return end
      assert.equal("scenario passed on nginx\n", programs.get(child, url .. "/resty/stand_in"))
    end)

    it("keeps requests apart, one of which waits with ngx.sleep in a task", function()
      if not start() then return end
      local all = "own went on, timer went on, thread went on\n"
      assert.equal(all .. all, programs.get(child, url .. "/strands"))
    end)

    --- Tells the worker to exit while a request is under way; the answer to it.
    local function answer_of_exiting(path, is_under_way)
      assert.equal("pong", programs.get(child, url .. "/ping"))
      local transport = require("luafabric.curl").transport()
      transport:start { method = "GET", url = url .. path, timeout = 40 }
      repeat transport:wait(0.01) until is_under_way()
      child:kill "QUIT"
      local completion = transport:wait(40)[1]
      transport:close()
      assert.same({ code = 0 }, child:wait(10))
      return completion.body
    end

    it("lets a worker go that is told to exit, and says so to who waits", function()
      if not start() then return end
      assert.matches("^this nginx worker is exiting, so luafabric does not wait any more: what was "
        .. "submitted runs on in Fabric", answer_of_exiting("/long", function()
          local state = programs.get(child, world.fabric.url .. "/emulator/state")
          return state:find('"runs_open":[1-9]')
        end))
    end)

    it("tells a loop that asked for it that the worker is to exit, and lets it end", function()
      if not start() then return end
      assert.equal("left in good order\n", answer_of_exiting("/leave", function()
        return log():find("waits for the exit", 1, true)
      end))
    end)
  end)

  it("is met by a loop of one's own: examples/embedding/own_loop.lua", function()
    local environment = programs.environment(world, "own loop", "build")
    environment.LUAFABRIC_ENDPOINT = environment.SCENARIO_ENDPOINT
    environment.LUAFABRIC_TOKEN = "any"
    assert.equal("succeeded\nthe program went on meanwhile\n",
      programs.run({ "lua5.4", "examples/embedding/own_loop.lua" }, environment))
  end)

  it("passes in HAProxy, in a task and in a service", function()
    if needs(programs.haproxy_needs) then return end
    local child, url = programs.start_haproxy(world)
    assert.equal("scenario passed on haproxy", programs.get(child, url .. "/"))
    assert.equal("scenario passed on haproxy", programs.get(child, url .. "/service"))
    child:close()
  end)
end)
