-- The command as a user meets it: bad input, every exit code, signals in every phase. The real
-- command against a real emulator, whose fault script makes what Fabric would do.

local command = require "spec.cli.command"
local json = require "luafabric.json"
local shell = require "spec.support.shell"

local JOB = "11111111-2222-4333-8444-555555555555"

local function ends(status, fields)
  local job = { status = status }
  for name, value in pairs(fields or {}) do job[name] = value end
  return { job = job }
end

-- What each submission of a notebook meets: the fault, and its fields.
local MEETS = {
  Done = { ends("Completed", { exit_value = '{"days":1461,"name":"x"}' }) },
  Failed = { ends("Failed", { failure_reason = "it broke" }) },
  Deduped = { ends "Deduped" }, Full = { "capacity_failure" }, Cancelled = { ends "Cancelled" },
  Odd = { ends("Completed", { failure_reason = "only half of it" }) },
  Mismatch = { "ComputeTypeMismatch" }, Blocked = { 429, retry_after = 30 },
  Refused = { "Unauthorized" }, Forbidden = { "MissingMinimalPermissions" },
  Lost = { "lost_answer" }, Away = { 503 }, Endless = { ends "InProgress" },
  Expired = { ends "InProgress" }, Held = { ends "InProgress", delay = 2 },
  HeldLost = { "lost_answer", delay = 2 },
  HeldLong = { ends "InProgress", delay = 40 },
}

local scratch, emulator, url, environment

