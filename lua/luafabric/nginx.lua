--- The service inside nginx: what is mounted in nginx.conf. It gives requests to
--- luafabric.service and sends its answers; one timer of each worker runs the engine, of which one
--- at a time, of whatever worker, carries out what was ordered. A worker that is to exit takes
--- nothing on, ends its streams, and hands its runs over.

local core = require "luafabric.core"
local json = require "luafabric.json"
local nginx_host = require "luafabric.hosts.nginx"
local problem = require "luafabric.service.problem"
local service_module = require "luafabric.service"
local tasks = require "luafabric.tasks"

local M = {}

local LOOK = 0.25 -- seconds; so often a stream looks whether its client or its worker goes
local LONGEST_KEY = 255 -- characters
local LARGEST_EXACT = 2 ^ 53 -- beyond it two whole numbers may be one
local FINGERPRINT_KEY = "luafabric events" -- 16 characters; no secret: it only makes keys short
local RESTART = 5 -- seconds until an engine that broke is started again

---@class luafabric.NginxService
---@field service luafabric.Service
local Nginx = {}
Nginx.__index = Nginx
Nginx.__name = "luafabric.nginx"

local function running_ngx()
  local ngx = rawget(_G, "ngx")
  if type(ngx) == "table" and type(ngx.get_phase) == "function" then return ngx end
  error("luafabric.nginx: this is not nginx", 3)
end

local made -- the service that was made last, for triggers that name none

--- A service; for init_by_lua, where nothing is opened as yet. Raises, naming the field, for what
--- is wrong.
---@param options luafabric.ServiceOptions  log: nginx's error log, unless given
---@return luafabric.NginxService
function M.new(options)
  local ngx, given = running_ngx(), options
  if type(options) == "table" and options.log == nil then
    given = { log = function(text) ngx.log(ngx.ERR, "luafabric: ", text) end }
    for name, value in pairs(options) do given[name] = value end
  end
  made = setmetatable({ service = service_module.new(given) }, Nginx)
  return made
end

-- ---- what was asked ----

--- The body of the request; nothing where it is longer than it may be.
---@return string|nil text
---@return boolean is_too_large
local function read_body(ngx, most)
  if (tonumber(ngx.var.http_content_length) or 0) > most then return nil, true end
  ngx.req.read_body()
  local text, path = ngx.req.get_body_data(), ngx.req.get_body_file()
  if not text and path then -- nginx keeps what is longer than client_body_buffer_size in a file
    local file, message = io.open(path, "rb")
    if not file then error("the body cannot be read: " .. message, 0) end
    text = file:read(most + 1)
    file:close()
  end
  if text and #text > most then return nil, true end
  return text, false
end

local function read_headers(ngx)
  local headers = {}
  for name, value in pairs(ngx.req.get_headers(0)) do
    if type(value) == "table" then value = table.concat(value, ", ") end
    headers[name] = value == true and "" or value
  end
  return headers
end

--- The request that nginx is at.
local function read_request(ngx, most)
  local body, is_too_large
  if ngx.status == 413 then is_too_large = true -- nginx refused it: client_max_body_size
  else body, is_too_large = read_body(ngx, most) end
  return { method = ngx.req.get_method(), target = ngx.var.request_uri,
    headers = read_headers(ngx), body = body, body_too_large = is_too_large or nil,
    remote = ngx.var.remote_addr }
end

-- ---- what is answered ----

-- With it a host ends no wait of a request, or of an engine, when the worker is to exit: they have
-- time to end by themselves.
local function take_time() end

--- A host: as the client for Fabric says, once this worker has one.
local function new_host_of(self, options)
  if self.client then return self.client:new_host(options) end
  return nginx_host.new(options)
end

--- Calls a function of the service in a task of a loop of its own; it gives a response.
local function answer_of(self, fn, ...)
  local function new_host() return new_host_of(self, { on_exit = take_time }) end
  local ok, response = pcall(tasks.blocking, new_host, fn, ...)
  if ok then return response end
  self.service:log(tostring(response))
  return problem.response(problem.new("internal", "the service made a mistake; its log says which"))
end

