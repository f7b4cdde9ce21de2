-- A world for credentials: a virtual host whose handler plays the token endpoint.

local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local M = {}

--- An answer of Entra with a token.
---@param token string
---@param expires_in any  default 3599
---@param fields? table   further fields of the answer, as JSON text
function M.token_answer(token, expires_in, fields)
  return { status = 200, headers = { ["Content-Type"] = "application/json" },
    body = ('{"token_type":"Bearer","expires_in":%s,"access_token":"%s"%s}'):format(
      expires_in or "3599", token, fields or "") }
end

--- An error of Entra.
function M.refusal(number, kind, description, status)
  local body = '{"error":"%s","error_description":"AADSTS%d: %s Trace ID: t Correlation ID: c",'
    .. '"error_codes":[%d],"correlation_id":"c0ffee"}'
  return { status = status or 401, body = body:format(kind, number, description, number) }
end

--- Runs fn(host, loop) in a task; `answers` is a list of answers (the last one again and again), or
--- a function of the request and its number. `start_wall`: unix seconds when it begins.
function M.run(answers, fn, start_wall)
  local count = 0
  local host = virtual.new { start_wall = start_wall, handle = function(request)
    count = count + 1
    if type(answers) == "function" then return answers(request, count) end
    return answers[count] or answers[#answers]
  end }
  local loop = tasks.new(host)
  local ok, err = loop:run(loop:spawn(fn, host, loop))
  if not ok then error(err.value or err, 0) end
  return host
end

return M
