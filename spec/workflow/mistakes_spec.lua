-- What beginners write, and the one sentence they get: the file, the line, what is wrong, what to
-- do. Where Lua itself speaks, its words differ from version to version; such cases give the
-- beginning and the end.

local file = require "luafabric.workflow.file"
local shell = require "spec.support.shell"

local scratch

setup(function() scratch = shell.scratch() end)
teardown(function() shell.remove(scratch) end)

local HEAD = 'local fabric = require "luafabric"\n' -- line 1

--- Steps from line 4 on, in a workflow with a workspace.
local function steps(text)
  return HEAD .. 'return fabric.workflow("nightly", function(flow)\n'
    .. '  flow:defaults { workspace = "Sales" }\n' .. text .. "\nend)\n"
end

local function message_of(text)
  local path = scratch .. "/nightly.lua"
  local handle = assert(io.open(path, "wb"))
  handle:write(text)
  handle:close()
  local definition, err = file.load(path)
  local plan
  if definition then
    local inputs = { m = text:find('"m"') and "1" or nil }
    plan, err = definition:plan { inputs = inputs, started_at = 1764000000, run_id = "r" }
  end
  assert(not plan, "no mistake was found")
  assert.equal("usage", err.kind)
  return err.message
end

local A = 'local a = flow:notebook("a")\n' -- line 4

