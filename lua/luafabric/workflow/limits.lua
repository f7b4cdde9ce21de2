--- The limits of a whole run: what the one who runs a workflow says wins over the workflow's own.
--- Pure.

local deadline_module = require "luafabric.workflow.deadline"
local duration = require "luafabric.duration"
local errors = require "luafabric.errors"

local M = {}

--- Puts the given limits in the place of the plan's.
---@param plan luafabric.workflow.Plan
---@param options { max_concurrency: integer|nil, timeout: number|string|nil,
---  deadline: string|nil }
---@return luafabric.workflow.Plan|nil plan  the same
---@return luafabric.Error|nil err  kind "usage"
function M.override(plan, options)
  plan.max_concurrency = options.max_concurrency or plan.max_concurrency
  if options.timeout ~= nil then plan.timeout = duration.parse(options.timeout) end
  if options.deadline == nil then return plan end
  local deadline, message = deadline_module.parse(options.deadline, plan.started_at)
  if not deadline then
    return nil, errors.new { kind = "usage", message = "deadline: " .. message }
  end
  plan.deadline, plan.on_deadline = deadline, "cancel"
  return plan
end

return M
