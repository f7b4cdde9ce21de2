--- What people are told about a run: which one it is, and how to go on. Pure.

local M = {}

--- "Sales/Ingest", as the user named it.
---@param run table
---@return string
function M.name(run)
  return ("%s/%s"):format(run.workspace or run.workspace_id, run.notebook or run.notebook_id)
end

--- The command that shows one run.
---@param run table
---@return string
function M.status_command(run)
  return ("`luafabric notebook status %s %s %s`"):format(run.workspace_id, run.notebook_id,
    run.job_id)
end

--- The command that shows the runs of a notebook.
---@param run table
---@return string
function M.list_command(run)
  return ("`luafabric notebook list %s %s`"):format(run.workspace_id, run.notebook_id)
end

return M
