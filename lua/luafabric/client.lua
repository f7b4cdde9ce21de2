--- One Fabric endpoint for a user: submit, wait, cancel, find by name. Whatever waits runs in a
--- task; outside of one, each call makes a loop of its own on a new host and blocks.

local options_module = require "luafabric.client.options"
local preparation = require "luafabric.client.preparation"
local tasks = require "luafabric.tasks"

local M = {}

local check_name, check_table = options_module.check_name, options_module.check_table

---@class luafabric.Client
local Client = {}
Client.__index = Client
Client.__name = "luafabric.client"

function Client:__tostring()
  return "luafabric client for " .. self.endpoint
end

--- A client. Nothing is sent yet. Raises, naming the option, for what is wrong.
---@param options luafabric.ClientOptions
---@return luafabric.Client
function M.new(options)
  local self = options_module.read_client(options, 2)
  self.runs = 0 -- how many run objects there were
  self.intents = {} -- submissions without an answer, and known runs, by notebook
  self.endpoints, self.ids = {}, {} -- what was found for workspaces and names
  self.searches = setmetatable({}, { __mode = "k" }) -- loop -> names being looked up
  self.watchers = setmetatable({}, { __mode = "kv" }) -- loop -> who watches
  self.active = setmetatable({}, { __mode = "k" }) -- loop -> set of runs
  self.attendants = setmetatable({}, { __mode = "k" }) -- loop -> tasks that follow runs
  self.own_hosts = setmetatable({}, { __mode = "k" })
  self.capacities = {} -- by workspace
  self.capacity_ids = {} -- workspaces' names -> the ids behind their capacities
  self.durations = require("luafabric.policy.durations").new() -- of runs that ended
  self.durations_read = {} -- by notebook: what other processes know of it was read
  return setmetatable(self, Client)
end

-- ---- loops and events ----

--- A new host with this client's settings.
---@param more table|nil  further options of the host
---@return table host
function Client:new_host(more)
  local host
  if type(self.host) == "function" then
    host = self.host(more)
  else
    local options = { proxy = self.proxy, ca_file = self.ca_file }
    for name, value in pairs(more or {}) do options[name] = value end
    host = require("luafabric.hosts").new(self.host, options)
  end
  self.own_hosts[host] = true
  return host
end

--- Runs a function that waits: in the running task, or in a loop of its own.
function Client:blocking(fn, ...)
  local _, loop = tasks.current()
  if loop and (self.proxy or self.ca_file) and not self.own_hosts[loop.host] then
    error("client: proxy and ca_file are settings of the host: in a loop of your own give them to "
      .. "its host, and not to the client", 2)
  end
  return tasks.blocking(function() return self:new_host() end, fn, ...)
end

