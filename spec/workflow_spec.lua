-- What a workflow does when it runs, seen by whoever wrote it: the report, the events, and what
-- Fabric was asked for.

local night = require "spec.engine.night"
local worlds = require "spec.client.world"

local lab, workflow = night.lab, night.workflow

local function events_of(made, kind)
  local list = {}
  for _, event in ipairs(made.events) do
    if event.type == kind then list[#list + 1] = event end
  end
  return list
end

local function text_of(value, seen)
  seen = seen or {}
  if type(value) ~= "table" then return tostring(value) end
  if seen[value] then return "" end
  seen[value] = true
  local parts = {}
  for name, item in pairs(value) do
    parts[#parts + 1] = tostring(name) .. "=" .. text_of(item, seen)
  end
  return table.concat(parts, " ")
end

describe("a workflow's run", function()
  it("finds every name before anything is sent", function()
    local made = lab { ["Sales/Ingest"] = "1m" }
    local report, err = made:run(workflow(function(flow)
      local ingest = flow:notebook("Ingest")
      flow:notebook("Publsh", { after = ingest })
      flow:notebook("Repot", { after = ingest })
    end))
    assert.is_nil(report)
    assert.equal("not_found", err.kind)
    assert.matches("\"Publsh\"", err.message)
    assert.matches("\"Repot\"", err.message)
    assert.equal(0, made:started())
  end)

  it("lists both ids where a name is there twice", function()
    local world = worlds.new { workspaces = { { name = "Sales", notebooks = { { name = "Ingest" },
      { name = "Ingest", id = "11111111-1111-4111-8111-111111111111" } } } } }
    local report, err = workflow(function(flow) flow:notebook("Ingest") end)
      :run { client = world.client() }
    assert.is_nil(report)
    assert.equal("ambiguous_name", err.kind)
    assert.matches("11111111%-1111%-4111%-8111%-111111111111", err.message)
    assert.equal(0, #world.asked("submit"))
  end)

  it("never looks an id up", function()
    local world = worlds.new()
    local report = assert(workflow(function(flow)
      flow:notebook("ingest", { workspace = world.ws, notebook = world.nb })
    end):run { client = world.client() })
    assert.is_true(report:ok())
    assert.equal(0, #world.asked("workspaces") + #world.asked("notebooks"))
  end)

  it("waits for capacity without spending an attempt", function()
    local made = lab { ["Sales/Clean"] = function(_, run)
      if run.attempt <= 3 then run:fail("capacity") end
      return "done"
    end }
    local report = assert(made:run(workflow(function(flow) flow:notebook("Clean") end)))
    local step = report.steps.Clean
    assert.equal("succeeded", step.outcome)
    assert.equal(4, #step.attempts)
    for _, event in ipairs(events_of(made, "retry_scheduled")) do
      assert.equal("capacity", event.cause)
      assert.is_false(event.spent)
    end
  end)

  it("calls the functions of a step once, however often it is tried", function()
    local calls = 0
    local made = lab { ["Sales/Clean"] = function(_, run)
      if run.attempt < 3 then run:fail("failed", "not yet") end
    end }
    local report = assert(made:run(workflow(function(flow)
      flow:each("clean", { "eu" }, { notebook = "Clean", retry = { attempts = 3 },
        parameters = function(region)
          calls = calls + 1
          return { region = region }
        end })
    end)))
    assert.is_true(report:ok())
    assert.equal(3, #report.steps["clean[eu]"].attempts)
    assert.equal(1, calls)
  end)

  it("never repeats a submission whose answer was lost", function()
    local made = lab({ ["Sales/Clean"] = "1m" },
      { faults = { { at = "submit", number = 1, fault = "lost_answer" } } })
    local report = assert(made:run(workflow(function(flow)
      flow:notebook("Clean", { retry = { attempts = 3, on = "transient" } })
    end)))
    assert.equal("unknown", report.outcome)
    assert.equal("unknown", report.steps.Clean.outcome)
    assert.matches("may or may not run", report.steps.Clean.reason.message)
    assert.equal(1, made:started())
  end)

  it("goes on after the network was away", function()
    local away = {}
    local world
    world = worlds.new { seconds = 60, handle = function(request, now)
      local from = now - 1767225600
      if request.url:find("/jobs/") and from > 10 and from < 200 and request.method == "POST" then
        away[#away + 1] = from
        return { failure = { code = "connect", message = "no route" } }
      end
    end }
    local report = assert(workflow(function(flow)
      local first = flow:notebook("Ingest")
      flow:notebook("Report", { after = first })
    end):run { client = world.client() })
    assert.is_true(report:ok())
    assert.is_true(#away > 2)
    assert.equal(2, world.service:started())
  end)

  it("says at once that there is no network when nothing was ever sent", function()
    local world = worlds.new { handle = function(request)
      if request.method == "POST" then
        return { failure = { code = "connect", message = "no route" } }
      end
    end }
    local report = assert(workflow(function(flow) flow:notebook("Ingest") end)
      :run { client = world.client() })
    assert.equal("platform", report.steps.Ingest.outcome)
    assert.matches("could not be reached", report.steps.Ingest.reason.message)
    assert.is_true(report.ended_at - report.started_at < 60)
  end)

  it("starts the most urgent first where there is one slot", function()
    local made = lab { ["Sales/Clean"] = "1m" }
    assert(made:run(workflow(function(flow)
      for index, priority in ipairs { 0, 5, -1, 5 } do
        flow:notebook("s" .. index, { notebook = "Clean", priority = priority })
      end
    end, { max_concurrency = 1 })))
    local order = {}
    for _, event in ipairs(events_of(made, "attempt_submitted")) do
      order[#order + 1] = event.path
    end
    assert.same({ "s2", "s4", "s1", "s3" }, order)
  end)

  it("keeps secrets out of everything but the request", function()
    local seen
    local made = lab { ["Sales/Clean"] = function(parameters, run)
      seen = parameters.key
      run:fail("failed", "no access with " .. parameters.key)
    end }
    local report = assert(made:run(workflow(function(flow)
      local key = flow:input("key", { secret = true })
      flow:notebook("Clean", { parameters = { key = key, plain = "x" } })
    end), { key = "s3cr3t!value" }))
    assert.equal("s3cr3t!value", seen)
    assert.matches("no access with %*%*%*", report.steps.Clean.reason.message)
    assert.matches("%*%*%* %(%x+%)", report.steps.Clean.attempts[1].request.body)
    assert.is_nil(text_of(made.events):find("s3cr3t!value", 1, true))
    assert.is_nil(text_of(report):find("s3cr3t!value", 1, true))
  end)

  it("goes on when on_event raises, and says so", function()
    local calls = 0
    local made = lab { ["Sales/Clean"] = "1m" }
    local report = assert(made:run(workflow(function(flow) flow:notebook("Clean") end), {},
      { on_event = function()
        calls = calls + 1
        error("no disk")
      end }))
    assert.is_true(report:ok())
    assert.equal(1, calls)
    assert.matches("on_event raised, and is not called any more: .*no disk",
      report.warnings[1].message)
  end)

  it("leaves what runs when it is detached, and starts nothing more", function()
    local made = lab { ["Sales/Clean"] = "1h" }
    local control
    local report = assert(made:run(workflow(function(flow)
      local clean = flow:notebook("Clean")
      flow:notebook("later", { notebook = "Clean", after = clean })
      flow:finally("last", { notebook = "Clean" })
    end), {}, { on_start = function(given) control = given end, on_event = function(event)
      if event.type == "status_changed" then control:detach() end
    end }))
    assert.is_true(report.detached)
    assert.is_nil(report.outcome)
    assert.is_false(report:ok())
    assert.equal("running", report.steps.Clean.phase)
    assert.is_string(report.steps.Clean.job_id)
    assert.equal(1, made:started())
    assert.equal(1, made:open_runs())
  end)

  it("does not wait for ever for a run that does not end", function()
    local made = lab({ ["Sales/Clean"] = "5h" }, { settings = { cancel_lag = 7200 } })
    local report = assert(made:run(workflow(function(flow)
      flow:notebook("Clean", { timeout = "10m" })
    end)))
    assert.equal("timed_out", report.outcome)
    assert.matches("may still run", report.warnings[1].message)
  end)

  it("takes the time and the number of runs from whoever runs it", function()
    local made = lab { ["Sales/Clean"] = "1h" }
    local definition = workflow(function(flow)
      flow:notebook("a", { notebook = "Clean" })
      flow:notebook("b", { notebook = "Clean" })
    end)
    local report = assert(definition:run { client = made.client, max_concurrency = 1,
      timeout = "30m" })
    assert.equal("timed_out", report.outcome)
    assert.equal("timed_out", report.steps.a.outcome)
    assert.equal("timeout", report.steps.b.reason.kind)
    assert.equal(1, made:started())
  end)

  it("refuses options that are wrong, at the caller's line", function()
    local made = lab { ["Sales/Clean"] = "1m" }
    local definition = workflow(function(flow) flow:notebook("Clean") end)
    local function raised(options)
      local ok, message = pcall(function() definition:run(options) end)
      assert.is_false(ok)
      return tostring(message):match("workflow_spec%.lua:%d+: (.*)$")
    end
    assert.equal("workflow:run: client: expected a client (fabric.client { … })", raised {})
    assert.equal("workflow:run: clent: unknown field, did you mean client?",
      raised { clent = made.client })
    assert.equal("workflow:run: on_event: expected a function, got a string",
      raised { client = made.client, on_event = "x" })
    assert.equal("workflow:run: max_concurrency: expected a whole number from 1 up",
      raised { client = made.client, max_concurrency = 0 })
    assert.matches("^workflow:run: timeout: ", raised { client = made.client, timeout = "soon" })
  end)

  it("says what is wrong with a deadline instead of running", function()
    local made = lab { ["Sales/Clean"] = "1m" }
    local report, err = workflow(function(flow) flow:notebook("Clean") end)
      :run { client = made.client, deadline = "teatime" }
    assert.is_nil(report)
    assert.equal("usage", err.kind)
    assert.matches("^deadline: ", err.message)
    assert.equal(0, made:started())
  end)
end)
