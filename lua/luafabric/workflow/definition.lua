--- A workflow as it is defined: a name, options of the whole, and the function that declares its
--- steps, which is called once a run, with the inputs known. Pure.

local condition = require "luafabric.workflow.condition"
local duration = require "luafabric.duration"
local errors = require "luafabric.errors"
local fields = require "luafabric.workflow.fields"
local flow_module = require "luafabric.workflow.flow"
local inputs = require "luafabric.workflow.inputs"
local mistake = require "luafabric.workflow.mistake"
local ordered = require "luafabric.workflow.ordered"
local plan_module = require "luafabric.workflow.plan"
local tasks = require "luafabric.tasks"

local M = {}

---@class luafabric.Definition
---@field name string
---@field file string  the source of the function
---@field line integer
local Definition = {}
Definition.__index = Definition
Definition.__name = "luafabric.workflow"

function Definition:__tostring()
  return ('workflow "%s" (%s)'):format(self.name, self.place)
end

M.Definition = Definition

-- ---- its own options ----

local known = { timeout = true, deadline = true, on_deadline = true, max_concurrency = true }

local function refuse(definition, message)
  mistake.raise(definition.place, ('workflow "%s": %s'):format(definition.name, message))
end

local function read_options(definition, options)
  for name in ordered.pairs(options) do
    if not known[name] then
      refuse(definition, fields.is_default(name)
        and ("%s: it belongs in flow:defaults { %s = … }"):format(name, name)
        or ("%s: unknown option%s"):format(tostring(name), mistake.suggest(name, known)))
    end
  end
  if options.timeout ~= nil then
    local seconds, message = duration.parse(options.timeout)
    if seconds == 0 then message = "must be more than 0" end
    if message then refuse(definition, "timeout: " .. message) end
    definition.timeout = seconds
  end
  for _, name in ipairs { "on_deadline", "max_concurrency" } do
    if options[name] ~= nil then
      local value, message = fields[name](options[name])
      if not value then refuse(definition, message) end
      definition[name] = value
    end
  end
  if options.deadline == nil then return end
  local _, message = fields.deadline(options.deadline, 0)
  if message then refuse(definition, message) end
  definition.deadline_text = options.deadline
end

local function check_arguments(place, name, options, fn)
  if type(name) ~= "string" or name == "" or name:find("%c") then
    mistake.raise(place, "fabric.workflow: expected a name as first argument, got "
      .. mistake.show(name))
  end
  if type(options) ~= "table" then
    mistake.raise(place, ('workflow "%s": expected a table of options, got %s'):format(name,
      mistake.show(options)))
  end
  if type(fn) ~= "function" then
    mistake.raise(place, ('workflow "%s": expected function(flow) … end as last argument, got %s')
      :format(name, mistake.show(fn)))
  end
end

--- Defines a workflow. Nothing is called yet.
---@param name string
---@param options table|nil  timeout, deadline, on_deadline, max_concurrency; may be left out
---@param fn fun(flow: luafabric.Flow)
---@return luafabric.Definition
function M.new(name, options, fn)
  local place = mistake.user_place()
  if type(options) == "function" and fn == nil then options, fn = nil, options end
  if options == nil then options = {} end
  check_arguments(place, name, options, fn)
  local info = debug.getinfo(fn, "S")
  local definition = setmetatable({ name = name, fn = fn, place = place,
    file = info.source:match("^@(.*)$") or info.short_src, source = info.short_src,
    line = tonumber(place:match(":(%d+)$")) }, Definition)
  read_options(definition, options)
  return definition
end

---@param value any
---@return boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == Definition
end

-- ---- what is made of it ----

local function declare(definition, given, on_many)
  -- A repair is told what the first run was: what is kept was made with it.
  local told = given.origin or given
  -- A whole second, as os.date wants it.
  local flow, state = flow_module.new { name = definition.name, run_id = told.run_id or "plan",
    started_at = math.floor(told.started_at or 0), began_at = math.floor(given.started_at or 0),
    inputs = given.inputs or {}, on_many = on_many }
  local ok, problem = condition.recording(state.conditions, pcall, tasks.forbid_waiting,
    ('the function of workflow "%s"'):format(definition.name), mistake.placed(definition.fn), flow)
  state.closed, state.on_many = true, nil
  if ok then return state end
  if errors.is(problem) then return state, problem end
  return state, mistake.new(mistake.caught(problem, ('in workflow "%s": '):format(
    definition.name)))
end

local function finish(definition, state)
  local ok, plan = pcall(plan_module.new, state, definition)
  if ok then return plan end
  if errors.is(plan) then return nil, plan end
  error(plan, 0)
end

local function make_plan(definition, given, on_many)
  local state, problem = declare(definition, given, on_many)
  -- Where inputs are missing, what was raised later came from a sample in their place.
  local message = (#state.missing > 0 or not problem)
    and inputs.check(state, problem ~= nil)
  if message then return nil, mistake.new(("%s: %s"):format(definition.source, message)) end
  if problem then return nil, problem end
  if definition.deadline_text then
    state.deadline, message = fields.deadline(definition.deadline_text, state.began_at)
    if not state.deadline then
      return nil, mistake.new(("%s: %s"):format(definition.place, message))
    end
  end
  local plan
  plan, problem = finish(definition, state)
  if plan and given.origin then
    plan.run_id, plan.started_at, plan.origin = given.run_id, state.began_at, given.origin
  end
  return plan, problem
end

-- While a plan is made nearly all that is made stays, and walking it again and again is a third of
-- the time of a large one: the collector waits longer until it is done. Not for a small one: a
-- process that makes many of them would be left with ten times the memory that it needs.
local PATIENT = 1000 -- percent; Lua's own is 200

local function with_a_patient_collector(fn, definition, given)
  local is_known, before
  local ok, plan, err = pcall(fn, definition, given, function()
    is_known, before = pcall(collectgarbage, "setpause", PATIENT)
  end)
  if is_known then collectgarbage("setpause", before) end
  if not ok then error(plan, 0) end
  return plan, err
end

--- Calls the function and checks everything that can be known before a run.
---@param given { inputs: table<string, any>|nil, started_at: number|nil, run_id: string|nil,
---  origin: { run_id: string, started_at: number }|nil }  inputs: texts, typed or plain values;
---  started_at: unix seconds; origin: of a repair, what flow.run_id and flow.started_at say
---@return luafabric.workflow.Plan|nil plan
---@return luafabric.Error|nil err  kind "usage"
function Definition:plan(given)
  return with_a_patient_collector(make_plan, self, given or {})
end

--- The inputs it declares, in order.
---@return { name: string, type: string, default: any, description: string|nil, secret: boolean,
---  required: boolean }[] declared
---@return luafabric.Error|nil err  what the function raised with samples for its inputs; the inputs
---  after it are not in the list
function Definition:declared()
  local state, problem = declare(self, {})
  return inputs.declared(state), problem
end

return M
