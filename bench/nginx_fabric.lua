-- The Fabric of bench/nginx_neighbour, in a process of its own: runs of ten notebooks that last.

local notebooks = {}
for index = 1, 10 do notebooks[index] = { name = "Notebook " .. index } end

local fabric = require("luafabric.emulator.service").new {
  workspaces = { { name = "Sales", notebooks = notebooks } },
  settings = { retry_after = 10, run = function() return {}, 86400 end },
}

require("spec.support.process").serve(function(request, respond)
  local seconds, microseconds = require("luv").gettimeofday()
  respond(fabric:handle(request, seconds + microseconds / 1e6))
end)
