-- Fabric as a pure model: `handle` takes a request and the time and gives the answer. No sockets,
-- no clock; the virtual host calls it in process, the emulator's server from its sockets. Beside
-- the API it counts: runs started apart from answers given, which is how "sends once" is tested.

local answers = require "luafabric.emulator.answers"
local catalog = require "luafabric.emulator.catalog"
local entra = require "luafabric.emulator.entra"
local faults = require "luafabric.emulator.faults"
local ids = require "luafabric.emulator.ids"
local jobs = require "luafabric.emulator.jobs"
local quota = require "luafabric.emulator.quota"
local routes = require "luafabric.emulator.routes"
local runs = require "luafabric.emulator.runs"

local M = {}
local Service = {}
Service.__index = Service

---@class EmulatorSettings
---@field base_url string  what Location and continuationUri begin with
---@field retry_after number  seconds, of the 202 (default 60); also sets the countdown of the GETs
---@field queue number  seconds a run stays NotStarted (default 0)
---@field visibility_lag number|table  seconds until a run is seen, or by route: { status =,
---  instance =, list =, livy = }
---@field status_lag number  seconds between refreshes of the public status (default 0: never stale)
---@field cancel_lag number  seconds from a cancel to Cancelled, of in-process runs (default 0)
---@field quota table|boolean  false (default), true (50 submissions and 50 GETs a minute), or
---  { submissions =, gets =, platform =, window = }
---@field capacity integer|nil  runs at a time
---@field capacity_answer "post"|"failure"|"queue"  over the capacity: HTTP 430, a run that ends
---  Failed with a 430 in its reason, or a wait as NotStarted
---@field page_size integer  of lists (default 100)
---@field history integer  ended runs that are kept (default 10000)
---@field max_open integer  runs not ended, over it TooManyRequestsForJobs (default 100000)
---@field token_lifetime number  seconds that a token of Entra's is good (default 3599)
---@field refresh_in number|false  seconds after which Entra wants a token renewed
---@field typed_route boolean  whether the tenant has the notebook's own routes (default true)
---@field session_names boolean  whether a session has the name that a request gave it (default
---  true), or always one of Fabric's making
---@field root_is_request boolean  whether a run's rootActivityId is the RequestId of its submission
---  (default true)
---@field echo_request_id string|false  the header, in small letters, whose GUID is taken for the
---  request's id (default: none)
---@field run nil|fun(job: table, now: number): table, number  runs a notebook in process: its
---  result { status?, exit_value?, failure_reason? } and its duration in seconds
local SETTINGS = {
  base_url = "https://api.fabric.microsoft.com/v1", retry_after = 60, queue = 0, visibility_lag = 0,
  status_lag = 0, cancel_lag = 0, quota = false, capacity = false, capacity_answer = "failure",
  page_size = 100, history = 10000, max_open = 100000, run = false, token_lifetime = 3599,
  refresh_in = false, typed_route = true, session_names = true, root_is_request = true,
  echo_request_id = false,
}

local function read_settings(given)
  local settings = {}
  for name, value in pairs(SETTINGS) do settings[name] = value end
  for name, value in pairs(given or {}) do
    if SETTINGS[name] == nil then
      error(("settings.%s: unknown setting"):format(tostring(name)), 3)
    end
    settings[name] = value
  end
  local answer = settings.capacity_answer
  if answer ~= "post" and answer ~= "failure" and answer ~= "queue" then
    error(('settings.capacity_answer: %s is not "post", "failure" or "queue"')
      :format(tostring(answer)), 3)
  end
  return settings
end

--- A Fabric of its own. Raises, naming the field, where the options are wrong.
---@param options { workspaces: table[], faults: table[]|nil, settings: EmulatorSettings|nil,
---  token: string|nil, clients: table|nil, tenants: string[]|nil, device: table|nil,
---  identities: table|nil, seed: number|string|nil }  the identities: see emulator.entra
---@return table service
function M.new(options)
  local settings = read_settings(options.settings)
  local service = setmetatable({ settings = settings }, Service)
  service.catalog = catalog.new(options.workspaces)
  service.faults = faults.new(options.faults)
  service.jobs = jobs.new(settings)
  service.quota = quota.new(settings.quota)
  service.next_id = ids.generator(options.seed)
  service.entra = entra.new({ token = options.token, clients = options.clients,
    tenants = options.tenants, device = options.device, identities = options.identities,
    token_lifetime = settings.token_lifetime, refresh_in = settings.refresh_in or nil },
    service.next_id)
  service.counts = { requests = 0, posts = 0, by_kind = {}, by_status = {}, wire_faults = 0 }
  return service
end

local function header(request, wanted)
  for name, value in pairs(request.headers or {}) do
    if type(name) == "string" and name:lower() == wanted then return value end
  end
  return nil
end

local function lower_names(headers)
  local result = {}
  for name, value in pairs(headers or {}) do result[tostring(name):lower()] = value end
  return result
end

--- The URL that was called, which tokens name as their audience.
local function full_url(request, route)
  local url = request.url or request.path
  if url:find("^%a[%w+.-]*://") then return (url:gsub("[?#].*$", "")) end
  return "http://" .. (header(request, "host") or "localhost") .. route.path
end

--- Fabric's id for a request, or the caller's own.
function Service:id_of(request)
  local name = self.settings.echo_request_id
  local given = name and header(request, name)
  return ids.is_guid(given) and given:lower() or self.next_id()
end

local of_the_typed_route = { run_notebook = true, get_notebook_run = true }

