--- Calls to a service of luafabric on another machine: where they go and with which token, what is
--- tried again, and what an answer that is no success is called. The token goes to the service's
--- own origin and to nobody else: URLs are built here, and no redirect is followed.

local errors = require "luafabric.errors"
local json = require "luafabric.json"
local origin = require "luafabric.origin"
local response = require "luafabric.api.response"
local tasks = require "luafabric.tasks"
local version = require "luafabric.version"

local M = {}

local USER_AGENT = "luafabric/" .. version
local TIMEOUT = 30 -- seconds, for one answer
local MAX_BODY = 64 * 1024 * 1024
local PAUSES = { 0.25, 1 } -- seconds before the second and the third try
local MOST_PROBLEMS = 5 -- of one answer, in a message
local SHORTEST_SECRET = 8 -- a shorter token is a part of other words

---@class luafabric.RemoteCall
---@field url string  of the service, without a slash at its end
local Call = {}
Call.__index = Call

--- Checks where a token may go: https, or http to this machine.
---@param url string
---@return string|nil url  without a slash at its end
---@return string|nil message  what is wrong with it; does not repeat it
function M.check_url(url)
  local parts, message = origin.parse_secure(url)
  if not parts then return nil, message end
  if parts.path:find("[?#]") then return nil, "a URL with a query, and the service's has none" end
  return parts.origin .. parts.path:gsub("/+$", "")
end

---@param options { url: string, token: string|nil, token_name: string|nil,
---  new_host: nil|fun(signals: string[]|nil): table }  url: see `check_url`; token_name: of the
---  environment variable, for messages; new_host: outside a task
---@return luafabric.RemoteCall
function M.new(options)
  return setmetatable({ url = options.url, token = options.token,
    token_name = options.token_name or "LUAFABRIC_SERVER_TOKEN", new_host = options.new_host },
    Call)
end

--- A text as one segment of a path.
---@param text string
---@return string
function M.escape(text)
  return (text:gsub("[^%w._~-]", function(char) return ("%%%02X"):format(char:byte()) end))
end

-- ---- errors ----

local kinds = { [401] = "unauthorized", [403] = "unauthorized", [404] = "not_found",
  [410] = "not_found", [400] = "usage", [405] = "usage", [409] = "usage", [413] = "usage",
  [415] = "usage", [422] = "usage", [408] = "throttled", [429] = "throttled" }

local function kind_of(status)
  return kinds[status] or status < 500 and "rejected" or "platform"
end

function Call:error(kind, message, ...)
  return errors.new { kind = kind, message = ("the service at %s "):format(self.url)
    .. message:format(...) }
end

--- A server that repeats a request's headers does not get our token into a message.
local function hide(text, token)
  if not token or #token < SHORTEST_SECRET then return text end
  return (text:gsub(token:gsub("%W", "%%%0"), "***"))
end

