--- Ordering runs: of a workflow, of a notebook, and the repair of a run. All that can be known to
--- be wrong is found here, while somebody waits for the answer.

local body = require "luafabric.service.body"
local core = require "luafabric.core"
local duration = require "luafabric.duration"
local deadline = require "luafabric.workflow.deadline"
local inputs = require "luafabric.service.inputs"
local ordering = require "luafabric.service.ordering"
local problem = require "luafabric.service.problem"
local run_key = require "luafabric.workflow.run_key"

local M = {}

local SUBMISSIONS = { "reconcile", "at_most_once", "at_least_once" }
local DUPLICATES = { "refuse", "join" }

local run_fields = { "submission", "exclusive", "timeout", "deadline", "max_concurrency" }

local workflow_fields = { inputs = "object", key = "key", on_duplicate = DUPLICATES,
  submission = SUBMISSIONS, exclusive = "boolean", timeout = "duration", deadline = "text",
  max_concurrency = "count" }
local notebook_fields = { parameters = "any", compute = "object", timeout = "duration",
  exclusive = "boolean", tag = "boolean", exit_value = "boolean", key = "key",
  on_duplicate = DUPLICATES }
local repair_fields = { only = "texts", again = "boolean", inputs = "object",
  on_duplicate = DUPLICATES, submission = SUBMISSIONS, exclusive = "boolean",
  timeout = "duration", deadline = "text", max_concurrency = "count" }

-- ---- the fields of a request ----

-- The moment of a deadline is that of the request: the order may wait until after the next 06:00.
local function check_deadline(text, now, mistakes)
  if type(text) ~= "string" then return nil end
  local moment, message = deadline.parse(text, now)
  if moment and moment <= now then message = "it has passed" end
  if message then mistakes:add("/deadline", "%s", message) end
  return not message and core.format_time(moment) or nil
end

local function check_times(fields, now, mistakes)
  if fields.timeout ~= nil then
    local seconds, message = duration.parse(fields.timeout)
    if seconds == 0 then message = "must be more than 0" end
    if message then mistakes:add("/timeout", "%s", message) end
  end
  return check_deadline(fields.deadline, now, mistakes)
end

local function check_fields(request, known, now, hint)
  local fields, mistakes = request.fields, body.mistakes()
  body.check_fields(fields, known, mistakes, hint)
  if known.timeout then request.deadline = check_times(fields, now, mistakes) end
  local err = mistakes:problem "invalid-request"
  if err then return nil, err end
  local on_duplicate = fields.on_duplicate or request.query.on_duplicate
  if on_duplicate and on_duplicate ~= "refuse" and on_duplicate ~= "join" then
    return nil, problem.new("bad-query", "on_duplicate is refuse or join")
  end
  return fields, on_duplicate
end

--- What every order has; `kind` and `about` say what is ordered.
local function new_order(request, kind, workflow, about, on_duplicate)
  local key, err = ordering.idempotency_key(request)
  if err then return nil, err end
  return { run_id = ordering.new_id(), kind = kind, workflow = workflow, about = about,
    fields = request.fields, idempotency_key = key, by = request.who,
    on_duplicate = on_duplicate }
end

local function options_of(request, options)
  for _, name in ipairs(run_fields) do options[name] = request.fields[name] end
  options.deadline = request.deadline
  return options
end

--- The key of the run: what was said, or what the inputs make it.
local function key_of(given, made)
  if given == false then return nil end
  return given or made
end

local function load(service, name)
  local definition, err = service:workflow(name)
  if definition then return definition end
  return nil, problem.new(err.kind == "not_found" and "unknown-workflow" or "broken-workflow",
    err.message)
end

-- ---- a workflow ----

