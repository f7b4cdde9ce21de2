--- Workspaces: their list, and one of them with its own endpoint (Microsoft's
--- platform/swagger.json). Pure.

local core = require "luafabric.core"
local request = require "luafabric.api.request"

local M = {}

--- One page of the workspaces that the caller may see.
---@param token string|nil  of the page before
function M.list_workspaces(endpoint, token)
  return request.new(endpoint, { purpose = "workspaces", path = "/workspaces",
    query = request.page_query(token) })
end

--- One workspace, with the endpoint of its own where it has one (private links).
function M.get_workspace(endpoint, workspace_id)
  return request.new(endpoint, { purpose = "workspace",
    query = "preferWorkspaceSpecificEndpoints=true",
    path = request.path("/workspaces/%s", workspace_id) })
end

--- Id and name of an entry of a list of workspaces or notebooks.
---@param value table
---@return { id: string, name: string, value: table }|nil entry  nil when it has no id or no name
function M.read_entry(value)
  if not core.is_guid(value.id) or type(value.displayName) ~= "string" then return nil end
  return { id = value.id:lower(), name = value.displayName, value = value }
end

return M
