--- The host for builds of nginx into which the system's libcurl does not load (openresty.org's have
--- an OpenSSL of their own): requests go over lua-resty-http, everything else is as in hosts/nginx.
--- Each request has a connection of its own, on which nothing is sent twice. Named, never found by
--- itself. Certificates to trust are nginx's to know: lua_ssl_trusted_certificate.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local nginx = require "luafabric.hosts.nginx"
local pump_module = require "luafabric.hosts.pump"

local M = {}

M.is_running = nginx.is_running

local TIMEOUT, CONNECT_TIMEOUT = 60, 10 -- seconds
local MAX_BODY, MAX_HEAD, CHUNK = 4 * 1024 * 1024, 64 * 1024, 64 * 1024 -- bytes

local methods = { GET = true, POST = true, PUT = true, PATCH = true, DELETE = true }

-- ---- a request, checked ----

local function is_loopback(host)
  return host == "localhost" or host == "[::1]" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

local function may_go_in_clear(host, is_direct)
  return is_loopback(host) or is_direct and host:find("^169%.254%.%d+%.%d+$") ~= nil
end

local function read_url(request)
  local scheme, authority, path = tostring(request.url):match("^(https?)://([^/?#]+)([^#]*)$")
  if not scheme or authority:find("@", 1, true) or request.url:find("[%c%s]") then
    error("request.url: no URL (expected https://host/…, without a user name)", 0)
  end
  local host, port = authority:match("^(%[[%x:.]+%]):?(%d*)$")
  if not host then host, port = authority:match("^([^:]+):?(%d*)$") end
  if not host or (scheme == "http" and not may_go_in_clear(host, request.direct)) then
    error("request.url: neither https nor http to this machine: " .. request.url, 0)
  end
  if path:sub(1, 1) ~= "/" then path = "/" .. path end
  return { scheme = scheme, host = host, path = path,
    port = tonumber(port) or (scheme == "https" and 443 or 80) }
end

local function read_headers(request)
  local headers = { ["Connection"] = "close" }
  for name, value in pairs(request.headers or {}) do
    if type(name) ~= "string" or name == "" or name:find("[^%w!#$%%&'*+.^_`|~-]") then
      error("request.headers: a name has a character in it that names cannot have", 0)
    end
    if type(value) ~= "string" or value:find("%c") then -- which may be a token: it is not told
      error(("request.headers: %s: has a line break or another control character in it")
        :format(name), 0)
    end
    headers[name] = value
  end
  return headers
end

local function read_request(request)
  if not methods[request.method] then
    error("request.method: expected GET, POST, PUT, PATCH or DELETE", 0)
  end
  local to = read_url(request)
  to.headers, to.method = read_headers(request), request.method
  to.body = request.body or (request.method == "POST" and "" or nil)
  to.timeout, to.connect_timeout = request.timeout or TIMEOUT,
    request.connect_timeout or CONNECT_TIMEOUT
  to.max_body, to.send_once = request.max_body or MAX_BODY, request.send_once
  to.not_after = request.not_after or math.huge
  return to
end

-- ---- one request, in a timer of its own ----

local function failure(job, code, message)
  job.failure = { code = code, message = message }
end

--- Milliseconds until the request must be over.
local function left(job)
  return math.max(1, math.ceil((job.deadline - core.monotonic()) * 1000))
end

--- What a cosocket's word means before the request was sent.
local function code_of_connect(message)
  if message:find("timeout", 1, true) then return "timeout" end
  if message:find("resolve", 1, true) or message:find("resolver", 1, true) then return "resolve" end
  if message:find("certificate", 1, true) or message:find("handshake", 1, true)
    or message:find("ssl", 1, true) then return "tls" end
  return "connect"
end

local function connect(job, http)
  local connect_ms = math.min(left(job), math.ceil(job.to.connect_timeout * 1000))
  http:set_timeouts(connect_ms, left(job), left(job))
  local to = job.to
  local ok, message = http:connect { scheme = to.scheme, host = to.host, port = to.port,
    ssl_verify = true, ssl_server_name = to.host,
    pool = "luafabric " .. job.id, pool_size = 1 } -- nobody else's connection
  if ok then return true end
  failure(job, code_of_connect(tostring(message)), tostring(message))
end

--- The headers, names in small letters, and how long they were.
local function take_headers(job, given)
  local length = 0
  for name, value in pairs(given) do
    if type(value) == "table" then value = table.concat(value, ", ") end
    length = length + #name + #tostring(value)
    job.headers[name:lower()] = tostring(value)
  end
  if length <= MAX_HEAD then return true end
  failure(job, "too_large", ("the headers are longer than %d bytes"):format(MAX_HEAD))
end

