--- What the makers of credentials check of their options. A problem is a text that begins with the
--- option's name and shows no secret. Pure.

local clouds = require "luafabric.clouds"
local origin = require "luafabric.origin"

local M = {}

local DEFAULT_AUTHORITY = "https://login.microsoftonline.com"
local DEFAULT_SCOPE = "https://api.fabric.microsoft.com/.default"

local shared_tenants = { common = true, organizations = true, consumers = true }

--- A text without control characters.
---@param options table
---@param name string
---@param further nil|fun(value: string): string|nil  another problem that it may have
---@return string|nil problem
function M.text(options, name, further)
  local value = options[name]
  if type(value) ~= "string" then return name .. ": expected a string, got a " .. type(value) end
  if value == "" then return name .. ": is empty" end
  if value:find("%c") then return name .. ": has a control character in it" end
  return further and further(value)
end

--- The same, and it may be absent.
function M.optional_text(options, name, further)
  return options[name] ~= nil and M.text(options, name, further) or nil
end

--- A tenant's id or domain.
local function tenant_problem(value)
  if not value:find("^[%w][%w.-]*$") then
    return "tenant_id: expected a tenant's id or domain name"
  end
end

--- A tenant for an app, which has one of its own.
local function app_tenant_problem(value)
  if shared_tenants[value:lower()] then
    return "tenant_id: an app needs a tenant of its own, not " .. value
  end
  return tenant_problem(value)
end

local function authority_of(options)
  local text = clouds.resolve(options.authority or DEFAULT_AUTHORITY, "authority")
  if type(text) ~= "string" then return nil, "authority: expected a string" end
  if not text:find("://", 1, true) then text = "https://" .. text end
  local parts, message = origin.parse_secure(text)
  if parts and parts.path ~= "" and parts.path ~= "/" then
    parts, message = nil, "a URL with a path"
  end
  if not parts then return nil, "authority: " .. message .. ": " .. text end
  return parts.origin
end

--- The first field that is not one of the known.
---@param options table
---@param known table<string, boolean>
---@return string|nil problem
function M.unknown(options, known)
  for field in pairs(options) do
    if not known[field] then return tostring(field) .. ": unknown field" end
  end
end

---@class luafabric.EntraSettings
---@field origin string     of the authority
---@field token_url string
---@field base_url string   what /token and /devicecode follow
---@field client_id string
---@field scope string

--- Checks what all sign-ins at Microsoft Entra have in common: tenant_id, client_id, authority,
--- scope.
---@param options table
---@param known table<string, boolean>  further fields that are allowed
---@param is_person boolean|nil  a person signs in, who may be of any tenant
---@return luafabric.EntraSettings|nil settings
---@return string|nil problem
function M.entra(options, known, is_person)
  local allowed = { tenant_id = true, client_id = true, authority = true, scope = true }
  for name in pairs(known) do allowed[name] = true end
  local problem = M.unknown(options, allowed)
    or M.text(options, "tenant_id", is_person and tenant_problem or app_tenant_problem)
    or M.text(options, "client_id") or M.optional_text(options, "scope")
  if problem then return nil, problem end
  local authority
  authority, problem = authority_of(options)
  if not authority then return nil, problem end
  local base = ("%s/%s/oauth2/v2.0"):format(authority, options.tenant_id)
  return { origin = authority, base_url = base, token_url = base .. "/token",
    client_id = options.client_id, scope = options.scope or DEFAULT_SCOPE }
end

--- The resource of a scope, for those who ask without Entra's second version: what stands before
--- /.default.
---@param options table  with `scope` or without
---@return string|nil resource
---@return string|nil problem
function M.resource(options)
  local problem = M.optional_text(options, "scope")
  if problem then return nil, problem end
  local resource = (options.scope or DEFAULT_SCOPE):match("^(%S+)/%.default$")
  if not resource then return nil, "scope: expected one that ends in /.default" end
  return resource
end

return M