local function write(name, text)
  local file = assert(io.open(scratch .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

--- What the emulator counts: runs_started, runs_open, posts, by_notebook.
local function state()
  return require("spec.emulator.wire").request { url = url:gsub("/v1$", "/emulator/state") }.value
end

local function started(notebook) return state().by_notebook["W/" .. notebook] or 0 end

local function run(notebook, ...)
  return command.start({ "notebook", "run", "W", notebook, ... }, { env = environment })
end

--- One sentence on standard error, nothing on standard output.
local function says_only(words, ended)
  assert.are.equal("", ended.out)
  local sentence = ("\n" .. ended.err):match("\nluafabric: ([^\n]*)\n")
  assert(sentence and sentence:find(words, 1, true), ended.err)
  assert.is_nil(ended.err:find("stack traceback", 1, true))
  assert.is_nil(ended.err:find("%.lua:%d"), ended.err)
end

local function prepare()
  scratch = shell.scratch()
  local echo = "spec/notebooks/Tests/Echo.ipynb"
  local faults = {
    { at = "notebooks", workspace = "Slow", number = "every", fault = "slow", delay = 40 },
    { at = "status", notebook = "Expired", number = "every", fault = "TokenExpired" },
  }
  local lines = { ("mkdir -p '%s/nb/W' '%s/nb/Slow' '%s/none' '%s/broken/W'"):gsub("%%s", scratch),
    ("cp %s '%s/nb/Slow/Echo.ipynb'"):format(echo, scratch) }
  for notebook, meets in pairs(MEETS) do
    lines[#lines + 1] = ("cp %s '%s/nb/W/%s.ipynb'"):format(echo, scratch, notebook)
    faults[#faults + 1] = { at = "submit", notebook = notebook, number = "every",
      fault = meets[1], delay = meets.delay, retry_after = meets.retry_after }
  end
  local code, output = shell.run(table.concat(lines, " && "))
  assert(code == 0, output)
  write("broken/W/N.ipynb", "{")
  write("luv.lua", 'error("no such module")')
  write("python", '#!/bin/sh\nexec /usr/bin/python3 -I -S "$@"\n')
  write("no.json", "{")
  shell.run(("chmod +x '%s/python'"):format(scratch))
  local token
  emulator, url, token = require("luafabric.emulator.child").start {
    notebooks = scratch .. "/nb", faults = faults, stderr = "null",
  }
  assert(emulator, tostring(url))
  environment = { LUAFABRIC_ENDPOINT = url, LUAFABRIC_TOKEN = token }
end

local function clean_up()
  emulator:kill("TERM")
  emulator:wait(10)
  emulator:close()
  shell.remove(scratch)
end

describe("the command's end #process", function()
  setup(prepare)
  teardown(clean_up)

  it("has a code for every end of a run, and one document that says the same", function()
    local cases = {
      { 0, "succeeded", "Done" }, { 1, "failed", "Failed" }, { 1, "failed", "Odd" },
      { 1, "deduped", "Deduped" }, { 1, "capacity", "Full" }, { 3, "cancelled", "Cancelled" },
      { 1, "rejected", "Mismatch" }, { 1, "throttled", "Blocked", "--submit-timeout", "2s" },
      { 5, "unauthorized", "Refused" }, { 5, "unauthorized", "Forbidden" },
      { 5, "unauthorized", "Expired" },
      { 6, "unknown", "Lost" }, { 6, "unknown", "Away" },
      { 4, "timed_out", "Endless", "--timeout", "1s" },
    }
    -- All at a time: each spends its time waiting.
    for _, case in ipairs(cases) do
      case.plain = run(case[3], case[4], case[5])
      case.json = run(case[3], "--output=json", case[4], case[5])
    end
    for _, case in ipairs(cases) do
      local plain, told = case.plain:finish(), case.json:finish()
      assert.are.same({ case[1], case[1] }, { plain.code, told.code }, case[3] .. ": " .. plain.err)
      assert.are.equal(case[2], told.document.outcome, case[3])
      assert.are.equal(case[1] == 0, plain.out ~= "", case[3])
      assert.matches("^[^\n]+\n$", told.out)
    end
    -- A submission is never sent again because of a doubt.
    assert.are.same({ 2, 0, 2 }, { started "Lost", started "Away", started "Failed" })
  end)

  it("without a wait is the job id, by which it can be looked at, listed and cancelled", function()
    local ended = run("Endless", "--no-wait"):finish()
    assert.are.equal(0, ended.code, ended.err)
    local id = ended.out:match("^(%x+%-[%x-]+)\n$")
    local function look(action, ...)
      return command.run({ "notebook", action, "W", "Endless", ... }, { env = environment })
    end
    local shown = look("status", id)
    assert.are.same({ 0, "InProgress\n" }, { shown.code, shown.out })
    assert.matches(id .. "  InProgress ", look("list").out, 1, true)
    local cancelled = look("cancel", id, "--output", "json")
    assert.are.same({ 0, "cancelled" }, { cancelled.code, cancelled.document.outcome })
    assert.are.equal(3, look("status", id).code)
    local rows = json.decode(look("list", "--output", "json").out)
    for _, row in ipairs(rows) do
      if row.job_id == id then assert.are.equal("cancelled", row.outcome) end
    end
    local none = look("status", JOB)
    says_only(JOB, none)
    assert.are.equal(2, none.code)
  end)

  it("is the part of the exit value that was asked for, with no progress for --quiet", function()
    local ended = run("Done", "--exit-value", "days", "--quiet"):finish()
    assert.are.same({ 0, "1461\n", "" }, { ended.code, ended.out, ended.err })
    ended = run("Done", "--exit-value", "rows", "--quiet"):finish()
    assert.are.equal(1, ended.code)
    says_only("it has: days, name", ended)
  end)

  it("is a failure where the result cannot be written", function()
    local code, output = shell.run(("LUAFABRIC_ENDPOINT=%s LUAFABRIC_TOKEN=%s %s notebook run W "
      .. "Done >/dev/full"):format(url, environment.LUAFABRIC_TOKEN, command.path))
    assert.are.equal(1, code)
    assert.matches("the result could not be written", output)
  end)

  it("sends what was said, by every way of saying it", function()
    local ended = command.run({ "notebook", "run", "Tests", "Echo", "--local", "spec/notebooks",
      "--params", "-", "-P", "text=a=b ", "-P", "flag:Boolean=true", "--exit-value", "-q" }, {
      stdin = '{"integer": 9007199254740993, "number": 0.10, "text": "loses"}',
      -- Neither of these counts with --local.
      env = { LUAFABRIC_TOKEN = "x", LUAFABRIC_ENDPOINT = "http://127.0.0.1:1/v1",
        http_proxy = "http://127.0.0.1:1" } })
    assert.are.equal(0, ended.code, ended.err)
    local value = json.decode(ended.out)
    assert.are.same({ { "str", "'a=b '" }, { "int", "9007199254740993" }, { "float", "0.1" },
      { "bool", "True" } }, { value.text, value.integer, value.number, value.flag })
  end)

  it("takes compute settings from a file, and refuses them naming the field", function()
    write("compute.json", '{"compute":"Spark","computeConfiguration":{"driverCores":8}}')
    local ended = run("Done", "--execution-data", scratch .. "/compute.json"):finish()
    assert.are.equal(0, ended.code, ended.err)
    write("compute.json", '{"compute":"Spark","computeConfiguration":{"driverCores":5}}')
    local before = state().posts
    ended = run("Done", "--execution-data", scratch .. "/compute.json"):finish()
    assert.are.equal(2, ended.code)
    says_only("computeConfiguration.driverCores: 5 is not one of", ended)
    assert.are.equal(before, state().posts)
  end)
end)

describe("bad input #process", function()
  setup(prepare)
  teardown(clean_up)

  --- Start every case, each also for a document; then compare.
  local function check(cases)
    for _, case in ipairs(cases) do
      local args, env = case.args, case.env or environment
      local with_json = { "--output", "json" }
      for index, word in ipairs(args) do table.insert(with_json, index, word) end
      case.plain = command.start(args, { env = env })
      if not case.no_json then case.json = command.start(with_json, { env = env }) end
    end
    for _, case in ipairs(cases) do
      local ended = case.plain:finish()
      assert.are.equal(case.code or 2, ended.code, table.concat(case.args, " ") .. ended.err)
      says_only(case.says, ended)
      if case.json then
        local told = case.json:finish()
        assert.are.equal(case.code or 2, told.code)
        assert.matches("^{[^\n]*}\n$", told.out)
        assert(told.document.error.message:find(case.says, 1, true), told.out)
        assert.are.equal(json.null, told.document.job_id)
      end
    end
  end

  it("of a run gets one sentence and the right code, and nothing is submitted", function()
    local function args(...) return { "notebook", "run", ... } end
    local function with(fields)
      local env = {}
      for name, value in pairs(environment) do env[name] = value end
      for name, value in pairs(fields) do env[name] = value end
      return env
    end
    local id = "12345678-1234-1234-1234-123456789abc"
    check {
      { args = args("W", "Done", "-P", "n:Integer=x"), says = "-P n:Integer=x" },
      { args = args("W", "Done", "-P", "n"), says = "expected name=value" },
      { args = args("W", "Done", "-P", "a=1", "-P", "A=2"), says = "is there twice" },
      { args = args("W", "Done", "-P", ("n"):rep(257) .. "=x"), says = "at most 256" },
      { args = args("W", "Done", "--params", scratch .. "/none.json"), says = "No such file" },
      { args = args("W", "Done", "--params", scratch .. "/no.json"), says = "not JSON" },
      { args = args("W", "Done", "--execution-data", "none.json"), says = "No such file" },
      { args = args("W", "Done", "--timeout", "2 hours"), says = '--timeout 2 hours: "2 ' },
      { args = args("W", "Done", "--token", "secret"), says = "LUAFABRIC_TOKEN" },
      { args = args("W", "Done", "--quite"), says = "did you mean '--quiet'?" },
      { args = args("W", "Doen"), says = "Done" }, { args = args("V", "Done"), says = "V" },
      { args = args("", "Done"), says = "workspace: expected a name or an id" },
      { args = args("W", "Done"), env = with { LUAFABRIC_TOKEN = false }, code = 5,
        says = "set LUAFABRIC_TOKEN" },
      { args = args("W", "Done"), env = with { LUAFABRIC_TOKEN = "wrong" }, code = 5,
        says = "LUAFABRIC_TOKEN) was refused" },
      { args = args("W", "Done", "--endpoint", "ftp://x/v1"), says = "ftp://x/v1" },
      { args = args("W", "Done", "--endpoint", "http://example.com/v1"), says = "https" },
      { args = args("W", "Done", "--endpoint", "http://127.0.0.1:1/v1"), says = "127.0.0.1" },
      { args = args(id, id, "--endpoint", "http://127.0.0.1:1/v1"), says = "127.0.0.1:1/v1" },
      { args = args("W", "N", "--local", scratch .. "/nowhere"), says = "there is no such folder" },
      { args = args("W", "N", "--local", scratch .. "/none"), says = "holds no notebooks" },
      { args = args("W", "N", "--local", scratch .. "/broken"), says = "is not a notebook" },
      { args = args("Tests", "Nope", "--local", "spec/notebooks"), says = "Nope" },
      { args = args("W", "N", "--local", scratch .. "/nb"), says = "install python3-nbclient",
        env = with { LUAFABRIC_PYTHON = scratch .. "/python" } },
      { args = args("W", "N", "--local", scratch .. "/nb"), says = "luarocks install luv",
        env = with { LUA_PATH = scratch .. "/?.lua;;" } },
      { args = { "notebook", "status", "W", "Done", "no-guid" }, says = "job_id" },
      { args = { "notebook", "lits", "W", "Done" }, says = "did you mean 'list'?" },
    }
    assert.are.equal(0, state().posts)
  end)

  it("of two things of one name names both ids", function()
    local server = require("spec.support.process").start("spec/cli/twins_server.lua")
    local env = { LUAFABRIC_ENDPOINT = server.url .. "/v1", LUAFABRIC_TOKEN = "any" }
    local ended = command.run({ "notebook", "run", "Sales", "Ingest" }, { env = env })
    assert.are.equal(2, ended.code)
    says_only("Ingest", ended)
    assert.matches("%x+%-%x+%-4.*%x+%-%x+%-4", ended.err)
    ended = command.run({ "notebook", "run", "Twin", "Ingest" }, { env = env })
    assert.are.equal(2, ended.code)
    assert.matches("%x+%-%x+%-4.*%x+%-%x+%-4", ended.err)
    server.close()
  end)

  it("of the emulator gets one sentence, too", function()
    local function args(...) return { "emulator", ... } end
    check {
      { args = args(), says = "--notebooks", no_json = true },
      { args = args("--notebooks", scratch .. "/nowhere"), says = "no such folder",
        no_json = true },
      { args = args("--notebooks", scratch .. "/broken"), says = "N.ipynb is not", no_json = true },
      { args = args("--notebooks", scratch .. "/nb", "--faults", scratch .. "/no.json"),
        says = "the fault script cannot be read", no_json = true },
      { args = args("--notebooks", scratch .. "/nb", "--port", url:match(":(%d+)/")),
        says = "EADDRINUSE", no_json = true },
      { args = args("--notebooks", scratch .. "/nb", "--port", "http"), says = "'http' is not",
        no_json = true },
      { args = args("--notebooks", scratch .. "/nb", "--token-env", "NO_SUCH_VARIABLE"),
        says = "NO_SUCH_VARIABLE, which is not set", no_json = true },
    }
  end)

  it("that is no input at all shows what there is", function()
    local ended = command.run {}
    assert.are.same({ 2, "" }, { ended.code, ended.out })
    assert.matches("^Usage: luafabric .*notebook run.*%-%-help", ended.err)
  end)
end)

describe("a signal #process", function()
  setup(prepare)
  teardown(clean_up)

  it("before the submission ends the command, with nothing submitted", function()
    local before = state().posts
    for _, name in ipairs { "INT", "TERM" } do
      local asked = state().by_kind.notebooks or 0
      local running = command.start({ "notebook", "run", "Slow", "Echo", "--output", "json" },
        { env = environment })
      running:until_true(function() return (state().by_kind.notebooks or 0) > asked end)
      running:kill(name)
      running:finish()
      assert.are.equal(3, running.code, running.err)
      assert.are.equal("interrupted: nothing was submitted\n", running.err)
      assert.are.same({ "cancelled", json.null },
        { running.document.outcome, running.document.job_id })
    end
    assert.are.equal(before, state().posts)
  end)

  --- Signal a command once its submission has reached Fabric, whose answer takes its time.
  local function in_flight(notebook, name, ...)
    local before = started(notebook)
    local running = run(notebook, ...)
    running:until_true(function() return started(notebook) > before end)
    running:kill(name)
    running:says("waiting for the answer of the submission")
    return running
  end

  it("while the submission is under way waits for the answer, then cancels the run", function()
    for _, name in ipairs { "INT", "TERM" } do
      local open = state().runs_open
      local running = in_flight("Held", name, "--output", "json"):finish()
      assert.are.same({ 3, "cancelled" }, { running.code, running.document.outcome }, running.err)
      assert.matches("luafabric notebook list %x+.*cancelling job.*notebook status", running.err)
      assert.are.equal(open, state().runs_open)
    end
  end)

  it("while the submission is under way detaches where that was chosen", function()
    local open = state().runs_open
    local running = in_flight("Held", "TERM", "--on-interrupt", "detach"):finish()
    assert.are.equal(7, running.code, running.err)
    assert.matches("detached: the run goes on in Fabric.*notebook status", running.err)
    assert.are.equal(open + 1, state().runs_open)
  end)

  it("while the submission is under way ends as unknown where the answer is lost", function()
    local running = in_flight("HeldLost", "INT", "--output", "json"):finish()
    assert.are.same({ 6, "unknown" }, { running.code, running.document.outcome })
  end)

  it("a second time does not wait for the answer", function()
    local running = in_flight("HeldLong", "INT", "--output", "json")
    running:kill_until_end("INT")
    assert.are.same({ 6, "unknown" }, { running.code, running.document.outcome }, running.err)
    assert.matches("may or may not run", running.err)
  end)

  it("while the run is on cancels it and says how to find it", function()
    for _, name in ipairs { "INT", "TERM" } do
      local running = run("Endless")
      running:says("submitted")
      running:kill(name)
      running:finish()
      assert.are.equal(3, running.code, running.err)
      assert.matches("cancelling job %x+.*luafabric notebook status.*cancelled", running.err)
    end
  end)

  it("while the run is on detaches, at once or the second time", function()
    local running = run("Endless", "--on-interrupt", "detach", "--output", "json")
    running:says("submitted")
    running:kill("INT")
    running:finish()
    assert.are.equal(7, running.code, running.err)
    local shown = command.run({ "notebook", "status", "W", "Endless", running.document.job_id },
      { env = environment })
    assert.matches("^InProgress\n", shown.out)
    running = run("Endless")
    running:says("submitted")
    running:kill("INT")
    running:says("cancelling")
    running:kill_until_end("INT")
    assert.are.equal(7, running.code, running.err)
  end)

  it("ends the emulator of --local and its notebook", function()
    local running = command.start({ "notebook", "run", "Tests", "Sleep", "--local",
      "spec/notebooks", "-P", "marker=" .. scratch .. "/pids", "--on-interrupt", "detach" })
    local pids
    running:until_true(function()
      local file = io.open(scratch .. "/pids", "r")
      pids = file and file:read("*a")
      if file then file:close() end
      return pids
    end)
    running:kill("INT")
    running:finish() -- its outputs are closed: whoever had them has ended
    assert.are.equal(3, running.code, running.err)
    assert.matches("the emulator of --local ends now, and the run with it", running.err, 1, true)
    for pid in pids:gmatch("%d+") do
      running:until_true(function() return not command.is_alive(pid) end)
    end
  end)
end)

describe("completion #process", function()
  it("of bash knows commands, options and choices", function()
    local script = os.tmpname()
    local code, output = shell.run(("%s completion bash >%s"):format(command.path, script))
    assert.are.equal(0, code, output)
    local function complete(...)
      local words = { ... }
      local line = ("source %s; COMP_WORDS=(luafabric %s); COMP_CWORD=%d; _luafabric; "
        .. "echo ${COMPREPLY[@]}"):format(script, table.concat(words, " "), #words)
      return (select(2, shell.run(("bash -c '%s'"):format(line))))
    end
    assert.are.equal("notebook\n", complete("note"))
    assert.are.equal("run\n", complete("notebook", "r"))
    assert.are.equal("--on-interrupt\n", complete("notebook", "run", "W", "N", "--on"))
    assert.are.equal("detach\n", complete("notebook", "run", "--on-interrupt", "d"))
    os.remove(script)
  end)
end)
