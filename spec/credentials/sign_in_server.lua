-- The emulator's service on a socket, for the sign-ins: its options are the JSON in the file that
-- the first argument names. GET /told gives the requests that it was sent, so that specs see what
-- really went over the wire. `clock_offset`: seconds by which its clock is wrong.

local json = require "luafabric.json"

local file = assert(io.open((...), "rb"))
local options = assert(json.decode(file:read("*a")))
file:close()
options.workspaces = options.workspaces or { { name = "Sales", notebooks = { "Ingest" } } }

local core = require "luafabric.core"
local service = require("luafabric.emulator.service").new(options)
local told = {}

require("spec.support.process").serve(function(request, respond)
  if request.path == "/told" then
    return respond { status = 200, body = assert(json.encode(json.array(told))) }
  end
  told[#told + 1] = { method = request.method, path = request.path, headers = request.headers,
    body = request.body }
  respond(service:handle(request, core.wall() + (options.clock_offset or 0)))
end)
