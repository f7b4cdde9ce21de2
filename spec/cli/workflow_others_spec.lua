-- What is said of other runs, and the commands that go on with one.

local others = require "luafabric.cli.workflow_others"

describe("the command that goes on with a run", function()
  it("has all that the run needs again, and no value", function()
    assert.are.equal("luafabric run --resume 7f3a12 --store 'my runs.db' --params 'night of.json' "
      .. "--parameter-env token=NIGHT", others.resume_command("7f3a12", { store = "my runs.db",
      params = "night of.json", parameter_env = { "token=NIGHT" }, parameter = { "day=1" } }))
  end)

  it("names no file where the inputs came by standard input", function()
    assert.are.equal("luafabric run --resume 7f3a12", others.resume_command("7f3a12",
      { params = "-" }))
  end)
end)
