-- Fabric's service on a real socket, with runs that end at once: no Jupyter, so that a campaign of
-- faults takes seconds. GET /control/FAULT makes the next submission meet that fault and sets the
-- counts back; GET /emulator/state tells what was started.

local faults = require "luafabric.emulator.faults"
local service_module = require "luafabric.emulator.service"

local fabric

local function new_service(script)
  fabric = service_module.new {
    workspaces = { { name = "Sales", notebooks = { { name = "Ingest" } } } },
    faults = script,
    settings = { retry_after = 0, run = function() return { exit_value = "done" }, 0 end },
  }
end

local function control(name)
  local fault = tonumber(name) or name
  local known, message = pcall(faults.new, { { at = "submit", fault = fault } })
  if not known then return { status = 400, body = tostring(message) } end
  new_service { { at = "submit", fault = fault } }
  return { status = 200 }
end

new_service {}

require("spec.support.process").serve(function(request, respond)
  local name = request.path:match("^/control/([%w_]+)$")
  if name then return respond(control(name)) end
  local seconds, microseconds = require("luv").gettimeofday()
  respond(fabric:handle(request, seconds + microseconds / 1e6))
end)
