-- A proxy for CONNECT that counts the tunnels; with the argument "refuse" it answers 407 to all.
-- "GET /count" gives the number.

local uv = require "luv"

local refuse = arg[1] == "refuse"
local tunnels = 0

local function tunnel(client, host, port)
  local server = uv.new_tcp()
  server:connect(host == "localhost" and "127.0.0.1" or host, port, function(failure)
    if failure then return client:close() end
    client:write("HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
    local function copy(from, to)
      from:read_start(function(_, data)
        if data then return to:write(data) end
        if not from:is_closing() then from:close() end
        if not to:is_closing() then to:close() end
      end)
    end
    copy(client, server)
    copy(server, client)
  end)
end

local listener = uv.new_tcp()
listener:bind("127.0.0.1", 0)
listener:listen(16, function()
  local client, head = uv.new_tcp(), ""
  listener:accept(client)
  client:read_start(function(_, data)
    if not data then return client:close() end
    head = head .. data
    if not head:find("\r\n\r\n", 1, true) then return end
    client:read_stop()
    local host, port = head:match("^CONNECT ([^:]+):(%d+)")
    if not host then
      local count = tostring(tunnels)
      client:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#count, count))
    elseif refuse then
      client:write("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    else
      tunnels = tunnels + 1
      tunnel(client, host, tonumber(port))
    end
  end)
end)
io.stdout:write(listener:getsockname().port, "\n")
io.stdout:flush()

local input = uv.new_pipe(false)
input:open(0)
input:read_start(function(_, data) if not data then uv.stop() end end)
uv.run()
