-- `luafabric plan` as a user meets it: what it prints, what it refuses, and with --online the ids.

local capture = require "spec.cli.capture"
local command = require "spec.cli.command"
local command_line = require "luafabric.cli.arguments"
local json = require "luafabric.json"
local shell = require "spec.support.shell"

local HEAD = 'local fabric = require "luafabric"\n'

local NIGHTLY = HEAD .. [[
return fabric.workflow("nightly", function(flow)
  local day = flow:input("day", { type = "DateTime" })
  local token = flow:input("token", { secret = true, default = "none" })
  flow:notebook("ingest", { workspace = "Sales", parameters = { day = day, token = token } })
end)
]]

local scratch, path_before

local function write(name, text)
  local file = assert(io.open(scratch .. "/" .. name, "wb"))
  file:write(text)
  file:close()
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
local function plan(...)
  local options, message = command_line.parse { "plan", ... }
  assert(options, message)
  return capture.run(options, function(terminal)
    return require("luafabric.cli.workflow_plan").run(options, terminal)
  end)
end

describe("luafabric plan", function()
  setup(prepare)
  teardown(clean_up)

  it("prints the plan with the inputs of the command line", function()
    local code, out, err = plan(write("nightly.lua", NIGHTLY), "-P", "day=2026-01-01T00:00:00Z")
    assert.equal(0, code)
    assert.equal("", err)
    assert.matches("^workflow nightly  nightly%.lua\n", out)
    assert.matches("1  ingest  nightly.lua:5\n", out, 1, true)
    assert.matches('"value": "2026-01-01T00:00:00Z"', out, 1, true)
  end)

  it("prints one document with --output json", function()
    local code, out = plan(write("nightly.lua", NIGHTLY), "-P", "day=2026-01-01T00:00:00Z",
      "--output", "json")
    assert.equal(0, code)
    assert.matches("^{[^\n]*}\n$", out)
    local document = json.decode(out)
    assert.equal("ingest", document.steps[1].name)
    assert.equal("***", document.steps[1].request.body.parameters[2].value)
  end)

  it("prints a drawing with --graph", function()
    local path = write("nightly.lua", NIGHTLY)
    local code, out = plan(path, "-P", "day=2026-01-01T00:00:00Z", "--graph", "mermaid")
    assert.equal(0, code)
    assert.matches("^flowchart TD\n.*[^\n]\n$", out)
    code, out = plan(path, "-P", "day=2026-01-01T00:00:00Z", "--graph", "dot")
    assert.equal(0, code)
    assert.matches('^digraph "nightly" {\n.*}\n$', out)
  end)

  it("takes inputs from a file, and shows nothing of a secret", function()
    local params = write("inputs.json", '{"day":"2026-01-01T00:00:00Z","token":"hush"}')
    local code, out, err = plan(write("nightly.lua", NIGHTLY), "--params", params)
    assert.equal(0, code)
    assert.is_nil((out .. err):find("hush", 1, true))
  end)

  it("says in one sentence what is wrong, and ends with 2", function()
    local nightly = write("nightly.lua", NIGHTLY)
    local cases = {
      ["nightly.lua: missing input: day (DateTime): give -P day=…"] = { nightly },
      ["the workflow file cannot be read: No such file or directory"] = { scratch .. "/none.lua" },
      ["nightly.lua:3: input \"day\": "] = { nightly, "-P", "day=yesterday" },
      ['"dai" is no input of "nightly", did you mean day?'] = { nightly, "-P", "dai=1" },
      ["--graph and --output json contradict each other"] = { nightly, "--graph", "dot", "-o",
        "json" },
      ["--endpoint needs --online"] = { nightly, "--endpoint", "https://x.example/v1" },
      ["arguments are visible to others"] = { nightly, "-P", "token=hush" },
      ["there is no environment variable of that name"] = { nightly, "--parameter-env",
        "token=LUAFABRIC_SPEC_NONE" },
    }
    for sentence, arguments in pairs(cases) do
      local code, out, err = plan((table.unpack or unpack)(arguments))
      assert.equal(2, code, sentence)
      assert(err:find(sentence, 1, true), err)
      assert.matches("^luafabric: [^\n]*\n$", err)
      assert.is_nil(err:find("hush", 1, true))
      if out ~= "" then assert.matches("^{[^\n]*}\n$", out) end
    end
  end)

  it("says an error as a document, too, where one was asked for", function()
    local code, out = plan(write("nightly.lua", NIGHTLY), "--output", "json")
    assert.equal(2, code)
    local document = json.decode(out)
    assert.equal("usage", document.error.kind)
    assert.matches("missing input: day", document.error.message, 1, true)
  end)

  it("fails where its output cannot be written", function()
    local options = assert(command_line.parse { "plan", write("nightly.lua", NIGHTLY), "-P",
      "day=2026-01-01T00:00:00Z" })
    local code, _, err = capture.run({ full = true }, function(terminal)
      return require("luafabric.cli.workflow_plan").run(options, terminal)
    end)
    assert.equal(1, code)
    assert.matches("could not be written", err)
  end)

  it("has the same fields in its document whatever becomes of it", function()
    local function names_of(text)
      local names = {}
      for name in text:gmatch('"([%a_]+)":') do names[#names + 1] = name end
      return names
    end
    local path = write("tiny.lua", HEAD .. 'return fabric.workflow("tiny", function(flow) end)')
    local _, whole = plan(path, "-o", "json")
    local code, failed, err = plan(path, "-o", "json", "-P", "day")
    assert.are.equal(2, code)
    local value = assert(json.decode(failed))
    assert.are.same({ json.null, json.null, "usage", path }, { value.name, value.steps,
      value.error.kind, value.file })
    assert.matches(value.error.message, err, 1, true)
    local expected = names_of(whole)
    for index, name in ipairs(expected) do assert.are.equal(name, names_of(failed)[index]) end
    assert.are.equal(json.null, json.decode(whole).error)
    local _, out = capture.run({ output = "json" }, function()
      return require("luafabric.cli").main { "plan", path, "--nope", "-o", "json" }
    end)
    assert.are.same({ json.null, "usage" }, { json.decode(out).steps, json.decode(out).error.kind })
  end)

  it("refuses a secret by an argument, also one that only some inputs declare", function()
    local path = write("some.lua", HEAD .. 'return fabric.workflow("some", function(flow)\n'
      .. '  if flow:input("mode") == "full" then flow:input("token", { secret = true }) end\nend)')
    local code, out, err = plan(path, "-P", "mode=full", "-P", "token=hunter2")
    assert.are.same({ 2, "" }, { code, out })
    assert.matches("visible to others", err)
    assert.is_nil(err:find("hunter2", 1, true))
  end)

  it("has a guess for a file without its ending", function()
    write("sleep.lua", HEAD .. 'return fabric.workflow("sleep", function(flow) end)')
    local code, _, err = plan(scratch .. "/sleep")
    assert.are.equal(2, code)
    assert.matches("did you mean " .. scratch .. "/sleep.lua?", err, 1, true)
  end)
end)

describe("luafabric plan --online #process", function()
  local server, env
  setup(function()
    prepare()
    server = require("spec.support.process").start("spec/cli/twins_server.lua")
    env = { LUAFABRIC_ENDPOINT = server.url .. "/v1", LUAFABRIC_TOKEN = "any" }
  end)
  teardown(function()
    server.close()
    clean_up()
  end)

  local function online(body, ...)
    local path = write("flow.lua", HEAD .. 'return fabric.workflow("flow", function(flow)\n'
      .. body .. "\nend)")
    return command.run({ "plan", path, "--online", ... }, { env = env })
  end

  local GUID = "%x+%-%x+%-%x+%-%x+%-%x+"

  it("shows the ids behind the names", function()
    local body = 'flow:notebook("Report", { workspace = "Sales" })'
    local ended = online(body)
    assert.equal(0, ended.code, ended.err)
    assert.matches("workspace  " .. GUID .. ' %("Sales"%)\n', ended.out)
    assert.matches("notebook   " .. GUID .. ' %("Report"%)\n', ended.out)
    local request = online(body, "-o", "json").document.steps[1].request
    assert.matches("^" .. GUID .. "$", request.workspace_id)
    assert.matches("^" .. GUID .. "$", request.notebook_id)
  end)

  it("refuses names that are not there, or there twice, naming both ids", function()
    local ended = online 'flow:notebook("Reprot", { workspace = "Sales" })'
    assert.same({ 2, "" }, { ended.code, ended.out })
    assert.matches('^luafabric: no notebook is named "Reprot" in workspace "Sales"; did you mean '
      .. '"Report"', ended.err)
    ended = online 'flow:notebook("Ingest", { workspace = "Sales" })'
    assert.same({ 2, "" }, { ended.code, ended.out })
    assert.matches('^luafabric: 2 notebooks are named "Ingest" in workspace "Sales": ' .. GUID
      .. " and " .. GUID, ended.err)
    ended = online 'flow:notebook("Ingest", { workspace = "Twin" })'
    assert.same({ 2, "" }, { ended.code, ended.out })
    assert.matches('^luafabric: 2 workspaces are named "Twin": ', ended.err)
  end)

  it("does not ask for names that are known only later", function()
    local ended = online('local first = flow:notebook("Report", { workspace = "Sales" })\n'
      .. 'flow:notebook("x", { workspace = "Sales", notebook = first:exit() })')
    assert.equal(0, ended.code, ended.err)
    assert.matches("notebook   ${Report.exit}\n", ended.out, 1, true)
  end)

  it("needs a token, and says so with its own code", function()
    local path = write("flow.lua", HEAD .. 'return fabric.workflow("flow", function(flow)\n'
      .. 'flow:notebook("Report", { workspace = "Sales" }) end)')
    local ended = command.run({ "plan", path, "--online" },
      { env = { LUAFABRIC_ENDPOINT = server.url .. "/v1" } })
    assert.same({ 5, "" }, { ended.code, ended.out })
    assert.equal(0, command.run({ "plan", path }).code)
  end)
end)
