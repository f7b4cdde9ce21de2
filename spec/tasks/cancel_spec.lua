local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local function new_loop(options)
  local host = virtual.new(options)
  return tasks.new(host), host
end

describe("cancelling a task", function()
  it("ends it where it stands, cancels its request, and tells those who join", function()
    local asked = {}
    local loop, host = new_loop { handle = function() return { status = 200, delay = 100 } end }
    local cancel = host.cancel
    host.cancel = function(id) asked[#asked + 1] = id return cancel(id) end
    local resumed = false
    local victim = loop:spawn(function()
      tasks.request { method = "GET", url = "https://h/" }
      resumed = true
    end)
    local ok, err
    loop:spawn(function()
      tasks.sleep(1)
      assert.is_true(victim:cancel("no longer wanted"))
      assert.is_false(victim:cancel())
      ok, err = victim:join()
    end)
    assert.is_true(loop:run())
    assert.is_false(resumed)
    assert.same({ 1 }, asked)
    assert.is_false(ok)
    assert.equal("cancelled", err.kind)
    assert.equal("no longer wanted", err.message)
    assert.equal(1, host.now())
  end)

  it("works in every wait, and before the first step", function()
    for _, wait in ipairs {
      function() tasks.sleep(100) end, function() tasks.yield() end,
      function(loop) loop:condition():wait() end,
      function(loop) loop:spawn(tasks.sleep, 100):join() end,
      function(loop)
        local semaphore = loop:semaphore(1)
        loop:spawn(function() semaphore:acquire() tasks.sleep(100) end)
        tasks.yield()
        semaphore:acquire()
      end,
    } do
      for _, turns in ipairs { 0, 1, 2 } do
        local loop, finished = new_loop(), false
        local victim = loop:spawn(function() wait(loop) if turns < 1 then finished = true end end)
        local other = loop:spawn(function()
          for _ = 1, turns do tasks.yield() end
        end)
        if turns == 0 then victim:cancel() end
        loop:run(other)
        victim:cancel()
        assert.is_true(loop:run())
        assert.is_false(finished)
        assert.is_true(victim.ended)
      end
    end
  end)

  it("by itself does not come back", function()
    local after, loop = false, new_loop()
    local task = loop:spawn(function() tasks.current():cancel("enough") after = true end)
    local ok, err = loop:run(task)
    assert.is_false(ok)
    assert.equal("enough", err.message)
    assert.is_false(after)
  end)
end)
