-- A service on a store in a scratch folder, in virtual time, and without a server: requests are
-- tables, answers are looked at as a client would, and each is checked against the published
-- interface.

local core = require "luafabric.core"
local json = require "luafabric.json"
local service_module = require "luafabric.service"
local shell = require "spec.support.shell"
local sqlite_store = require "luafabric.store.sqlite"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

local M = {}

M.TOKEN = "a-token-of-sixteen-and-more"

local World = {}
World.__index = World

M.nightly = [[
local fabric = require "luafabric"
return fabric.workflow("Every night", function(flow)
  flow:defaults { workspace = "Sales" }
  local day = flow:input("day", { type = "DateTime", description = "the first day" })
  local count = flow:input("count", { type = "Integer", default = 3 })
  local key = flow:input("api_key", { secret = true, default = "" })
  flow:notebook("ingest", { notebook = "Ingest", parameters = { day = day, count = count,
    key = key } })
end)
]]

M.plain = [[
local fabric = require "luafabric"
return fabric.workflow("plain", function(flow)
  flow:notebook("Report", { workspace = "Sales" })
end)
]]

-- An empty store, as bytes: to make one takes the disk many times as long as to copy one.
local empty_store

local function open_store(path, now)
  if empty_store then
    local file = assert(io.open(path, "wb"))
    file:write(empty_store)
    file:close()
  end
  local store = assert(sqlite_store.open(path, { synchronous = true, now = now }))
  store.db:exec "pragma synchronous = off"
  if not empty_store then
    local file = assert(io.open(path, "rb"))
    empty_store = file:read("*a")
    file:close()
  end
  return store
end

--- A new world; `close` removes it.
---@param options table|nil  of the service
function M.new(options)
  local self = setmetatable({ folder = shell.scratch(), log = {} }, World)
  self.host = virtual.new { handle = function(request) error("sent: " .. request.url) end }
  self.workflows, self.path = self.folder .. "/workflows", self.folder .. "/runs.db"
  assert(shell.run(("mkdir '%s'"):format(self.workflows)) == 0)
  self.store = open_store(self.path, self.host.wall)
  local given = { workflows = self.workflows, store = function() return self.store end,
    client = function() error("the service needs no client to answer") end,
    check = { tokens = { tester = M.TOKEN } }, secrets = { api_key = "hunter2-of-the-night" },
    log = function(text) self.log[#self.log + 1] = text end }
  for name, value in pairs(options or {}) do given[name] = value or nil end
  self.service = service_module.new(given)
  self:write("nightly.lua", M.nightly)
  self:write("plain.lua", M.plain)
  return self
end

function World:close()
  self.store:close()
  shell.remove(self.folder)
end

--- A file of the folder of workflows.
function World:write(name, text)
  local file = assert(io.open(self.workflows .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

--- Runs a function in a task of a loop on the world's host.
function World:run(fn)
  return tasks.blocking(function() return self.host end, fn)
end

local function headers_of(given)
  local headers = { host = "localhost", authorization = "Bearer " .. M.TOKEN }
  for name, value in pairs(given or {}) do headers[name] = value or nil end
  return headers
end

--- The text of a stream, and what it returned; `turns` pauses, then the worker is to leave.
local function drain(stream, turns, on_pause)
  local parts, count = {}, 0
  local told, err = stream(function(text)
    parts[#parts + 1] = text
    return true
  end, function(seconds)
    count = count + 1
    assert(count < 1000, "it waits for ever")
    tasks.sleep(seconds)
    if on_pause then on_pause(count) end
  end, function() return count >= (turns or 0) end)
  return table.concat(parts), told, err
end

--- Sends a request.
---@param method string
---@param target string
---@param given { headers: table|nil, body: any, turns: integer|nil, on_pause: function|nil }|nil
---  headers: false takes one away; body: a table is sent as JSON; turns: of a stream
---@return table response  with `value`, the JSON in its body, and `told` of a stream
function World:ask(method, target, given)
  given = given or {}
  local body, headers = given.body, headers_of(given.headers)
  if type(body) == "table" then body = assert(json.encode(body)) end
  if body and body ~= "" and not (given.headers and given.headers["content-type"] == false) then
    headers["content-type"] = headers["content-type"] or "application/json"
  end
  local response = self:run(function()
    local answer = self.service:handle { method = method, target = target, headers = headers,
      body = body, body_too_large = given.body_too_large, remote = "127.0.0.1" }
    if answer.stream then
      answer.body, answer.told, answer.cut = drain(answer.stream, given.turns, given.on_pause)
    end
    return answer
  end)
  if (response.headers["Content-Type"] or ""):find("json$") and method ~= "HEAD" then
    response.value = assert(json.decode(response.body))
  end
  require("spec.service.published").check(method, target, response)
  return response
end

--- How many orders there are.
function World:ordered()
  return self.store:rows("select count(*) as count from orders")[1].count
end

--- A run that somebody else put into the store; it is held, unless `close` is called.
function World:put(run_id, more, events)
  local given = { run_id = run_id, workflow = "nightly" }
  for name, value in pairs(more or {}) do given[name] = value end
  local run = assert(self.store:create_run(given))
  if events then assert(run:is_durable(assert(run:append(events)))) end
  return run
end

M.id = function() return core.random_hex(6) end

return M
