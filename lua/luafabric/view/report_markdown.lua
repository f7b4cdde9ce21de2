--- A run as Markdown, for the summary page of a CI job and for messages: what happened, what went
--- wrong, a table of the steps, the items folded. Whatever others wrote is shown as the text that
--- it is. Pure.

local advice = require "luafabric.view.advice"
local escape = require "luafabric.view.escape"
local rows = require "luafabric.view.rows"
local selection = require "luafabric.view.selection"
local summary = require "luafabric.view.summary"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local md = escape.markdown

-- GitHub takes a megabyte.
local MOST_STEPS, MOST_TOLD = 500, 50
local MOST_FAILED, MOST_OTHERS = 200, 20 -- items: in all, and of one `each`
local MOST_REASON, MOST_VALUE = 500, 80 -- bytes

local icons = { succeeded = "✅", skipped = "⏭️", cancelled = "🚫", timed_out = "⏱️", unknown = "❓" }

local function outcome(step)
  local word = step.outcome and words.outcome(step.outcome) or words.phase(step)
  local icon = step.outcome and (icons[step.outcome] or "❌") or "⏳"
  return icon .. " " .. md(word)
end

local function numbered(sign) return ("&#%d;"):format(sign:byte()) end

local function code(value, most)
  local shown = text.clean(text.head(tostring(value), most))
  local cut = #tostring(value) > most and "…" or ""
  -- A table splits at "|" even inside of code; HTML's <code> takes it escaped.
  shown = escape.html(shown):gsub("|", "&#124;"):gsub("[`*_%[%]\\~$@]", numbered)
  -- Addresses become links even in there.
  shown = shown:gsub("&#64;", "%0&#8203;"):gsub("://", ":&#47;&#47;")
  shown = shown:gsub("[Ww]([Ww][Ww]%.)", "&#119;%1")
  return "<code>" .. shown .. cut .. "</code>"
end