--- Tells who follows this run (`run.listener`, our own code: plain, may not wait), and on_event.
--- Errors of on_event end no run: they are kept, and it is not called again.
---@param event table
---@param run table|nil
function Client:emit(event, run)
  if run and run.listener then run.listener(event) end
  if run and event.type == "warning" then
    run.warnings = run.warnings or {}
    run.warnings[#run.warnings + 1] = event.message
  end
  local fn = self.on_event
  if not fn then return end
  local ok, problem = pcall(tasks.forbid_waiting, "the function given as on_event", fn, event)
  if ok then return end
  self.on_event, self.event_error = nil, problem
  if not run then return end
  run.warnings = run.warnings or {}
  run.warnings[#run.warnings + 1] = "on_event raised, and is not called any more: "
    .. tostring(problem)
end

-- ---- from inside a task ----

local function submit(self, spec)
  local prepared, err = preparation.prepare(self, spec)
  if not prepared then return nil, err end
  return preparation.send(prepared)
end

local function submit_and_wait(self, spec)
  local run, err = submit(self, spec)
  if not run or run.outcome then return run, err end
  return require("luafabric.client.run").await(run)
end

-- ---- what a user calls ----

--- Runs a notebook to its end.
---@param request luafabric.RunRequest
---@return luafabric.Run|nil run  whenever one was, or may have been, started
---@return luafabric.Error|nil err  surely none was
function Client:run_notebook(request)
  return self:blocking(submit_and_wait, self,
    options_module.read_run(request, self.route, "run_notebook", 2))
end

--- Starts a notebook and does not wait for its end.
---@param request luafabric.RunRequest
---@return luafabric.Run|nil run  whenever one was, or may have been, started
---@return luafabric.Error|nil err  surely none was
function Client:submit_notebook(request)
  return self:blocking(submit, self,
    options_module.read_run(request, self.route, "submit_notebook", 2))
end

local known_attach = { workspace = true, notebook = true, job_id = true, exit_value = true }

local function attach(self, spec)
  local fields, err = preparation.locate(self, spec)
  if not fields then return nil, err end
  fields.job_id = spec.job_id
  return require("luafabric.client.run").new(fields)
end

--- A run that was submitted before, by whomever. Nothing is asked about it yet.
---@param given { workspace: string, notebook: string, job_id: string, exit_value: boolean|nil }
---@return luafabric.Run|nil run
---@return luafabric.Error|nil err
function Client:attach(given)
  check_table(given, known_attach, "attach", 2)
  local job_id = given.job_id
  if not require("luafabric.core").is_guid(job_id) then
    error(("attach: job_id: %s is not a job id, which looks like "
      .. "f2d6a1c0-5b7e-4a39-9c1d-0123456789ab"):format(type(job_id) == "string"
        and ("%q"):format(job_id) or "a " .. type(job_id)), 2)
  end
  return self:blocking(attach, self, {
    workspace = check_name(given, "workspace", "attach", 2),
    notebook = check_name(given, "notebook", "attach", 2), job_id = job_id:lower(),
    route = self.route, skip_details = given.exit_value == false or nil,
  })
end

local known_notebook = { workspace = true, notebook = true }

local function list_runs(self, spec)
  local fields, err = preparation.locate(self, spec)
  if not fields then return nil, err end
  local jobs = require "luafabric.api.jobs"
  local outcome_policy = require "luafabric.policy.outcome"
  local rows = {}
  local ok
  ok, err = require("luafabric.client.call").each(self, function(token)
    return jobs.list(fields.endpoint, fields.workspace_id, fields.notebook_id, token)
  end, function(value)
    local row = jobs.read_instance(value)
    if not row then return end
    row.outcome = outcome_policy.of_instance(row)
    row.request_id = row.root_activity_id
    row.workspace, row.workspace_id = fields.workspace, fields.workspace_id
    row.notebook, row.notebook_id = fields.notebook, fields.notebook_id
    rows[#rows + 1] = row
  end, { what = ("the runs of %s could not be listed"):format(
    require("luafabric.client.words").name(fields)) })
  if not ok then return nil, err end
  return rows
end

--- The runs of a notebook that Fabric still lists: all active ones, the 100 that ended last, in no
--- particular order.
---@param given { workspace: string, notebook: string }
---@return table[]|nil rows  with the fields of a run (no exit value, no links), and job_type,
---                          invoke_type
---@return luafabric.Error|nil err
function Client:list_runs(given)
  check_table(given, known_notebook, "list_runs", 2)
  return self:blocking(list_runs, self, {
    workspace = check_name(given, "workspace", "list_runs", 2),
    notebook = check_name(given, "notebook", "list_runs", 2),
  })
end

--- The workspaces that the identity may see.
---@return { id: string, name: string, value: table }[]|nil list  value: as Fabric gave it
---@return luafabric.Error|nil err
function Client:list_workspaces()
  return self:blocking(require("luafabric.client.names").workspaces, self)
end

local function list_notebooks(self, spec)
  local fields, err = preparation.locate(self, spec)
  if not fields then return nil, err end
  return require("luafabric.client.names").notebooks(self, fields.endpoint, fields.workspace_id)
end

--- The notebooks of a workspace, those in folders too.
---@param given { workspace: string }
---@return { id: string, name: string, value: table }[]|nil list
---@return luafabric.Error|nil err
function Client:list_notebooks(given)
  check_table(given, { workspace = true }, "list_notebooks", 2)
  return self:blocking(list_notebooks, self,
    { workspace = check_name(given, "workspace", "list_notebooks", 2) })
end

local function find(self, spec)
  local fields, err = preparation.locate(self, spec)
  if not fields then return nil, err end
  return fields.notebook_id or fields.workspace_id
end

--- The id of a workspace; an id is given back as it is.
---@param name string
---@return string|nil id
---@return luafabric.Error|nil err  "not_found", "ambiguous_name", …
function Client:find_workspace(name)
  return self:blocking(find, self,
    { workspace = check_name({ workspace = name }, "workspace", "find_workspace", 2) })
end

--- The id of a notebook.
---@param workspace string
---@param name string
---@return string|nil id
---@return luafabric.Error|nil err
function Client:find_notebook(workspace, name)
  local given = { workspace = workspace, notebook = name }
  return self:blocking(find, self, {
    workspace = check_name(given, "workspace", "find_notebook", 2),
    notebook = check_name(given, "notebook", "find_notebook", 2),
  })
end

return M
