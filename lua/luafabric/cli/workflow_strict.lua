-- --strict: what a plan only warns of is an error, before anything is sent. Above all for files of
-- runMultiple, of which some fields cannot be honoured.

local M = {}

--- Adds the option.
---@param command table  of argparse
function M.add(command)
  command:flag("--strict", "Take what the plan warns of as an error, such as fields of a "
    .. "runMultiple file that cannot be honoured.")
end

--- What is wrong with a plan under --strict.
---@param options { strict: boolean|nil }
---@param plan luafabric.workflow.Plan
---@return string|nil message
function M.check(options, plan)
  if not options.strict or #plan.warnings == 0 then return nil end
  return "--strict: " .. table.concat(plan.warnings, "; ")
end

return M
