--- What is there, in the order of Microsoft's DefaultAzureCredential: the environment, a workload
--- identity, whoever did `luafabric login`, the machine's managed identity, the Azure CLI. A
--- credential that the environment describes is used, or fails; only where it describes none are
--- the others asked, the first time that a token is wanted.

local azure_cli = require "luafabric.credentials.azure_cli"
local chain = require "luafabric.credentials.chain"
local environment = require "luafabric.credentials.environment"
local errors = require "luafabric.errors"
local managed_identity = require "luafabric.credentials.managed_identity"
local signed_in = require "luafabric.credentials.signed_in"

local M = {}

local VARIABLE = "AZURE_TOKEN_CREDENTIALS"

--- What each value leaves over; kinds of the environment, then person, machine and cli.
local selections = {
  [""] = { kinds = { "environment", "workload" }, person = true, machine = true, cli = true,
    is_all = true },
  prod = { kinds = { "environment", "workload" }, machine = true },
  dev = { kinds = {}, person = true, cli = true },
  environmentcredential = { kinds = { "environment" } },
  workloadidentitycredential = { kinds = { "workload" } },
  devicecodecredential = { kinds = {}, person = true },
  managedidentitycredential = { kinds = {}, machine = true },
  azureclicredential = { kinds = {}, cli = true },
}

--- What is missing of each kind of the environment, for who asks what was tried.
local missing = {
  token = { name = "a token", reason = "LUAFABRIC_TOKEN is not set" },
  environment = { name = "an app registration", reason = "AZURE_TENANT_ID, AZURE_CLIENT_ID and "
    .. "AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH are not set" },
  workload = { name = "a workload identity", reason = "AZURE_FEDERATED_TOKEN_FILE is not set, and "
    .. "this is no job of GitHub Actions or Azure Pipelines" },
}

local function selection_of(getenv)
  local text = (getenv(VARIABLE) or ""):match("^%s*(.-)%s*$")
  local selection = selections[text:lower()]
  if selection then return selection, text end
  return nil, errors.new { kind = "configuration", message = VARIABLE .. ": expected prod, dev, "
    .. "EnvironmentCredential, WorkloadIdentityCredential, DeviceCodeCredential, "
    .. "ManagedIdentityCredential or AzureCliCredential; luafabric knows no others" }
end

--- A credential of the environment; or nil and why, where that ends the search.
local function described(getenv, selection, reasons, tried)
  local credential, err = environment.read(getenv, "token")
  if credential or err.code ~= "no_credential" then return credential, err end
  tried[1] = missing.token
  if not selection.is_all then
    tried[2] = { name = "others", reason = VARIABLE .. " leaves some out" }
  end
  for _, kind in ipairs(selection.kinds) do
    credential, err = environment.read(getenv, kind)
    if credential or err.code ~= "no_credential" then return credential, err end
    local is_begun = err.message:find(" although ", 1, true)
    if is_begun then reasons[#reasons + 1] = err.message end
    tried[#tried + 1] = is_begun and { name = missing[kind].name, reason = err.message }
      or missing[kind]
  end
end

local function variable(getenv, name)
  local value = getenv(name)
  return value ~= "" and value or nil
end

--- Those that show only when they are asked whether they are there.
local function to_ask(getenv, selection, reasons, tried)
  local found, scope = {}, variable(getenv, "LUAFABRIC_SCOPE")
  local alone = selection.machine and not selection.cli and #selection.kinds == 0
  -- Whoever signed in for luafabric meant it, and looking into a file takes no time.
  if selection.person then
    local credential, problem = signed_in.new({}, getenv)
    found[1] = credential
    reasons[#reasons + 1] = problem
    if problem then tried[#tried + 1] = { name = "luafabric login", reason = problem } end
  end
  if selection.machine then
    local credential, problem = managed_identity.new(
      { client_id = variable(getenv, "AZURE_CLIENT_ID"), scope = scope },
      { getenv = getenv, probe = not alone })
    found[#found + 1] = credential
    reasons[#reasons + 1] = problem
    if problem then tried[#tried + 1] = { name = "managed identity", reason = problem } end
  end
  if selection.cli then
    local credential, problem = azure_cli.new {
      tenant_id = variable(getenv, "AZURE_TENANT_ID"), scope = scope }
    found[#found + 1] = credential
    reasons[#reasons + 1] = problem
    if problem then tried[#tried + 1] = { name = "Azure CLI", reason = problem } end
  end
  return found
end

--- What to do where nobody is there: nothing that the selection leaves out.
local function advice_of(selection, name)
  local ways = { environment.token_advice }
  for _, kind in ipairs(selection.kinds) do
    if kind == "environment" then ways[#ways + 1] = environment.app_advice end
  end
  if selection.kinds[1] == "workload" then
    ways[#ways + 1] = "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE"
  end
  if selection.cli or selection.person then
    ways[#ways + 1] = "sign in with " .. (not selection.person and "az login"
      or selection.cli and "az login or luafabric login" or "luafabric login")
  end
  if selection.machine and #selection.kinds == 0 then
    ways[#ways + 1] = "run where there is a managed identity"
  end
  return table.concat(ways, ", or ") .. (selection.is_all and ""
    or ("; %s=%s leaves out the others"):format(VARIABLE, name))
end

--- Why the commands do not use what `luafabric login` left, or would not; nil where they do.
---@param getenv? fun(name: string): string|nil  default os.getenv
---@return string|nil reason
function M.before_sign_in(getenv)
  getenv = getenv or os.getenv
  local selection, name = selection_of(getenv)
  if not selection then return name.message end
  if not selection.person then
    return ("it is not used while %s is %s"):format(VARIABLE, name)
  end
  local credential, err = described(getenv, selection, {}, {})
  if credential or err then
    return "the environment goes before it while it is set: "
      .. (credential and credential.name or err.message)
  end
end

--- The credential that is there.
---@param getenv? fun(name: string): string|nil  default os.getenv
---@param tried? { name: string, reason: string }[]  gets what was looked for and is not there, at
---  once or when a token is wanted
---@return luafabric.Credential|nil credential
---@return luafabric.Error|nil err
function M.read(getenv, tried)
  getenv, tried = getenv or os.getenv, tried or {}
  local selection, name = selection_of(getenv)
  if not selection then return nil, name end
  local reasons = {}
  local credential, problem = described(getenv, selection, reasons, tried)
  if credential or problem then return credential, problem end
  local found = to_ask(getenv, selection, reasons, tried)
  local advice = advice_of(selection, name)
  if #found > 0 then return chain.new(found, advice, reasons, tried) end
  return nil, errors.new { kind = "unauthorized", code = "no_credential",
    message = ("no credential was found: %s%s"):format(advice,
      #reasons > 0 and " (" .. table.concat(reasons, "; ") .. ")" or "") }
end

return M
