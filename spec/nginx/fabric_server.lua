-- A Fabric on a real socket for specs of the service: runs that take the seconds of their
-- parameter, without Jupyter. "Flaky" fails the first time.

local flaky_runs = 0

local function result_of(job)
  local seconds = job.parameters.seconds and tonumber(job.parameters.seconds.value) or 0.05
  if job.notebook == "Flaky" then
    flaky_runs = flaky_runs + 1
    if flaky_runs == 1 then
      return { status = "Failed", failure_reason = { errorCode = "NotebookFailed",
        message = "a cell raised ValueError: no such day" } }, seconds
    end
  end
  return { exit_value = "done" }, seconds
end

local fabric = require("luafabric.emulator.service").new {
  workspaces = { { name = "Sales", notebooks = { { name = "Step" }, { name = "Flaky" },
    { name = "Other" } } } },
  settings = { retry_after = 0, run = result_of },
}

require("spec.support.process").serve(function(request, respond)
  local seconds, microseconds = require("luv").gettimeofday()
  respond(fabric:handle(request, seconds + microseconds / 1e6))
end)
