-- What a client does about quotas and an origin in trouble: when its requests go out.

local fabric = require "luafabric"
local shell = require "spec.support.shell"
local tasks = require "luafabric.tasks"
local worlds = require "spec.client.world"

local ingest = worlds.ingest

--- Runs so many at a time, all at once.
local function run_many(world, client, count, more)
  return world.run(function(loop)
    local waits, runs = {}, {}
    for index = 1, count do
      waits[index] = loop:spawn(function() return client:run_notebook(ingest(more)) end)
    end
    for index, wait in ipairs(waits) do
      local ok, run, err = wait:join()
      assert(ok, run)
      runs[index] = run or err
    end
    return runs
  end)
end

describe("a client under a quota", function()
  it("sends at once where there is none, on a clock that goes on while it is read", function()
    local world = worlds.new {}
    local now, readings = world.host.now, 0
    function world.host.now()
      readings = readings + 1
      assert(readings < 1e4, "it reads the clock for ever")
      return now() + readings * 1e-6
    end
    assert.equal(1, #assert(world.client():list_workspaces()))
  end)

  it("meets it once, and then sends what fits and no more", function()
    local world = worlds.new { settings = { quota = { submissions = 10, gets = 1e6 } } }
    for _, run in ipairs(run_many(world, world.client(), 60, { exit_value = false })) do
      assert.equal("succeeded", run.outcome)
    end
    local late = 0
    for _, event in ipairs(world.told("waiting")) do
      assert.equal("throttled", event.cause)
      if event.at > 0 then late = late + 1 end
    end
    assert.equal(60, world.service:started())
    assert.is_true(late < 60)
  end)

  it("reads exit values within it", function()
    local world = worlds.new { settings = { quota = { submissions = 1e6, gets = 20 } } }
    for _, run in ipairs(run_many(world, world.client(), 45)) do
      assert.equal("done", run.exit_value)
    end
  end)

  it("gives up a submission for which there is no place in time", function()
    local world = worlds.new { settings = { quota = { submissions = 1, gets = 1e6 } } }
    local client = world.client()
    local runs = run_many(world, client, 4, { submit_timeout = "90s", exit_value = false })
    local refused = 0
    for _, run in ipairs(runs) do
      if run.outcome ~= "succeeded" then
        assert.equal("throttled", run.kind)
        assert.matches("quota", run.message)
        refused = refused + 1
      end
    end
    assert.equal(2, refused)
    assert.equal(2, world.service:started())
  end)

  it("shares it with another client of the same credential, and with no other", function()
    local world = worlds.new { settings = { quota = { submissions = 50, gets = 1e6 } } }
    local credential = fabric.credentials.token "the-token-of-somebody"
    local one, two = world.client { credential = credential },
      world.client { credential = credential }
    world.run(function()
      for _ = 1, 51 do assert(one:submit_notebook(ingest())) end
    end)
    local before = world.host.now()
    assert.is_true(before >= 60)
    world.run(function()
      for _ = 1, 50 do assert(two:submit_notebook(ingest())) end
    end)
    assert.equal(1, world.service:responses().by_status["429"])
    assert.is_true(world.host.now() >= 120) -- 49 of them in the same minute, the last one later
    local third = world.client { credential = "the-token-of-another" }
    assert(third:submit_notebook(ingest()))
    assert.equal(1, world.service:responses().by_status["429"])
  end)
end)

describe("an origin that fails again and again", function()
  --- A world that answers nothing until a time.
  local function broken(till)
    local world
    world = worlds.new { handle = function()
      if world.host.now() < till then return { failure = { code = "reset", message = "gone" } } end
    end }
    return world
  end

  it("is asked with single GETs, and is given no submission", function()
    local world = broken(900)
    local client = world.client()
    local run = world.run(function(loop)
      local calls = {}
      for index = 1, 12 do
        calls[index] = loop:spawn(function()
          return client:list_runs { workspace = world.ws, notebook = world.nb }
        end)
      end
      for _, call in ipairs(calls) do call:join() end
      local before = #world.asked()
      -- The ids are given, so that nothing but the submission is to be asked.
      local started, err = client:submit_notebook { workspace = world.ws, notebook = world.nb }
      assert.is_nil(started)
      assert.equal("network", err.kind)
      assert.matches("nothing was sent", err.message)
      assert.equal(0, #world.asked("submit"))
      assert.is_true(#world.asked() - before <= 5)
      tasks.sleep(900)
      return client:run_notebook(ingest())
    end)
    assert.equal("succeeded", run.outcome)
    assert.equal(1, #world.asked("submit"))
  end)

  --- So many GETs at once, which all fail.
  local function fail(world, loop, client, count)
    local calls = {}
    for index = 1, count do
      calls[index] = loop:spawn(function()
        return client:list_runs { workspace = world.ws, notebook = world.nb }
      end)
    end
    for _, call in ipairs(calls) do call:join() end
  end

  it("cannot be asked without a token, and that is what is said", function()
    local world, is_expired, asked = broken(900), false, 0
    local client = world.client { credential = { name = "mine", token = function()
      asked = asked + 1
      assert(asked < 1000, "it asks for ever")
      if is_expired then return nil, "it has expired" end
      return "secret-token"
    end } }
    world.run(function(loop)
      fail(world, loop, client, 12)
      tasks.sleep(60)
      is_expired, asked = true, 0
      local run, err = client:submit_notebook { workspace = world.ws, notebook = world.nb }
      assert.is_nil(run)
      assert.equal("the credential (mine) gave no token: it has expired", err.message)
      assert.equal(1, asked)
    end)
  end)

  it("is given no submission that waited for the quota while it failed", function()
    local world
    world = worlds.new { handle = function(request)
      if world.is_broken then return { failure = { code = "reset", message = "gone" } } end
      if request.method == "POST" and #world.asked("submit") == 1 then
        return { status = 429, headers = { ["Retry-After"] = "55" }, body = "{}" }
      end
    end }
    local client = world.client()
    world.run(function(loop)
      local submission = loop:spawn(function()
        return client:submit_notebook { workspace = world.ws, notebook = world.nb }
      end)
      tasks.sleep(1)
      world.is_broken = true
      fail(world, loop, client, 12)
      local _, run, err = submission:join()
      assert.is_nil(run)
      assert.equal("network", err.kind)
      assert.matches("nothing was sent", err.message)
      assert.equal(1, #world.asked("submit"))
    end)
  end)
end)

describe("a credential that gives no token", function()
  it("is asked once for a call, where quotas are shared too", function()
    local world, folder, asked = worlds.new {}, shell.scratch(), 0
    local client = world.client { credential = { name = "mine", token = function()
      asked = asked + 1
      return nil, "it has expired"
    end } }
    client.shared = require("luafabric.store.shared").new(folder .. "/runs.db-shared",
      world.host.wall)
    local list, err = client:list_workspaces()
    shell.remove(folder)
    assert.is_nil(list)
    assert.equal("the credential (mine) gave no token: it has expired", err.message)
    assert.equal(1, asked)
  end)
end)

describe("calls that fail, and might not if they were repeated", function()
  it("are repeated while there is a budget for it", function()
    local world
    world = worlds.new { handle = function(request)
      if request.purpose == "list" then return { status = 425 } end
    end }
    local client = world.client()
    world.run(function(loop)
      local calls = {}
      for index = 1, 50 do
        calls[index] = loop:spawn(function()
          return client:list_runs { workspace = world.ws, notebook = world.nb }
        end)
      end
      for _, call in ipairs(calls) do call:join() end
    end)
    assert.equal(50 + 20, #world.asked())
  end)
end)

describe("runs of a notebook that ran before", function()
  it("are looked at when they may end, and seldom before", function()
    local world = worlds.new { seconds = 3600, settings = { retry_after = 20 } }
    local client = world.client()
    for _ = 1, 3 do assert.equal("succeeded", client:run_notebook(ingest()).outcome) end
    local looks, begun = #world.asked("status"), world.host.now()
    assert.equal("succeeded", client:run_notebook(ingest()).outcome)
    assert.is_true(#world.asked("status") - looks <= 12, #world.asked("status") - looks .. " looks")
    assert.is_true(world.host.now() - begun <= 3600 + 60)
  end)

  it("are seen to end within ten minutes where they end early", function()
    local seconds = 3600
    local world
    world = worlds.new { settings = { run = function() return { exit_value = "x" }, seconds end } }
    local client = world.client()
    for _ = 1, 3 do assert.equal("succeeded", client:run_notebook(ingest()).outcome) end
    seconds = 700
    local begun = world.host.now()
    assert.equal("succeeded", client:run_notebook(ingest()).outcome)
    assert.is_true(world.host.now() - begun <= 700 + 600)
  end)

  it("in another process are looked at so from the first one on", function()
    local world, folder = worlds.new { seconds = 3600 }, shell.scratch()
    local function process()
      local client = world.client()
      client.shared = require("luafabric.store.shared").new(folder .. "/runs.db-shared",
        world.host.wall)
      return client
    end
    for _ = 1, 3 do assert.equal("succeeded", process():run_notebook(ingest()).outcome) end
    local looks = #world.asked("status")
    assert.equal("succeeded", process():run_notebook(ingest()).outcome)
    shell.remove(folder)
    assert.is_true(#world.asked("status") - looks <= 12, #world.asked("status") - looks .. " looks")
  end)

  it("are looked at so from the first one on, where durations are known", function()
    local world = worlds.new { seconds = 3600 }
    local client = world.client()
    client.durations:seed(world.ws .. world.nb, { 3590, 3600, 3610 })
    assert.equal("succeeded", client:run_notebook(ingest()).outcome)
    assert.is_true(#world.asked("status") <= 12, #world.asked("status") .. " looks")
  end)
end)
