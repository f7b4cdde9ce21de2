-- The emulator's command: the service on a socket of this machine (luv), with real notebooks behind
-- it. `run` serves until a signal, or until its parent is gone; `start_child` is for a program that
-- wants an emulator of its own.

local child = require "luafabric.emulator.child"
local faults = require "luafabric.emulator.faults"
local notebooks = require "luafabric.emulator.notebooks"
local kernels = require "luafabric.emulator.kernels"
local service = require "luafabric.emulator.service"

local M = {}

M.start_child = child.start

local PARENT_CHECK = 1000 -- ms
local END_LIMIT = 6000 -- ms from the signal to the end, whatever hangs

local function load_luv()
  local found, uv = pcall(require, "luv")
  if found then return uv end
  return nil, "the emulator needs the Lua module luv for its sockets: apt-get install lua-luv, or "
    .. "luarocks install luv"
end

local function first_line(message)
  return tostring(message):match("^[^\n]*")
end

local function load_faults(given)
  if given == nil or type(given) == "table" then return given end
  local chunk, message = loadfile(given)
  if not chunk then return nil, "the fault script cannot be read: " .. first_line(message) end
  local ran, script = pcall(chunk)
  if not ran then return nil, "the fault script failed: " .. first_line(script) end
  if type(script) ~= "table" then
    return nil, ("%s returned a %s; a fault script returns a list of rules, as in return "
      .. '{ { at = "submit", fault = 503 } }'):format(given, type(script))
  end
  return script
end

local function read_token(options)
  if not options.token_env then return options.token end
  local token = os.getenv(options.token_env)
  if token and token ~= "" then return token end
  return nil, ("--token-env names %s, which is not set"):format(options.token_env)
end

local function settings_of(options)
  local settings = {
    retry_after = options.retry_after or 1, capacity = options.capacity or 2,
    capacity_answer = "queue",
  }
  for _, name in ipairs { "visibility_lag", "status_lag", "quota", "page_size", "queue",
    "capacity_answer", "typed_route", "session_names", "root_is_request", "echo_request_id" } do
    if options[name] ~= nil then settings[name] = options[name] end
  end
  return settings
end

--- Everything that can be wrong before the first request.
local function prepare(options)
  local uv, message = load_luv()
  if not uv then return nil, message end
  local workspaces, script, token
  workspaces, message = notebooks.discover(uv, options.notebooks)
  if not workspaces then return nil, message end
  script, message = load_faults(options.faults)
  if message then return nil, message end
  token, message = read_token(options)
  if message then return nil, message end
  local python = options.python or os.getenv("LUAFABRIC_PYTHON") or "/usr/bin/python3"
  message = kernels.check(uv, python)
  if message then return nil, message end
  local checked
  checked, message = pcall(faults.new, script)
  if not checked then return nil, "the fault script is wrong: " .. tostring(message) end
  local seconds, microseconds = uv.gettimeofday()
  return { uv = uv, python = python, service = service.new {
    workspaces = workspaces, faults = script, token = token, clients = options.clients,
    settings = settings_of(options),
    seed = ("%d.%d.%d"):format(seconds, microseconds, uv.os_getpid()),
  } }
end

local function wall(uv)
  local seconds, microseconds = uv.gettimeofday()
  return seconds + microseconds / 1e6
end

--- Hands runs to the kernels and their ends to the service, as things change.
local function connect(world)
  local uv, fabric = world.uv, world.service
  local timer = uv.new_timer()
  local function pump()
    for _, job in ipairs(fabric:take_started()) do world.kernels.start(job) end
    for _, job_id in ipairs(fabric:cancelled()) do world.kernels.stop(job_id) end
    local now = wall(uv)
    local at = fabric:next_change(now)
    if not at then return timer:stop() end
    timer:start(math.ceil((at - now) * 1000), 0, function()
      fabric.jobs.advance(wall(uv))
      pump()
    end)
  end
  world.kernels = kernels.new {
    uv = uv, python = world.python, hidden = { world.token_env },
    on_end = function(job_id, result)
      if world.ending then return end
      fabric:finish(job_id, result, wall(uv))
      pump()
    end,
  }
  world.timer = timer
  world.pump = pump
