--- From what the user declared to the plan: defaults filled in, names resolved, the order, and
--- every body that is known checked. Pure.

local condition = require "luafabric.workflow.condition"
local dependencies = require "luafabric.workflow.dependencies"
local field_value = require "luafabric.workflow.field_value"
local fields = require "luafabric.workflow.fields"
local ordered = require "luafabric.workflow.ordered"
local parameters = require "luafabric.workflow.parameters"
local reference = require "luafabric.workflow.reference"
local retry = require "luafabric.workflow.retry"
local secret = require "luafabric.workflow.secret"
local types = require "luafabric.types"
local wanted_exits = require "luafabric.workflow.wanted_exits"
local when = require "luafabric.workflow.when"

local M = {}

local DEFAULT_CONCURRENCY = 50

-- ---- defaults ----

-- A step's own value wins over the default; false takes the default away. Nothing is assigned where
-- nothing changes: a hundred thousand steps pass here, and a new key may double a table.

-- What steps and branches may inherit, and what holds where nobody says anything.
local run_names = { "timeout", "deadline", "on_deadline", "once", "expect", "retry", "exclusive",
  "tag" }
local step_names = { "timeout", "deadline", "on_deadline", "once", "expect", "retry", "exclusive",
  "tag", "priority", "may_fail" }
local usual = { on_deadline = "cancel", retry = retry.default, exclusive = false, priority = 0,
  may_fail = false }
-- Their false is a value, and takes nothing away.
local is_boolean = { exclusive = true, tag = true, may_fail = true }

