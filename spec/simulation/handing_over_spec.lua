-- A process that leaves in the middle of a run: wherever that is, another one goes on at once with
-- what was written down, and what is seen in the end is what would have been seen without.

local cut = require "spec.simulation.cut_run"
local fabric = require "luafabric"
local tasks = require "luafabric.tasks"

local notebooks = {
  ["Sales/Ingest"] = function() return { regions = { "eu", "us", "jp" } }, "5m" end,
  ["Sales/Clean"] = function(p, run)
    if p.region == "us" and run.attempt == 1 then run:fail("failed", "flaky") end
    return { rows = 3 }, "3m"
  end,
  ["Sales/Last"] = "1m",
}

local definition = fabric.workflow("nightly", function(flow)
  flow:defaults { workspace = "Sales", retry = { attempts = 3, interval = "1m" } }
  local ingest = flow:notebook("ingest", { notebook = "Ingest" })
  flow:each("clean", ingest:exit("regions"), { notebook = "Clean", max_concurrency = 2,
    parameters = function(region) return { region = region } end })
  flow:finally("last", { notebook = "Last", parameters = { outcome = flow:outcome() } })
end)

local function new_lab(options)
  local given = { notebooks = notebooks, settings = { retry_after = 20 } }
  for name, value in pairs(options or {}) do given[name] = value end
  return fabric.lab(given)
end

--- Runs until it is handed over, or has ended. `leave(control, event, count)` is told every event.
local function run_and_leave(lab, store, leave, options)
  local control, count = nil, 0
  local given = { client = cut.client_of(lab), store = store, run_id = cut.RUN_ID,
    on_start = function(it) control = it end,
    on_event = function(event)
      count = count + 1
      leave(control, event, count)
    end }
  for name, value in pairs(options or {}) do given[name] = value end
  if given.resume then given.run_id = nil end
  return assert(definition:run(given))
end

--- A store that has a run's events on the disk so many seconds later.
local function slow(lab, store, seconds)
  local function create_run(_, given)
    local handle = assert(store:create_run(given))
    local append, is_durable, ready_at = handle.append, handle.is_durable, {}
    function handle.append(self, ...)
      local ticket, err = append(self, ...)
      if ticket then
        ready_at[ticket] = lab.host.now() + seconds
        lab.host.post({ kind = "store" }, ready_at[ticket])
      end
      return ticket, err
    end
    function handle.is_durable(self, ticket)
      if lab.host.now() < (ready_at[ticket] or 0) then return false end
      return is_durable(self, ticket)
    end
    return handle
  end
  return setmetatable({ create_run = create_run }, { __index = store })
end

local function outcomes(report)
  local seen = { run = report.outcome }
  for _, path in ipairs(report.order) do seen[path] = report.steps[path].outcome end
  return seen
end

local function types_of(store)
  local seen = {}
  for _, event in ipairs(assert(store:events(cut.RUN_ID))) do
    seen[event.type] = (seen[event.type] or 0) + 1
  end
  return seen
end

