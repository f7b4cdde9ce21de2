-- A Fabric with two workspaces of one name, and two notebooks of one name in another, on a socket.

local service = require("luafabric.emulator.service").new { workspaces = {
  { name = "Twin" }, { name = "Twin" },
  { name = "Sales", notebooks = { "Ingest", "Ingest", "Report" } },
} }

require("spec.support.process").serve(function(request, respond)
  respond(service:handle(request, os.time()))
end)
