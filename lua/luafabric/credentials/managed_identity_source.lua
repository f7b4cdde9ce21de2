--- Where a managed identity is asked for: each kind of machine in Azure has a service of its own,
--- which the environment gives away. Order and forms are those of Microsoft's own libraries (MSAL).
--- All of them are on this machine or on its link-local network, and are asked without a proxy.

local errors = require "luafabric.errors"
local exchange = require "luafabric.credentials.exchange"
local origin = require "luafabric.origin"

local M = {}

local IMDS = "http://169.254.169.254"
local IMDS_PATH = "/metadata/identity/oauth2/token"
local ARC = "http://127.0.0.1:40342" .. IMDS_PATH
local ARC_PROGRAM = "/opt/azcmagent/bin/himds"
local ARC_FOLDER, ARC_LONGEST = "/var/opt/azcmagent/tokens/", 4096

---@class luafabric.ManagedIdentitySource
---@field name string
---@field request fun(resource: string, proof: string|nil): table
---@field secret string|nil    that the request carries
---@field probed boolean|nil   whether it is there at all shows when it is asked
---@field challenges boolean|nil  Arc: it wants to see what is in a file

local function get(url, query, headers)
  return { method = "GET", url = url .. "?" .. exchange.form(query), headers = headers,
    direct = true }
end

--- One of the three ids of an identity as the service calls it; `names` maps ours to its own.
local function with_identity(query, identity, names)
  for field, value in pairs(identity) do query[#query + 1] = { names[field], value } end
  return query
end

local function app_service(endpoint, header, identity)
  return { name = "App Service", secret = header, request = function(resource)
    return get(endpoint, with_identity({ { "api-version", "2019-08-01" },
      { "resource", resource } }, identity,
      { client_id = "client_id", object_id = "object_id", resource_id = "mi_res_id" }),
      { ["X-IDENTITY-HEADER"] = header })
  end }
end

local function azure_ml(endpoint, secret, identity)
  if identity.object_id or identity.resource_id then
    return nil, "Azure ML knows identities by client_id only"
  end
  return { name = "Azure ML", secret = secret, request = function(resource)
    return get(endpoint, with_identity({ { "api-version", "2017-09-01" },
      { "resource", resource } }, identity, { client_id = "clientid" }), { secret = secret })
  end }
end

local function cloud_shell(endpoint, identity)
  if next(identity) then return nil, "Cloud Shell has no user-assigned identities" end
  return { name = "Cloud Shell", request = function(resource)
    return { method = "POST", url = endpoint, direct = true,
      body = exchange.form { { "resource", resource } },
      headers = { Metadata = "true", ["Content-Type"] = "application/x-www-form-urlencoded" } }
  end }
end

local function arc(endpoint, identity)
  if next(identity) then return nil, "Azure Arc has no user-assigned identities" end
  return { name = "Azure Arc", challenges = true, request = function(resource, proof)
    return get(endpoint, { { "api-version", "2020-06-01" }, { "resource", resource } },
      { Metadata = "true", Authorization = proof and "Basic " .. proof or nil })
  end }
end

local function machine(base, identity)
  return { name = "the metadata service", probed = true, request = function(resource)
    return get(base .. IMDS_PATH, with_identity({ { "api-version", "2018-02-01" },
      { "resource", resource } }, identity,
      { client_id = "client_id", object_id = "object_id", resource_id = "msi_res_id" }),
      { Metadata = "true" })
  end }
end

--- Why a URL of the environment is not asked; nil when it may be.
local function problem_of(name, url)
  local parts, message = origin.parse_local(url)
  if not parts then return ("%s: %s"):format(name, message) end
end

--- A source with an endpoint that a variable names, or why there is none.
local function at(name, url, new, ...)
  local problem = problem_of(name, url)
  if problem then return nil, problem end
  return new(url, ...)
end

--- Finds out what kind of machine this is.
---@param identity table  client_id, object_id or resource_id, or nothing
---@param world { getenv: fun(name: string): string|nil, exists: fun(path: string): boolean }
---@return luafabric.ManagedIdentitySource|nil source
---@return string|nil problem
function M.find(identity, world)
  local function variable(name)
    local value = world.getenv(name)
    return value ~= "" and value or nil
  end
  local endpoint, header = variable "IDENTITY_ENDPOINT", variable "IDENTITY_HEADER"
  local older, secret = variable "MSI_ENDPOINT", variable "MSI_SECRET"
  if endpoint and header and variable "IDENTITY_SERVER_THUMBPRINT" then
    return nil, "identities of Service Fabric are not supported"
  end
  if endpoint and header then
    return at("IDENTITY_ENDPOINT", endpoint, app_service, header, identity)
  end
  if older and secret then return at("MSI_ENDPOINT", older, azure_ml, secret, identity) end
  if older then return at("MSI_ENDPOINT", older, cloud_shell, identity) end
  if endpoint and variable "IMDS_ENDPOINT" then
    return at("IDENTITY_ENDPOINT", endpoint, arc, identity)
  end
  if world.exists(ARC_PROGRAM) then return arc(ARC, identity) end
  local base = variable "AZURE_POD_IDENTITY_AUTHORITY_HOST" or IMDS
  return at("AZURE_POD_IDENTITY_AUTHORITY_HOST", (base:gsub("/+$", "")), machine, identity)
end

--- Arc's challenge: only who may read a file of its own on this machine is let in. Nothing but such
--- a file is read, whatever is answered.
---@param completion table
---@param read fun(path: string, longest: integer): string|nil, string|nil
---@return string|nil proof
---@return luafabric.Error|nil err
function M.answer_challenge(completion, read)
  local challenge = (completion.headers or {})["www-authenticate"] or ""
  local path = challenge:match("^[Bb]asic [Rr]ealm=\"?([^\"]*)\"?$")
  local name = path and path:sub(1, #ARC_FOLDER) == ARC_FOLDER and path:sub(#ARC_FOLDER + 1)
  local text, message
  if not name or not name:find("^[%w_-][%w._-]*%.key$") then
    message = "it named no key file in " .. ARC_FOLDER
  else
    text, message = read(path, ARC_LONGEST)
    if text and text:find("[^\32-\126]") then text, message = nil, path .. " is no key file" end
  end
  if text then return text end
  return nil, errors.new { kind = "unauthorized",
    message = ("no token from Azure Arc: %s (its agent's files are for members of the group "
      .. "himds)"):format(message) }
end

return M
