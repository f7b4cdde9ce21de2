--- The inputs of a run as they are written down, and as they are given once more when it is taken
--- up: an ordinary one is known, and a secret is known again by its fingerprint.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local inputs_module = require "luafabric.workflow.inputs"
local json = require "luafabric.json"
local secret = require "luafabric.workflow.secret"

local M = {}

local MOST_SHOWN = 60 -- bytes of a value in a message

local function usage(message, ...)
  return nil, errors.new { kind = "usage", message = message:format(...) }
end

--- Tells one key from another, and nothing of either.
local function name_of(key)
  return core.fingerprint(key, "the name of this key")
end

local function fingerprint_of(key, held)
  return core.fingerprint(key, "input " .. secret.text(held))
end

--- The inputs of a plan for the event that begins its run: secrets have a fingerprint, and the name
--- of the key that it was made with.
---@param plan luafabric.workflow.Plan
---@param key string  16 bytes
---@return table[]
function M.told(plan, key)
  local list = {}
  for index, entry in ipairs(plan.inputs) do
    list[index] = entry
    local held = entry.secret and plan.secrets[entry.name]
    if held then
      list[index] = { name = entry.name, type = entry.type, value = entry.value, secret = true,
        is_default = entry.is_default, fingerprint = fingerprint_of(key, held),
        key = name_of(key) }
    end
  end
  return list
end

local function text_of(typed)
  return type(typed.value) == "string" and typed.value or json.encode(typed.value)
end

--- Whether two values are the same input; what is no value of the type is the plan's to refuse.
local function is_same(entry, given)
  local before, now = inputs_module.convert(entry.type, entry.value),
    inputs_module.convert(entry.type, given)
  if not before or not now then return true end
  local is_number = entry.type == "Integer" or entry.type == "Number"
  before, now = text_of(before), text_of(now)
  return before == now or is_number and tonumber(before) == tonumber(now)
end

local function shown(value)
  local text = type(value) == "string" and value or json.encode(value) or tostring(value)
  return #text > MOST_SHOWN and text:sub(1, MOST_SHOWN) .. "…" or text
end

--- The inputs of a run that is taken up: those that were written down, and its secrets, which have
--- to be given again.
---@param state luafabric.WorkflowRun
---@param given table<string, any>|nil
---@return table<string, any>|nil inputs
---@return luafabric.Error|nil err
function M.again(state, given)
  local inputs, missing = {}, {}
  for name, value in pairs(given or {}) do inputs[name] = value end
  for _, entry in ipairs(state.inputs) do
    local value = inputs[entry.name]
    if not entry.secret then
      if value ~= nil and (secret.is(value) or not is_same(entry, value)) then
        return usage("input %s is %s in run %s, and another one was given: leave it out, or start "
          .. "a new run", entry.name, shown(entry.value), state.run_id)
      end
      inputs[entry.name] = entry.value
    elseif value ~= nil then
      inputs[entry.name] = secret.new(value) -- also one that only its value made a secret
    elseif not entry.is_default then
      missing[#missing + 1] = entry.name
    end
  end
  if #missing == 0 then return inputs end
  return usage("run %s needs its secrets again: %s; they are not written down", state.run_id,
    table.concat(missing, ", "))
end

--- Whether the secrets of a plan are those that the run was started with. Of a store whose key was
--- lost nobody can say, and what was given is taken.
---@param state luafabric.WorkflowRun
---@param plan luafabric.workflow.Plan
---@param key string  16 bytes
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.check(state, plan, key)
  for _, entry in ipairs(state.inputs) do
    local held = plan.secrets[entry.name]
    local is_known = entry.fingerprint and entry.key == name_of(key)
    if held and is_known and entry.fingerprint ~= fingerprint_of(key, held) then
      return usage("the secret %s is not the one that run %s was started with: give that one, or "
        .. "start a new run", entry.name, state.run_id)
    end
  end
  return true
end

return M