local function links(step)
  local last = step.attempts[#step.attempts]
  local parts = {}
  for _, link in ipairs(words.links(last and last.links)) do
    parts[#parts + 1] = ("[%s](%s)"):format(md(link.name), escape.markdown_url(link.url))
  end
  return #parts > 0 and table.concat(parts, " · ") or nil
end

local function reason(step)
  local said = words.reason(step)
  return said and md(text.head(tostring(said), MOST_REASON))
end

local function attempts(step)
  if step.items then
    local counts = words.items(step)
    return ("%d of %d ok"):format(counts.succeeded, counts.all)
  end
  return #step.attempts > 0 and tostring(#step.attempts) or ""
end

local function details(step)
  local parts = {}
  local function add(what) if what then parts[#parts + 1] = what end end
  add(reason(step))
  add(words.kept(step))
  if step.branch then add("branch " .. code(step.branch, MOST_VALUE)) end
  local value = step.exit_value
  if value and value ~= "" then add("gave " .. code(value, MOST_VALUE)) end
  add(links(step))
  return table.concat(parts, "<br>")
end

local function row(name, step)
  local took = words.took(step)
  return ("| %s | %s | %s | %s | %s |"):format(md(name), outcome(step), attempts(step), took or "",
    details(step))
end

local function table_of(first, lines)
  return ("| %s | Outcome | Attempts | Duration | Details |\n|---|---|---|---|---|\n%s"):format(
    first, table.concat(lines, "\n"))
end

-- ---- the parts ----

local function failures(state, problem)
  local list, left_out = {}, 0
  if problem then list[1] = "- " .. md(text.head(problem, MOST_REASON)) end
  local function add(step)
    if #list == MOST_TOLD then
      left_out = left_out + 1
      return
    end
    local page = links(step)
    list[#list + 1] = ("- **%s** %s%s%s%s"):format(md(step.path), outcome(step),
      reason(step) and ": " .. reason(step) or "",
      step.job_id and " · job " .. code(step.job_id, MOST_VALUE) or "",
      page and " · " .. page or "")
  end
  for _, step in ipairs(selection.steps(state)) do
    if rows.is_bad(step) then add(step) end
    if (step.failed or 0) > 0 then
      for _, item in ipairs(step.items) do
        if rows.is_bad(item) then add(item) end
      end
    end
  end
  if left_out > 0 then list[#list + 1] = ("- … and %d more"):format(left_out) end
  return #list > 0 and "### What went wrong\n\n" .. table.concat(list, "\n") or nil
end

local function next_steps(state, options)
  local list = {}
  for index, entry in ipairs(advice.of(state, options)) do
    local command = entry.command and " " .. code(entry.command, MOST_REASON) or ""
    list[index] = "- " .. md(entry.text) .. command
  end
  return #list > 0 and "### What to do next\n\n" .. table.concat(list, "\n") or nil
end

local function steps_table(state)
  local list, steps = {}, selection.failed_first(state)
  if #steps == 0 then return nil end
  for index = 1, math.min(#steps, MOST_STEPS) do
    list[index] = row(steps[index].path, steps[index])
  end
  local note = #steps > MOST_STEPS and ("\n\nNot shown: %d more steps."):format(#steps - MOST_STEPS)
    or ""
  return "### Steps\n\n" .. table_of("Step", list) .. note
end

local function items(step, budget)
  local chosen = selection.of(step, budget.failed, math.min(MOST_OTHERS, budget.others))
  budget.failed = budget.failed - math.min(budget.failed, step.failed or 0)
  budget.others = budget.others - math.min(budget.others, MOST_OTHERS, #step.items)
  local list = {}
  for index, item in ipairs(chosen.items) do list[index] = row(item.label or item.path, item) end
  local note = selection.note(chosen)
  return ("<details><summary>%s: %s</summary>\n\n%s\n%s\n</details>"):format(
    escape.html(text.clean(step.path)), words.count(#step.items, "item"), table_of("Item", list),
    note and "\n" .. note .. "\n" or "")
end

local function all_items(state)
  local parts, budget = {}, { failed = MOST_FAILED, others = MOST_FAILED }
  for _, step in ipairs(selection.failed_first(state)) do
    if step.items and #step.items > 0 and budget.failed + budget.others > 0 then
      parts[#parts + 1] = items(step, budget)
    end
  end
  return #parts > 0 and table.concat(parts, "\n\n") or nil
end

local function warnings(state)
  local list = {}
  for index, warning in ipairs(state.warnings) do
    if index > MOST_TOLD then
      list[index] = ("- … and %d more"):format(#state.warnings - MOST_TOLD)
      break
    end
    list[index] = ("- %s%s"):format(warning.path and "**" .. md(warning.path) .. "**: " or "",
      md(text.head(tostring(warning.message), MOST_REASON)))
  end
  return #list > 0 and "### Warnings\n\n" .. table.concat(list, "\n") or nil
end

local function title(state, now)
  local icon = state.outcome and (icons[state.outcome] or "❌") or "⏳"
  local took = words.span(state.started_at, state.ended_at or now)
  local started = words.time(state.started_at)
  return ("## %s %s\n\n%s%s%s."):format(icon, md((summary.headline(state))), summary.counts(state),
    took and " in " .. took or "", started and ", started " .. started or "")
end

--- The report of a run that ended, was detached, or goes on.
---@param state luafabric.WorkflowRun
---@param options luafabric.ReportOptions|nil
---@return string markdown  ends with a line end
local function report(state, options)
  options = options or {}
  local parts = { title(state, options.now or state.now) }
  local function add(part) if part then parts[#parts + 1] = part end end
  add(failures(state, options.error))
  add(next_steps(state, options))
  add(steps_table(state))
  add(all_items(state))
  add(warnings(state))
  return table.concat(parts, "\n\n") .. "\n"
end

return report
