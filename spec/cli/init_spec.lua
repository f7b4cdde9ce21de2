-- The command's outermost layer: whatever happens inside is one sentence and one document.

local capture = require "spec.cli.capture"
local cli = require "luafabric.cli"
local json = require "luafabric.json"

describe("a mistake inside of the command", function()
  local loaded

  before_each(function()
    loaded = package.loaded["luafabric.cli.notebook_run"]
  end)
  after_each(function()
    package.loaded["luafabric.cli.notebook_run"] = loaded
  end)

  local function main(run, ...)
    package.loaded["luafabric.cli.notebook_run"] = { run = run }
    local arguments = { "notebook", "run", "W", "N", ... }
    return capture.run({}, function() return cli.main(arguments) end)
  end

  it("is no stack trace", function()
    local function boom() error("boom\nstack traceback:\n\t[C]: in ?", 0) end
    local code, out, err = main(boom)
    assert.are.same({ 1, "", "luafabric: internal error: boom\n" }, { code, out, err })
    code, out = main(boom, "--output", "json")
    local value = assert(json.decode(out))
    assert.are.same({ 1, json.null, { kind = "raised", message = "internal error: boom" } },
      { code, value.outcome, value.error })
  end)

  it("names a Lua module that is missing, and what to do", function()
    local code, out, err = main(function() require "no.such.module" end)
    assert.are.same({ 2, "", "luafabric: the Lua module no.such.module is missing: install it " ..
      "(luarocks install no.such.module)\n" }, { code, out, err })
  end)

  it("of run is told as its document, or as an event", function()
    local function run(output)
      local code, out, err = capture.run({}, function()
        return cli.main { "run", "--output", output }
      end)
      assert.are.equal(2, code)
      assert.matches("^luafabric: run: the workflow file is missing.*\nluafabric run %-%-help", err)
      return assert(json.decode(out))
    end
    local document, event = run "json", run "jsonl"
    assert.are.same({ 2, json.null, "usage" },
      { document.exit_code, document.run_id, document.error.kind })
    assert.are.same({ "error", 2, "usage" }, { event.type, event.exit_code, event.error.kind })
  end)

  it("in the words of a usage error is one document, too", function()
    local code, out, err = capture.run({}, function()
      return cli.main { "notebook", "run", "W", "--output", "json", "--nope" }
    end)
    assert.are.equal(2, code)
    assert.are.equal("usage", assert(json.decode(out)).error.kind)
    assert.matches("^luafabric: unknown option '%-%-nope'\nluafabric %-%-help", err)
  end)
end)

describe("luafabric alone", function()
  local commands = {}
  local without_help_of_their_own = { notebook = true, emulator = true, completion = true }

  setup(function()
    for _, command in ipairs(require("luafabric.cli.arguments").parser()._commands) do
      commands[#commands + 1] = command._name
    end
  end)

  it("names every command that there is", function()
    local _, _, err = capture.run({}, function() return cli.main {} end)
    local said = {}
    for name in err:match("commands: ([^\n]+)"):gmatch("[^,]+") do
      said[name:match "%a+"] = true
    end
    for _, name in ipairs(commands) do assert.is_true(said[name], name) end
  end)

  it("a mistake leads to the help of its command", function()
    for _, name in ipairs(commands) do
      if not without_help_of_their_own[name] then
        local _, _, err = capture.run({}, function() return cli.main { name, "--nope" } end)
        assert.matches(("\nluafabric %s --help shows what there is\n"):format(name), err, 1, true)
      end
    end
  end)
end)

describe("luafabric emulator", function()
  local server = require "luafabric.emulator.server"

  it("is a tenant of the kind that is asked for", function()
    local run, given = server.run, nil
    server.run = function(options)
      given = options
      return 0
    end
    local function tenant(...)
      local words = { "emulator", "--notebooks", "DIR", ... }
      assert.equal(0, (capture.run({}, function() return cli.main(words) end)))
      return { given.typed_route, given.session_names, given.root_is_request,
        given.echo_request_id }
    end
    local usual = tenant()
    local other = tenant("--no-typed-route", "--own-session-names", "--other-root-ids",
      "--echo-request-id", "RequestId")
    server.run = run
    assert.same({ true, true, true }, usual)
    assert.same({ false, false, false, "requestid" }, other)
  end)
end)
