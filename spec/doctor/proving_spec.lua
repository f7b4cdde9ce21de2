-- One run shows how a tenant is: each belief against an emulated tenant where it is true, and one
-- where it is not, in virtual time.

local beliefs = require "luafabric.doctor.beliefs"
local proving = require "luafabric.doctor.proving"
local sqlite_store = require "luafabric.store.sqlite"
local worlds = require "spec.client.world"

--- Proves, and gives the answers, the run, and the world.
local function prove(settings, options)
  options = options or {}
  local world = worlds.new { settings = settings, faults = options.faults,
    seconds = options.seconds or 90, workspaces = options.workspaces }
  local proof, run, err
  world.run(function()
    proof = assert(proving.prepare(world.client(options.client), { workspace = "Sales",
      notebook = "Ingest", compute = options.compute }))
    run, err = proof:submit()
    if run and not run.outcome then proof:watch() end
  end)
  return beliefs.answers(beliefs.judge(proof:seen())), run, world, err
end

describe("a proof", function()
  it("is one run, which shows a tenant as it is believed to be", function()
    local answers, run, world = prove()
    assert.same({ typed_route = true, request_id_is_root = true, client_request_id = false,
      ["tag/Spark"] = true, exit_value = true }, { typed_route = answers.typed_route,
      request_id_is_root = answers.request_id_is_root, exit_value = answers.exit_value,
      client_request_id = answers.client_request_id, ["tag/Spark"] = answers["tag/Spark"] })
    assert.is_true(answers.visible_after < 1)
    assert.equal("succeeded", run.outcome)
    assert.same({ 1, 1 }, { world.service:started(), world.service:responses().posts })
    assert.matches('"compute":"Spark","computeConfiguration":{"name":"luafabric doctor lf%-',
      world.asked("submit")[1].body)
  end)

  it("sees a tenant without the typed route", function()
    local answers, run, world = prove { typed_route = false }
    assert.same({ typed_route = false }, answers)
    assert.is_nil(run)
    assert.same({ 0, 1 }, { world.service:started(), world.service:responses().posts })
  end)

  it("sees a root that is not the request", function()
    assert.is_false(prove({ root_is_request = false }).request_id_is_root)
  end)

  it("sees which of the ids that it sends is taken for the request's", function()
    for _, name in ipairs { "x-ms-client-request-id", "requestid", "activityid" } do
      assert.same({ header = name, place = "rootActivityId" },
        prove({ echo_request_id = name }).client_request_id)
    end
  end)

  it("sees a tenant that gives sessions names of its own, and gives it time to show ours",
    function()
      assert.is_false(prove({ session_names = false })["tag/Spark"])
      assert.is_true(prove({ visibility_lag = { livy = 120 } })["tag/Spark"])
      local answers = prove { visibility_lag = { livy = 1e6 } }
      assert.is_nil(answers["tag/Spark"])
      assert.is_true(answers.exit_value)
    end)

  it("takes no name for a proof that was another at first", function()
    local world, proof = worlds.new { seconds = 90, settings = { session_names = false } }, nil
    world.run(function(loop)
      proof = assert(proving.prepare(world.client(), { workspace = "Sales", notebook = "Ingest" }))
      assert(proof:submit())
      loop:spawn(function()
        require("luafabric.tasks").sleep(20)
        world.service.settings.session_names = true
      end)
      proof:watch()
    end)
    local facts = proof:seen()
    assert.truthy(facts.session_name:find(facts.tag, 1, true))
    assert.is_false(beliefs.answers(beliefs.judge(facts))["tag/Spark"])
  end)

  it("measures how long it takes until a run is listed", function()
    local lag = prove({ visibility_lag = { list = 41 } }).visible_after
    assert.is_true(lag >= 41 and lag < 44)
    assert.equal(300, prove({ visibility_lag = { list = 1e6 } }).visible_after)
  end)

  it("leaves it open how long that takes where no list can be read", function()
    for _, fault in ipairs { 503, 403 } do
      local answers, run = prove(nil, { faults = { { at = "list", number = "every",
        fault = fault } } })
      assert.is_nil(answers.visible_after)
      assert.is_truthy(run.job_id)
    end
  end)

  it("sees exit values that cannot be read", function()
    local answers = prove(nil, { faults = { { at = "instance", number = "every", fault = 404 } } })
    assert.is_false(answers.exit_value)
    assert.is_true(answers["tag/Spark"])
  end)

  it("settles what it can with a run that fails", function()
    local answers, run = prove(nil, { faults = { { at = "submit",
      fault = { job = { status = "Failed", after = 60 } } } } })
    assert.equal("failed", run.outcome)
    assert.is_true(answers["tag/Spark"])
    assert.is_nil(answers.exit_value)
  end)

  it("is never sent twice, and settles nothing where its answer is lost", function()
    for _, fault in ipairs { "lost_answer", "lost_request", "half_header", 503, "no_id" } do
      local answers, run, world = prove(nil, { faults = { { at = "submit", fault = fault } } })
      if fault ~= "no_id" then
        assert.same({ "unknown", {} }, { run.outcome, answers })
      end
      assert.equal(1, world.service:responses().posts)
    end
  end)

  it("tries again what was surely not started", function()
    local answers, _, world = prove(nil, { faults = { { at = "submit", fault = 429,
      retry_after = 20 } } })
    assert.is_true(answers.typed_route)
    assert.equal(1, world.service:started())
    local _, run, _, err = prove(nil, { faults = { { at = "submit", fault = 429, number = "every",
      retry_after = 50 } } })
    assert.same({ nil, "throttled" }, { run, err.kind })
  end)

  it("has the compute that the notebook has", function()
    local notebooks = { { name = "Sales",
      notebooks = { { name = "Ingest", compute = "Jupyter" } } } }
    local answers, _, _, err = prove(nil, { workspaces = notebooks })
    assert.equal("ComputeTypeMismatch", err.code)
    assert.is_nil(answers.typed_route)
    answers = prove(nil, { workspaces = notebooks, compute = "jupyter" })
    assert.is_true(answers.typed_route)
    assert.is_nil(answers["tag/Jupyter"])
    local world = select(3, prove(nil, { compute = "none" }))
    assert.is_nil(world.asked("submit")[1].body)
  end)

  it("takes the generic route where it is told to", function()
    local answers, run, world = prove({ typed_route = false }, { client = { route = "generic" } })
    assert.equal("succeeded", run.outcome)
    assert.same({ nil, nil, true, false }, { answers.typed_route, answers["tag/Spark"],
      answers.request_id_is_root, answers.exit_value })
    assert.equal(1, world.service:started())
  end)
end)

