-- The published interface against the server that publishes it, by validators from npm: the
-- document is valid, and every answer of a table of requests, good and bad, is as it says. A script
-- of its own, for ./dev interface; a spec runs it where the validators are installed.

local json = require "luafabric.json"
local nginx_world = require "spec.nginx.world"
local prism_module = require "spec.interface.prism"
local requests = require "spec.interface.requests"
local service_server = require "spec.support.service_server"
local service_world = require "spec.service.world"
local shell = require "spec.support.shell"
local store_world = require "spec.cli.store_world"
local story = require "spec.view.story"

local M = {}

local TOKEN = nginx_world.TOKEN

local Check = {}
Check.__index = Check

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local MENDED = [[
return require("luafabric").workflow("mended", function(flow)
  flow:notebook("c", { workspace = "Sales" })
  flow:notebook("d", { workspace = "Sales" })
end)
]]

--- A store with runs that ended, one that goes on and one that nobody runs, and workflows.
local function new_world()
  local world = store_world.new()
  world:put_whole()
  local told = story.new({ "a", "b" }, { run_id = "aaaaaabb0000", workflow = "held" })
  told:run("a", 60):start("b")
  world:put(told.events)
  told = story.new({ "a" }, { run_id = "cccccc000000", workflow = "left" })
  world:as_somebody_gone(function() world:put(told.events) end)
  told = story.new({ "c", "d" }, { run_id = "dddddd000000", workflow = "mended" })
  told:run("c", 60):run("d", 5, "failed"):done "failed"
  world:put(told.events):close()
  world.workflows = world.folder .. "/workflows"
  assert(shell.run(("mkdir '%s'"):format(world.workflows)) == 0)
  write(world.workflows .. "/nightly.lua", service_world.nightly)
  write(world.workflows .. "/plain.lua", service_world.plain)
  write(world.workflows .. "/mended.lua", MENDED)
  return world
end

function Check:note(ok, what, why)
  if ok then
    self.passed = self.passed + 1
    return
  end
  self.failed = self.failed + 1
  self.tell(("failed: %s: %s"):format(what, why))
end

local function headers_of(given, body)
  local headers = { Authorization = "Bearer " .. TOKEN }
  if body then headers["Content-Type"] = "application/json" end
  for name, value in pairs(given or {}) do
    if name == "authorization" then headers.Authorization = nil end
    if name == "content-type" then headers["Content-Type"] = nil end
    headers[name] = value or nil
  end
  return headers
end

--- One request, and what the validator says of its answer. A bad one has not always the status
--- that it has without a proxy: Prism reads JSON and writes it anew.
---@return boolean is_answered  false: Prism did not pass it on
function Check:ask(prism, case, is_good)
  local given = case[4] or {}
  local body = type(given.body) == "table" and assert(json.encode(given.body)) or given.body
  local completion, found = prism:ask { method = case[2], target = case[3], body = body,
    headers = headers_of(given.headers, body) }
  local what = ("%s (%s %s)"):format(case[1], case[2], case[3]:sub(1, 60))
  local wrong, status = found.response, completion.status
  if completion.failure then
    wrong = { completion.failure.message .. "; Prism said: " .. prism.said }
  elseif is_good and status ~= case[5] or status >= 500 then
    wrong = { ("status %d, expected %d: %s"):format(status, case[5], completion.body:sub(1, 300)) }
  elseif not completion.headers["x-content-type-options"] then
    return false
  elseif is_good and status < 300 and #wrong == 0 then
    wrong = found.request
  end
  self:note(#wrong == 0, what, table.concat(wrong, "; "))
  return true
end

-- Those of the transport.
local methods = { GET = true, POST = true, PUT = true, PATCH = true, DELETE = true }

-- Prism itself ends at what JavaScript cannot decode.
local function is_decodable(target)
  local text = target:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end)
  return not target:gsub("%%%x%x", ""):find("%", 1, true) and json.encode(text) ~= nil
end

-- Targets and bodies that no client behind a proxy can send: they never come as far as the server.
local function can_be_sent(case)
  local given = case[4] or {}
  if not is_decodable(case[3]) then return false end
  return methods[case[2]] and case[3]:find("^/") and not given.body_too_large
    and not case[3]:find("[%c%s#\127-\255\\]") and not case[3]:find("/%.%.?/")
    and not case[3]:lower():find("%%2e") and #case[3] < 2000
end

local function bad_cases()
  local ok, list = pcall(require, "spec.service.bad_requests")
  local cases, left_out = {}, 0
  for _, entry in ipairs(ok and list or {}) do
    local case = { entry[1], entry[2], entry[3], entry[6], entry[4] }
    if can_be_sent(case) then cases[#cases + 1] = case else left_out = left_out + 1 end
  end
  return cases, left_out
end

function Check:run_on(server, folder, what)
  local path = folder .. "/openapi.json"
  local completion = require("spec.curl.support").one { url = server.url .. "/openapi.json",
    headers = headers_of() }
  write(path, self.change(completion.body))
  local is_valid, said = prism_module.validate(path)
  self:note(is_valid, "the document", said)
  local prism = prism_module.start(path, server.url)
  for _, case in ipairs(requests.good) do self:ask(prism, case, true) end
  local bad, left_out = bad_cases()
  local count = 0
  for _, case in ipairs(bad) do count = count + (self:ask(prism, case, false) and 1 or 0) end
  prism:close()
  self.tell(("%d good and %d bad requests through Prism to %s; %d more cannot be sent through it")
    :format(#requests.good, count, what, left_out + #bad - count))
end

--- nginx where it is, else a small server on luv; without an engine: what is ordered stays queued.
---@return table server  { url, close = function }
---@return string what
local function start_server(world)
  if nginx_world.missing() then
    return service_server.start { store = world.path, workflows = world.workflows,
      token = TOKEN }, "a small server on luv"
  end
  local server = nginx_world.start { replace = { { "service:start()", "" },
    { 'home .. "workflows"', ("%q"):format(world.workflows) },
    { 'home .. "runs.db"', ("%q"):format(world.path) } } }
  return { url = server.url, close = function() server:close() end }, "nginx"
end

--- Runs it all.
---@param tell fun(text: string)  is given what failed
---@param change nil|fun(document: string): string  what the document says instead, so that it fails
---@return integer passed
---@return integer failed
function M.run(tell, change)
  local self = setmetatable({ tell = tell, passed = 0, failed = 0,
    change = change or function(document) return document end }, Check)
  local world = new_world()
  local server, what = start_server(world)
  local ok, err = pcall(self.run_on, self, server, world.folder, what)
  server.close()
  world:close()
  if not ok then self:note(false, "the check itself", tostring(err)) end
  return self.passed, self.failed
end

if arg and (arg[0] or ""):find("interface/check.lua", 1, true) then
  local passed, failed = M.run(print)
  print(("%d passed, %d failed"):format(passed, failed))
  os.exit(failed == 0 and 0 or 1)
end

return M
