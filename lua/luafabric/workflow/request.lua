--- What is asked of Fabric for a step, an item or a branch: worked out by the engine when what it
--- reads is there (`items`, `branch`, `build`, `expect`), and by a plan with placeholders for what
--- is not (`shown`). Users' functions are called here, may not wait, and what they raise is told
--- with its place. Pure.

local dependencies = require "luafabric.workflow.dependencies"
local evaluate = require "luafabric.workflow.evaluate"
local field_value = require "luafabric.workflow.field_value"
local fields = require "luafabric.workflow.fields"
local handle = require "luafabric.workflow.handle"
local items = require "luafabric.workflow.items"
local json = require "luafabric.json"
local mistake = require "luafabric.workflow.mistake"
local ordered = require "luafabric.workflow.ordered"
local parameters = require "luafabric.workflow.parameters"
local reference = require "luafabric.workflow.reference"
local secret = require "luafabric.workflow.secret"
local tasks = require "luafabric.tasks"
local types = require "luafabric.types"
local value_module = require "luafabric.workflow.value"

local M = {}

-- What a helper raises to end the work with a message for the user; caught in `guarded`.
local Stop = {}

local function stop(message)
  error(setmetatable({ message = message }, Stop), 0)
end

-- Calls with a context; where it was stopped: nil, the message, and the secrets that it may quote.
local function guarded(fn, context)
  local ok, result = pcall(fn, context)
  if ok then return result end
  if getmetatable(result) == Stop then return nil, result.message, context.masks end
  error(result, 0)
end

-- ---- what a reference and a secret become: their value, or a placeholder ----

-- A context: subject (a step or a branch), step, item, index, and how to resolve:
--   reference(context, ref, path) -> value; secret(context, value) -> value

local function resolve_now(context, ref, path)
  local value, problem = evaluate.value(ref, context.view)
  if value == nil then stop(("%s: %s"):format(path, problem.message)) end
  return value
end

