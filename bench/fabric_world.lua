-- A Fabric of one notebook, "Clean" of the workspace "Sales", on the virtual host: what the benches
-- of the engine measure against.

local fabric = require "luafabric"
local service_module = require "luafabric.emulator.service"
local virtual = require "luafabric.hosts.virtual"

local M = {}

--- A world in which every run takes so many seconds.
---@param seconds number
---@param settings table|nil  of the service
---@return luafabric.Client client
---@return table host
---@return table service
function M.new(seconds, settings)
  settings = settings or {}
  settings.run = function() return { exit_value = "done" }, seconds end
  local service = service_module.new { settings = settings,
    workspaces = { { name = "Sales", notebooks = { { name = "Clean" } } } } }
  local host = virtual.new { log = false,
    handle = function(request, now) return service:handle(request, now) end }
  local client = fabric.client { credential = "token", host = function() return host end }
  return client, host, service
end

return M
