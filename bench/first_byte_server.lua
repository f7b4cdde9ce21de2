-- Answers every submission with a 202, and prints when its first byte came, on the monotonic clock
-- that bench/first_byte.lua reads too.

local uv = require "luv"

local listener = uv.new_tcp()
listener:bind("127.0.0.1", 0)
listener:listen(16, function()
  local client, received, at = uv.new_tcp(), "", nil
  listener:accept(client)
  client:read_start(function(_, data)
    if not data then return client:close() end
    at = at or uv.hrtime() / 1e9
    received = received .. data
    if not received:find("\r\n\r\n", 1, true) then return end
    client:write("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nRetry-After: 60\r\n"
      .. "x-ms-job-id: 00000000-0000-4000-8000-000000000001\r\n\r\n")
    io.stdout:write(("%.6f\n"):format(at))
    io.stdout:flush()
  end)
end)
io.stdout:write(listener:getsockname().port, "\n")
io.stdout:flush()

local input = uv.new_pipe(false)
input:open(0)
input:read_start(function(_, data) if not data then uv.stop() end end)
uv.run()
