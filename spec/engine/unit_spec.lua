-- One step's attempts: which of them count, when it comes back, and what it is not allowed to do.

local night = require "spec.engine.night"
local worlds = require "spec.client.world"

local new_lab, workflow = night.lab, night.workflow

--- A workflow whose second notebook is known by name only when the first has ended.
local function by_name(more)
  return workflow(function(flow)
    local first = flow:notebook("first", { notebook = "Ingest" })
    local fields = { notebook = first:exit("next") }
    for name, value in pairs(more or {}) do fields[name] = value end
    flow:notebook("second", fields)
  end)
end

--- A world whose list of notebooks cannot be read some times, after the first look.
local function without_lists(answer, times)
  local lists = 0
  return worlds.new { result = { exit_value = '{"next":"Report"}' }, seconds = 60,
    handle = function(request)
      local is_list = request.url:find("/notebooks%?") or request.url:find("/notebooks$")
      if not is_list or request.method ~= "GET" then return end
      lists = lists + 1
      if lists > 1 and lists <= 1 + times then return answer end
    end }
end

describe("a step whose notebook cannot be looked up", function()
  it("waits for the network, and its attempts are all still there", function()
    local world = without_lists({ failure = { code = "connect", message = "no route" } }, 12)
    local report = assert(by_name():run { client = world.client() })
    assert.is_true(report:ok())
    assert.equal(1, #report.steps.second.attempts)
    assert.equal(1, report.steps.second.spent)
  end)

  it("gives up when Fabric cannot say, instead of asking for ever", function()
    local world = without_lists({ status = 500, headers = {}, body = "" }, 1e6)
    local report = assert(by_name { retry = { attempts = 2 } }:run { client = world.client() })
    assert.equal("platform", report.steps.second.outcome)
    assert.equal(0, #report.steps.second.attempts)
    assert.is_true(report.ended_at - report.started_at < 3600)
    assert.equal(1, world.service:started())
  end)

  it("is rejected when there is no such notebook", function()
    local world = worlds.new { result = { exit_value = '{"next":"Reprot"}' }, seconds = 60 }
    local report = assert(by_name():run { client = world.client() })
    assert.equal("rejected", report.steps.second.outcome)
    assert.matches("did you mean \"Report\"", report.steps.second.reason.message)
  end)
end)

describe("a step's attempts", function()
  it("are each given their whole time to be cancelled", function()
    local lab = new_lab({ ["Sales/Clean"] = "5h" }, { settings = { cancel_lag = 60 } })
    local report = assert(lab:run(workflow(function(flow)
      flow:notebook("Clean", { timeout = "20m",
        retry = { attempts = 3, on = "timed_out", interval = "1m" } })
    end)))
    assert.equal("timed_out", report.outcome)
    assert.equal(3, lab:started())
    assert.equal(0, lab:open_runs())
    assert.same({}, report.warnings)
  end)

  it("are over when a run does not end although it was told to", function()
    local lab = new_lab({ ["Sales/Clean"] = "5h" }, { settings = { cancel_lag = 7200 } })
    local report = assert(lab:run(workflow(function(flow)
      flow:notebook("Clean", { timeout = "20m", retry = { attempts = 3, on = "timed_out" } })
    end)))
    assert.equal("timed_out", report.outcome)
    assert.equal(1, lab:started())
    assert.matches("may still run", report.steps.Clean.reason.message)
  end)

  it("do not count where the capacity was full, and come back as often as that takes", function()
    local lab = new_lab { ["Sales/Clean"] = function(_, run)
      if run.attempt % 2 == 1 then run:fail("capacity") end
      if run.attempt < 6 then run:fail("failed") end
    end }
    local report = assert(lab:run(workflow(function(flow)
      flow:notebook("Clean", { retry = { attempts = 3, interval = "1m" } })
    end)))
    assert.is_true(report:ok())
    assert.equal(6, #report.steps.Clean.attempts)
    assert.equal(3, report.steps.Clean.spent)
  end)

  it("leave the place for sending to others while they wait for capacity", function()
    local faults = {}
    for index = 1, 12 do
      faults[index] = { at = "submit", notebook = "Clean", number = { 1, 400 }, fault = 430,
        retry_after = 600 }
    end
    local lab = new_lab({ ["Sales/Clean"] = "1m", ["Sales/Other"] = "1m" }, { faults = faults })
    local report = assert(lab:run(workflow(function(flow)
      for index = 1, 12 do flow:notebook("clean " .. index, { notebook = "Clean" }) end
      flow:notebook("other", { notebook = "Other" })
    end, { timeout = "1h" })))
    assert.equal("succeeded", report.steps.other.outcome)
    assert.is_true(report.steps.other.ended_at - report.started_at < 600)
  end)
end)

describe("an item whose own deadline has passed", function()
  it("is never submitted", function()
    local lab = new_lab { ["Sales/Clean"] = "1m" }
    local report = assert(lab:run(workflow(function(flow)
      flow:each("clean", { "late", "early" }, { notebook = "Clean", tolerate = 1,
        parameters = function(item) return { item = item } end,
        deadline = function(item)
          return item == "late" and "2020-01-01T00:00:00Z" or "2030-01-01T00:00:00Z"
        end })
    end)))
    assert.equal("timed_out", report.steps["clean[late]"].outcome)
    assert.equal("deadline", report.steps["clean[late]"].reason.kind)
    assert.equal("succeeded", report.steps["clean[early]"].outcome)
    assert.equal(1, lab:started())
  end)
end)

describe("a secret", function()
  it("may be the name of a step, or a word of ours", function()
    local lab = new_lab { ["Sales/Clean"] = "1m" }
    local report = assert(lab:run(workflow(function(flow)
      local one = flow:input("one", { secret = true })
      local two = flow:input("two", { secret = true })
      flow:notebook("ingest", { notebook = "Clean", parameters = { one = one, two = two } })
    end), { one = "ingest", two = "ended" }))
    assert.is_true(report:ok())
  end)

  it("in an exit value reaches the next notebook, and nobody else", function()
    local seen
    local lab = new_lab {
      ["Sales/Ingest"] = function(p) return "Files/" .. p.key .. "/x", "1m" end,
      ["Sales/Clean"] = function(p) seen = p.path end,
    }
    local report = assert(lab:run(workflow(function(flow)
      local key = flow:input("key", { secret = true })
      local ingest = flow:notebook("Ingest", { parameters = { key = key } })
      flow:notebook("Clean", { parameters = { path = ingest:exit() } })
    end), { key = "s3cr3t" }))
    assert.equal("Files/s3cr3t/x", seen)
    assert.equal("Files/***/x", report.steps.Ingest.exit_value)
    assert.matches("holds a secret", report.warnings[1].message)
  end)
end)

describe("a finally step with a condition on the run's outcome", function()
  it("runs when it holds, whatever else failed", function()
    local lab = new_lab { ["Sales/Clean"] = function(_, run) run:fail("failed") end,
      ["Sales/Alert"] = "1m", ["Sales/Praise"] = "1m" }
    local report = assert(lab:run(workflow(function(flow)
      local clean = flow:notebook("Clean")
      flow:notebook("later", { notebook = "Clean", after = clean })
      flow:finally("Alert", { when = flow:outcome():is("failed") })
      flow:finally("Praise", { when = flow:outcome():is("succeeded") })
    end)))
    assert.equal("succeeded", report.steps.Alert.outcome)
    assert.equal("condition", report.steps.Praise.reason.kind)
  end)
end)