describe("a proof beside a store of runs", function()
  local TONIGHT = { notebook = "", path = "ingest", attempt = 1 }
  local store, world

  before_each(function() world = nil end)
  after_each(function() store:close() end)

  --- A world with a store by its clock, and a run of a workflow in it.
  local function begin(faults)
    world = worlds.new { faults = faults, seconds = 60 }
    store = assert(sqlite_store.open(":memory:", { synchronous = true, now = world.host.wall }))
    TONIGHT.notebook = world.ws .. "/" .. world.nb
    return assert(store:create_run { run_id = "tonight", workflow = "nightly" })
  end

  --- What the run is told that is about to submit the same notebook.
  local function intend(run)
    TONIGHT.blocks_until = world.host.wall() + 400
    local _, err = run:is_durable(assert(run:append({}, TONIGHT)))
    return err and err.store_code
  end

  local function prove_with(on_request)
    local run, err
    world.run(function()
      local client = world.client()
      local proof = assert(proving.prepare(client, { workspace = "Sales", notebook = "Ingest",
        store = store }))
      local handle = world.service.handle
      world.service.handle = function(service, request, now)
        if request.purpose == "submit" and on_request then on_request() end
        return handle(service, request, now)
      end
      run, err = proof:submit()
      if run and not run.outcome then proof:watch() end
    end)
    return run, err
  end

  it("keeps its notebook for itself until it is answered, and its job from all others", function()
    local tonight, told, seen = begin(), nil, nil
    local run = prove_with(function()
      seen = tonight:rival_intent(TONIGHT.notebook)
      told = intend(tonight)
    end)
    assert.equal("intent_open", told)
    assert.is_true(seen.blocks_until > world.host.wall())
    assert.same({ [run.job_id] = true }, tonight:claimed { run.job_id })
    assert.is_nil(intend(tonight))
  end)

  it("stays away from a submission that began after it had been asked for", function()
    local tonight = begin()
    assert.is_nil(intend(tonight))
    local run, err = prove_with()
    assert.is_nil(run)
    assert.matches("nothing was started: a submission of this notebook, by ingest of run tonight, "
      .. "is not settled", err.message)
    assert.equal(0, world.service:responses().posts)
  end)

  it("leaves its notebook to others while it waits, and looks again before it is sent", function()
    local tonight, told = begin { { at = "submit", fault = 429, retry_after = 20 } }, nil
    local run, err
    world.run(function(loop)
      local proof = assert(proving.prepare(world.client(), { workspace = "Sales",
        notebook = "Ingest", store = store }))
      loop:spawn(function()
        require("luafabric.tasks").sleep(10)
        told = intend(tonight) or "taken"
      end)
      run, err = proof:submit()
    end)
    assert.is_nil(run)
    assert.same({ "taken", 1 }, { told, world.service:responses().posts })
    assert.matches("by ingest of run tonight, is not settled", err.message)
  end)

  it("blocks its notebook for as long as it is in doubt", function()
    local tonight = begin { { at = "submit", fault = 503, applied = true } }
    assert.equal("unknown", prove_with().outcome)
    assert.equal("intent_open", intend(tonight))
    world.host.advance(500)
    assert.is_nil(intend(tonight))
  end)
end)
