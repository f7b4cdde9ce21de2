--- A run that a path names: one of the store, an order that is none yet, or an order that never
--- became one; for whoever looks they are the same thing.

local core = require "luafabric.core"
local history = require "luafabric.history"
local json = require "luafabric.json"
local orders = require "luafabric.store.orders"
local outline = require "luafabric.store.outline"
local problem = require "luafabric.service.problem"
local stored_run = require "luafabric.view.stored_run"

local M = {}

---@class luafabric.service.Found
---@field run_id string
---@field row luafabric.RunRow          of an order that is no run one that looks like it
---@field order luafabric.OrderRow|nil  it was ordered here
---@field is_run boolean                it is in the store's table of runs

--- What an order is called that never became a run.
local ends = { refused = "rejected", cancelled = "cancelled" }

local function inputs_of(order)
  local list, names = json.array {}, {}
  for name in pairs(type(order.inputs) == "table" and order.inputs or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  for index, name in ipairs(names) do
    list[index] = { name = name, value = order.inputs[name] }
  end
  return list
end

--- A row for what is no run, or not yet.
local function row_of_order(order)
  local outcome = ends[order.state]
  local options = order.options or {}
  return { run_id = order.run_id, workflow = options.title or order.workflow, key = order.key,
    state = outcome and "ended" or "queued", outcome = outcome, orphaned = false,
    inputs = order.kind ~= "notebook" and inputs_of(order) or nil, parent = options.parent }
end

--- A run with what was ordered of it. Between two engines nobody runs a run that was ordered, and
--- it is nobody's orphan: the next one takes it up.
---@param row luafabric.RunRow|nil
---@param order luafabric.OrderRow|nil
---@return luafabric.service.Found
function M.of(row, order)
  if row and order and row.state ~= "ended" then row.orphaned = false end
  return { run_id = (row or order).run_id, row = row or row_of_order(order), order = order,
    is_run = row ~= nil }
end

local function ambiguous()
  return nil, problem.new("ambiguous-run", "several runs begin so: give more of the id")
end

local function unknown()
  return nil, problem.new("unknown-run", "there is no run of that id here")
end

local function is_id(text)
  return text:find("^[%w_.-]+$") ~= nil and #text <= 128
end

-- What a look into a table gave: a row, or none; anything else is the store's.
local function looked(row, err)
  if row or err.kind == "not_found" then return row end
  if err.kind == "usage" then return ambiguous() end
  return nil, err
end

-- The row of this very id: others may begin so.
local function exact(run_id, row, err)
  if row then return row.run_id == run_id and row or nil end
  if err.kind == "not_found" or err.kind == "usage" then return nil end
  return nil, err
end

--- The run of a whole id.
---@param store luafabric.SqliteStore
---@param run_id string
---@return luafabric.service.Found|nil found  nil without an error: there is none
---@return luafabric.Error|nil err
function M.exact(store, run_id)
  local row, err = exact(run_id, store:find(run_id))
  if err then return nil, err end
  local order
  order, err = exact(run_id, orders.find(store, run_id))
  if err or not row and not order then return nil, err end
  return M.of(row, order)
end

--- The run of an id, or the only one whose id begins so.
---@param store luafabric.SqliteStore
---@param prefix string
---@return luafabric.service.Found|nil found
---@return luafabric.service.Problem|luafabric.Error|nil err
function M.find(store, prefix)
  if not is_id(prefix) then return unknown() end
  local found, err = M.exact(store, prefix)
  if found or err then return found, err end
  local row, order
  row, err = looked(store:find(prefix))
  if err then return nil, err end
  order, err = looked(orders.find(store, prefix))
  if err then return nil, err end
  if row and order and row.run_id ~= order.run_id then return ambiguous() end
  if row or order then return M.exact(store, (row or order).run_id) end
  return unknown()
end

-- ---- what is said of it ----

local function time(seconds)
  return seconds and core.format_time(seconds) or json.null
end

local function order_fields(order)
  if not order then return json.null end
  return { kind = order.kind, state = order.state, by = order.by, at = time(order.at),
    problem = order.problem or json.null }
end

-- What is known without a look at its events.
local function state_of_row(row)
  local state = history.new()
  for _, field in ipairs { "run_id", "workflow", "file", "outcome", "started_at", "ended_at",
    "parent", "inputs" } do
    state[field] = row[field]
  end
  state.detached = row.state == "detached" or nil
  return state
end

--- The state of a run, from its events.
---@param service luafabric.Service
---@param store luafabric.SqliteStore
---@param found luafabric.service.Found
---@return luafabric.WorkflowRun|nil state  of what is no run yet: without a step
---@return integer|luafabric.Error count    of events; or the error
function M.state(service, store, found)
  if not found.is_run then return state_of_row(found.row), 0 end
  return service.states:fold(store, found.row)
end

-- Fields that the service has beside those of the command's document.
local function more_fields(store, found)
  local short_id, err = found.run_id, nil
  if found.is_run then short_id, err = outline.short_id(store, found.run_id) end
  if not short_id then return nil, err end
  local order = found.order
  return { short_id = short_id, order = order_fields(order),
    problem = order and order.problem or json.null }
end

--- The document of a run: what `luafabric show --output json` prints, and what was ordered.
---@param service luafabric.Service
---@param store luafabric.SqliteStore
---@param found luafabric.service.Found
---@param given { step: string|nil, is_brief: boolean|nil }|nil  step: the path of one, which alone
---  is told, with its requests; is_brief: no step at all, and nothing that its events know
---@return string|nil text
---@return luafabric.service.Problem|luafabric.Error|nil err
function M.document(service, store, found, given)
  given = given or {}
  local state, err
  if given.is_brief then
    state = state_of_row(found.row)
  else
    state, err = M.state(service, store, found)
  end
  if not state then return nil, err end
  local step = given.step and state.steps[given.step]
  if given.step and not step then
    return nil, problem.new("unknown-step", "the run has no step of that path")
  end
  local more
  more, err = more_fields(store, found)
  if not more then return nil, err end
  return stored_run.document(found.row, state, { step = step, more = more })
end

--- The line of a list: what `luafabric runs --output json` prints of it, and what was ordered.
---@param service luafabric.Service
---@param store luafabric.SqliteStore
---@param found luafabric.service.Found
---@return table|nil fields
---@return luafabric.Error|nil err
---@return luafabric.Error|nil problem  its events cannot be read
function M.list_fields(service, store, found)
  local entry, err, trouble = { id = found.run_id }, nil, nil
  if found.is_run then
    entry, err, trouble = stored_run.entry(store, found.row, function(...)
      return service.states:fold(...)
    end)
  end
  if not entry then return nil, err end
  local fields = stored_run.entry_fields(found.row, entry)
  fields.order = order_fields(found.order)
  fields.problem = found.order and found.order.problem or json.null
  return fields, nil, trouble
end

return M
