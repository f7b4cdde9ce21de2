--- Whether an endpoint answers, judged by what came of one request without a token: how far it got
--- (name, connection, TLS, HTTP), and how the clocks differ. Pure.

local M = {}

---@class luafabric.Check  one thing that doctor looked at
---@field name string      endpoint, clock, tried, credential, token, workspace, …
---@field state "ok"|"warning"|"failed"|"note"
---@field message string   what is
---@field advice string|nil  what to do
---@field kind luafabric.ErrorKind|nil  of a "failed": what the exit code is made of

-- How far a failed request got, and what helps there. The codes are those of a host's completion.
local stages = {
  resolve = { "DNS", "check the name and the network; another API is given with --endpoint" },
  connect = { "TCP", "is there a firewall in between, or is a proxy needed (https_proxy)?" },
  proxy = { "proxy", "check https_proxy and no_proxy" },
  tls = { "TLS", "where a company's own authority signs the connection, name its certificates in "
    .. "LUAFABRIC_CA_FILE" },
  timeout = { "HTTP", "try again; a proxy or firewall in between may hold the request" },
}
local other = { "HTTP", "is that Fabric's API, or something in front of it?" }

local function stage_of(completion)
  local code = completion.failure.code
  if code == "timeout" and completion.sent == "no" then return stages.connect end
  return stages[code] or other
end

local function failed(fields)
  fields.name, fields.state, fields.kind = "endpoint", "failed", fields.kind or "network"
  return fields
end

-- What Fabric's API says to who has no token, or asks too often.
local usual = { [401] = true, [403] = true, [429] = true }

local function strange(endpoint, status)
  if status == 407 then
    return failed { stage = "proxy", status = status, message = endpoint
      .. ": the proxy wants to know who asks (HTTP 407)", advice = stages.proxy[2] }
  end
  if status >= 500 then
    return failed { stage = "HTTP", status = status, message = ("%s answers HTTP %d"):format(
      endpoint, status), advice = "Fabric, or what is in front of it, is unwell: try again later" }
  end
  return failed { stage = "HTTP", status = status, kind = "configuration",
    message = ("%s answers HTTP %d to a request without a token, which Fabric's API does not")
      :format(endpoint, status), advice = "check the endpoint: Fabric's own ends in /v1; is "
      .. "something else in front of it (a proxy's or a network's own page)?" }
end

--- Whether the endpoint is there.
---@param endpoint string
---@param completion table  of a GET without a token
---@param seconds number    that it took
---@return luafabric.Check
function M.judge(endpoint, completion, seconds)
  if completion.failure then
    local stage = stage_of(completion)
    return failed { stage = stage[1], advice = stage[2], message = ("%s does not answer (%s): %s")
      :format(endpoint, stage[1], tostring(completion.failure.message or completion.failure.code)) }
  end
  local status = completion.status
  if not usual[status] then return strange(endpoint, status) end
  local milliseconds = math.floor(seconds * 1000 + 0.5)
  return { name = "endpoint", state = "ok", stage = "HTTP", status = status,
    milliseconds = milliseconds, message = ("%s answers%s: HTTP %d to a request without a token, "
      .. "after %d ms"):format(endpoint, endpoint:find("^https:") and " over TLS" or "", status,
      milliseconds) }
end

-- Entra takes assertions, and everybody tokens, of a clock that is so far off.
local TOLERATED = 300 -- seconds
local WORTH_A_WORD = 30

--- How far this machine's clock is off, as far as one answer tells.
---@param skew luafabric.Skew|nil  of policy/reconcile
---@return luafabric.Check|nil
function M.clock(skew)
  if not skew then return nil end
  local ahead = skew.low > 0 and skew.low or skew.high < 0 and skew.high or 0
  local off = math.abs(ahead)
  local check = { name = "clock", state = "ok", seconds_behind = ahead,
    message = "this machine's clock agrees with the endpoint's" }
  if off < 1 then return check end
  check.message = ("this machine's clock is %s %s the endpoint's"):format(
    require("luafabric.duration").format(math.floor(off + 0.5)), ahead > 0 and "behind" or "before")
  if off > WORTH_A_WORD then
    check.state = "warning"
    check.advice = off > TOLERATED and "set it: tokens are refused for less"
      or "set it: more than 5 minutes would be refused"
  end
  return check
end

return M
