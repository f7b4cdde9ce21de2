-- The server of the conformance scenario, on a real socket: prints its port, serves until its
-- standard input ends.

local conformance = require "spec.hosts.conformance"
local http_server = require "luafabric.emulator.http_server"
local uv = require "luv"

local server = http_server.new { uv = uv, handler = function(request, respond)
  respond(conformance.answer(request.method, request.path))
end }
io.stdout:write(("%d\n"):format((assert(server:listen("127.0.0.1", 0)))))
io.stdout:flush()

local input = uv.new_pipe(false)
input:open(0)
input:read_start(function(_, data) if not data then uv.stop() end end)
uv.run()
