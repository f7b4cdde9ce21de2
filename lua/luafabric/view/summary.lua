--- What is said when a workflow's run is over: failures first, then what was skipped and why, and
--- last the one line that says it all. Pure.

local advice = require "luafabric.view.advice"
local rows = require "luafabric.view.rows"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local M = {}

local MOST_ITEMS = 10 -- failed items of one `each`; --report has more
local MOST_SKIPPED = 10
local MOST_VALUES = 3 -- exit values of a run that succeeded
local MOST_NAME = 40 -- columns
local MOST_REASON = 4 -- lines of one reason

-- ---- one line for each thing to look at ----

local function attempt_facts(step)
  if step.kept then return { words.kept(step) } end
  local facts = {}
  local number, of = words.attempts(step)
  if number > 1 or step.max_attempts and number > 0 then facts[1] = "attempt " .. of end
  facts[#facts + 1] = words.span(words.begun_at(step), step.ended_at)
  if step.job_id then facts[#facts + 1] = "job " .. text.clean(step.job_id) end
  return facts
end

--- How to look at a run of which it is not known whether it is there; mostly the reason says it.
local function look(step, options)
  local is_said = (words.reason(step) or ""):find("[Ll]ook with")
  local is_unknown = step.outcome == "unknown" or words.under_way(step) == "unknown"
  if not is_unknown or is_said or options.is_local then return nil end
  local command = advice.list_command(step, options.look_options)
  return command and ("it may or may not run: look with `%s`"):format(command)
end

local function entry_of(step, indent)
  local sign, tone = words.sign(step.outcome)
  return { step = step, sign = (indent or "") .. sign, tone = tone,
    name = text.clean(step.path), outcome = words.outcome(step.outcome) }
end

local function item_entries(step, list)
  local shown = 0
  for _, item in ipairs(step.items or {}) do
    if rows.is_bad(item) then
      if shown == MOST_ITEMS then
        list[#list + 1] = { note = ("  … %d more failed"):format(step.failed - shown) }
        return
      end
      list[#list + 1], shown = entry_of(item, "  "), shown + 1
    end
  end
end

--- Failed steps, and the failed items of those that failed or bore them.
local function failures(state)
  local list = {}
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    if step.kind ~= "item" and (rows.is_bad(step) or (step.failed or 0) > 0) then
      list[#list + 1] = entry_of(step)
      if step.phase ~= "ended" then
        list[#list].sign, list[#list].tone, list[#list].outcome = "●", nil, "running"
      end
      item_entries(step, list)
    end
  end
  return list
end

local function skipped(state)
  local list, left_out = {}, 0
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    if step.kind ~= "item" and step.outcome == "skipped" then
      if #list < MOST_SKIPPED then
        list[#list + 1] = entry_of(step)
      else
        left_out = left_out + 1
      end
    end
  end
  if left_out > 0 then
    list[#list + 1] = { note = ("… %d more skipped"):format(left_out) }
  end
  return list
end

--- What goes on in Fabric while nobody watches it any more.
local function left_running(state)
  local list = {}
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    local known = words.under_way(step)
    if known then
      list[#list + 1] = { step = step, sign = known == "running" and "●" or "?",
        name = text.clean(step.path), outcome = known == "running" and "runs on" or "may run" }
    end
  end
  return list
end

--- The facts of an entry, its reason, and what is never cut: a link or a command.
local function describe(entry, options)
  local step = entry.step
  if step.phase == "running" and not step.items then
    return { words.span(words.begun_at(step), options.now) }, nil, look(step, options)
      or advice.status_command(step, options.look_options)
  end
  if step.outcome == "skipped" then return { words.reason(step) }, nil, nil end
  local facts = {}
  if step.may_fail and rows.is_bad(step) then facts[1] = "may fail" end
  if step.items then
    local counts = words.items(step)
    facts[#facts + 1] = ("%d of %d ok"):format(counts.succeeded, counts.all)
    if counts.skipped > 0 then facts[#facts + 1] = ("%d skipped"):format(counts.skipped) end
    facts[#facts + 1] = words.span(words.begun_at(step), step.ended_at)
  else
    for _, fact in ipairs(attempt_facts(step)) do facts[#facts + 1] = fact end
  end
  local reason = rows.is_bad(step) and words.reason(step)
  local last = step.attempts[#step.attempts]
  -- What was cancelled on purpose needs no look.
  local link = last and step.outcome ~= "cancelled" and words.links(last.links)[1]
  return facts, reason and '"' .. text.clean(reason) .. '"', look(step, options) or
    link and text.clean(link.url)
end

--- The first lines of a reason. A command in it that they do not show as one is on a line of its
--- own, unless the entry shows it anyway.
local function reason_lines(reason, width, last)
  local parts, shown = text.wrap(reason, width), {}
  for index = 1, math.min(MOST_REASON, #parts) do shown[index] = parts[index] end
  if #parts > MOST_REASON then shown[MOST_REASON] = shown[MOST_REASON] .. " …" end
  local all = table.concat(shown, "\n") .. "\n" .. (last or "")
  for command in reason:gmatch "`(luafabric [^`]+)`" do
    if not all:find(command, 1, true) then shown[#shown + 1] = command end
  end
  return shown
end

local function entry_lines(entry, widths, options, lines)
  if entry.note then
    lines[#lines + 1] = text.line({ { entry.note, "faint" } }, math.huge, options.palette)
    return
  end
  local facts, reason, last = describe(entry, options)
  local tone = entry.step.outcome == "skipped" and "faint" or nil
  local indent = entry.sign:match("^ *")
  local pieces = { { entry.sign, entry.tone }, { " " },
    { text.pad(entry.name, widths.name - #indent), tone }, { "  " },
    { text.pad(entry.outcome, widths.outcome), entry.tone } }
  for _, fact in ipairs(facts) do
    pieces[#pieces + 1] = { "  " }
    pieces[#pieces + 1] = { text.clean(fact), tone }
  end
  local used = 0
  for _, piece in ipairs(pieces) do used = used + text.width(piece[1]) end
  local width, below = options.width or math.huge, {}
  for _, more in ipairs { reason or false, last or false } do
    if more and used + 2 + text.width(more) <= width and #below == 0 then
      pieces[#pieces + 1], used = { "  " }, used + 2 + text.width(more)
      pieces[#pieces + 1] = { more }
    elseif more then
      below[#below + 1] = more
    end
  end
  lines[#lines + 1] = text.line(pieces, math.huge, options.palette)
  for _, more in ipairs(below) do
    local parts = more == last and { more }
      or reason_lines(more, math.max(20, width - 4 - #indent), last)
    for _, part in ipairs(parts) do lines[#lines + 1] = indent .. "    " .. part end
  end
end

local function add_entries(entries, options, lines)
  local widths = { name = 0, outcome = 0 }
  for _, entry in ipairs(entries) do
    if not entry.note then
      local indent = #entry.sign:match("^ *")
      widths.name = math.max(widths.name, math.min(MOST_NAME, text.width(entry.name) + indent))
      widths.outcome = math.max(widths.outcome, text.width(entry.outcome))
    end
  end
  for _, entry in ipairs(entries) do entry_lines(entry, widths, options, lines) end
end

-- ---- the last line ----

local count_order = { "succeeded", "failed", "timed_out", "cancelled", "unauthorized", "rejected",
  "capacity", "throttled", "platform", "deduped", "unknown", "skipped", "running", "waiting",
  "not begun" }

local function is_kept(step)
  if not step.items then return step.kept ~= nil end
  for _, item in ipairs(step.items) do
    if not item.kept then return false end
  end
  return #step.items > 0
end

local function counts_of(state)
  local counts = {}
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    if step.kind ~= "item" then
      local what = step.outcome or words.phase(step)
      counts[what] = (counts[what] or 0) + 1
      if what == "succeeded" and is_kept(step) then counts.kept = (counts.kept or 0) + 1 end
    end
  end
  return counts
end

--- `5 ok, 1 failed, 1 skipped`
---@param state luafabric.WorkflowRun
---@return string
function M.counts(state)
  local counts = counts_of(state)
  local parts = {}
  for _, outcome in ipairs(count_order) do
    local word = outcome == "succeeded" and "ok" or words.outcome(outcome)
    if counts[outcome] then parts[#parts + 1] = ("%d %s"):format(counts[outcome], word) end
    if outcome == "succeeded" and counts.kept then
      parts[#parts] = ("%s (%d kept)"):format(parts[#parts], counts.kept)
    end
  end
  return #parts > 0 and table.concat(parts, ", ") or "no steps"
end

--- `nightly 7f3a12 failed`
---@param state luafabric.WorkflowRun
---@return string headline
---@return string tone
function M.headline(state)
  local name = text.clean(words.run(state))
  if not state.outcome then
    return name .. (state.detached and " detached" or " running"), "careful"
  end
  local tone = select(2, words.sign(state.outcome))
  local by = state.outcome == "cancelled" and state.cancelled and state.cancelled.by
  return ("%s %s%s"):format(name, words.outcome(state.outcome),
    by and " by " .. text.clean(by) or ""), tone
end

local function last_line(state, options)
  local headline, tone = M.headline(state)
  local took = words.span(state.started_at, state.ended_at or options.now)
  local warnings = #state.warnings > 0 and ", " .. words.count(#state.warnings, "warning") or ""
  local pieces = { { headline, tone },
    { (": %s%s%s."):format(M.counts(state), warnings, took and " in " .. took or "") } }
  if options.next then pieces[3], pieces[4] = { "   " }, { "Next: " .. options.next } end
  return text.line(pieces, math.huge, options.palette)
end

--- What the steps gave that nothing follows.
local function exit_values(state, options, lines)
  local followed, shown = {}, 0
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    -- Those of an item are those of its `each`, which may be thousands of times the same.
    for _, name in ipairs(step.kind ~= "item" and step.after or {}) do followed[name] = true end
  end
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    local is_last = step.kind ~= "item" and not step.is_finally and not followed[path]
    if is_last and step.exit_value and step.exit_value ~= "" and shown < MOST_VALUES then
      shown = shown + 1
      lines[#lines + 1] = text.line({ { text.clean(path) .. " gave ", "faint" },
        { text.clean(step.exit_value) } }, options.width or 200, options.palette)
    end
  end
end

---@class luafabric.SummaryOptions
---@field width integer|nil            columns; nil: lines are as long as they are
---@field palette luafabric.Palette|nil
---@field next string|nil              the command to go on with
---@field look_options string|nil      what `luafabric notebook` needs too, " --endpoint X"
---@field is_local boolean|nil         its runs ended with the emulator: there is nothing to look at

--- The lines for the end of a run, or for the moment it was detached.
---@param state luafabric.WorkflowRun
---@param options luafabric.SummaryOptions|nil
---@return string[] lines
function M.lines(state, options)
  local set = { now = state.now }
  for name, value in pairs(options or {}) do set[name] = value end
  local lines = {}
  local entries = failures(state)
  if not state.outcome then
    for _, entry in ipairs(left_running(state)) do entries[#entries + 1] = entry end
  end
  if state.outcome ~= "succeeded" then
    for _, entry in ipairs(skipped(state)) do entries[#entries + 1] = entry end
  else
    exit_values(state, set, lines)
  end
  add_entries(entries, set, lines)
  lines[#lines + 1] = last_line(state, set)
  return lines
end

return M
