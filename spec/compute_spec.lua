local compute = require "luafabric.compute"
local core = require "luafabric.core"

local function encoded(execution_data)
  return (assert(core.encode_run { executionData = execution_data }))
end

describe("compute", function()
  it("for Spark carries Fabric's own fields", function()
    assert.same({ compute = "Spark" }, compute.spark())
    assert.same({ compute = "Spark", computeConfiguration = { executorCores = 8 } },
      compute.spark { executorCores = 8 })
    assert.equal('{"executionData":{"compute":"Spark","computeConfiguration":{"driverCores":4,'
      .. '"sparkProperties":[{"key":"spark.a","value":"1"}]}}}',
      encoded(compute.spark { driverCores = 4, sparkProperties = { ["spark.a"] = "1" } }))
  end)

  it("for Jupyter and for T-SQL", function()
    assert.same({ compute = "Jupyter" }, compute.jupyter(nil))
    assert.equal('{"executionData":{"compute":"Jupyter","computeConfiguration":{"numCores":2}}}',
      encoded(compute.jupyter { numCores = 2 }))
    assert.same({ compute = "DataWarehouse" }, compute.data_warehouse())
    assert.same({ compute = "DataWarehouse" }, compute.data_warehouse(nil))
    assert.equal('{"executionData":{"compute":"DataWarehouse"}}', encoded(compute.data_warehouse()))
  end)

  it("is a table of its own: what is changed in the given one later does not count", function()
    local given = { name = "a" }
    local data = compute.spark(given)
    given.name = "b"
    assert.equal("a", data.computeConfiguration.name)
  end)

  it("of a wrong shape raises at the caller's line", function()
    for name, build in pairs { spark = compute.spark, jupyter = compute.jupyter } do
      local ok, message = pcall(function() build("x") end)
      assert.is_false(ok)
      assert.matches("^spec/compute_spec.lua:%d+: " .. name
        .. ": expected a table of compute settings, got string$", message)
    end
    local ok, message = pcall(function() compute.data_warehouse({}) end)
    assert.is_false(ok)
    assert.matches("^spec/compute_spec.lua:%d+: data_warehouse: takes no compute settings$",
      message)
  end)

  it("with a slip in a field is told by the encoder, with the nearest name", function()
    local text, message = core.encode_run { executionData = compute.spark { numExecutor = 2 } }
    assert.is_nil(text)
    assert.equal("executionData.computeConfiguration.numExecutor: unknown field, did you mean "
      .. "numExecutors?", message)
    text, message = core.encode_run { executionData = compute.jupyter { "x" } }
    assert.is_nil(text)
    assert.matches("^executionData.computeConfiguration: expected an object with named fields",
      message)
  end)
end)
