-- The service behind a small server on luv, for specs that try both ends over real sockets:
--   lua service_server.lua STORE WORKFLOWS [TOKEN [PORT]]
-- It prints its port and ends with its standard input. Without TOKEN it has no check at all.

local service_module = require "luafabric.service"
local tasks = require "luafabric.tasks"

local M = {}

--- Starts one in a process of its own; see spec.support.process.
---@param given { store: string, workflows: string, token: string|nil, port: integer|nil }
---@return table server  { url, port, pid, close = function }
function M.start(given)
  return require("spec.support.process").start("spec/support/service_server.lua", { given.store,
    given.workflows, given.token or "", ("%d"):format(given.port or 0) })
end

--- What http_server is to answer, from what the service did.
local function hand_over(loop, response, respond)
  local stream = response.stream
  if not stream then return respond(response) end
  respond { status = response.status, headers = response.headers, stream = function(write, finish)
    loop:spawn(function()
      stream(write, tasks.sleep, function() return false end)
      finish()
    end)
  end }
end

local function serve(store, workflows, token, port)
  local uv = require "luv"
  local loop = tasks.new(require("luafabric.hosts.luv").new())
  local service = service_module.new { store = store, workflows = workflows,
    client = function() error("no client is needed here") end,
    check = token ~= "" and { tokens = { spec = token } } or nil }
  local server = require("luafabric.emulator.http_server").new { uv = uv,
    handler = function(request, respond)
      loop:spawn(function()
        hand_over(loop, service:handle { method = request.method, target = request.path,
          headers = request.headers, body = request.body, remote = "127.0.0.1" }, respond)
      end)
    end }
  io.stdout:write(("%d\n"):format((assert(server:listen("127.0.0.1", tonumber(port))))))
  io.stdout:flush()
  local input = uv.new_pipe(false)
  input:open(0)
  input:read_start(function(_, data) if not data then uv.stop() end end)
  -- Never ends, so that the loop does not.
  loop:spawn(function()
    while true do tasks.sleep(3600) end
  end)
  coroutine.wrap(function() loop:run() end)()
  uv.run()
end

if arg and (arg[0] or ""):find("service_server.lua", 1, true) then
  serve((table.unpack or unpack)(arg))
end

return M
