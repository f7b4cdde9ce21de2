-- One credential in many loops of a process at once, as the requests of an nginx worker have them.

local cache = require "luafabric.credentials.cache"
local errors = require "luafabric.errors"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local TURN = 0.05 -- seconds

--- A credential whose fetches take two seconds, or so many, and what the loops that use it got.
local function new_world(answers, takes)
  local world = { count = 0, got = {}, loops = {}, threads = {} }
  world.credential = cache.new("shared", function(io)
    world.count = world.count + 1
    local number = world.count
    world.first = world.first or world.turning
    io.sleep(takes or 2)
    local answer = answers[number] or answers[#answers]
    if errors.is(answer) then return nil, answer end
    return { token = answer, expires_at = io.now() + 3600 }
  end)

  --- A loop of its own that wants a token; each of its waits lets the other loops go on.
  function world.start(index)
    local host = virtual.new()
    local wait = host.wait
    function host.wait(max_s)
      coroutine.yield()
      return wait(math.min(max_s or TURN, TURN)) -- their clocks go alike
    end
    local loop = tasks.new(host)
    world.loops[index] = loop
    world.threads[index] = coroutine.create(function()
      local task = loop:spawn(function()
        local token, err = world.credential:token()
        world.got[index] = token or err.message
      end)
      loop:run(task)
    end)
  end

  function world.turn()
    local alive = false
    for index, thread in pairs(world.threads) do
      if coroutine.status(thread) == "suspended" then
        world.turning = index
        assert(coroutine.resume(thread))
        alive = alive or coroutine.status(thread) ~= "dead"
      else
        world.threads[index] = nil
      end
    end
    return alive
  end

  function world.finish()
    for _ = 1, 10000 do
      if not world.turn() then return end
    end
    error "the loops did not end"
  end

  return world
end

describe("a credential of many loops", function()
  it("is fetched once for all of them", function()
    local world = new_world { "t1" }
    for index = 1, 200 do world.start(index) end
    world.finish()
    assert.equal(1, world.count)
    for index = 1, 200 do assert.equal("t1", world.got[index]) end
  end)

  it("is fetched once, however long a person takes for a code", function()
    local world = new_world({ "t1", "t2" }, 60)
    for index = 1, 3 do world.start(index) end
    world.finish()
    assert.equal(1, world.count)
    for index = 1, 3 do assert.equal("t1", world.got[index]) end
  end)

  it("gives all who waited the one error", function()
    local world = new_world { errors.new { kind = "unauthorized", message = "no" }, "t2" }
    for index = 1, 20 do world.start(index) end
    world.finish()
    assert.equal(1, world.count)
    for index = 1, 20 do assert.equal("no", world.got[index]) end
  end)

  it("is fetched by another when the one that began is closed", function()
    local world = new_world { "t1", "t2" }
    for index = 1, 20 do world.start(index) end
    world.turn()
    local first = world.first
    world.loops[first]:close()
    world.threads[first] = nil
    world.finish()
    assert.equal(2, world.count)
    for index = 1, 20 do assert.equal(index ~= first and "t2" or nil, world.got[index]) end
  end)

  it("is fetched by oneself when nobody runs the one that began", function()
    local world = new_world { "t1", "t2" }
    world.start(1)
    world.turn()
    local abandoned = world.threads[1]
    world.threads[1] = nil
    world.start(2)
    world.finish()
    assert.equal("t2", world.got[2])
    assert.equal("suspended", coroutine.status(abandoned))
  end)
end)
