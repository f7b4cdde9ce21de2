-- A file of notebookutils.notebook.runMultiple as its user meets it: the plan it gives, how it runs
-- in the lab, what it warns of, and what is said of each mistake.

local fabric = require "luafabric"
local json = require "luafabric.json"
local plan_document = require "luafabric.view.plan_document"
local run_multiple = require "luafabric.workflow.run_multiple"

local WORKSPACE = { workspace = "Sales" }

-- Microsoft's example of a DAG (NotebookUtils notebook run and orchestration).
local EXAMPLE = [[
{
    "activities": [
        {
            "name": "Process_1",
            "path": "NotebookSimple",
            "timeoutPerCellInSeconds": 90,
            "args": {"p1": "changed value", "p2": 100},
            "workspace":"WorkspaceName"
        },
        {
            "name": "Process_2",
            "path": "NotebookSimple2",
            "timeoutPerCellInSeconds": 120,
            "args": {"p1": "changed value 2", "p2": 200},
            "workspace":"id"
        },
        {
            "name": "Process_1.1",
            "path": "NotebookSimple2",
            "timeoutPerCellInSeconds": 120,
            "args": {"p1": "changed value 3", "p2": 300},
            "retry": 1,
            "retryIntervalInSeconds": 10,
            "dependencies": ["Process_1"]
        }
    ],
    "timeoutInSeconds": 43200,
    "concurrency": 12
}
]]

local function read(text, name)
  return assert(run_multiple.read(text, name or "dag.json"))
end

local function plan_of(text, inputs)
  return assert(read(text):plan { inputs = inputs or WORKSPACE })
end

--- A DAG of activities, each given as the inside of its object.
local function dag(...)
  local list = {}
  for index, inside in ipairs { ... } do list[index] = "{" .. inside .. "}" end
  return '{"activities":[\n' .. table.concat(list, ",\n") .. "\n]}"
end

local function names_of(steps)
  local names = {}
  for index, step in ipairs(steps) do names[index] = step.name end
  return names
end

