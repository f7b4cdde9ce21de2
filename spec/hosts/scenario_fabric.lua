-- The Fabric of the scenario that every host must pass: runs that end by themselves, as their
-- notebooks say, without Jupyter.

local service_module = require "luafabric.emulator.service"

local M = {}

local function result_of(job)
  if job.notebook == "Fail" then
    return { status = "Failed", failure_reason = { errorCode = "NotebookFailed",
      message = "a cell raised ValueError: no such day" } }, 0.05
  end
  if job.notebook == "Slow" then return {}, 600 end
  local text = job.parameters.text
  return { exit_value = text and text.value or "done" }, 0.05
end

--- The service.
---@return table service
function M.new()
  return service_module.new {
    workspaces = { { name = "Sales", notebooks = { { name = "Echo" }, { name = "Fail" },
      { name = "Slow" } } },
      { name = "Weather", notebooks = { { name = "Ingest" } } } },
    clients = { app = "secret of the app" },
    settings = { retry_after = 0, run = result_of },
  }
end

return M
