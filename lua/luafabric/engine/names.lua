--- Finds everything that a plan names before anything is sent: that a name is wrong should not show
--- after three hours of other steps.

local errors = require "luafabric.errors"

local M = {}

local MOST_SHOWN = 5

--- Whether a step may still name something that nobody has looked for: it has not begun, or not
--- all of it.
local function is_open(state, step)
  local known = state and state.steps[step.name]
  if not known then return true end
  return known.phase ~= "ended" and #known.attempts == 0
end

--- The workspaces and notebooks whose names are known before the run.
---@param plan table
---@param state luafabric.WorkflowRun|nil  of a run that is taken up: only what it has not submitted
---@return { workspace: string, notebook: string }[]
function M.static(plan, state)
  local list, seen = {}, {}
  local function add(fields)
    local workspace, notebook = fields.workspace, fields.notebook
    if type(workspace) ~= "string" or type(notebook) ~= "string" then return end
    local key = workspace .. "\0" .. notebook
    if seen[key] then return end
    seen[key] = true
    list[#list + 1] = { workspace = workspace, notebook = notebook }
  end
  for _, step in ipairs(plan.steps) do
    local open = is_open(state, step)
    if open and step.kind ~= "switch" then add(step.fields) end
    for _, key in ipairs(open and step.branch_keys or {}) do
      local branch = step.branches[key]
      if key == "default" then branch = step.default end
      if branch then add(branch.fields) end
    end
  end
  return list
end

--- Finds them all; in a task.
---@param plan table
---@param port luafabric.Executor
---@param state luafabric.WorkflowRun|nil  as above
---@return boolean|nil found
---@return luafabric.Error|nil err  all names that were wrong, in one message
function M.resolve(plan, port, state)
  local problems, seen = {}, {}
  for _, pair in ipairs(M.static(plan, state)) do
    local id, err = port:resolve(pair.workspace, pair.notebook)
    if not id then
      if err.kind ~= "not_found" and err.kind ~= "ambiguous_name" then return nil, err end
      local message = tostring(err)
      if not seen[message] then problems[#problems + 1] = err end
      seen[message] = true
    end
  end
  if #problems == 0 then return true end
  if #problems == 1 then return nil, problems[1] end
  local messages = {}
  for index = 1, math.min(#problems, MOST_SHOWN) do messages[index] = problems[index].message end
  if #problems > MOST_SHOWN then
    messages[#messages + 1] = ("and %d more"):format(#problems - MOST_SHOWN)
  end
  return nil, errors.new { kind = problems[1].kind, message = table.concat(messages, "; ") }
end

return M
