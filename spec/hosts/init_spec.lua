local hosts = require "luafabric.hosts"
local tasks = require "luafabric.tasks"

describe("the host that fits", function()
  after_each(function() rawset(_G, "ngx", nil) end)

  local function in_phase(phase)
    rawset(_G, "ngx", { get_phase = function() return phase end })
  end

  it("is the plain one where no event loop runs", function()
    assert.equal("plain", hosts.find())
  end)

  it("is nginx's where a handler may wait, and an error says what to do where none may", function()
    in_phase "content"
    assert.equal("nginx", hosts.find())
    in_phase "log"
    local ok, message = pcall(hosts.find)
    assert.is_false(ok)
    assert.equal("luafabric cannot wait in nginx's phase log: start a timer with "
      .. "ngx.timer.at(0, …), and call it in the timer", message)
  end)
end)

describe("a loop that waits", function()
  it("is woken when a callback of the program gives it something to do", function()
    local has_luv, uv = pcall(require, "spec.support.luv")
    if not has_luv then return pending "not tried: the package lua-luv is not installed" end
    package.loaded.luv = uv -- it does not bear being loaded twice
    local loop = tasks.new(hosts.new "luv")
    local condition, before = loop:condition(), loop.host.now()
    local timer = uv.new_timer()
    timer:start(1, 0, function() condition:signal() end)
    assert.is_true(loop:run(loop:spawn(function() return condition:wait(20) end)))
    assert.is_true(loop.host.now() - before < 20) -- not found when the time was up
    timer:close()
    loop:close()
  end)
end)
