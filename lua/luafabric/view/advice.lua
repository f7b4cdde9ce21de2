--- What somebody can do about a run that did not succeed. Pure.

local rows = require "luafabric.view.rows"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

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

-- The same on an emulator, which has no pages.
local on_emulator = {
  failed = "Run the notebook by hand to see the cell that failed.",
  unauthorized = false, timed_out = "Give more time (timeout, deadline).",
}

--- What can be done about one step.
local function general_of(step, is_local)
  if step.outcome == "rejected" and #step.attempts == 0 then
    return "Nothing was sent: mend the value that the reason names, or give it a default."
  end
  if step.outcome == "failed" and step.reason and step.reason.kind == "expect" then
    return "The notebook ran to its end, but `expect` refused what it gave: look at its exit value."
  end
  if is_local and on_emulator[step.outcome] ~= nil then return on_emulator[step.outcome] end
  return general[step.outcome]
end

--- The command that shows the runs of a step's notebook.
---@param step luafabric.StepState
---@param look_options string|nil  what the command needs too, " --endpoint X"
---@return string|nil
function M.list_command(step, look_options)
  local last = step.attempts[#step.attempts]
  local request = last and last.request
  if not request or not request.workspace_id then return nil end
  return ("luafabric notebook list %s %s%s"):format(text.shell_word(request.workspace_id),
    text.shell_word(request.notebook_id or "NOTEBOOK"), look_options or "")
end

local function run_command(verb, step, look_options)
  local last = step.attempts[#step.attempts]
  local request = last and last.request
  if not request or not step.job_id then return nil end
  return ("luafabric notebook %s %s %s %s%s"):format(verb,
    text.shell_word(request.workspace_id or request.workspace),
    text.shell_word(request.notebook_id or request.notebook), text.shell_word(step.job_id),
    look_options or "")
end

--- The command that shows a step's run.
---@param step luafabric.StepState
---@param look_options string|nil
---@return string|nil
function M.status_command(step, look_options)
  return run_command("status", step, look_options)
end

--- The command that cancels a step's run.
---@param step luafabric.StepState
---@param look_options string|nil
---@return string|nil
function M.cancel_command(step, look_options)
  return run_command("cancel", step, look_options)
end

local function commands(state, options, words_before, wanted, command_of)
  local list, left_out = {}, 0
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    local command = wanted(step) and command_of(step, options.look_options)
    if command and #list < MOST then
      list[#list + 1] = { text = words_before:format(path), command = command }
    elseif command then
      left_out = left_out + 1
    end
  end
  if left_out > 0 then list[#list + 1] = { text = ("… and %d more."):format(left_out) } end
  return list
end

local function may_run(step)
  return step.kind ~= "each" and step.outcome == "unknown" or words.under_way(step) == "unknown"
end

local function runs_on(step) return words.under_way(step) == "running" end

--- The commands that look at what runs, or may run, while nobody watches it.
local function looks(state, options, add)
  if options.is_local then return end
  add(commands(state, options, "%s may or may not run in Fabric: look with", may_run,
    M.list_command))
  if state.outcome then return end
  add(commands(state, options, "%s runs on in Fabric: look with", runs_on, M.status_command))
end

--- What to do next, most urgent first; empty for a run that succeeded.
---@param state luafabric.WorkflowRun
---@param options { next: string|nil, look_options: string|nil, is_local: boolean|nil }|nil
---@return { text: string, command: string|nil }[]
function M.of(state, options)
  options = options or {}
  local list = {}
  local function add(more) for _, entry in ipairs(more) do list[#list + 1] = entry end end
  looks(state, options, add)
  local seen = {}
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    local what = rows.is_bad(step) and not step.items and general_of(step, options.is_local)
    if what and not seen[what] then
      seen[what], list[#list + 1] = true, { text = what }
    end
  end
  if options.next and state.outcome ~= "succeeded" then
    list[#list + 1] = { text = "Go on with", command = options.next }
  end
  return list
end

return M
