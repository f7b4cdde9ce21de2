-- Two validators from npm, which know nothing of luafabric: one reads the published document, the
-- other (Prism) stands between a client and the server, and says what of an answer is not as the
-- document has it. `./dev interface` installs them into build/interface.

local core = require "luafabric.core"
local curl = require "luafabric.curl"
local json = require "luafabric.json"
local shell = require "spec.support.shell"

local M = {}

M.folder = "build/interface"
local BIN = M.folder .. "/node_modules/.bin/"
local LIMIT = 60 -- seconds that only a failure reaches

--- Whether they are installed; else why not.
---@return boolean
---@return string|nil reason
function M.is_there()
  for _, name in ipairs { "prism", "validate-api" } do
    local file = io.open(BIN .. name)
    if not file then
      return false, ("no %s in %s: ./dev interface installs it"):format(name, M.folder)
    end
    file:close()
  end
  return true
end

--- Reads a document by the other validator.
---@param path string
---@return boolean is_valid
---@return string said
function M.validate(path)
  local code, output = shell.run(("%svalidate-api '%s' 2>&1"):format(BIN, path))
  return code == 0 and output:find('"valid": true', 1, true) ~= nil, output
end

local function free_port()
  local uv = require "spec.support.luv"
  local socket = uv.new_tcp()
  assert(socket:bind("127.0.0.1", 0))
  local port = socket:getsockname().port
  socket:close()
  uv.run "nowait"
  return port
end

local Prism = {}
Prism.__index = Prism

--- Stands Prism in front of a server.
---@param document string  its path
---@param upstream string  URL of the server
---@return table prism
function M.start(document, upstream)
  local port = free_port()
  local child = assert(core.spawn { args = { BIN .. "prism", "proxy", document, upstream, "--host",
    "127.0.0.1", "--port", ("%d"):format(port), "--cors", "false" }, stdin = "null",
    stdout = "pipe", stderr = "pipe", env = { NO_COLOR = "1" } })
  local self = setmetatable({ child = child, url = "http://127.0.0.1:" .. ("%d"):format(port),
    transport = curl.transport { proxy = "" }, said = "" }, Prism)
  local deadline = core.monotonic() + LIMIT
  while not self.said:find("listening on", 1, true) do
    self.said = self.said .. (child:read() or "") .. (child:read_error() or "")
    assert(core.monotonic() < deadline and not child:wait(0.05), "Prism said: " .. self.said)
  end
  return self
end

function Prism:close()
  self.transport:close()
  self.child:kill "TERM"
  self.child:wait(LIMIT)
  self.child:close()
end

-- Its words are read, so that it never waits for a reader.
local function listen(self)
  self.said = (self.said .. (self.child:read() or "") .. (self.child:read_error() or "")):sub(-2000)
end

--- What the validator found wrong, by what it is about.
local function violations(completion)
  local found = { request = {}, response = {} }
  local text = completion.headers["sl-violations"]
  if not text then return found end
  -- Of very many it says so, and cuts the list off: whole entries alone are read.
  for object in text:gmatch "%b{}" do
    local entry = assert(json.decode(object))
    local place = entry.location or {}
    local list = found[place[1]] or found.response
    list[#list + 1] = ("%s: %s"):format(table.concat(place, "."), tostring(entry.message))
  end
  return found
end

--- Sends a request through it.
---@param request table  method, target, headers, body
---@return luafabric.Completion completion
---@return { request: string[], response: string[] } violations
function Prism:ask(request)
  local id = self.transport:start { method = request.method, url = self.url .. request.target,
    headers = request.headers, body = request.body, timeout = LIMIT }
  while true do
    for _, event in ipairs(self.transport:wait(LIMIT)) do
      if event.id == id then
        listen(self)
        return event, event.failure and { request = {}, response = {} } or violations(event)
      end
    end
  end
end

return M
