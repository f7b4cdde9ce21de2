--- All there is to see of one step, or one item of an `each`: how it was declared, why it ended as
--- it did, and each attempt with its request. Pure.

local advice = require "luafabric.view.advice"
local run_details = require "luafabric.view.run_details"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local M = {}

local add_fact = run_details.add_fact

local function where(step)
  if not step.notebook then return nil end
  return step.workspace and ("%s / %s"):format(step.workspace, step.notebook) or step.notebook
end

local function add_declaration(lines, step, options)
  add_fact(lines, "  ", "notebook", where(step), options)
  add_fact(lines, "  ", "declared", step.place, options)
  if step.is_finally then add_fact(lines, "  ", "runs", "at the end (finally)", options) end
  add_fact(lines, "  ", "after", table.concat(step.after or {}, ", "), options)
  add_fact(lines, "  ", "branch", step.branch and tostring(step.branch), options)
  add_fact(lines, "  ", "ready", words.time(step.ready_at), options)
  add_fact(lines, "  ", "ended", words.time(step.ended_at), options)
  add_fact(lines, "  ", "kept", step.kept and ("from run %s%s"):format(step.kept.run_id,
    step.kept.job_id and ", job " .. step.kept.job_id or ""), options)
  add_fact(lines, "  ", "exit value", step.exit_value, options)
end

local function error_text(err)
  if not err then return nil end
  local parts = { err.kind }
  if err.status then parts[#parts + 1] = "HTTP " .. tostring(err.status) end
  if err.code then parts[#parts + 1] = tostring(err.code) end
  if err.request_id then parts[#parts + 1] = "request " .. tostring(err.request_id) end
  return table.concat(parts, ", ")
end

-- When the attempt ended, and how long it took from when Fabric had it.
local function end_text(attempt)
  local took = words.span(attempt.submitted_at or attempt.intended_at, attempt.ended_at)
  return took and ("%s, took %s"):format(words.time(attempt.ended_at), took)
end

local function fabric_times(attempt)
  if not attempt.started_at then return nil end
  return ("%s to %s"):format(tostring(attempt.started_at), tostring(attempt.finished_at or "?"))
end

local function request_text(request)
  if not request then return nil end
  local name = where(request)
  if request.workspace_id then
    name = ("%s (%s / %s)"):format(name or "", request.workspace_id, request.notebook_id or "?")
  end
  return name
end

-- What became of a submission in doubt, where it was found out later.
local function resolved_text(resolved)
  if not resolved then return nil end
  local what = resolved.job_id and "its run is job " .. resolved.job_id or "it was not started"
  return ("%s (%s, %s)"):format(what, tostring(resolved.by), words.time(resolved.at))
end

local function add_attempt(lines, step, attempt, options)
  local outcome = attempt.outcome
  local sign, tone = "●", nil
  if outcome then sign, tone = words.sign(outcome) end
  lines[#lines + 1] = ""
  lines[#lines + 1] = text.line({ { sign, tone }, { (" attempt %d  "):format(attempt.number) },
    { outcome and words.outcome(outcome) or text.clean(attempt.status or attempt.state), tone } },
    math.huge, options.palette)
  add_fact(lines, "    ", "intended", words.time(attempt.intended_at), options)
  add_fact(lines, "    ", "accepted", words.time(attempt.submitted_at), options)
  add_fact(lines, "    ", "running", words.time(attempt.running_at), options)
  add_fact(lines, "    ", "ended", end_text(attempt), options)
  add_fact(lines, "    ", "Fabric ran", fabric_times(attempt), options)
  add_fact(lines, "    ", "job", attempt.job_id, options)
  add_fact(lines, "    ", "request id", attempt.request_id, options)
  run_details.add_reason(lines, "    ", outcome ~= "succeeded" and words.attempt_reason(attempt)
    or nil, options)
  add_fact(lines, "    ", "resolved", resolved_text(attempt.resolved), options)
  add_fact(lines, "    ", "error", error_text(attempt.error), options)
  add_fact(lines, "    ", "exit value", attempt.exit_value ~= step.exit_value
    and attempt.exit_value, options)
  for _, link in ipairs(words.links(attempt.links)) do
    add_fact(lines, "    ", link.name, link.url, options)
  end
  add_fact(lines, "    ", "request", request_text(attempt.request), options)
  add_fact(lines, "    ", "body", attempt.request and attempt.request.body, options)
end

local function look(step, options)
  if step.outcome == "unknown" then
    return "it may or may not run in Fabric: look with",
      advice.list_command(step, options.look_options)
  end
  return "look with", advice.status_command(step, options.look_options)
end

--- The lines for a step.
---@param state luafabric.WorkflowRun
---@param step luafabric.StepState
---@param options luafabric.RunDetailsOptions
---@return string[] lines
function M.lines(state, step, options)
  local set = { now = state.now }
  for name, value in pairs(options) do set[name] = value end
  local lines = { text.line({ { "run " .. text.clean(words.run(state)), "faint" } }, math.huge,
    set.palette) }
  run_details.add_row(lines, step, set)
  run_details.add_reason(lines, "  ", step.outcome ~= "skipped" and words.reason(step) or nil, set)
  add_declaration(lines, step, set)
  if step.items then
    lines[#lines + 1] = ""
    run_details.add_items(lines, step, set, run_details.name_width { step })
  end
  for _, attempt in ipairs(step.attempts) do add_attempt(lines, step, attempt, set) end
  local what, command = look(step, set)
  if not command then return lines end
  lines[#lines + 1] = ""
  lines[#lines + 1] = ("%s  %s"):format(what, text.clean(command))
  return lines
end

return M