--- What the call answers when nothing is made to go wrong.
function Service:apply(route, context, request, script)
  if route.kind == "state" then return answers.plain(context, 200, self:state()) end
  if route.kind == "token" then
    return self.entra.token(context, request.body, route.ids.tenant)
  end
  if route.kind == "device_code" then
    return self.entra.device_code(context, request.body, route.ids.tenant)
  end
  if route.kind == "identity" then
    return self.entra.identity(context, route, { method = request.method, body = request.body,
      headers = lower_names(request.headers) })
  end
  local refusal, identity = self.entra.check(context, header(request, "authorization"))
  if refusal then return refusal end
  local wait = self.quota.take(route.kind, identity, context.now)
  if wait then return answers.blocked(context, wait) end
  if of_the_typed_route[route.name] and not self.settings.typed_route then
    return answers.error(context, "EntityNotFound")
  end
  if route.kind == "submit" then return runs.submit(self, route, context, request.body, script) end
  if route.kind == "status" then return runs.get(self, route, context) end
  if route.kind == "instance" then return runs.get_notebook(self, route, context) end
  if route.kind == "list" then return runs.list(self, route, context) end
  if route.kind == "cancel" then return runs.cancel(self, route, context) end
  if route.kind == "livy" then return runs.sessions(self, route, context) end
  if route.kind == "unknown" then return answers.error(context, "EntityNotFound") end
  return catalog.answer(self, route, context)
end

--- The workspace and item of a route, for fault rules; nil where there are none.
function Service:named(route)
  local workspace = self.catalog.by_id[(route.ids.ws or ""):lower()]
  return workspace, workspace and workspace.by_id[(route.ids.item or ""):lower()]
end

local function script_of(rule)
  local job = rule and rule.effect.job
  if not job then return nil end
  if job.capacity then return { { status = "Failed", failure_reason = jobs.capacity_failure } } end
  return job
end

--- Answer a request.
---@param request { method: string, url: string|nil, path: string|nil, headers: table|nil,
---  body: string|nil }  header names in any case
---@param now number  unix seconds; never less than before
---@return table response  { status, headers, body, wire = a fault of the socket, delay = seconds }
function Service:handle(request, now)
  self.jobs.advance(now)
  local route = routes.find(request.method, request.url or request.path)
  local context = { now = now, request_id = self:id_of(request), url = full_url(request, route) }
  local rule = faults.decide(self.faults, route.kind, self:named(route))
  local response
  if not rule or rule.applied then
    response = self:apply(route, context, request, script_of(rule))
  end
  if rule then response = faults.spoil(rule, context, response, self.settings.base_url) end
  self:count(route, response)
  return response
end

function Service:count(route, response)
  local counts = self.counts
  if route.kind == "state" then return end
  counts.requests = counts.requests + 1
  if route.kind == "submit" then counts.posts = counts.posts + 1 end
  counts.by_kind[route.kind] = (counts.by_kind[route.kind] or 0) + 1
  if response.wire and response.wire ~= "drip" then
    counts.wire_faults = counts.wire_faults + 1
    return
  end
  local status = tostring(response.status)
  counts.by_status[status] = (counts.by_status[status] or 0) + 1
end

-- ---- for whoever runs the notebooks ------------------------------------------------------------

--- The runs that have begun since the last call and are to be executed.
---@return table[] started  { job_id, workspace, notebook, parameters, execution_data, attempt, … }
function Service:take_started()
  local list = {}
  for index, job in ipairs(self.jobs.to_start) do list[index] = jobs.described(job) end
  self.jobs.to_start = {}
  return list
end

--- The ids of the jobs whose cancel was asked since the last call.
---@return string[]
function Service:cancelled()
  local list = self.jobs.to_cancel
  self.jobs.to_cancel = {}
  return list
end

--- Say how a run ended.
---@param job_id string
---@param result { status: string|nil, exit_value: any, failure_reason: any }  status: Completed
---  unless said; failure_reason: a message, or { errorCode, message }
---@param now number
function Service:finish(job_id, result, now)
  local job = self.jobs.by_id[job_id]
  if not job then error("no such job: " .. tostring(job_id), 2) end
  self.jobs.finish(job, result, now)
end

--- When something changes by itself next.
---@param now number
---@return number|nil at  not before now
function Service:next_change(now)
  local entry = self.jobs.due:peek()
  return entry and math.max(entry.at, now)
end

-- ---- for tests and operators -------------------------------------------------------------------

--- How many runs were started: each costs money, whether its answer arrived or not.
---@param name string|nil  "Workspace/Notebook", a notebook's name or id; nil counts all
---@return integer
function Service:started(name)
  if not name then return self.jobs.started_total end
  local total = 0
  for _, workspace in ipairs(self.catalog.list) do
    for _, item in ipairs(workspace.items) do
      if name == item.name or name == workspace.name .. "/" .. item.name or name == item.id then
        total = total + item.started
      end
    end
  end
  return total
end

--- How many requests came and what was answered.
---@return { requests: integer, posts: integer, by_kind: table, by_status: table,
---  wire_faults: integer }
function Service:responses()
  return self.counts
end

--- The document of GET /emulator/state.
---@return table
function Service:state()
  local by_notebook = {}
  for _, workspace in ipairs(self.catalog.list) do
    for _, item in ipairs(workspace.items) do
      if item.started > 0 then by_notebook[workspace.name .. "/" .. item.name] = item.started end
    end
  end
  return {
    runs_started = self.jobs.started_total, runs_open = self.jobs.open_count,
    requests = self.counts.requests, posts = self.counts.posts, by_kind = self.counts.by_kind,
    by_status = self.counts.by_status, by_notebook = by_notebook,
  }
end

return M
