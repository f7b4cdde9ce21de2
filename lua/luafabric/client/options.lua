--- What users hand in, checked before anything else happens: the options of a client, the fields of
--- a call. Wrong ones raise at the user's line, naming the field. Pure.

local duration = require "luafabric.duration"
local endpoints = require "luafabric.client.endpoints"
local nearest = require "luafabric.nearest"
local reconcile = require "luafabric.policy.reconcile"

local M = {}

M.DEFAULT_ENDPOINT = "https://api.fabric.microsoft.com/v1"

local DEFAULT_FLOOR = 10 -- seconds between polls where the server says nothing, as Microsoft's CLI
local LOOPBACK_FLOOR = 0.5 -- http is never Fabric itself, and has no quota to share
-- What runs on this machine has no gateways in between.
local LOOPBACK_VISIBLE, LOOPBACK_LATE = 1, 10 -- seconds
local DEFAULT_SUBMIT_TIMEOUT = 1800 -- seconds

-- Throughout: `level` is as for `error`, seen from the function that calls the one that has it.

-- ---- a client ----

---@class luafabric.ClientOptions
---@field credential luafabric.Credential|string|fun(): string  string: a fixed token; function:
---  gives a token, and unix seconds when it expires
---@field endpoint? string    default https://api.fabric.microsoft.com/v1; http: this machine only;
---  or the name of a cloud, as AzureUSGovernment
---@field route? "typed"|"generic"  how runs are submitted; generic where a tenant lacks the typed
---@field on_event? fun(event: table)  told of submitting, submitted, waiting, status_changed,
---  ended, warning; plain, may not wait; when it raises it is not called again, see
---  client.event_error
---@field poll_floor? number|string    shortest time between two looks at a run, default 10 s (0.5 s
---  for an endpoint on this machine)
---@field workspace_endpoints? boolean|table<string, string>  true: Fabric names the endpoint of a
---  workspace (private links); a table: workspace id or name -> endpoint
---@field request_timeout? number|string  for one answer, default 60 s, for a submission 120 s
---@field connect_timeout? number|string  default 10 s
---@field proxy? string       for calls outside of a loop; in a loop it belongs to the host
---@field ca_file? string     the same
---@field visible_after? number|string  until Fabric surely lists a run that it accepted, default
---  30 s (1 s for an endpoint on this machine)
---@field late_by? number|string  longest time that a lost submission may take to reach Fabric,
---  default 5 minutes (10 s for an endpoint on this machine)
---@field tag_proven? boolean  Fabric was seen to show the name of a run's session, our tag in it
---@field host? string|fun(): table  for calls outside of a loop: "plain", "nginx", "haproxy",
---  "cqueues" or "luv", or a function that gives a host; default: the one that fits, see hosts.find

local known_options = { credential = true, endpoint = true, route = true, on_event = true,
  poll_floor = true, workspace_endpoints = true, request_timeout = true, connect_timeout = true,
  proxy = true, ca_file = true, host = true, visible_after = true, late_by = true,
  tag_proven = true }

local routes = { typed = true, generic = true }

local function fail(message, level)
  error(message, level + 1)
end

local function check_credential(credential, level)
  local kind = type(credential)
  if kind == "string" then
    local credentials = require "luafabric.credentials.fixed"
    local made, problem = credentials.new(credential)
    if not made then fail("client: credential: the token " .. problem, level + 1) end
    return made
  end
  if kind == "function" then return require("luafabric.credentials.callback").new(credential) end
  if kind == "table" and type(credential.token) == "function" then return credential end
  fail("client: credential: expected one of fabric.credentials, a token or a function that gives "
    .. "one, got a " .. kind, level + 1)
end

local function check_route(route, what, level)
  if route == nil or routes[route] then return route end
  fail(("%s: route: \"%s\" is not one of typed, generic"):format(what, tostring(route)), level + 1)
end

local function check_type(options, name, wanted, level)
  local value = options[name]
  if value == nil or type(value) == wanted then return value end
  fail(("client: %s: expected a %s, got a %s"):format(name, wanted, type(value)), level + 1)
end

local function check_host(host, level)
  local kind = type(host)
  if host == nil or kind == "function" then return host end
  if kind == "string" and require("luafabric.hosts").is_known(host) then return host end
  fail(("client: host: expected plain, nginx, nginx_resty, haproxy, cqueues, luv or a function "
    .. "that gives a host, got %s"):format(kind == "string" and ("%q"):format(host)
      or "a " .. kind), level + 1)
end

local function check_duration(options, name, level)
  if options[name] == nil then return nil end
  local seconds = duration.check(options[name], "client: " .. name, level + 1)
  if seconds == 0 then fail(("client: %s: must be more than 0"):format(name), level + 1) end
  return seconds
end

