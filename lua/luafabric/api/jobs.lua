--- The job calls: start a run on the typed or the generic route, read one instance, list them,
--- cancel (Microsoft's notebook/swagger.json and platform/swagger.json). Pure.

local core = require "luafabric.core"
local request = require "luafabric.api.request"
local response = require "luafabric.api.response"

local M = {}

local MAX_STATUS = 100 -- bytes

--- The request that starts a run. It may be sent once only.
---@param endpoint string
---@param route "typed"|"generic"
---@param workspace_id string
---@param notebook_id string
---@param body string|nil  in the shape of that route; nil: no parameters, no compute
---@return table request
function M.submit(endpoint, route, workspace_id, notebook_id, body)
  local fields = { method = "POST", body = body, purpose = "submit" }
  if route == "generic" then
    fields.path = request.path("/workspaces/%s/items/%s/jobs/RunNotebook/instances",
      workspace_id, notebook_id)
  else
    fields.path = request.path("/workspaces/%s/notebooks/%s/jobs/execute/instances",
      workspace_id, notebook_id)
    -- Left out it would mean the beta contract (x-ms-deprecation: the default is true until 2028).
    fields.query = "beta=false"
  end
  local made = request.new(endpoint, fields)
  made.send_once = true
  return made
end

--- The generic instance: the status, without an exit value.
function M.get(endpoint, workspace_id, notebook_id, job_id)
  return request.new(endpoint, { purpose = "status",
    path = request.path("/workspaces/%s/items/%s/jobs/instances/%s", workspace_id, notebook_id,
      job_id) })
end

--- One page of a notebook's instances: all active ones, and the 100 that ended last.
---@param token string|nil  of the page before
function M.list(endpoint, workspace_id, notebook_id, token)
  return request.new(endpoint, { purpose = "list", query = request.page_query(token),
    path = request.path("/workspaces/%s/items/%s/jobs/instances", workspace_id, notebook_id) })
end

--- Asks for the end of a run; safe to repeat.
function M.cancel(endpoint, workspace_id, notebook_id, job_id)
  return request.new(endpoint, { method = "POST", purpose = "cancel",
    path = request.path("/workspaces/%s/items/%s/jobs/instances/%s/cancel", workspace_id,
      notebook_id, job_id) })
end

--- What a 202 says of the run. The Location is a URL to read ids from, never one to fetch: on the
--- typed route too it names the generic instance, and its host may be any.
---@param completion table
---@return { job_id: string|nil, request_id: string|nil, retry_after: number|nil }
function M.read_accepted(completion)
  local headers = completion.headers or {}
  local place = headers.location and core.parse_location(headers.location)
  local job_id = place and place.job_id
  if not job_id and core.is_guid(headers["x-ms-job-id"]) then job_id = headers["x-ms-job-id"] end
  return { job_id = job_id and job_id:lower(), request_id = response.request_id(completion),
    retry_after = response.retry_after(completion) }
end

-- Our name for each field of ItemJobInstance; what is not here is kept in `more`.
local text_fields = { jobType = "job_type", invokeType = "invoke_type",
  rootActivityId = "root_activity_id", startTimeUtc = "started_at", endTimeUtc = "ended_at" }
local read_elsewhere = { id = true, itemId = true, status = true, failureReason = true,
  properties = true, exitValue = true }

local function failure_reason(value)
  if type(value) == "string" then return response.text(value) end
  if type(value) ~= "table" or next(value) == nil then return nil end
  local reason = {}
  for name, field in pairs(value) do reason[name] = response.present(field) end
  return next(reason) ~= nil and reason or nil
end

--- An instance in our words. Times stay Fabric's texts (UTC, mostly without a zone).
---@param value table  decoded ItemJobInstance or NotebookJobInstance
---@return table|nil row  job_id, status, failure_reason, started_at, ended_at, job_type,
---  invoke_type, root_activity_id, more; nil when it names no job
function M.read_instance(value)
  if not core.is_guid(value.id) then return nil end
  local row = { job_id = value.id:lower(), status = response.text(value.status, MAX_STATUS),
    failure_reason = failure_reason(value.failureReason) }
  for name, field in pairs(value) do
    if text_fields[name] then
      row[text_fields[name]] = response.text(field, MAX_STATUS)
    elseif not read_elsewhere[name] and field ~= core.null then
      row.more = row.more or {}
      row.more[name] = field
    end
  end
  return row
end

return M
