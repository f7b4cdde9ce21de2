-- The promise: a run is submitted at most once, whatever happens to the answer. The service counts
-- the runs that were started, apart from what was answered.

local errors = require "luafabric.errors"
local worlds = require "spec.client.world"

local ingest = worlds.ingest

--- Submits once in a world where the first submission meets that fault.
local function meet(fault, more)
  local rule = { at = "submit", number = 1, fault = fault }
  for name, value in pairs(more or {}) do rule[name] = value end
  local world = worlds.new { faults = { rule } }
  local run, err = world.client():run_notebook(ingest())
  return world, run, err
end

describe("a submission whose answer is lost", function()
  local lost = { fin = true, rst = true, half_header = true, header_then_reset = false,
    silence = true, drip = true, lost_request = true, redirect = true, [500] = true, [502] = true,
    [503] = true, [504] = true, [408] = true, no_id = false }
  for fault, is_unknown in pairs(lost) do
    it("is sent once: " .. tostring(fault), function()
      local world, run, err = meet(fault)
      assert.is_nil(err)
      assert.equal(1, #world.asked("submit"))
      assert.is_true(world.service:started() <= 1)
      if is_unknown then
        assert.equal("unknown", run.outcome)
        assert.is_nil(run.job_id)
        assert.equal("unknown", run.error.kind)
      else
        -- The headers were whole, or the run was found again.
        assert.equal("succeeded", run.outcome)
      end
    end)
  end

  it("may have started a run: that was applied before a 503", function()
    local world, run = meet(503, { applied = true })
    assert.equal("unknown", run.outcome)
    assert.equal(1, world.service:started())
    assert.equal(1, #world.asked("submit"))
    assert.equal(503, run.error.status)
    assert.equal("WorkloadUnavailable", run.error.code)
  end)

  it("is said to be so, with the way to look", function()
    local world, run = meet("fin")
    assert.equal(("the submission of Sales/Ingest at 2026-01-01T00:00:00Z got no whole answer (the "
      .. "server closed the connection without an answer): it may or may not run, and is not sent "
      .. "again. Look with `luafabric notebook list %s %s`"):format(world.ws, world.nb),
      tostring(run.error))
    assert.is_false(run:ok())
    assert.equal(run, run:wait())
    assert.equal(run.error, select(2, run:refresh()))
    assert.equal(run.error, select(2, run:cancel()))
    assert.equal(1, #world.asked("submit"))
  end)

  it("says where a redirect came from and that it was not followed", function()
    local world, run = meet("redirect")
    assert.matches("got a redirect, HTTP 307, which is never followed", run.error.message)
    for _, request in ipairs(world.asked()) do
      assert.matches("^https://api%.fabric%.microsoft%.com/v1/", request.url)
    end
  end)

  it("is sent on a connection of its own, not after its time, the only one that is", function()
    local world = worlds.new()
    world.client():run_notebook(ingest { submit_timeout = "5m" })
    for _, request in ipairs(world.asked()) do
      assert.equal(request.purpose == "submit" or nil, request.send_once)
      assert.equal(request.purpose == "submit" and 300 or nil, request.not_after)
    end
  end)
end)

describe("a submission that was accepted without an id", function()
  it("is found by its request id in the list, and never sent again", function()
    local world, run = meet("no_id")
    assert.equal(1, #world.asked("submit"))
    assert.equal("succeeded", run.outcome)
    assert.equal("done", run.exit_value)
    assert.is_true(#world.asked("list") >= 1)
    assert.equal(run.job_id, world.told("submitted")[1].job_id)
  end)

  it("is found although the list shows it late", function()
    local world = worlds.new { faults = { { at = "submit", fault = "location_without_id" } },
      settings = { visibility_lag = { list = 40 } } }
    local run = world.client():run_notebook(ingest())
    assert.equal("succeeded", run.outcome)
    assert.equal(1, world.service:started())
  end)

  it("has an unknown outcome where it is not to be found", function()
    local world = worlds.new { faults = { { at = "submit", fault = "no_id" } },
      settings = { visibility_lag = { list = 4000 } } }
    local run = world.client():run_notebook(ingest())
    assert.equal("unknown", run.outcome)
    assert.matches("an answer that names no run %(HTTP 202%)", run.error.message)
    assert.equal(5, #world.asked("list"))
    assert.same({}, world.told("waiting")) -- "waiting" would say that nothing was started
    assert.equal(0, #world.told("submitted"))
  end)

  it("is looked for without a word that would say that nothing was started", function()
    local world = worlds.new { faults = { { at = "submit", fault = "no_id" },
      { at = "list", number = { 1, 3 }, fault = 429, retry_after = 1 } } }
    assert.truthy(world.client():submit_notebook(ingest()).job_id)
    assert.same({}, world.told("waiting"))
    assert.is_true(#world.asked("list") > 3)
  end)

  it("is not looked for again where the list is forbidden", function()
    local world = worlds.new { faults = { { at = "submit", fault = "no_id" },
      { at = "list", number = "every", fault = "InsufficientPrivileges" } } }
    assert.equal("unknown", world.client():run_notebook(ingest()).outcome)
    assert.equal(1, #world.asked("list"))
  end)

  it("is found over lost answers of the list", function()
    local world = worlds.new { faults = { { at = "submit", fault = "no_id" },
      { at = "list", number = { 1, 3 }, fault = 503 } } }
    assert.equal("succeeded", world.client():run_notebook(ingest()).outcome)
  end)

  it("takes the id of a Location on a foreign host, and never goes there", function()
    local world, run = meet("foreign_location")
    assert.equal("succeeded", run.outcome)
    for _, request in ipairs(world.asked()) do
      assert.matches("^https://api%.fabric%.microsoft%.com/v1/", request.url)
    end
  end)

  it("takes the id from either header", function()
    for _, fault in ipairs { "location_only", "job_id_header_only" } do
      local world, run = meet(fault)
      assert.equal("succeeded", run.outcome)
      assert.equal(0, #world.asked("list"))
    end
  end)
end)

describe("a submission that Fabric refused", function()
  local refusals = {
    { "BadRequest", "rejected", 400 }, { "ComputeTypeMismatch", "rejected", 400 },
    { "InvalidJobType", "rejected", 400 }, { "PrincipalTypeNotSupported", "rejected", 400 },
    { "UnsupportedSku", "rejected", 400 }, { "CapacityNotActive", "rejected", 404 },
    { "ItemNotFound", "not_found", 404 }, { "WorkspaceNotFound", "not_found", 404 },
    { "MissingMinimalPermissions", "unauthorized", 403 },
    { "InsufficientScopes", "unauthorized", 403 }, { "FeatureNotAvailable", "unauthorized", 403 },
  }
  for _, row in ipairs(refusals) do
    it(("is no run, and an error of kind %s: %s"):format(row[2], row[1]), function()
      local world, run, err = meet(row[1])
      assert.is_nil(run)
      assert.is_true(errors.is(err))
      assert.equal(row[2], err.kind)
      assert.equal(row[1], err.code)
      assert.equal(row[3], err.status)
      assert.truthy(err.request_id)
      assert.matches("^Fabric refused to run Sales/Ingest: ", err.message)
      assert.equal(1, #world.asked("submit"))
      assert.equal(0, world.service:started())
    end)
  end

  it("is rejected for a 417, which a client might repeat by itself", function()
    local world, run, err = meet(417)
    assert.is_nil(run)
    assert.equal("rejected", err.kind)
    assert.equal(1, #world.asked("submit"))
  end)

  it("says what to do where there is something to do", function()
    local _, _, err = meet("ComputeTypeMismatch")
    assert.matches("Give the compute of the notebook's language: fabric%.spark, fabric%.jupyter "
      .. "%(pure Python%) or fabric%.data_warehouse %(T%-SQL%)", err.message)
    _, _, err = meet("MissingMinimalPermissions")
    assert.matches("needs the role Contributor or more in the workspace", err.message)
  end)
end)

describe("a submission that meets a quota", function()
  it("waits as long as Fabric says, tells why, and starts one run", function()
    local world = worlds.new { faults = { { at = "submit", number = { 1, 2 }, fault = 429,
      retry_after = 57 } } }
    local run = world.client():run_notebook(ingest())
    assert.equal("succeeded", run.outcome)
    assert.equal(1, world.service:started())
    local times = world.times("submit")
    assert.equal(3, #times)
    assert.is_true(times[2] >= 57 and times[3] >= times[2] + 57)
    local waits = world.told("waiting")
    assert.equal(2, #waits)
    assert.equal("throttled", waits[1].cause)
    assert.is_true(waits[1].seconds >= 57)
    assert.equal(world.nb, waits[1].notebook_id)
  end)

  it("waits for a full capacity, a minute where no time is named", function()
    local world = worlds.new { faults = { { at = "submit", number = { 1, 3 }, fault = 430 } } }
    local run = world.client():run_notebook(ingest())
    assert.equal("succeeded", run.outcome)
    local times = world.times("submit")
    for index = 2, 4 do assert.is_true(times[index] >= times[index - 1] + 60) end
    assert.equal("capacity", world.told("waiting")[1].cause)
  end)

  it("gives up at submit_timeout, having started nothing", function()
    for fault, kind in pairs { [429] = "throttled", [430] = "capacity" } do
      local world = worlds.new { faults = { { at = "submit", number = "every", fault = fault,
        retry_after = 50 } } }
      local run, err = world.client():run_notebook(ingest { submit_timeout = "3m" })
      assert.is_nil(run)
      assert.equal(kind, err.kind)
      assert.equal(fault, err.status)
      assert.equal(50, err.retry_after)
      assert.matches("for longer than the 3m00s given as submit_timeout; nothing was started",
        err.message)
      assert.is_true(world.host.now() <= 180)
      assert.equal(0, world.service:started())
    end
  end)
end)

describe("a submission that cannot be sent", function()
  --- A world whose network fails for every submission, with that failure.
  local function broken(code, sent, times)
    local count = 0
    return worlds.new { handle = function(request)
      if request.purpose ~= "submit" then return nil end
      count = count + 1
      if times and count > times then return nil end
      return { failure = { code = code, message = "no way to " .. code }, sent = sent }
    end }
  end

  it("is tried again for half a minute, then an error of the network", function()
    local world = broken("connect", "no")
    local run, err = world.client():run_notebook(ingest())
    assert.is_nil(run)
    assert.equal("network", err.kind)
    assert.equal("no", err.sent)
    assert.equal("https://api.fabric.microsoft.com/v1 could not be reached, so Sales/Ingest was "
      .. "not submitted: no way to connect; check the network, the endpoint and the proxy",
      err.message)
    assert.is_true(world.host.now() <= 30)
    assert.is_true(#world.asked("submit") > 2)
    assert.equal("network", world.told("waiting")[1].cause)
  end)

  it("starts one run when the network comes back", function()
    local world = broken("resolve", "no", 2)
    assert.equal("succeeded", world.client():run_notebook(ingest()).outcome)
    assert.equal(3, #world.asked("submit"))
    assert.equal(1, world.service:started())
  end)

  it("is not tried again where the connection is not to be trusted", function()
    local world = broken("tls", "no")
    local run, err = world.client():run_notebook(ingest())
    assert.is_nil(run)
    assert.equal("network", err.kind)
    assert.equal(1, #world.asked("submit"))
    assert.matches("give its certificates as ca_file", err.message)
  end)

  it("is never tried again once a byte may be out", function()
    for _, code in ipairs { "reset", "timeout", "protocol", "connect" } do
      local world = broken(code, "maybe")
      assert.equal("unknown", world.client():run_notebook(ingest()).outcome)
      assert.equal(1, #world.asked("submit"))
    end
  end)
end)

describe("a refused token", function()
  --- A credential that gives t1, t2, …
  local function renewing()
    local count, credential = 1, { name = "test" }
    function credential.token() return "t" .. count end
    function credential.invalidate(_, token)
      if token == "t" .. count then count = count + 1 end
      return true
    end
    return credential
  end

  it("is renewed once, and the run submitted once", function()
    local world = worlds.new { token = "t2" }
    local client = world.client { credential = renewing() }
    local run = client:run_notebook { workspace = world.ws, notebook = world.nb }
    assert.equal("succeeded", run.outcome)
    assert.equal(1, world.service:started())
    local sent = world.asked("submit")
    assert.equal(2, #sent)
    assert.equal("Bearer t1", sent[1].headers.Authorization)
    assert.equal("Bearer t2", sent[2].headers.Authorization)
  end)

  it("is renewed again after a wait for the quota, in which it may have expired", function()
    local answers, count = { 401, 429, 401 }, 0
    local world = worlds.new { handle = function(request)
      if request.purpose ~= "submit" then return nil end
      count = count + 1
      return answers[count] and { status = answers[count], headers = { ["Retry-After"] = "9" } }
    end }
    local run = world.client({ credential = renewing() }):run_notebook(ingest())
    assert.equal("succeeded", run.outcome)
    assert.equal("Bearer t3", world.asked("submit")[4].headers.Authorization)
  end)

  it("is an error after the second refusal", function()
    local world = worlds.new { token = "t9" }
    local run, err = world.client { credential = renewing() }
      :run_notebook { workspace = world.ws, notebook = world.nb }
    assert.is_nil(run)
    assert.equal("unauthorized", err.kind)
    assert.equal(401, err.status)
    assert.equal(2, #world.asked("submit"))
  end)

  it("that cannot be renewed is an error that says what to set", function()
    local world = worlds.new { token = "other" }
    local run, err = world.client():run_notebook { workspace = world.ws, notebook = world.nb }
    assert.is_nil(run)
    assert.equal("unauthorized", err.kind)
    assert.matches("put a fresh one into LUAFABRIC_TOKEN", err.message)
    assert.equal(1, #world.asked("submit"))
  end)

  it("with a line break in it is never sent", function()
    local world = worlds.new()
    local client = world.client { credential = { name = "odd",
      token = function() return "a\r\nX-Evil: b" end } }
    local run, err = client:run_notebook(ingest())
    assert.is_nil(run)
    assert.equal("unauthorized", err.kind)
    assert.is_nil(err.message:find("Evil", 1, true))
    assert.equal(0, #world.asked())
  end)

  it("is not to be had: nothing is sent", function()
    local world = worlds.new()
    local gone = errors.new { kind = "unauthorized", message = "no token today" }
    local run, err = world.client { credential = { name = "none",
      token = function() return nil, gone end } }:run_notebook(ingest())
    assert.is_nil(run)
    assert.equal(gone, err)
    assert.equal(0, #world.asked())
  end)
end)

describe("the events of a submission", function()
  it("are submitting before the request and submitted after the answer", function()
    local world, seen = worlds.new(), {}
    local client = world.client { on_event = function(event)
      seen[#seen + 1] = ("%s %d"):format(event.type, #world.asked("submit"))
    end }
    local run = client:submit_notebook(ingest())
    assert.same({ "submitting 0", "submitted 1" }, seen)
    assert.is_nil(run.outcome)
    assert.truthy(run.job_id)
    assert.truthy(run.request_id)
  end)

  it("end no run when their function raises; it is not called again", function()
    local world, calls = worlds.new(), 0
    local client = world.client { on_event = function()
      calls = calls + 1
      error("on purpose")
    end }
    local run = client:run_notebook(ingest())
    assert.equal("succeeded", run.outcome)
    assert.equal(1, calls)
    assert.matches("on purpose", client.event_error)
    assert.matches("on_event raised, and is not called any more: .*on purpose", run.warnings[1])
  end)

  it("may not wait", function()
    local world, client = worlds.new(), nil
    client = world.client { on_event = function() client:list_workspaces() end }
    assert.equal("succeeded", client:run_notebook(ingest()).outcome)
    assert.matches("the function given as on_event may not wait", client.event_error)
  end)
end)

describe("the body of a submission", function()
  local function sent(request, options)
    local world = worlds.new()
    local run = world.client(options):submit_notebook(ingest(request))
    return world.asked("submit")[1], run, world
  end

  it("has typed parameters, from a map or a list", function()
    local types = require "luafabric.types"
    local body = '{"parameters":[{"name":"day","type":"DateTime","value":"2026-11-23T00:00:00Z"},'
      .. '{"name":"full","type":"Boolean","value":true},{"name":"n","type":"Integer","value":5},'
      .. '{"name":"x","type":"Number","value":0.5}]}'
    assert.equal(body, sent({ parameters = { n = 5, full = true, x = 0.5,
      day = types.datetime "2026-11-23T00:00:00Z" } }).body)
    assert.equal(body, sent({ parameters = {
      { name = "day", type = "DateTime", value = "2026-11-23T00:00:00Z" },
      { name = "full", value = true }, { name = "n", value = types.integer "5" },
      { name = "x", type = "Number", value = 0.5 } } }).body)
  end)

  it("is none where nothing was given", function()
    local request = sent({})
    assert.is_nil(request.body)
    assert.is_nil(request.headers["Content-Type"])
    assert.is_nil(sent({ parameters = {} }).body)
  end)

  it("has the compute, and what is odd about it is a warning", function()
    local request, run, world = sent { compute = { compute = "Spark", computeConfiguration = {
      driverCores = 8, executorCores = 4 } }, parameters = { big = 3e9 } }
    assert.equal('{"executionData":{"compute":"Spark","computeConfiguration":{"driverCores":8,'
      .. '"executorCores":4}},"parameters":[{"name":"big","type":"'
      .. (math.type and 'Number","value":3000000000' or 'Integer","value":3000000000') .. "}]}",
      request.body)
    assert.matches("driverCores and executorCores differ", run.warnings[1])
    assert.equal(run.warnings[1], world.told("warning")[1].message)
  end)

  it("has the older shape on the generic route, and never a mixture", function()
    local request = sent({ parameters = { n = 5 },
      compute = { compute = "Spark", computeConfiguration = { sparkProperties = { a = "b" } } } },
      { route = "generic" })
    assert.matches("/items/[%x-]+/jobs/RunNotebook/instances$", request.url)
    assert.equal('{"executionData":{"parameters":{"n":{"type":"int","value":5}},'
      .. '"configuration":{"conf":{"a":"b"}}}}', request.body)
    assert.is_nil(sent({}, { route = "generic" }).body)
    assert.matches("/jobs/execute/instances%?beta=false$",
      sent({ route = "typed" }, { route = "generic" }).url)
  end)

  it("on the generic route takes the environment of the notebook's own workspace only", function()
    local world = worlds.new()
    local function submit(workspace_id)
      return world.client():submit_notebook(ingest { route = "generic",
        compute = { compute = "Spark", computeConfiguration = { attachedEnvironment = {
          referenceType = "ById", itemId = world.nb, workspaceId = workspace_id } } } })
    end
    local run, err = submit(world.nb)
    assert.is_nil(run)
    assert.equal("usage", err.kind)
    assert.matches("attachedEnvironment.workspaceId: .*typed route", err.message)
    assert.equal(0, #world.asked("submit"))
    assert.truthy(submit(world.ws:upper()))
    assert.equal('{"executionData":{"configuration":{"environment":{"id":"' .. world.nb .. '"}}}}',
      world.asked("submit")[1].body)
  end)
end)
