--- Tokens of whoever signed in with `az login` on this machine: the Azure CLI is run, without a
--- shell, and asked for one.

local cache = require "luafabric.credentials.cache"
local core = require "luafabric.core"
local errors = require "luafabric.errors"
local exchange = require "luafabric.credentials.exchange"
local options_of = require "luafabric.credentials.options"
local secret_variables = require "luafabric.credentials.secret_variables"

local M = {}

local DEFAULT_TIMEOUT = 13 -- seconds, as in azure-identity
local PAUSE = 0.02 -- seconds between two looks at its output
local LONGEST = 262144 -- bytes of output

---@class luafabric.AzureCliOptions
---@field tenant_id? string     default: the one that was signed in to
---@field subscription? string  id or name, where several accounts are signed in
---@field scope? string         default https://api.fabric.microsoft.com/.default
---@field timeout? number       seconds that it may take, default 13

local known = { tenant_id = true, subscription = true, scope = true, timeout = true }

local function word_problem(name, pattern)
  return function(value)
    if value:find("^%-") or value:find(pattern) then
      return name .. ": has a character in it that it cannot have"
    end
  end
end

local function check(options)
  local problem = options_of.unknown(options, known)
    or options_of.optional_text(options, "tenant_id", word_problem("tenant_id", "[^%w.-]"))
    or options_of.optional_text(options, "subscription",
      word_problem("subscription", "[^%w%s._-]"))
  if problem then return problem end
  local timeout = options.timeout
  if timeout ~= nil and (type(timeout) ~= "number" or timeout ~= timeout or timeout <= 0) then
    return "timeout: expected a number of seconds"
  end
end

local function unauthorized(message, code)
  return errors.new { kind = "unauthorized", code = code,
    message = "no token from the Azure CLI: " .. message }
end

--- What the child writes until it ends, or nil when it takes too long or says too much.
local function outputs(child, io, timeout)
  local out, err, deadline = "", "", io.elapsed() + timeout
  while io.elapsed() < deadline and #out + #err <= LONGEST do
    local more, more_err = child:read(), child:read_error()
    out, err = out .. (more or ""), err .. (more_err or "")
    if not more and not more_err then return out, err, child:wait(1) end
    if (more or "") == "" and (more_err or "") == "" then io.sleep(PAUSE) end
  end
end

-- What az says when the way to the authority is not there, which it may be again later.
local of_the_network = { "max retries exceeded", "connection", "timed out", "resolve",
  "name or service not known", "network", "proxy", "ssl" }

local function is_of_the_network(line)
  line = line:lower()
  for _, word in ipairs(of_the_network) do
    if line:find(word, 1, true) then return true end
  end
  return false
end

--- az speaks of itself in several lines, the first of which says what is wrong.
---@return luafabric.Error
local function complaint(text)
  text = text:gsub("\27%[[%d;]*m", "")
  local line = text:match("ERROR: ([^\r\n]+)") or text:match("([^\r\n]+)")
  if not line then -- somebody ended it
    local err = unauthorized "it gave no reason"
    err.kind = "network"
    return err
  end
  if line:find("az login", 1, true) or text:find("AADSTS", 1, true) then
    return unauthorized(exchange.quote(line), "no_credential")
  end
  local err = unauthorized(exchange.quote(line))
  if is_of_the_network(line) then err.kind = "network" end
  return err
end

--- expiresOn is the local time, without a zone; expires_on, of newer versions, is unix seconds.
local function life_of(answer, now)
  local at = tonumber(answer.expires_on)
  local year, month, day, hour, min, sec = tostring(answer.expiresOn)
    :match("^(%d+)-(%d+)-(%d+) (%d+):(%d+):(%d+)")
  if not at and year then
    at = os.time { year = tonumber(year), month = tonumber(month), day = tonumber(day),
      hour = tonumber(hour), min = tonumber(min), sec = tonumber(sec) }
  end
  return at and exchange.seconds(at - now)
end

local function read(out, err, ending, now)
  if not ending or ending.code ~= 0 then return nil, complaint(err) end
  local answer = exchange.decode { body = out }
  if not answer or cache.token_problem(answer.accessToken) then
    return nil, unauthorized("it answered with something that is not its JSON")
  end
  return exchange.answer(answer.accessToken, life_of(answer, now), now)
end

--- What az finds in its environment otherwise than we do.
local function environment()
  local env = { AZURE_CORE_NO_COLOR = "true" }
  for _, name in ipairs(secret_variables.ours) do env[name] = false end
  return env
end

local function fetch(args, timeout, io)
  local now = io.now()
  local child, message = core.spawn { args = args, cwd = "/", stdin = "null", stdout = "pipe",
    stderr = "pipe", env = environment() }
  if not child then
    -- The whole PATH helps nobody, least of all in a row of reasons.
    if message:find("not found in PATH", 1, true) then message = "az is not in PATH" end
    return nil, unauthorized(message .. ": install it, and sign in with az login", "no_credential")
  end
  local out, err, ending = outputs(child, io, timeout)
  child:close()
  if not out then
    return nil, errors.new { kind = "network", code = "no_credential",
      message = ("no token from the Azure CLI: it gave no answer within %g s"):format(timeout) }
  end
  return read(out, err, ending, now)
end

--- A credential on the Azure CLI.
---@param options luafabric.AzureCliOptions
---@return luafabric.Credential|nil credential
---@return string|nil problem
function M.new(options)
  local problem = check(options)
  if problem then return nil, problem end
  local resource
  resource, problem = options_of.resource(options)
  if not resource then return nil, problem end
  problem = word_problem("scope", "[^%w:/._-]")(resource)
  if problem then return nil, problem end
  local args = { "az", "account", "get-access-token", "--output", "json", "--resource", resource }
  for _, option in ipairs { { "--tenant", options.tenant_id },
    { "--subscription", options.subscription } } do
    if option[2] then args[#args + 1], args[#args + 2] = option[1], option[2] end
  end
  local timeout = options.timeout or DEFAULT_TIMEOUT
  return cache.new("Azure CLI", function(io) return fetch(args, timeout, io) end)
end

return M
