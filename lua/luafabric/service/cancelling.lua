--- Asking for the end of a run: one that only was ordered never starts, one that is carried out is
--- asked for, and who runs it cancels it.

local body = require "luafabric.service.body"
local found_run = require "luafabric.service.found"
local looking = require "luafabric.service.looking"
local orders = require "luafabric.store.orders"
local problem = require "luafabric.service.problem"
local requests = require "luafabric.store.requests"
local run_document = require "luafabric.view.run_document"
local standing = require "luafabric.store.standing"

local M = {}

local known = { now = "boolean" }

local function has_ended(found)
  return nil, problem.new("run-ended", ("the run has ended: %s"):format(
    tostring(found.row.outcome)), { more = { run_id = found.run_id,
    outcome = found.row.outcome } })
end

-- A run that was not ordered here, but started on a command line of this machine.
local function ask_owner(store, found, kind, who)
  if standing.is_left(found.row) then
    return nil, problem.new("nobody-runs-it", "nobody runs the run, so that nobody can cancel it: "
      .. "go on with it by luafabric run --resume, on the machine that started it",
      { more = { run_id = found.run_id } })
  end
  local ok, err = requests.place(store, found.run_id, kind, who)
  if not ok then return nil, err end
  return "asked"
end

local function cancel(store, found, kind, who)
  if found.row.state == "ended" then return has_ended(found) end
  local became, err
  if found.order then
    became, err = orders.cancel(store, found.run_id, kind, who)
  else
    became, err = ask_owner(store, found, kind, who)
  end
  if became then return became end
  if err.store_code ~= "ended" then return nil, err end
  found, err = found_run.exact(store, found.run_id)
  if not found then return nil, err end
  return has_ended(found)
end

--- POST /runs/{run}/cancel
---@param service luafabric.Service
---@param request luafabric.service.Request
---@return luafabric.service.Response|nil response
---@return any err
function M.answer(service, request)
  local mistakes = body.mistakes()
  body.check_fields(request.fields, known, mistakes)
  local err = mistakes:problem "invalid-request"
  if err then return nil, err end
  local store, found, became
  store, err = service:desk()
  if not store then return nil, err end
  found, err = found_run.find(store, request.params.run)
  if not found then return nil, err end
  local kind = request.fields.now and "cancel_now" or "cancel"
  became, err = cancel(store, found, kind, request.who)
  if not became then return nil, err end
  local is_over = became == "cancelled"
  return looking.json(is_over and 200 or 202, run_document.encode { id = found.run_id,
    run_id = found.run_id, state = is_over and "ended" or found.row.state, became = became },
    { Location = "/runs/" .. found.run_id })
end

return M
