--- The event that begins a run: what is to be done, so that a run can be shown from its history
--- alone. Pure.

local json = require "luafabric.json"
local reference = require "luafabric.workflow.reference"
local script = require "luafabric.workflow.script"

local M = {}

--- A name as far as it is known before the run.
local function shown(value)
  if type(value) == "string" then return value end
  if reference.is(value) then return reference.placeholder(value) end
  if value ~= nil then return "(by item)" end
end

local function names_of(steps)
  local names = {}
  for index, step in ipairs(steps) do names[index] = step.name end
  return json.array(names) -- an empty one is a list in every document
end

local function describe(step)
  local fields = step.fields or {}
  return {
    path = step.name, kind = step.kind, is_finally = step.is_finally or nil,
    after = names_of(step.after), notebook = shown(fields.notebook),
    workspace = shown(fields.workspace), may_fail = step.may_fail or nil,
    priority = type(step.priority) == "number" and step.priority ~= 0 and step.priority or nil,
    max_attempts = step.retry and step.retry.attempts, place = step.place,
    tolerate = step.tolerate, max_concurrency = step.max_concurrency,
  }
end

--- The steps of a plan as they are written down.
---@param plan table
---@return table[]
function M.steps(plan)
  local steps = {}
  for _, list in ipairs { plan.order, plan.finally } do
    for _, step in ipairs(list) do steps[#steps + 1] = describe(step) end
  end
  return steps
end

--- The event of a plan.
---@param plan table
---@param about { at: number, inputs: table[]|nil, submission: string|nil, exclusive: boolean|nil,
---  endpoint: string|nil }  at: unix seconds; the rest: how the run is run, see the history
---@return table
function M.of(plan, about)
  return { type = "run_started", at = about.at, run_id = plan.run_id, workflow = plan.name,
    file = plan.file,
    inputs = about.inputs or plan.inputs, timeout = plan.timeout, deadline = plan.deadline,
    on_deadline = plan.on_deadline, max_concurrency = plan.max_concurrency,
    submission = about.submission, exclusive = about.exclusive, endpoint = about.endpoint,
    script = script.of(plan.sources),
    parent = plan.parent, only = plan.only, origin = plan.origin, steps = M.steps(plan) }
end

return M
