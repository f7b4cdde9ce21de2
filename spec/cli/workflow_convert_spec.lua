-- runMultiple files at the command line: `luafabric convert` prints the Lua workflow that gives the
-- same plan, which is tried on random DAGs; `plan` and `run` take the file as it is, and --strict
-- refuses what it cannot have.

local capture = require "spec.cli.capture"
local command_line = require "luafabric.cli.arguments"
local file = require "luafabric.workflow.file"
local json = require "luafabric.json"
local plan_document = require "luafabric.view.plan_document"
local view_text = require "luafabric.view.text"
local shell = require "spec.support.shell"

local SMALL = [[
{
  "activities": [
    { "name": "Extract data", "path": "Extract", "timeoutPerCellInSeconds": 90,
      "args": { "source": "prod", "end": 5 } },
    { "name": "2nd", "path": "team/Transform", "dependencies": ["Extract data"], "retry": 2,
      "args": { "in": "Files/@activity('Extract data').exitValue()" } },
    { "name": "Report", "path": "Report", "dependencies": ["Extract data", "2nd"],
      "retryIntervalInSeconds": 1800, "retry": 1, "workspace": "Reports" }
  ],
  "timeoutInSeconds": 5400,
  "concurrency": 0
}
]]

local CONVERTED = [[
-- What runMultiple would run of small.json, as a workflow (luafabric convert). Each notebook is a
-- job of its own.
-- Its concurrency is 0, no limit: max_concurrency is the number of steps.
--
-- timeoutPerCellInSeconds of activity "Extract data" is not honoured: a job of Fabric has no limit
-- for a cell; `timeout` in the step of a converted workflow limits its whole run.
-- the folder in path of activity "2nd" is not honoured: Fabric finds a notebook by its name in the
-- workspace, not by its folder.

local fabric = require "luafabric"

return fabric.workflow("small", { timeout = "1h30m", max_concurrency = 3 }, function(flow)
  local workspace = flow:input("workspace", { description = "of the activities that name none" })
  flow:defaults { workspace = workspace }
  -- not honoured: timeoutPerCellInSeconds = 90
  local extract_data = flow:notebook("Extract data", {
    notebook = "Extract",
    parameters = { source = "prod", ["end"] = 5 },
  })
  -- not honoured: path = team/Transform
  local step_2nd = flow:notebook("2nd", {
    notebook = "Transform",
    parameters = { ["in"] = "Files/" .. extract_data:exit():default("") },
    retry = { attempts = 3, interval = "0s", backoff = 1 },
  })
  flow:notebook("Report", {
    workspace = "Reports",
    after = { extract_data, step_2nd },
    retry = { attempts = 2, interval = "30m", backoff = 1, max_interval = "30m" },
  })
end)
]]

local scratch, path_before

local function write(name, text)
  local handle = assert(io.open(scratch .. "/" .. name, "wb"))
  handle:write(text)
  handle:close()
  return scratch .. "/" .. name
end

local function prepare()
  scratch, path_before = shell.scratch(), package.path
end

local function clean_up()
  shell.remove(scratch)
  package.path = path_before
end

--- The command in this process: its code, standard output and standard error.
local function luafabric(...)
  local options, message = command_line.parse { ... }
  assert(options, message)
  return capture.run(options, function(terminal)
    return require("luafabric.cli.workflow_" .. options.command).run(options, terminal)
  end)
end

--- What a file's plan would do, without where it stands and what it warns of.
local function essence(path)
  local definition = assert(file.load(path))
  local inputs = #definition:declared() > 0 and { workspace = "Sales" } or {}
  local document = plan_document.document(assert(definition:plan { inputs = inputs }))
  document.file, document.warnings = nil, nil
  for _, step in ipairs(document.steps) do
    step.place = nil
    table.sort(step.after) -- Lua has no order of a step's fields
  end
  return document
end

