local arguments = require "luafabric.cli.arguments"
local exit_codes = require "luafabric.cli.exit_codes"

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
    assert.are.same({ "W", "N", "rows" }, { options.workspace, options.notebook, options.exit_value })
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
      ["nootbook"] = "notebook", ["notebook run W"] = "notebook", ["notebook run W N X"] = "too many",
      ["notebook run W N --rout typed"] = "--route", ["notebook run W N --route x"] = "typed",
      ["emulator"] = "--notebooks",
    } do
      local options, message = parse(line)
      assert.is_nil(options, line)
      assert(message:find(words, 1, true), line .. ": " .. message)
      assert.is_nil(message:find("\n", 1, true))
    end
  end)

  it("shows in --help the exit codes that it uses", function()
    local help = arguments.parser():get_help()
    for _, row in ipairs(exit_codes.meanings) do
      assert(help:find(("%d  %s"):format(row[1], row[2]), 1, true), "missing: " .. row[2])
    end
  end)

  it("shows in the README the exit codes that it uses", function()
    local file = assert(io.open("README.md", "r"))
    local readme = file:read("*a"):gsub("`", "")
    file:close()
    for _, row in ipairs(exit_codes.meanings) do
      assert(readme:find(("| %d | %s |"):format(row[1], row[2]), 1, true), "missing: " .. row[2])
    end
  end)
end)

describe("an exit code", function()
  it("is 0 for success alone", function()
    for outcome, code in pairs {
      succeeded = 0, failed = 1, deduped = 1, rejected = 1, capacity = 1, throttled = 1,
      platform = 1, cancelled = 3, timed_out = 4, unauthorized = 5, unknown = 6,
      ["something new"] = 1,
    } do
      assert.are.equal(code, exit_codes.of_outcome(outcome), outcome)
    end
  end)
end)
