-- Tokens over a long night, and in a crowd: a client, the emulator's Fabric and its Entra, in
-- virtual time.

local credentials = require "luafabric.credentials"
local fabric = require "luafabric"
local service = require "luafabric.emulator.service"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local HOUR = 3600

--- A Fabric whose run takes that long and whose tokens live for an hour, and a host in front of it.
local function new_world(duration, faults)
  local world = { wrong = 0 }
  local fabric_service = service.new {
    workspaces = { { name = "Sales", notebooks = { "Ingest" } } }, token = "none",
    clients = { app = "secret" }, faults = faults, settings = { token_lifetime = HOUR,
      run = function() return {}, duration end },
  }
  world.host = virtual.new { handle = function(request, now)
    local answer = fabric_service:handle(request, now)
    if answer.status == 401 then world.wrong = world.wrong + 1 end
    return answer
  end }
  world.loop = tasks.new(world.host)
  world.credential = credentials.client_secret { tenant_id = "t", client_id = "app",
    client_secret = "secret" }
  function world.tokens() return fabric_service:responses().by_kind.token end
  function world.run(fn)
    local ok, err = world.loop:run(world.loop:spawn(fn))
    if not ok then error(err.value or err, 0) end
  end
  return world
end

describe("a credential over nine hours of one wait", function()
  local function wait_for_a_run(faults)
    local world = new_world(9 * HOUR, faults)
    world.run(function()
      local client = fabric.client { credential = world.credential }
      local run = assert(client:run_notebook { workspace = "Sales", notebook = "Ingest" })
      assert.equal("succeeded", run.outcome)
    end)
    assert.is_true(world.host.now() >= 9 * HOUR)
    return world
  end

  it("renews its token each 55 minutes, and Fabric never sees an old one", function()
    local world = wait_for_a_run()
    assert.equal(0, world.wrong)
    assert.equal(10, world.tokens()) -- 540 minutes: the first, and nine more
  end)

  it("lives through an Entra that fails while the old token is still good", function()
    local world = wait_for_a_run { { at = "token", number = { 2, 4 }, fault = 503 } }
    assert.equal(0, world.wrong)
    assert.is_true(world.tokens() >= 13)
  end)

  it("leaves an Entra alone that throttles it, and uses the old token meanwhile", function()
    local world = wait_for_a_run { { at = "token", number = 2, fault = 429, retry_after = 200 } }
    assert.equal(0, world.wrong)
    local asked = {}
    for _, request in ipairs(world.host.requests) do
      if request.url:find("/token$") then asked[#asked + 1] = request.at end
    end
    assert.is_true(asked[3] - asked[2] >= 200)
    assert.equal(11, world.tokens())
  end)
end)

describe("a credential that a thousand tasks want at once", function()
  it("asks for one token, again and again", function()
    local world = new_world(1)
    world.run(function()
      for round = 1, 3 do
        local waiting, seen = {}, {}
        for index = 1, 1000 do
          waiting[index] = world.loop:spawn(function() return world.credential:token() end)
        end
        for index = 1, 1000 do
          local _, token = waiting[index]:join()
          seen[assert(token)] = true
        end
        local only = next(seen)
        assert.is_nil(next(seen, only))
        assert.equal(round, world.tokens())
        world.credential:invalidate(only)
      end
    end)
  end)
end)