--- POST /workflows/{workflow}/runs
---@param service luafabric.Service
---@param request luafabric.service.Request
---@return luafabric.service.Response|nil response
---@return any err
function M.workflow(service, request)
  local store, err = service:desk()
  if not store then return nil, err end
  local fields, on_duplicate = check_fields(request, workflow_fields, store.now(),
    "; the workflow's inputs belong into \"inputs\": { … }")
  if not fields then return nil, on_duplicate end
  local name = request.params.workflow
  local order, response, definition, plan, fingerprint_key
  order, err = new_order(request, "workflow", name, name, on_duplicate)
  if not order then return nil, err end
  response, err = ordering.replay(store, order)
  if response or err then return response, err end
  definition, err = load(service, name)
  if not definition then return nil, err end
  plan, err = inputs.plan(service, definition, { inputs = fields.inputs or {},
    run_id = order.run_id, started_at = store.now() })
  if not plan then return nil, err end
  fingerprint_key, err = store:fingerprint_key()
  if not fingerprint_key then return nil, err end
  order.key = key_of(fields.key, run_key.of(plan, fingerprint_key))
  order.inputs, order.options = fields.inputs, options_of(request, { title = definition.name })
  return ordering.place(store, order)
end

-- ---- a notebook ----

--- "parameters.day: …", as a place in the body.
local function notebook_problem(err)
  local path, message = err.message:match("^([%w_][^:%s]*): (.*)$")
  local mistakes = body.mistakes()
  local pointer = path and "/" .. path:gsub("%[(%d+)%]", function(index)
    return "." .. tonumber(index) - 1
  end):gsub("%.", "/") or ""
  mistakes:add(pointer, "%s", message or err.message)
  return mistakes:problem "invalid-request"
end

--- POST /notebooks/{workspace}/{notebook}/runs
---@param service luafabric.Service
---@param request luafabric.service.Request
---@return luafabric.service.Response|nil response
---@return any err
function M.notebook(service, request)
  local notebook_workflow = require "luafabric.service.notebook_workflow"
  local store, err = service:desk()
  if not store then return nil, err end
  local fields, on_duplicate = check_fields(request, notebook_fields, store.now(),
    "; the notebook's parameters belong into \"parameters\": { … }")
  if not fields then return nil, on_duplicate end
  local wanted = { workspace = request.params.workspace, notebook = request.params.notebook }
  for _, name in ipairs { "parameters", "compute", "timeout", "exclusive", "tag", "exit_value" } do
    wanted[name] = fields[name]
  end
  local definition, order, response, plan, fingerprint_key
  definition, err = notebook_workflow.new(wanted)
  if not definition then return nil, notebook_problem(err) end
  order, err = new_order(request, "notebook", definition.name, definition.name, on_duplicate)
  if not order then return nil, err end
  response, err = ordering.replay(store, order)
  if response or err then return response, err end
  plan, err = definition:plan { run_id = order.run_id, started_at = store.now() }
  if not plan then return nil, notebook_problem(err) end
  fingerprint_key, err = store:fingerprint_key()
  if not fingerprint_key then return nil, err end
  order.key = key_of(fields.key, notebook_workflow.key(wanted, fingerprint_key))
  order.inputs, order.options = wanted, {}
  return ordering.place(store, order)
end

-- ---- a repair ----

--- POST /runs/{run}/repair
---@param service luafabric.Service
---@param request luafabric.service.Request
---@return luafabric.service.Response|nil response
---@return any err
function M.repair(service, request)
  local repair = require "luafabric.service.repair"
  local store, err = service:desk()
  if not store then return nil, err end
  local fields, on_duplicate = check_fields(request, repair_fields, store.now())
  if not fields then return nil, on_duplicate end
  local subject, order, response
  subject, err = repair.subject(service, store, request.params.run)
  if not subject then return nil, err end
  order, err = new_order(request, "repair", subject.workflow, subject.run_id, on_duplicate)
  if not order then return nil, err end
  response, err = ordering.replay(store, order)
  if response or err then return response, err end
  order.key, err = repair.check(service, store, subject, fields, order.run_id)
  if err then return nil, err end
  order.inputs = fields.inputs
  order.options = options_of(request, { parent = subject.run_id, only = fields.only,
    again = fields.again, notebook = subject.notebook, title = subject.title })
  return ordering.place(store, order)
end

return M
