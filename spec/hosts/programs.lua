-- Starts the programs of spec/hosts/programs, each as a process of its own with the Lua and the
-- build that it needs, and says why not where something is missing.

local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local shell = require "spec.support.shell"

local M = {}

local builds = { ["lua5.4"] = "build", ["lua5.3"] = "build/lua5.3", ["lua5.1"] = "build/lua5.1",
  luajit = "build/lua5.1" }

local function exists(path)
  local file = io.open(path, "r")
  if file then file:close() end
  return file ~= nil
end

--- What is missing to run a program; nil where nothing is.
---@param needs { lua: string|nil, build: string|nil, module: string|nil, command: string|nil,
---  file: string|nil, package: string }
---@return string|nil reason
function M.missing(needs)
  local build = needs.build or builds[needs.lua]
  if not exists(build .. "/lib/luafabric/curl.so") then return "there is no build in " .. build end
  for _, command in ipairs { needs.lua or false, needs.command or false } do
    if command and shell.run("command -v " .. command) ~= 0 then
      return command .. " is not installed"
    end
  end
  local is_there = not needs.file or exists(needs.file)
  if needs.module then
    is_there = shell.run(("%s -e 'require \"%s\"'"):format(needs.lua, needs.module)) == 0
  end
  return not is_there and ("the package %s is not installed"):format(needs.package) or nil
end

--- The servers of the scenario, and a folder.
---@return table world
function M.world()
  local world = { dir = shell.scratch() }
  world.fabric = process.start "spec/hosts/scenario_server.lua"
  world.faults = process.start "spec/curl/fault_server.lua"
  world.tls = nginx.start(world.fabric.port)
  function world.close()
    world.fabric.close()
    world.faults.close()
    world.tls.close()
    shell.remove(world.dir)
  end
  return world
end

local count = 0

--- The environment of a program.
function M.environment(world, host, build)
  count = count + 1
  local _, here = shell.run "pwd"
  here = here:gsub("%s+$", "")
  return {
    LUA_PATH = ("%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua;;"):format(here, here, here),
    LUA_CPATH = ("%s/%s/lib/?.so;;"):format(here, build), LD_PRELOAD = "",
    SCENARIO_ENDPOINT = world.fabric.url .. "/v1", SCENARIO_FAULTS = world.faults.url,
    SCENARIO_TLS = world.tls.url, SCENARIO_OTHER_TLS = world.tls.other_url,
    SCENARIO_EXPIRED_TLS = world.tls.expired_url, SCENARIO_CA_FILE = world.tls.ca_file,
    SCENARIO_HOST = host, SCENARIO_STORE = ("%s/%d.db"):format(world.dir, count),
    SCENARIO_OUTPUT = ("%s/%d.txt"):format(world.dir, count),
    SCENARIO_FIGURES = world.figures and "yes" or nil,
  }, here
end

--- Starts a command; ended with `child:close()`.
function M.start(args, environment)
  return assert(require("luafabric.core").spawn { args = args, env = environment, stdout = "pipe",
    stderr = "pipe" })
end

--- Runs a command to its end.
---@return string output  both of its outputs
function M.run(args, environment)
  local core = require "luafabric.core"
  local child, parts, deadline = M.start(args, environment), {}, core.monotonic() + 60
  while true do
    local out, problem = child:read(), child:read_error()
    parts[#parts + 1] = (out or "") .. (problem or "")
    if not out and not problem then break end
    assert(core.monotonic() < deadline, "it does not end: " .. table.concat(parts))
    child:wait(0.01)
  end
  child:close()
  return table.concat(parts)
end

--- Runs a Lua program.
---@return string output
function M.run_lua(world, interpreter, name)
  return M.run({ interpreter, "spec/hosts/programs/" .. name .. ".lua" },
    (M.environment(world, name, builds[interpreter])))
end

--- A configuration from its template.
---@return string path
function M.configure(world, name, values)
  local file = assert(io.open("spec/hosts/programs/" .. name, "r"))
  local text = nginx.fill(file:read("*a"), values)
  file:close()
  local path = world.dir .. "/" .. name
  file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

--- What Neovim needs, for `missing`; likewise below.
M.neovim_needs = { command = "nvim", build = "build/lua5.1", package = "neovim" }

--- Runs the scenario in Neovim, twice.
---@return string output
function M.run_neovim(world)
  local environment = M.environment(world, "luv", "build/lua5.1")
  M.run({ "nvim", "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c",
    "luafile spec/hosts/programs/neovim.lua", "-c", "qa!" }, environment)
  return select(2, shell.run("cat " .. environment.SCENARIO_OUTPUT))
end

M.nginx_needs = { file = "/usr/lib/nginx/modules/ngx_http_lua_module.so", build = "build/lua5.1",
  package = "libnginx-mod-http-lua" }

--- Starts nginx with programs/nginx.conf.
---@return table child
---@return string url
function M.start_nginx(world)
  local environment = M.environment(world, "nginx", "build/lua5.1")
  local port = nginx.free_ports(1)[1]
  local path = M.configure(world, "nginx.conf", { dir = world.dir, port = port,
    user = select(2, shell.run "id -un"):gsub("%s", ""), lua_path = environment.LUA_PATH,
    lua_cpath = environment.LUA_CPATH })
  return M.start({ "/usr/sbin/nginx", "-c", path, "-p", world.dir, "-e",
    world.dir .. "/error.log" }, environment), "http://127.0.0.1:" .. port
end

M.haproxy_needs = { command = "haproxy", build = "build/lua5.3", package = "haproxy" }

--- Starts HAProxy with programs/haproxy.cfg.
---@return table child
---@return string url
function M.start_haproxy(world)
  local environment, here = M.environment(world, "haproxy", "build/lua5.3")
  local port = nginx.free_ports(1)[1]
  local path = M.configure(world, "haproxy.cfg", { port = port, lua_path = environment.LUA_PATH,
    lua_cpath = environment.LUA_CPATH, program = here .. "/spec/hosts/programs/haproxy.lua" })
  return M.start({ "haproxy", "-db", "-f", path }, environment), "http://127.0.0.1:" .. port
end

--- What a server answers; it is given time to start.
---@return string body
function M.get(child, url)
  local transport = require("luafabric.curl").transport()
  for _ = 1, 1000 do
    transport:start { method = "GET", url = url, timeout = 30 }
    local completion = transport:wait(60)[1]
    assert(completion, "the server does not answer")
    if completion.sent ~= "no" then
      transport:close()
      return completion.failure and completion.failure.message or completion.body
    end
    assert(not child:wait(0.01), "the server did not start: " .. tostring(child:read_error()))
  end
  error("the server does not answer")
end

return M
