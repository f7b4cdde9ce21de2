local plain = require "luafabric.hosts.plain"
local core = require "luafabric.core"

describe("the plain host #process", function()
  it("reports signals, in order, and gives them back on close", function()
    local host = plain.new { signals = { "USR1", "USR2" } }
    local pid = core.pid()
    os.execute(("kill -USR1 %d; kill -USR2 %d"):format(pid, pid))
    local names = {}
    while #names < 2 do
      for _, event in ipairs(host.wait(10)) do
        assert.equal("signal", event.kind)
        names[#names + 1] = event.name
      end
    end
    assert.same({ "USR1", "USR2" }, names)
    assert.same({}, host.wait(0))
    host.close()
    plain.new({ signals = { "USR1" } }).close()
  end)

  it("reports the end of a child once", function()
    local host = plain.new {}
    local child = assert(core.spawn { args = { "true" } })
    assert(host.watch_child(child))
    local events = host.wait(10)
    assert.equal("child", events[1].kind)
    assert.equal(child, events[1].child)
    assert.same({ code = 0 }, events[1].child:wait(0))
    assert.same({}, host.wait(0))
    child:close()
    host.close()
  end)

  it("reports any descriptor while it is readable", function()
    local host = plain.new {}
    local child = assert(core.spawn { args = { "echo", "hello" }, stdout = "pipe" })
    assert(host.watch(child:stdout_fd()))
    assert.same({ kind = "fd", fd = child:stdout_fd() }, host.wait(10)[1])
    assert.equal("hello\n", child:read())
    host.unwatch(child:stdout_fd())
    assert.same({}, host.wait(0))
    child:close()
    local ok, message = host.watch(99999)
    assert.is_nil(ok)
    assert.matches("descriptor 99999 cannot be watched: ", message)
    host.close()
  end)

  it("reports that a store has news, once for all who write to it", function()
    local host = plain.new {}
    local child = assert(core.spawn { args = { "echo", "hello" }, stdout = "pipe" })
    local settled = 0
    local function handle()
      return {
        fd = function() return child:stdout_fd() end,
        settle = function() settled = settled + 1 child:read() end,
      }
    end
    local one = handle()
    assert(host.watch_store(one))
    assert(host.watch_store(handle()))
    assert.same({ kind = "store", store = one }, host.wait(10)[1])
    assert.equal(1, settled)
    host.unwatch_store(one) -- the other is still there
    assert.same("store", host.wait(10)[1].kind)
    host.unwatch_store(handle())
    child:wait(10) -- the end of its output is readable for ever
    assert.same({}, host.wait(0))
    child:close()
    assert.is_true(host.watch_store {}) -- one that takes no time
    host.close()
  end)

  it("waits its time, and not shorter", function()
    local host = plain.new {}
    local before = host.now()
    assert.same({}, host.wait(0.003))
    assert.is_true(host.now() - before >= 0.003)
    host.close()
  end)
end)
