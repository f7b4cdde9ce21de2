--- A file of notebookutils.notebook.runMultiple as a workflow: each activity is a step, declared as
--- a workflow file would declare it, so that plan, run, lab and reports know no difference. Each
--- notebook is a job of its own; they do not share a Spark session as they do there. Pure.

local definition_module = require "luafabric.workflow.definition"
local mistake = require "luafabric.workflow.mistake"
local reader = require "luafabric.workflow.run_multiple_reader"
local types = require "luafabric.types"

local M = {}

local LONGEST_PAUSE = 600 -- of a retry, unless it says more; seconds

--- What the input is that stands for the workspace of the caller.
M.WORKSPACE = "of the activities that name none"

--- The retry of an activity. runMultiple pauses equally long each time.
---@param activity luafabric.workflow.Activity
---@return table|nil retry  fields as in a workflow file
function M.retry(activity)
  if activity.attempts == 1 then return nil end
  local longest = activity.interval > LONGEST_PAUSE and activity.interval or nil
  return { attempts = activity.attempts, interval = activity.interval, backoff = 1,
    max_interval = longest }
end

-- An activity that calls no exit has an empty text as exit value (the page's "Return value").
local function exit_value(handle)
  return handle:exit():default("")
end

local function value_of(value, handles)
  if types.is(value) then return value end
  local joined
  for _, part in ipairs(value) do
    local piece = type(part) == "string" and part or exit_value(handles[part])
    joined = joined and joined .. piece or piece
  end
  return joined
end

local function declare_activity(flow, activity, handles)
  local parameters, after = {}, {}
  for _, arg in ipairs(activity.args) do parameters[arg.name] = value_of(arg.value, handles) end
  for index, other in ipairs(activity.after) do after[index] = handles[other] end
  return flow:notebook(activity.step, { notebook = activity.notebook,
    workspace = activity.workspace, parameters = next(parameters) and parameters or nil,
    after = after[1] and after or nil, retry = M.retry(activity) })
end

local function declare_workspace(flow)
  flow:defaults { workspace = flow:input("workspace", { description = M.WORKSPACE }) }
end

local function declare(flow, model)
  if model.asks_workspace then mistake.at(model.file, declare_workspace, flow) end
  local handles = {}
  for _, activity in ipairs(model.activities) do
    handles[activity] = mistake.at(("%s:%d"):format(model.file, activity.line), declare_activity,
      flow, activity, handles)
  end
end

--- What a file says, for those who do not run it.
---@type fun(text: string, name: string): luafabric.workflow.RunMultiple|nil, luafabric.Error|nil
M.model = reader.read

--- The workflow of a model.
---@param model luafabric.workflow.RunMultiple
---@return luafabric.Definition
function M.define(model)
  local definition = mistake.at(model.file, definition_module.new, model.name,
    { timeout = model.timeout, max_concurrency = model.max_concurrency },
    function(flow) declare(flow, model) end)
  definition.file, definition.source = model.file, model.file
  definition.warnings = {}
  for index, warning in ipairs(model.warnings) do
    definition.warnings[index] = ("%s:%d: %s"):format(model.file, warning.line, warning.message)
  end
  return definition
end

--- Reads a file: its text is all that is looked at. What it cannot honour are the plan's warnings.
---@param text string
---@param name string  the file's, for messages; without .json the workflow's
---@return luafabric.Definition|nil definition
---@return luafabric.Error|nil err  "usage": one sentence, with file and line
function M.read(text, name)
  local model, err = reader.read(text, name)
  if not model then return nil, err end
  return M.define(model)
end

return M