describe("a run that is handed over", function()
  local lab, store
  local expected, count, started

  setup(function()
    local whole = new_lab()
    local kept = cut.store_of(whole)
    expected = run_and_leave(whole, kept, function() end)
    count, started = #assert(kept:events(cut.RUN_ID)), whole:started()
    kept:close()
  end)

  before_each(function()
    lab = new_lab()
    store = cut.store_of(lab)
  end)
  after_each(function() store:close() end)

  local function go_on(what)
    local row = assert(store:find(cut.RUN_ID))
    assert.is_nil(row.owner, what)
    assert.equal("running", row.state, what)
    local before = lab:now()
    local report = assert(cut.resume(lab, definition, store))
    assert.same(outcomes(expected), outcomes(report), what)
    assert.equal(started, lab:started(), what)
    assert.equal(0, lab:open_runs(), what)
    local seen = types_of(store)
    assert.is_nil(seen.detached, what)
    assert.is_nil(seen.attempt_doubtful, what) -- it knows what is on its way
    assert.equal(seen.attempt_intended, seen.attempt_submitted, what)
    return lab:now() - before
  end

  it("would have gone well", function()
    assert.is_true(expected:ok())
    assert.equal(6, started) -- one of them flaky
    assert.is_true(count > 30)
  end)

  it("goes on with the next process after whatever event", function()
    for after = 1, count - 1 do
      lab = new_lab()
      store:close()
      store = cut.store_of(lab)
      local report = run_and_leave(lab, store, function(control, _, number)
        if number == after then control:hand_over() end
      end)
      assert.is_true(report.handed_over)
      assert.is_nil(report.outcome)
      go_on("after " .. after .. " events")
    end
  end)

  it("goes on wherever an answer is slow to come", function()
    for leave_after = 5, 750, 61 do
      lab = new_lab { faults = { { at = "submit", number = { 1, 1000 }, delay = 7 },
        { at = "status", number = { 1, 1000 }, delay = 3 } } }
      store:close()
      store = cut.store_of(lab)
      local loop = tasks.new(lab.host)
      local control, left_at
      loop:spawn(function()
        tasks.sleep(leave_after)
        control:hand_over()
        left_at = loop.host.now()
      end)
      local main = loop:spawn(function()
        return definition:run { client = cut.client_of(lab), store = store, run_id = cut.RUN_ID,
          on_start = function(it) control = it end }
      end)
      local ok, report = loop:run(main)
      assert(ok, report)
      assert.is_true(report.handed_over, "after " .. leave_after)
      assert.is_true(loop.host.now() - left_at <= 30)
      go_on("after " .. leave_after .. " s")
    end
  end)

  it("goes on wherever the disk is slow to take what was written", function()
    for after = 1, count - 1, 3 do
      lab = new_lab()
      store:close()
      store = cut.store_of(lab)
      local report = run_and_leave(lab, slow(lab, store, 2), function(control, _, number)
        if number == after then control:hand_over() end
      end)
      assert.is_true(report.handed_over)
      go_on("after " .. after .. " events")
    end
  end)

  it("is handed over again and again", function()
    local report = run_and_leave(lab, store, function(control, _, number)
      if number == 5 then control:hand_over() end
    end)
    local times = 0
    while report.handed_over do
      times = times + 1
      report = run_and_leave(lab, store, function(control, _, number)
        if number == 4 then control:hand_over() end
      end, { resume = cut.RUN_ID })
    end
    assert.is_true(times > 5)
    assert.same(outcomes(expected), outcomes(report))
    assert.equal(started, lab:started())
  end)

  it("waits no second time for an answer that does not come", function()
    lab = new_lab { faults = { { at = "submit", number = 1, fault = "silence" } } }
    store:close()
    store = cut.store_of(lab)
    local loop = tasks.new(lab.host)
    local control
    loop:spawn(function()
      tasks.sleep(1)
      control:hand_over()
      tasks.sleep(1)
      control:hand_over()
    end)
    local main = loop:spawn(function()
      return definition:run { client = cut.client_of(lab), store = store, run_id = cut.RUN_ID,
        on_start = function(it) control = it end }
    end)
    local ok, report = loop:run(main)
    assert(ok, report)
    assert.is_true(report.handed_over)
    assert.is_true(loop.host.now() < 3)
    assert.is_nil(assert(store:find(cut.RUN_ID)).owner)
  end)

  it("is held by its lease for as long as an answer takes", function()
    lab = new_lab { faults = { { at = "submit", number = 1, delay = 55 } } }
    store:close()
    store = cut.store_of(lab)
    local loop = tasks.new(lab.host)
    local control, row
    loop:spawn(function()
      tasks.sleep(2)
      control:hand_over()
      tasks.sleep(50)
      row = store:find(cut.RUN_ID)
    end)
    local main = loop:spawn(function()
      return definition:run { store = store, run_id = cut.RUN_ID,
        client = cut.client_of(lab, { request_timeout = 60 }),
        on_start = function(it) control = it end }
    end)
    local ok, report = loop:run(main)
    assert(ok, report)
    assert.is_true(row.lease_until > lab.host.wall() - 5)
    go_on "after a slow answer"
  end)
end)
