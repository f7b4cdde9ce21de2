-- What a unit of a run that is taken up goes on with: its request, its deadline, its endpoint.

local cut = require "spec.simulation.cut_run"
local fabric = require "luafabric"
local json = require "luafabric.json"

local RUN_ID = cut.RUN_ID

local function flow_of(fn)
  return fabric.workflow("nightly", function(flow)
    flow:defaults { workspace = "Sales" }
    fn(flow)
  end)
end

--- Ends its process right after an event of that type, for the n-th time.
local function cut_after(lab, definition, kind, options, number)
  local store, left = cut.store_of(lab), number or 1
  local given = { store = setmetatable({ create_run = function(_, new)
    local handle = assert(store:create_run(new))
    local append = handle.append
    function handle.append(self, events, intent)
      if left == 0 then error("the process has ended", 0) end
      if events[1].type == kind then left = left - 1 end
      return append(self, events, intent)
    end
    function handle.close() end
    return handle
  end }, { __index = store }) }
  for name, value in pairs(options or {}) do given[name] = value end
  cut.run_until_dead(lab, definition, given)
  lab.host.advance(60)
  return store
end

describe("an item of a run that is taken up", function()
  local function items_of(deadline, on_deadline)
    return flow_of(function(flow)
      flow:each("clean", { "eu" }, { notebook = "Clean", on_deadline = on_deadline,
        parameters = function(item) return { item = item } end,
        deadline = function() return deadline end })
    end)
  end

  local function outcome_of(kind, deadline, on_deadline)
    local lab = fabric.lab { notebooks = { ["Sales/Clean"] = "2h" } }
    local definition = items_of(deadline, on_deadline)
    local store = cut_after(lab, definition, kind)
    local report = assert(cut.resume(lab, definition, store))
    return report.steps["clean[eu]"], lab, report
  end

  it("keeps its own deadline", function()
    local item, lab = outcome_of("attempt_submitted", "2026-01-01T01:00:00Z")
    assert.equal("timed_out", item.outcome)
    assert.equal("deadline", item.reason.kind)
    assert.equal("2026-01-01T01:00:00Z", os.date("!%Y-%m-%dT%H:%M:00Z", item.ended_at))
    assert.equal(0, lab:open_runs())
  end)

  it("is cancelled where its deadline passed meanwhile, and not forgotten", function()
    local item, lab = outcome_of("attempt_submitted", "2026-01-01T00:00:30Z")
    assert.equal("timed_out", item.outcome)
    assert.is_truthy(item.job_id)
    assert.equal(0, lab:open_runs())
    assert.equal(1, lab:started())
  end)

  it("goes on where its deadline only warns", function()
    local item, _, report = outcome_of("attempt_submitted", "2026-01-01T00:00:30Z", "warn")
    assert.equal("succeeded", item.outcome)
    assert.matches("its deadline, .* has passed; it goes on", report.warnings[1].message)
  end)
end)

describe("a run whose workspace has an endpoint of its own", function()
  it("is watched as soon as that can be asked for", function()
    local definition = flow_of(function(flow) flow:notebook("clean", { notebook = "Clean" }) end)
    for _, kind in ipairs { "attempt_submitted", "attempt_intended" } do
      local lab = fabric.lab { notebooks = { ["Sales/Clean"] = "2h" } }
      local store = cut_after(lab, definition, kind)
      local handle, refused = lab.service.handle, 0
      function lab.service.handle(self, request, now)
        if request.url:find("preferWorkspaceSpecific") and refused < 20 then
          refused = refused + 1
          return { status = 500, headers = {}, body = "" }
        end
        return handle(self, request, now)
      end
      local report = assert(cut.resume(lab, definition, store, { exclusive = true,
        client = cut.client_of(lab, { workspace_endpoints = true }) }))
      assert.equal("succeeded", report.outcome, kind)
      assert.equal(20, refused)
      assert.equal(1, lab:started())
      assert.matches("tried again until it can be watched", report.warnings[1].message)
    end
  end)
end)

describe("a request that was written down", function()
  local function flaky(more)
    local options = { notebooks = { ["Sales/Ingest"] = function(p)
      return "Files/" .. tostring(p.key), "5m"
    end, ["Sales/Clean"] = function(_, run)
      if run.attempt == 1 then run:fail("failed", "flaky") end
    end } }
    for name, value in pairs(more or {}) do options[name] = value end
    return fabric.lab(options)
  end

  it("goes by the route that its body was made for", function()
    local lab = flaky()
    local definition = flow_of(function(flow)
      flow:notebook("clean", { notebook = "Clean", parameters = { day = "monday" },
        retry = { attempts = 2, interval = "1h" } })
    end)
    local store = cut_after(lab, definition, "retry_scheduled")
    local report = assert(cut.resume(lab, definition, store,
      { client = cut.client_of(lab, { route = "generic" }) }))
    assert.is_true(report:ok())
    local attempts = report.steps.clean.attempts
    assert.same({ "typed", "typed" }, { attempts[1].request.route, attempts[2].request.route })
    assert.equal(attempts[1].request.body, attempts[2].request.body)
  end)

  it("is sent again with a tag of its own", function()
    local lab = flaky()
    local definition = flow_of(function(flow)
      flow:notebook("clean", { notebook = "Clean", compute = fabric.spark { name = "orders" },
        retry = { attempts = 2, interval = "1h" } })
    end)
    local store = cut_after(lab, definition, "retry_scheduled")
    local bodies, handle = {}, lab.service.handle
    function lab.service.handle(self, request, now)
      if request.method == "POST" then bodies[#bodies + 1] = request.body end
      return handle(self, request, now)
    end
    local report = assert(cut.resume(lab, definition, store))
    assert.is_true(report:ok())
    local attempts = report.steps.clean.attempts
    local first, second = attempts[1].request, attempts[2].request
    assert.is_true(first.tag ~= second.tag)
    assert.same({ bodies[1] }, { second.body })
    local name = json.decode(bodies[1]).executionData.computeConfiguration.name
    assert.equal("orders " .. second.tag, name)
  end)

  it("is never sent as a mask where its secret is not to be had any more", function()
    local lab = flaky()
    local definition = flow_of(function(flow)
      local key = flow:input("key", { secret = true })
      local ingest = flow:notebook("ingest", { notebook = "Ingest", parameters = { key = key } })
      flow:notebook("clean", { notebook = "Clean", parameters = { path = ingest:exit() },
        retry = { attempts = 2, interval = "1h" } })
    end)
    local inputs = { key = "s3cr3t" }
    local store = cut_after(lab, definition, "retry_scheduled", { inputs = inputs })
    local report = assert(cut.resume(lab, definition, store, { inputs = inputs }))
    assert.equal("rejected", report.steps.clean.outcome)
    assert.equal(1, lab:started("Sales/Clean"))
    assert.matches("ingest", report.steps.clean.reason.message)
    assert.is_true(assert(store:events(RUN_ID))[2] ~= nil)
  end)

  it("with three stars in it is sent as it stands where they are no mask", function()
    local lab = flaky()
    local definition = flow_of(function(flow)
      flow:notebook("clean", { notebook = "Clean", parameters = { pattern = "***" },
        retry = { attempts = 2, interval = "1h" } })
    end)
    local store = cut_after(lab, definition, "retry_scheduled")
    local report = assert(cut.resume(lab, definition, store))
    assert.is_true(report:ok())
    local attempts = report.steps.clean.attempts
    assert.equal(attempts[1].request.body, attempts[2].request.body)
  end)
end)
