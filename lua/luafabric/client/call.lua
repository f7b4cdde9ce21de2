--- One call to Fabric from inside a task: the token goes on, a refused one is renewed once, and
--- what is safe to repeat is repeated. The token is sent to the client's own endpoints and to
--- nobody else.

local errors = require "luafabric.errors"
local gate = require "luafabric.client.gate"
local intents = require "luafabric.client.intents"
local origin = require "luafabric.origin"
local redaction = require "luafabric.redaction"
local response = require "luafabric.api.response"
local retry = require "luafabric.policy.retry"
local tasks = require "luafabric.tasks"
local tokens = require "luafabric.client.tokens"
local version = require "luafabric.version"

local M = {}

local USER_AGENT = "luafabric/" .. version
local DEFAULT_TIMEOUT = 60 -- seconds, for one answer
-- How long a call that somebody waits for may be held up by quotas.
local PATIENCE = 600

--- The host of the running task.
---@return table host
function M.host()
  local _, loop = tasks.current()
  return loop.host
end

--- The request as it is sent this time: a copy, so that each try is what it was.
local function complete(client, request, token)
  local sent = { headers = {}, timeout = client.request_timeout or DEFAULT_TIMEOUT,
    connect_timeout = client.connect_timeout }
  for name, value in pairs(request) do
    if name ~= "headers" then sent[name] = value end
  end
  for name, value in pairs(request.headers) do sent.headers[name] = value end
  sent.headers["Authorization"] = "Bearer " .. token
  sent.headers["User-Agent"] = USER_AGENT
  return sent
end

--- A server that repeats what it was sent does not get our token into a message, or into what is
--- kept of a run.
local function without_secrets(completion, holder)
  if completion.body then completion.body = redaction.known(completion.body, holder) end
  for name, value in pairs(completion.headers or {}) do
    completion.headers[name] = redaction.known(value, holder)
  end
  return completion
end

--- The permission to send a request: what the gate is told about it.
---@param client table
---@param request table  of luafabric.api
---@param options { deadline: number|nil, class: string|nil, on_wait: function|nil }|nil
---@return luafabric.Pass
function M.pass(client, request, options)
  local parts = origin.parse(request.url)
  if not parts or not client.origins[parts.origin] then
    error("call: " .. request.url .. " is not on an endpoint of this client")
  end
  options = options or {}
  return { origin = parts.origin, method = request.method, purpose = request.purpose,
    class = options.class, deadline = options.deadline, on_wait = options.on_wait }
end

--- Asks an origin that has failed: a GET whose answer does not matter, as long as it was sent.
function gate.probe(client, parts_origin)
  local base = parts_origin .. origin.parse(client.endpoint).path
  return M.once(client, require("luafabric.api.catalog").list_workspaces(base))
end

--- Sends a request with a token, when the quotas allow it. Raises when the URL is not one of the
--- client's endpoints.
---@param client table
---@param request table  of luafabric.api
---@param options { before: nil|fun(), pass: luafabric.Pass|nil, is_in: boolean|nil }|nil  before:
---        called when there is a token, right before the request goes out; pass: instead of a new
---        one; is_in: it has passed the gate; and what `pass` takes
---@return table|nil completion  nil when there is no token, or no place; nothing was sent then
---@return string|luafabric.Error token  the one that was used, or why there is none
function M.once(client, request, options)
  options = options or {}
  local pass = options.pass or M.pass(client, request, options)
  if not options.is_in then
    local ok, err = gate.enter(client, pass)
    if not ok then return nil, err end
  end
  local token, err = tokens.get(client)
  if not token then
    gate.leave(pass)
    return nil, err
  end
  if options.before then options.before() end
  local host = M.host()
  local sent = host.wall()
  local completion = tasks.request(complete(client, request, token))
  gate.answered(pass, completion)
  intents.measure(client, sent, host.wall(), completion)
  return without_secrets(completion, client.credential), token
end

--- After a 401: whether another try with a new token makes sense.
---@param client table
---@param token string  the refused one
---@return boolean renewable
---@return luafabric.Error|nil err  why not, as the credential says it
function M.renew(client, token)
  local credential = client.credential
  if type(credential.invalidate) ~= "function" then return false end
  local renewable, err = credential:invalidate(token)
  return renewable == true, err ~= nil and tokens.error(client, err) or nil
end

--- Sends a safe request; a 401 is answered once with a new token.
---@param client table
---@param request table
---@param options table|nil  as for `once`
---@return table|nil completion  a 401 only when the new token was refused too
---@return luafabric.Error|nil err  there is no token to be had, or no place
function M.fetch(client, request, options)
  local completion, token = M.once(client, request, options)
  if not completion then return nil, token end
  if completion.status ~= 401 or completion.failure then return completion end
  local renewable, err = M.renew(client, token)
  if not renewable then return err == nil and completion or nil, err end
  completion, err = M.once(client, request, options)
  if not completion then return nil, err end
  return completion
