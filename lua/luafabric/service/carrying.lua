--- What an order says is to be run, as `definition:run` takes it, and what its failure means.

local again = require "luafabric.engine.again"
local messages = require "luafabric.store.sqlite_messages"
local notebook_workflow = require "luafabric.service.notebook_workflow"

local M = {}

--- Options of an order that are options of a run.
local passed_on = { "submission", "exclusive", "timeout", "deadline", "max_concurrency",
  "exit_values" }

--- The workflow of an order. Of a notebook's it is made of what was asked; `options.notebook` says
--- what was asked for the run that a repair repairs.
---@param service luafabric.Service
---@param order luafabric.OrderRow
---@return luafabric.Definition|nil definition
---@return luafabric.Error|nil err
function M.definition(service, order)
  local options = order.options or {}
  if order.kind == "notebook" then return notebook_workflow.new(order.inputs) end
  if options.notebook then return notebook_workflow.new(options.notebook) end
  return service:workflow(order.workflow)
end

--- What was ordered, with the secrets that are written down nowhere.
local function inputs_of(order, secrets)
  local inputs = {}
  if order.kind ~= "notebook" then
    for name, value in pairs(order.inputs or {}) do inputs[name] = value end
  end
  for name, value in pairs(secrets) do inputs[name] = value end
  return inputs
end

--- The options of its run, without client and listeners.
---@param service luafabric.Service
---@param order luafabric.OrderRow
---@param definition luafabric.Definition
---@param row luafabric.RunRow|nil  there is a run already, which is taken up again
---@return luafabric.WorkflowRunOptions|nil options
---@return luafabric.Error|nil err  a secret cannot be had
function M.options(service, order, definition, row)
  local given = order.options or {}
  local secrets, err = service:secrets_of(definition)
  if not secrets then return nil, err end
  if row then return { resume = order.run_id, inputs = secrets } end
  local options = { run_id = order.run_id, inputs = inputs_of(order, secrets),
    key = order.key or false }
  for _, name in ipairs(passed_on) do options[name] = given[name] end
  if order.kind == "notebook" then
    options.exit_values = order.inputs.exit_value ~= false
  elseif order.kind == "repair" then
    options.repair, options.only, options.again = given.parent, given.only, given.again
    options.key = order.key
  end
  return options
end

--- Why it could not begin, in one sentence for whoever asked.
---@param err luafabric.Error|any  what was returned, or raised
---@return string
function M.problem(err)
  return (tostring(err):match "^[^\n]*")
end

--- Marks an error that is the service's own, whatever is ordered.
---@param err luafabric.Error
---@return luafabric.Error
function M.of_service(err)
  err.of_service = true
  return err
end

--- Whether it is worth another try: what is away may come back, and a service that is set up wrong,
--- such as with a credential that is let in nowhere, is mended without its orders being lost.
---@param err luafabric.Error|any
---@return boolean
function M.may_pass(err)
  return type(err) == "table" and (err.of_service or err.kind == "timeout"
    or err.kind == "unauthorized" or again.is_passing(err) or messages.is_passing(err)) == true
end

return M
