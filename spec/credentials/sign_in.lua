-- Sign-ins over real sockets: a server of its own, a loop on the plain host, and what was sent.

local json = require "luafabric.json"
local process = require "spec.support.process"
local shell = require "spec.support.shell"
local tasks = require "luafabric.tasks"

local M = {}

--- Starts an emulator with these options of the service.
---@param options table
---@return table server  { url, told = fun(): table[], close }
function M.serve(options)
  local folder = shell.scratch()
  local path = folder .. "/options.json"
  local file = assert(io.open(path, "wb"))
  file:write(assert(json.encode(options)))
  file:close()
  local server = process.start("spec/credentials/sign_in_server.lua", { path })
  shell.remove(folder)

  --- The requests that it was sent, in order.
  function server.told()
    local body
    M.run(function() body = tasks.request { method = "GET", url = server.url .. "/told" }.body end)
    return assert(json.decode(body))
  end

  return server
end

--- Runs fn in a task on the plain host; what it raises is raised here.
---@param fn fun(host: table, loop: table)
---@param options table|nil  of the host
function M.run(fn, options)
  local host = require("luafabric.hosts.plain").new(options)
  local loop = tasks.new(host)
  local ok, err = loop:run(loop:spawn(fn, host, loop))
  loop:close()
  if not ok then error(err.value or err, 0) end
end

--- The token of a credential, or nil and the error.
function M.token(credential)
  local token, err
  M.run(function() token, err = credential:token() end)
  return token, err
end

--- A form as a table.
function M.form(body)
  return require("luafabric.emulator.routes").query(body)
end

return M
