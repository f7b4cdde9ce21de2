--- What makes two runs the same: by default the workflow's name and its inputs. At most one run of
--- a key is unfinished in a store. Pure.

local core = require "luafabric.core"
local secret = require "luafabric.workflow.secret"

local M = {}

--- An input as a text that no other value has; a secret's is what it hides.
local function value_of(input, hidden)
  if hidden then return "secret " .. secret.text(hidden) end
  return assert(core.encode_json(input.value))
end

--- The key of a plan: its name, and a fingerprint of its inputs. Secrets are in it, and cannot be
--- guessed from it without the fingerprint's own key.
---@param plan luafabric.workflow.Plan
---@param fingerprint_key string  16 bytes
---@return string key  "nightly 5f3c…"
function M.of(plan, fingerprint_key)
  local parts = {}
  for index, input in ipairs(plan.inputs) do
    local value = value_of(input, plan.secrets[input.name])
    -- Lengths keep two inputs from reading like two others.
    parts[index] = ("%d %s %d %s %s"):format(#input.name, input.name, #value, value, input.type)
  end
  table.sort(parts)
  return plan.name .. " " .. core.fingerprint(fingerprint_key, table.concat(parts, "\n"))
end

return M
