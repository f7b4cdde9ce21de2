-- A Fabric of its own, a virtual host in front of it, and clients: time is the host's, so that a
-- day of polling takes no time.

local client_module = require "luafabric.client"
local json = require "luafabric.json"
local service_module = require "luafabric.emulator.service"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local M = {}

M.workspaces = { { name = "Sales", notebooks = { { name = "Ingest" }, { name = "Report" } } } }

--- A world.
---@param options { workspaces: table?, faults: table?, settings: table?, seconds: number?,
---  result: table?, token: string?, handle: nil|fun(request: table, now: number): table|nil,
---  connect_delay: number? }|nil
---  seconds, result: of every run; handle: answers instead of the service, unless it gives nil
---@return table world  host, service, events, ws, nb
function M.new(options)
  options = options or {}
  local settings = { run = function()
    return options.result or { exit_value = "done" }, options.seconds or 90
  end }
  for name, value in pairs(options.settings or {}) do settings[name] = value end
  local world = { events = {} }
  world.service = service_module.new { workspaces = options.workspaces or M.workspaces,
    faults = options.faults, settings = settings, token = options.token }
  world.host = virtual.new { connect_delay = options.connect_delay, handle = function(request, now)
    local answer = options.handle and options.handle(request, now)
    return answer or world.service:handle(request, now)
  end }
  local workspace = world.service.catalog.list[1]
  if workspace then world.ws = workspace.id end
  world.nb = workspace and workspace.items[1] and workspace.items[1].id

  --- A client of this world.
  function world.client(given)
    local made = { credential = "secret-token", host = function() return world.host end,
      on_event = function(event)
        event.at = world.host.now()
        world.events[#world.events + 1] = event
      end }
    for name, value in pairs(given or {}) do made[name] = value end
    return client_module.new(made)
  end

  --- The events of a type.
  function world.told(kind)
    local list = {}
    for _, event in ipairs(world.events) do
      if event.type == kind then list[#list + 1] = event end
    end
    return list
  end

  --- The requests of a purpose ("submit", "status", "list", …), or all.
  function world.asked(purpose)
    local list = {}
    for _, request in ipairs(world.host.requests) do
      if not purpose or request.purpose == purpose then list[#list + 1] = request end
    end
    return list
  end

  --- When they were asked, whole seconds.
  function world.times(purpose)
    local list = {}
    for _, request in ipairs(world.asked(purpose)) do
      list[#list + 1] = math.floor(request.at)
    end
    return list
  end

  --- Runs a function in a task of a loop on this host; its results.
  function world.run(fn)
    return tasks.blocking(function() return world.host end, function()
      local _, loop = tasks.current()
      return fn(loop)
    end)
  end

  return world
end

--- The request of one Ingest run.
function M.ingest(more)
  local request = { workspace = "Sales", notebook = "Ingest" }
  for name, value in pairs(more or {}) do request[name] = value end
  return request
end

--- An answer with JSON.
function M.answer(status, value, headers)
  return { status = status, headers = headers or {}, body = value and assert(json.encode(value)) }
end

return M
