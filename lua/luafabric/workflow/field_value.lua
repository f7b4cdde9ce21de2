--- Values in the fields of a step, a branch or the defaults: what they may be, and the references
--- in them, which become dependencies. Here is also how a mistake in a field is told. Pure.

local dependencies = require "luafabric.workflow.dependencies"
local handle = require "luafabric.workflow.handle"
local mistake = require "luafabric.workflow.mistake"
local ordered = require "luafabric.workflow.ordered"
local reference = require "luafabric.workflow.reference"
local secret = require "luafabric.workflow.secret"
local types = require "luafabric.types"
local value_module = require "luafabric.workflow.value"

local M = {}

local MAX_DEPTH = 20
local SECRET = mistake.marker(secret.MASK)

-- A subject is what has the fields: a step, a branch ({ step =, key = }) or the defaults.

---@param subject table
---@return string
function M.title(subject)
  if subject.is_defaults then return "defaults" end
  if subject.key then return ('step "%s": branches.%s'):format(subject.step.name, subject.key) end
  return ('step "%s"'):format(subject.name)
end

---@param subject table
---@param message string
function M.refuse(subject, message)
  mistake.raise(subject.place, M.title(subject) .. ": " .. message)
end

local refuse = M.refuse

-- ---- values that may hold references ----

--- What a reference in a field means for the order of the steps.
---@param subject table
---@param ref luafabric.Reference
---@param path string  the field's, for messages
function M.read_reference(subject, ref, path)
  if subject.is_defaults then
    refuse(subject, ("%s: %s is a reference: defaults hold for all steps, so give it in the steps "
      .. "that want it"):format(path, reference.describe(ref)))
  end
  local step = subject.step or subject
  if reference.reads_workflow(ref) and not step.is_finally then
    refuse(subject, ("%s: %s is known when the workflow has ended: only a finally step can read it")
      :format(path, reference.describe(ref)))
  end
  reference.node(ref).is_used = true
  dependencies.read_reference(step, ref)
end

--- What is wrong with a text into which a reference or a secret was written.
---@return string|nil message
function M.text_problem(text, path)
  if not mistake.is_marked(text) then return nil end
  if text:find(SECRET, 1, true) then
    return ("%s holds a secret written into a text by %%s or tostring: join with .. instead, which "
      .. "makes a secret of the whole"):format(path)
  end
  return ("%s holds a reference written into a text by %%s or tostring: join with .. instead, as "
    .. "in \"Files/\" .. step:exit(\"folder\")"):format(path)
end

--- What is wrong with a step in the place of a value.
---@return string message
function M.handle_problem(given, path)
  local step = handle.step(given)
  return ("%s: step \"%s\" is no value: use %s:exit() for its exit value, or %s:outcome()"):format(
    path, step.name, handle.word(step), handle.word(step))
end

-- What is wrong with a value inside of a typed one, which is sent as it stands.
local function typed_problem(value, path)
  if reference.is(value) or secret.is(value) or handle.is(value) then
    return ("%s: %s cannot stand in a typed value: give it as a parameter of its own"):format(path,
      reference.is(value) and reference.describe(value) or secret.is(value) and "a secret"
        or "a step")
  end
  if type(value) == "string" then return M.text_problem(value, path) end
  if type(value) ~= "table" then return nil end
  for key, inner in ordered.pairs(value) do
    local message = typed_problem(inner, ("%s.%s"):format(path, tostring(key)))
    if message then return message end
  end
  return nil
end

M.typed_problem = typed_problem

-- A method of a step or a reference whose call was forgotten.
local function method_problem(given, path)
  local name = handle.method_name(given)
  if name then return ("%s: %s is not called: write step:%s()"):format(path, name, name) end
  name = reference.method_name(given)
  if name then return ("%s: %s is not called: write ref:%s(…)"):format(path, name, name) end
  return nil
end

-- A secret that cannot be masked in what notebooks say.
local function check_length(subject, given, path)
  if #secret.text(given) >= secret.SHORTEST then return end
  local state = (subject.step or subject).owner
  state.short_secrets[#state.short_secrets + 1] = ("%s: %s: %s: the secret is too short to be "
    .. "found in what notebooks say, where it is not masked"):format(subject.place,
    M.title(subject), path)
end

local read_value

local function read_table(subject, given, path, depth)
  if depth > MAX_DEPTH then refuse(subject, path .. ": it is nested too deeply") end
  local own = {}
  for key, value in ordered.pairs(given) do
    own[key] = read_value(subject, value, ("%s.%s"):format(path, tostring(key)), depth + 1)
  end
  return setmetatable(own, getmetatable(given))
end

function read_value(subject, given, path, depth)
  local kind = type(given)
  if kind == "string" then
    local message = M.text_problem(given, path)
    if message then refuse(subject, message) end
  elseif kind == "table" then
    if handle.is(given) then refuse(subject, M.handle_problem(given, path)) end
    if reference.is(given) then
      M.read_reference(subject, given, path)
    elseif types.is(given) then
      local message = typed_problem(given.value, path)
      if message then refuse(subject, message) end
    elseif secret.is(given) then
      check_length(subject, given, path)
      read_value(subject, secret.reveal(given), path, depth)
    elseif not value_module.is(given) then
      return read_table(subject, given, path, depth)
    end
  elseif kind == "function" then
    local message = method_problem(given, path)
    if message then refuse(subject, message) end
    refuse(subject, ("%s: expected a value, got a function%s"):format(path,
      path:find("^parameters%.") and "; in flow:each write parameters = function(item) return { … }"
        .. " end" or ""))
  end
  return given
end

--- A copy of a value, so that a table which the user changes later does not change the step.
---@param subject table
---@param given any
---@param path string    "parameters.day", for messages
---@param depth integer  1 at first
---@return any
M.read = read_value

--- Whether a table is one of the values that have a meaning of their own.
---@param value table
---@return boolean
function M.is_special(value)
  return reference.is(value) or types.is(value) or secret.is(value) or value_module.is(value)
end

return M
