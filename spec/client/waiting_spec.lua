-- Waiting for runs: when Fabric is asked, how often, and what happens when it does not answer.

local json = require "luafabric.json"
local worlds = require "spec.client.world"

local ingest = worlds.ingest

--- Submits `count` runs and waits for all of them, in one loop.
local function run_many(world, client, count, request)
  return world.run(function(loop)
    local runs, waits = {}, {}
    for index = 1, count do runs[index] = assert(client:submit_notebook(ingest(request))) end
    for index = 1, count do
      waits[index] = loop:spawn(function() return runs[index]:wait() end)
    end
    for index = 1, count do assert.is_true((waits[index]:join())) end
    return runs
  end)
end

describe("the wait for one run", function()
  it("asks not before the Retry-After of the acceptance, then as each answer says", function()
    local world = worlds.new { seconds = 200 }
    local run = world.client():run_notebook(ingest())
    assert.equal("succeeded", run.outcome)
    local asked, before = world.asked("status"), world.asked("submit")[1].at + 60
    assert.is_true(#asked >= 3)
    for _, request in ipairs(asked) do
      assert.is_true(request.at >= before)
      local answer = world.service:handle({ method = "GET", url = request.url,
        headers = { Authorization = "Bearer x" } }, request.wall)
      before = request.at + math.max(tonumber(answer.headers["Retry-After"] or 0), 10)
    end
    assert.equal(0, #world.asked("list"))
  end)

  it("asks every 10 s where Retry-After is 0 or missing", function()
    for _, hint in ipairs { 0, false } do
      local world
      world = worlds.new { seconds = 95, handle = function(request, now)
        if request.purpose ~= "status" and request.purpose ~= "submit" then return nil end
        local answer = world.service:handle(request, now)
        answer.headers["Retry-After"] = hint and "0" or nil
        return answer
      end }
      local run = world.client():run_notebook(ingest())
      assert.equal("succeeded", run.outcome)
      local times = world.asked("status")
      for index, request in ipairs(times) do
        local gap = request.at - (times[index - 1] or { at = 0 }).at
        assert.is_true(gap >= 10 and gap <= 11)
      end
      assert.is_true(#times >= 9)
    end
  end)

  it("asks as often as poll_floor says", function()
    local world = worlds.new { seconds = 95, settings = { retry_after = 0 } }
    world.client({ poll_floor = 30 }):run_notebook(ingest())
    assert.equal(4, #world.asked("status"))
  end)

  it("takes a 404 right after the acceptance as not visible yet", function()
    local world = worlds.new { seconds = 5,
      settings = { retry_after = 1, visibility_lag = 100 } }
    local run = world.client():run_notebook(ingest())
    assert.equal("succeeded", run.outcome)
    assert.equal("done", run.exit_value)
    assert.is_nil(run.warnings)
    assert.is_true(world.host.now() >= 100)
  end)

  it("ends as unknown, never as failed, when Fabric goes on not knowing the job", function()
    local world = worlds.new { faults = { { at = "status", number = "every",
      fault = "ItemNotFound" } } }
    local run = world.client():run_notebook(ingest())
    assert.equal("unknown", run.outcome)
    assert.truthy(run.job_id)
    assert.is_true(world.host.now() >= 120)
    assert.equal("ItemNotFound", run.error.code)
    assert.matches(("^job %s of Sales/Ingest could not be watched to its end: Fabric gave no "
      .. "status for it: .* It may still run in Fabric%%. Look with "
      .. "`luafabric notebook list %s %s`$")
      :format(run.job_id, world.ws, world.nb):gsub("%-", "%%-"), run.error.message)
  end)

  it("does not take one 404 later on for the end", function()
    local world = worlds.new { seconds = 500, faults = { { at = "status", number = 4,
      fault = 404 } } }
    assert.equal("succeeded", world.client():run_notebook(ingest()).outcome)
  end)

  it("goes on over answers that are lost or make no sense, and says so", function()
    for _, fault in ipairs { "fin", "half_header", "silence", 500, 503, 504, 429, 430, "redirect",
      { status = 200, body = "<html>login</html>" }, { status = 200, body = "{}" },
      { status = 200, body = '{"id":"11111111-2222-4333-8444-555555555555","status":"Failed"}' },
    } do
      local world = worlds.new { faults = { { at = "status", number = { 1, 3 }, fault = fault } } }
      local run = world.client():run_notebook(ingest())
      local name = type(fault) == "table" and fault.body or tostring(fault)
      assert.equal("succeeded", run.outcome, name)
      assert.equal(3, #world.told("waiting"), name)
      assert.equal(1, world.service:started())
    end
  end)

  it("outlives an outage of a day", function()
    local world
    world = worlds.new { handle = function(request)
      if request.purpose == "submit" or world.host.now() > 86400 then return nil end
      if request.purpose ~= "status" then return nil end
      return { failure = { code = "connect", message = "nobody there" } }
    end }
    local run = world.client():run_notebook(ingest())
    assert.equal("succeeded", run.outcome)
    assert.is_true(#world.asked("status") < 3000)
    assert.equal("network", world.told("waiting")[1].cause)
  end)

  it("waits as long as a 429 says", function()
    local world = worlds.new { seconds = 1, faults = { { at = "status", number = 1, fault = 429,
      retry_after = 400 } } }
    world.client():run_notebook(ingest())
    local times = world.times("status")
    assert.is_true(times[2] - times[1] >= 400)
  end)

  it("tells each change of the status once", function()
    local world = worlds.new { seconds = 300, settings = { queue = 100 } }
    world.client():run_notebook(ingest())
    local seen = {}
    for index, event in ipairs(world.told("status_changed")) do seen[index] = event.status end
    assert.same({ "NotStarted", "InProgress", "Completed" }, seen)
  end)
end)

describe("the wait for runs of one notebook", function()
  it("reads one list for all of them, however many they are", function()
    local world = worlds.new { seconds = 300 }
    local runs = run_many(world, world.client(), 20)
    for _, run in ipairs(runs) do assert.equal("succeeded", run.outcome) end
    assert.equal(0, #world.asked("status"))
    assert.is_true(#world.asked("list") < 30)
    assert.equal(20, world.service:started())
    assert.is_true(world.times("list")[1] >= 60)
  end)

  it("reads pages until every run was seen", function()
    local world = worlds.new { seconds = 70, settings = { page_size = 3 } }
    local runs = run_many(world, world.client(), 10)
    for _, run in ipairs(runs) do assert.equal("succeeded", run.outcome) end
    assert.equal(0, #world.asked("status"))
    local paged = 0
    for _, request in ipairs(world.asked("list")) do
      if request.url:find("continuationToken=", 1, true) then paged = paged + 1 end
    end
    assert.is_true(paged >= 3)
  end)

  it("asks alone for the last one", function()
    local count = 0
    local world = worlds.new { settings = { run = function()
      count = count + 1
      return { exit_value = "x" }, count == 1 and 1000 or 70
    end } }
    local runs = run_many(world, world.client(), 3)
    for _, run in ipairs(runs) do assert.equal("succeeded", run.outcome) end
    assert.is_true(#world.asked("status") >= 5)
    assert.is_true(#world.asked("list") <= 3)
  end)

  it("asks once for a run that is not in the list any more", function()
    local hide
    local world
    world = worlds.new { seconds = 70, handle = function(request, now)
      if request.purpose ~= "list" then return nil end
      local answer = world.service:handle(request, now)
      local value = json.decode(answer.body)
      local kept = json.array {}
      for _, entry in ipairs(value.value) do
        if entry.id ~= hide then kept[#kept + 1] = entry end
      end
      value.value, answer.body = kept, json.encode { value = kept }
      return answer
    end }
    local client = world.client()
    local runs = world.run(function()
      local one = client:submit_notebook(ingest())
      local two = client:submit_notebook(ingest())
      hide = two.job_id
      assert.equal(one, one:wait())
      two:wait()
      return { one, two }
    end)
    assert.equal("succeeded", runs[1].outcome)
    assert.equal("succeeded", runs[2].outcome)
    assert.is_true(#world.asked("list") >= 1)
    for _, request in ipairs(world.asked("status")) do
      assert.truthy(request.url:find(hide, 1, true))
    end
  end)

  it("is not confused by a list that shows new runs late", function()
    local world = worlds.new { seconds = 300, settings = { retry_after = 5,
      visibility_lag = { list = 45, status = 30 } } }
    for _, run in ipairs(run_many(world, world.client(), 3)) do
      assert.equal("succeeded", run.outcome)
    end
  end)

  it("does not ask for a new run that the list lacks, before it is due", function()
    local world = worlds.new { seconds = 300, settings = { visibility_lag = { list = 50 } } }
    local client = world.client()
    world.run(function()
      local one = client:submit_notebook(ingest())
      require("luafabric.tasks").sleep(50)
      local two = client:submit_notebook(ingest())
      one:wait()
      two:wait()
      assert.is_true(world.times("list")[1] < 70)
      for _, request in ipairs(world.asked("status")) do
        assert.is_true(request.at >= 110 or not request.url:find(two.job_id, 1, true))
      end
    end)
  end)

  it("goes on over lists that fail", function()
    for _, fault in ipairs { 503, "fin", 429, { status = 200, body = "[]" },
      { status = 200, body = '{"value":[],"continuationToken":"round"}' } } do
      local world = worlds.new { seconds = 100,
        faults = { { at = "list", number = { 1, 3 }, fault = fault } } }
      for _, run in ipairs(run_many(world, world.client(), 2)) do
        assert.equal("succeeded", run.outcome)
      end
    end
  end)

  it("asks for each where the list is refused", function()
    local world = worlds.new { faults = { { at = "list", number = "every", fault = 400 } } }
    for _, run in ipairs(run_many(world, world.client(), 3)) do
      assert.equal("succeeded", run.outcome)
    end
  end)

  it("gives news of runs that nobody waits for yet", function()
    local world = worlds.new { seconds = 100 }
    local client = world.client()
    world.run(function()
      local one, two = client:submit_notebook(ingest()), client:submit_notebook(ingest())
      one:wait()
      assert.equal("succeeded", two.outcome)
      assert.is_nil(two.exit_value)
      local asked = #world.asked()
      two:wait()
      assert.equal("done", two.exit_value)
      assert.equal(asked + 1, #world.asked())
    end)
  end)

  it("keeps within the quota of status requests with hundreds of runs", function()
    local world = worlds.new { seconds = 900, settings = { quota = { submissions = 1e6 } } }
    for _, run in ipairs(run_many(world, world.client(), 400, { exit_value = false })) do
      assert.equal("succeeded", run.outcome)
    end
    assert.is_nil(world.service:responses().by_status["429"])
  end)
end)

describe("the wait for runs of several notebooks", function()
  it("asks for each of them, and lets a 429 hold back all", function()
    local world = worlds.new { seconds = 100, settings = { retry_after = 20 },
      faults = { { at = "status", number = 1, fault = 429, retry_after = 300 } } }
    local client = world.client()
    world.run(function(loop)
      local waits = {}
      for index, notebook in ipairs { "Ingest", "Report" } do
        waits[index] = loop:spawn(function()
          return client:run_notebook { workspace = "Sales", notebook = notebook }
        end)
      end
      for _, wait in ipairs(waits) do
        local _, run = wait:join()
        assert.equal("succeeded", run.outcome)
      end
    end)
    local times = world.times("status")
    assert.equal(3, #times)
    assert.is_true(times[2] >= times[1] + 300)
  end)

  it("ends with the last wait, although runs go on", function()
    local world = worlds.new { seconds = 5000 }
    local client = world.client()
    world.run(function()
      local run = client:submit_notebook(ingest())
      assert.is_nil((run:wait { timeout = 200 }))
      local asked = #world.asked()
      require("luafabric.tasks").sleep(2000)
      assert.equal(asked, #world.asked())
      assert.equal(run, run:wait())
      assert.equal("succeeded", run.outcome)
    end)
  end)

  it("ends with the last who waits: a task that was cancelled is not waited for", function()
    local world = worlds.new { seconds = 5000 }
    local client = world.client()
    world.run(function(loop)
      local waiting = loop:spawn(function() client:run_notebook(ingest()) end)
      require("luafabric.tasks").sleep(200)
      waiting:cancel()
      local asked = #world.asked()
      require("luafabric.tasks").sleep(2000)
      assert.is_true(#world.asked() <= asked + 1)
    end)
  end)
end)

describe("a run object", function()
  it("is waited for across calls, each a loop of its own", function()
    local world = worlds.new()
    local client = world.client()
    local run = client:submit_notebook(ingest())
    assert.is_nil(run.outcome)
    assert.equal(run, run:wait())
    assert.equal("succeeded", run.outcome)
    assert.equal("done", run.exit_value)
    assert.is_true(run:ok())
    assert.is_true(world.times("status")[1] >= 60)
    local asked = #world.asked()
    assert.equal(run, run:wait())
    assert.equal(asked, #world.asked())
  end)

  it("keeps in the next call what Fabric said in the last", function()
    local world = worlds.new { seconds = 500 }
    local run = world.client():submit_notebook(ingest())
    run:wait { timeout = 70 }
    local first = world.asked("status")[1]
    local answer = world.service:handle({ method = "GET", url = first.url,
      headers = { Authorization = "Bearer x" } }, first.wall)
    run:wait()
    local hint = tonumber(answer.headers["Retry-After"])
    assert.is_true(world.asked("status")[2].at >= first.at + hint)
  end)

  it("has its fields and says what it is", function()
    local world = worlds.new()
    local run = world.client():run_notebook(ingest())
    assert.equal("Sales", run.workspace)
    assert.equal("Ingest", run.notebook)
    assert.equal(world.ws, run.workspace_id)
    assert.equal(world.nb, run.notebook_id)
    assert.equal("Completed", run.status)
    assert.equal("2026-01-01T00:00:00", run.started_at)
    assert.equal("2026-01-01T00:01:30", run.ended_at)
    assert.truthy(run.links.executionSnapshotUrl)
    assert.equal(("run %s of Sales/Ingest: succeeded"):format(run.job_id), tostring(run))
  end)

  it("can be waited for during a time, which cancels nothing", function()
    local world = worlds.new { seconds = 500 }
    local client = world.client()
    local run = client:submit_notebook(ingest())
    local waited, err = run:wait { timeout = "2m" }
    assert.is_nil(waited)
    assert.equal("timeout", err.kind)
    assert.matches("has not ended yet, after a wait of 2m00s", err.message)
    assert.is_nil(run.outcome)
    assert.equal(0, #world.asked("cancel"))
    assert.equal("succeeded", run:wait().outcome)
  end)

  it("is refreshed with one request", function()
    local world = worlds.new { seconds = 100 }
    local run = world.client():submit_notebook(ingest())
    assert.equal(run, run:refresh())
    assert.equal("InProgress", run.status)
    assert.equal(1, #world.asked("status"))
    world.host.advance(200)
    run:refresh()
    assert.equal("succeeded", run.outcome)
    assert.equal("done", run.exit_value)
  end)

  it("can be waited for by several tasks, which share its exit value", function()
    local world = worlds.new()
    local client = world.client()
    world.run(function(loop)
      local run, seen = client:submit_notebook(ingest()), {}
      for index = 1, 3 do
        loop:spawn(function() seen[index] = run:wait().exit_value end)
      end
      run:wait()
      require("luafabric.tasks").yield()
      assert.same({ "done", "done", "done" }, seen)
    end)
    assert.equal(1, #world.asked("instance"))
  end)
end)

describe("attach", function()
  it("watches a run that was submitted before", function()
    local world = worlds.new { seconds = 300 }
    local job = world.client():submit_notebook(ingest()).job_id
    local run = world.client():attach { workspace = "Sales", notebook = world.nb, job_id = job }
    assert.is_nil(run.outcome)
    run:refresh()
    assert.equal("InProgress", run.status)
    run:wait()
    assert.equal("succeeded", run.outcome)
    assert.equal("done", run.exit_value)
    assert.truthy(run.request_id)
  end)

  it("says so when there is no such run", function()
    local world = worlds.new()
    local run = world.client():attach { workspace = "Sales", notebook = "Ingest",
      job_id = "f2d6a1c0-5b7e-4a39-9c1d-0123456789ab" }
    local found, err = run:refresh()
    assert.is_nil(found)
    assert.equal("not_found", err.kind)
    assert.matches("^the status of job f2d6a1c0%-.* of Sales/Ingest could not be read: ",
      err.message)
    run:wait()
    assert.equal("unknown", run.outcome)
  end)

  it("raises for what is no job id", function()
    local client = worlds.new().client()
    assert.has_error(function()
      client:attach { workspace = "Sales", notebook = "Ingest", job_id = "7" }
    end)
    local ok, message = pcall(client.attach, client,
      { workspace = "Sales", notebook = "Ingest", job_id = "7" })
    assert.is_false(ok)
    assert.matches('attach: job_id: "7" is not a job id', message)
  end)
end)

describe("the memory of runs that are watched", function()
  it("is small: ten thousand of one notebook, a row each", function()
    local number = 0
    local ids = require("luafabric.emulator.ids").generator(5)
    local virtual = require("luafabric.hosts.virtual").new { log = false, handle = function()
      number = number + 1
      return { status = 202, headers = { ["x-ms-job-id"] = ids(), RequestId = ids(),
        ["Retry-After"] = "60" } }
    end }
    local client = require("luafabric.client").new { credential = "x",
      host = function() return virtual end }
    local notebook = { workspace = ids(), notebook = ids() }
    collectgarbage()
    collectgarbage()
    local before = collectgarbage("count")
    require("luafabric.tasks").blocking(function() return virtual end, function()
      local runs = {}
      for index = 1, 10000 do runs[index] = client:submit_notebook(notebook) end
      local loop = select(2, require("luafabric.tasks").current())
      loop:spawn(function() runs[1]:wait() end)
      require("luafabric.tasks").sleep(1)
      collectgarbage()
      collectgarbage()
      local used = (collectgarbage("count") - before) / 1024
      assert.equal(10000, number)
      assert.is_true(used < 30, ("%.1f MiB"):format(used))
    end)
  end)
end)
