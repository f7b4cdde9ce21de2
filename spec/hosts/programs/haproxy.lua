-- Lua in HAProxy: the scenario in a task from the start on, whose result / gives, and in a service,
-- /service.

local core = rawget(_G, "core")
local settings = require "spec.hosts.programs.settings"
local scenario = require "spec.hosts.scenario"

local result

local function run(store)
  local ok, message = pcall(scenario.run, { endpoint = settings.endpoint, faults = settings.faults,
    host = settings.host, store = settings.store .. store, tls = settings.tls,
    figures = settings.figures })
  return ok and message or "failed: " .. tostring(message)
end

local function answer(applet, text)
  applet:set_status(200)
  applet:add_header("content-length", tostring(#text))
  applet:start_response()
  applet:send(text)
end

core.register_task(function() result = run "task" end)

core.register_service("ping", "http", function(applet) answer(applet, "pong") end)
core.register_service("scenario", "http", function(applet) answer(applet, run "service") end)
core.register_service("result", "http", function(applet)
  while not result do core.msleep(10) end
  answer(applet, result)
end)
