--- A plan as a table for JSON: the steps in order, what each waits for, and the request it would
--- send, with placeholders for what is known only later. Pure.

local core = require "luafabric.core"
local json = require "luafabric.json"
local mistake = require "luafabric.workflow.mistake"
local plan_parts = require "luafabric.view.plan_parts"
local reference = require "luafabric.workflow.reference"

local M = {}

local known_items, names_of, request_of = plan_parts.known_items, plan_parts.names_of,
  plan_parts.request_of
local shown, sorted_keys = plan_parts.shown, plan_parts.sorted_keys

local function when_fields(step)
  local when = step.when
  if not when then return nil end
  if when.kind == "condition" then
    return { kind = "condition", condition = reference.describe(when.condition) }
  end
  if when.kind == "function" then
    return { kind = "function", place = mistake.place_of(when.fn) }
  end
  return { kind = when.kind }
end

local function retry_fields(retry)
  if not retry then return nil end
  return { attempts = retry.attempts, interval = retry.interval, backoff = retry.backoff,
    max_interval = retry.max_interval, on = type(retry.on) == "function" and "function"
      or json.array(sorted_keys(retry.on)) }
end

-- The body as JSON inside the document, or as its text where a number would lose digits.
local function body_fields(body)
  if body == nil then return nil end
  local value = json.path(body)
  if value == nil then return body end
  return value
end

local function plain(value)
  if value == nil or type(value) == "number" or type(value) == "boolean" then return value end
  return shown(value)
end

local function request_fields(part, items, ids)
  local sent, problem = request_of(part, items)
  if not sent then return { problem = problem } end
  local known = ids and ids[sent.workspace] or {}
  return { workspace = sent.workspace, notebook = sent.notebook, workspace_id = known.id,
    notebook_id = known.notebooks and known.notebooks[sent.notebook],
    body = body_fields(sent.body) }
end

local function part_fields(part, fields, items, ids)
  fields.request = request_fields(part, items, ids)
  fields.timeout, fields.deadline = plain(part.timeout), plain(part.deadline)
  fields.on_deadline = part.deadline and part.on_deadline
  fields.retry, fields.priority = retry_fields(part.retry), plain(part.priority)
  fields.exclusive, fields.tag = plain(part.exclusive), plain(part.tag)
  fields.expect = part.expect and mistake.place_of(part.expect)
  return fields
end

local function branch_fields(step, ids)
  local list = {}
  local function add(key, branch)
    list[#list + 1] = branch and part_fields(branch, { key = key }, nil, ids)
      or { key = key, skipped = true }
  end
  for _, key in ipairs(sorted_keys(step.branches)) do add(key, step.branches[key]) end
  if step.default ~= nil then add("default", step.default) end
  return json.array(list)
end

local function each_fields(step, items)
  local labels = {}
  for index, entry in ipairs(items or {}) do labels[index] = entry.label end
  return { from = not items and shown(step.items) or nil,
    labels = items and json.array(labels) or nil, count = items and #items,
    max_concurrency = plain(step.max_concurrency), tolerate = step.tolerate }
end

local function step_fields(step, ids)
  local fields = { name = step.name, kind = step.kind, finally = step.is_finally or false,
    place = step.place, after = json.array(names_of(step.after)), when = when_fields(step),
    may_fail = step.may_fail or false }
  if step.kind == "switch" then
    fields.on, fields.branches = shown(step.on), branch_fields(step, ids)
    return fields
  end
  local items
  if step.kind == "each" then
    items = known_items(step)
    fields.each = each_fields(step, items)
  end
  return part_fields(step, fields, items, ids)
end

--- The plan as a table for JSON. Times are as the plan has them: seconds, and UTC texts.
---@param plan luafabric.workflow.Plan
---@param options { ids: table|nil }|nil
---@return table
function M.document(plan, options)
  local ids = options and options.ids
  local steps, inputs, warnings = {}, {}, {}
  for index, warning in ipairs(plan.warnings) do warnings[index] = warning end
  for _, list in ipairs { plan.order, plan.finally } do
    for _, step in ipairs(list) do steps[#steps + 1] = step_fields(step, ids) end
  end
  for index, input in ipairs(plan.inputs) do
    inputs[index] = { name = input.name, type = input.type, value = plain(input.value) }
  end
  return { name = plan.name, file = plan.file, inputs = json.array(inputs),
    started_at = plan.started_at and core.format_time(plan.started_at), timeout = plan.timeout,
    deadline = plan.deadline and core.format_time(plan.deadline),
    on_deadline = plan.deadline and plan.on_deadline, max_concurrency = plan.max_concurrency,
    steps = json.array(steps), warnings = json.array(warnings) }
end

return M