--- Writes a body piece by piece. One that was broken off ends without the mark of its end, so that
--- the client does not take it for whole.
local function send_stream(ngx, stream)
  local has_gone = false
  ngx.on_abort(function() has_gone = true end) -- with lua_check_client_abort; else a write tells
  local function write(text)
    if has_gone then return false end
    local ok = ngx.print(text)
    ok = ok and ngx.flush(true)
    has_gone = not ok
    return not has_gone
  end
  local function pause(seconds)
    local left = seconds
    while left > 0 and not has_gone and not ngx.worker.exiting() do
      ngx.sleep(math.min(left, LOOK))
      left = left - LOOK
    end
  end
  local ok, is_whole, err = pcall(stream, write, pause, ngx.worker.exiting)
  if has_gone then return ngx.exit(499) end
  if ok and is_whole then return end
  ngx.log(ngx.ERR, "luafabric: an answer was broken off: ", tostring(ok and err or is_whole))
  return ngx.exit(ngx.ERROR)
end

local function send(ngx, response)
  ngx.status = response.status
  for name, value in pairs(response.headers) do ngx.header[name] = value end
  if response.stream then return send_stream(ngx, response.stream) end
  local body = response.body or ""
  if not response.headers["Content-Length"] and response.status ~= 204 then
    ngx.header["Content-Length"] = #body
  end
  if body ~= "" then ngx.print(body) else ngx.send_headers() end
end

local function too_large(self)
  return problem.new("body-too-large", ("the body is longer than %d bytes"):format(
    self.service.options.max_body))
end

--- Answers the request: for content_by_lua. As an error_page 413 it answers for all locations.
function Nginx:serve()
  local ngx, service = running_ngx(), self.service
  if ngx.status == 413 then return send(ngx, problem.response(too_large(self))) end
  local request = read_request(ngx, service.options.max_body)
  send(ngx, answer_of(self, service.handle, service, request))
end

-- ---- events from elsewhere ----

---@class luafabric.NginxEvent
---@field method string
---@field path string
---@field query table<string, string|boolean|table>  as nginx reads it
---@field headers table<string, string>              names in small letters
---@field text string|nil                            the body as it came
---@field body any                                   decoded, where it is JSON
---@field remote string

---@class luafabric.NginxTrigger
---@field workflow string
---@field inputs nil|fun(event: luafabric.NginxEvent): table|false|nil  false: nothing is to be run
---@field key nil|fun(event: luafabric.NginxEvent): string|integer|nil  the same key is the same run
---@field verify nil|fun(event: luafabric.NginxEvent): boolean|nil, string|nil  whether it is let
---  in; without it the service's own check decides
---@field service luafabric.NginxService|nil  default: the one that was made last

local known_trigger = { workflow = "string", inputs = "function", key = "function",
  verify = "function", service = "table" }

local function check_trigger(given, level)
  if type(given) ~= "table" then
    error("trigger: expected a table, got a " .. type(given), level + 1)
  end
  require("luafabric.nearest").check_fields(given, known_trigger, "trigger", level + 1)
  for name, wanted in pairs(known_trigger) do
    local kind = type(given[name])
    if kind ~= "nil" and kind ~= wanted then
      error(("trigger: %s: expected a %s, got a %s"):format(name, wanted, kind), level + 1)
    end
  end
  if not given.workflow then error("trigger: workflow: expected a string", level + 1) end
end

local function event_of(ngx, request)
  local event = { method = request.method, path = ngx.var.uri, query = ngx.req.get_uri_args(),
    headers = request.headers, text = request.body, remote = request.remote }
  if request.body then event.body = json.decode(request.body) end
  return event
end

--- Calls a function of the user's, which may not wait.
local function ask(self, given, name, event)
  if not given[name] then return nil end
  local ok, value, why = pcall(tasks.forbid_waiting, "the function given as " .. name, given[name],
    event)
  if ok then return value, why end
  self.service:log(("the function given as %s raised: %s"):format(name, tostring(value)))
  error(problem.new("internal", ("the function given as %s failed; the service's log says why")
    :format(name)))
end

local function whole_text(value)
  if type(value) ~= "number" then return value end
  local is_exact = value % 1 == 0 and math.abs(value) < LARGEST_EXACT
  return is_exact and ("%.0f"):format(value) or nil
end

