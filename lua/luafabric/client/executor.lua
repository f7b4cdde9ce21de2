--- Runs notebooks for the workflow engine, which knows no HTTP and no client: this is what it is
--- handed instead. All functions are called in a task of the loop that the runs belong to; what
--- happens to a run is told to its listener (plain, may not wait), from then until its end.

local capacity = require "luafabric.policy.capacity"
local core = require "luafabric.core"
local details = require "luafabric.client.details"
local errors = require "luafabric.errors"
local names = require "luafabric.client.names"
local endpoints = require "luafabric.client.endpoints"
local options_module = require "luafabric.client.options"
local preparation = require "luafabric.client.preparation"
local submission = require "luafabric.client.submission"
local watcher = require "luafabric.client.watcher"
local words = require "luafabric.client.words"

local M = {}

---@class luafabric.Executor
---@field client luafabric.Client
local Executor = {}
Executor.__index = Executor

---@param client luafabric.Client
---@return luafabric.Executor
function M.new(client)
  return setmetatable({ client = client }, Executor)
end

--- Keeps the runs watched until the given function is called, or the running task ends.
---@return fun() leave
function Executor:attend()
  return watcher.attend(self.client)
end

--- Finds a workspace and a notebook by their names, once; an id is never looked up.
---@param workspace string
---@param notebook string
---@return string|nil workspace_id
---@return string|luafabric.Error notebook_id  or the error
function Executor:resolve(workspace, notebook)
  local workspace_id, err = names.workspace(self.client, workspace)
  if not workspace_id then return nil, err end
  local endpoint
  endpoint, err = endpoints.of_workspace(self.client, workspace_id, workspace)
  if not endpoint then return nil, err end
  local notebook_id
  notebook_id, err = names.notebook(self.client, endpoint, { id = workspace_id, name = workspace },
    notebook)
  if not notebook_id then return nil, err end
  return workspace_id, notebook_id
end

--- Checks a request, finds what it names, and waits until the quota has room for it; nothing is
--- submitted yet.
---@param request table     workspace, notebook, parameters, compute
---@param patience number   seconds to get it submitted, waits for quota and capacity included
---@param listener fun(event: table)
---@return luafabric.Submission|nil prepared  with run.workspace_id, run.notebook_id and body
---@return luafabric.Error|nil err
function Executor:prepare(request, patience, listener)
  local ok, spec = pcall(options_module.read_run, { workspace = request.workspace,
    notebook = request.notebook, parameters = request.parameters, compute = request.compute,
    submit_timeout = patience }, self.client.route, "step", 0)
  if not ok then
    return nil, errors.new { kind = "usage", message = (tostring(spec):gsub("^step: ", "")) }
  end
  local prepared, err = preparation.prepare(self.client, spec, listener)
  if not prepared then return nil, err end
  prepared.yields_capacity, prepared.priority = true, request.priority
  local is_in
  is_in, err = submission.enter(prepared, function(seconds, cause)
    listener { type = "paced", cause = cause, seconds = seconds }
  end)
  if not is_in then return nil, err end
  return prepared
end

--- The capacity that the runs of a workspace share, as far as it is known.
---@param workspace string  name or id
---@return luafabric.Capacity
function Executor:capacity(workspace)
  local client = self.client
  local key = core.is_guid(workspace) and workspace:lower()
    or client.ids[names.workspace_key(workspace)] or workspace
  client.capacities[key] = client.capacities[key] or capacity.new()
  return client.capacities[key]
end

--- Submits what was prepared, at most once.
---@param prepared luafabric.Submission
---@return luafabric.Run|nil run  accepted, or with the outcome "unknown"
---@return luafabric.Error|nil err  surely none was started
function Executor:submit(prepared)
  return preparation.send(prepared)
end

--- Asks Fabric to end a run; its listener is told when it has.
---@param run luafabric.Run
---@param outcome "cancelled"|"timed_out"  what a cancelled run then counts as
---@return boolean|nil ok
---@return luafabric.Error|nil err
function Executor:cancel(run, outcome)
  run.timing_out = outcome == "timed_out"
  return run:cancel()
end

--- Reads the exit value and the links of a run that ended, into the run.
---@param run luafabric.Run
function Executor:read_details(run)
  details.read(run)
end

--- The command that shows a run, for messages.
---@param run luafabric.Run
---@return string
function Executor:look_command(run)
  return run.job_id and words.status_command(run) or words.list_command(run)
end

return M
