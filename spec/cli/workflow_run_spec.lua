-- `luafabric run` as a user meets it: every end of it, and what is wrong before it starts.

local command = require "spec.cli.command"
local history = require "luafabric.history"
local json = require "luafabric.json"
local shell = require "spec.support.shell"
local world = require "spec.cli.workflow_world"

local path, write, read, start, run = world.path, world.write, world.read, world.start, world.run
local state, started = world.state, world.started

local SECRET = world.SECRET

--- One sentence on standard error, nothing on standard output.
local function says_only(words, ended)
  assert.are.equal("", ended.out)
  local sentence = ("\n" .. ended.err):match("\nluafabric: ([^\n]*)\n")
  assert(sentence and sentence:find(words, 1, true), ended.err)
  assert.is_nil(ended.err:find("stack traceback", 1, true))
end

local INPUTS = { "-P", "day=2026-11-23T00:00:00Z", "--parameter-env", "token=NIGHT_TOKEN" }

local function start_nightly(...)
  local words = { ... }
  for index, word in ipairs(INPUTS) do table.insert(words, index, word) end
  return start("nightly", (table.unpack or unpack)(words))
end

describe("a workflow run by the command #process", function()
  local nightly = {}

  -- All at a time: each spends its time waiting.
  setup(function()
    world.prepare()
    nightly.plain, nightly.quiet = start_nightly(), start_nightly "--quiet"
    nightly.json = start_nightly("--output", "json")
    nightly.jsonl = start_nightly("--output", "jsonl")
  end)
  teardown(world.clean_up)

  it("succeeds with the summary on standard output, and a line for each change beside", function()
    local ended = nightly.plain:finish()
    assert.are.equal(0, ended.code, ended.err)
    assert.matches("^nightly %x+: 3 steps%. SIGTERM cancels its runs and waits for them; SIGQUIT",
      ended.err)
    assert.matches("\n%d%d:%d%d:%d%d  first  submitted  job %x+", ended.err)
    assert.matches("clean%[us%]", ended.err)
    assert.matches("nightly %x+ succeeded: 3 ok in [^\n]*\n$", ended.out)
  end)

  it("says only the summary with --quiet", function()
    local ended = nightly.quiet:finish()
    assert.are.same({ 0, "" }, { ended.code, ended.err })
    assert.matches("succeeded: 3 ok", ended.out)
  end)

  it("is one document for a program", function()
    local ended = nightly.json:finish()
    assert.are.equal(0, ended.code, ended.err)
    assert.matches("^{[^\n]*}\n$", ended.out)
    local value = ended.document
    assert.are.same({ "nightly", "succeeded", 0, "nightly.lua" },
      { value.workflow, value.outcome, value.exit_code, value.file })
    local paths = {}
    for index, step in ipairs(value.steps) do paths[index] = step.path end
    assert.are.same({ "first", "clean", "clean[eu]", "clean[us]", "report" }, paths)
    assert.are.equal('{"days":1461,"regions":["eu","us"]}', value.steps[1].exit_value)
    assert.matches("^%x+%-", value.steps[3].job_id)
  end)

  it("is its events, a line each, that tell the run again", function()
    local ended = nightly.jsonl:finish()
    assert.are.equal(0, ended.code, ended.err)
    local told = history.new()
    for line in ended.out:gmatch("[^\n]+") do history.apply(told, assert(json.decode(line))) end
    assert.are.same({ "succeeded", "succeeded" }, { told.outcome, told.steps["clean[us]"].outcome })
  end)

  it("goes on without a reader of its events, and says that they were not written", function()
    local before, env = started "Last", world.environment
    local code, output = shell.run(("LUAFABRIC_ENDPOINT='%s' LUAFABRIC_TOKEN='%s' %s run '%s' "
      .. "--output jsonl >/dev/full"):format(env.LUAFABRIC_ENDPOINT, env.LUAFABRIC_TOKEN,
      command.path, path "failing.lua"))
    assert.are.equal(1, code)
    assert.matches("could not be written", output)
    assert.are.equal(before + 1, started "Last")
  end)

  it("fails with the reason, and its reports are written", function()
    local ended = run("failing", "--report", path "a.html", "--report", path "b.md", "--report",
      path "c.xml")
    assert.are.equal(1, ended.code, ended.err)
    assert.matches("Failed +failed.*it broke", ended.out)
    assert.matches("publish +skipped", ended.out)
    assert.matches("failed: 1 ok, 1 failed, 1 skipped", ended.out)
    local has = { ["a.html"] = "<html", ["b.md"] = "publish", ["c.xml"] = "<testsuite" }
    for name, words in pairs(has) do
      local text = assert(read(name), name)
      assert(text:find(words, 1, true), name)
      assert(text:find("it broke", 1, true), name)
      assert.matches("report     " .. path(name), ended.err, 1, true)
    end
  end)

  it("has a code for each other end", function()
    local cases = { { 6, "unknown", "lost" }, { 5, "unauthorized", "refused" },
      { 4, "timed_out", "endless", "--timeout", "2s" } }
    for _, case in ipairs(cases) do
      case.command = start(case[3], "--output", "json", case[4], case[5])
    end
    for _, case in ipairs(cases) do
      local ended = case.command:finish()
      assert.are.equal(case[1], ended.code, ended.err)
      assert.are.same({ case[2], case[1] }, { ended.document.outcome, ended.document.exit_code })
    end
  end)

  it("says whether the run of a lost answer is looked for, and may be taken for its own", function()
    local cases = { { 6, "lost", "--submission", "at-most-once" },
      { 0, "alone", "--exclusive" } }
    for _, case in ipairs(cases) do
      case.command = start(case[2], "--output", "json", case[3], case[4], case[5])
    end
    for _, case in ipairs(cases) do
      local ended = case.command:finish()
      assert.are.equal(case[1], ended.code, ended.err)
      -- The one that was found is known, and was watched to its end.
      assert.are.equal(case[1] == 0, type(ended.document.steps[1].job_id) == "string")
    end
  end)

  it("shows a secret nowhere, not even where Fabric says it again", function()
    local commands, texts = {}, {}
    for _, format in ipairs { "text", "json", "jsonl" } do
      commands[format] = start("leaking", "--parameter-env", "token=NIGHT_TOKEN", "--output",
        format, "--report", path(format .. ".html"), "--report", path(format .. ".md"),
        "--report", path(format .. ".xml"))
    end
    for format, process in pairs(commands) do
      local ended = process:finish()
      assert.are.equal(1, ended.code, ended.err)
      assert.matches("***", ended.out, 1, true)
      texts[#texts + 1] = ended.out
      texts[#texts + 1] = ended.err
      for _, kind in ipairs { ".html", ".md", ".xml" } do
        texts[#texts + 1] = assert(read(format .. kind))
      end
    end
    assert.are.equal(15, #texts)
    for _, text in ipairs(texts) do assert.is_nil(text:find(SECRET, 1, true), text) end
  end)

  it("that names what is not there says so, and sends nothing", function()
    local ended = run("nowhere", "--report", path "n.md")
    assert.are.equal(2, ended.code)
    says_only("Nowhere", ended)
    assert.matches("Nowhere", read "n.md")
  end)
end)

describe("what is wrong before a workflow starts #process", function()
  setup(world.prepare)
  teardown(world.clean_up)

  it("is one sentence and code 2, and nothing is sent", function()
    write("syntax.lua", "return fabric.workflow(\n")
    write("empty.lua", "local fabric = require \"luafabric\"\n")
    write("typo.lua", "local fabric = require \"luafabric\"\nreturn fabric.workflow(\"typo\", "
      .. "function(flow)\n  flow:notebook(\"Done\", { workspace = wrokspace })\nend)\n")
    write("values.json", '{"day": 5')
    local cases = {
      { "no.such", says = "no.such.lua" }, { "syntax", says = "syntax.lua" },
      { "empty", says = "empty.lua" }, { "typo", says = "typo.lua:3" },
      { "nightly", says = "day" },
      { "nightly", "-P", "token=" .. SECRET, says = "--parameter-env token=VARIABLE" },
      { "nightly", "-P", "day=yesterday", "--parameter-env", "token=NIGHT_TOKEN", says = "day" },
      { "nightly", "--params", path "values.json", says = "not JSON" },
      { "nightly", "--parameter-env", "token=NO_SUCH_VARIABLE", says = "token=…" },
      { "endless", "-P", "unheard=1", says = "unheard" },
      { "endless", "--report", path "none/a.html", says = "No such file or directory" },
      { "endless", "--report", "a.pdf", says = "ends in .html" },
      { "endless", "--timeout", "2 hours", says = "--timeout 2 hours" },
      { "endless", "--deadline", "noon", says = "--deadline noon" },
      { "endless", "--deadline", "2001-01-01T00:00:00Z", says = "--deadline 2001" },
      { "endless", "--max-concurrency", "0", says = "--max-concurrency 0" },
      { "endless", "--local", path "nowhere", says = "there is no such folder" },
    }
    for _, case in ipairs(cases) do
      case.plain = start((table.unpack or unpack)(case))
      case[#case + 1], case[#case + 2] = "--output", "json"
      case.json = start((table.unpack or unpack)(case))
    end
    for _, case in ipairs(cases) do
      local ended = case.plain:finish()
      assert.are.equal(2, ended.code, table.concat(case, " ") .. ended.err)
      says_only(case.says, ended)
      assert.is_nil(ended.err:find(SECRET, 1, true))
      local told = case.json:finish()
      assert.are.equal(2, told.code)
      assert.are.same({ json.null, 2 }, { told.document.outcome, told.document.exit_code })
      assert(told.document.error.message:find(case.says, 1, true), told.out)
    end
    assert.are.equal(0, state().posts)
  end)

  it("is code 5 without a token, said as an event where those were asked for", function()
    local env = { LUAFABRIC_ENDPOINT = world.environment.LUAFABRIC_ENDPOINT }
    local ended = command.run({ "run", path "endless.lua", "--output", "jsonl" }, { env = env })
    assert.are.equal(5, ended.code)
    local value = assert(json.decode(ended.out))
    assert.are.same({ "error", 5 }, { value.type, value.exit_code })
    assert.matches("LUAFABRIC_TOKEN", ended.err)
  end)

  it("can be looked up: the help of a file lists its inputs", function()
    local ended = run("nightly", "--help")
    assert.are.same({ 0, "" }, { ended.code, ended.err })
    assert.matches("the workflow 'nightly'\n\nInputs:\n", ended.out)
    assert.matches("\n  day    DateTime  required; the first day\n", ended.out)
    assert.matches("\n  count  Integer   default 3\n", ended.out)
    assert.matches("\n  token  Text      required; a secret: --parameter-env token=VARIABLE\n",
      ended.out, 1, true)
    assert.matches("--report FILE", ended.out, 1, true)
    ended = command.run({ "run", "--help" }, { env = world.environment })
    assert.are.equal(0, ended.code)
    assert.matches("^Usage: luafabric run .*7  detached", ended.out)
  end)
end)

describe("completion #process", function()
  it("of bash knows the commands for workflows, and their options", function()
    local script = os.tmpname()
    assert.are.equal(0, (shell.run(("%s completion bash >%s"):format(command.path, script))))
    local function complete(...)
      local words = { ... }
      return (select(2, shell.run(("bash -c 'source %s; COMP_WORDS=(luafabric %s); COMP_CWORD=%d; "
        .. "_luafabric; echo ${COMPREPLY[@]}'"):format(script, table.concat(words, " "), #words))))
    end
    assert.are.equal("run runs\n", complete "ru")
    assert.are.equal("plan\n", complete "pl")
    assert.are.equal("--report\n", complete("run", "nightly.lua", "--rep"))
    assert.are.equal("jsonl\n", complete("run", "nightly.lua", "--output", "jsonl"))
    assert.are.equal("--graph\n", complete("plan", "nightly.lua", "--gr"))
    os.remove(script)
  end)
end)
