--- Which endpoint a workspace is called on: the configured one, the one that the user gave for it,
--- or, when asked for, the one that Fabric names for it (private links). Fabric's word is taken for
--- a subdomain of the configured host only, since the token goes there.

local clouds = require "luafabric.clouds"
local origin = require "luafabric.origin"

local M = {}

--- An endpoint as the user wrote it, checked; without a slash at the end.
---@param text any  a URL, or the name of a cloud
---@return string|nil endpoint
---@return string message  what is wrong with it; or, with an endpoint, its origin
function M.parse(text)
  if type(text) ~= "string" then return nil, "expected a URL, got a " .. type(text) end
  local unknown
  text, unknown = clouds.resolve(text, "endpoint")
  if not text then return nil, unknown end
  local parts, message = origin.parse_secure(text)
  if not parts then return nil, ("%s: %s"):format(message, text) end
  if parts.path:find("[?#]") then return nil, "a URL with a query: " .. text end
  return parts.origin .. parts.path:gsub("/+$", ""), parts.origin
end

--- Why Fabric's word for an endpoint is not taken; nil when it is.
local function distrust(client, parts)
  local own = origin.parse(client.endpoint)
  if parts.scheme ~= "https" then return "it is not https" end
  if parts.host:sub(-#own.host - 1) ~= "." .. own.host then
    return "it is not below " .. own.host
  end
  if parts.port ~= own.port then return "its port is another" end
  if parts.path ~= "" and parts.path ~= "/" then return "it has a path" end
end

local function accept(client, text)
  local parts, message = origin.parse(text)
  local problem = parts and distrust(client, parts) or not parts and message
  if problem then
    local response = require "luafabric.api.response"
    client:emit { type = "warning", message = ("Fabric named %s as the workspace's endpoint, but "
      .. "%s; the configured endpoint is used"):format(response.text(text, 200) or "?", problem) }
    return client.endpoint
  end
  client.origins[parts.origin] = true
  return parts.origin .. origin.parse(client.endpoint).path
end

local function ask(client, workspace_id, deadline)
  local call, catalog = require "luafabric.client.call", require "luafabric.api.catalog"
  local completion, err = call.safe(client, catalog.get_workspace(client.endpoint, workspace_id), {
    what = "the endpoint of workspace " .. workspace_id .. " could not be read",
    deadline = deadline,
  })
  if not completion then return nil, err end
  local value = require("luafabric.api.response").object(completion)
  local text = value and value.apiEndpoint
  if type(text) ~= "string" or text == "" then return client.endpoint end
  return accept(client, text)
end

--- The endpoint for a workspace.
---@param client table
---@param workspace_id string
---@param name string|nil  as the user wrote it
---@param deadline number|nil
---@return string|nil endpoint
---@return luafabric.Error|nil err
function M.of_workspace(client, workspace_id, name, deadline)
  local choice = client.workspace_endpoints
  if not choice then return client.endpoint end
  if type(choice) == "table" then
    return choice[workspace_id] or choice[name] or client.endpoint
  end
  local known = client.endpoints[workspace_id]
  if known then return known end
  local endpoint, err = ask(client, workspace_id, deadline)
  if not endpoint then return nil, err end
  client.endpoints[workspace_id] = endpoint
  return endpoint
end

return M
