--- Values in the fields of a step, a branch or the defaults: what they may be, and the references
--- in them, which become dependencies. Here is also how a mistake in a field is told. Pure.

local dependencies = require "luafabric.workflow.dependencies"
local handle = require "luafabric.workflow.handle"
local mistake = require "luafabric.workflow.mistake"
local reference = require "luafabric.workflow.reference"
local secret = require "luafabric.workflow.secret"
local types = require "luafabric.types"
local value_module = require "luafabric.workflow.value"

local M = {}

local MAX_DEPTH = 20

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
  dependencies.read_reference(step, ref)
end

--- Refuses a text into which a reference was written.
function M.check_text(subject, text, path)
  if reference.is_marked(text) then
    refuse(subject, ("%s holds a reference written into a text by %%s or tostring: join with .. "
      .. "instead, as in \"Files/\" .. step:exit(\"folder\")"):format(path))
  end
end

--- Refuses a step in the place of a value.
function M.refuse_handle(subject, given, path)
  local step = handle.step(given)
  refuse(subject, ("%s: step \"%s\" is no value: use %s:exit() for its exit value, or %s:outcome()")
    :format(path, step.name, handle.word(step), handle.word(step)))
end

local read_value

local function read_table(subject, given, path, depth)
  if depth > MAX_DEPTH then refuse(subject, path .. ": it is nested too deeply") end
  local own = {}
  for key, value in pairs(given) do
    own[key] = read_value(subject, value, ("%s.%s"):format(path, tostring(key)), depth + 1)
  end
  return setmetatable(own, getmetatable(given))
end

function read_value(subject, given, path, depth)
  local kind = type(given)
  if kind == "string" then
    M.check_text(subject, given, path)
  elseif kind == "table" then
    if handle.is(given) then M.refuse_handle(subject, given, path) end
    if reference.is(given) then
      M.read_reference(subject, given, path)
    elseif types.is(given) then
      read_value(subject, given.value, path, depth)
    elseif secret.is(given) then
      local revealed = secret.reveal(given)
      read_value(subject, revealed, path, depth)
    elseif not value_module.is(given) then
      return read_table(subject, given, path, depth)
    end
  elseif kind == "function" then
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
