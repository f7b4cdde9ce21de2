-- Servers for specs: a Lua script in a process of its own, which prints its port and ends with its
-- standard input, so that none outlives the spec that started it.

local M = {}

--- Starts a script and waits until it has printed a number.
---@param script string
---@param arguments string[]|nil
---@return table server  { url, port, pid, close = function }
function M.start(script, arguments)
  local core = require "luafabric.core"
  local args = { os.getenv("LUAFABRIC_LUA") or "lua5.4", script }
  for _, argument in ipairs(arguments or {}) do args[#args + 1] = argument end
  local child = assert(core.spawn { args = args, stdin = "pipe", stdout = "pipe",
    env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
  local text, deadline = "", core.monotonic() + 10
  while not text:find("\n") do
    local more = child:read()
    assert(more and core.monotonic() < deadline, script .. " ended before it was ready")
    text = text .. more
    if more == "" then child:wait(0.01) end
  end
  local port = assert(tonumber(text:match("^%d+")), script .. " said: " .. text)
  return { port = port, url = "http://127.0.0.1:" .. port, pid = child.pid,
    close = function() child:close() end }
end

--- In such a script: listens with a handler of http_server, prints the port, serves until standard
--- input ends.
---@param handler fun(request: table, respond: fun(response: table))
function M.serve(handler)
  local uv = require "luv"
  local server = require("luafabric.emulator.http_server").new { uv = uv, handler = handler }
  io.stdout:write(("%d\n"):format((assert(server:listen("127.0.0.1", 0)))))
  io.stdout:flush()
  local input = uv.new_pipe(false)
  input:open(0)
  input:read_start(function(_, data) if not data then uv.stop() end end)
  uv.run()
end

return M
