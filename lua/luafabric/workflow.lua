--- A workflow, as its user holds it: defined once, planned and run as often as one likes. What it
--- says is in workflow/, what it does in engine/.

local definition = require "luafabric.workflow.definition"
local duration = require "luafabric.duration"
local nearest = require "luafabric.nearest"
local tasks = require "luafabric.tasks"

local M = {}

local Definition = definition.Definition

--- `fabric.workflow("nightly", function(flow) … end)`; options: timeout, deadline, on_deadline,
--- max_concurrency of the whole.
M.new = definition.new

local RUN_ID_BYTES = 6

local known = { inputs = true, client = true, on_event = true, on_start = true, store = true,
  run_id = true, exit_values = true, timeout = true, deadline = true, max_concurrency = true }

---@class luafabric.WorkflowRunOptions
---@field client luafabric.Client
---@field inputs? table<string, any>   by name
---@field on_event? fun(event: table, state: luafabric.WorkflowRun)  plain, may not wait
---@field on_start? fun(control: luafabric.WorkflowControl)  plain; before anything is sent
---@field store? table                 where the events go; default: nowhere, the report is all
---@field run_id? string               default 12 random hex digits
---@field exit_values? boolean         true: of all steps; else of those that something needs
---@field timeout? number|string       of the whole run, instead of the workflow's own
---@field deadline? string             the same
---@field max_concurrency? integer     the same

---@class luafabric.WorkflowControl  all of it plain: may be called from a signal's handler
---@field state luafabric.WorkflowRun
local Control = {}
Control.__index = Control

--- Ends the run early: what runs in Fabric is cancelled, then the finally steps run. A second time,
--- or with `now`, they are skipped or cancelled too.
---@param options { now: boolean|nil, by: string|nil }|nil
function Control:cancel(options)
  self.engine:cancel(options)
end

--- Stops watching; what runs in Fabric is left, and no other step starts.
function Control:detach()
  self.engine:detach()
end

local function check_options(options)
  if type(options) ~= "table" then
    error("workflow:run: expected a table of options, got a " .. type(options), 3)
  end
  nearest.check_fields(options, known, "workflow:run", 3)
  local client = options.client
  if type(client) ~= "table" or type(client.run_notebook) ~= "function" then
    error("workflow:run: client: expected a client (fabric.client { … })", 3)
  end
  for _, name in ipairs { "on_event", "on_start" } do
    local value = options[name]
    if value ~= nil and type(value) ~= "function" then
      error(("workflow:run: %s: expected a function, got a %s"):format(name, type(value)), 3)
    end
  end
  local store, run_id = options.store, options.run_id
  if store ~= nil and (type(store) ~= "table" or type(store.append) ~= "function") then
    error("workflow:run: store: expected a store (luafabric.store.*)", 3)
  end
  if run_id ~= nil and (type(run_id) ~= "string" or not run_id:find("^[%w_.-]+$")) then
    error("workflow:run: run_id: expected letters and digits", 3)
  end
  local most = options.max_concurrency
  if most ~= nil and (type(most) ~= "number" or most < 1 or most % 1 ~= 0) then
    error("workflow:run: max_concurrency: expected a whole number from 1 up", 3)
  end
  if options.timeout ~= nil then duration.check(options.timeout, "workflow:run: timeout", 3) end
end

--- What the one who runs it says about the whole wins over the workflow's own.
local function override(plan, options)
  local errors = require "luafabric.errors"
  plan.max_concurrency = options.max_concurrency or plan.max_concurrency
  if options.timeout ~= nil then plan.timeout = duration.parse(options.timeout) end
  if options.deadline == nil then return plan end
  local deadline, message = require("luafabric.workflow.deadline").parse(options.deadline,
    plan.started_at)
  if not deadline then
    return nil, errors.new { kind = "usage", message = "deadline: " .. message }
  end
  plan.deadline, plan.on_deadline = deadline, "cancel"
  return plan
end

local function fingerprint_key()
  local hex = require("luafabric.core").random_hex(16)
  return (hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end))
end

local function run(self, options)
  local core = require "luafabric.core"
  local _, loop = tasks.current()
  local plan, err = self:plan { inputs = options.inputs, started_at = loop.host.wall(),
    run_id = options.run_id or core.random_hex(RUN_ID_BYTES) }
  if not plan then return nil, err end
  plan, err = override(plan, options)
  if not plan then return nil, err end
  local port = require("luafabric.client.executor").new(options.client)
  local found
  found, err = require("luafabric.engine.names").resolve(plan, port)
  if not found then return nil, err end
  local engine = require("luafabric.engine").new { plan = plan, port = port, loop = loop,
    store = options.store or require("luafabric.store.memory").new { keep = false },
    on_event = options.on_event, key = fingerprint_key(), all_exits = options.exit_values }
  if options.on_start then
    tasks.forbid_waiting("the function given as on_start", options.on_start,
      setmetatable({ engine = engine, state = engine.state }, Control))
  end
  return engine:run()
end

--- Runs the workflow to its end: in the running task, or in a loop of its own.
---@param options luafabric.WorkflowRunOptions
---@return luafabric.WorkflowRun|nil report
---@return luafabric.Error|nil err  nothing was sent
function Definition:run(options)
  check_options(options)
  return options.client:blocking(run, self, options)
end

return M