end

--- Everything that ends the emulator: signals, and the loss of its parent.
local function watch_ends(world, finish)
  local uv = world.uv
  for _, name in ipairs { "sigterm", "sigint", "sighup" } do
    local signal = uv.new_signal()
    signal:start(name, finish)
    world.handles[#world.handles + 1] = signal
  end
  local parent = uv.os_getppid()
  local timer = uv.new_timer()
  timer:start(PARENT_CHECK, PARENT_CHECK, function()
    if uv.os_getppid() ~= parent then finish() end
  end)
  world.handles[#world.handles + 1] = timer
  if not world.lifeline then return end
  -- A parent that asked for it holds the other end of our standard input.
  local input = uv.new_pipe(false)
  input:open(0)
  input:read_start(function(_, chunk)
    if not chunk then finish() end
  end)
  world.handles[#world.handles + 1] = input
end

local function ending(world)
  local uv = world.uv
  return function()
    if world.ending then return end
    world.ending = true
    world.server:close()
    world.timer:close()
    for _, handle in ipairs(world.handles) do
      if not handle:is_closing() then handle:close() end
    end
    local limit = uv.new_timer()
    limit:start(END_LIMIT, 0, function() uv.stop() end)
    world.kernels.stop_all(function()
      limit:close()
      -- Connections that clients keep open do not hold us up.
      uv.stop()
    end)
  end
end

local function serve(world, options)
  local uv = world.uv
  local http_server = require "luafabric.emulator.http_server"
  connect(world)
  world.server = http_server.new {
    uv = uv,
    handler = function(request, respond)
      local response = world.service:handle(request, wall(uv))
      world.pump()
      respond(response)
    end,
  }
  local port, message = world.server:listen("127.0.0.1", options.port or 0)
  if not port then
    return nil, ("port %d of 127.0.0.1 cannot be had: %s")
      :format(options.port or 0, tostring(message))
  end
  local url = ("http://127.0.0.1:%d/v1"):format(port)
  world.service.settings.base_url = url
  watch_ends(world, ending(world))
  options.on_ready(url)
  uv.run()
  return true
end

--- Closes what is still open: luv crashes when Lua ends over open handles.
local function close_handles(uv)
  uv.walk(function(handle)
    if not handle:is_closing() then handle:close() end
  end)
  uv.run()
end

local function say_ready(url)
  io.stdout:write("emulator ready on ", url, "\n")
  io.stdout:flush()
end

local function say_failure(message)
  io.stderr:write("luafabric emulator: ", message, "\n")
end

--- Serve until a signal, or until the parent is gone.
---@param options { notebooks: string, port: integer|nil, faults: string|table|nil,
---  retry_after: number|nil, token_env: string|nil, token: string|nil, clients: table|nil,
---  python: string|nil,
---  capacity: integer|nil, quota: boolean|table|nil, visibility_lag: number|table|nil,
---  status_lag: number|nil, page_size: integer|nil, capacity_answer: string|nil,
---  typed_route: boolean|nil, session_names: boolean|nil, root_is_request: boolean|nil,
---  echo_request_id: string|nil,
---  lifeline: boolean|nil, on_ready: nil|fun(url: string), on_failure: nil|fun(message: string) }
---  retry_after: seconds, default 1; capacity: runs at a time, default 2, more wait as NotStarted;
---  token_env: the environment variable with the only token that is let in (else any is);
---  clients: id -> secret, of the apps that get tokens beside that one, see emulator/entra;
---  lifeline: end when standard input does
---@return integer code  0 after a signal, 2 where it could not start (said on standard error)
function M.run(options)
  if type(options) ~= "table" or type(options.notebooks) ~= "string" then
    error("run: notebooks (a folder) is required", 2)
  end
  local on_failure = options.on_failure or say_failure
  local given = setmetatable({ on_ready = options.on_ready or say_ready }, { __index = options })
  local world, message = prepare(given)
  if not world then
    on_failure(message)
    return 2
  end
  world.handles, world.lifeline, world.token_env = {}, given.lifeline, given.token_env
  local served
  served, message = serve(world, given)
  close_handles(world.uv)
  if served then return 0 end
  on_failure(message)
  return 2
end

return M
