--- A run as JUnit XML, which CI systems show as tests: the workflow is the suite, each step and
--- each item of an `each` is a case. Pure.

local core = require "luafabric.core"
local escape = require "luafabric.view.escape"
local rows = require "luafabric.view.rows"
local summary = require "luafabric.view.summary"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local xml = escape.xml

local MOST_TEXT = 10000 -- bytes of one reason or exit value
local MOST_LINE = 500 -- bytes of a message

local function seconds(from, to)
  if not from or not to then return "0" end
  return (("%.3f"):format(math.max(0, to - from)):gsub(",", "."))
end

local function time_of(step, now)
  if step.outcome == "skipped" then return "0" end
  local begun = words.begun_at(step)
  return seconds(begun, step.ended_at or now)
end

--- Whether a failure is borne: the step may fail, or its `each` tolerated it.
local function is_borne(state, step)
  if step.outcome == "unknown" then return false end
  local parent = step.parent and state.steps[step.parent]
  if not parent then return step.may_fail end
  return parent.may_fail or parent.outcome == "succeeded"
end

--- What a CI system counts a step as: "failure", "error" (not the notebook's doing, or nobody
--- knows), "skipped", or nothing. What fails no workflow fails no suite.
local function verdict(state, step)
  if step.phase ~= "ended" or step.outcome == "skipped" then return "skipped" end
  if not rows.is_bad(step) or is_borne(state, step) then return nil end
  return step.outcome == "failed" and "failure" or "error"
end

local function one_line(value)
  return text.head(text.clean(value), MOST_LINE)
end

local function body_of(step)
  local parts = {}
  local function add(name, value)
    if value and value ~= "" then
      parts[#parts + 1] = ("%s: %s"):format(name, text.head(tostring(value), MOST_TEXT))
    end
  end
  add("outcome", step.outcome)
  add("reason", words.reason(step))
  add("attempts", #step.attempts > 0 and #step.attempts)
  add("job", step.job_id)
  add("end", words.kept(step))
  local last = step.attempts[#step.attempts]
  for _, link in ipairs(words.links(last and last.links)) do add(link.name, link.url) end
  return table.concat(parts, "\n")
end

local function case(state, step, kind, now)
  local name, class = step.path, state.workflow or "workflow"
  if step.kind == "item" then name, class = step.label or step.path, step.parent or step.name end
  local start = ('  <testcase name="%s" classname="%s" time="%s"'):format(xml(name), xml(class),
    time_of(step, now))
  local lines = {}
  local reason = words.reason(step)
  if kind == "skipped" then
    local why = step.phase == "ended" and reason
      or step.phase ~= "ended" and "it had not ended" or "skipped"
    lines[1] = ('    <skipped message="%s"/>'):format(xml(one_line(why)))
  elseif kind then
    lines[1] = ('    <%s message="%s" type="%s">%s</%s>'):format(kind,
      xml(one_line(reason or words.outcome(step.outcome))), xml(step.outcome),
      xml(body_of(step)), kind)
  elseif rows.is_bad(step) then
    lines[1] = ("    <system-out>%s</system-out>"):format(xml("borne: may fail, or tolerated\n"
      .. body_of(step)))
  elseif step.kept then
    lines[1] = ("    <system-out>%s</system-out>"):format(xml(words.kept(step)))
  elseif step.exit_value and step.exit_value ~= "" then
    lines[1] = ("    <system-out>%s</system-out>"):format(xml("exit value: "
      .. text.head(step.exit_value, MOST_TEXT)))
  end
  if #lines == 0 then return start .. "/>" end
  return start .. ">\n" .. lines[1] .. "\n  </testcase>"
end

--- The workflow itself as a case, where what it came to is told by none of the others: it was cut
--- off, left or refused before a step could fail.
local function workflow_case(state, problem)
  local outcome = state.outcome or state.detached and "detached" or "running"
  local message = problem or (summary.headline(state))
  return ('  <testcase name="%s" classname="%s" time="0">\n    <error message="%s" type="%s"/>\n'
    .. "  </testcase>"):format(xml(state.workflow or "workflow"), "workflow",
    xml(one_line(message)), xml(outcome))
end

local function tests(state, now, problem)
  local list, counts = {}, { failure = 0, error = 0, skipped = 0 }
  for index, path in ipairs(state.order) do
    local step = state.steps[path]
    local kind = verdict(state, step)
    if kind then counts[kind] = counts[kind] + 1 end
    list[index] = case(state, step, kind, now)
  end
  local is_told = state.outcome == "succeeded" or counts.failure + counts.error > 0
  if problem or not is_told then
    counts.error, list[#list + 1] = counts.error + 1, workflow_case(state, problem)
  end
  return list, counts
end

local function properties(state)
  local list = { ('    <property name="run" value="%s"/>'):format(xml(state.run_id or "")),
    ('    <property name="outcome" value="%s"/>'):format(xml(state.outcome
      or state.detached and "detached" or "running")) }
  for _, input in ipairs(state.inputs or {}) do
    list[#list + 1] = ('    <property name="%s" value="%s"/>'):format(xml("input." .. input.name),
      xml(text.head(words.value(input.value), MOST_TEXT)))
  end
  return "  <properties>\n" .. table.concat(list, "\n") .. "\n  </properties>"
end

--- The report of a run that ended, was detached, or goes on.
---@param state luafabric.WorkflowRun
---@param options luafabric.ReportOptions|nil
---@return string xml
local function report(state, options)
  local now = options and options.now or state.now or 0
  local list, counts = tests(state, now, options and options.error)
  local name, took = xml(state.workflow or "workflow"), seconds(state.started_at,
    state.ended_at or now)
  local started = core.format_time(math.max(0, state.started_at or now)):gsub("Z$", "")
  local numbers = ('tests="%d" failures="%d" errors="%d" skipped="%d" time="%s"'):format(#list,
    counts.failure, counts.error, counts.skipped, took)
  return table.concat({
    '<?xml version="1.0" encoding="UTF-8"?>',
    ('<testsuites name="luafabric" %s>'):format(numbers),
    (' <testsuite name="%s" timestamp="%s" %s>'):format(name, started, numbers),
    properties(state), table.concat(list, "\n"), " </testsuite>", "</testsuites>", "",
  }, "\n")
end

return report
