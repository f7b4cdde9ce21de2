-- From a command line to a client on a loop: the endpoint, the credential, and for --local an
-- emulator of its own, which ends with the command in every case. The loop comes first, so that
-- Ctrl-C and SIGTERM are ours before anything else is started.

local core = require "luafabric.core"
local errors = require "luafabric.errors"

local M = {}

local STARTED_EMULATOR_END = 8 -- seconds it has to end its kernels
local LONGEST_LINE = 16384 -- bytes
local SHORT = 4 -- bytes of a secret; shorter ones the masks leave alone

local Connection = {}
Connection.__index = Connection

--- A loop whose host reports Ctrl-C and SIGTERM. Nothing is started or sent yet. SIGPIPE is taken
--- too, and nothing done about it: a reader of our words who leaves does not end the watch of a
--- run.
---@param options table  of the command line: endpoint, local_dir, route
---@param signals string[]|nil  default: INT, TERM, PIPE
---@return table connection  with `loop`
function M.new(options, signals)
  local ca_file = os.getenv("LUAFABRIC_CA_FILE")
  local host = require("luafabric.hosts.plain").new {
    signals = signals or { "INT", "TERM", "PIPE" },
    ca_file = ca_file ~= "" and ca_file or nil }
  return setmetatable({ options = options, loop = require("luafabric.tasks").new(host) },
    Connection)
end

-- A short secret is masked where it is a word of its own; elsewhere it is found everywhere.
local function mask_word(text, word)
  local pattern = word:gsub("%W", "%%%0")
  if word:find("^[%w_]") then pattern = "%f[%w_]" .. pattern end
  if word:find("[%w_]$") then pattern = pattern .. "%f[^%w_]" end
  return (text:gsub(pattern, "***"))
end

--- What hides secrets in the words of an emulator: a traceback shows what its cell was given.
---@param secrets string[]
---@return fun(text: string): string hide
---@return integer longest  bytes that a secret takes
local function masking(secrets)
  local masks, short, longest = require("luafabric.engine.masks").new(core.random_hex(8)), {}, 0
  for _, secret in ipairs(secrets) do
    masks:add { secret }
    -- Its lines come one by one.
    for line in secret:gmatch("[^\n]+") do masks:add { line } end
    if #secret < SHORT and secret:find("%S") then short[#short + 1] = secret end
    longest = math.max(longest, #(core.encode_json(secret) or secret))
  end
  return function(text)
    text = masks:text(text)
    for _, word in ipairs(short) do text = mask_word(text, word) end
    return text
  end, longest
end

--- Hands on what the emulator says (tracebacks of cells) in whole lines, as it comes.
local function relay(loop, process, tell, secrets)
  local fd, rest = process:stderr_fd(), ""
  local hide, longest = masking(secrets or {})
  assert(loop.host.watch(fd))
  loop:on("fd", function(event)
    if event.fd ~= fd then return end
    local text = process:read_error()
    if not text then loop.host.unwatch(fd) end
    rest = rest .. (text or "\n")
    local whole, begun = rest:match("^(.*)\n([^\n]*)$")
    if not whole and #rest > LONGEST_LINE + longest then
      -- The end may be a part of a secret.
      local line = hide(rest)
      whole, begun = line:sub(1, #line - longest), line:sub(math.max(1, #line - longest + 1))
    end
    if not whole then return end
    rest = begun
    if whole ~= "" then tell(hide(whole)) end
  end)
end

function Connection:start_emulator(tell, secrets)
  local child = require "luafabric.emulator.child"
  local tasks = require "luafabric.tasks"
  local process, endpoint, token = child.start {
    notebooks = self.options.local_dir, stderr = tell and "pipe" or "inherit", pause = tasks.sleep,
    on_start = function(started) self.emulator = started end,
  }
  if not process then return nil, endpoint end
  if tell then relay(self.loop, process, tell, secrets) end
  return { endpoint = endpoint, credential = require("luafabric.credentials").token(token) }
end

--- The API that is meant, where that is not Fabric's own.
---@param options table  of the command line
---@return string|nil endpoint
function M.endpoint(options)
  local endpoint = options.endpoint or os.getenv("LUAFABRIC_ENDPOINT")
  return endpoint ~= "" and endpoint or nil
end

local function remote(options)
  local endpoint = M.endpoint(options)
  local credential, err = require("luafabric.credentials").default()
  if not credential then return nil, err end
  return { endpoint = endpoint, credential = credential }
end

--- Nothing is begun with nobody to run it as; who that is may have to be found out first.
local function identify(client, credential)
  if not credential.find then return client end
  local found, err = credential:find()
  if not found then return nil, err end
  return client
end

--- A client; in a task, since an emulator takes a moment to start.
---@param on_event nil|fun(event: table)
---@param tell nil|fun(text: string)  is given what the emulator says; default: standard error is
---@param secrets string[]|nil  that are hidden in it
---@return table|nil client
---@return luafabric.Error|nil err
function Connection:client(on_event, tell, secrets)
  local settings, err
  if self.options.local_dir then
    settings, err = self:start_emulator(tell, secrets)
  else
    settings, err = remote(self.options)
  end
  if not settings then return nil, err end
  local client
  client, err = self:new_client(settings, on_event)
  if client then return identify(client, settings.credential) end
  return nil, err
end

--- A client of these settings, with what the command line says; nobody is asked anything.
---@param settings { endpoint: string|nil, credential: luafabric.Credential }
---@param on_event nil|fun(event: table)
---@return table|nil client
---@return luafabric.Error|nil err
function Connection:new_client(settings, on_event)
  settings.route, settings.on_event = self.options.route, on_event
  local ok, client = pcall(require("luafabric.client").new, settings)
  if ok then return client end
  if errors.is(client) then return nil, client end
  return nil, errors.new { kind = "configuration",
    message = (tostring(client):gsub("^[^\n:]+:%d+: ", "")) }
end

--- Ends the loop, and the emulator, if there is one. Twice does no harm.
function Connection:close()
  if self.loop then self.loop:close() end
  self.loop = nil
  local emulator = self.emulator
  self.emulator = nil
  if not emulator then return end
  emulator:kill("TERM")
  emulator:wait(STARTED_EMULATOR_END)
  emulator:close()
end

return M
