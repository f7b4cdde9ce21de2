--- A run as HTML, at any time: what it is, what went wrong, what to do, the steps as a picture and
--- over time, and a table of everything. It is the inside of the report, and of the service's page;
--- whatever others wrote (exit values, messages, names) is shown as the text that it is. No style
--- and no script stands in it. Pure.

local advice = require "luafabric.view.advice"
local escape = require "luafabric.view.escape"
local gantt = require "luafabric.view.html_gantt"
local graph = require "luafabric.view.html_graph"
local html_steps = require "luafabric.view.html_steps"
local rows = require "luafabric.view.rows"
local selection = require "luafabric.view.selection"
local summary = require "luafabric.view.summary"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local M = {}

local html = escape.html

local MOST_TOLD = 20 -- failures named at the top
local MOST_WARNINGS = 100
local MOST_REASON = 2000 -- bytes
local MOST_INPUT = 1000 -- bytes of a value

local function time_element(at)
  if not at then return "–" end
  local shown = words.time(at)
  return ('<time datetime="%s">%s</time>'):format((shown:gsub(" UTC", "Z"):gsub(" ", "T")), shown)
end

-- ---- the head ----

local function outcome_badge(state, standing)
  local class = state.outcome or standing or state.detached and "detached" or "running"
  local sign = state.outcome and words.sign(state.outcome) or "●"
  local word = state.outcome and words.outcome(state.outcome) or class
  return ('<span class="badge %s">%s %s</span>'):format(html(class), sign, html(word))
end