local function note_secret(context, given)
  local text = secret.text(given)
  if context.noted[text] then return end
  context.noted[text] = true
  context.masks[#context.masks + 1] = text
end

local function reveal(context, given)
  note_secret(context, given)
  return secret.reveal(given)
end

local function show_placeholder(context, ref)
  context.is_shown = true
  local op = reference.node(ref).op
  local is_text = op == "concat" or op == "outcome" or op == "failures"
    or op == "exit" and not reference.node(ref).path
  return types.unchecked(is_text and "Text" or "by value", reference.placeholder(ref))
end

local function mask(context, given)
  context.is_shown = true
  local typed = types.of(secret.reveal(given))
  return types.unchecked(typed and typed.type or "Text", secret.MASK)
end

-- ---- values ----

-- A reference that a user's function returned has not been seen when the order was made.
local function check_before(context, ref, path)
  local step = context.step
  if reference.reads_workflow(ref) and not step.is_finally then
    stop(("%s: %s is known when the workflow has ended: only a finally step can read it"):format(
      path, reference.describe(ref)))
  end
  for _, other in ipairs(reference.steps(ref)) do
    if other.owner ~= step.owner or not dependencies.is_before(step, other) then
      stop(("%s: step \"%s\": %s: %s reads step \"%s\", which is not before it: add it to `after`")
        :format(step.place, step.name, path, reference.describe(ref), other.name))
    end
  end
end

local function check_text(text, path)
  local message = field_value.text_problem(text, path)
  if message then stop(message) end
  return text
end

local function check_typed(typed, path)
  local message = field_value.typed_problem(typed.value, path)
  if message then stop(message) end
  return typed
end

local resolve

local function resolve_table(context, given, path)
  local own = {}
  for key, value in ordered.pairs(given) do
    local inner = resolve(context, value, ("%s.%s"):format(path, tostring(key)))
    if types.is(inner) then inner = inner.value end
    own[key] = inner
  end
  return setmetatable(own, getmetatable(given))
end

function resolve(context, given, path)
  local kind = type(given)
  if kind == "string" then return check_text(given, path) end
  if kind ~= "table" then return given end
  if handle.is(given) then stop(field_value.handle_problem(given, path)) end
  if reference.is(given) then
    if context.from_function then check_before(context, given, path) end
    return context.reference(context, given, path)
  end
  if secret.is(given) then return context.secret(context, given) end
  if value_module.is(given) then return value_module.typed(given) end
  if types.is(given) then return check_typed(given, path) end
  return resolve_table(context, given, path)
end

local function resolve_parameter(context, name, given)
  local path = "parameters." .. name
  local value = resolve(context, given, path)
  local typed, message = parameters.typed(value)
  if not typed then stop(("%s: %s"):format(path, message)) end
  return typed
end

-- ---- users' functions ----

local function call(context, field, fn)
  if context.index == nil then -- a plan, and the items are not known yet
    context.is_shown = true
    return types.unchecked("by value", ("${%s(item)}"):format(field))
  end
  local ok, result = pcall(tasks.forbid_waiting, "the function given as " .. field, fn,
    context.item, context.index)
  if not ok then
    stop(mistake.caught(result, ("in the function given as %s: "):format(field)))
  end
  return result
end

local function text_field(context, field)
  local given = context.subject.fields[field]
  context.from_function = type(given) == "function"
  if context.from_function then given = call(context, field, given) end
  if secret.is(given) then stop(field .. ": expected a name or an id, got a secret") end
  local value = given ~= nil and resolve(context, given, field) or nil
  if types.is(value) then value = value.value end
  if type(value) == "string" and value ~= "" then return value end
  if given == nil then stop(("%s: there is none for this step"):format(field)) end
  stop(("%s: expected a name or an id, got %s"):format(field,
    value == "" and "an empty text" or mistake.show(value)))
end

local function add_all(into, from)
  for name, value in pairs(from or {}) do into[name] = value end
end

local function is_fields(item)
  return type(item) == "table" and not field_value.is_special(item) and #item == 0
end

local function of_function(context, fn)
  local result = call(context, "parameters", fn)
  if types.is(result) then return nil, result.value end
  if type(result) ~= "table" or field_value.is_special(result) or handle.is(result) then
    stop(("the function given as parameters must return a table of names and values, it returned "
      .. "%s"):format(type(result) == "table" and "a value" or mistake.show(result)))
  end
  for name in ordered.pairs(result) do
    if type(name) ~= "string" then
      stop(("the function given as parameters must return names and values, the key %s is none")
        :format(mistake.show(name)))
    end
  end
  return result
end

--- The parameters as names and values: the defaults', the item's fields, the step's own; each wins
--- over those before it.
local function gather(context)
  local subject = context.subject
  if subject.kind ~= "each" then return subject.fields.parameters or {} end
  local own, map = subject.own_parameters, {}
  add_all(map, subject.parameter_defaults)
  if type(own) == "function" then
    local result, placeholder = of_function(context, own)
    if placeholder then return nil, placeholder end
    add_all(map, result)
    return map
  end
  if own ~= false and context.index == nil then
    context.is_shown = true
    map["${item}"] = types.unchecked("by value", "${item}")
  elseif own ~= false and is_fields(context.item) then
    add_all(map, context.item)
  end
  add_all(map, own or nil)
  return map
end

--- All secrets are known first: where something is missing beside them, an earlier attempt may have
--- sent them all the same.
local function note_secrets(context, given)
  if secret.is(given) then return note_secret(context, given) end
  local is_plain = type(given) == "table" and not (handle.is(given) or reference.is(given)
    or value_module.is(given) or types.is(given))
  if not is_plain then return end
  for _, inner in ordered.pairs(given) do note_secrets(context, inner) end
end

local function parameter_list(context)
  local map, placeholder = gather(context)
  if placeholder then return placeholder end
  note_secrets(context, map)
  context.from_function = type(context.subject.own_parameters) == "function"
  local list = {}
  for _, name in ipairs(parameters.sorted_names(map)) do
    local typed = resolve_parameter(context, name, map[name])
    list[#list + 1] = { name = name, type = typed.type, value = typed.value }
  end
  return list
end

local function compute_of(context)
  local given = context.subject.fields.compute
  if given == nil then return nil end
  context.from_function = type(given) == "function"
  if context.from_function then given = call(context, "compute", given) end
  if given == nil or given == false then return nil end
  if types.is(given) then return given.value end
  if type(given) ~= "table" or field_value.is_special(given) then
    stop(("the function given as compute must return fabric.spark { … } or the like, it returned "
      .. "%s"):format(mistake.show(given)))
  end
  return resolve(context, given, "compute")
end

-- Their false is no value, and takes away what the defaults say.
local takes_away = { timeout = true, deadline = true, priority = true }

-- A field that may be a function of the item: timeout, deadline, priority, exclusive, tag. One that
-- returns nothing leaves the default.
local function checked_field(context, field)
  local given = context.subject[field]
  if type(given) ~= "function" then return given end
  local result = call(context, field, given)
  if result == nil then return context.step.defaults[field] end
  if result == false and takes_away[field] then return nil end
  if reference.is(result) then
    stop(("the function given as %s must return a value, it returned a reference"):format(field))
  end
  local value, message = fields[field](result, context.step.owner.began_at)
  if value == nil then stop(("the function given as %s: %s"):format(field, message)) end
  return value
end

-- ---- for the engine ----

local function new_context(subject, item, index)
  return { subject = subject, step = subject.step or subject, item = item, index = index,
    masks = {}, noted = {} }
end

local function build(context)
  note_secrets(context, context.subject.fields.compute)
  local request = { workspace = text_field(context, "workspace"),
    notebook = text_field(context, "notebook"), parameters = parameter_list(context),
    compute = compute_of(context), masks = context.masks }
  for _, field in ipairs { "timeout", "deadline", "priority", "exclusive", "tag" } do
    request[field] = checked_field(context, field)
  end
  local ok, message = parameters.check_body(request.parameters, request.compute, context.masks)
  if not ok then stop(message) end
  return request
end

---@class luafabric.workflow.Request
---@field workspace string
---@field notebook string
---@field parameters { name: string, type: string, value: any }[]
---@field compute table|nil
---@field timeout number|nil   seconds
---@field deadline number|nil  unix seconds
---@field priority number|nil
---@field exclusive boolean|nil
---@field tag boolean|nil
---@field masks string[]       texts that must be seen nowhere

--- The request of a step, a branch, or an item of an `each`. It is built once an attempt is due.
---@param subject table  a step or a branch
---@param view table
---@param item any
---@param index integer|nil
---@return luafabric.workflow.Request|nil request
---@return string|nil message  what is missing or wrong: the step is `rejected`
---@return string[]|nil masks   with a message: the secrets that it may quote
function M.build(subject, view, item, index)
  local context = new_context(subject, item, index)
  context.view, context.reference, context.secret = view, resolve_now, reveal
  return guarded(build, context)
end

--- The items of an `each`.
---@param step luafabric.workflow.Step
---@param view table
---@return luafabric.workflow.Item[]|nil list
---@return string|nil message  the step is `rejected`
function M.items(step, view)
  if step.labelled then return step.labelled end
  return items.of(step, view)
end

M.branch = require("luafabric.workflow.switch").branch

local function exit_value(text)
  if text == nil then return nil end
  local value = evaluate.decode(text, {})
  if value == nil then return text end
  return value
end

--- Whether a completed run is good, as the step's own `expect` says.
---@param subject table     a step or a branch
---@param text string|nil   the exit value
---@return boolean ok
---@return string|nil reason
function M.expect(subject, text)
  if not subject.expect then return true end
  local called, ok, reason = pcall(tasks.forbid_waiting, "the function given as expect",
    subject.expect, exit_value(text))
  if not called then return false, mistake.caught(ok, "in the function given as expect: ") end
  if ok == true then return true end
  if ok ~= false and ok ~= nil then
    return false, ("the function given as expect must return true, or false and a reason; it "
      .. "returned %s"):format(mistake.show(ok))
  end
  if reason ~= nil then return false, tostring(reason) end
  return false, ok == nil and "expect returned nothing" or "expect returned false"
end

-- ---- for a plan ----

local function shown_body(context)
  local list, compute = parameter_list(context), compute_of(context)
  if type(list) == "table" and #list == 0 then list = nil end
  if list == nil and compute == nil then return nil end
  if not context.is_shown then
    local text, message = parameters.encode(list, compute)
    if not text then stop(message) end
    return text
  end
  local text, message = json.encode { executionData = compute, parameters = list }
  if not text then stop(message) end
  return text
end

local function shown(context)
  return { workspace = text_field(context, "workspace"),
    notebook = text_field(context, "notebook"), body = shown_body(context) }
end

--- The request as far as it is known before the run: `${ingest.exit.regions}` for references,
--- `***` for secrets. Without an item, functions of the item are placeholders too.
---@param subject table
---@param item any
---@param index integer|nil
---@return { workspace: string, notebook: string, body: string|nil }|nil shown  body: JSON; nil when
---  nothing is said beyond the notebook
---@return string|nil message
function M.shown(subject, item, index)
  if item ~= nil and index == nil then index = 1 end
  local context = new_context(subject, item, index)
  context.reference, context.secret = show_placeholder, mask
  local request, message = guarded(shown, context)
  return request, message
end

return M
