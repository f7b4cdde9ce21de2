-- How a run ends for its user: every end of Fabric's, cancel, time-out, and a token that is lost on
-- the way.

local errors = require "luafabric.errors"
local json = require "luafabric.json"
local worlds = require "spec.client.world"

local ingest = worlds.ingest

--- Runs once with a script of statuses instead of a real run.
local function run_with(job, options)
  local faults = { { at = "submit", fault = { job = job } } }
  for _, rule in ipairs(options and options.faults or {}) do faults[#faults + 1] = rule end
  local world = worlds.new { faults = faults }
  local run, err = world.client(options and options.client):run_notebook(
    ingest(options and options.request))
  assert.is_nil(err)
  return run, world
end

describe("the end of a run", function()
  it("is succeeded for Completed, with or without an exit value", function()
    local run = run_with { status = "Completed", exit_value = "42 rows" }
    assert.equal("succeeded", run.outcome)
    assert.equal("42 rows", run.exit_value)
    run = run_with { status = "Completed", exit_value = json.null }
    assert.equal("succeeded", run.outcome)
    assert.is_nil(run.exit_value)
    assert.is_nil(run.warnings)
    assert.is_true(run:ok())
  end)

  it("is failed for Completed with a reason", function()
    local run = run_with { status = "Completed", failure_reason = "a statement failed" }
    assert.equal("failed", run.outcome)
    assert.equal("a statement failed", run.failure_reason.message)
    assert.is_false(run:ok())
  end)

  it("is failed for Failed, with Fabric's reason", function()
    local run = run_with { status = "Failed",
      failure_reason = { errorCode = "E", message = "boom" } }
    assert.equal("failed", run.outcome)
    assert.equal("E", run.failure_reason.errorCode)
    assert.equal("boom", run.failure_reason.message)
    assert.truthy(run.links.executionSnapshotUrl)
    assert.is_nil(run.exit_value)
  end)

  it("is capacity where the reason carries a 430", function()
    local world = worlds.new { faults = { { at = "submit", fault = "capacity_failure" } } }
    local run = world.client():run_notebook(ingest())
    assert.equal("capacity", run.outcome)
    assert.equal(1, #world.asked("submit"))
    assert.equal(0, #world.asked("instance"))
  end)

  it("is cancelled or deduped as Fabric says", function()
    assert.equal("cancelled", run_with({ status = "Cancelled" }).outcome)
    local run = run_with { status = "Deduped" }
    assert.equal("deduped", run.outcome)
    assert.matches("Fabric skipped this run of Sales/Ingest, since another run of it was active",
      run.error.message)
  end)

  it("is not there while the status is one that is not known here; that is said once", function()
    local run, world = run_with { { status = "Pondering" },
      { status = "Completed", after = 500, exit_value = "x" } }
    assert.equal("succeeded", run.outcome)
    assert.is_true(#world.asked("status") > 3)
    assert.equal(1, #world.told("warning"))
    assert.equal('Fabric gave the status "Pondering", which is not known here; it counts as '
      .. "running", run.warnings[1])
  end)
end)

describe("the exit value", function()
  it("is read once, from the notebook's instance", function()
    local _, world = run_with { status = "Completed", exit_value = "x" }
    local asked = world.asked("instance")
    assert.equal(1, #asked)
    assert.matches("/notebooks/[%x-]+/jobs/execute/instances/[%x-]+%?beta=true$", asked[1].url)
  end)

  it("is not asked for where nobody wants it", function()
    local run, world = run_with({ status = "Completed", exit_value = "x" },
      { request = { exit_value = false } })
    assert.equal("succeeded", run.outcome)
    assert.is_nil(run.exit_value)
    assert.equal(0, #world.asked("instance"))
    assert.equal(run, run:wait())
    assert.equal(0, #world.asked("instance"))
  end)

  it("is waited for where it shows late, or an answer is lost", function()
    for _, fault in ipairs { 404, 503, 429, "fin" } do
      local run = run_with({ status = "Completed", exit_value = "x" },
        { faults = { { at = "instance", number = { 1, 4 }, fault = fault } } })
      assert.equal("succeeded", run.outcome)
      assert.equal("x", run.exit_value, tostring(fault))
    end
  end)

  it("never fails the run", function()
    for _, fault in ipairs { 404, 500, 400, 403, "silence", { status = 200, body = "<html>" } } do
      local run, world = run_with({ status = "Completed", exit_value = "x" },
        { faults = { { at = "instance", number = "every", fault = fault } } })
      assert.equal("succeeded", run.outcome)
      assert.is_nil(run.exit_value)
      assert.equal(1, #run.warnings)
      assert.matches(("^the exit value of job %s could not be read "):format(run.job_id)
        :gsub("%-", "%%-"), run.warnings[1])
      assert.is_true(#world.asked("instance") <= 6)
    end
  end)

  it("is not missed by a run that failed", function()
    local run, world = run_with({ status = "Failed" },
      { faults = { { at = "instance", number = "every", fault = 404 } } })
    assert.equal("failed", run.outcome)
    assert.is_nil(run.warnings)
    assert.equal(2, #world.asked("instance"))
  end)

  it("can be read later", function()
    local run = run_with({ status = "Completed", exit_value = "x" },
      { faults = { { at = "instance", number = { 1, 6 }, fault = 404 } } })
    assert.is_nil(run.exit_value)
    run:refresh()
    assert.equal("x", run.exit_value)
  end)

  it("holds a tenant without that call up for two tries only", function()
    local run, world = run_with({ status = "Completed", exit_value = "x" },
      { client = { route = "generic" },
        faults = { { at = "instance", number = "every", fault = 404 } } })
    assert.equal("succeeded", run.outcome)
    assert.equal(2, #world.asked("instance"))
  end)
end)

describe("cancel", function()
  it("asks Fabric and waits for the end", function()
    local world = worlds.new { seconds = 5000, settings = { cancel_lag = 30 } }
    local run = world.client():submit_notebook(ingest())
    assert.is_true(run:cancel { wait = true })
    assert.equal("cancelled", run.outcome)
    assert.equal(1, #world.asked("cancel"))
    assert.is_true(world.host.now() >= 10)
    assert.is_true(run:cancel())
    assert.equal(1, #world.asked("cancel"))
  end)

  it("is looked after soon, although a look was on its way when it was sent", function()
    local world = worlds.new { seconds = 5000, faults = { { at = "status", number = 1,
      delay = 5 } } }
    local client = world.client()
    world.run(function(loop)
      local run = client:submit_notebook(ingest())
      loop:spawn(function() run:wait() end)
      while #world.asked("status") == 0 do require("luafabric.tasks").sleep(1) end
      local at = world.host.now()
      assert.is_true(run:cancel { wait = true })
      assert.is_true(world.host.now() - at < 20)
    end)
  end)

  it("returns at once where nobody wants to wait", function()
    local world = worlds.new { seconds = 5000, settings = { cancel_lag = 30 } }
    local run = world.client():submit_notebook(ingest())
    assert.is_true(run:cancel())
    assert.is_nil(run.outcome)
    run:wait()
    assert.equal("cancelled", run.outcome)
  end)

  it("of a run that has ended is no error, and shows its true end", function()
    local world = worlds.new { seconds = 1 }
    local run = world.client():submit_notebook(ingest())
    world.host.advance(10)
    assert.is_true(run:cancel { wait = true })
    assert.equal("succeeded", run.outcome)
    assert.equal("done", run.exit_value)
  end)

  it("is repeated when its answer is lost", function()
    for _, fault in ipairs { "fin", 503, 429, "ItemNotFound" } do
      local world = worlds.new { seconds = 5000,
        faults = { { at = "cancel", number = { 1, 2 }, fault = fault, retry_after = 3 } } }
      local run = world.client():submit_notebook(ingest())
      assert.is_true(run:cancel { wait = true })
      assert.equal("cancelled", run.outcome)
      assert.equal(3, #world.asked("cancel"))
    end
  end)

  it("that is refused says so", function()
    local world = worlds.new { faults = { { at = "cancel", number = "every",
      fault = "InsufficientPrivileges" } } }
    local run = world.client():submit_notebook(ingest())
    local ok, err = run:cancel { wait = true }
    assert.is_nil(ok)
    assert.equal("unauthorized", err.kind)
    assert.matches("^job [%x-]+ of Sales/Ingest could not be cancelled: ", err.message)
    assert.is_nil(run.outcome)
  end)

  it("that does not take effect says so after ten minutes", function()
    local world = worlds.new { seconds = 50000, settings = { cancel_lag = 20000 } }
    local run = world.client():submit_notebook(ingest())
    local ok, err = run:cancel { wait = true }
    assert.is_nil(ok)
    assert.equal("timeout", err.kind)
    assert.matches("was asked to end and has not within 10m00s", err.message)
  end)
end)

describe("a run whose time is used up", function()
  it("is cancelled, and timed out when Fabric has ended it", function()
    local world = worlds.new { seconds = 5000, settings = { cancel_lag = 30 } }
    local run = world.client():run_notebook(ingest { timeout = "10m" })
    assert.equal("timed_out", run.outcome)
    assert.equal("Cancelled", run.status)
    assert.equal("timeout", run.error.kind)
    assert.equal("Sales/Ingest did not end within 10m00s and was cancelled", run.error.message)
    assert.equal(1, #world.asked("cancel"))
    assert.equal(600, world.times("cancel")[1])
  end)

  it("has its true end where it ended meanwhile", function()
    local world = worlds.new { seconds = 610, settings = { cancel_lag = 300, retry_after = 60 } }
    local run = world.client():run_notebook(ingest { timeout = 605 })
    assert.equal("succeeded", run.outcome)
    assert.equal("done", run.exit_value)
    assert.is_nil(run.error)
  end)

  it("counts from the acceptance, not from the first try to submit", function()
    local world = worlds.new { seconds = 500, faults = { { at = "submit", number = { 1, 9 },
      fault = 429, retry_after = 100 } } }
    local run = world.client():run_notebook(ingest { timeout = "10m" })
    assert.equal("succeeded", run.outcome)
    assert.is_true(world.host.now() > 600)
  end)

  it("is timed out and said to go on where the cancel is refused, or shows nothing", function()
    local world = worlds.new { seconds = 5000, faults = { { at = "cancel", number = "every",
      fault = 403 } } }
    local run = world.client():run_notebook(ingest { timeout = 100 })
    assert.equal("timed_out", run.outcome)
    assert.matches("did not end within 1m40s and could not be cancelled .*it may still run%. "
      .. "Look with `luafabric notebook status", run.error.message)
    world = worlds.new { seconds = 50000, settings = { cancel_lag = 20000 } }
    run = world.client():run_notebook(ingest { timeout = 100 })
    assert.equal("timed_out", run.outcome)
    assert.matches("has not ended 10m00s after it was cancelled: it may still run",
      run.error.message)
  end)

  it("counts across calls that each make a loop", function()
    local world = worlds.new { seconds = 5000 }
    local run = world.client():submit_notebook(ingest { timeout = 300 })
    world.host.advance(200)
    run:wait()
    assert.equal("timed_out", run.outcome)
    assert.equal(300, world.times("cancel")[1])
  end)
end)

describe("a token that expires in the middle of a wait", function()
  --- Tokens of ten minutes each, from a function; the service lets in only the newest.
  local function expiring(broken_from)
    local world, count
    local credential = { name = "test" }
    count = 1
    world = worlds.new { seconds = 4000, handle = function(request, now)
      local life = math.floor((now - 1767225600) / 600) + 1
      if request.headers.Authorization == "Bearer t" .. life then return nil end
      return worlds.answer(401, { errorCode = "TokenExpired", message = "expired" })
    end }
    function credential.token()
      if broken_from and count >= broken_from then
        return nil, errors.new { kind = "unauthorized", message = "AADSTS7000222: secret expired" }
      end
      return "t" .. count
    end
    function credential.invalidate(_, token)
      if token == "t" .. count then count = count + 1 end
      return true
    end
    return world, world.client { credential = credential }
  end

  it("is renewed once for each refusal, and the run watched to its end", function()
    local world, client = expiring()
    local run = client:run_notebook(ingest())
    assert.equal("succeeded", run.outcome)
    assert.equal("done", run.exit_value)
    assert.same({}, world.told("waiting"))
    local refused = 0
    for _, request in ipairs(world.asked("status")) do
      local life = math.floor(request.at / 600) + 1
      if request.headers.Authorization ~= "Bearer t" .. life then refused = refused + 1 end
    end
    assert.equal(6, refused)
  end)

  it("and cannot be renewed ends the wait as unauthorized, with the way to go on", function()
    local _, client = expiring(2)
    local run = client:run_notebook(ingest())
    assert.equal("unauthorized", run.outcome)
    assert.equal("unauthorized", run.error.kind)
    assert.equal(("job %s of Sales/Ingest could not be watched to its end: AADSTS7000222: secret "
      .. "expired. It may still run in Fabric. Get a fresh token or the right to read it, then "
      .. "`luafabric notebook status %s %s %s`"):format(run.job_id, run.workspace_id,
      run.notebook_id, run.job_id), run.error.message)
  end)

  it("as a fixed one does end it too, and says which variable to set", function()
    local world = worlds.new { seconds = 4000, faults = { { at = "status", number = { 3, 99 },
      fault = "TokenExpired" } } }
    local run = world.client():run_notebook(ingest())
    assert.equal("unauthorized", run.outcome)
    assert.matches("put a fresh one into LUAFABRIC_TOKEN", run.error.message)
    assert.matches(run.job_id:gsub("%-", "%%-"), run.error.message)
  end)

  it("ends the wait for all runs of a list", function()
    local world = worlds.new { seconds = 4000, faults = { { at = "list", number = { 2, 99 },
      fault = "TokenExpired" } } }
    local client = world.client()
    world.run(function()
      local one, two = client:submit_notebook(ingest()), client:submit_notebook(ingest())
      one:wait()
      two:wait()
      -- The second waits again, once for itself, and meets its own refusal or its end.
      assert.equal("unauthorized", one.outcome)
      assert.equal("succeeded", two.outcome)
    end)
    assert.equal(2, world.service:started())
  end)

  it("whose authority is only away is waited for", function()
    local world, count = worlds.new { seconds = 300 }, 0
    local client = world.client { credential = { name = "test", token = function()
      count = count + 1
      if world.host.now() > 100 and world.host.now() < 3000 then
        return nil, errors.new { kind = "network", message = "no way to the authority" }
      end
      return "t"
    end } }
    local run = client:run_notebook(ingest())
    assert.equal("succeeded", run.outcome)
    assert.is_true(world.host.now() >= 3000)
    assert.equal("network", world.told("waiting")[1].cause)
  end)

  it("lets the run be waited for again, with a fresh one", function()
    local world = worlds.new { seconds = 1000, faults = { { at = "status", number = { 3, 3 },
      fault = "TokenExpired" } } }
    local run = world.client():run_notebook(ingest())
    assert.equal("unauthorized", run.outcome)
    assert.equal("succeeded", run:wait().outcome)
    assert.is_nil(run.error)
    assert.equal("done", run.exit_value)
  end)

  it("is no failure when the right to read is missing", function()
    local world = worlds.new { faults = { { at = "status", number = "every",
      fault = "InsufficientPrivileges" } } }
    local run = world.client():run_notebook(ingest())
    assert.equal("unauthorized", run.outcome)
    assert.equal("InsufficientPrivileges", run.error.code)
    assert.equal(1, world.service:started())
  end)
end)
