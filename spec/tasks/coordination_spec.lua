local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local function new_loop(options)
  local host = virtual.new(options)
  return tasks.new(host), host
end

--- Runs fn as the only task of a loop on a virtual host; its results.
local function run(fn, options)
  local loop, host = new_loop(options)
  return host, loop:run(loop:spawn(fn))
end

describe("a condition", function()
  it("wakes all who wait, in order, and nobody who comes later", function()
    local loop, woken = new_loop(), {}
    local condition = loop:condition()
    for index = 1, 3 do
      loop:spawn(function()
        assert.is_true(condition:wait())
        woken[#woken + 1] = index
        assert.is_false(condition:wait(5))
      end)
    end
    loop:spawn(function() condition:signal() end)
    assert.is_true(loop:run())
    assert.same({ 1, 2, 3 }, woken)
  end)

  it("says when the time is up, at that time", function()
    local host, ok, signalled = run(function()
      local _, loop = tasks.current()
      return loop:condition():wait(2.5)
    end)
    assert.is_true(ok)
    assert.is_false(signalled)
    assert.equal(2.5, host.now())
  end)

  it("can be signalled by a handler of events", function()
    local loop, host = new_loop()
    local condition, names = loop:condition(), {}
    local remove = loop:on("signal", function(event)
      names[#names + 1] = event.name
      condition:signal()
    end)
    host.post({ kind = "signal", name = "INT" }, 7)
    host.post({ kind = "signal", name = "TERM" }, 9)
    assert.is_true(loop:run(loop:spawn(function() condition:wait() condition:wait() end)))
    assert.same({ "INT", "TERM" }, names)
    assert.equal(9, host.now())
    remove()
    remove()
    host.post { kind = "signal", name = "HUP" }
    loop:run(loop:spawn(tasks.sleep, 1))
    assert.same({ "INT", "TERM" }, names)
  end)
end)

describe("a handler of events", function()
  it("may not wait, and its error comes out of loop:run", function()
    local loop, host = new_loop()
    loop:on("wake", function() tasks.sleep(1) end)
    host.post { kind = "wake" }
    local ok, message = pcall(loop.run, loop, loop:spawn(tasks.sleep, 1))
    assert.is_false(ok)
    assert.matches('a handler of loop:on%("wake"%) may not wait', message)
    assert.is_true(loop:run(loop:spawn(tasks.sleep, 1)))
  end)
end)

describe("a semaphore", function()
  it("lets so many in at a time, in turn", function()
    local loop, host = new_loop()
    local semaphore, inside, most, order = loop:semaphore(3), 0, 0, {}
    for index = 1, 10 do
      loop:spawn(function()
        assert.is_true(semaphore:acquire())
        inside = inside + 1
        most = math.max(most, inside)
        order[#order + 1] = index
        tasks.sleep(1)
        inside = inside - 1
        semaphore:release()
      end)
    end
    assert.is_true(loop:run())
    assert.equal(3, most)
    assert.equal(4, host.now())
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, order)
  end)

  it("gets back what a task held when it failed, was cancelled or forgot", function()
    local loop, host = new_loop()
    local semaphore = loop:semaphore(1)
    loop:spawn(function() semaphore:acquire() error("boom") end)
    loop:spawn(function() semaphore:acquire() end)
    local victim = loop:spawn(function() semaphore:acquire() tasks.sleep(100) end)
    local last = loop:spawn(function() assert.is_true(semaphore:acquire()) end)
    loop:spawn(function() tasks.sleep(1) victim:cancel() end)
    assert.is_true(loop:run(last))
    assert.equal(1, host.now())
  end)

  it("says when the time is up, and a release without a permit is an error", function()
    local _, ok, err = run(function()
      local _, loop = tasks.current()
      local semaphore = loop:semaphore(1)
      semaphore:acquire()
      assert.is_false(semaphore:acquire(2))
      semaphore:release()
      semaphore:release()
    end)
    assert.is_false(ok)
    assert.matches("the running task holds no permit of it", err.message)
  end)
end)

describe("a deadlock", function()
  it("is told to the one who waits", function()
    local _, ok, err = run(function()
      local _, loop = tasks.current()
      loop:condition():wait()
    end)
    assert.is_false(ok)
    assert.equal("deadlock", err.code)
    assert.matches("deadlock: task 1 waits for a condition, and no request, timer or event is "
      .. "under way", err.message)
  end)

  it("hits the wait at the bottom; those who joined go on", function()
    local _, ok, child_error = run(function()
      local _, loop = tasks.current()
      local child = loop:spawn(function() loop:condition():wait() end)
      return select(2, child:join())
    end)
    assert.is_true(ok)
    assert.matches("deadlock: task 2", child_error.message)
  end)

  it("of tasks that join each other ends them all", function()
    local loop = new_loop()
    local first, second
    first = loop:spawn(function() second:join() end)
    second = loop:spawn(function() first:join() end)
    local ok, err = loop:run(first)
    assert.is_false(ok)
    assert.matches("waits for the end of task 2", err.message)
  end)
end)
