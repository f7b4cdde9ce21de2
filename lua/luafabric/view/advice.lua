--- What somebody can do about a run that did not succeed. Pure.

local rows = require "luafabric.view.rows"

local M = {}

local MOST = 10 -- commands of one kind

local general = {
  failed = "Open the page of the failed run in Fabric: its snapshot shows the cell that failed.",
  rejected = "Fabric did not take the request: mend the step that the reason names.",
  unauthorized = "Give the identity a role in the workspace that may run notebooks, or another "
    .. "credential.",
  timed_out = "Give more time (timeout, deadline), or look in Fabric for what took so long.",
  capacity = "The capacity was full for long: run it at another time, or raise the capacity.",
  platform = "The failure is Fabric's own: run it again later.",
}

--- The command that shows the runs of a step's notebook.
---@param step luafabric.StepState
---@param look_options string|nil  what the command needs too, " --endpoint X"
---@return string|nil
function M.list_command(step, look_options)
  local last = step.attempts[#step.attempts]
  local request = last and last.request
  if not request or not request.workspace_id then return nil end
  return ("luafabric notebook list %s %s%s"):format(request.workspace_id,
    request.notebook_id or "NOTEBOOK", look_options or "")
end

--- The command that shows a step's run.
---@param step luafabric.StepState
---@param look_options string|nil
---@return string|nil
function M.status_command(step, look_options)
  local last = step.attempts[#step.attempts]
  local request = last and last.request
  if not request or not step.job_id then return nil end
  return ("luafabric notebook status %s %s %s%s"):format(
    tostring(request.workspace_id or request.workspace),
    tostring(request.notebook_id or request.notebook), step.job_id, look_options or "")
end

local function commands(state, options, text, wanted, command_of)
  local list, left_out = {}, 0
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    local command = wanted(step) and command_of(step, options.look_options)
    if command and #list < MOST then
      list[#list + 1] = { text = text:format(path), command = command }
    elseif command then
      left_out = left_out + 1
    end
  end
  if left_out > 0 then list[#list + 1] = { text = ("… and %d more."):format(left_out) } end
  return list
end

local function is_unknown(step) return step.kind ~= "each" and step.outcome == "unknown" end

local function runs_on(step)
  local last = step.attempts[#step.attempts]
  return step.phase == "running" and last and last.state == "submitted"
end

--- What to do next, most urgent first; empty for a run that succeeded.
---@param state luafabric.WorkflowRun
---@param options { next: string|nil, look_options: string|nil }|nil
---@return { text: string, command: string|nil }[]
function M.of(state, options)
  options = options or {}
  local list = {}
  local function add(more) for _, entry in ipairs(more) do list[#list + 1] = entry end end
  add(commands(state, options, "%s may or may not run in Fabric: look with", is_unknown,
    M.list_command))
  if state.detached then
    add(commands(state, options, "%s runs on in Fabric: look with", runs_on, M.status_command))
  end
  local seen = {}
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    local text = rows.is_bad(step) and not step.items and general[step.outcome]
    if text and not seen[text] then
      seen[text], list[#list + 1] = true, { text = text }
    end
  end
  if options.next and state.outcome ~= "succeeded" then
    list[#list + 1] = { text = "Go on with", command = options.next }
  end
  return list
end

return M
