-- examples/nginx as it stands, with a port of its own and workflows for specs, in front of a Fabric
-- without Jupyter: a real nginx with two workers.

local core = require "luafabric.core"
local curl = require "luafabric.curl"
local json = require "luafabric.json"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local programs = require "spec.hosts.programs"
local shell = require "spec.support.shell"

local M = {}

M.TOKEN = "a-token-of-sixteen-and-more"

local World = {}
World.__index = World

local workflows = {
  two = [[
    local fabric = require "luafabric"
    return fabric.workflow("two", function(flow)
      flow:defaults { workspace = "Sales", exclusive = true }
      local seconds = flow:input("seconds", { type = "Number", default = 0.05 })
      flow:input("label", { default = "" })
      local first = flow:notebook("first", { notebook = "Step",
        parameters = { seconds = seconds } })
      flow:notebook("second", { notebook = "Other", after = { first },
        parameters = { seconds = seconds } })
    end)]],
  flaky = [[
    local fabric = require "luafabric"
    return fabric.workflow("flaky", function(flow)
      flow:defaults { workspace = "Sales", exclusive = true }
      local first = flow:notebook("first", { notebook = "Step" })
      flow:notebook("second", { notebook = "Flaky", after = { first } })
    end)]],
}

--- What is missing here; nil where nothing is.
function M.missing() return programs.missing(programs.nginx_needs) end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function read(path)
  local file = assert(io.open(path, "r"))
  local text = file:read("*a")
  file:close()
  return text
end

--- Starts both.
---@param given { more_workflows: table<string, string>|nil, replace: string[][]|nil,
---  fabric: table|nil }|nil  replace: pairs of a plain text of nginx.conf and what stands there
---  instead
---@return table world
function M.start(given)
  given = given or {}
  local self = setmetatable({ dir = shell.scratch() }, World)
  self.fabric = given.fabric or process.start "spec/nginx/fabric_server.lua"
  self.port = nginx.free_ports(1)[1]
  self.url = "http://127.0.0.1:" .. self.port
  assert(shell.run(("cd %s && mkdir logs temp workflows && chmod 755 ."):format(self.dir)) == 0)
  for _, list in ipairs { workflows, given.more_workflows or {} } do
    for name, text in pairs(list) do
      write(("%s/workflows/%s.lua"):format(self.dir, name), text)
    end
  end
  write(self.dir .. "/tokens", "tester " .. M.TOKEN .. "\n")
  local text = read("examples/nginx/nginx.conf"):gsub("127%.0%.0%.1:8080",
    "127.0.0.1:" .. self.port)
  for _, pair in ipairs(given.replace or {}) do
    local first, last = text:find(pair[1], 1, true)
    assert(first, "nginx.conf has no " .. pair[1])
    text = text:sub(1, first - 1) .. pair[2] .. text:sub(last + 1)
  end
  write(self.dir .. "/nginx.conf", text)
  self:start_nginx()
  return self
end

function World:start_nginx()
  local _, here = shell.run "pwd"
  here = here:gsub("%s+$", "")
  local user = select(2, shell.run "id -un"):gsub("%s", "")
  self.child = programs.start({ "/usr/sbin/nginx", "-p", self.dir .. "/", "-c",
    self.dir .. "/nginx.conf", "-e", self.dir .. "/logs/error.log", "-g", "user " .. user .. ";" },
    { LUA_PATH = ("%s/lua/?.lua;%s/lua/?/init.lua;;"):format(here, here),
      LUA_CPATH = ("%s/build/lua5.1/lib/?.so;;"):format(here), LD_PRELOAD = "",
      LUAFABRIC_ENDPOINT = self.fabric.url .. "/v1", LUAFABRIC_TOKEN = "any" })
  self.transport = self.transport or curl.transport()
  for _ = 1, 1000 do
    local answer = self:ask("GET", "/healthz")
    if answer.status then return end
    assert(not self.child:wait(0.01), "nginx did not start: " .. self:log())
  end
  error("nginx does not answer: " .. self:log())
end

--- What nginx said.
function World:log()
  return select(2, shell.run(("cat %s/logs/error.log"):format(self.dir)))
end

--- Writes a file of its folder.
function World:write(name, text) write(self.dir .. "/" .. name, text) end

--- Asks; the answer with `fields`, where its body is an object.
---@param method string
---@param path string
---@param fields table|string|nil   the body
---@param headers table|nil
---@return table completion
function World:ask(method, path, fields, headers)
  local all = { Authorization = "Bearer " .. M.TOKEN }
  if fields then all["Content-Type"] = "application/json" end
  for name, value in pairs(headers or {}) do all[name] = value or nil end
  local id = self.transport:start { method = method, url = self.url .. path, headers = all,
    body = type(fields) == "table" and json.encode(fields) or fields or nil, timeout = 30 }
  local deadline = core.monotonic() + 30
  while core.monotonic() < deadline do
    for _, event in ipairs(self.transport:wait(30)) do
      if event.id == id then
        event.fields = event.body:find("^%s*{") and json.decode(event.body) or nil
        return event
      end
    end
  end
  error("no answer to " .. path)
end

--- Orders a run, and gives its id.
function World:order(workflow, inputs, headers)
  local answer = self:ask("POST", ("/workflows/%s/runs"):format(workflow),
    { inputs = inputs }, headers)
  assert(answer.status == 202, tostring(answer.status) .. " " .. answer.body)
  return answer.fields.id
end

--- Asks until the answer is as wanted, within bounds.
---@param path string
---@param is_wanted fun(fields: table): boolean
---@return table fields
function World:until_answer(path, is_wanted)
  local deadline, answer = core.monotonic() + 60, self:ask("GET", path)
  repeat
    if answer.fields and is_wanted(answer.fields) then return answer.fields end
    self.transport:wait(0.05)
    answer = self:ask("GET", path)
  until core.monotonic() > deadline
  error(("%s: not as wanted: %s\n%s"):format(path, answer.body or "no answer", self:log()))
end

--- Waits for the end of a run.
---@return table fields
function World:ended(id)
  return self:until_answer("/runs/" .. id, function(fields) return fields.state == "ended" end)
end

--- How many runs the Fabric started.
function World:started()
  local id = self.transport:start { method = "GET", url = self.fabric.url .. "/emulator/state" }
  while true do
    for _, event in ipairs(self.transport:wait(10)) do
      if event.id == id then return json.decode(event.body).runs_started end
    end
  end
end

--- The processes of the workers, and of those that are leaving.
---@return integer[] pids
function World:workers()
  local _, output = shell.run("pgrep -P " .. self.child.pid)
  local pids = {}
  for pid in output:gmatch("%d+") do pids[#pids + 1] = tonumber(pid) end
  return pids
end

--- The worker that carries out the orders; nil while none does.
---@return integer|nil pid
function World:engine_worker()
  local store = assert(require("luafabric.store.sqlite").open(self.dir .. "/runs.db"))
  local row = require("luafabric.store.lease").look(store, require("luafabric.store.orders").LEASE)
  store:close()
  if not row or not row.held then return nil end
  return tonumber(require("luafabric.store.owner").pid(row.owner))
end

--- Sends a signal to the master.
function World:signal(name) self.child:kill(name) end

function World:close()
  self.child:close()
  if self.fabric then self.fabric.close() end
  shell.remove(self.dir)
end

return M
