--- The notebook calls: the list of a workspace's notebooks, and a run's notebook instance, which is
--- the only place where the exit value is (Microsoft's notebook/swagger.json). Pure.

local json = require "luafabric.json"
local request = require "luafabric.api.request"
local response = require "luafabric.api.response"

local M = {}

--- One page of a workspace's notebooks, those in folders too.
---@param token string|nil  of the page before
function M.list(endpoint, workspace_id, token)
  return request.new(endpoint, { purpose = "notebooks", query = request.page_query(token),
    path = request.path("/workspaces/%s/notebooks", workspace_id) })
end

--- One notebook.
function M.get(endpoint, workspace_id, notebook_id)
  return request.new(endpoint, { purpose = "notebooks",
    path = request.path("/workspaces/%s/notebooks/%s", workspace_id, notebook_id) })
end

--- The instance with exit value and monitoring links. Only its beta contract exists.
function M.get_instance(endpoint, workspace_id, notebook_id, job_id)
  return request.new(endpoint, { purpose = "instance", query = "beta=true",
    path = request.path("/workspaces/%s/notebooks/%s/jobs/execute/instances/%s", workspace_id,
      notebook_id, job_id) })
end

--- One page of the sessions behind a notebook's Spark runs.
---@param token string|nil  of the page before
function M.list_sessions(endpoint, workspace_id, notebook_id, token)
  return request.new(endpoint, { purpose = "livy", query = request.page_query(token),
    path = request.path("/workspaces/%s/notebooks/%s/livySessions", workspace_id, notebook_id) })
end

--- The text at a path: a JSON string as what it says, anything else exactly as it stands.
local function exact_text(body, ...)
  local slice = json.slice(body, ...)
  if not slice or slice == "null" then return nil end
  if slice:find('^"') then return (json.decode(slice)) end
  return slice
end

local function read_links(properties)
  local details = type(properties) == "table" and properties.computeDetails
  local info = type(details) == "table" and details.monitoringInfo
  if type(info) ~= "table" then return nil end
  local links
  for name, url in pairs(info) do
    if type(url) == "string" and type(name) == "string" and url:find("^https?://") then
      links = links or {}
      links[name] = response.text(url)
    end
  end
  return links
end

--- Exit value and links of a 200.
---@param completion table
---@return { exit_value: string|nil, links: table<string, string>|nil }|nil found
---@return string|nil message
function M.read_instance(completion)
  local value, message = response.object(completion)
  if not value then return nil, message end
  local exit_value = exact_text(completion.body, "properties", "exitValue")
  -- One page of Microsoft's documentation has it at the top.
  if exit_value == nil then exit_value = exact_text(completion.body, "exitValue") end
  return { exit_value = exit_value, links = read_links(value.properties) }
end

return M
