--- A run as one HTML file: what happened, what went wrong, what to do, the steps as a picture and
--- over time, and a table of everything. It loads nothing, runs nothing, and whatever others wrote
--- (exit values, messages, names) is shown as the text that it is. Pure.

local advice = require "luafabric.view.advice"
local escape = require "luafabric.view.escape"
local gantt = require "luafabric.view.html_gantt"
local graph = require "luafabric.view.html_graph"
local rows = require "luafabric.view.rows"
local selection = require "luafabric.view.selection"
local style = require "luafabric.view.html_style"
local summary = require "luafabric.view.summary"
local text = require "luafabric.view.text"
local version = require "luafabric.version"
local words = require "luafabric.view.words"

local html = escape.html

local MOST_STEPS = 2000 -- rows of the table
local MOST_FAILED = 1000 -- items in all
local MOST_OTHERS = 50 -- items of one `each` that did not fail
local MOST_TOLD = 20 -- failures named at the top
local MOST_WARNINGS = 100
local SHORT_VALUE = 120 -- bytes of an exit value that stands open
local MOST_VALUE, MOST_ITEM_VALUE = 20000, 1000 -- bytes; the rest is left out
local MOST_REASON = 2000 -- bytes

local function said(step)
  local outcome = step.outcome or step.phase
  local sign = step.outcome and words.sign(step.outcome) or "·"
  local word = step.outcome and words.outcome(step.outcome) or words.phase(step)
  return ('<span class="said %s">%s %s</span>'):format(html(outcome), sign, html(word))
end

local function time_element(at)
  if not at then return "–" end
  local shown = words.time(at)
  return ('<time datetime="%s">%s</time>'):format((shown:gsub(" UTC", "Z"):gsub(" ", "T")), shown)
end

-- ---- the head ----

local function outcome_badge(state)
  local class = state.outcome or state.detached and "detached" or "running"
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

