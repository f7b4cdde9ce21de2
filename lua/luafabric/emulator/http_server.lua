-- A small HTTP/1.1 server on luv for loopback: it reads requests whole and within bounds, hands
-- them to a handler, and can break an answer on the wire in every way a network can. The emulator
-- serves with it, and the specs of the transport use it as their fault server. No TLS, no
-- pipelining.

local M = {}

local MAX_HEAD = 64 * 1024 -- bytes of request line and headers
local MAX_BODY = 64 * 1024 * 1024 -- bytes

local REASONS = {
  [100] = "Continue", [200] = "OK", [201] = "Created", [202] = "Accepted", [204] = "No Content",
  [301] = "Moved Permanently", [302] = "Found", [307] = "Temporary Redirect",
  [308] = "Permanent Redirect", [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden",
  [404] = "Not Found", [409] = "Conflict", [413] = "Payload Too Large",
  [417] = "Expectation Failed", [429] = "Too Many Requests", [500] = "Internal Server Error",
  [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout",
}

--- What can go wrong on the wire, after the request was read whole (so that the handler has applied
--- it).
---@alias WireFault
---| "fin"             # the connection is closed in good order, without an answer
---| "close_before"    # the same; the word of fault scripts for a request that was not applied
---| "rst"             # the connection is reset, without an answer
---| "half_header"     # the answer breaks off in the middle of its headers
---| "header_then_rst" # whole headers that announce a body, then a reset
---| "silence"         # no answer, the connection stays open
---| "drip"            # the answer arrives one byte at a time, a tenth of a second apart

-- ---- writing ----

local function header_lines(response, body)
  local lines, has_length = {}, false
  for name, value in pairs(response.headers or {}) do
    local list = type(value) == "table" and value or { value }
    for _, one in ipairs(list) do lines[#lines + 1] = name .. ": " .. tostring(one) end
    local lower = name:lower()
    if lower == "content-length" or lower == "transfer-encoding" then has_length = true end
  end
  table.sort(lines)
  if not body then
    lines[#lines + 1] = "Connection: close"
  elseif not has_length then
    lines[#lines + 1] = "Content-Length: " .. #body
  end
  return table.concat(lines, "\r\n")
end

local function encode(response)
  local body = not response.stream and (response.body or "") or nil
  local status = response.status or 200
  return ("HTTP/1.1 %d %s\r\n%s\r\n\r\n"):format(status, REASONS[status] or "Status",
    header_lines(response, body)), body
end

local function close(connection)
  if connection.drip then connection.drip:close() end
  connection.drip = nil
  if not connection.socket:is_closing() then connection.socket:close() end
  connection.server.connections[connection] = nil
end

local function reset(connection)
  connection.server.connections[connection] = nil
  if not connection.socket:is_closing() then connection.socket:close_reset() end
end

local function write_then(connection, text, after)
  if connection.socket:is_closing() then return end
  connection.socket:write(text, function(failure)
    if failure then return close(connection) end
    if after then after(connection) end
  end)
end

local function drip(connection, text)
  local position = 0
  local timer = connection.server.uv.new_timer()
  connection.drip = timer
  timer:start(0, 100, function()
    position = position + 1
    if position > #text then return close(connection) end
    connection.socket:write(text:sub(position, position), function(failure)
      if failure then close(connection) end
    end)
  end)
end

--- An answer without a length, told as it comes to be; the end of the connection is its end.
local function begin_stream(connection, response)
  local socket = connection.socket
  write_then(connection, (encode(response)))
  response.stream(function(text)
    if socket:is_closing() then return false end
    write_then(connection, text)
    return true
  end, function()
    write_then(connection, "", close)
  end)
end

local faults = {}

function faults.fin(connection) close(connection) end

faults.close_before = faults.fin

function faults.rst(connection) reset(connection) end

function faults.silence() end

function faults.half_header(connection, response)
  local head = encode(response)
  write_then(connection, head:sub(1, math.floor(#head / 2)), close)
end

function faults.header_then_rst(connection, response)
  local headers = { ["Content-Length"] = "100000" }
  for name, value in pairs(response.headers or {}) do
    if name:lower() ~= "content-length" then headers[name] = value end
  end
  local head = encode { status = response.status, headers = headers }
  -- A reset discards what the peer has not read yet, so the headers get a moment to arrive.
  write_then(connection, head, function()
    local timer = connection.server.uv.new_timer()
    timer:start(50, 0, function()
      timer:close()
      reset(connection)
    end)
  end)
end

function faults.drip(connection, response)
  local head, body = encode(response)
  drip(connection, head .. body)
end

-- ---- reading ----

local function read_headers(head)
  local request = { headers = {} }
  local first, rest = head:match("^([^\r\n]*)\r\n(.*)$")
  request.method, request.path, request.version =
    (first or ""):match("^(%u+) (%S+) HTTP/(1%.[01])$")
  if not request.method then return nil end
  for line in rest:gmatch("([^\r\n]+)\r\n") do
    local name, value = line:match("^([^%s:]+):[ \t]*(.-)[ \t]*$")
    if not name then return nil end
    request.headers[name:lower()] = value
  end
  return request
end

--- The body of a chunked request, when all of it is there.
---@return string|nil body, integer|nil next  nil: not whole yet; false: not well formed
local function read_chunks(text, position)
  local parts, total = {}, 0
  while true do
    local size, start = text:match("^(%x+)[^\r\n]*\r\n()", position)
    if not size then
      if text:find("\r\n", position, true) then return false end
      return nil
    end
    if #size > 8 then return false end -- more digits would overflow
    local length = tonumber(size, 16)
    total = total + length
    if total > MAX_BODY then return false end
    if length == 0 then
      local after = text:match("^\r\n()", start)
      if after then return table.concat(parts), after end
      local _, stop = text:find("\r\n\r\n", start, true)
      if not stop then return nil end
      return table.concat(parts), stop + 1
    end
    if #text < start + length + 1 then return nil end
    parts[#parts + 1] = text:sub(start, start + length - 1)
    position = start + length + 2
  end
end

local function refuse(connection, status)
  local head = encode { status = status, headers = { Connection = "close" } }
  write_then(connection, head, close)
end

local take_request -- reads the next request from what has arrived

local function answer(connection, request, response)
  connection.busy = false
  if connection.socket:is_closing() then return end
  local fault = response.wire
  if fault then
    local act = faults[fault]
    if not act then error("http_server: no wire fault named " .. tostring(fault)) end
    return act(connection, response)
  end
  if response.stream then return begin_stream(connection, response) end
  local head, body = encode(response)
  if request.method == "HEAD" then body = "" end
  local last = request.version == "1.0" or (request.headers.connection or ""):lower() == "close"
  write_then(connection, head .. body, last and close or take_request)
end

local function handle(connection, request)
  local server = connection.server
  connection.busy = true
  request.connection = connection.number
  local answered = false
  server.handler(request, function(response)
    if answered then error("http_server: a request is answered once", 2) end
    answered = true
    local delay = response.delay or 0
    if delay <= 0 then return answer(connection, request, response) end
    local timer = server.uv.new_timer()
    timer:start(math.ceil(delay * 1000), 0, function()
      timer:close()
      answer(connection, request, response)
    end)
  end)
end

local function take_body(connection, request)
  local text, position = connection.text, connection.body_at
  if (request.headers["transfer-encoding"] or ""):lower() == "chunked" then
    local body, after = read_chunks(text, position)
    if body == false then return refuse(connection, 400) end
    return body, after
  end
  local length = tonumber(request.headers["content-length"] or "0")
  if not length or length < 0 or length % 1 ~= 0 then return refuse(connection, 400) end
  if length > MAX_BODY then return refuse(connection, 413) end
  if #text < position + length - 1 then return nil end
  return text:sub(position, position + length - 1), position + length
end

local function take_head(connection)
  local head_end = select(2, connection.text:find("\r\n\r\n", 1, true))
  if not head_end then
    if #connection.text > MAX_HEAD then refuse(connection, 400) end
    return nil
  end
  local request = read_headers(connection.text:sub(1, head_end))
  if not request or head_end > MAX_HEAD then return refuse(connection, 400) end
  connection.request, connection.body_at = request, head_end + 1
  local on_head = connection.server.on_head
  local fault = on_head and on_head(request)
  if fault then return faults[fault](connection, { status = 200 }) end
  if (request.headers.expect or ""):lower() == "100-continue" then
    write_then(connection, "HTTP/1.1 100 Continue\r\n\r\n")
  end
  return request
end

-- What arrives is kept as pieces and joined only when it can matter, so that a large body is not
-- copied once for every packet.
function take_request(connection)
  if connection.busy or connection.socket:is_closing() then return end
  if #connection.pieces > 0 then
    connection.text = connection.text .. table.concat(connection.pieces)
    connection.pieces, connection.wanted = {}, 0
  end
  local request = connection.request or take_head(connection)
  if not request then return end
  local body, after = take_body(connection, request)
  if not body then
    local length = tonumber(request.headers["content-length"] or "")
    connection.wanted = length and connection.body_at + length - 1 - #connection.text or 0
    return
  end
  request.body = body
  connection.text, connection.request = connection.text:sub(after), nil
  handle(connection, request)
end

local function on_data(connection, failure, data)
  if failure or not data then return close(connection) end
  connection.pieces[#connection.pieces + 1] = data
  connection.wanted = connection.wanted - #data
  if connection.wanted > 0 then return end
  take_request(connection)
end

-- ---- the server ----

local Server = {}
Server.__index = Server

--- A server that is not listening yet.
---@param options { uv: table, handler: fun(request: table, respond: fun(response: table)),
---  on_head: nil|fun(request: table): WireFault|nil }
---  handler: `request` has method, path (with its query), headers (names in small letters), body
---  and connection (its number); `respond` takes { status, headers, body, wire = WireFault|nil,
---  delay = seconds|nil } and may be called later; instead of a body it takes `stream`, a function
---  that is given write(text), which gives false when the client has gone, and finish().
---  on_head: a fault before the body was read.
---@return table server
function M.new(options)
  return setmetatable({
    uv = options.uv, handler = options.handler, on_head = options.on_head, connections = {},
    count = 0,
  }, Server)
end

--- Listen; 0 takes a free port.
---@param address string   a loopback address
---@param port integer
---@return integer|nil port, string|nil message
function Server:listen(address, port)
  local socket = self.uv.new_tcp()
  local bound, message = socket:bind(address, port)
  if not bound then
    socket:close()
    return nil, message
  end
  local listening
  listening, message = socket:listen(128, function(failure)
    if not failure then self:accept() end
  end)
  if not listening then
    socket:close()
    return nil, message
  end
  self.socket = socket
  return socket:getsockname().port
end

function Server:accept()
  local socket = self.uv.new_tcp()
  if not self.socket:accept(socket) then return socket:close() end
  socket:nodelay(true)
  self.count = self.count + 1
  local connection = {
    server = self, socket = socket, number = self.count, text = "", pieces = {},
    wanted = 0, busy = false,
  }
  self.connections[connection] = true
  socket:read_start(function(failure, data) on_data(connection, failure, data) end)
end

--- Stop listening and drop every connection; twice does no harm.
function Server:close()
  if self.socket and not self.socket:is_closing() then self.socket:close() end
  for connection in pairs(self.connections) do close(connection) end
end

return M
