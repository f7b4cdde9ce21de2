local errors = require "luafabric.errors"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local function new_loop(options)
  local host = virtual.new(options)
  return tasks.new(host), host
end

local function echo(request)
  return { status = 200, body = request.url, delay = 1 }
end

--- Runs fn as the only task of a loop on a virtual host; its results.
local function run(fn, options)
  local loop, host = new_loop(options)
  return host, loop:run(loop:spawn(fn))
end

describe("a task", function()
  it("gets its arguments and gives its results, nils included", function()
    local loop = new_loop()
    local task = loop:spawn(function(...)
      return select("#", ...), nil, (...), nil
    end, "a", nil, nil)
    assert.same({ n = 5, true, 3, nil, "a", nil },
      { n = select("#", loop:run(task)), loop:run(task) })
  end)

  it("runs from the next turn on, in the order of spawning", function()
    local loop, order = new_loop(), {}
    for index = 1, 5 do loop:spawn(function() order[#order + 1] = index end) end
    assert.same({}, order)
    assert.is_true(loop:run())
    assert.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("takes turns with others", function()
    local loop, order = new_loop(), {}
    for _, name in ipairs { "a", "b" } do
      loop:spawn(function()
        for turn = 1, 3 do
          order[#order + 1] = name .. turn
          tasks.yield()
        end
      end)
    end
    loop:run()
    assert.equal("a1 b1 a2 b2 a3 b3", table.concat(order, " "))
  end)

  it("that never rests does not keep answers and timers from others", function()
    local loop, host = new_loop { handle = echo }
    local stop = false
    loop:spawn(function() while not stop do host.advance(0.5) tasks.yield() end end)
    loop:spawn(function()
      assert.equal("https://h/", tasks.request({ method = "GET", url = "https://h/" }).body)
      tasks.sleep(3)
      stop = true
    end)
    assert.is_true(loop:run())
  end)

  it("waits in time, and many at once cost no more time than the longest", function()
    local loop, host = new_loop()
    local woken = {}
    for index = 1, 1000 do
      loop:spawn(function()
        tasks.sleep(1000 - index)
        woken[#woken + 1] = index
      end)
    end
    loop:run()
    assert.equal(999, host.now())
    assert.equal(1000, woken[1])
    assert.equal(1, woken[1000])
  end)

  it("sleeps until a host time, and not at all when it is past", function()
    local host = run(function()
      local _, loop = tasks.current()
      tasks.sleep_until(100)
      tasks.sleep_until(50)
      tasks.sleep(0)
      tasks.sleep(-1)
      assert.equal(100, loop.host.now())
    end)
    assert.equal(100, host.now())
  end)

  it("refuses to sleep for something that is no number", function()
    local _, ok, err = run(function() tasks.sleep("1m") end)
    assert.is_false(ok)
    assert.matches("tasks_spec.lua:%d+: tasks.sleep: expected a number of seconds, got 1m",
      err.message)
    assert.is_false(select(2, run(function() tasks.sleep(0 / 0) end)))
  end)

  it("sends requests and gets their answers, each its own", function()
    local loop, host = new_loop { handle = echo }
    local seen = {}
    for index = 1, 20 do
      loop:spawn(function()
        local url = "https://host/" .. index
        seen[index] = tasks.request({ method = "GET", url = url }).body == url
      end)
    end
    loop:run()
    assert.equal(1, host.now())
    assert.equal(20, #seen)
    for index = 1, 20 do assert.is_true(seen[index]) end
  end)

  it("that sends an ill-formed request gets the error where it stands", function()
    local _, ok, err = run(function()
      tasks.request { method = "GET", url = "http://far.example/" }
    end)
    assert.is_false(ok)
    assert.matches("request.url: neither https nor http to this machine: http://far.example/",
      err.message)
  end)
end)

describe("an error in a task", function()
  it("ends that task and no other", function()
    local loop, survivor = new_loop()
    local bad = loop:spawn(function() tasks.sleep(1) error("boom") end)
    loop:spawn(function() tasks.sleep(2) survivor = true end)
    local ok, err = loop:run()
    assert.is_false(ok)
    assert.matches("boom", err.message)
    assert.is_true(survivor)
    assert.is_false((bad:result()))
  end)

  it("keeps its message, with the traceback beside it", function()
    local _, ok, err = run(function()
      local function inner() error("boom") end
      inner()
    end)
    assert.is_false(ok)
    assert.is_true(errors.is(err))
    assert.equal("raised", err.kind)
    assert.matches("^spec/tasks_spec.lua:%d+: boom$", err.message)
    assert.equal(err.message, tostring(err))
    assert.matches("stack traceback:.*inner", err.traceback)
  end)

  it("stays the same object when it is one of ours", function()
    local mine = errors.new { kind = "not_found", message = "nothing there" }
    local _, ok, err = run(function() error(mine) end)
    assert.is_false(ok)
    assert.equal(mine, err)
  end)

  it("reaches those who join, and is then no news for the loop", function()
    local _, ok = run(function()
      local _, loop = tasks.current()
      local child = loop:spawn(function() error({ 42 }, 0) end)
      local joined, err = child:join()
      assert.is_false(joined)
      assert.same({ 42 }, err.value)
    end)
    assert.is_true(ok)
    local loop = new_loop()
    local child = loop:spawn(function() error("seen") end)
    loop:spawn(function() child:join() end)
    assert.is_true(loop:run())
  end)

  it("is found when coroutine.yield is called directly", function()
    local _, ok, err = run(function() coroutine.yield(1) end)
    assert.is_false(ok)
    assert.matches("coroutine.yield was called directly in task 1", err.message)
  end)
end)

describe("join", function()
  it("gives the results, again and again, to any number of tasks", function()
    local loop = new_loop()
    local child = loop:spawn(function() tasks.sleep(5) return 1, nil, 3 end)
    local seen = 0
    for _ = 1, 3 do
      loop:spawn(function()
        local ok, a, b, c = child:join()
        assert.same({ true, 1, nil, 3 }, { ok, a, b, c })
        assert.is_true((child:join()))
        seen = seen + 1
      end)
    end
    assert.is_true(loop:run())
    assert.equal(3, seen)
  end)

  it("gives up when the time is up, and the task goes on", function()
    local host, ok = run(function()
      local _, loop = tasks.current()
      local child = loop:spawn(function() tasks.sleep(10) return "late" end)
      assert.is_nil((child:join(4)))
      assert.equal(4, loop.host.now())
      assert.is_nil((child:join(0)))
      assert.same({ true, "late" }, { child:join(100) })
      assert.equal(10, loop.host.now())
    end)
    assert.is_true(ok)
    assert.equal(10, host.now())
  end)

  it("of oneself is an error", function()
    local _, ok, err = run(function() tasks.current():join() end)
    assert.is_false(ok)
    assert.matches("a task cannot wait for itself", err.message)
  end)
end)

describe("a wait", function()
  it("outside any task says where it belongs", function()
    for _, wait in ipairs { function() tasks.sleep(1) end, tasks.yield,
      function() tasks.request { method = "GET", url = "https://h/" } end,
      function() new_loop():spawn(print):join() end } do
      assert.error_matches(wait, "was called outside a task")
    end
    assert.is_nil(tasks.current())
  end)

  it("in a coroutine of the user's own says so", function()
    local _, ok, err = run(function()
      local co = coroutine.create(function() assert(tasks.current() == nil) tasks.sleep(1) end)
      local resumed, message = coroutine.resume(co)
      assert(not resumed)
      error(message, 0)
    end)
    assert.is_false(ok)
    assert.matches("tasks.sleep was called in a coroutine that is not a task", err.message)
  end)

  it("of one loop cannot be for another loop's objects", function()
    local other = new_loop()
    local condition, stranger = other:condition(), other:spawn(print)
    for _, wait in ipairs { function() condition:wait() end, function() stranger:join() end,
      function() other:semaphore(1):acquire() end } do
      local _, ok, err = run(wait)
      assert.is_false(ok)
      assert.matches("belongs to another loop", err.message)
    end
  end)
end)

describe("a loop", function()
  it("inside a task of another loop is refused", function()
    local _, ok, err = run(function() new_loop():run() end)
    assert.is_false(ok)
    assert.matches("loop:run was called inside a task", err.message)
  end)

  it("ends with the task it was run for, and closes the others with itself", function()
    local loop, host = new_loop { handle = function() return { status = 200, delay = 60 } end }
    local background = loop:spawn(tasks.request, { method = "GET", url = "https://h/" })
    local task = loop:spawn(function() tasks.sleep(1) return "done" end)
    assert.same({ true, "done" }, { loop:run(task) })
    assert.equal(1, host.now())
    loop:close()
    assert.is_false((background:result()))
  end)

  it("needs a host", function()
    local _, message = pcall(function() tasks.new {} end)
    assert.matches("tasks_spec.lua:%d+: tasks.new: expected a host", message)
  end)

  it("carries ten thousand waiting tasks with little memory each", function()
    local loop = new_loop()
    collectgarbage()
    local before = collectgarbage "count"
    for index = 1, 10000 do loop:spawn(tasks.sleep, index) end
    local used
    loop:run(loop:spawn(function()
      tasks.sleep(0.5)
      collectgarbage()
      used = collectgarbage "count" - before
    end))
    assert.is_true(used / 10000 < 4, "KiB per task: " .. used / 10000)
  end)
end)

describe("tasks.blocking", function()
  local function host_factory() return virtual.new { handle = echo } end

  it("runs a function that waits from plain code", function()
    assert.same({ "https://h/1", nil, 3 }, { tasks.blocking(host_factory, function(path, ...)
      return tasks.request({ method = "GET", url = "https://h/" .. path }).body, ...
    end, 1, nil, 3) })
  end)

  it("calls the function at once inside a task, on the same loop", function()
    local host = run(function()
      local task, loop = tasks.current()
      tasks.blocking(error, function()
        tasks.sleep(2)
        local now_task, now_loop = tasks.current()
        assert.equal(task, now_task)
        assert.equal(loop, now_loop)
      end)
    end)
    assert.equal(2, host.now())
  end)

  it("raises the function's error with its message unchanged", function()
    local mine = errors.new { kind = "timeout", message = "too late" }
    local function raise(value) tasks.blocking(host_factory, error, value, 0) end
    assert.same({ false, "plain text" }, { pcall(raise, "plain text") })
    assert.equal(mine, select(2, pcall(raise, mine)))
    local other = { 1 }
    assert.equal(other, select(2, pcall(raise, other)))
    assert.is_nil(tasks.current())
  end)

  it("closes its host, whatever happened", function()
    local closed = 0
    local function counting()
      local host = virtual.new()
      host.close = function() closed = closed + 1 end
      return host
    end
    tasks.blocking(counting, tasks.sleep, 1)
    pcall(tasks.blocking, counting, error, "boom")
    assert.equal(2, closed)
  end)
end)

describe("a function that may not wait", function()
  it("gives its results and its errors as they are", function()
    local function same(...) return ... end
    assert.same({ 1, nil, 3 }, { tasks.forbid_waiting("x", same, 1, nil, 3) })
    assert.same({ false, "boom" }, { pcall(tasks.forbid_waiting, "x", error, "boom", 0) })
  end)

  it("is named when it waits, inside a task and outside", function()
    local label = 'the function given as "parameters"'
    for _, wait in ipairs { function() tasks.sleep(1) end,
      function() tasks.blocking(virtual.new, tasks.sleep, 1) end,
      function() tasks.blocking(virtual.new, print) end } do
      local function forbidden() tasks.forbid_waiting(label, wait) end
      assert.error_matches(forbidden, 'the function given as "parameters" may not wait')
      local _, ok, err = run(forbidden)
      assert.is_false(ok)
      assert.matches('the function given as "parameters" may not wait', err.message)
    end
    assert.is_true(select(2, run(function()
      pcall(tasks.forbid_waiting, "x", error, "boom")
      tasks.sleep(1) -- allowed again
    end)))
  end)
end)
