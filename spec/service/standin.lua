-- A service in the place of the real one, as far as the remote store can see: it answers from a
-- store of spec/cli/store_world with the documents of the command itself. Its handler is one of the
-- virtual host.

local capture = require "spec.cli.capture"
local json = require "luafabric.json"

local M = {}

local function problem(status, detail, more)
  local document = { type = "about:blank", title = "no", status = status, detail = detail }
  for name, value in pairs(more or {}) do document[name] = value end
  return { status = status, headers = { ["Content-Type"] = "application/problem+json" },
    body = json.encode(document) }
end
M.problem = problem

local function document(world, ...)
  local arguments = { ... }
  arguments[#arguments + 1], arguments[#arguments + 2] = "--store", world.path
  local code, out = capture.run({}, function() return require("luafabric.cli").main(arguments) end)
  return code == 0 and out:gsub("\n$", "") or nil
end

local function ok(text)
  return { status = 200, headers = { ["Content-Type"] = "application/json" }, body = text }
end

--- The stream of a run's events behind a number, from its lines; ended where the run is.
---@param lines string[]
---@param last integer
---@param outcome string|nil
function M.stream(lines, last, outcome)
  local parts = { "retry: 1000\n\n" }
  for number = last + 1, #lines do
    parts[#parts + 1] = ("id: %d\ndata: %s\n\n"):format(number, lines[number])
  end
  if outcome then
    parts[#parts + 1] = ('event: end\ndata: {"state":"ended","outcome":"%s"}\n\n'):format(outcome)
  end
  return table.concat(parts)
end

local routes = {}

function routes.list(self, _, query)
  local list = document(self.world, "runs", "-o", "json", "--limit", query:match("limit=(%d+)"),
    (table.unpack or unpack)(query:find("state=") and { "--state", query:match("state=(%w+)") }
      or {}))
  return ok('{"runs":' .. list .. ',"next":null}')
end

function routes.show(self, id)
  local text = document(self.world, "show", id, "-o", "json")
  if not text then return problem(404, "there is no run " .. id) end
  return ok(text:sub(1, -2) .. ',"short_id":"' .. self.world:short_id(id) .. '"}')
end

function routes.events(self, id, query, request)
  local text = document(self.world, "events", id, "--from", query:match("from=(%d+)") or "1")
  if not text then return problem(404, "there is no run " .. id) end
  if query:find("follow=false", 1, true) then return ok(text) end
  local lines = {}
  for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
  return { status = 200, body = M.stream(lines, tonumber(request.headers["Last-Event-ID"]) or 0,
    text:match('"type":"run_ended".-"outcome":"(%w+)"')) }
end

function routes.cancel(self, id, _, request)
  local row = assert(self.world.store:find(id))
  local asked, err = self.world.store:request(row.run_id,
    json.decode(request.body).now and "cancel_now" or "cancel")
  if not asked then return problem(409, err.message, { type = "urn:problem:run-ended" }) end
  return { status = 202, body = "{}" }
end

--- A handler for the virtual host.
---@param world table  of store_world
---@param given { before: nil|fun(request: table): table|nil, token: string|nil }|nil  before: may
---  answer instead; token: the only one that is let in
---@return fun(request: table): table handle
function M.handler(world, given)
  local self = { world = world }
  function world.short_id(_, id)
    return require("luafabric.store.outline").short_id(world.store, world.store:find(id).run_id)
  end
  return function(request)
    local answer = given and given.before and given.before(request)
    if answer then return answer end
    if given and given.token and request.headers.Authorization ~= "Bearer " .. given.token then
      return problem(401, "no token of this service")
    end
    local path, query = request.url:match("^https?://[^/]+([^?]*)(.*)$")
    local id, action = path:match("^/runs/([^/]+)/?(%w*)$")
    if path == "/runs" then return routes.list(self, nil, query) end
    if id then return routes[action ~= "" and action or "show"](self, id, query, request) end
    return { status = 404, body = "<html><title>Not here</title></html>" }
  end
end

--- Runs a function while every plain host is a virtual one that such a service answers.
---@param handle fun(request: table): table
---@param fn fun()
---@return table[] requests  that were sent
function M.instead(handle, fn)
  local plain, virtual = require "luafabric.hosts.plain", require "luafabric.hosts.virtual"
  local before, requests = plain.new, {}
  plain.new = function()
    local host = virtual.new { handle = function(request, now)
      requests[#requests + 1] = request
      return handle(request, now)
    end }
    M.host = host
    return host
  end
  local ok_, err = pcall(fn)
  plain.new = before
  if not ok_ then error(err, 0) end
  return requests
end

return M
