-- The server of the conformance scenario, on a real socket.

local conformance = require "spec.hosts.conformance"

require("spec.support.process").serve(function(request, respond)
  respond(conformance.answer(request.method, request.path))
end)
