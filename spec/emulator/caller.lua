-- A service with one notebook and short ways to call it, for the emulator's specs.

local json = require "luafabric.json"
local service = require "luafabric.emulator.service"

local M = {}

M.start = 1767225600 -- 2026-01-01T00:00:00Z

--- A service and a caller of it.
---@param options table|nil  of service.new; `workspaces` default to Sales/Ingest and Sales/Report
---@return table caller  with service, now, ws, nb
function M.new(options)
  local given = {}
  for name, value in pairs(options or {}) do given[name] = value end
  given.workspaces = given.workspaces
    or { { name = "Sales", notebooks = { { name = "Ingest" }, { name = "Report" } } } }
  local caller = { service = service.new(given), now = M.start, token = "any" }
  local workspace = caller.service.catalog.list[1]
  caller.ws, caller.nb = workspace.id, workspace.items[1].id

  --- Call with a path below /v1; a table body is sent as JSON.
  function caller.call(method, path, body)
    if type(body) == "table" then body = assert(json.encode(body)) end
    local headers = caller.token and { Authorization = "Bearer " .. caller.token } or {}
    local response = caller.service:handle({
      method = method, url = "https://api.fabric.microsoft.com/v1" .. path, headers = headers,
      body = body,
    }, caller.now)
    return response, response.body ~= "" and json.decode(response.body) or nil
  end

  function caller.get(path) return caller.call("GET", path) end

  local function item_path() return ("/workspaces/%s/items/%s"):format(caller.ws, caller.nb) end
  local function notebook_path()
    return ("/workspaces/%s/notebooks/%s"):format(caller.ws, caller.nb)
  end

  --- Submit on the typed route; returns the job's id where one was given, and the answer.
  function caller.submit(body)
    local response = caller.call("POST",
      notebook_path() .. "/jobs/execute/instances?beta=false", body)
    return response.headers["x-ms-job-id"], response
  end

  --- Submit on the generic route.
  function caller.submit_generic(body, job_type)
    local response = caller.call("POST",
      item_path() .. "/jobs/" .. (job_type or "RunNotebook") .. "/instances", body)
    return response.headers["x-ms-job-id"], response
  end

  function caller.status(job)
    local response, value = caller.get(item_path() .. "/jobs/instances/" .. job)
    return value and value.status, response, value
  end

  function caller.instance(job)
    local response, value = caller.get(notebook_path() .. "/jobs/execute/instances/" .. job
      .. "?beta=true")
    return value, response
  end

  function caller.list(query)
    local response, value = caller.get(item_path() .. "/jobs/instances" .. (query or ""))
    return value, response
  end

  function caller.cancel(job)
    return (caller.call("POST", item_path() .. "/jobs/instances/" .. job .. "/cancel"))
  end

  caller.item_path, caller.notebook_path = item_path, notebook_path
  return caller
end

return M
