local arguments = require "luafabric.cli.arguments"

local function parse(line)
  local words = {}
  for word in line:gmatch("%S+") do words[#words + 1] = word end
  return arguments.parse(words)
end

describe("the command line", function()
  it("gives --exit-value a path only behind workspace and notebook", function()
    local options = assert(parse "notebook run --exit-value W N")
    assert.are.same({ "W", "N", "" }, { options.workspace, options.notebook, options.exit_value })
    options = assert(parse "notebook run W N --exit-value")
    assert.are.equal("", options.exit_value)
    options = assert(parse "notebook run W N --exit-value a.b --quiet")
    assert.are.equal("a.b", options.exit_value)
    options = assert(parse "notebook run W N --exit-value --quiet")
    assert.are.equal("", options.exit_value)
    options = assert(parse "notebook run --timeout 5m -P a=b W --exit-value=rows N")
    assert.are.same({ "W", "N", "rows" },
      { options.workspace, options.notebook, options.exit_value })
    options = assert(parse "notebook run -Pa=b --local D W --exit-value N")
    assert.are.same({ "W", "N", "" }, { options.workspace, options.notebook, options.exit_value })
    assert.is_nil(assert(parse "notebook run W N").exit_value)
  end)

  it("never takes a token, and says where it belongs", function()
    for _, line in ipairs { "notebook run W N --token abc", "notebook run W N --token=abc" } do
      local options, message = parse(line)
      assert.is_nil(options)
      assert.matches("LUAFABRIC_TOKEN", message)
      assert.is_nil(message:find("abc", 1, true))
    end
  end)

  it("has one sentence for a mistake", function()
    for line, words in pairs {
      ["nootbook"] = "notebook", ["notebook run W"] = "notebook",
      ["notebook run W N X"] = "too many", ["notebook run W N --rout typed"] = "--route",
      ["notebook run W N --route x"] = "typed", ["emulator"] = "--notebooks",
      ["emulator --notebooks D --port x"] = "'x' is not a whole number from 0 to 65535",
      ["emulator --notebooks D --port 70000"] = "65535", ["notebook"] = "command",
      ["notebook run W N --local D --endpoint E"] = "contradict",
      ["notebook run W N --local D --no-wait"] = "emulator ends",
      ["notebook run W N --no-wait --exit-value"] = "does not wait",
      ["notebook run W N --no-wait --timeout 5m"] = "does not",
      ["notebook list W N --local D"] = "--local",
      ["run"] = "luafabric run FILE.lua", ["run -q"] = "the workflow file is missing",
      ["nightly.lua"] = "did you mean luafabric run nightly.lua?",
      ["./nightly.lua -P day=1"] = "did you mean luafabric run ./nightly.lua?",
      ["plan"] = "luafabric plan FILE.lua", ["plan a.lua --graph png"] = "mermaid",
      ["run Sales Ingest"] = "luafabric notebook run Sales Ingest",
      ["run a.lua day=1"] = "given as -P name=value", ["run a day=1"] = "-P name=value",
      ["plan a.lua b"] = "one workflow file",
      ["run a.lua --max-concurrency 0"] = "0: expected",
      ["run a.lua --max-concurrency 0x10"] = "0x10: expected",
      ["run a.lua --local D --on-interrupt detach"] = "--local and --on-interrupt detach",
      ["run a.lua --output xml"] = "jsonl", ["run a.lua --local D --endpoint E"] = "contradict",
      ["run a.lua --on-duplicate both"] = "replace", ["run a.lua --key="] = "--key: it is empty",
      ["run a.lua --local D --key K"] = "--local keeps this one in memory",
      ["run a.lua --store memory --on-duplicate join"] = "--on-duplicate is about the other runs",
      ["run --resume 7f --key K"] = "--key has no effect on it",
      ["run a.lua --repot x.html"] = "--report", ["rnu a.lua"] = "did you mean 'run'?",
    } do
      local options, message = parse(line)
      assert.is_nil(options, line)
      assert(message:find(words, 1, true), line .. ": " .. message)
      assert.is_nil(message:find("\n", 1, true))
    end
  end)

  it("of run may ask for help without a file, and with one", function()
    assert.is_true(assert(parse "run --help").help)
    local options = assert(parse "run nightly.lua -h")
    assert.are.same({ true, "nightly.lua" }, { options.help, options.file })
  end)

  it("of run takes many inputs and reports", function()
    local options = assert(parse("run a.lua -P a=1 -P b=--exit-value --parameter-env c=D "
      .. "--report x.html --report y.xml"))
    assert.are.same({ { "a=1", "b=--exit-value" }, { "c=D" }, { "x.html", "y.xml" } },
      { options.parameter, options.parameter_env, options.report })
  end)

  it("reads --params - as a file's name, and a value behind = as it is", function()
    local options = assert(parse "notebook run W N --params - -P a==x=")
    assert.are.same({ "-", { "a==x=" } }, { options.params, options.parameter })
  end)
end)
