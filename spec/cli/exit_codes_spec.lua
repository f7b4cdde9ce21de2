-- The exit codes: one table, seen alike in code, --help and README.

local arguments = require "luafabric.cli.arguments"
local errors = require "luafabric.errors"
local exit_codes = require "luafabric.cli.exit_codes"

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

  it("of an error is never 0, and 2 where nothing was sent", function()
    for kind, code in pairs {
      usage = 2, configuration = 2, network = 2, not_found = 2, ambiguous_name = 2, timeout = 4,
      unauthorized = 5, rejected = 1, throttled = 1, capacity = 1, platform = 1, cancelled = 3,
      unknown = 6, raised = 1,
    } do
      local err = errors.new { kind = kind, message = "x" }
      assert.are.equal(code, exit_codes.of_error(err), kind)
    end
  end)

  it("stands in --help, with its meaning", function()
    local parser = arguments.parser()
    local help = parser:get_help():gsub("%s+", " ")
    for code = 0, 7 do
      local row = exit_codes.meanings[code + 1]
      assert.are.equal(code, row[1])
      assert(help:find(("%d %s"):format(row[1], row[2]), 1, true), "missing: " .. row[2])
    end
  end)

  it("of a workflow has nothing of what there is for single notebooks alone", function()
    local run = require("luafabric.cli.workflow_arguments").add(require "argparse" "luafabric")
    local help = run:get_help():gsub("%s+", " ")
    assert.matches("0 the run succeeded 1 it failed", help)
    assert.is_nil(help:find("no-wait", 1, true))
  end)

  it("stands in the README, with the same meaning and no other row", function()
    local file = assert(io.open("README.md", "r"))
    local rows = {}
    for line in file:lines() do
      local code, meaning = line:match("^| (%d) | (.*) |$")
      if code then rows[#rows + 1] = { tonumber(code), (meaning:gsub("`", "")) } end
    end
    file:close()
    assert.are.same(exit_codes.meanings, rows)
  end)
end)
