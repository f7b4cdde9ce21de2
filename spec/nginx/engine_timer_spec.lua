-- The timer of a worker that runs the engine, in a stand-in of nginx: what becomes of an engine
-- that broke.

local service_world = require "spec.service.world"
local unpack = table.unpack or unpack
local virtual = require "luafabric.hosts.virtual"

describe("the engine's timer in nginx", function()
  local world, timers, log, runs, no_timers, slept
  local loaded, real_ngx

  before_each(function()
    world, timers, log, runs, no_timers, slept = service_world.new(), {}, {}, 0, 0, 0
    real_ngx, loaded = rawget(_G, "ngx"), package.loaded["luafabric.service.engine"]
    rawset(_G, "ngx", { get_phase = function() return "timer" end,
      worker = { exiting = function() return runs >= 3 end },
      sleep = function(seconds) slept = slept + seconds end,
      timer = { at = function(_, fn, ...)
        if no_timers > 0 then
          no_timers = no_timers - 1
          return nil, "too many pending timers"
        end
        local arguments = { ... }
        timers[#timers + 1] = function() fn(false, unpack(arguments)) end
        return true
      end } })
  end)
  after_each(function()
    rawset(_G, "ngx", real_ngx)
    package.loaded["luafabric.service.engine"] = loaded
    world:close()
  end)

  --- A service whose engine does this.
  local function start(engine_run)
    package.loaded["luafabric.service.engine"] = { new = function(service)
      return { run = function()
        runs = runs + 1
        engine_run(service)
      end }
    end }
    local service = require("luafabric.nginx").new { workflows = world.workflows,
      store = world.path, log = function(text) log[#log + 1] = text end,
      client = { new_host = function() return virtual.new {} end } }
    service:start()
    return service.service
  end

  it("begins anew with a store of its own, to which what the broken one had is free", function()
    local stores = {}
    local service = start(function(service)
      stores[runs] = assert(service:store())
      if runs > 1 then return end
      assert(stores[1]:create_run { run_id = "r1", workflow = "nightly" })
      error("a mistake", 0)
    end)
    timers[1]()
    assert.same({ "the engine broke: a mistake" }, log)
    timers[2]()
    assert.is_true(stores[1] ~= stores[2])
    local run = assert(stores[2]:open_run "r1")
    assert.equal(2, run.fence)
    stores[1]:close()
    service:close()
  end)

  it("begins anew also where nginx has no timer left for it", function()
    local service = start(function() error("a mistake", 0) end)
    no_timers = 1
    timers[1]()
    assert.equal(2, #timers) -- the second time there was one
    assert.same({ 2, 5 }, { runs, slept })
    assert.equal("nginx gave no timer for the engine: too many pending timers", log[2])
    service:close()
  end)
end)
