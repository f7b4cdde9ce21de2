-- What is kept of the durations of runs.

local durations_module = require "luafabric.policy.durations"

describe("the durations of a notebook's runs", function()
  it("are not known at first", function()
    assert.is_nil(durations_module.new():of("a"))
  end)

  it("are told by notebook: how many, the shortest, the longest", function()
    local durations = durations_module.new()
    durations:add("a", 90)
    durations:add("a", 60)
    durations:add("a", 120)
    durations:add("b", 5)
    local found = durations:of("a")
    assert.same({ 3, 60, 120 }, { found.count, found.shortest, found.longest })
    assert.equal(1, durations:of("b").count)
  end)

  it("are those that somebody else knows, where they are given", function()
    local durations = durations_module.new()
    durations:add("a", 90)
    durations:seed("a", { 90, 60 })
    assert.equal(2, durations:of("a").count)
  end)

  it("are those of the last runs", function()
    local durations = durations_module.new()
    durations:add("a", 10000)
    assert.equal(10000, durations:of("a").longest)
    for index = 1, 30 do durations:add("a", index) end
    assert.same({ 30, 1, 30 }, { durations:of("a").count, durations:of("a").shortest,
      durations:of("a").longest })
  end)
end)