local function code_after_send(message)
  return message:find("timeout", 1, true) and "timeout" or "reset"
end

local function read_body(job, answer)
  local parts, length = {}, 0
  if not answer.body_reader then return end
  while true do
    local part, message = answer.body_reader(CHUNK)
    if message then return failure(job, code_after_send(message), message) end
    if not part then break end
    length = length + #part
    if length > job.to.max_body then
      return failure(job, "too_large",
        ("the body is longer than %d bytes"):format(job.to.max_body))
    end
    parts[#parts + 1] = part
    if not job.transport.jobs[job.id] then return end
  end
  job.body = table.concat(parts)
end

local function exchange(job, http)
  if job.cancelled then return end
  if core.monotonic() > job.to.not_after then
    return failure(job, "expired", "it was too late to send the request")
  end
  job.sent = "maybe"
  http:set_timeouts(left(job), left(job), left(job))
  local to = job.to
  local answer, message = http:request { method = to.method, path = to.path, body = to.body,
    headers = to.headers }
  if not answer then
    message = tostring(message)
    return failure(job, code_after_send(message), message)
  end
  job.status = answer.status
  if not take_headers(job, answer.headers) then return end
  job.http_version = "1.1"
  -- A submission that was accepted is complete with its headers: a later error changes nothing.
  if not (to.send_once and answer.status >= 200 and answer.status < 300) then
    read_body(job, answer)
  end
  if not job.failure or job.failure.code == "too_large" then job.sent = "yes" end
end

local function run(_, job)
  local http, message = require("resty.http").new()
  if not http then
    failure(job, "connect", tostring(message))
  elseif not job.cancelled then
    local ok, problem = pcall(function() -- nginx's LuaJIT may wait in it
      if connect(job, http) then exchange(job, http) end
    end)
    if not ok then failure(job, "protocol", tostring(problem)) end
    http:close()
  end
  job.transport:finish(job)
end

-- ---- the transport that a pump turns ----

local Transport = {}
Transport.__index = Transport

local function new_transport()
  return setmetatable({ jobs = {}, done = {}, watched = {}, last_id = 0 }, Transport)
end

function Transport:finish(job)
  if not self.jobs[job.id] then return end -- it was cancelled, and told so
  self.jobs[job.id] = nil
  self.done[#self.done + 1] = { kind = "response", id = job.id, sent = job.sent,
    status = job.status, headers = job.headers, body = job.body,
    http_version = job.http_version, failure = job.failure }
end

function Transport:start(request)
  local to = read_request(request)
  self.last_id = self.last_id + 1
  local job = { id = self.last_id, transport = self, to = to, headers = {}, body = "", sent = "no",
    deadline = core.monotonic() + to.timeout }
  self.jobs[job.id] = job
  local ok, message = rawget(_G, "ngx").timer.at(0, run, job)
  if not ok then
    failure(job, "memory", "nginx gave no timer for the request: " .. tostring(message))
    self:finish(job)
  end
  return job.id
end

function Transport:cancel(id)
  local job = self.jobs[id]
  if not job then return end
  job.cancelled = true
  failure(job, "cancelled", "the request was cancelled")
  self:finish(job)
end

function Transport:watch(fd)
  self.watched[fd] = true
  return true
end

function Transport:unwatch(fd) self.watched[fd] = nil end

--- An answer that drips in keeps nginx's own time-outs away.
function Transport:end_late()
  local now = core.monotonic()
  for _, job in pairs(self.jobs) do
    if now > job.deadline then
      failure(job, "timeout", ("no whole answer in %g seconds"):format(job.to.timeout))
      self:finish(job)
    end
  end
end

--- What has happened. Descriptors cannot be asked here: a store's is taken to have news.
function Transport:wait()
  self:end_late()
  local events = self.done
  self.done = {}
  for fd in pairs(self.watched) do events[#events + 1] = { kind = "fd", fd = fd } end
  return events
end

--- A host in an nginx worker.
---@param options luafabric.NginxOptions|nil  without ca_file and proxy, which nginx decides
---@return table host
function M.new(options)
  options = options or {}
  local refused = options.ca_file and "ca_file" or options.proxy and options.proxy ~= "" and "proxy"
  if refused then
    error(errors.new { kind = "usage", message = ("the host nginx_resty: %s cannot be given here: "
      .. "trust certificates with nginx's lua_ssl_trusted_certificate"):format(refused) }, 0)
  end
  if not pcall(require, "resty.http") then
    error(errors.new { kind = "usage", message = "the host nginx_resty: lua-resty-http is not "
      .. "installed (opm get ledgetech/lua-resty-http)" }, 0)
  end
  return nginx.on_pump(pump_module.of(options, "nginx_resty", new_transport), options)
end

return M
