-- `luafabric resolve`: what the user says of a submission in doubt is written down in its run, and
-- whatever cannot be meant is refused.

local history = require "luafabric.history"
local store_world = require "spec.cli.store_world"

local JOB, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"

local request = { workspace = "Sales", notebook = "Load", body = "{}",
  workspace_id = "33333333-3333-4333-8333-333333333333",
  notebook_id = "44444444-4444-4444-8444-444444444444" }

local function events()
  local list = {}
  local function add(event)
    event.at = 1000 + #list
    list[#list + 1] = event
  end
  add { type = "run_started", run_id = "ab12cd", workflow = "nightly", inputs = {}, steps = {
    { path = "load", kind = "notebook", after = {} }, { path = "done", kind = "notebook",
      after = {} }, { path = "clean", kind = "each", after = {} } } }
  for _, path in ipairs { "load", "done" } do
    add { type = "step_ready", path = path }
    add { type = "attempt_intended", path = path, attempt = 1, request = request }
  end
  add { type = "attempt_submitted", path = "done", attempt = 1, job_id = OTHER }
  add { type = "attempt_ended", path = "done", attempt = 1, outcome = "succeeded",
    job_id = OTHER }
  add { type = "step_ended", path = "done", outcome = "succeeded", job_id = OTHER }
  add { type = "items_expanded", path = "clean", items = {} }
  add { type = "step_ended", path = "clean", outcome = "succeeded" }
  return list
end

local ending = {
  { type = "attempt_ended", at = 1100, path = "load", attempt = 1, outcome = "unknown" },
  { type = "step_ended", at = 1101, path = "load", outcome = "unknown" },
  { type = "run_ended", at = 1102, outcome = "unknown", counts = { unknown = 1 } },
}

describe("luafabric resolve", function()
  local world
  local getenv = os.getenv

  -- Nobody is signed in, whatever the machine that runs the specs has.
  before_each(function()
    world = store_world.new()
    rawset(os, "getenv", function(name)
      if name == "AZURE_TOKEN_CREDENTIALS" then return "EnvironmentCredential" end
      if name:find("^AZURE_") or name == "LUAFABRIC_TOKEN" then return nil end
      return getenv(name)
    end)
  end)

  after_each(function()
    rawset(os, "getenv", getenv)
    world:close()
  end)

  local function put(more)
    local list = events()
    for _, event in ipairs(more) do list[#list + 1] = event end
    world:put(list):close()
  end

  local function attempt()
    local state = history.new()
    for _, event in ipairs(assert(world.store:events "ab12cd")) do history.apply(state, event) end
    return state.steps.load.attempts[1], state
  end

  it("writes down which job the run is, and how to go on", function()
    put(ending)
    local code, out, err, _ = world:luafabric("resolve", "ab12", "load", "--adopt", JOB)
    assert.equal(0, code, err)
    assert.matches("^load of run ab12cd is job " .. JOB:gsub("%-", "%%-")
      .. "; without a credential it was not looked for in Fabric\n$", out)
    assert.matches("go on with it: luafabric repair ab12cd %-%-store", err)
    local resolved = attempt().resolved
    assert.equal(JOB, resolved.job_id)
    assert.equal("user", resolved.by)
    assert.equal("ab12cd", world.store:job(JOB).run_id)
    assert.equal("ended", world.store:find("ab12cd").state)
    code, _, err = world:luafabric("resolve", "ab12", "load", "--not-started")
    assert.equal(2, code)
    assert.matches("nothing to resolve: it is settled already: its run is job " .. JOB:sub(1, 8),
      err)
    local _, shown = world:luafabric("show", "ab12", "load")
    assert.matches("resolved +its run is job 1111", shown)
  end)

  it("writes down that there is none", function()
    put(ending)
    local code, out = world:luafabric("resolve", "ab12", "load", "--not-started")
    assert.equal(0, code)
    assert.equal("load of run ab12cd was not started\n", out)
    assert.is_nil(attempt().resolved.job_id)
  end)

  it("names the endpoint of the run where that is not Fabric's own", function()
    local list = events()
    list[1].endpoint = "https://api.example/v1"
    for _, event in ipairs(ending) do list[#list + 1] = event end
    world:put(list):close()
    local code, _, err = world:luafabric("resolve", "ab12", "load", "--not-started")
    assert.equal(0, code)
    assert.matches("go on with it: luafabric repair ab12cd %-%-store %S+ %-%-endpoint "
      .. "https://api.example/v1", err)
  end)

  it("takes the job that a step has already, and does not let go of it", function()
    put { { type = "attempt_submitted", at = 1090, path = "load", attempt = 1, job_id = JOB },
      { type = "attempt_ended", at = 1100, path = "load", attempt = 1, outcome = "unknown",
        job_id = JOB, may_run = true }, ending[2], ending[3] }
    local code, out, err, _ = world:luafabric("resolve", "ab12", "load", "--adopt", JOB)
    assert.equal(0, code, err)
    assert.matches("^load of run ab12cd is job 1111.* already: a repair watches it to its end", out)
    assert.matches("go on with it: luafabric repair ab12cd", err)
    code, _, err = world:luafabric("resolve", "ab12", "load", "--not-started")
    assert.equal(2, code)
    assert.matches("its run is job 1111.*, which may still run: a repair watches it", err)
  end)

  describe("of a run that goes on", function()
    --- What its process writes down once it is asked.
    local function resolve(said, event)
      local handle = world:put(events())
      event.at = 1200
      local options = { run_id = "ab12", step = "load" }
      for name, value in pairs(said) do options[name] = value end
      return world:module("store_resolve", options, function()
        if event then assert(handle:append { event }) end
        event = nil
        world.store:flush()
      end)
    end

    it("says yes where that is what became of it", function()
      local code, out, err = resolve({ adopt = JOB },
        { type = "attempt_adopted", path = "load", attempt = 1, job_id = JOB })
      assert.equal(0, code, err)
      assert.matches("load of run ab12cd is job 1111", out)
    end)

    it("says what became of it instead", function()
      local code, out, err = resolve({ not_started = true },
        { type = "attempt_submitted", path = "load", attempt = 1, job_id = JOB })
      assert.equal(2, code)
      assert.equal("", out)
      assert.matches("run ab12cd: load was not settled as you said: its run is job 1111", err)
    end)

    it("says that there is no answer yet, where it is still in doubt", function()
      local code, _, err = resolve({ not_started = true },
        { type = "attempt_doubtful", path = "load", attempt = 1, message = "no answer" })
      assert.equal(7, code)
      assert.matches("was asked, and has not answered yet", err)
    end)
  end)

  it("lets a run that nobody runs be taken up with what was said", function()
    world:as_somebody_gone(function() put {} end)
    local code, _, err = world:luafabric("resolve", "ab12", "load", "--not-started")
    assert.equal(0, code)
    assert.matches("go on with it: luafabric run %-%-resume ab12cd", err)
    assert.equal("waiting", attempt().state)
  end)

  it("is asked of the process that runs it, and one that does not answer is code 7", function()
    local run = world:put(events())
    for looks, signalled in pairs { [20] = false, [1] = true } do
      local count = 0
      local code, out, err = world:module("store_resolve", { run_id = "ab12", step = "load",
        not_started = true }, function()
          count = count + 1
          assert(count <= 20)
          return signalled
        end)
      assert.are.same({ 7, "", looks }, { code, out, count })
      assert.matches("^luafabric: process %d+ was asked, and has not answered yet: look with "
        .. "luafabric show ab12cd load %-%-store [^\n]+\n$", err)
    end
    run:close()
  end)

  it("refuses what cannot be meant", function()
    put(ending)
    local function refused(pattern, ...)
      local code, _, err = world:luafabric("resolve", ...)
      assert.equal(2, code)
      assert.matches(pattern, err)
    end
    refused("say %-%-adopt JOB, the job that is its run, or %-%-not%-started", "ab12", "load")
    refused("%-%-adopt x: expected the id of a job", "ab12", "load", "--adopt", "x")
    refused("job 2222.* is the run of done in run ab12cd already", "ab12", "load", "--adopt",
      OTHER)
    refused("run ab12cd has no step 'loat'; did you mean 'load'%?", "ab12", "loat",
      "--not-started")
    refused("done: there is nothing to resolve: its submission is not in doubt: its run is job",
      "ab12", "done", "--not-started")
    refused("clean: there is nothing to resolve: it has items: name one of them", "ab12", "clean",
      "--not-started")
    refused("no run nosuch in", "nosuch", "load", "--not-started")
    assert.is_nil(attempt().resolved)
  end)
end)