local function facts_list(pairs_of)
  local parts = {}
  for _, pair in ipairs(pairs_of) do
    if pair[2] then
      parts[#parts + 1] = ("<div><dt>%s</dt><dd>%s</dd></div>"):format(html(pair[1]), pair[2])
    end
  end
  if #parts == 0 then return "" end
  return "<dl>" .. table.concat(parts) .. "</dl>"
end

---@class luafabric.RunHtmlOptions
---@field now number|nil           unix seconds; default: the time of the last event
---@field next string|nil          the command to go on with
---@field look_options string|nil  what `luafabric notebook` needs too, " --endpoint X"
---@field is_local boolean|nil     its runs ended with the emulator: there is nothing to look at
---@field error string|nil         what went wrong beside the steps, or before there were any
---@field standing string|nil      what it is instead of running: "queued", "refused", "orphaned"
---@field counts string|nil        how far it is; default: the counts of its steps
---@field facts { [1]: string, [2]: string }[]|nil  more of its head: a word, and HTML
---@field in_hand boolean|nil      somebody runs it: nothing needs to be done
---@field actions string|nil       HTML below what to do next

local function now_of(state, options)
  return options.now or state.now or 0
end

--- What a run is: its name, how it stands, when it ran, and its inputs.
---@param state luafabric.WorkflowRun
---@param options luafabric.RunHtmlOptions|nil
---@return string html
function M.header(state, options)
  options = options or {}
  local cancelled = state.cancelled
  local out = { ("<header><h1>%s %s</h1>"):format(html(state.workflow or "workflow"),
    outcome_badge(state, options.standing)) }
  out[#out + 1] = ('<p class="counts">%s</p>'):format(html(options.counts
    or summary.counts(state)))
  local facts = {
    { "Run", ("<code>%s</code>"):format(html(state.run_id or "?")) },
    { "File", state.file and html(state.file) },
    { "Started", time_element(state.started_at) },
    { "Ended", state.ended_at and time_element(state.ended_at) },
    { state.ended_at and "Took" or "So far", words.span(state.started_at,
      state.ended_at or now_of(state, options)) },
    { "Cancelled", cancelled and ("by %s, %s"):format(html(cancelled.by or "?"),
      time_element(cancelled.at)) },
    { "Deadline", state.deadline and time_element(state.deadline) },
    { "Timeout", state.timeout and words.span(0, state.timeout) },
  }
  for _, fact in ipairs(options.facts or {}) do facts[#facts + 1] = fact end
  out[#out + 1] = facts_list(facts)
  local inputs = {}
  for _, input in ipairs(state.inputs or {}) do
    inputs[#inputs + 1] = { input.name, ("<code>%s</code>"):format(
      html(text.head(words.value(input.value), MOST_INPUT))) }
  end
  if #inputs > 0 then out[#out + 1] = "<h2>Inputs</h2>" .. facts_list(inputs) end
  out[#out + 1] = "</header>"
  return table.concat(out, "\n")
end

-- ---- what went wrong, and what to do ----

local function failure_line(step, id)
  local reason, links = html_steps.reason(step), html_steps.links(step)
  return ('<li><a href="#%s">%s</a> %s%s%s</li>'):format(id, html(step.path),
    html_steps.said(step), reason and ": " .. reason or "", links and " · " .. links or "")
end

local function failures_box(state, ids, problem)
  local list, left_out = {}, 0
  if problem then list[1] = ("<li>%s</li>"):format(html(text.head(problem, MOST_REASON))) end
  local function add(step, id)
    if #list < MOST_TOLD then
      list[#list + 1] = failure_line(step, id)
    else
      left_out = left_out + 1
    end
  end
  for _, step in ipairs(selection.steps(state)) do
    if rows.is_bad(step) then add(step, ids[step.path]) end
    if (step.failed or 0) > 0 then
      for _, item in ipairs(step.items) do
        if rows.is_bad(item) then add(item, ids[step.path]) end
      end
    end
  end
  if #list == 0 then return "" end
  if left_out > 0 then
    list[#list + 1] = ("<li>… and %d more, in the table below</li>"):format(left_out)
  end
  return '<section class="box" id="went-wrong"><h2>What went wrong</h2><ul>'
    .. table.concat(list, "\n") .. "</ul></section>"
end

local function next_box(state, options)
  if options.in_hand then return "" end
  local list = {}
  for _, entry in ipairs(advice.of(state, options)) do
    local command = entry.command and (" <code>%s</code>"):format(html(entry.command)) or ""
    list[#list + 1] = ("<li>%s%s</li>"):format(html(entry.text), command)
  end
  if #list == 0 then return "" end
  return '<section class="box next" id="next"><h2>What to do next</h2><ul>'
    .. table.concat(list, "\n") .. "</ul></section>"
end

local function warnings_box(state)
  local list = {}
  for index, warning in ipairs(state.warnings) do
    if index > MOST_WARNINGS then
      list[index] = ("<li>… and %d more</li>"):format(#state.warnings - MOST_WARNINGS)
      break
    end
    list[index] = ("<li>%s UTC %s%s</li>"):format(words.clock(warning.at),
      warning.path and ("<strong>%s</strong>: "):format(html(warning.path)) or "",
      html(text.head(tostring(warning.message), MOST_REASON)))
  end
  if #list == 0 then return "" end
  return '<section id="warnings"><h2>Warnings</h2><ul>' .. table.concat(list, "\n")
    .. "</ul></section>"
end

-- ---- the drawings ----

local function picture(state, ids, now)
  local steps = selection.steps(state)
  if #steps == 0 then return "" end
  if #steps > graph.MOST then
    return ('<section id="order"><h2>Order</h2><p class="note">No picture: %d steps are too many '
      .. "for one.</p></section>"):format(#steps)
  end
  return '<section id="order"><h2>Order</h2><div class="scroll" tabindex="0" role="region" '
    .. 'aria-label="Picture of the steps">' .. graph.svg(steps, ids, now) .. "</div></section>"
end

local function timeline(state, ids, now)
  return '<section id="time"><h2>Time <span class="soft note">UTC, from '
    .. time_element(state.started_at) .. "</span></h2>" .. gantt.html(state, ids, now)
    .. "</section>"
end

--- Ids of the rows of the table. They stay the same while a run goes on and its items become known.
local function ids_of(state)
  local ids = {}
  for index, step in ipairs(selection.steps(state)) do
    ids[step.path] = "step-" .. index
    for number, item in ipairs(step.items or {}) do
      ids[item.path] = ("step-%d-%d"):format(index, number)
    end
  end
  return ids
end

--- What went wrong, and what can be done about it.
---@param state luafabric.WorkflowRun
---@param options luafabric.RunHtmlOptions|nil
---@return string html
function M.advice(state, options)
  options = options or {}
  return table.concat({ failures_box(state, ids_of(state), options.error),
    next_box(state, options), options.actions or "" }, "\n")
end

--- The steps, drawn by their order and over time, and the table of them.
---@param state luafabric.WorkflowRun
---@param options luafabric.RunHtmlOptions|nil
---@return string html
function M.steps(state, options)
  local now, ids = now_of(state, options or {}), ids_of(state)
  return table.concat({ picture(state, ids, now), timeline(state, ids, now),
    html_steps.table(state, ids, now), warnings_box(state) }, "\n")
end

return M
