local fabric = require "luafabric"

local function one(fields)
  fields.workspace = fields.workspace or "Sales"
  return fabric.workflow("one", function(flow) flow:notebook("step", fields) end)
end

--- The message that a call raises, without its place.
local function raised(fn, ...)
  local arguments, count = { ... }, select("#", ...)
  local unpack = table.unpack or unpack
  local ok, message = pcall(function() fn(unpack(arguments, 1, count)) end)
  assert.is_false(ok)
  return message
end

describe("a lab", function()
  it("runs a workflow file with Lua functions as notebooks", function()
    local path = os.tmpname() .. ".lua"
    local file = assert(io.open(path, "w"))
    file:write [[
      local fabric = require "luafabric"
      return fabric.workflow("nightly", function(flow)
        flow:defaults { workspace = "Sales" }
        local from = flow:input("from", { type = "Text" })
        local ingest = flow:notebook("ingest", { notebook = "Ingest orders",
          parameters = { from = from } })
        local cleaned = flow:each("clean", ingest:exit("regions"), { notebook = "Clean region",
          parameters = function(region) return { region = region } end })
        flow:notebook("Publish", { after = cleaned })
      end)]]
    file:close()
    local given
    local lab = fabric.lab { notebooks = {
      ["Sales/Ingest orders"] = function(p)
        given = p.from
        return { regions = { "eu", "us" } }, "5m"
      end,
      ["Sales/Clean region"] = function(_, run)
        if run.attempt == 1 then run:fail("capacity") end
      end,
      ["Sales/Publish"] = "1m" },
      faults = { { at = "submit", notebook = "Ingest orders", number = 1, fault = 429 } } }
    local report, err = lab:run(path, { from = "2026-01" })
    os.remove(path)
    assert.is_nil(err)
    assert.is_true(report:ok())
    assert.equal("2026-01", given)
    assert.equal("succeeded", report.steps["clean[us]"].outcome)
    assert.equal(1, lab:started("Sales/Ingest orders"))
    assert.equal(4, lab:started("Sales/Clean region"))
  end)

  it("gives a notebook its parameters as plain values, and says which run it is", function()
    local seen
    local lab = fabric.lab { start = 1800000000, notebooks = { ["Sales/Look"] = function(p, run)
      seen = { p = p, attempt = run.attempt, workspace = run.workspace, notebook = run.notebook,
        started_at = run.started_at }
    end } }
    assert.is_true(lab:run(one { notebook = "Look", parameters = { text = "a", whole = 3,
      part = 0.5, yes = true, day = fabric.types.datetime "2026-11-23T00:00:00Z" } }):ok())
    assert.same({ text = "a", whole = 3, part = 0.5, yes = true, day = "2026-11-23T00:00:00Z" },
      seen.p)
    assert.equal(1, seen.attempt)
    assert.equal("Sales", seen.workspace)
    assert.equal("Look", seen.notebook)
    assert.is_true(seen.started_at >= 1800000000)
    assert.is_true(lab:now() > seen.started_at)
  end)

  it("takes a duration, or an exit value, for a notebook", function()
    local lab = fabric.lab { notebooks = { ["Sales/Slow"] = "3h", ["Sales/Given"] = { n = 4 } } }
    local before = lab:now()
    assert.is_true(lab:run(one { notebook = "Slow" }):ok())
    assert.is_true(lab:now() - before >= 3 * 3600)
    assert.equal('{"n":4}', lab:run(one { notebook = "Given" }).steps.step.exit_value)
  end)

  it("ends a run as the notebook says", function()
    local ending
    local lab = fabric.lab { notebooks = { ["Sales/End"] = function(_, run)
      run:fail(ending, "because")
    end } }
    for _, outcome in ipairs { "failed", "platform", "cancelled", "deduped" } do
      ending = outcome
      local report = lab:run(one { notebook = "End" })
      assert.equal(outcome, report.steps.step.outcome)
    end
    ending = "UserCodeError"
    local report = lab:run(one { notebook = "End" })
    assert.equal("failed", report.steps.step.outcome)
    local attempt = report.steps.step.attempts[1]
    assert.equal("UserCodeError", attempt.failure_reason.errorCode)
    assert.equal("because", attempt.failure_reason.message)
  end)

  it("shows what a notebook function raised, with its place", function()
    local lab = fabric.lab { notebooks = { ["Sales/Raise"] = function() error("no such day") end } }
    local report = lab:run(one { notebook = "Raise" })
    assert.equal("failed", report.steps.step.outcome)
    assert.matches("lab_spec%.lua:%d+: no such day$",
      report.steps.step.attempts[1].failure_reason.message)
  end)

  it("counts attempts anew in each run, and starts over all of them", function()
    local attempts = {}
    local lab = fabric.lab { notebooks = { ["Sales/Count"] = function(_, run)
      attempts[#attempts + 1] = run.attempt
    end } }
    lab:run(one { notebook = "Count" })
    local events = #lab.events
    lab:run(one { notebook = "Count" })
    assert.same({ 1, 1 }, attempts)
    assert.equal(2, lab:started("Sales/Count"))
    assert.equal(2, lab:started())
    assert.equal(events, #lab.events)
  end)

  it("gives the same run for the same seed", function()
    local function times(seed)
      local lab = fabric.lab { seed = seed, notebooks = { ["Sales/A"] = "20m" } }
      lab:run(one { notebook = "A" })
      local list = {}
      for index, event in ipairs(lab.events) do list[index] = event.type .. event.at end
      return list
    end
    assert.same(times(5), times(5))
    assert.are_not.same(times(5), times(6))
  end)

  it("cancels from outside", function()
    local lab = fabric.lab { notebooks = { ["Sales/Long"] = "2h" } }
    local report = lab:run(one { notebook = "Long" }, nil, { cancel_at = "10m" })
    assert.equal("cancelled", report.outcome)
    assert.equal("cancelled", report.steps.step.outcome)
    assert.equal(0, lab:open_runs())
  end)

  it("answers for a notebook that is not there as Fabric does", function()
    local lab = fabric.lab { notebooks = { ["Sales/Ingest"] = 60 } }
    local report, err = lab:run(one { notebook = "Ingset" })
    local message = err and err.message or report.steps.step.reason.message
    assert.matches('did you mean "Ingest"?', message, 1, true)
    assert.equal(0, lab:started())
  end)

  it("has the limits that its settings say", function()
    local lab = fabric.lab { notebooks = { ["Sales/A"] = "1m", ["Sales/B"] = "1m" },
      settings = { capacity = 1, capacity_answer = "post" } }
    local report = lab:run(fabric.workflow("two", function(flow)
      flow:defaults { workspace = "Sales" }
      flow:notebook("A")
      flow:notebook("B")
    end))
    assert.is_true(report:ok())
    local waited = 0
    for _, event in ipairs(lab.events) do
      if event.type == "retry_scheduled" and event.cause == "capacity" then waited = waited + 1 end
    end
    assert.is_true(waited > 0)
  end)
end)

describe("a lab that was given nonsense", function()
  it("names what is wrong, and what is near", function()
    assert.matches("lab_spec%.lua:%d+: lab: notebook: unknown field, did you mean notebooks%?$",
      raised(fabric.lab, { notebook = {} }))
    assert.matches('lab_spec%.lua:%d+: lab: notebooks: x: expected "Workspace/Notebook"$',
      raised(fabric.lab, { notebooks = { x = 1 } }))
    assert.matches("lab: notebooks: x/y: \"hello\" is no duration",
      raised(fabric.lab, { notebooks = { ["x/y"] = "hello" } }))
    assert.matches("did you mean submit%?",
      raised(fabric.lab, { notebooks = {}, faults = { { at = "submi", fault = 500 } } }))
    assert.matches("lab: settings: que: unknown field, did you mean queue%?",
      raised(fabric.lab, { notebooks = {}, settings = { que = 1 } }))
    assert.matches("lab_spec%.lua:%d+: lab: settings: queue: expected a number from 0 up",
      raised(fabric.lab, { notebooks = {}, settings = { queue = "1m" } }))
    assert.matches("settings%.capacity_answer: wait is not",
      raised(fabric.lab, { notebooks = {}, settings = { capacity_answer = "wait" } }))
    assert.matches("lab: seed: expected a number from 0 up, got a string",
      raised(fabric.lab, { notebooks = {}, seed = "x" }))
  end)

  it("says at lab:run what the author of a notebook function got wrong", function()
    local lab = fabric.lab { notebooks = {
      ["Sales/Duration"] = function() return nil, "5 minutes" end,
      ["Sales/Dot"] = function(_, run) run.fail("capacity") end,
      ["Sales/Word"] = function(_, run) run:fail("succeeded") end,
      ["Sales/Typo"] = function(_, run) run:fail("platfrom") end,
      ["Sales/Value"] = function() return { n = print } end,
      ["Sales/Wait"] = function() require("luafabric.tasks").sleep(1) end } }
    local function message(notebook)
      return raised(lab.run, lab, one { notebook = notebook })
    end
    assert.matches('notebook function of "Sales/Duration": the duration: "5 minutes" is no',
      message "Duration")
    assert.matches('run:fail%("capacity"%)', message "Dot")
    assert.matches("succeeded is nothing a notebook can end with", message "Word")
    assert.matches("run:fail: platfrom: did you mean platform%?", message "Typo")
    assert.matches("the exit value: n: ", message "Value")
    assert.is_false(lab:run(one { notebook = "Wait" }):ok())
    assert.equal(0, lab:started("Sales/Word") - 1)
  end)

  it("names what is wrong with a run's options, and with a name it is asked for", function()
    local lab = fabric.lab { notebooks = { ["Sales/Ingest"] = 60 } }
    assert.matches("lab:run: cancel_att: unknown field, did you mean cancel_at%?",
      raised(lab.run, lab, one { notebook = "Ingest" }, {}, { cancel_att = 1 }))
    assert.matches("lab:run: expected the path of a workflow file",
      raised(lab.run, lab, 7))
    assert.matches('did you mean "Sales/Ingest"%?', raised(lab.started, lab, "Sales/Ingset"))
  end)
end)