-- The names for which there is a default, and its value.
local function inheritance(names, default)
  local found, values, by_name = {}, {}, {}
  for _, name in ipairs(names) do
    local value = default[name]
    if value == nil or value == false and not is_boolean[name] then value = usual[name] end
    if value ~= nil then
      found[#found + 1] = name
      values[#found] = value
      by_name[name] = value
    end
  end
  return { names = found, values = values, by_name = by_name, default = default }
end

-- `false` becomes what holds without a default.
local function remove(subject, default)
  if subject.expect == false and default.expect == nil then
    fields.refuse_expect(subject, false)
  end
  for _, name in ipairs(step_names) do
    if subject[name] == false and not is_boolean[name] then subject[name] = usual[name] end
  end
end

local function fill_run(subject, from)
  local names, values = from.names, from.values
  for index = 1, #names do
    local name = names[index]
    if subject[name] == nil then subject[name] = values[index] end
  end
  if subject.removes then remove(subject, from.default) end
end

-- Steps read what they do not say themselves in the table behind them, which is filled here. One
-- that takes a default away gets a copy of the rest, and nothing behind it.
local function share(common, from)
  for index, name in ipairs(from.names) do common[name] = from.values[index] end
  common.when = when.all_succeeded
  from.common = common
end

local function fill_step(step, from)
  if not step.removes then return end
  setmetatable(step, nil)
  for name, value in pairs(from.common) do
    if step[name] == nil then step[name] = value end
  end
  remove(step, from.default)
end

local function merge(own, default)
  if own == nil then return default or nil end
  if own == false then return nil end
  if type(own) == "function" or not default then return own end
  local merged = {}
  for name, value in pairs(default) do merged[name] = value end
  for name, value in pairs(own) do merged[name] = value end
  return merged
end

local function fill_field(own, default, name)
  if own[name] == nil then
    if default[name] then own[name] = default[name] end
  elseif own[name] == false then
    own[name] = nil
  end
end

local function fill_fields(subject, default)
  local own = subject.fields
  fill_field(own, default, "workspace")
  fill_field(own, default, "notebook")
  fill_field(own, default, "compute")
  if own.parameters ~= nil or default.parameters then
    own.parameters = merge(own.parameters, default.parameters)
  end
end

local function fill_each(step, defaults)
  local own = step.fields.parameters
  step.own_parameters = own
  step.parameter_defaults = own ~= false and defaults.fields.parameters or nil
  step.max_concurrency = step.max_concurrency or nil
  if step.tolerate == nil then step.tolerate = defaults.tolerate end
  step.tolerate = step.tolerate or { count = 0 }
end

local function fill_branch(step, branch)
  if not branch then return end
  fill_fields(branch, step.fields)
  fill_run(branch, inheritance(run_names, step))
  if branch.fields.notebook == nil then
    field_value.refuse(branch, "it names no notebook: give notebook = \"…\"")
  end
end

local function check_workspace(step, subject)
  if subject.fields.workspace ~= nil then return end
  field_value.refuse(step, "it names no workspace: give workspace = \"…\", here or in "
    .. "flow:defaults")
end

-- The branches of a switch in the order of their keys, that of `default` among them.
local function each_branch(step)
  local list = {}
  for index, key in ipairs(step.branch_keys) do
    list[index] = key == "default" and step.default or step.branches[key] or false
  end
  return ipairs(list)
end

local function fill(step, defaults, from)
  if step.kind == "each" then fill_each(step, defaults) end
  if step.item_functions then step.defaults = from.by_name end
  fill_fields(step, defaults.fields)
  fill_step(step, from)
  if step.label == false then step.label = nil end
  if step.kind ~= "switch" then
    if step.fields.notebook == nil then step.fields.notebook = step.name end
    return check_workspace(step, step)
  end
  for _, branch in each_branch(step) do
    fill_branch(step, branch)
    if branch then check_workspace(step, branch) end
  end
end

-- ---- bodies ----

-- A secret is revealed for the check, and kept out of what is said about it.
local function reveal(value, masks)
  masks[#masks + 1] = secret.text(value)
  return secret.reveal(value)
end

local function known_value(value, masks)
  if reference.is(value) then return "text" end
  if secret.is(value) then return reveal(value, masks) end
  return value
end

local function holds_reference(value)
  if type(value) ~= "table" then return false end
  if reference.is(value) then return true end
  if field_value.is_special(value) then return false end
  for _, inner in pairs(value) do
    if holds_reference(inner) then return true end
  end
  return false
end

local function known_inside(given, masks)
  if secret.is(given) then
    local revealed = reveal(given, masks)
    return types.is(revealed) and revealed.value or revealed
  end
  if type(given) ~= "table" then return given end
  if field_value.is_special(given) then return given.value end
  local own = {}
  for key, inner in pairs(given) do own[key] = known_inside(inner, masks) end
  return setmetatable(own, getmetatable(given))
end

local function known_compute(value, masks)
  if type(value) ~= "table" or holds_reference(value) then return nil end
  return known_inside(value, masks)
end

local function known_list(subject, map, masks)
  local list = {}
  for index, name in ipairs(parameters.sorted_names(map)) do
    local typed, message = parameters.typed(known_value(map[name], masks))
    if not typed then field_value.refuse(subject, ("parameters.%s: %s"):format(name, message)) end
    list[index] = { name = name, type = typed.type, value = typed.value }
  end
  return list
end

local function check_body(state, subject, map, compute, masks)
  local list = known_list(subject, map, masks)
  local warnings, message = parameters.check_body(list, compute, masks)
  if not warnings then field_value.refuse(subject, message) end
  for _, warning in ipairs(warnings) do
    M.warn(state, ("%s: %s: %s"):format(subject.place, field_value.title(subject), warning))
  end
end

local function check_items(state, step, compute, masks)
  local told = false -- a warning holds for all items alike
  for _, entry in ipairs(step.labelled) do
    local map = {}
    for name, value in pairs(step.parameter_defaults or {}) do map[name] = value end
    for name, value in pairs(entry.item) do map[name] = value end
    for name, value in pairs(step.own_parameters or {}) do map[name] = value end
    for name in ordered.pairs(map) do
      if type(name) ~= "string" then
        field_value.refuse(step, ("item \"%s\": its fields are no parameters, which have names: "
          .. "write parameters = function(item) return { … } end"):format(entry.label))
      end
    end
    local list = known_list(step, map, masks)
    local warnings, message = parameters.check_body(list, compute, masks)
    if not warnings then
      field_value.refuse(step, ("item \"%s\": %s"):format(entry.label, message))
    end
    if warnings[1] and not told then
      told = true
      M.warn(state, ("%s: step \"%s\": item \"%s\": %s"):format(step.place, step.name, entry.label,
        warnings[1]))
    end
  end
end

local function has_fields(step)
  local first = step.labelled and step.labelled[1]
  return first and type(step.own_parameters) ~= "function" and step.own_parameters ~= false
    and type(first.item) == "table" and not field_value.is_special(first.item)
end

-- Bodies made of the defaults alone are the same for all steps, and checked once.
local function check_subject(state, subject, checked)
  local map, given = subject.fields.parameters, subject.fields.compute
  if map == nil and given == nil and subject.kind ~= "each" then return end
  local same = checked[map or checked]
  if same and same == (given or checked) and subject.kind ~= "each" then return end
  checked[map or checked] = given or checked
  local masks = {}
  local compute = known_compute(given, masks)
  if subject.kind == "each" and has_fields(subject) then
    return check_items(state, subject, compute, masks)
  end
  if type(map) == "function" then map = nil end
  check_body(state, subject, map or {}, compute, masks)
end

local function check_bodies(state)
  local checked = {}
  for _, step in ipairs(state.steps) do
    if step.kind == "switch" then
      for _, branch in each_branch(step) do
        if branch then check_subject(state, branch, checked) end
      end
    else
      check_subject(state, step, checked)
    end
  end
end

-- ---- the plan ----

--- Adds a warning to the plan, each sentence once.
---@param state table
---@param sentence string
function M.warn(state, sentence)
  if state.warned[sentence] then return end
  state.warned[sentence] = true
  state.warnings[#state.warnings + 1] = sentence
end

local function warn_of_secrets(state)
  for _, sentence in ipairs(state.short_secrets) do M.warn(state, sentence) end
end

--- Conditions that nothing can fulfil.
local function warn_of_never(state)
  for _, step in ipairs(state.steps) do
    local kind = step.when.kind
    local asks = kind == "any_failed" or kind == "any_succeeded"
    if asks and #step.after == 0 and not step.is_finally then
      M.warn(state, ("%s: step \"%s\" can never run: when = \"%s\" asks what happened to the "
        .. "steps in `after`, and there are none"):format(step.place, step.name, kind))
    end
  end
end

--- The inputs as they are shown, and the secrets among them by their names.
local function shown_inputs(state)
  local list, secrets = {}, {}
  for index, entry in ipairs(state.inputs) do
    list[index] = { name = entry.name, type = entry.type, value = entry.shown,
      secret = entry.secret or nil, is_default = entry.secret and entry.is_default or nil }
    secrets[entry.name] = entry.held
  end
  return list, secrets
end

--- The plan of what has been declared. Raises mistakes.
---@param state table       the flow's
---@param definition table  name, file, place, the workflow's own options, and warnings, if any
---@return luafabric.workflow.Plan
function M.new(state, definition)
  local steps, defaults = state.steps, state.defaults
  for _, warning in ipairs(definition.warnings or {}) do M.warn(state, warning) end
  if #steps == 0 then M.warn(state, definition.place .. ": the workflow has no steps") end
  dependencies.resolve_names(state)
  local from = inheritance(step_names, defaults)
  share(state.common, from)
  for index = 1, #steps do fill(steps[index], defaults, from) end
  local order, finally = dependencies.order(steps)
  wanted_exits.mark(steps, order)
  condition.check_used(state.conditions)
  check_bodies(state)
  warn_of_secrets(state)
  warn_of_never(state)
  local shown, secrets = shown_inputs(state)
  return {
    name = definition.name, file = definition.file, sources = definition.sources,
    run_id = state.run_id,
    started_at = state.started_at, inputs = shown, secrets = secrets,
    timeout = definition.timeout, deadline = state.deadline,
    on_deadline = definition.on_deadline or "cancel",
    max_concurrency = defaults.max_concurrency or definition.max_concurrency
      or DEFAULT_CONCURRENCY,
    steps = steps, by_name = state.by_name, order = order, finally = finally,
    warnings = state.warnings,
  }
end

---@class luafabric.workflow.Plan
---@field name string
---@field file string|nil
---@field sources table<string, string>|nil  texts of its file and of the modules beside it
---@field run_id string
---@field started_at number
---@field inputs { name: string, type: string, value: any, secret: boolean|nil,
---  is_default: boolean|nil }[]  secrets are masked
---@field secrets table<string, luafabric.Secret>  of the inputs
---@field timeout number|nil
---@field deadline number|nil
---@field on_deadline "cancel"|"warn"
---@field max_concurrency integer
---@field steps luafabric.workflow.Step[]    in the order of their declaration
---@field by_name table<string, luafabric.workflow.Step>
---@field order luafabric.workflow.Step[]    topological, without the finally steps
---@field finally luafabric.workflow.Step[]
---@field warnings string[]

return M
