--- What the user holds of a step: its references, and nothing else. Used as a value it says which
--- reference was meant. Pure.

local mistake = require "luafabric.workflow.mistake"
local reference = require "luafabric.workflow.reference"

local M = {}

local STEP = {} -- the key under which a handle keeps its step

---@class luafabric.StepHandle
local Handle = { __name = "luafabric.step" }
local methods = {}

---@param value any
---@return boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == Handle
end

---@param step luafabric.workflow.Step
---@return luafabric.StepHandle
function M.new(step)
  return setmetatable({ [STEP] = step }, Handle)
end

---@param handle luafabric.StepHandle
---@return luafabric.workflow.Step
function M.step(handle)
  return rawget(handle, STEP)
end

--- The step of a value that is a handle; nil for any other.
---@param value any
---@return luafabric.workflow.Step|nil
function M.step_of(value)
  if getmetatable(value) == Handle then return rawget(value, STEP) end
  return nil
end

--- How a step is written in the advice of a message: its name where that can be a variable's.
---@param step luafabric.workflow.Step
---@return string
function M.word(step)
  return step.name:find("^[%a_][%w_]*$") and step.name or "step"
end

--- The name of a method, where a value is one.
---@param value any
---@return string|nil
function M.method_name(value)
  for name, method in pairs(methods) do
    if method == value then return name end
  end
  return nil
end

local function own(handle, method)
  if M.is(handle) then return rawget(handle, STEP) end
  mistake.raise_here(("step.%s was called with a dot: write step:%s(…)"):format(method, method))
end

--- The exit value's text; with a path, that part of it, read as JSON.
---@param ... string|integer  "a.b", or exact keys: "rows", 1, "id"
---@return luafabric.Reference
function methods:exit(...)
  return reference.exit(own(self, "exit"), ...)
end

--- How the step ended: "succeeded", "failed", …
---@return luafabric.Reference
function methods:outcome()
  return reference.outcome(own(self, "outcome"))
end

--- What failed in it: a list of { label, outcome, reason, job_id }.
---@return luafabric.Reference
function methods:failures()
  return reference.failures(own(self, "failures"))
end

local function advise(handle, deed)
  local step = rawget(handle, STEP)
  local word = M.word(step)
  return ("step \"%s\" is used as a value (%s), and is none: use %s:exit() for its exit value, or "
    .. "%s:outcome()"):format(step.name, deed, word, word)
end

mistake.trap(Handle, M.is, advise)
Handle.__eq = nil -- whether two names mean one step is a fair question

function Handle.__concat(a, b)
  mistake.raise_here(advise(M.is(a) and a or b, ".."))
end

function Handle:__index(name)
  local method = methods[name]
  if method then return method end
  local step = rawget(self, STEP)
  local word = M.word(step)
  local shown = type(name) == "string" and '"' .. name .. '"' or tostring(name)
  mistake.raise_here(("step \"%s\" has no field %s: write %s:exit(%s) for a part of its exit value;"
    .. " %s:outcome() and %s:failures() are there too"):format(step.name, mistake.show(name), word,
    shown, word, word))
end

function Handle:__tostring()
  return mistake.marker("step " .. rawget(self, STEP).name)
end

return M
