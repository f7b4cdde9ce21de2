-- A plain HTTP client on luv for the emulator's specs: one request on a connection of its own, and
-- exactly what came back, whole or broken.

local json = require "luafabric.json"

local M = {}

local function read_answer(text)
  local head, body = text:match("^(HTTP/1%.1 .-\r\n\r\n)(.*)$")
  if not head then return nil end
  local answer = { status = tonumber(head:match("^HTTP/1%.1 (%d+)")), headers = {}, body = body }
  for name, value in head:gmatch("\r\n([^:\r\n]+): ([^\r\n]*)") do
    answer.headers[name:lower()] = value
  end
  local length = tonumber(answer.headers["content-length"] or "0")
  return #body >= length and answer or nil
end

--- Send a request and wait for what comes.
---@param options { method: string|nil, url: string, token: string|nil, body: string|nil,
---  timeout: number|nil }  timeout: ms without an answer, default 20000
---@return table|nil answer  { status, headers, body, value = the JSON in it }
---@return string|nil failure  "closed", "reset", "timeout", "refused"
---@return string received  what came before the failure
function M.request(options)
  local uv = require "spec.support.luv"
  local port, path = options.url:match("^http://127%.0%.0%.1:(%d+)(/.*)$")
  local body = options.body or ""
  local text = ("%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n%s\r\n%s"):format(
    options.method or "GET", path, #body,
    options.token and "Authorization: Bearer " .. options.token .. "\r\n" or "", body)
  local socket, timer = uv.new_tcp(), uv.new_timer()
  local received, answer, failure = "", nil, nil
  local function finish(reason)
    failure = failure or reason
    if not socket:is_closing() then socket:close() end
    if not timer:is_closing() then timer:close() end
  end
  uv.update_time() -- the loop may have stood still for long
  timer:start(options.timeout or 20000, 0, function() finish("timeout") end)
  socket:connect("127.0.0.1", tonumber(port), function(refused)
    if refused then return finish("refused") end
    socket:write(text)
    socket:read_start(function(problem, chunk)
      if problem then return finish(problem:find("RESET") and "reset" or problem) end
      if not chunk then return finish("closed") end
      received = received .. chunk
      answer = read_answer(received)
      if answer then finish() end
    end)
  end)
  uv.run()
  if answer and answer.body ~= "" then answer.value = json.decode(answer.body) end
  return answer, failure, received
end

return M
