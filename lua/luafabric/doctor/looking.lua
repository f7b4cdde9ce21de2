--- What can be seen of Fabric without running anything: the endpoint, the credential and its
--- token, a workspace, a notebook and its runs. Each thing is a check, told as soon as it is known;
--- what needs another that failed is left out. In a task.

local call = require "luafabric.client.call"
local catalog = require "luafabric.api.catalog"
local core = require "luafabric.core"
local endpoints = require "luafabric.client.endpoints"
local identity = require "luafabric.client.identity"
local jobs = require "luafabric.api.jobs"
local names = require "luafabric.client.names"
local notebooks = require "luafabric.api.notebooks"
local options_module = require "luafabric.client.options"
local reach = require "luafabric.doctor.reach"
local reconcile = require "luafabric.policy.reconcile"
local response = require "luafabric.api.response"
local shell = require "luafabric.shell"
local tasks = require "luafabric.tasks"
local token_module = require "luafabric.doctor.token"
local tokens = require "luafabric.client.tokens"

local M = {}

local ANSWER_TIMEOUT, CONNECT_TIMEOUT = 20, 10 -- seconds
local PATIENCE = 30 -- seconds, for one question to Fabric

---@class luafabric.Looking  what is looked at, and what was seen
---@field endpoint string           a checked one
---@field workspace string|nil      name or id
---@field notebook string|nil       name or id
---@field tell fun(check: luafabric.Check)  plain
---@field find fun(tried: table): luafabric.Credential|nil, luafabric.Error|nil
---@field connect fun(credential: luafabric.Credential): table|nil, luafabric.Error|nil
---@field scope string|nil          that tokens are asked for, where it is not Fabric's
---@field findings luafabric.Finding[]|nil  what was found out before
---@field is_proving boolean|nil    a run is started afterwards, which shows more
---@field client table|nil          is set where a token was to be had
---@field workspace_id string|nil   is set where it can be seen
---@field notebook_id string|nil
---@field has_failed boolean|nil    something that a run needs

local function tell(look, name, state, message, more)
  local check = more or {}
  check.name, check.state, check.message = name, state, message
  if state == "failed" then look.has_failed = true end
  look.tell(check)
  return state ~= "failed"
end

local ADVICE_FORBIDDEN = "the identity needs a role in the workspace (Viewer to look, Contributor "
  .. "to run), and an app the tenant's consent to call Fabric's API"

local function fail(look, name, err)
  return tell(look, name, "failed", (err.message:gsub("%.$", "")), { kind = err.kind,
    code = err.code, status = err.status, request_id = err.request_id,
    advice = err.status == 403 and ADVICE_FORBIDDEN or nil })
end

-- ---- the way there ----

local function look_at_endpoint(look)
  local host = call.host()
  local request = catalog.list_workspaces(look.endpoint)
  request.timeout, request.connect_timeout = ANSWER_TIMEOUT, CONNECT_TIMEOUT
  local sent, from = host.wall(), host.now()
  local completion = tasks.request(request)
  local check = reach.judge(look.endpoint, completion, host.now() - from)
  look.has_failed = check.state == "failed"
  look.tell(check)
  local date = (completion.headers or {}).date
  local clock = reach.clock(reconcile.measure(nil, sent, host.wall(),
    date and core.parse_http_date(date)))
  if clock then look.tell(clock) end
end

-- ---- who we are ----

local function look_at_token(look, token, credential)
  local check = token_module.judge(identity.claims(token), { now = call.host().wall(),
    scope = look.scope, is_public = look.endpoint == options_module.DEFAULT_ENDPOINT,
    is_fixed = credential.name == "LUAFABRIC_TOKEN" })
  if check.state == "failed" then look.has_failed = true end
  look.tell(check)
end

local function look_at_credential(look)
  local tried = {}
  local credential, err = look.find(tried)
  local client, token
  if credential then client, err = look.connect(credential) end
  if client then token, err = tokens.get(client) end
  for _, entry in ipairs(tried) do
    tell(look, "tried", "note", ("%s: %s"):format(entry.name, entry.reason),
      { credential = entry.name })
  end
  if not token then return fail(look, "credential", err) end
  look.client = client
  tell(look, "credential", "ok", credential.name .. " gives a token")
  look_at_token(look, token, credential)
end

-- ---- what it may see ----

local function options_of(what)
  return { what = what, tries = 2, quiet = true, deadline = call.host().now() + PATIENCE }
end

local function plural(count, word)
  return ("%d %s%s"):format(count, word, count == 1 and "" or "s")
