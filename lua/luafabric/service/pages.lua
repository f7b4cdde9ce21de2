--- The page for browsers: which file it asks for, and which run it shows. What is in them is for
--- service/page.

local found_run = require "luafabric.service.found"
local problem = require "luafabric.service.problem"

local M = {}

--- GET /, /page.css, /page.js
---@param request luafabric.service.Request
---@return luafabric.service.Response|nil response
---@return luafabric.service.Problem|nil err
function M.asset(_, request)
  local response = require("luafabric.service.page").asset(request.path, request.headers)
  if response then return response end
  return nil, problem.new("no-such-path", "there is nothing of that path")
end

-- Whether its workflow is still here; only a run that has ended is asked for.
local function can_repair(service, store, found)
  if found.row.state ~= "ended" then return nil end
  return require("luafabric.service.repair").subject(service, store, found.run_id) ~= nil
end

--- GET /runs/{run}/view
---@param service luafabric.Service
---@param request luafabric.service.Request
---@return luafabric.service.Response|nil response
---@return any err
function M.view(service, request)
  local store, err = service:desk()
  if not store then return nil, err end
  local found
  found, err = found_run.find(store, request.params.run)
  if not found then return nil, err end
  local state, count
  if found.is_run then
    state, count = found_run.state(service, store, found)
    if not state then return nil, count end
  end
  return require("luafabric.service.page").view({ run_id = found.run_id, now = store.now(),
    state = state, last_event = count, row = found.is_run and found.row or nil,
    order = found.order, can_repair = can_repair(service, store, found) }, request.headers)
end

return M
