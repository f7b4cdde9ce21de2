--- Compute for a run, in Fabric's own field names: each function gives the `executionData` of the
--- published run request (Microsoft's notebook/definitions.json). Unknown fields, wrong values and
--- their neighbours are found by the encoder when the request is built; a wrong shape raises here.

local M = {}

local function copy(configuration, name)
  if configuration == nil then return nil end
  if type(configuration) ~= "table" then
    error(("%s: expected a table of compute settings, got %s"):format(name, type(configuration)), 3)
  end
  local own = {}
  for key, value in pairs(configuration) do own[key] = value end
  return own
end

--- For PySpark, Scala, R and Spark SQL notebooks.
---@param configuration table|nil  SparkNotebookComputeConfiguration: name, driverCores,
---  driverMemory, executorCores, executorMemory, numExecutors, jars, pyFiles, files, archives,
---  sparkProperties (a list of { key, value }, or a table { ["spark.x"] = "y" }), instancePool,
---  mountPoints, defaultLakehouse, attachedEnvironment, highConcurrencyModeOptions
---@return table execution_data
function M.spark(configuration)
  return { compute = "Spark", computeConfiguration = copy(configuration, "spark") }
end

--- For pure Python notebooks.
---@param configuration table|nil  JupyterNotebookComputeConfiguration: name, numCores, mountPoints,
---  defaultLakehouse, attachedEnvironment
---@return table execution_data
function M.jupyter(configuration)
  return { compute = "Jupyter", computeConfiguration = copy(configuration, "jupyter") }
end

--- For T-SQL notebooks, which have no settings.
---@return table execution_data
function M.data_warehouse(...)
  if select("#", ...) > 0 and ... ~= nil then
    error("data_warehouse: takes no compute settings", 2)
  end
  return { compute = "DataWarehouse" }
end

return M
