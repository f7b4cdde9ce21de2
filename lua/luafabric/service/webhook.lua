--- Tells somebody elsewhere that a run has ended: a signed POST, as Standard Webhooks has it
--- (standardwebhooks.com), tried again with growing pauses for a day. The secret is read when it is
--- used and shown nowhere; of the address, which may hold one too, only the server is named.

local base64 = require "luafabric.base64"
local core = require "luafabric.core"
local json = require "luafabric.json"
local nearest = require "luafabric.nearest"
local origin = require "luafabric.origin"
local response = require "luafabric.api.response"
local tasks = require "luafabric.tasks"
local version = require "luafabric.version"
local webhooks = require "luafabric.store.webhooks"

local M = {}

local PREFIX = "whsec_"
local SHORTEST_KEY, LONGEST_KEY = 24, 64 -- bytes
local SECRET_HINT = 'expected "whsec_" and 24 to 64 bytes in base64, such as the output of: '
  .. 'echo "whsec_$(openssl rand -base64 32)"'

local TIMEOUT = 30 -- seconds
local MOST_READ = 65536 -- bytes of an answer, of which nothing is used

-- Between two tries; the last one is repeated. After a day it is given up.
local PAUSES = { 5, 30, 120, 600, 1800, 3600, 7200 }
local JITTER = 0.2 -- of a pause
local GIVEN_UP_AFTER = 24 * 3600

---@class luafabric.WebhookOptions
---@field url string            https, or http to this machine
---@field secret string|nil     "whsec_…"
---@field secret_file string|nil  a file that holds it

local known = { url = true, secret = true, secret_file = true }

-- ---- the secret ----

local function read_key(secret)
  local text = secret:match("^%s*(.-)%s*$")
  local digits = text:sub(1, #PREFIX) == PREFIX and text:sub(#PREFIX + 1) or ""
  if not digits:find("^[%w+/]+=*$") then return nil, SECRET_HINT end
  local key = base64.decode(digits)
  if #key < SHORTEST_KEY or #key > LONGEST_KEY then return nil, SECRET_HINT end
  return key
end

--- The bytes that messages are signed with; a file is read each time, so that it can be changed.
local function key_of(options)
  if options.secret then return read_key(options.secret) end
  local file = io.open(options.secret_file, "rb")
  if not file then
    return nil, ("the file %s cannot be read"):format(options.secret_file)
  end
  local text = file:read(1024) or ""
  file:close()
  local key, message = read_key(text)
  return key, message and ("%s: %s"):format(options.secret_file, message)
end

local function load_crypto()
  local ok, crypto = pcall(require, "luafabric.crypto")
  if ok then return crypto end
  return nil, "the module luafabric.crypto, which signs webhooks, is not there: build luafabric "
    .. "with OpenSSL's libcrypto (libssl-dev), or leave the webhook out"
end

--- Whether the options of a webhook can be used, as far as is known without a look at its file.
---@param options any
---@return boolean|nil ok
---@return string|nil message  begins with the name of the field; has no secret in it
function M.check(options)
  if type(options) ~= "table" then return nil, "webhook: expected { url =, secret = }" end
  local ok, message = pcall(nearest.check_fields, options, known, "webhook", -1)
  if not ok then return nil, message end
  if type(options.url) ~= "string" then return nil, "webhook.url: expected a URL" end
  local parts
  parts, message = origin.parse_secure(options.url)
  if not parts then return nil, "webhook.url: " .. message end
  if (options.secret == nil) == (options.secret_file == nil) then
    return nil, "webhook: give one of secret and secret_file"
  end
  for _, name in ipairs { "secret", "secret_file" } do
    if options[name] ~= nil and type(options[name]) ~= "string" then
      return nil, ("webhook.%s: expected a text"):format(name)
    end
  end
  if options.secret then
    ok, message = read_key(options.secret)
    if not ok then return nil, "webhook.secret: " .. message end
  end
  ok, message = load_crypto()
  if not ok then return nil, "webhook: " .. message end
  return true
end

-- ---- a message ----

--- The headers of a message, all of them.
---@param key string   bytes
---@param id string
---@param now number   unix seconds
---@param body string
---@return table<string, string>|nil headers
---@return string|nil message
function M.headers(key, id, now, body)
  local crypto, message = load_crypto()
  if not crypto then return nil, message end
  local timestamp = ("%d"):format(math.floor(now))
  local code
  code, message = crypto.hmac_sha256(key, ("%s.%s.%s"):format(id, timestamp, body))
  if not code then return nil, message end
  return { ["content-type"] = "application/json", ["user-agent"] = "luafabric/" .. version,
    ["webhook-id"] = id, ["webhook-timestamp"] = timestamp,
    ["webhook-signature"] = "v1," .. base64.encode(code) }
end

local function build(service, row, now)
  local key, message = key_of(service.options.webhook)
  if not key then return nil, message end
  local document, err = service:document(row.run_id)
  if not document then return nil, tostring(err) end
  local body = assert(json.encode { type = "run.ended", timestamp = core.format_time(row.at),
    data = document })
  local headers
  headers, message = M.headers(key, row.id, now, body)
  if not headers then return nil, message end
  return { method = "POST", url = service.options.webhook.url, headers = headers, body = body,
    timeout = TIMEOUT, max_body = MOST_READ, purpose = "webhook" }
end

-- ---- a try ----

--- What came of it: nil, it arrived; or why not, and whether that is final.
local function judge(completion)
  local status, failure = completion.status, completion.failure
  if status and status >= 200 and status < 300 then return nil end
  if status == 410 then return "it answered 410: it wants no messages any more", true end
  if status then return ("it answered %d"):format(status) end
  return tostring(failure and (failure.message or failure.code) or "no answer")
end

--- Seconds until the next try; nil: there is none.
local function pause_of(row, now, random, hint)
  local pause = PAUSES[math.min(row.tries + 1, #PAUSES)] * (1 + JITTER * random())
  pause = math.max(pause, hint or 0)
  if now + pause > row.at + GIVEN_UP_AFTER then return nil end
  return pause
end

local function not_delivered(service, store, row, problem, is_final, hint)
  local _, loop = tasks.current()
  local parts = origin.parse(service.options.webhook.url)
  local now = store.now()
  local pause = not is_final and pause_of(row, now, loop.host.random, hint)
  local what = ("the webhook of run %s was not delivered to %s: %s"):format(row.run_id,
    parts.origin, problem)
  if pause then
    if row.tries == 0 then service:log(what .. "; it is tried again for a day") end
    return webhooks.tried(store, row.id, { state = "waiting", problem = problem,
      next_at = now + pause })
  end
  service:log(what .. "; it is given up")
  return webhooks.tried(store, row.id, { state = "given_up", problem = problem })
end

--- Sends a message once, and writes down what came of it; in a task.
---@param service luafabric.ServiceOfEngine
---@param row luafabric.WebhookRow
---@return boolean|nil ok  what came of it is written down
---@return luafabric.Error|nil err
function M.deliver(service, row)
  local store, err = service:store()
  if not store then return nil, err end
  local request, message = build(service, row, store.now())
  if not request then return not_delivered(service, store, row, message) end
  local completion = tasks.request(request)
  local problem, is_final = judge(completion)
  if not problem then return webhooks.tried(store, row.id, { state = "delivered" }) end
  return not_delivered(service, store, row, problem, is_final,
    completion.status and response.retry_after(completion))
end

return M
