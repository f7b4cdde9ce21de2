local cache = require "luafabric.credentials.cache"
local errors = require "luafabric.errors"

local refused = errors.new { kind = "unauthorized", message = "no token today" }

--- A credential whose tokens are t1, t2, … and live that long; `world.down` makes it fail.
local function counting(life)
  local world = { now = 1000, count = 0 }
  world.io = { now = function() return world.now end }
  world.credential = cache.new("counting", function(_, patient)
    world.patient = patient
    world.count = world.count + 1
    if world.down then return nil, world.down end
    return { token = "t" .. world.count, expires_at = world.now + life }
  end)
  function world.token(at)
    world.now = at
    return world.credential:token(world.io)
  end
  return world
end

describe("a cached credential", function()
  it("gives the same token until five minutes before its end", function()
    local world = counting(3600)
    assert.equal("t1", world.token(1000))
    assert.equal("t1", world.token(4299))
    assert.equal("t2", world.token(4300))
    assert.equal(2, world.count)
  end)

  it("uses half the life of a token that is short-lived", function()
    local world = counting(200)
    assert.equal("t1", world.token(1000))
    assert.equal("t1", world.token(1099))
    assert.equal("t2", world.token(1100))
  end)

  it("keeps a good old token when a renewal fails, and does not ask every time", function()
    local world = counting(3600)
    world.token(1000)
    assert.is_true(world.patient)
    world.down = refused
    assert.equal("t1", world.token(4400))
    assert.is_false(world.patient)
    assert.equal("t1", world.token(4429))
    assert.equal(2, world.count)
    assert.equal("t1", world.token(4430))
    assert.equal(3, world.count)
    assert.same({ nil, refused }, { world.token(4600) })
    assert.is_true(world.patient)
    world.down = false
    assert.equal("t5", world.token(4601))
  end)

  it("leaves the server alone for as long as it asks, with an old token and without", function()
    local world = counting(3600)
    world.token(1000)
    world.down = errors.new { kind = "throttled", message = "not now", retry_after = 240 }
    assert.equal("t1", world.token(4400))
    for _, at in ipairs { 4431, 4599 } do assert.equal("t1", world.token(at)) end
    assert.same({ nil, world.down }, { world.token(4601) })
    assert.equal(2, world.count)
    world.down = false
    assert.equal("t3", world.token(4641))
  end)

  it("drops a refused token, and only that one", function()
    local world = counting(3600)
    world.token(1000)
    assert.is_true(world.credential:invalidate("another"))
    assert.equal("t1", world.token(1001))
    assert.is_true(world.credential:invalidate("t1"))
    assert.equal("t2", world.token(1002))
    assert.is_true(world.credential:invalidate("t1")) -- late news about the old one
    assert.equal("t2", world.token(1003))
  end)

  it("asks for the clock when a fresh token is already over", function()
    local world = counting(-10)
    local token, err = world.token(1000)
    assert.is_nil(token)
    assert.equal("unauthorized", err.kind)
    assert.matches("is this machine's clock right", err.message)
  end)

  it("takes the time as a number, too", function()
    assert.equal("t1", counting(3600).credential:token { now = 5 })
  end)
end)
