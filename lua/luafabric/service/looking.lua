--- Looking at what there is: the workflows, and a run.

local core = require "luafabric.core"
local found_run = require "luafabric.service.found"
local problem = require "luafabric.service.problem"
local run_document = require "luafabric.view.run_document"

local M = {}

--- An answer that is JSON.
---@param status integer
---@param text string
---@param headers table<string, string>|nil
---@return luafabric.service.Response
function M.json(status, text, headers)
  local all = { ["Content-Type"] = "application/json" }
  for name, value in pairs(headers or {}) do all[name] = value end
  return { status = status, headers = all, body = text .. "\n" }
end

--- A parameter that is true or false.
---@param query table<string, string>
---@param name string
---@param default boolean
---@return boolean|nil value
---@return luafabric.service.Problem|nil err
function M.flag(query, name, default)
  local value = query[name]
  if value == nil then return default end
  if value == "true" or value == "false" then return value == "true" end
  return nil, problem.new("bad-query", ("%s is true or false"):format(name))
end

--- GET /workflows
---@param service luafabric.Service
---@return luafabric.service.Response|nil response
---@return any err
function M.workflows(service)
  local names, err = service.workflows:names()
  if not names then
    service:log(err.message)
    return nil, problem.new("internal", "the folder of workflows cannot be read; the service's log "
      .. "says why")
  end
  local list = core.json_array {}
  for index, name in ipairs(names) do list[index] = service.workflows:describe(name) end
  return M.json(200, run_document.encode { workflows = list })
end

--- GET /runs/{run}
---@param service luafabric.Service
---@param request luafabric.service.Request
---@return luafabric.service.Response|nil response
---@return any err
function M.run(service, request)
  local has_steps, store, found, text, err
  has_steps, err = M.flag(request.query, "steps", true)
  if has_steps == nil then return nil, err end
  store, err = service:desk()
  if not store then return nil, err end
  found, err = found_run.find(store, request.params.run)
  if not found then return nil, err end
  text, err = found_run.document(service, store, found,
    { step = request.query.step, is_brief = not has_steps })
  if not text then return nil, err end
  return M.json(200, text)
end

return M