local function header(state, now)
  local cancelled = state.cancelled
  local out = { ("<header><h1>%s %s</h1>"):format(html(state.workflow or "workflow"),
    outcome_badge(state)) }
  out[#out + 1] = ("<p>%s</p>"):format(html(summary.counts(state)))
  out[#out + 1] = facts_list {
    { "Run", ("<code>%s</code>"):format(html(state.run_id or "?")) },
    { "File", state.file and html(state.file) },
    { "Started", time_element(state.started_at) },
    { "Ended", state.ended_at and time_element(state.ended_at) },
    { state.ended_at and "Took" or "So far", words.span(state.started_at, state.ended_at or now) },
    { "Cancelled", cancelled and ("by %s, %s"):format(html(cancelled.by or "?"),
      time_element(cancelled.at)) },
    { "Deadline", state.deadline and time_element(state.deadline) },
    { "Timeout", state.timeout and words.span(0, state.timeout) },
  }
  local inputs = {}
  for _, input in ipairs(state.inputs or {}) do
    inputs[#inputs + 1] = { input.name, ("<code>%s</code>"):format(
      html(text.head(words.value(input.value), MOST_ITEM_VALUE))) }
  end
  if #inputs > 0 then out[#out + 1] = "<h2>Inputs</h2>" .. facts_list(inputs) end
  out[#out + 1] = "</header>"
  return table.concat(out, "\n")
end

-- ---- what went wrong, and what to do ----

local function links_of(step)
  local last = step.attempts[#step.attempts]
  local parts = {}
  for _, link in ipairs(words.links(last and last.links)) do
    parts[#parts + 1] = ('<a href="%s" rel="noreferrer noopener">%s</a>'):format(html(link.url),
      html(link.name))
  end
  return #parts > 0 and table.concat(parts, " · ") or nil
end

local function reason_of(step)
  local reason = words.reason(step)
  return reason and html(text.head(tostring(reason), MOST_REASON))
end

local function failure_line(step, id)
  local reason, links = reason_of(step), links_of(step)
  return ('<li><a href="#%s">%s</a> %s%s%s</li>'):format(id, html(step.path), said(step),
    reason and ": " .. reason or "", links and " · " .. links or "")
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
  return '<section class="box"><h2>What went wrong</h2><ul>' .. table.concat(list, "\n")
    .. "</ul></section>"
end

local function next_box(state, options)
  local list = {}
  for _, entry in ipairs(advice.of(state, options)) do
    local command = entry.command and (" <code>%s</code>"):format(html(entry.command)) or ""
    list[#list + 1] = ("<li>%s%s</li>"):format(html(entry.text), command)
  end
  if #list == 0 then return "" end
  return '<section class="box next"><h2>What to do next</h2><ul>' .. table.concat(list, "\n")
    .. "</ul></section>"
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
  return "<section><h2>Warnings</h2><ul>" .. table.concat(list, "\n") .. "</ul></section>"
end

-- ---- the table ----

local function exit_value(step, most)
  local value = step.exit_value
  if value == nil or value == "" then return nil end
  value = tostring(value)
  if #value <= SHORT_VALUE and not value:find("\n") then
    return ("exit value <code>%s</code>"):format(html(value))
  end
  local cut = #value > most and ('<p class="note">The first %d of %d bytes.</p>'):format(most,
    #value) or ""
  return ("<details><summary>exit value, %d bytes</summary>%s<pre>%s</pre></details>"):format(
    #value, cut, html(text.head(value, most)))
end

local function attempts_text(step)
  if step.items then
    local counts = words.items(step)
    return ("%d of %d ok"):format(counts.succeeded, counts.all)
  end
  local count = #step.attempts
  return count > 0 and words.count(count, "attempt") or "–"
end

-- How the attempts before the last one ended.
local function earlier_attempts(step)
  if #step.attempts < 2 then return nil end
  local parts = {}
  for index = math.max(1, #step.attempts - 10), #step.attempts - 1 do
    local attempt = step.attempts[index]
    local reason = words.attempt_reason(attempt)
    parts[#parts + 1] = ("<li>attempt %d: %s%s</li>"):format(index,
      html(words.outcome(attempt.outcome)),
      reason and ": " .. html(text.head(reason, MOST_REASON)) or "")
  end
  return "<details><summary>earlier attempts</summary><ul>" .. table.concat(parts)
    .. "</ul></details>"
end

local function details(step, most_value)
  local parts = {}
  local function add(what) if what then parts[#parts + 1] = "<p>" .. what .. "</p>" end end
  add(reason_of(step))
  if step.kept then add(html(words.kept(step))) end
  if step.branch then add("branch <code>" .. html(step.branch) .. "</code>") end
  local value = exit_value(step, most_value)
  if value and value:find("^<details") then
    parts[#parts + 1] = value
  else
    add(value)
  end
  parts[#parts + 1] = earlier_attempts(step)
  if step.job_id then add("job <code>" .. html(step.job_id) .. "</code>") end
  add(links_of(step))
  return table.concat(parts)
end

local function step_name(step)
  local lines = { ('<span class="name">%s</span>'):format(html(step.path)) }
  local facts = {}
  if step.notebook then
    facts[1] = html((step.workspace and step.workspace .. "/" or "") .. tostring(step.notebook))
  end
  if step.place then facts[#facts + 1] = html(step.place) end
  if step.may_fail then facts[#facts + 1] = "may fail" end
  if #facts > 0 then
    lines[2] = ('<p class="soft note">%s</p>'):format(table.concat(facts, " · "))
  end
  return table.concat(lines)
end

local function row(id, name, step, most_value)
  local took = words.took(step)
  return ('<tr%s><th scope="row" class="one">%s</th><td class="two">%s</td>'
    .. '<td class="three">%s</td><td class="four">%s</td><td>%s</td></tr>'):format(id, name,
    said(step), attempts_text(step), took or "–", details(step, most_value))
end

local function columns(first)
  return ('<thead><tr><th scope="col" class="one">%s</th><th scope="col" class="two">Outcome</th>'
    .. '<th scope="col" class="three">Attempts</th><th scope="col" class="four">Duration</th>'
    .. '<th scope="col">Details</th></tr></thead>'):format(first)
end

-- `budget` is shared by all that have items.
local function items_row(step, budget)
  if not step.items or #step.items == 0 then return nil end
  local chosen = selection.of(step, budget.failed, math.min(MOST_OTHERS, budget.others))
  budget.failed = budget.failed - math.min(budget.failed, step.failed or 0)
  budget.others = budget.others - math.min(budget.others, MOST_OTHERS, #step.items)
  local list = {}
  for index, item in ipairs(chosen.items) do
    list[index] = row("", html(item.label or item.path), item, MOST_ITEM_VALUE)
  end
  local note = selection.note(chosen)
  local open = (step.failed or 0) > 0 and #list <= 60 and " open" or ""
  return ('<tr class="more"><td class="wide" colspan="5"><details%s><summary>%s of %s</summary>'
    .. '<table><caption>Failed items first.</caption>%s<tbody>%s</tbody></table>%s</details></td>'
    .. '</tr>'):format(open, words.count(#step.items, "item"), html(step.path), columns("Item"),
    table.concat(list, "\n"), note and '<p class="note">' .. note .. "</p>" or "")
end

local function steps_table(state, ids)
  local steps = selection.steps(state)
  local left_out = math.max(0, #steps - MOST_STEPS)
  if left_out > 0 then steps = selection.failed_first(state) end
  local list, budget = {}, { failed = MOST_FAILED, others = MOST_FAILED }
  for index = 1, math.min(#steps, MOST_STEPS) do
    local step = steps[index]
    list[#list + 1] = row((' id="%s"'):format(ids[step.path]), step_name(step), step, MOST_VALUE)
    list[#list + 1] = items_row(step, budget)
  end
  local note = left_out > 0 and ('<p class="note">Not shown: %d more steps; failed ones come first.'
    .. '</p>'):format(left_out) or ""
  return "<section><h2>Steps</h2><table>" .. columns("Step") .. "<tbody>"
    .. table.concat(list, "\n") .. "</tbody></table>" .. note .. "</section>"
end

local function picture(state, ids, now)
  local steps = selection.steps(state)
  if #steps == 0 then return "" end
  if #steps > graph.MOST then
    return ('<section><h2>Order</h2><p class="note">No picture: %d steps are too many for one.</p>'
      .. "</section>"):format(#steps)
  end
  return '<section><h2>Order</h2><div class="scroll" tabindex="0" role="region" '
    .. 'aria-label="Picture of the steps">' .. graph.svg(steps, ids, now) .. "</div></section>"
end

local function timeline(state, ids, now)
  return '<section><h2>Time <span class="soft note">UTC, from '
    .. time_element(state.started_at) .. "</span></h2>" .. gantt.html(state, ids, now)
    .. "</section>"
end

-- Nothing is loaded and nothing runs, even if something of others should come through as mark-up.
local policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
  .. "form-action 'none'"

local function head(title)
  return table.concat({
    "<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
    ('<meta http-equiv="Content-Security-Policy" content="%s">'):format(policy),
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="referrer" content="no-referrer">', ("<title>%s</title>"):format(html(title)),
    "<style>" .. style .. "</style>", "</head>",
  }, "\n")
end

---@class luafabric.ReportOptions
---@field now number|nil           unix seconds; default: the time of the last event
---@field next string|nil          the command to go on with
---@field look_options string|nil  what `luafabric notebook` needs too, " --endpoint X"
---@field is_local boolean|nil     its runs ended with the emulator: there is nothing to look at
---@field error string|nil         what went wrong beside the steps, or before there were any

--- The report of a run that ended, was detached, or goes on.
---@param state luafabric.WorkflowRun
---@param options luafabric.ReportOptions|nil
---@return string html
local function report(state, options)
  options = options or {}
  local now = options.now or state.now or 0
  local ids = {}
  for index, path in ipairs(state.order) do ids[path] = "step-" .. index end
  local sign = state.outcome and words.sign(state.outcome) .. " " or ""
  return table.concat({
    head(sign .. (summary.headline(state))), "<body>", header(state, now), "<main>",
    failures_box(state, ids, options.error), next_box(state, options), picture(state, ids, now),
    timeline(state, ids, now), steps_table(state, ids), warnings_box(state), "</main>",
    ("<footer>luafabric %s</footer>"):format(html(version)), "</body>", "</html>", "",
  }, "\n")
end

return report