-- The text, then the sentence; a third entry: the sentence only begins and ends so.
local cases = {
  -- the file
  { HEAD .. 'fabric.workflow("nightly", function(flow)\nend)',
    "nightly.lua returns nothing; write `return` before the fabric.workflow(…) of line 2" },
  { HEAD .. 'return { "nightly" }', "nightly.lua returns a table, not a workflow; end it with "
    .. "`return fabric.workflow(name, function(flow) … end)`" },
  { 'return fabric.workflow("nightly", function(flow) end)',
    'nightly.lua:1: `fabric` is not defined; add `local fabric = require "luafabric"` at the top '
      .. "of the file" },
  { 'local fabric = require "luafabrik"', "nightly.lua:1: there is no module 'luafabrik', neither "
    .. "beside the file nor where Lua looks" },
  { HEAD .. 'return fabric.workflw("nightly", function(flow) end)',
    "nightly.lua:2: fabric has no `workflw`; did you mean `workflow`?" },
  { HEAD .. 'return fabric:workflow("nightly", function(flow) end)',
    "nightly.lua:2: fabric.workflow: expected a name as first argument, got a table" },
  { HEAD .. "return fabric.workflow(function(flow) end)",
    "nightly.lua:2: fabric.workflow: expected a name as first argument, got a function" },
  { HEAD .. 'return fabric.workflow("nightly")',
    'nightly.lua:2: workflow "nightly": expected function(flow) … end as last argument, got nil' },
  { HEAD .. 'return fabric.workflow("nightly", { timout = "2h" }, function(flow) end)',
    'nightly.lua:2: workflow "nightly": timout: unknown option, did you mean timeout?' },

  -- Lua
  { steps 'flow:notebook("a", { parameters = { x = 1 }\nflow:notebook("b")',
    "nightly.lua:5: this is not Lua: ", "; a comma is missing before it" },
  { steps 'flow:notebook("a", { timeout = "1h" priority = 2 })',
    "nightly.lua:4: this is not Lua: ", "; a comma is missing before it" },
  { steps 'flow:notebook("a", { priority: 2 })',
    "nightly.lua:4: this is not Lua: ", "; in a table Lua writes `name = value`" },
  { steps 'flow:notebook("a" { priority = 2 })',
    "nightly.lua:4: this is not Lua: ", "; a comma is missing before it" },
  { steps 'flow:notebook("a", { timeout = 2h })', "nightly.lua:4: this is not Lua: ",
    '; a duration is a text, "2h", or a number of seconds' },
  { steps 'if flow.name != "x" then flow:notebook("a") end',
    "nightly.lua:4: this is not Lua: ", '; Lua writes ~= for "not equal", and `not`' },
  { steps "if true then", "nightly.lua:5: this is not Lua: ", "; an `end` is missing before it" },
  { steps 'cleaned = flow:notebook("a")',
    'nightly.lua:4: in workflow "nightly": `cleaned` is assigned without `local`, which would make '
      .. "it global; write `local cleaned = …`" },
  { steps('local cleaned = flow:notebook("a")\nflow:notebook("b", { after = clened })'),
    'nightly.lua:5: in workflow "nightly": `clened` is not defined; did you mean `cleaned`?' },
  { steps 'flow:notebook("a", { parameters = { at = os.time() } })',
    'nightly.lua:4: in workflow "nightly": os.time() would give another plan each time; use '
      .. "flow.started_at, the time at which the run started" },
  { steps 'local nothing\nflow:notebook(nothing.name)',
    'nightly.lua:5: in workflow "nightly": attempt to index ', "" },

  { steps 'for i = 1, 2 do if i == 1 then continue end flow:notebook("x" .. i) end',
    "nightly.lua:4: this is not Lua: ", "; Lua has no `continue`: put the rest of the loop into "
      .. "`if not … then … end`" },
  { steps 'for i = 1, 2 do\nif i == 1 then\ncontinue\nend\nend',
    "nightly.lua:7: this is not Lua: ", "; Lua has no `continue`: put the rest of the loop into "
      .. "`if not … then … end`" },
  { steps 'if flow.name = "x" then flow:notebook("a") end',
    "nightly.lua:4: this is not Lua: ", "; Lua compares with ==" },
  { steps 'flow:each("b", { 1 }, { parameters = item => item })',
    "nightly.lua:4: this is not Lua: ", "; Lua writes function(item) return … end" },
  { steps 'flow:notebook("a" + 1)', 'nightly.lua:4: in workflow "nightly": attempt to ',
    "; texts are joined with .." },
  { steps 'error("no such region\\nand more")',
    'nightly.lua:4: in workflow "nightly": no such region' },
  { steps "error({ code = 1 })", "nightly.lua:4: a table was raised, which says nothing: write "
    .. 'error("what is wrong")' },
  { HEAD .. "error({ code = 1 })", "nightly.lua:2: a table was raised, which says nothing: write "
    .. 'error("what is wrong")' },
  { HEAD .. 'return fabric.workflow("nightly", function(flow) end):run()',
    "nightly.lua:2: a workflow file returns its workflow, and who loads it runs it: leave out "
      .. ":run(…)" },
  { HEAD .. 'return fabric.workflow("nightly", { workspace = "W" }, function(flow) end)',
    'nightly.lua:2: workflow "nightly": workspace: it belongs in flow:defaults { workspace = … }' },

  -- steps
  { steps 'flow.notebook("a")',
    "nightly.lua:4: flow.notebook(…) was called with a dot: write flow:notebook(…)" },
  { steps 'flow:notebok("a")', 'nightly.lua:4: flow has no "notebok", did you mean notebook?' },
  { steps 'flow:notebook { notebook = "a" }', "nightly.lua:4: flow:notebook: expected a name as "
    .. "first argument, got a table", "" },
  { steps 'flow:notebook("a")\nflow:notebook("a")',
    'nightly.lua:5: two steps are named "a"; the other is at nightly.lua:4' },
  { HEAD .. 'return fabric.workflow("nightly", function(flow)\n  flow:notebook("a")\nend)',
    'nightly.lua:3: step "a": it names no workspace: give workspace = "…", here or in '
      .. "flow:defaults" },
  { steps 'flow:notebook("a", { notebok = "x" })',
    'nightly.lua:4: step "a": notebok: unknown field, did you mean notebook?' },
  { steps 'flow:notebook("a", { timeout = "2 hours" })',
    'nightly.lua:4: step "a": timeout: "2 hours" is no duration: expected seconds or a text such '
      .. 'as "90s", "15m", "2h", "1d" or "1h30m"' },
  { steps 'flow:notebook("a", { deadline = "2h" })',
    'nightly.lua:4: step "a": deadline: "2h" is no deadline: it is a duration, which is written '
      .. 'timeout = "2h"; a deadline is a time such as "06:00"' },
  { steps 'flow:notebook("a", { retry = 3 })',
    'nightly.lua:4: step "a": retry: expected a table: write retry = { attempts = 3 }' },
  { steps 'flow:notebook("a", { retry = { attempts = 3, on = "unknown" } })',
    'nightly.lua:4: step "a": retry.on: unknown cannot be repeated: the run may have started, and '
      .. "a second one would be paid for too" },
  { steps 'flow:notebook("a", { retry = { attempts = 2, delay = "30s" } })',
    'nightly.lua:4: step "a": retry.delay: unknown field, did you mean interval?' },
  { steps 'flow:notebook("a", { retry = { interval = "30s" } })',
    'nightly.lua:4: step "a": retry: attempts is missing: attempts = 3 is two more tries' },
  { steps 'flow:notebook("a", { max_concurrency = 5 })',
    'nightly.lua:4: step "a": max_concurrency: only flow:each has it, and flow:defaults for the '
      .. "whole workflow" },
  { steps 'flow:notebook("a", { compute = fabric.spark { executorCore = 8 } })',
    'nightly.lua:4: step "a": executionData.computeConfiguration.executorCore: unknown field, did '
      .. "you mean executorCores?" },
  { steps 'flow:notebook("a", { parameters = { list = { 1, 2 } } })',
    'nightly.lua:4: step "a": parameters.list: a table is not a parameter value; JSON text, or '
      .. "types.automatic, can carry a table" },

  -- order
  { steps(A .. 'flow:notebook("b", { after = { a, nil, a } })'),
    'nightly.lua:5: step "b": after: entry 2 is nil: is the variable spelled as the step\'s was, '
      .. "and set before?" },
  { steps 'flow:notebook("b", { after = "ingst" })\nflow:notebook("ingest")',
    'nightly.lua:4: step "b": after: there is no step "ingst", did you mean ingest?' },
  { steps 'flow:notebook("a", { after = "b" })\nflow:notebook("b", { after = "a" })',
    'nightly.lua:4: step "a": after: it waits for itself: "a" (nightly.lua:4) after "b" '
      .. '(nightly.lua:5) after "a": take out one `after` of these' },
  { steps 'local f = flow:finally("f")\nflow:notebook("a", { after = f })',
    'nightly.lua:5: step "a": after: step "f" (nightly.lua:4) is a finally step, which runs when '
      .. "all others have ended: only a finally step can come after it" },
  { steps(A .. 'flow:notebook("b", { after = a, when = "all_success" })'),
    'nightly.lua:5: step "b": when: "all_success" is none of all_succeeded, all_done, any_failed, '
      .. "any_succeeded, none_failed, did you mean all_succeeded?" },
  { steps(A .. 'flow:notebook("b", { after = a, when = "on_failure" })'),
    'nightly.lua:5: step "b": when: "on_failure" is none of all_succeeded, all_done, any_failed, '
      .. "any_succeeded, none_failed, did you mean any_failed?" },

  -- references
  { steps(A .. 'flow:notebook("b", { when = a:exit("mode") == "full" })'),
    'nightly.lua:5: step "b": when: got false, which is no condition: on a reference, == is false '
      .. 'at once, before any step has run: write step:exit("mode"):is("full")' },
  { steps(A .. 'flow:notebook("b", { when = a:exit("mode") })'),
    'nightly.lua:5: step "b": when: a:exit("mode") is a value, not a condition: write '
      .. 'a:exit("mode"):is("…") or a:exit("mode"):test(function(value) … end)' },
  { steps(A .. 'flow:notebook("b", { parameters = { rows = a.rows } })'),
    'nightly.lua:5: step "a" has no field "rows": write a:exit("rows") for a part of its exit '
      .. "value; a:outcome() and a:failures() are there too" },
  { steps(A .. 'flow:notebook("b", { parameters = { rows = a } })'),
    'nightly.lua:5: step "b": parameters.rows: step "a" is no value: use a:exit() for its exit '
      .. "value, or a:outcome()" },
  { steps(A .. 'flow:notebook("b", { parameters = { rows = a:exit("rows") + 1 } })'),
    'nightly.lua:5: a:exit("rows") cannot be calculated with, since its value is not there yet: '
      .. "use :map(function(value) … end)" },
  { steps(A .. 'flow:notebook("b", { parameters = { p = ("%s/in"):format(tostring(a:exit())) } })'),
    'nightly.lua:5: step "b": parameters.p holds a reference written into a text by %s or '
      .. 'tostring: join with .. instead, as in "Files/" .. step:exit("folder")' },
  { steps(A .. 'for _, r in ipairs(a:exit("regions")) do flow:notebook(r) end'),
    'nightly.lua:5: a:exit("regions") cannot be walked through, since its value is not there yet: '
      .. "use flow:each, or :map(function(value) … end)" },
  { steps 'flow:notebook("a", { parameters = { failed = flow:failures() } })',
    'nightly.lua:4: step "a": parameters.failed: flow:failures() is known when the workflow has '
      .. "ended: only a finally step can read it" },

  { steps(A .. 'flow:notebook("b", { parameters = { x = a.exit } })'),
    'nightly.lua:5: step "b": parameters.x: exit is not called: write step:exit()' },
  { steps(A .. 'flow:notebook("b", { parameters = { x = a:exit("x").map } })'),
    'nightly.lua:5: step "b": parameters.x: map is not called: write ref:map(…)' },
  { steps(A .. 'flow:notebook("b", { parameters = { [a:exit("n")] = 1 } })'),
    'nightly.lua:5: step "b": parameters: expected names and values, found the key a:exit("n")' },
  { steps(A .. 'flow:notebook("b", { timeout = a:exit("n") })'),
    'nightly.lua:5: step "b": timeout: a:exit("n") has no value yet, and this must be known before '
      .. "the run: give a value, or an input" },
  { steps(A .. 'flow:notebook("b", { priority = a })'),
    'nightly.lua:5: step "b": priority: step "a" is no value: use a:exit() for its exit value, or '
      .. "a:outcome()" },
  { steps(A .. 'flow:notebook("b", { parameters = { n = tonumber(a:exit("n")) or 0 } })'),
    'nightly.lua:5: tonumber: a:exit("n") has no value yet: use a:exit("n"):map(tonumber)' },
  { steps(A .. 'local up = string.upper(a:exit("f"))'),
    'nightly.lua:5: string.upper: a:exit("f") has no value yet: join it with .., as in "Files/" .. '
      .. 'a:exit("f"), or use :map(function(value) … end)' },
  { steps(A .. 'local path = table.concat({ "Files", a:exit("f") }, "/")'),
    'nightly.lua:5: table.concat: a:exit("f") has no value yet: join it with .., as in "Files/" .. '
      .. 'a:exit("f"), or use :map(function(value) … end)' },
  { steps(A .. 'local most = math.floor(a:exit("n"))'),
    'nightly.lua:5: math.floor: a:exit("n") has no value yet: use a:exit("n"):map(function(value) '
      .. "… end)" },
  { steps(A .. "local up = string.upper(a)"),
    'nightly.lua:5: string.upper: step "a" is no value: its exit value is a:exit()' },
  { steps(A .. 'local text = fabric.json.encode { k = a:exit("x") }'),
    'nightly.lua:5: json.encode: a:exit("x") has no value yet: use a:exit("x"):map(function(value) '
      .. "return fabric.json.encode { name = value } end)" },
  { steps(A .. 'flow:notebook("b", { after = a, when = a:exit("x"):is("1") and '
      .. 'a:exit("y"):is("2") })'),
    'nightly.lua:5: a:exit("x"):is("1") is used nowhere: Lua\'s and, or, if and not cannot look '
      .. "into a condition, whose value is not there yet: give it as when = …, or several as when "
      .. "= function(results) … end" },

  -- many
  { steps 'flow:each("b", { notebook = "x", parameters = {} })',
    'nightly.lua:4: step "b": the list comes before the fields: write flow:each("b", list, '
      .. "{ … })" },
  { steps(A .. 'flow:each("b", { parameters = { x = 1 } }, a:exit("l"))'),
    'nightly.lua:5: step "b": the list comes before the fields: write flow:each("b", list, '
      .. "{ … })" },
  { steps(A .. 'flow:each("b", { a, a }, { parameters = function(x) return { x = x } end })'),
    'nightly.lua:5: step "b": item 1: step "a" is no value: use a:exit() for its exit value, or '
      .. "a:outcome()" },
  { steps(A .. 'flow:switch("s", a:exit("n"), { [a:exit("m")] = { notebook = "x" } })'),
    'nightly.lua:5: step "s": branches: a:exit("m") is no value to match: expected texts, numbers, '
      .. "booleans" },
  { steps(A .. 'flow:each("b", a, { notebook = "B" })'),
    'nightly.lua:5: step "b": a step is no list of items: use a:exit("name")' },
  { steps 'flow:each("b", { "eu", "us" }, {})',
    'nightly.lua:4: step "b": item 1 (eu) is a plain value, and nothing says where it goes: write '
      .. "parameters = function(item) return { name = item } end" },
  { steps 'flow:each("b", { { r = "eu" }, { r = "eu" } }, {})',
    'nightly.lua:4: step "b": items 1 and 2 have the same label "r=eu": take one out, or tell them '
      .. "apart with label = function(item, index) … end" },
  { steps 'flow:each("b", { { r = "eu" } }, { tolerate = "5" })',
    'nightly.lua:4: step "b": tolerate: expected how many items may fail, 2 or "5%", got "5"' },
  { steps 'flow:each("b", fabric.months("2026-05", "2026-01"), {})',
    "nightly.lua:4: months: 2026-05 is after 2026-01" },
  { steps(A .. 'flow:switch("s", a, { full = { notebook = "F" } })'),
    'nightly.lua:5: step "s": a step is no value to switch on: use a:exit("mode") or a:outcome()' },
  { steps(A .. 'flow:switch("s", a:exit("mode"), { full = {} })'),
    'nightly.lua:5: step "s": branches.full: it names no notebook: give notebook = "…"' },

  -- inputs and secrets
  { steps 'flow:input("n", { default = 5 })',
    'nightly.lua:4: input "n": default: 5 is no Text: say type = "Integer"' },
  { steps 'flow:input("n", { type = "bool" })',
    'nightly.lua:4: input "n": type: "bool" is none of Text, Integer, Number, Boolean, DateTime, '
      .. "Guid, VariableReference, Automatic, did you mean Boolean?" },
  { steps 'flow:input("n", { type = "string" })',
    'nightly.lua:4: input "n": type: "string" is none of Text, Integer, Number, Boolean, DateTime, '
      .. "Guid, VariableReference, Automatic, did you mean Text?" },
  { steps 'local n = flow:input("n")\nif n ~= "x" then error("n must be x") end\nflow:input("m")',
    "nightly.lua: missing input: n (Text): give -P n=…" },
  { steps 'flow:notebook("b", { parameters = { x = "pw=" .. tostring(fabric.secret("hush")) } })',
    'nightly.lua:4: step "b": parameters.x holds a secret written into a text by %s or tostring: '
      .. "join with .. instead, which makes a secret of the whole" },
  { steps 'local text = fabric.json.encode { k = fabric.secret("hush") }',
    "nightly.lua:4: json.encode: a secret can be a parameter's value and be joined to text with "
      .. ".., and nothing else" },
  { steps('flow:notebook("b", { parameters = { x = fabric.types.automatic { k = '
      .. 'fabric.secret "hush" } } })'), 'nightly.lua:4: step "b": parameters.x.k: a secret cannot '
      .. "stand in a typed value: give it as a parameter of its own" },
  { steps 'flow:input("n", { type = "Integer", secret = true, default = "hush" })',
    'nightly.lua:4: input "n": default: its value is no Integer' },
  { steps 'flow:input("day", { type = "Date" })\nflow:notebook("a")',
    'nightly.lua:4: input "day": type: "Date" is none of Text, Integer, Number, Boolean, DateTime, '
      .. "Guid, VariableReference, Automatic, did you mean DateTime?" },
  { steps('local d, r = flow:input("day"), flow:input("rows", { type = "Integer" })\n'
    .. 'flow:notebook("a", { parameters = { d = d, r = r } })'),
    "nightly.lua: missing inputs: day (Text), rows (Integer): give -P day=… -P rows=…" },
  { steps('local t = flow:input("t", { secret = true, default = "hush" })\n'
    .. 'flow:notebook("a" .. t:sub(1, 2))'),
    'nightly.lua:5: in workflow "nightly": a secret has no field \'sub\': it can be a parameter\'s '
      .. "value and be joined to text with .., and nothing else" },
}

describe("a beginner's mistake", function()
  for _, case in ipairs(cases) do
    local text, sentence, ending = case[1], case[2], case[3]
    it("is told: " .. sentence .. (ending and "…" .. ending or ""), function()
      local message = message_of(text)
      if not ending then return assert.equal(sentence, message) end
      assert.equal(sentence, message:sub(1, #sentence))
      if ending ~= "" then assert.equal(ending, message:sub(-#ending)) end
    end)
  end

  it("is never more than a line, and never a stack trace", function()
    for _, case in ipairs(cases) do
      local message = message_of(case[1])
      assert.is_nil(message:find("\n", 1, true))
      assert.is_nil(message:find("stack traceback", 1, true))
      assert.is_nil(message:find(scratch, 1, true))
    end
  end)
end)
