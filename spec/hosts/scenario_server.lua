-- The Fabric of the scenario, on a real socket.

local fabric = require("spec.hosts.scenario_fabric").new()

require("spec.support.process").serve(function(request, respond)
  local seconds, microseconds = require("luv").gettimeofday()
  respond(fabric:handle(request, seconds + microseconds / 1e6))
end)
