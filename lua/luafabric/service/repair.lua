--- Which run a repair is of, with which workflow, and whether there is anything to repair: found
--- out before the repair is ordered.

local body = require "luafabric.service.body"
local errors = require "luafabric.errors"
local found_run = require "luafabric.service.found"
local inputs = require "luafabric.service.inputs"
local problem = require "luafabric.service.problem"
local repairing = require "luafabric.workflow.repairing"
local run_key = require "luafabric.workflow.run_key"

local M = {}

local function refuse(kind, run_id, message, ...)
  return nil, problem.new(kind, message:format(...), { more = { run_id = run_id } })
end

---@class luafabric.service.Subject  a run that is to be repaired
---@field run_id string
---@field found luafabric.service.Found
---@field workflow string       what its order calls it
---@field title string          what the run calls it
---@field notebook table|nil    the order that it came of, where that was one of a notebook

-- The name that a run's file has in the folder of workflows, where it was not ordered here.
local function name_of_file(service, row)
  local file = row.file and row.file:match("([^/]+)%.%a+$")
  for _, name in ipairs { file or row.workflow, row.workflow } do
    local definition = service:workflow(name)
    if definition and definition.name == row.workflow then return name end
  end
end

--- The run of an id, and what a repair of it is called.
---@param service luafabric.Service
---@param store luafabric.SqliteStore
---@param prefix string
---@return luafabric.service.Subject|nil subject
---@return any err
function M.subject(service, store, prefix)
  local found, err = found_run.find(store, prefix)
  if not found then return nil, err end
  local order, row, run_id = found.order, found.row, found.run_id
  if row.state ~= "ended" then
    return refuse("run-not-ended", run_id, "the run has not ended: wait for its end, or cancel it")
  end
  if not found.is_run then
    return refuse("nothing-to-repair", run_id, "the run never began: order it anew")
  end
  local workflow = order and order.workflow or name_of_file(service, row)
  if not workflow then
    return refuse("unknown-workflow", run_id, "the folder of workflows has no file of the run's "
      .. "workflow, %s", row.workflow)
  end
  local notebook = order and (order.kind == "notebook" and order.inputs
    or order.options and order.options.notebook) or nil
  return { run_id = run_id, found = found, workflow = workflow, title = row.workflow,
    notebook = notebook }
end

local function definition_of(service, subject)
  if subject.notebook then
    return require("luafabric.service.notebook_workflow").new(subject.notebook)
  end
  local definition, err = service:workflow(subject.workflow)
  if definition and definition.name ~= subject.title then
    return refuse("unknown-workflow", subject.run_id, "the file %s is one of the workflow %s now, "
      .. "and the run is one of %s", subject.workflow, definition.name, subject.title)
  end
  return definition, err
end

-- A file that is not there any more, or has a mistake.
local function broken(err, run_id)
  if not errors.is(err) then return err end
  local kind = err.kind == "not_found" and "unknown-workflow" or "broken-workflow"
  return select(2, refuse(kind, run_id, "%s", err.message))
end

-- Another repair that is in the way; the command's own sentence names commands of this machine.
local function other_repair(err, run_id)
  if not err.other_repair then return err end
  local message = err.other_step and ("run %s repaired it, and its step %s may still run: repair "
    .. "that one"):format(err.other_repair, err.other_step)
    or ("run %s repairs it, and has not ended: look at that one, or cancel it"):format(
      err.other_repair)
  return select(2, refuse("being-repaired", run_id, "%s", message))
end

-- What is wrong with the names of steps, in the words of a request.
local function wrong_steps(err)
  local mistakes = body.mistakes()
  mistakes:add("/only", "%s", (err.message:gsub("%-%-only", "`only`")))
  return mistakes:problem "invalid-request"
end

-- What the repair takes from the run; secrets are configured.
local function kept_inputs(state, declared)
  local is_declared, kept = {}, {}
  for _, input in ipairs(declared) do is_declared[input.name] = true end
  for _, entry in ipairs(state.inputs) do
    if is_declared[entry.name] and not entry.secret then kept[entry.name] = entry.value end
  end
  return kept
end

--- Whether the repair can be made.
---@param service luafabric.Service
---@param store luafabric.SqliteStore
---@param subject luafabric.service.Subject
---@param fields table     of the request
---@param run_id string    the repair's
---@return string|nil key  of the repair; nil without an error: it has none
---@return any err
function M.check(service, store, subject, fields, run_id)
  local row, state = repairing.find(store, subject.run_id)
  if not row then return nil, state end
  if repairing.is_whole(state, { only = fields.only, inputs = fields.inputs }) then
    return refuse("nothing-to-repair", subject.run_id, "the run succeeded; `only` runs steps of it "
      .. "again")
  end
  local definition, ok, plan, key, err
  definition, err = definition_of(service, subject)
  if not definition then return nil, broken(err, subject.run_id) end
  ok, err = repairing.check_others(store, state)
  if not ok then return nil, other_repair(err, subject.run_id) end
  plan, err = inputs.plan(service, definition, { inputs = fields.inputs or {},
    kept = kept_inputs(state, (definition:declared())), run_id = run_id,
    started_at = store.now(),
    origin = state.origin or { run_id = state.run_id, started_at = state.started_at } })
  if not plan then return nil, err end
  ok, err = repairing.check_only(state, plan, fields.only)
  if not ok then return nil, wrong_steps(err) end
  if not next(fields.inputs or {}) then return row.key end
  key, err = store:fingerprint_key()
  return key and run_key.of(plan, key), err
end

return M