--- Endpoints by workspace; ids in small letters.
local function check_workspace_endpoints(given, origins, level)
  if type(given) ~= "table" then
    if given ~= nil and type(given) ~= "boolean" then
      fail("client: workspace_endpoints: expected true or a table, got a " .. type(given),
        level + 1)
    end
    return given or nil
  end
  local found = {}
  for name, url in pairs(given) do
    local endpoint, origin = endpoints.parse(url)
    if not endpoint then
      fail(("client: workspace_endpoints.%s: %s"):format(tostring(name), origin), level + 1)
    end
    local is_id = require("luafabric.core").is_guid(name)
    found[is_id and name:lower() or name] = endpoint
    origins[origin] = true
  end
  return found
end

--- The settings of a client.
---@param options luafabric.ClientOptions
---@param level integer
---@return table settings
function M.read_client(options, level)
  if type(options) ~= "table" then
    fail("client: expected a table of options, got a " .. type(options), level + 1)
  end
  nearest.check_fields(options, known_options, "client", level + 1)
  local endpoint, origin = endpoints.parse(options.endpoint or M.DEFAULT_ENDPOINT)
  if not endpoint then fail("client: endpoint: " .. origin, level + 1) end
  local inner, origins = level + 1, { [origin] = true }
  local is_loopback = endpoint:find("^http:") ~= nil
  return {
    endpoint = endpoint, origins = origins,
    credential = check_credential(options.credential, inner),
    route = check_route(options.route, "client", inner) or "typed",
    on_event = check_type(options, "on_event", "function", inner),
    proxy = check_type(options, "proxy", "string", inner),
    ca_file = check_type(options, "ca_file", "string", inner),
    poll_floor = check_duration(options, "poll_floor", inner)
      or (is_loopback and LOOPBACK_FLOOR or DEFAULT_FLOOR),
    visible_after = check_duration(options, "visible_after", inner)
      or (is_loopback and LOOPBACK_VISIBLE or reconcile.VISIBLE),
    late_by = check_duration(options, "late_by", inner)
      or (is_loopback and LOOPBACK_LATE or reconcile.LATE),
    tag_proven = check_type(options, "tag_proven", "boolean", inner),
    request_timeout = check_duration(options, "request_timeout", inner),
    connect_timeout = check_duration(options, "connect_timeout", inner),
    host = check_host(options.host, inner),
    workspace_endpoints = check_workspace_endpoints(options.workspace_endpoints, origins, inner),
  }
end

-- ---- a call ----

--- A name or an id.
function M.check_name(given, field, what, level)
  local value = given[field]
  if type(value) == "string" and value ~= "" then return value end
  fail(("%s: %s: expected a name or an id, got %s"):format(what, field,
    value == "" and "an empty text" or "a " .. type(value)), level + 1)
end

--- A table with known fields.
function M.check_table(given, known, what, level)
  if type(given) ~= "table" then
    fail(("%s: expected a table, got a %s"):format(what, type(given)), level + 1)
  end
  nearest.check_fields(given, known, what, level + 1)
end

local known_run_fields = { workspace = true, notebook = true, parameters = true, compute = true,
  timeout = true, submit_timeout = true, route = true, exit_value = true }

---@class luafabric.RunRequest
---@field workspace string    name or id
---@field notebook string     name or id
---@field parameters? table   name -> value, or a list of { name =, type =, value = }
---@field compute? table      fabric.spark { … }, fabric.jupyter { … }, fabric.data_warehouse()
---@field timeout? number|string  from acceptance to end; then the run is cancelled
---@field submit_timeout? number|string  for quota and capacity to let it in, default 30 minutes
---@field route? "typed"|"generic"  default the client's route
---@field exit_value? boolean  false: it is not read

--- What a submission is given: route, times, and the finished body.
---@param given luafabric.RunRequest
---@param default_route "typed"|"generic"
---@param what string
---@param level integer
---@return table spec
function M.read_run(given, default_route, what, level)
  M.check_table(given, known_run_fields, what, level + 1)
  local route = check_route(given.route, what, level + 1) or default_route
  local wants = given.exit_value
  if wants ~= nil and type(wants) ~= "boolean" then
    fail(("%s: exit_value: expected true or false, got a %s"):format(what, type(wants)), level + 1)
  end
  local function seconds(field)
    if given[field] == nil then return nil end
    local value = duration.check(given[field], ("%s: %s"):format(what, field), level + 2)
    return value
  end
  return {
    workspace = M.check_name(given, "workspace", what, level + 1),
    notebook = M.check_name(given, "notebook", what, level + 1),
    route = route, skip_details = wants == false or nil,
    timeout = seconds("timeout"),
    submit_timeout = seconds("submit_timeout") or DEFAULT_SUBMIT_TIMEOUT,
    body = require("luafabric.client.run_body").build(given, route, level + 1),
  }
end

return M
