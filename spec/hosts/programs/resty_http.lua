-- A stand-in for lua-resty-http, where that is not installed: as much of its documented interface
-- as hosts/nginx_resty uses, on nginx's own sockets. What is tried with it is our side.

local ngx = rawget(_G, "ngx")

local Http = {}
Http.__index = Http

function Http:set_timeouts(...) self.socket:settimeouts(...) end
function Http:close() return self.socket:close() end

function Http:connect(to)
  self.to = to
  local ok, message = self.socket:connect(to.host, to.port, { pool = to.pool })
  if ok and to.scheme == "https" then
    return self.socket:sslhandshake(nil, to.ssl_server_name, to.ssl_verify)
  end
  return ok, message
end

local function read_headers(socket)
  local headers = {}
  while true do
    local line, message = socket:receive "*l"
    if not line then return nil, message end
    if line == "" then return headers end
    local name, value = line:match "^([^:]+):%s*(.*)$"
    headers[name] = value
  end
end

local function body_reader(socket, length)
  local read = 0
  return function(chunk)
    if read >= length then return nil end
    local part, message = socket:receive(math.min(chunk, length - read))
    if not part then return nil, message end
    read = read + #part
    return part
  end
end

function Http:request(given)
  local lines = { ("%s %s HTTP/1.1"):format(given.method, given.path),
    ("Host: %s:%d"):format(self.to.host, self.to.port) }
  for name, value in pairs(given.headers) do lines[#lines + 1] = name .. ": " .. value end
  if given.body then lines[#lines + 1] = "Content-Length: " .. #given.body end
  local ok, message = self.socket:send { table.concat(lines, "\r\n"), "\r\n\r\n",
    given.body or "" }
  if not ok then return nil, message end
  local status, headers
  status, message = self.socket:receive "*l"
  if not status then return nil, message end
  headers, message = read_headers(self.socket)
  if not headers then return nil, message end
  return { status = tonumber(status:match "^HTTP/1.%d (%d+)"), headers = headers,
    body_reader = body_reader(self.socket, tonumber(headers["Content-Length"] or 0)) }
end

return { new = function() return setmetatable({ socket = ngx.socket.tcp() }, Http) end }
