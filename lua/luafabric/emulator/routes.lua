-- Which call a method and a URL mean, with the ids and the query in it. Microsoft's OpenAPI files
-- spell some paths with their query ("...instances?beta=false"); here the two are apart.

local M = {}

-- One row per call: method, path below /v1, name, the kind that quotas and fault scripts know.
local ROUTES = {
  { "GET", "workspaces", "list_workspaces", "workspaces" },
  { "GET", "workspaces/{ws}", "get_workspace", "workspaces" },
  { "GET", "workspaces/{ws}/items", "list_items", "notebooks" },
  { "GET", "workspaces/{ws}/items/{item}", "get_item", "notebooks" },
  { "GET", "workspaces/{ws}/notebooks", "list_notebooks", "notebooks" },
  { "GET", "workspaces/{ws}/notebooks/{item}", "get_notebook", "notebooks" },
  { "POST", "workspaces/{ws}/notebooks/{item}/jobs/execute/instances", "run_notebook", "submit" },
  { "GET", "workspaces/{ws}/notebooks/{item}/jobs/execute/instances/{job}", "get_notebook_run",
    "instance" },
  { "POST", "workspaces/{ws}/items/{item}/jobs/instances", "run_item_by_query", "submit" },
  { "POST", "workspaces/{ws}/items/{item}/jobs/{type}/instances", "run_item", "submit" },
  { "GET", "workspaces/{ws}/items/{item}/jobs/instances", "list_runs", "list" },
  { "GET", "workspaces/{ws}/items/{item}/jobs/instances/{job}", "get_run", "status" },
  { "POST", "workspaces/{ws}/items/{item}/jobs/instances/{job}/cancel", "cancel_run", "cancel" },
  { "GET", "workspaces/{ws}/notebooks/{item}/livySessions", "list_sessions", "livy" },
  { "GET", "workspaces/{ws}/notebooks/{item}/livySessions/{livy}", "get_session", "livy" },
}

local function split(path)
  local segments = {}
  for segment in path:gmatch("[^/]+") do segments[#segments + 1] = segment end
  return segments
end

-- By number of segments, so that a look-up compares a few rows only.
local by_length = {}
for _, row in ipairs(ROUTES) do
  local segments = split(row[2])
  by_length[#segments] = by_length[#segments] or {}
  table.insert(by_length[#segments],
    { method = row[1], segments = segments, name = row[3], kind = row[4] })
end

--- "%41" -> "A"; in a query "+" stays "+", as .NET reads it.
---@param text string
---@return string
function M.unescape(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

--- The query as a table; names are case-insensitive in Fabric, so they come in lower case.
---@param query string|nil
---@return table<string, string>
function M.query(query)
  local values = {}
  for pair in (query or ""):gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    values[M.unescape(name):lower()] = M.unescape(value)
  end
  return values
end

local function match(row, segments)
  local ids = {}
  for index, wanted in ipairs(row.segments) do
    local name = wanted:match("^{(%w+)}$")
    if name then
      ids[name] = M.unescape(segments[index])
    elseif wanted:lower() ~= segments[index]:lower() then
      return nil
    end
  end
  return ids
end

--- The places where identities are proved. The machine's own are kind "identity".
local function find_sign_in(route, path)
  local tenant, last = path:match("^/([^/]+)/oauth2/v2%.0/(%a+)$")
  local service = path:match("^/oidc/(%a+)$")
  if last == "token" then
    route.kind, route.name, route.ids.tenant = "token", "token", tenant
  elseif last == "devicecode" then
    route.kind, route.name, route.ids.tenant = "device_code", "device_code", tenant
  elseif path == "/metadata/identity/oauth2/token" then
    route.kind, route.name = "identity", "metadata"
  elseif path == "/msi/token" then
    route.kind, route.name = "identity", "app"
  elseif service == "github" or service == "pipelines" then
    route.kind, route.name, route.ids.service = "identity", "job", service
  end
  return route.name ~= nil
end

--- Find the call.
---@param method string
---@param url string  whole URL, or path with query
---@return table route  { kind, name, ids, query, query_text, path }; kind "unknown" and no name
---  where Fabric has no such call
function M.find(method, url)
  local path, query = url:gsub("^%a[%w+.-]*://[^/?#]*", ""):gsub("#.*$", "")
    :match("^([^?]*)%??(.*)$")
  local route = { kind = "unknown", ids = {}, path = path, query = M.query(query),
    query_text = query }
  if method == "GET" and path == "/emulator/state" then
    route.kind, route.name = "state", "state"
    return route
  end
  if find_sign_in(route, path) then return route end
  local segments = split(path:match("^/[vV]1(/.*)$") or "")
  for _, row in ipairs(by_length[#segments] or {}) do
    local ids = row.method == method and match(row, segments)
    if ids then
      route.kind, route.name, route.ids = row.kind, row.name, ids
      return route
    end
  end
  return route
end

return M
