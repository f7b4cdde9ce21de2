--- Microsoft's clouds by the names that `az cloud list` has for them. Authority, endpoint and scope
--- are three settings, each of which can be given as a URL; a name stands for what is known of a
--- cloud, and no more: Microsoft documents no Fabric for China. Pure.
---
--- Authorities: Microsoft's page "National clouds"; endpoint of GCC High: "Fabric in GCC High".

local M = {}

local clouds = {
  azurecloud = { authority = "https://login.microsoftonline.com",
    endpoint = "https://api.fabric.microsoft.com/v1" },
  azureusgovernment = { authority = "https://login.microsoftonline.us",
    endpoint = "https://highapi.fabric.microsoft.us/v1" },
  azurechinacloud = { authority = "https://login.partner.microsoftonline.cn" },
}

M.names = { "AzureCloud", "AzureUSGovernment", "AzureChinaCloud" }

--- A setting, where it is the name of a cloud; anything else is given back as it is.
---@param value any
---@param setting "authority"|"endpoint"
---@return any value          nil when that is not known of the cloud
---@return string|nil problem
function M.resolve(value, setting)
  local cloud = type(value) == "string" and clouds[value:lower()]
  if not cloud then return value end
  if cloud[setting] then return cloud[setting] end
  return nil, ("the %s of %s is not known: give it as a URL"):format(setting, value)
end

return M