--- What is wrong in parts of a request: "inputs.day: no date; and 2 more".
local function parts_of(problem)
  local list, all = {}, type(problem.errors) == "table" and problem.errors or {}
  for index = 1, math.min(#all, MOST_PROBLEMS) do
    local entry = type(all[index]) == "table" and all[index] or {}
    local place = response.text(entry.path) or response.text(entry.pointer)
    local detail = response.text(entry.detail) or response.text(entry.message)
    list[#list + 1] = detail and (place and place .. ": " .. detail or detail)
  end
  if #all > MOST_PROBLEMS then list[#list + 1] = ("and %d more"):format(#all - MOST_PROBLEMS) end
  return #list > 0 and table.concat(list, "; ") or nil
end

--- The sentence of a problem document (RFC 9457); nil where the body is none.
local function sentence_of(body)
  local problem = json.decode(body)
  if type(problem) ~= "table" then return nil, nil end
  local detail = response.text(problem.detail) or response.text(problem.title)
  local parts = parts_of(problem)
  if detail and parts and not detail:find(parts, 1, true) then
    return detail:gsub("%.$", "") .. ": " .. parts, problem
  end
  return detail or parts, problem
end

--- Who is not let in learns what was shown, or what to show.
local function with_advice(self, status, message)
  if status == 403 and not self.token then return message end
  local advice = self.token and ("The token is that of %s"):format(self.token_name)
    or ("Put a token into the environment variable %s, or name another with --server-token-env")
      :format(self.token_name)
  return message:gsub("%.$", "") .. ". " .. advice
end

local function failed(self, completion)
  local failure = completion.failure
  if completion.sent == "no" then
    return self:error("network", "could not be reached: %s; check its URL, the network and the "
      .. "proxy", failure.message or failure.code)
  end
  if failure.code == "too_large" then
    return self:error("platform", "answered more than is taken: %s", failure.message)
  end
  return self:error("network", "did not answer: %s", failure.message or failure.code)
end

--- The error of an answer that is no success.
---@param completion luafabric.Completion
---@return luafabric.Error
function Call:failed(completion)
  local status = completion.status
  if completion.failure and (not status or status < 300 or completion.body == "") then
    return failed(self, completion)
  end
  if status >= 300 and status < 400 then
    return self:error("usage", "answers with a redirect (HTTP %d), which is never followed: give "
      .. "the URL that it leads to", status)
  end
  local body = hide(completion.body or "", self.token)
  local sentence, problem = sentence_of(body)
  local is_gateway = status >= 502 and status <= 504
  if not sentence and status ~= 401 and status ~= 403 then
    local title = response.error_fields { headers = {}, body = body }.message
    if is_gateway then
      return self:error("network", "is not there (HTTP %d%s): is it running?", status,
        title and ", " .. title or "")
    end
    return self:error(kind_of(status), "answers as no service of luafabric does (HTTP %d%s): "
      .. "check its URL", status, title and ", " .. title or "")
  end
  local err = self:error(kind_of(status), "%s (HTTP %d): %s", kind_of(status) == "platform"
    and "could not do it" or "refused", status, sentence or "no reason given")
  if kind_of(status) == "unauthorized" then
    err.message = with_advice(self, status, err.message)
  end
  err.problem_status, err.problem = status, problem
  err.retry_after = response.retry_after(completion)
  return err
end

--- The error of a success that makes no sense.
---@param message string
---@return luafabric.Error
function Call:nonsense(message)
  return self:error("platform", "answered something that makes no sense: %s", message)
end

-- ---- sending ----

--- A request as it is sent.
---@param method string
---@param path string  from the service's URL on, with its query
---@param given { headers: table|nil, body: string|nil, timeout: number|nil,
---  stream: boolean|nil }|nil
---@return luafabric.Request
function Call:request(method, path, given)
  given = given or {}
  local headers = { ["User-Agent"] = USER_AGENT, Accept = "application/json" }
  if given.body then headers["Content-Type"] = "application/json" end
  for name, value in pairs(given.headers or {}) do headers[name] = value end
  if self.token then headers.Authorization = "Bearer " .. self.token end
  return { method = method, url = self.url .. path, headers = headers, body = given.body,
    timeout = given.timeout or TIMEOUT, max_body = MAX_BODY, stream = given.stream }
end

local function may_help(completion)
  local status = completion.status
  local failure = completion.failure
  if failure then return completion.sent ~= "no" and failure.code ~= "too_large" end
  return status >= 502 and status <= 504
end

local function is_good(completion)
  return not completion.failure and completion.status >= 200 and completion.status < 300
end
M.is_good = is_good

--- Sends a request that may be repeated, in a task.
---@param request luafabric.Request
---@return luafabric.Completion|nil completion  a 2xx
---@return luafabric.Error|nil err
function Call:send(request)
  for try = 1, #PAUSES + 1 do
    local completion = tasks.request(request)
    if is_good(completion) then return completion end
    if not PAUSES[try] or not may_help(completion) then return nil, self:failed(completion) end
    tasks.sleep(PAUSES[try])
  end
end

--- The JSON object that a request is answered with, in a task.
---@return table|nil value
---@return luafabric.Error|nil err
function Call:fetch(request)
  local completion, err = self:send(request)
  if not completion then return nil, err end
  local value, message = response.object(completion)
  if value then return value end
  return nil, self:nonsense(message or "no JSON")
end

-- ---- from wherever this is ----

--- Signals are reported from now on, instead of ending this process.
---@param names string[]
function Call:watch_signals(names)
  self:close()
  self.signals = names
end

--- The loop of who calls outside a task.
function Call:own_loop()
  if self.loop then return self.loop end
  local loop = tasks.new(self.new_host(self.signals))
  self.loop, self.news = loop, loop:condition()
  loop:on("signal", function()
    self.is_interrupted = true
    self.news:signal()
    if self.asking then self.asking:cancel() end
  end)
  return loop
end

local function result_of(self, ok, ...)
  self.asking = nil
  if ok then return ... end
  local err = (...)
  if err.kind == "cancelled" and self.is_interrupted then
    return nil, self:error("cancelled", "was not waited for: interrupted. What it runs goes on")
  end
  if err.kind == "raised" and err.value ~= nil then err = err.value end
  error(err, 0)
end

--- Calls a function that waits: inside a task at once, outside on a loop of our own.
---@param fn function
---@param ... any  its arguments
---@return any ...  its results
function Call:run(fn, ...)
  if tasks.current() then return fn(...) end
  local loop = self:own_loop()
  self.asking = loop:spawn(fn, ...)
  return result_of(self, loop:run(self.asking))
end

--- Ends whatever is under way. Twice does no harm.
function Call:close()
  if self.loop then self.loop:close() end
  self.loop, self.news = nil, nil
end

return M