end

local function count_workspaces(look)
  local list, err = names.workspaces(look.client, call.host().now() + PATIENCE)
  if not list then return fail(look, "workspace", err) end
  if #list == 0 then
    return tell(look, "workspace", "warning", "no workspace can be seen", { count = 0,
      advice = ADVICE_FORBIDDEN })
  end
  return tell(look, "workspace", "ok", plural(#list, "workspace") .. " can be seen",
    { count = #list })
end

local function look_at_workspace(look)
  local client = look.client
  local id, err = names.workspace(client, look.workspace, call.host().now() + PATIENCE)
  local completion
  if id then
    completion, err = call.safe(client, catalog.get_workspace(client.endpoint, id),
      options_of(("workspace %s cannot be seen"):format(look.workspace)))
  end
  if not completion then return fail(look, "workspace", err) end
  look.workspace_id = id
  local value = response.object(completion) or {}
  local name, capacity = response.text(value.displayName), response.text(value.capacityId)
  local more = { workspace_id = id, capacity_id = capacity }
  local message = ("%s is %s"):format(name and ("\"%s\""):format(name) or "it", id)
  if capacity then return tell(look, "workspace", "ok", message .. ", on a capacity", more) end
  more.advice = "nothing runs without one: assign it in the workspace's settings"
  return tell(look, "workspace", "warning", message .. ", and names no capacity", more)
end

local function count_notebooks(look)
  local client = look.client
  local list, err = names.notebooks(client, look.base, look.workspace_id,
    call.host().now() + PATIENCE)
  if not list then return fail(look, "notebook", err) end
  return tell(look, "notebook", "ok", plural(#list, "notebook") .. " can be seen",
    { count = #list })
end

local function look_at_notebook(look)
  local client = look.client
  local id, err = names.notebook(client, look.base,
    { id = look.workspace_id, name = look.workspace }, look.notebook,
    call.host().now() + PATIENCE)
  local completion
  if id then
    completion, err = call.safe(client, notebooks.get(look.base, look.workspace_id, id),
      options_of(("notebook %s cannot be seen"):format(look.notebook)))
  end
  if not completion then return fail(look, "notebook", err) end
  look.notebook_id = id
  local name = response.text((response.object(completion) or {}).displayName)
  return tell(look, "notebook", "ok", ("%s is %s"):format(
    name and ("\"%s\""):format(name) or "it", id), { notebook_id = id })
end

local function look_at_runs(look)
  local count, active = 0, 0
  local ok, err = call.each(look.client, function(token)
    return jobs.list(look.base, look.workspace_id, look.notebook_id, token)
  end, function(value)
    local row = jobs.read_instance(value)
    count = count + 1
    if row and not row.ended_at then active = active + 1 end
  end, options_of "its runs cannot be listed, so that none could be found again")
  if not ok then return fail(look, "runs", err) end
  return tell(look, "runs", "ok", ("%s can be listed, %d active"):format(plural(count, "run"),
    active), { count = count, active = active })
end

--- Whether a run may be started cannot be asked: only a run tells.
local function say_what_is_open(look)
  local found = {}
  for _, finding in ipairs(look.findings or {}) do
    if finding.workspace_id == look.workspace_id then found[#found + 1] = finding end
  end
  if #found > 0 then
    local shown = {}
    for index, finding in ipairs(found) do
      shown[index] = { question = finding.question, answer = finding.answer,
        at = core.format_time(finding.at) }
    end
    return tell(look, "proven", "note", require("luafabric.doctor.beliefs").summary(found),
      { findings = shown })
  end
  return tell(look, "proven", "note", "whether it may be run shows only a run",
    { advice = ("luafabric doctor --prove %s %s starts one"):format(
      shell.word(look.workspace), shell.word(look.notebook)) })
end

local function look_at_things(look)
  if not look.workspace then return count_workspaces(look) end
  if not look_at_workspace(look) then return end
  local base, err = endpoints.of_workspace(look.client, look.workspace_id, look.workspace)
  if not base then return fail(look, "workspace", err) end
  look.base = base
  if not look.notebook then return count_notebooks(look) end
  if not look_at_notebook(look) or not look_at_runs(look) then return end
  if not look.is_proving then say_what_is_open(look) end
end

--- Looks at everything that was asked for; in a task.
---@param look luafabric.Looking
function M.look(look)
  look_at_endpoint(look)
  local is_there = not look.has_failed
  look_at_credential(look)
  if is_there and look.client then look_at_things(look) end
end

return M
