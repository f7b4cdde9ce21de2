-- The built command as a process, for specs: started, watched, signalled, and what it said.

local core = require "luafabric.core"
local json = require "luafabric.json"

local M = {}

local LIMIT = 60 -- seconds that only a failure reaches

M.path = (os.getenv("LUAFABRIC_BUILD") or "build") .. "/bin/luafabric"

-- Nothing of the machine that runs the specs decides what the command does.
local function environment(given)
  local env = { AZURE_TOKEN_CREDENTIALS = "EnvironmentCredential" }
  for _, name in ipairs { "LUAFABRIC_TOKEN", "LUAFABRIC_ENDPOINT", "LUAFABRIC_PYTHON",
    "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE", "LUAFABRIC_SCOPE",
    "NO_COLOR", "http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy" } do
    env[name] = false
  end
  for name, value in pairs(given or {}) do env[name] = value end
  return env
end

local Command = {}
Command.__index = Command

--- Start the command.
---@param args string[]
---@param options { env: table|nil, stdin: string|nil }|nil  stdin: its whole standard input
---@return table command
function M.start(args, options)
  options = options or {}
  local words = { M.path }
  for _, word in ipairs(args) do words[#words + 1] = word end
  local env = environment(options.env)
  local child = assert(core.spawn { args = words, env = env,
    stdin = options.stdin and "pipe" or "null", stdout = "pipe", stderr = "pipe" })
  if options.stdin then assert(child:write(options.stdin)) end
  if options.stdin then child:close_stdin() end
  return setmetatable({ child = child, env = env, out = "", err = "",
    deadline = core.monotonic() + LIMIT }, Command)
end

--- Take what it has said; false when both outputs have ended.
function Command:pump()
  if not self.out_ended then
    local text = self.child:read()
    self.out, self.out_ended = self.out .. (text or ""), text == nil
  end
  if not self.err_ended then
    local text = self.child:read_error()
    self.err, self.err_ended = self.err .. (text or ""), text == nil
  end
  return not (self.out_ended and self.err_ended)
end

--- Wait until its standard error has a text.
function Command:says(text)
  while not self.err:find(text, 1, true) do
    local more = self:pump()
    assert(more and core.monotonic() < self.deadline, text .. " is not in: " .. self.err)
    self.child:wait(0.01)
  end
end

--- Wait until a test of something else is true.
function Command:until_true(test)
  while not test() do
    self:pump()
    assert(core.monotonic() < self.deadline, "it never came true; the command said: " .. self.err)
    self.child:wait(0.01)
  end
end

function Command:kill(name) assert(self.child:kill(name)) end

--- Signal it again and again, as somebody does who has lost patience, until it ends.
function Command:kill_until_end(name)
  while self:pump() do
    self.child:kill(name)
    assert(core.monotonic() < self.deadline, "it does not end: " .. self.err)
    self.child:wait(0.05)
  end
  return self:finish()
end

-- What of the environment no command may ever say is in these.
local secret_variables = require "luafabric.credentials.secret_variables"
local SHORTEST_SECRET = 8 -- bytes; a shorter one is a word

--- Raises where it has said one of its secrets, or a token of the emulator's Entra.
function Command:keeps_its_secrets()
  local said = self.out .. self.err
  for _, names in pairs(secret_variables) do
    for _, name in ipairs(names) do
      local secret = self.env[name]
      local is_said = secret and #secret >= SHORTEST_SECRET and said:find(secret, 1, true)
      assert(not is_said, "the command says its " .. name .. ": " .. said)
    end
  end
  for _, name in ipairs { "emulator", "refresh" } do
    assert(not said:find(name .. "%.%x%x%x%x%x%x%x%x%-"), "the command says a token: " .. said)
  end
end

--- Wait for its end.
---@return table command  itself: code (nil after a signal), signal, out, err, document
function Command:finish()
  while self:pump() do
    assert(core.monotonic() < self.deadline, "it does not end: " .. self.err)
    self.child:wait(0.01)
  end
  local ended = assert(self.child:wait(LIMIT), "it does not end: " .. self.err)
  self.code, self.signal = ended.code, ended.signal
  self.child:close()
  self:keeps_its_secrets()
  if self.out:find("^{") then self.document = json.decode(self.out) end
  return self
end

--- Whether a process lives; one that has ended and that nobody waited for does not.
---@param pid integer|string
function M.is_alive(pid)
  local file = io.open("/proc/" .. pid .. "/stat", "r")
  if not file then return false end
  local state = (file:read("*a") or ""):match("%) (%a)")
  file:close()
  return state ~= nil and state ~= "Z" and state ~= "X"
end

--- Start it and wait for its end.
function M.run(args, options)
  return M.start(args, options):finish()
end

return M
