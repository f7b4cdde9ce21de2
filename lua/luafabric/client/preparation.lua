--- A run before its submission: the ids behind the names, the endpoint, the body; then it is sent.
--- Apart from the sending, so that what is about to be sent can be written down first.

local call = require "luafabric.client.call"
local endpoints = require "luafabric.client.endpoints"

local M = {}

--- The fields of a run object, with the ids behind the names.
---@param client table
---@param spec table           workspace, notebook (or nil), route, timeout, skip_details
---@param deadline number|nil  host time
---@return table|nil fields
---@return luafabric.Error|nil err
function M.locate(client, spec, deadline)
  local names = require "luafabric.client.names"
  local workspace_id, err = names.workspace(client, spec.workspace, deadline)
  if not workspace_id then return nil, err end
  local endpoint
  endpoint, err = endpoints.of_workspace(client, workspace_id, spec.workspace, deadline)
  if not endpoint then return nil, err end
  if not spec.notebook then return { workspace_id = workspace_id, endpoint = endpoint } end
  local notebook_id
  notebook_id, err = names.notebook(client, endpoint, { id = workspace_id, name = spec.workspace },
    spec.notebook, deadline)
  if not notebook_id then return nil, err end
  client.runs = client.runs + 1
  return { client = client, number = client.runs, endpoint = endpoint, route = spec.route,
    workspace = spec.workspace, notebook = spec.notebook, workspace_id = workspace_id,
    notebook_id = notebook_id, timeout = spec.timeout, skip_details = spec.skip_details }
end

local function check_environment(spec, fields)
  local wanted = spec.body.workspace_id
  if not wanted or wanted:lower() == fields.workspace_id then return true end
  return nil, require("luafabric.errors").new { kind = "usage", message = "executionData."
    .. "computeConfiguration.attachedEnvironment.workspaceId: the generic route's older body can "
    .. "name only an environment in the notebook's own workspace; the typed route can name any "
    .. "(route = \"typed\")" }
end

--- Everything before the first byte of the submission; in a task.
---@param client table
---@param spec table  of options.read_run
---@param listener nil|fun(event: table)  told of every event of the run
---@return luafabric.Submission|nil prepared  with `run`, which was not submitted yet
---@return luafabric.Error|nil err
function M.prepare(client, spec, listener)
  local deadline = call.host().now() + spec.submit_timeout
  local fields, err = M.locate(client, spec, deadline)
  if not fields then return nil, err end
  local ok
  ok, err = check_environment(spec, fields)
  if not ok then return nil, err end
  fields.listener = listener
  local run = require("luafabric.client.run").new(fields)
  for _, warning in ipairs(spec.body.warnings) do
    require("luafabric.client.news").warn(run, warning)
  end
  return { client = client, run = run, endpoint = run.endpoint, route = spec.route,
    body = spec.body.text, deadline = deadline, submit_timeout = spec.submit_timeout }
end

--- Submits it, and has it watched from then on; in a task.
---@param prepared luafabric.Submission
---@return luafabric.Run|nil run
---@return luafabric.Error|nil err  surely none was started
function M.send(prepared)
  local run, err = require("luafabric.client.submission").submit(prepared)
  if run and not run.outcome then require("luafabric.client.watcher").watch(run) end
  return run, err
end

return M