end

--- Whether the lack of a token may pass: the authority is away, rather than unwilling.
---@param err luafabric.Error
---@return boolean
function M.is_passing(err)
  local status = err.status
  return err.kind == "network" or err.kind == "timeout"
    or status ~= nil and (status == 408 or status == 429 or status >= 500)
end

local kinds = { [401] = "unauthorized", [403] = "unauthorized", [404] = "not_found",
  [410] = "not_found", [429] = "throttled", [430] = "capacity" }

--- What to do where nothing could be sent.
M.NETWORK_ADVICE = "check the network, the endpoint and the proxy"

--- The error of a safe call that did not succeed.
---@param completion table
---@param what string  what was tried: "the list of workspaces could not be read"
---@return luafabric.Error
function M.failed(completion, what)
  local failure, status = completion.failure, completion.status
  if failure then
    return errors.new { kind = "network", status = status, sent = completion.sent,
      message = ("%s: %s%s"):format(what, tostring(failure.message or failure.code),
        completion.sent == "no" and "; " .. M.NETWORK_ADVICE or "") }
  end
  local kind = kinds[status] or (status >= 400 and status < 500) and "rejected" or "platform"
  local tail
  if status == 401 then tail = "The token was refused: is it for Fabric, and not expired?" end
  if status >= 300 and status < 400 then
    tail = "A redirect is never followed: check the endpoint and the proxy"
  end
  return response.error(completion, kind, what, tail)
end

local function is_good(completion)
  return not completion.failure and completion.status >= 200 and completion.status < 300
end
M.is_good = is_good

--- Sends a safe request until it succeeds or trying again makes no sense. Waits for a quota do not
--- count as tries.
---@param client table
---@param request table
---@param options { what: string, deadline: number?, tries: integer?, quiet: boolean?,
---        class: string? }|nil  deadline: host time; quiet: no events; class: of the governor
---@return table|nil completion  a 2xx
---@return luafabric.Error|nil err
---@return table|nil answer      the answer that the error was made of
function M.safe(client, request, options)
  options = options or {}
  local host, failures, throttled = M.host(), 0, 0
  local deadline = options.deadline or host.now() + PATIENCE
  local what = options.what or "Fabric could not be asked"
  local through = { deadline = deadline, class = options.class, on_wait = function(seconds, cause)
    if not options.quiet then client:emit { type = "waiting", cause = cause, seconds = seconds } end
  end }
  while true do
    local completion, err = M.fetch(client, request, through)
    if not completion then return nil, err end
    if is_good(completion) then return completion end
    local limited = completion.status == 429 and not completion.failure
    if limited then throttled = throttled + 1 else failures = failures + 1 end
    local pause = retry.delay(completion, limited and throttled or failures,
      response.retry_after(completion), host.random())
    if not retry.may_help(completion) or failures >= (options.tries or retry.patience.tries)
      or host.now() + pause > deadline or not gate.may_retry(completion) then
      return nil, M.failed(completion, what), completion
    end
    if not options.quiet then
      client:emit { type = "waiting", cause = retry.cause(completion), seconds = pause }
    end
    tasks.sleep(pause)
  end
end

--- Reads a paged list, page after page.
---@param client table
---@param make fun(token: string|nil): table  the request of a page
---@param visit fun(entry: table): boolean|nil  true: enough, the other pages are not read
---@param options table  as for `safe`
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.each(client, make, visit, options)
  local pages = require "luafabric.api.pages"
  local seen, token = {}, nil
  repeat
    local completion, err = M.safe(client, make(token), options)
    if not completion then return nil, err end
    local value, message = response.object(completion)
    local entries
    if value then entries, message = pages.entries(value) end
    if not entries then return nil, M.nonsense(completion, options.what, message) end
    for _, entry in ipairs(entries) do
      if visit(entry) then return true end
    end
    token, message = pages.next_token(value, seen)
    if message then return nil, M.nonsense(completion, options.what, message) end
  until not token
  return true
end

--- The error of a 2xx that makes no sense.
---@param completion table
---@param what string
---@param message string|nil
---@return luafabric.Error
function M.nonsense(completion, what, message)
  return errors.new { kind = "platform", status = completion.status,
    request_id = response.request_id(completion),
    message = ("%s: Fabric's answer makes no sense (%s)"):format(what, tostring(message)) }
end

return M
