--- The table of a run's steps as HTML: how each ended or how far it is, its attempts, and what
--- there is to know of it. Pure.

local escape = require "luafabric.view.escape"
local rows = require "luafabric.view.rows"
local selection = require "luafabric.view.selection"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local M = {}

local html = escape.html

local MOST_STEPS = 2000 -- rows of the table
local MOST_FAILED = 1000 -- items in all
local MOST_OTHERS = 50 -- items of one `each` that did not fail
local SHORT_VALUE = 120 -- bytes of an exit value that stands open
local MOST_VALUE, MOST_ITEM_VALUE = 20000, 1000 -- bytes; the rest is left out
local MOST_REASON = 2000 -- bytes

-- ---- what the head of a run says of a step, too ----

--- How a step ended, or how far it is.
---@param step luafabric.StepState
---@return string html
function M.said(step)
  local outcome = step.outcome or step.phase
  local sign = step.outcome and words.sign(step.outcome) or "·"
  local word = step.outcome and words.outcome(step.outcome) or words.phase(step)
  return ('<span class="said %s">%s %s</span>'):format(html(outcome), sign, html(word))
end

--- The pages of a step's last attempt in Fabric.
---@param step luafabric.StepState
---@return string|nil html
function M.links(step)
  local last = step.attempts[#step.attempts]
  local parts = {}
  for _, link in ipairs(words.links(last and last.links)) do
    parts[#parts + 1] = ('<a href="%s" rel="noreferrer noopener">%s</a>'):format(html(link.url),
      html(link.name))
  end
  return #parts > 0 and table.concat(parts, " · ") or nil
end

--- Why a step ended as it did.
---@param step luafabric.StepState
---@return string|nil html
function M.reason(step)
  local reason = words.reason(step)
  return reason and html(text.head(tostring(reason), MOST_REASON))
end

-- ---- a row ----

local function exit_value(id, step, most)
  local value = step.exit_value
  if value == nil or value == "" then return nil end
  value = tostring(value)
  if #value <= SHORT_VALUE and not value:find("\n") then
    return ("exit value <code>%s</code>"):format(html(value))
  end
  local cut = #value > most and ('<p class="note">The first %d of %d bytes.</p>'):format(most,
    #value) or ""
  return ('<details id="%s-exit"><summary>exit value, %d bytes</summary>%s<pre>%s</pre></details>')
    :format(id, #value, cut, html(text.head(value, most)))
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
local function earlier_attempts(id, step)
  if #step.attempts < 2 then return nil end
  local parts = {}
  for index = math.max(1, #step.attempts - 10), #step.attempts - 1 do
    local attempt = step.attempts[index]
    local reason = words.attempt_reason(attempt)
    parts[#parts + 1] = ("<li>attempt %d: %s%s</li>"):format(index,
      html(words.outcome(attempt.outcome)),
      reason and ": " .. html(text.head(reason, MOST_REASON)) or "")
  end
  return ('<details id="%s-earlier"><summary>earlier attempts</summary><ul>'):format(id)
    .. table.concat(parts)
    .. "</ul></details>"
end

--- What a step waits for, or how far it is. How long it has run stands in a column of its own.
local function progress(step, now)
  if step.phase == "ended" then return nil end
  local parts, took = {}, words.ticking(words.begun_at(step), now)
  for _, piece in ipairs(rows.of(step, now).pieces) do
    if piece[1] ~= took then parts[#parts + 1] = html(piece[1]) end
  end
  return #parts > 0 and table.concat(parts, " · ") or nil
end

local function details(id, step, now, most_value)
  local parts = {}
  local function add(what) if what then parts[#parts + 1] = "<p>" .. what .. "</p>" end end
  add(progress(step, now))
  add(M.reason(step))
  if step.kept then add(html(words.kept(step))) end
  if step.branch then add("branch <code>" .. html(step.branch) .. "</code>") end
  local value = exit_value(id, step, most_value)
  if value and value:find("^<details") then
    parts[#parts + 1] = value
  else
    add(value)
  end
  parts[#parts + 1] = earlier_attempts(id, step)
  if step.job_id then add("job <code>" .. html(step.job_id) .. "</code>") end
  add(M.links(step))
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

local function duration(step, now)
  if step.phase == "ended" then return words.took(step) or "–" end
  return step.phase == "running" and words.ticking(words.begun_at(step), now) or "–"
end

-- On a narrow screen a cell that says nothing is left out.
local function cell(class, said)
  return ('<td class="%s%s">%s</td>'):format(class, said == "–" and " none" or "", said)
end

local function row(id, name, step, now, most_value)
  return ('<tr id="%s"><th scope="row" class="one">%s</th>%s%s%s<td>%s</td></tr>'):format(id, name,
    cell("two", M.said(step)), cell("three", attempts_text(step)),
    cell("four", duration(step, now)), details(id, step, now, most_value))
end

local function columns(first)
  return ('<thead><tr><th scope="col" class="one">%s</th><th scope="col" class="two">Outcome</th>'
    .. '<th scope="col" class="three">Attempts</th><th scope="col" class="four">Duration</th>'
    .. '<th scope="col">Details</th></tr></thead>'):format(first)
end

-- `budget` is shared by all that have items.
local function items_row(step, ids, budget, now)
  if not step.items or #step.items == 0 then return nil end
  local chosen = selection.of(step, budget.failed, math.min(MOST_OTHERS, budget.others))
  budget.failed = budget.failed - math.min(budget.failed, step.failed or 0)
  budget.others = budget.others - math.min(budget.others, MOST_OTHERS, #step.items)
  local list = {}
  for index, item in ipairs(chosen.items) do
    list[index] = row(ids[item.path], html(item.label or item.path), item, now,
      MOST_ITEM_VALUE)
  end
  local note = selection.note(chosen)
  local open = (step.failed or 0) > 0 and #list <= 60 and " open" or ""
  return ('<tr class="more" id="%s-items"><td class="wide" colspan="5"><details%s>'
    .. '<summary>%s of %s</summary><table><caption>Failed items first.</caption>%s<tbody>%s</tbody>'
    .. '</table>%s</details></td></tr>'):format(ids[step.path], open,
    words.count(#step.items, "item"), html(step.path), columns("Item"), table.concat(list, "\n"),
    note and '<p class="note">' .. note .. "</p>" or "")
end

--- The table.
---@param state luafabric.WorkflowRun
---@param ids table<string, string>  path -> id of its row
---@param now number                 unix seconds
---@return string html
function M.table(state, ids, now)
  local steps = selection.steps(state)
  local left_out = math.max(0, #steps - MOST_STEPS)
  if left_out > 0 then steps = selection.failed_first(state) end
  local list, budget = {}, { failed = MOST_FAILED, others = MOST_FAILED }
  for index = 1, math.min(#steps, MOST_STEPS) do
    local step = steps[index]
    list[#list + 1] = row(ids[step.path], step_name(step), step, now, MOST_VALUE)
    list[#list + 1] = items_row(step, ids, budget, now)
  end
  local note = left_out > 0 and ('<p class="note">Not shown: %d more steps; failed ones come first.'
    .. '</p>'):format(left_out) or ""
  return '<section id="steps"><h2>Steps</h2><table>' .. columns("Step") .. "<tbody>"
    .. table.concat(list, "\n") .. "</tbody></table>" .. note .. "</section>"
end

return M