--- What makes an event the same run: a run's key, and a request's, which are the text itself, or a
--- fingerprint of one that is longer, or of other characters, than those may be.
---@return string|nil key
---@return string|nil idempotency_key
local function keys_of(self, given, event)
  local value = ask(self, given, "key", event)
  if value == nil then return nil end
  local text = whole_text(value)
  if type(text) ~= "string" or text == "" then
    local what = text == "" and "an empty text"
      or type(value) == "number" and "a number that is not whole, or beyond 2^53"
      or "a " .. type(value)
    local problem_text = "the function given as key gives " .. what
    self.service:log(problem_text .. ": expected a text, a whole number or nil")
    error(problem.new("internal", problem_text .. "; the service's log says what is expected"))
  end
  local mark = core.fingerprint(FINGERPRINT_KEY, text)
  local is_plain = #text <= LONGEST_KEY and not text:find("[^\32-\126]")
  return is_plain and text or "event " .. mark, mark
end

--- Who sends it, as far as it may.
local function let_in(self, given, request, event)
  if not given.verify then
    return require("luafabric.service.access").check(self.service, request)
  end
  local is_let_in, why = ask(self, given, "verify", event)
  if is_let_in then return true end
  return nil, problem.new("forbidden", type(why) == "string" and why
    or "the event was not let in")
end

local function take_event(self, given, request, event)
  if request.method ~= "POST" then
    error(problem.new("method-not-allowed", "an event is a POST", { headers = { Allow = "POST" } }))
  end
  if request.body_too_large then error(too_large(self)) end
  local ok, err = let_in(self, given, request, event)
  if not ok then error(err) end
  local inputs = ask(self, given, "inputs", event)
  if inputs == false then return { status = 204, headers = {} } end
  local key, idempotency_key = keys_of(self, given, event)
  return self.service:order { workflow = given.workflow, inputs = inputs, key = key,
    idempotency_key = idempotency_key, by = given.by, on_duplicate = "join" }
end

local function answer_event(self, given)
  local ngx = running_ngx()
  local request = read_request(ngx, self.service.options.max_body)
  local event = event_of(ngx, request)
  send(ngx, answer_of(self, function()
    local ok, response = tasks.current().loop:spawn(take_event, self, given, request, event):join()
    if ok then return response end
    local value = response.value or response
    if problem.is(value) then return problem.response(value) end
    error(response, 0)
  end))
end

--- Makes a run of the event that is asked for: for content_by_lua.
---@param name string  of the event; the run is said to be ordered by it
---@param given luafabric.NginxTrigger
function Nginx:trigger(name, given)
  check_trigger(given, 2)
  local own = { by = "event " .. tostring(name) }
  for field, value in pairs(given) do own[field] = value end
  answer_event(self, own)
end

--- A handler that makes a run of each event.
---@param given luafabric.NginxTrigger
---@return fun()
function M.trigger(given)
  check_trigger(given, 2)
  local own = {}
  for field, value in pairs(given) do own[field] = value end
  own.by = "event " .. given.workflow
  return function()
    local service = given.service or made
    if not service then error("trigger: luafabric.nginx.new was not called", 0) end
    answer_event(service, own)
  end
end

-- ---- the engine ----

--- Without a client there is no engine: the client says which host the loop is to have, and a loop
--- keeps its host.
local function make_client(self)
  local client, err = self.service:client()
  self.client = client
  if client then return true end
  local text = "no order is carried out, and this is tried again: " .. tostring(err)
  if text ~= self.said then self.service:log(text) end
  self.said = text
end

local function run_engine(self)
  local loop = tasks.new(new_host_of(self, { on_exit = take_time, load_trust = true }))
  local engine = require("luafabric.service.engine").new(self.service)
  local ok, err = loop:run(loop:spawn(function() engine:run(running_ngx().worker.exiting) end))
  loop:close()
  if not ok then error(err, 0) end
end

local function carry_on(is_premature, self)
  local ngx = running_ngx()
  if is_premature then return end
  if make_client(self) then
    local ok, err = pcall(run_engine, self)
    if ngx.worker.exiting() then return end
    self.service:drop_store() -- what it had in hand is free for the next one
    self.service:log(ok and "the engine ended" or "the engine broke: " .. tostring(err))
  end
  local has_timer, message = ngx.timer.at(RESTART, carry_on, self)
  if has_timer then return end
  self.service:log("nginx gave no timer for the engine: " .. message)
  ngx.sleep(RESTART)
  return carry_on(ngx.worker.exiting(), self)
end

--- Starts the worker's part of the engine: for init_worker_by_lua.
function Nginx:start()
  local ngx = running_ngx()
  local ok, message = ngx.timer.at(0, carry_on, self)
  if not ok then error("luafabric.nginx: nginx gave no timer for the engine: " .. message, 0) end
end

return M