describe("a runMultiple file", function()
  it("gives a plan like that of a workflow file", function()
    local plan = plan_of(EXAMPLE)
    assert.same({ "dag", 43200, 12 }, { plan.name, plan.timeout, plan.max_concurrency })
    local document = plan_document.document(plan)
    local first, third = document.steps[1], document.steps[3]
    assert.same({ workspace = "WorkspaceName", notebook = "NotebookSimple", body = { parameters = {
      { name = "p1", type = "Text", value = "changed value" },
      { name = "p2", type = "Integer", value = 100 } } } }, first.request)
    assert.same({ "Process_1" }, names_of(plan.by_name["Process_1.1"].after))
    assert.same({ attempts = 2, interval = 10, backoff = 1, max_interval = 600,
      on = { "failed", "platform" } }, third.retry)
    assert.equal("Sales", third.request.workspace)
    assert.equal("dag.json:17", third.place)
  end)

  it("asks for a workspace only where an activity names none", function()
    assert.same({ { name = "workspace", type = "Text", required = true, secret = false,
      description = "of the activities that name none" } }, read(EXAMPLE):declared())
    local own = dag '"name": "a", "path": "a", "workspace": "Sales"'
    assert.same({}, (read(own):declared()))
    local _, err = read(EXAMPLE):plan {}
    assert.equal("dag.json: missing input: workspace (Text): give -P workspace=…", err.message)
  end)

  it("may be a list of notebooks, which run at once", function()
    local plan = plan_of('["Load", "/team/Clean"]')
    assert.same({ "Load", "/team/Clean" }, names_of(plan.order))
    assert.equal("Clean", plan.by_name["/team/Clean"].fields.notebook)
    assert.same({}, plan.by_name["/team/Clean"].after)
  end)

  it("has the defaults of runMultiple", function()
    local plan = plan_of(dag '"name": "a", "path": "a"')
    assert.same({ 43200, 50, 1 }, { plan.timeout, plan.max_concurrency,
      plan.by_name.a.retry.attempts })
    plan = plan_of('{"activities": [{"name":"a","path":"a"},{"name":"b","path":"b"}], '
      .. '"concurrency": 0}')
    assert.equal(2, plan.max_concurrency)
  end)

  it("takes null for a field that is not there, as Python's None becomes", function()
    local plan = plan_of(dag [["name": "a", "path": "a", "args": null, "dependencies": null,
      "workspace": null, "retry": null, "timeoutPerCellInSeconds": null]])
    assert.same({}, plan.warnings)
    assert.equal("Sales", plan.by_name.a.fields.workspace)
  end)

  it("may name an activity before the one that it waits for", function()
    local plan = plan_of(dag([["name": "c", "path": "c", "dependencies": ["b"] ]],
      [["name": "b", "path": "b", "args": {"from": "@activity('a').exitValue()"}]],
      [["name": "a", "path": "a"]]))
    assert.same({ "a", "b", "c" }, names_of(plan.order))
    assert.same({ "a" }, names_of(plan.by_name.b.after))
  end)

  it("types arguments as JSON does", function()
    local plan = plan_of(dag [["name": "a", "path": "a", "args": {"text": "1", "whole": 5,
      "part": 2.5, "float": 1.0, "yes": true, "ä": "\u00e4\n"}]])
    local found = {}
    for _, entry in ipairs(plan_document.document(plan).steps[1].request.body.parameters) do
      found[entry.name] = { entry.type, entry.value }
    end
    assert.same({ text = { "Text", "1" }, whole = { "Integer", 5 }, part = { "Number", 2.5 },
      float = { "Number", 1 }, yes = { "Boolean", true }, ["ä"] = { "Text", "ä\n" } }, found)
  end)

  it("keeps every digit of an integer", function()
    local plan = plan_of(dag '"name": "a", "path": "a", "args": {"large": 9007199254740993}')
    assert.matches('"type":"Integer","value":9007199254740993}',
      plan_document.document(plan).steps[1].request.body, 1, true)
  end)

  it("pauses as long as it says, however long", function()
    local plan = plan_of(dag [["name": "a", "path": "a", "retry": 2,
      "retryIntervalInSeconds": 1800]])
    assert.same({ 3, 1800, 1800, 1 }, { plan.by_name.a.retry.attempts,
      plan.by_name.a.retry.interval, plan.by_name.a.retry.max_interval,
      plan.by_name.a.retry.backoff })
  end)

  it("may begin with a mark of byte order", function()
    assert.equal(1, #plan_of("\239\187\191[\"a\"]").steps)
  end)
end)

describe("a runMultiple file in the lab", function()
  local CHAIN = dag([["name": "Extract", "path": "Extract data", "args": {"source": "prod"},
      "retry": 2, "retryIntervalInSeconds": 5]],
    [["name": "Transform", "path": "Transform data", "dependencies": ["Extract"],
      "args": {"whole": "@activity('Extract').exitValue()",
      "within": "Files/@activity(\"Extract\").exitValue()/@activity('Silent').exitValue()."}]],
    [["name": "Silent", "path": "Silent"]])

  local function run(text, notebooks, options)
    local lab = fabric.lab { notebooks = notebooks }
    return assert(lab:run(read(text), WORKSPACE, options)), lab
  end

  it("hands exit values on, also inside a longer text; none is an empty text", function()
    local seen
    local report = run(CHAIN, {
      ["Sales/Extract data"] = function() return "2026/01" end,
      ["Sales/Silent"] = "1m",
      ["Sales/Transform data"] = function(parameters) seen = parameters end })
    assert.equal("succeeded", report.outcome)
    assert.same({ whole = "2026/01", within = "Files/2026/01/." }, seen)
  end)

  it("tries again what failed, and skips what waits for it when that is in vain", function()
    local report, lab = run(CHAIN, { ["Sales/Silent"] = "1m", ["Sales/Transform data"] = "1m",
      ["Sales/Extract data"] = function(_, attempt) attempt:fail("failed") end })
    assert.equal("failed", report.outcome)
    assert.same({ 3, 0, 1 }, { lab:started("Sales/Extract data"),
      lab:started("Sales/Transform data"), lab:started("Sales/Silent") })
    assert.same({ "skipped", "upstream" },
      { report.steps.Transform.outcome, report.steps.Transform.reason.kind })
  end)

  it("runs no more at a time than its concurrency, and no longer than its time", function()
    local list = {}
    for index = 1, 6 do list[index] = ('{"name": "n%d", "path": "Work"}'):format(index) end
    local text = ('{"activities": [%s], "concurrency": 2, "timeoutInSeconds": 5400}'):format(
      table.concat(list, ","))
    local open, most = {}, 0
    local report, lab = run(text, { ["Sales/Work"] = "1h" }, { on_event = function(event)
      if event.type == "attempt_submitted" then open[event.path] = true end
      if event.type == "attempt_ended" then open[event.path] = nil end
      local count = 0
      for _ in pairs(open) do count = count + 1 end
      most = math.max(most, count)
    end })
    assert.equal(2, most)
    assert.equal("timed_out", report.outcome)
    assert.equal(4, lab:started("Sales/Work"))
  end)

  it("runs from a file by its path", function()
    local path = os.tmpname()
    local file = assert(io.open(path .. ".json", "w"))
    file:write('["Load"]')
    file:close()
    local lab = fabric.lab { notebooks = { ["Sales/Load"] = "1m" } }
    local report, err = lab:run(path .. ".json", WORKSPACE)
    os.remove(path)
    os.remove(path .. ".json")
    assert.is_nil(err)
    assert.equal("succeeded", report.steps.Load.outcome)
  end)

  it("says in the run's warnings what it does not honour", function()
    local report = run(dag '"name": "a", "path": "a", "timeoutPerCellInSeconds": 90',
      { ["Sales/a"] = "1m" })
    assert.matches('timeoutPerCellInSeconds of activity "a" is not honoured',
      report.warnings[1].message, 1, true)
  end)
end)

describe("what a runMultiple file cannot have is a warning", function()
  local function warns(expected, text)
    local warnings = plan_of(text).warnings
    assert.equal(1, #warnings, json.encode(warnings))
    assert.equal(expected, warnings[1])
  end

  it("that names the field and the activities", function()
    warns('dag.json:2: timeoutPerCellInSeconds of activity "a" is not honoured: a job of Fabric '
      .. "has no limit for a cell; `timeout` in the step of a converted workflow limits its whole "
      .. "run", dag '"name": "a", "path": "a", "timeoutPerCellInSeconds": 90')
    warns('dag.json:2: useRootDefaultLakehouse of the activities "a" and "b" is not honoured: each '
      .. "notebook is a job of its own, with its own default lakehouse",
      dag('"name": "a", "path": "a", "args": {"useRootDefaultLakehouse": true}',
        '"name": "b", "path": "b", "args": {"useRootDefaultLakehouse": true}'))
    warns("dag.json:2: the folder in path of activity \"a\" is not honoured: Fabric finds a "
      .. "notebook by its name in the workspace, not by its folder",
      dag '"name": "a", "path": "team/loads/a"')
    warns("dag.json:2: null among the args of activity \"a\" is not honoured: null is no value of "
      .. "a parameter; the argument is left out, and the notebook's own value holds",
      dag '"name": "a", "path": "a", "args": {"x": null}')
  end)

  it("once for each field, however many activities have it", function()
    local list = {}
    for index = 1, 8 do
      list[index] = ('"name": "n%d", "path": "a", "timeoutPerCellInSeconds": 90'):format(index)
    end
    local unpack = table.unpack or unpack
    assert.matches('of the activities "n1", "n2", "n3", "n4", "n5" and 3 more is not honoured',
      plan_of(dag(unpack(list))).warnings[1], 1, true)
  end)

  it("of the whole, too", function()
    warns("dag.json:1: refreshInterval is not honoured: the status is asked for as often as Fabric "
      .. "allows", '{"activities": [{"name":"a","path":"a"}], "refreshInterval": 3}')
  end)

  it("where a parameter takes no list, and the name of a step no brackets", function()
    local text = dag('"name": "a[1]", "path": "a", "args": {"x": [1.0, {"b": "c"}]}',
      [["name": "b", "path": "b", "dependencies": ["a[1]"] ]])
    local plan = plan_of(text)
    assert.same({ "a(1)", "b" }, names_of(plan.order))
    assert.same({ name = "x", type = "Text", value = '[1.0,{"b":"c"}]' },
      plan_document.document(plan).steps[1].request.body.parameters[1])
    assert.equal(2, #plan.warnings)
  end)

  it("and a folder that is only the root of the workspace is none", function()
    assert.same({}, plan_of(dag '"name": "a", "path": "/a"').warnings)
  end)
end)

describe("a mistake in a runMultiple file is told in a sentence:", function()
  local function says(expected, text)
    local definition, err = run_multiple.read(text, "dag.json")
    if definition then err = select(2, definition:plan { inputs = WORKSPACE }) end
    assert(err, "nothing was said about " .. text)
    assert.same({ "usage", expected }, { err.kind, err.message })
  end

  it("a field that nobody knows", function()
    says('dag.json:2: activity "a": retries: unknown field, did you mean retry?',
      dag '"name": "a", "path": "a", "retries": 1')
    says('dag.json:2: activity "a": dependsOn: unknown field, did you mean dependencies?',
      dag '"name": "a", "path": "a", "dependsOn": ["b"]')
    says('dag.json:2: activity "a": workspaceId: unknown field, did you mean workspace?',
      dag '"name": "a", "path": "a", "workspaceId": "x"')
    says("dag.json:1: concurency: unknown field, did you mean concurrency?",
      '{"activities": [], "concurency": 3}')
  end)

  it("what is missing", function()
    says('dag.json:3: activity "b": path is missing: give "path": "…"',
      dag('"name": "a", "path": "a"', '"name": "b"'))
    says('dag.json:2: activity 1: name is missing: give "name": "…"', dag '"path": "a"')
    says('dag.json:2: activity "a": path: it names no notebook', dag '"name": "a", "path": "/"')
    local shape = 'runMultiple takes { "activities": [ { "name": …, "path": … } ] }, or a list of '
      .. "notebooks"
    says("dag.json:1: there are no activities: " .. shape, "{}")
    says("dag.json: the file is empty: " .. shape, " \n")
    says("dag.json:1: it holds a number: " .. shape, "5")
    says("dag.json:1: entry 2: expected the name of a notebook, got an object; " .. shape,
      '["a", {}]')
  end)

  it("two activities of one name", function()
    says('dag.json:3: two activities are named "a"; the other is in line 2',
      dag('"name": "a", "path": "a"', '"name": "a", "path": "b"'))
    says('dag.json:2: two activities are named "a"; the other is in line 1', '["a",\n"a"]')
    says('dag.json:3: activity "a[" and "a(" of line 2 would both be the step "a(": rename one',
      dag('"name": "a(", "path": "a"', '"name": "a[", "path": "b"'))
  end)

  it("a dependency that is not there, on itself, or in a circle", function()
    says('dag.json:3: activity "load": dependencies: there is no activity "extrat", did you mean '
      .. "extract?", dag('"name": "extract", "path": "a"',
        '"name": "load", "path": "b", "dependencies": ["extrat"]'))
    says('dag.json:2: activity "a": dependencies: it would wait for itself',
      dag '"name": "a", "path": "a", "dependencies": ["a"]')
    says('dag.json:2: activity "a" waits for itself: "a" (line 2) after "c" (line 4) after "b" '
      .. '(line 3) after "a": take out one of these dependencies',
      dag([["name": "a", "path": "a", "args": {"x": "@activity('c').exitValue()"}]],
        '"name": "b", "path": "b", "dependencies": ["a"]',
        '"name": "c", "path": "c", "dependencies": ["b"]'))
    says('dag.json:2: activity "a": dependencies: expected the name of an activity, got 5',
      dag '"name": "a", "path": "a", "dependencies": [5]')
  end)

  it("an exit value that cannot be read", function()
    says('dag.json:2: activity "a": args.x: there is no activity "extract"',
      dag [["name": "a", "path": "a", "args": {"x": "@activity('extract').exitValue()"}]])
    says('dag.json:2: activity "a": args.x: after @activity comes (\'NAME\').exitValue(), nothing '
      .. "else of an activity is known; got \"@activity('b').output\"",
      dag [["name": "a", "path": "a", "args": {"x": "@activity('b').output"}]])
    says('dag.json:2: activity "a": args.x: an exit value inside a list is not read: make it an '
      .. "argument of its own",
      dag [["name": "a", "path": "a", "args": {"x": ["@activity('b').exitValue()"]}]])
  end)

  it("on one line, whatever the names hold", function()
    says('dag.json:2: activity "a?b": path is missing: give "path": "…"', dag '"name": "a\\nb"')
  end)

  it("a value of the wrong kind", function()
    local function field(inside) return dag('"name": "a", "path": "a", ' .. inside) end
    says('dag.json:2: activity "a": retry: expected a whole number from 0 to 99, got 1.5',
      field '"retry": 1.5')
    says('dag.json:2: activity "a": retry: expected a number, got "1"', field '"retry": "1"')
    says('dag.json:2: activity "a": retryIntervalInSeconds: expected seconds from 0 up, got -1',
      field '"retryIntervalInSeconds": -1')
    says('dag.json:2: activity "a": args: expected an object, got a list', field '"args": [1]')
    says('dag.json:2: activity "a": dependencies: expected a list, got "b"',
      field '"dependencies": "b"')
    says('dag.json:2: activity "a": workspace: expected a text, got true',
      field '"workspace": true')
    says('dag.json:2: activity "a": args.x: 1e999 is too large', field '"args": {"x": 1e999}')
    says("dag.json:1: timeoutInSeconds: expected seconds, more than 0, got 0",
      '{"activities": [], "timeoutInSeconds": 0}')
    says("dag.json:2: activity 1: expected an object with a name and a path, got \"a\"",
      '{"activities": [\n"a"]}')
  end)

  it("an input of another type", function()
    local _, err = read(EXAMPLE):plan { inputs = { workspace = fabric.types.integer(1) } }
    assert.equal('dag.json: input "workspace": expected Text, got Integer', err.message)
  end)

  it("what is not JSON, with its line and what people write by mistake", function()
    for text, message in pairs {
      ['[\n"a",\n]'] = "dag.json:3: this is not JSON: take out the comma before the ]",
      ["[\n'a']"] = "dag.json:2: this is not JSON: expected a value, found ': JSON writes texts in "
        .. "double quotes",
      ['{"activities": None}'] = "dag.json:1: this is not JSON: expected a value, found None: JSON "
        .. "writes null",
      ['{"a": 1 # one\n}'] = "dag.json:1: this is not JSON: expected , or }, found #: JSON has no "
        .. "comments",
      ['{"a" = 1}'] = 'dag.json:1: this is not JSON: expected : after "a", found =',
      ['["a" "b"]'] = 'dag.json:1: this is not JSON: expected , or ], found "',
      ['["a"'] = "dag.json:1: this is not JSON: expected , or ], found the end of the file",
      ['["a\n"]'] = 'dag.json:1: this is not JSON: a text is not closed: the " at its end is '
        .. "missing",
      ['["a\\x"]'] = 'dag.json:1: this is not JSON: a text holds a \\ that JSON does not know: '
        .. '"a\\x"',
      ["[01]"] = "dag.json:1: this is not JSON: expected a value, found 01",
      ['["a"] x'] = "dag.json:1: this is not JSON: expected the end of the file, found x",
      ['{"a": 1, "a": 2}'] = 'dag.json:1: this is not JSON: "a" is there twice in one object',
      [("["):rep(100)] = "dag.json:1: this is not JSON: it is nested too deeply",
    } do
      says(message, text)
    end
  end)
end)