local function ends_with(expected, text)
  assert.equal(expected, text:sub(-#expected))
end

local function converted(text, name)
  local path = write(name .. ".json", text)
  local code, out, err = luafabric("convert", path)
  assert.same({ 0, "" }, { code, err }, text)
  return out, essence(path), essence(write(name .. ".lua", out))
end

describe("luafabric convert", function()
  setup(prepare)
  teardown(clean_up)

  it("prints a workflow for people to go on from", function()
    local out, before, after = converted(SMALL, "small")
    assert.equal(CONVERTED, out)
    assert.same(before, after)
  end)

  it("takes a list of notebooks, and a workspace that all have", function()
    local out = converted('["Load", "Clean"]', "list")
    ends_with('\n  flow:notebook("Load")\n  flow:notebook("Clean")\nend)\n', out)
    out = converted([[{"activities": [{"name": "a", "path": "a", "workspace": "Sales"},
      {"name": "b", "path": "b", "workspace": "Sales"}]}]], "same")
    assert.matches('  flow:defaults { workspace = "Sales" }\n  flow:notebook("a")\n', out, 1, true)
    assert.is_nil(out:find("flow:input", 1, true))
  end)

  it("gives each step a name of its own, which Lua can take", function()
    local list, dependencies = {}, {}
    for index, name in ipairs { "a b", "a-b", "A B", "end", "flow", "ä", "7" } do
      list[index] = ('{"name": "%s", "path": "n%d"}'):format(name, index)
      dependencies[index] = ('"p%d": "@activity(\'%s\').exitValue()"'):format(index, name)
    end
    list[#list + 1] = ('{"name": "last", "path": "n", "args": {%s}}'):format(
      table.concat(dependencies, ","))
    local out, before, after = converted(('{"activities": [%s]}'):format(table.concat(list, ",")),
      "names")
    for _, name in ipairs { "a_b", "a_b_2", "a_b_3", "end_2", "flow_2", "step", "step_7" } do
      assert.matches(("  local %s = "):format(name), out, 1, true)
    end
    assert.same(before, after)
  end)

  it("gives names to more steps than Lua has local variables for", function()
    local list = { '{"name": "n0", "path": "n"}' }
    for index = 1, 300 do
      list[index + 1] = ('{"name": "n%d", "path": "n", "dependencies": ["n%d"]}'):format(index,
        index - 1)
    end
    local _, before, after = converted(('{"activities": [%s]}'):format(table.concat(list, ",")),
      "many")
    assert.equal(301, #after.steps)
    assert.same(before, after)
  end)

  it("says in one sentence what is wrong, and ends with 2", function()
    for sentence, path in pairs {
      ["dag.json:1: this is not JSON: expected a value, found x"] = write("dag.json", "x"),
      ["none.json: the workflow file cannot be read: No such file or directory"] = scratch
        .. "/none.json",
      ["nightly.lua: convert takes the JSON of runMultiple, and this is Lua by its name: run it as "
        .. "it is"] = write("nightly.lua", "return 1"),
    } do
      local code, out, err = luafabric("convert", path)
      assert.same({ 2, "" }, { code, out })
      ends_with(sentence .. "\n", err)
    end
    local _, message = command_line.parse { "convert" }
    assert.equal("convert: the runMultiple file is missing: luafabric convert FILE.json", message)
  end)
end)

-- ---- random DAGs ----

-- A generator that gives the same on every Lua.
local function random_of(seed)
  local state = seed
  return function(most)
    state = (state * 16807) % 2147483647
    return 1 + state % most
  end
end

local texts = { "", "x", "ä\"\\\n\t", "return", "]]", "-- no", "%s %d", "line\r\nbreak", "\0zero",
  "a@b", "${x}", "\127" }
local numbers = { "0", "-1", "5", "1.0", "2.50", "-0.5", "1e3", "1E-7", "9007199254740993",
  "4294967296", "0.1", "123456789012345" }
local names = { "Load", "load", "LOAD", "2nd", "end", "for", "flow", "fabric", "workspace", "a b",
  "a-b", "ä", "", "x[1]", "\"quoted\"", "step", "new\nline" }

local function random_dag(seed)
  local random = random_of(seed)
  local function pick(list) return list[random(#list)] end
  local function chance(percent) return random(100) <= percent end
  local function quoted(value) return json.encode(value) end
  local count, all, activities = random(12), {}, {}
  for index = 1, count do all[index] = pick(names) .. (" "):rep(random(2)) .. index end

  local function value(index)
    local kind = random(8)
    if kind <= 2 then return pick(numbers) end
    if kind == 3 then return chance(50) and "true" or "false" end
    if kind == 4 then return chance(50) and "null" or '[1, {"a": "b"}]' end
    if kind <= 6 and index > 1 then
      local other = all[random(index - 1)]
      local reference = ("@activity('%s').exitValue()"):format(other)
      if chance(50) then return quoted(reference) end
      return quoted(pick(texts) .. reference .. pick(texts) .. reference)
    end
    return quoted(pick(texts))
  end

  local function fields(index)
    local path = chance(30) and all[index]:gsub("%c", "_") or pick { "Load", "t/Clean" }
    local list = { '"name": ' .. quoted(all[index]), '"path": ' .. quoted(path) }
    local function add(percent, name, text)
      if chance(percent) then list[#list + 1] = ('"%s": %s'):format(name, text) end
    end
    local args, dependencies = {}, {}
    for number = 1, random(5) - 1 do
      args[number] = ("%s: %s"):format(quoted(pick(names) .. number), value(index))
    end
    for number = 1, math.min(index - 1, random(4) - 1) do
      dependencies[number] = quoted(all[random(index - 1)])
    end
    add(70, "args", "{" .. table.concat(args, ", ") .. "}")
    add(70, "dependencies", "[" .. table.concat(dependencies, ", ") .. "]")
    add(30, "retry", random(4) - 1)
    add(30, "retryIntervalInSeconds", pick { "0", "0.5", "10", "90061", "1800" })
    add(30, "workspace", quoted(pick { "Sales", "Reports", "" }))
    add(30, "timeoutPerCellInSeconds", 90)
    return "{" .. table.concat(list, ", ") .. "}"
  end

  for index = 1, count do table.insert(activities, random(index), fields(index)) end
  local parts = { ('"activities": [\n%s\n]'):format(table.concat(activities, ",\n")) }
  if chance(50) then parts[2] = ('"timeoutInSeconds": %s'):format(pick { "1", "59.5", "90061" }) end
  if chance(50) then parts[#parts + 1] = ('"concurrency": %d'):format(random(60) - 1) end
  return "{" .. table.concat(parts, ",\n") .. "}"
end

describe("a random runMultiple file", function()
  setup(prepare)
  teardown(clean_up)

  it("converted gives the plan that it gives itself", function()
    for seed = 1, 300 do
      local text = random_dag(seed)
      local out, before, after = converted(text, "random")
      assert.same(before, after, ("seed %d:\n%s\n%s"):format(seed, text, out))
      for line in out:gmatch("[^\n]+") do
        assert(view_text.width(line) <= 100 or not line:find("^ *%-%-"), "too long: " .. line)
      end
    end
  end)
end)

describe("luafabric plan and run of a runMultiple file", function()
  setup(prepare)
  teardown(clean_up)

  it("show what it would do, with what is not honoured", function()
    local code, out, err = luafabric("plan", write("small.json", SMALL), "-P", "workspace=Sales")
    assert.same({ 0, "" }, { code, err })
    assert.matches("^workflow small  small%.json\n", out)
    assert.matches("  warning    small.json:3: timeoutPerCellInSeconds of activity", out, 1, true)
    assert.matches("2  2nd  small.json:5\n", out, 1, true)
    assert.matches("Files/${Extract data.exit", out, 1, true)
  end)

  it("refuse with --strict what cannot be honoured, and only that", function()
    local path = write("small.json", SMALL)
    for _, name in ipairs { "plan", "run" } do
      local code, out, err = luafabric(name, path, "-P", "workspace=Sales", "--strict")
      assert.same({ 2, "" }, { code, out })
      assert.matches("^luafabric: %-%-strict: small%.json:3: timeoutPerCellInSeconds of activity "
        .. '"Extract data" is not honoured: .*; small%.json:5: the folder in path', err)
    end
    local code = luafabric("plan", write("plain.json", '["Load"]'), "-P", "workspace=Sales",
      "--strict")
    assert.equal(0, code)
  end)

  it("are what somebody meant who forgot `run`, or the ending", function()
    local _, message = command_line.parse { "small.json" }
    assert.equal("'small.json' is no command; did you mean luafabric run small.json?", message)
    write("only.json", '["Load"]')
    local code, _, err = luafabric("run", scratch .. "/only", "-P", "workspace=Sales")
    assert.equal(2, code)
    assert.matches("/only: there is no such file; did you mean .*/only%.json%?\n$", err)
  end)
end)
