-- How `luafabric run` ends whatever its run does, in process: the workflow, the connection and the
-- clock are stand-ins.

local capture = require "spec.cli.capture"
local errors = require "luafabric.errors"
local history = require "luafabric.history"
local json = require "luafabric.json"
local shell = require "spec.support.shell"
local story = require "spec.cli.workflow_story"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local REPLACED = { "luafabric.workflow.file", "luafabric.cli.connection",
  "luafabric.cli.workflow_run" }

describe("luafabric run", function()
  local loaded, folder

  setup(function() folder = shell.scratch() end)
  teardown(function() shell.remove(folder) end)
  before_each(function()
    loaded = {}
    for _, name in ipairs(REPLACED) do loaded[name] = package.loaded[name] or false end
  end)
  after_each(function()
    for name, module in pairs(loaded) do package.loaded[name] = module or nil end
  end)

  --- Runs the command on a definition whose `run` is given.
  local function run(fn, options)
    options.file, options.on_interrupt = "nightly.lua", "cancel"
    local definition = { name = "nightly", run = fn }
    function definition.declared() return {} end
    function definition.plan() return { inputs = {} } end
    package.loaded["luafabric.workflow.file"] = { load = function() return definition end }
    local host = virtual.new()
    if options.interrupted then host.post({ kind = "signal", name = "INT" }, 0) end
    local connection = { loop = tasks.new(host) }
    function connection.client() return {} end
    function connection.close() connection.closed = true end
    package.loaded["luafabric.cli.connection"] = { new = function() return connection end }
    package.loaded["luafabric.cli.workflow_run"] = nil -- it is to meet the stand-ins
    local code, out, err = capture.run(options, function(terminal)
      terminal:configure(options)
      return require("luafabric.cli.workflow_run").run(options, terminal)
    end)
    assert.is_true(connection.closed)
    assert.is_nil(err:find("stack traceback", 1, true))
    return code, out, err
  end

  --- A run that tells its events, and then does as `last` says.
  local function telling(events, last)
    return function(_, given)
      local state = history.new()
      given.on_start { state = state, cancel = function() end, detach = function() end }
      for _, event in ipairs(events) do
        history.apply(state, event)
        given.on_event(event, state)
      end
      return last(state)
    end
  end

  local function itself(state) return state end

  local all = {}
  for _, list in ipairs { story.events, story.ending } do
    for _, event in ipairs(list) do all[#all + 1] = event end
  end

  it("ends with the error where nothing was sent", function()
    local function refused()
      return nil, errors.new { kind = "unauthorized", message = "no role" }
    end
    assert.are.same({ 5, "", "luafabric: no role\n" }, { run(refused, {}) })
    local code, out = run(refused, { output = "json" })
    local value = assert(json.decode(out))
    assert.are.same({ 5, 5, "nightly", json.null, "unauthorized" },
      { code, value.exit_code, value.workflow, value.run_id, value.error.kind })
  end)

  it("is a failure where the result cannot be written", function()
    local done = { story.events[1], { type = "run_ended", at = 1001, outcome = "succeeded" } }
    assert.are.equal(0, (run(telling(done, itself), {})))
    for _, output in ipairs { "text", "json", "jsonl" } do
      local code, _, err = run(telling(done, itself), { output = output, full = true })
      assert.are.equal(1, code, output)
      assert.are.equal(1, select(2, err:gsub("could not be written", "")), err)
    end
  end)

  it("is a failure where a report cannot be written, and the others are", function()
    local done = { story.events[1], { type = "run_ended", at = 1001, outcome = "succeeded" } }
    local lost, kept = folder .. "/lost/a.md", folder .. "/b.md"
    assert.are.equal(0, (shell.run(("mkdir -p '%s/lost'"):format(folder))))
    local code, out, err = run(telling(done, function(state)
      shell.run(("rmdir '%s/lost'"):format(folder))
      return state
    end), { report = { lost, kept }, output = "json" })
    local value = assert(json.decode(out))
    assert.are.same({ 1, 1, { kept } }, { code, value.exit_code, value.reports })
    assert.matches("the report .*/lost/a.md could not be written: No such file", err)
    assert.matches("could not be written", value.error.message)
    -- The run's own outcome decides where it was not good.
    shell.run(("mkdir -p '%s/lost'"):format(folder))
    code = run(telling({ story.events[1], { type = "run_ended", at = 1001,
      outcome = "timed_out" } }, function(state)
      shell.run(("rmdir '%s/lost'"):format(folder))
      return state
    end), { report = { lost } })
    assert.are.equal(4, code)
  end)

  it("does not forget its runs where something in it raises", function()
    local report = folder .. "/raised.md"
    local code, out, err = run(telling(story.events, function() error("boom", 0) end),
      { output = "json", report = { report } })
    assert.are.equal(6, code) -- the answer of one submission is on its way
    assert.matches("luafabric: internal error: boom\n", err)
    assert.matches("clean%[eu%]  job JOB%-1\n    look with: luafabric notebook status", err)
    local value = assert(json.decode(out))
    assert.are.same({ 6, "internal error: boom", "JOB-1" },
      { value.exit_code, value.error.message, value.steps[2].job_id })
    assert.are.same({ report }, value.reports)
    local submitted = {}
    for index, event in ipairs(story.events) do submitted[index] = event end
    submitted[#submitted + 1] = story.ending[1]
    assert.are.equal(7, (run(telling(submitted, function() error("boom", 0) end), {})))
  end)

  it("leaves a clean screen where something in it raises", function()
    local screen = require "luafabric.cli.workflow_screen"
    local mode = screen.mode
    screen.mode = function() return "live" end
    local ok, problem = pcall(function()
      local _, _, err = run(telling(story.events, function()
        tasks.sleep(1) -- the table is drawn
        error("boom", 0)
      end), {})
      local drawn, after = err:match("^(.*%?25l.*%?25h)(.*)$")
      assert(drawn and not after:find("\27%[%?25"), err)
      assert.matches("internal error: boom", after)
    end)
    screen.mode = mode
    assert(ok, problem)
  end)

  it("is a failure, not detached, where something raises and nothing runs", function()
    local idle = { story.events[1] }
    assert.are.equal(1, (run(telling(idle, function() error("boom", 0) end), {})))
    assert.are.equal(1, (run(telling(story.events, function() error("boom", 0) end),
      { local_dir = "D" })))
  end)

  it("keeps its events coming where what is shown raises", function()
    local lines = require "luafabric.view.lines"
    local of = lines.of
    lines.of = function() error("boom", 0) end
    local ok, problem = pcall(function()
      local code, out, err = run(telling(all, itself), { output = "jsonl" })
      assert.are.equal(1, code)
      assert.are.equal(#all, select(2, out:gsub("\n", "")))
      assert.are.equal(1, select(2, err:gsub("internal error", "")), err)
      assert.matches("progress is not shown any more: boom", err)
    end)
    lines.of = of
    assert(ok, problem)
  end)

  it("says when its events end by a mistake of ours", function()
    local output = require "luafabric.view.run_document"
    local event = output.event
    output.event = function() error("boom", 0) end
    local ok, problem = pcall(function()
      local code, out, err = run(telling(all, itself), { output = "jsonl" })
      assert.are.same({ 1, "" }, { code, out })
      assert.are.equal(1, select(2, err:gsub("no more events on standard output: boom", "")), err)
    end)
    output.event = event
    assert(ok, problem)
  end)

  it("reports that it could not begin, in place of an older report", function()
    local list, old = {}, "of yesterday"
    for index, kind in ipairs { "html", "md", "xml" } do list[index] = folder .. "/new." .. kind end
    local function refused()
      for _, path in ipairs(list) do assert.is_nil(io.open(path)) end -- a kill leaves none
      return nil, errors.new { kind = "unauthorized", message = "no role" }
    end
    for _, fn in ipairs { refused, function() error("no role", 0) end } do
      for _, path in ipairs(list) do
        local file = assert(io.open(path, "w"))
        file:write(old)
        file:close()
      end
      local _, out = run(fn, { report = list, output = "json" })
      assert.are.same(list, json.decode(out).reports)
      for _, path in ipairs(list) do
        local file = assert(io.open(path))
        local text = file:read("*a")
        file:close()
        assert.matches("no role", text, 1, true)
        assert.matches("failed", text, 1, true)
        assert.is_nil(text:find(old, 1, true))
      end
    end
  end)

  it("reports that it was interrupted before it began", function()
    local path = folder .. "/early.xml"
    local code, out = run(function() error "it ran" end, { report = { path }, output = "jsonl",
      interrupted = true })
    assert.are.same({ 3, "cancelled" }, { code, json.decode(out).error.kind })
    local file = assert(io.open(path))
    assert.matches('message="interrupted: nothing was submitted" type="cancelled"',
      file:read "*a", 1, true)
    file:close()
  end)

  it("is an internal error where something raises before anything runs", function()
    local code, out, err = run(function() error("boom", 0) end, { output = "jsonl" })
    local value = assert(json.decode(out))
    assert.are.same({ 1, "error", 1 }, { code, value.type, value.exit_code })
    assert.are.equal("luafabric: internal error: boom\n", err)
  end)

  it("says the outcome of each end by its code", function()
    for outcome, code in pairs { succeeded = 0, failed = 1, cancelled = 3, timed_out = 4,
      unauthorized = 5, unknown = 6 } do
      local events = { story.events[1], { type = "run_ended", at = 1001, outcome = outcome } }
      assert.are.equal(code, (run(telling(events, itself), {})))
    end
  end)

  it("shows what failed and why", function()
    local code, out = run(telling(all, itself), {})
    assert.are.equal(1, code)
    assert.matches("clean%[us%] +failed.*column day.*publish +skipped", out)
    assert.matches("nightly 7f3a12 failed", out)
  end)
end)
