--- The credential that the environment describes: LUAFABRIC_TOKEN, or the AZURE_* variables that
--- Microsoft's own tools read (azure-identity, EnvironmentCredential).

local client_secret = require "luafabric.credentials.client_secret"
local errors = require "luafabric.errors"
local fixed = require "luafabric.credentials.fixed"

local M = {}

local app_variables = { "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET" }

local option_variables = { tenant_id = "AZURE_TENANT_ID", client_id = "AZURE_CLIENT_ID",
  client_secret = "AZURE_CLIENT_SECRET", authority = "AZURE_AUTHORITY_HOST" }

local function list(names)
  if #names < 2 then return names[1] end
  return table.concat(names, ", ", 1, #names - 1) .. " and " .. names[#names]
end

local function trimmed(text)
  return text and text:match("^%s*(.-)%s*$") or ""
end

local function no_credential(present, missing)
  local message = "no credential in the environment: set LUAFABRIC_TOKEN to a token for Fabric, or "
    .. "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET of an app registration"
  if #present > 0 then
    message = ("%s %s not set, although %s %s: an app registration needs all three (or set "
      .. "LUAFABRIC_TOKEN to a token for Fabric)"):format(list(missing),
      #missing == 1 and "is" or "are", list(present), #present == 1 and "is" or "are")
  end
  return nil, errors.new { kind = "unauthorized", code = "no_credential", message = message }
end

--- `tenant_id: is empty` says AZURE_TENANT_ID to somebody who set variables.
local function misconfigured(problem)
  local named = problem:gsub("^([%w_]+)", function(option) return option_variables[option] end)
  return nil, errors.new { kind = "configuration", message = named }
end

--- The credential of the environment. An empty variable counts as not set. Nothing is sent.
---@param getenv? fun(name: string): string|nil  default os.getenv
---@return luafabric.Credential|nil credential
---@return luafabric.Error|nil err  names the variables to set
function M.read(getenv)
  getenv = getenv or os.getenv
  local token = trimmed(getenv("LUAFABRIC_TOKEN"))
  if token ~= "" then
    local credential, problem = fixed.new(token, "LUAFABRIC_TOKEN")
    if credential then return credential end
    return misconfigured("LUAFABRIC_TOKEN " .. problem)
  end
  local values, present, missing = {}, {}, {}
  for _, name in ipairs(app_variables) do
    values[name] = trimmed(getenv(name))
    local where = values[name] ~= "" and present or missing
    where[#where + 1] = name
  end
  if #missing > 0 then return no_credential(present, missing) end
  local authority = trimmed(getenv("AZURE_AUTHORITY_HOST"))
  local credential, problem = client_secret.new({
    tenant_id = values.AZURE_TENANT_ID, client_id = values.AZURE_CLIENT_ID,
    client_secret = values.AZURE_CLIENT_SECRET, authority = authority ~= "" and authority or nil,
  }, "AZURE_CLIENT_SECRET for app " .. values.AZURE_CLIENT_ID)
  if credential then return credential end
  return misconfigured(problem)
end

return M
