--- All there is to see of a run on a terminal, whenever it is looked at: what it is, its inputs, a
--- line for each step with its attempts below where they say more, and what to do next. Pure.

local advice = require "luafabric.view.advice"
local rows = require "luafabric.view.rows"
local summary = require "luafabric.view.summary"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local M = {}

local MOST_NAME = 40 -- columns
local MOST_ITEMS = 20 -- of one `each`
local MOST_REASON = 6 -- lines of one reason
local LEAST_WIDTH = 40 -- columns that a reason is wrapped at

---@class luafabric.RunDetailsOptions
---@field width integer|nil            columns that long texts are wrapped at
---@field palette luafabric.Palette|nil
---@field now number|nil               unix seconds; default: the time of the last event
---@field is_left boolean|nil          it has not ended, and nobody runs it
---@field orphaned boolean|nil         … since the one who did is gone
---@field facts { [1]: string, [2]: string }[]|nil  more lines of the head: a word, and a text
---@field next string|nil              the command to go on with
---@field show string|nil              the command that shows a step, without its name
---@field look_options string|nil      what `luafabric notebook` needs too

local function add(lines, pieces, options)
  lines[#lines + 1] = text.line(pieces, math.huge, options.palette)
end

--- A fact as a line: a word, and a text beside it.
---@param lines string[]
---@param indent string
---@param name string
---@param value string|nil  nil adds nothing
---@param options { palette: luafabric.Palette|nil }
function M.add_fact(lines, indent, name, value, options)
  if not value or value == "" then return end
  add(lines, { { indent }, { text.pad(name, 10), "faint" }, { " " }, { text.clean(value) } },
    options)
end

--- A reason, wrapped.
---@param lines string[]
---@param indent string
---@param reason string|nil  nil adds nothing
---@param options { width: integer|nil }
function M.add_reason(lines, indent, reason, options)
  if not reason then return end
  local width = math.max(LEAST_WIDTH, (options.width or 100) - #indent - 2)
  local parts = text.wrap('"' .. text.clean(reason) .. '"', width)
  for index = 1, math.min(#parts, MOST_REASON) do
    local cut = index == MOST_REASON and #parts > MOST_REASON and " …" or ""
    lines[#lines + 1] = indent .. parts[index] .. cut
  end
end

-- ---- the head ----

local function time_text(state, options)
  local begun = words.time(state.started_at)
  if not begun then return nil end
  if state.ended_at then
    return ("%s, took %s"):format(begun, words.span(state.started_at, state.ended_at))
  end
  if options.is_left then
    return ("%s, last heard of %s"):format(begun, words.time(state.now) or "never")
  end
  return ("%s, %s ago"):format(begun, words.ticking(state.started_at, options.now) or "0s")
end

local function cancelled_text(state)
  local cancelled = state.cancelled
  return cancelled and ("by %s at %s%s"):format(tostring(cancelled.by), words.time(cancelled.at),
    cancelled.now and ", without its finally steps" or "")
end

local function head(state, lines, options)
  local headline, tone = summary.headline(state)
  if options.orphaned then headline = text.clean(words.run(state)) .. " orphaned" end
  add(lines, { { headline, options.orphaned and "bad" or tone } }, options)
  M.add_fact(lines, "  ", "file", state.file, options)
  M.add_fact(lines, "  ", "started", time_text(state, options), options)
  for _, fact in ipairs(options.facts or {}) do
    M.add_fact(lines, "  ", fact[1], fact[2], options)
  end
  M.add_fact(lines, "  ", "timeout", state.timeout and words.span(0, state.timeout), options)
  M.add_fact(lines, "  ", "deadline", words.time(state.deadline), options)
  M.add_fact(lines, "  ", "cancelled", cancelled_text(state), options)
  for index, input in ipairs(state.inputs or {}) do
    M.add_fact(lines, "  ", index == 1 and "inputs" or "", ("%s = %s"):format(input.name,
      words.value(input.value)), options)
  end
end

-- ---- steps ----

local function attempt_pieces(attempt, options)
  local outcome = attempt.outcome
  local tone = outcome and select(2, words.sign(outcome)) or nil
  local pieces = { { ("attempt %d"):format(attempt.number), "faint" }, { "  " },
    { outcome and words.outcome(outcome) or attempt.status or attempt.state, tone } }
  local took = words.span(attempt.submitted_at or attempt.intended_at,
    attempt.ended_at or options.now)
  if took then pieces[#pieces + 1] = { "  " .. took } end
  if attempt.job_id then pieces[#pieces + 1] = { "  job " .. text.clean(attempt.job_id) } end
  return pieces
end

local function add_attempts(lines, indent, step, options)
  for _, attempt in ipairs(step.attempts) do
    local pieces = attempt_pieces(attempt, options)
    table.insert(pieces, 1, { indent })
    add(lines, pieces, options)
    -- The last one's is the step's own, most often.
    local reason = words.attempt_reason(attempt)
    if attempt.outcome and attempt.outcome ~= "succeeded" and reason ~= words.reason(step) then
      M.add_reason(lines, indent .. "  ", reason, options)
    end
  end
end

-- The row of the live table, but for a reason, which may be long and is below.
local function row_pieces(step, options)
  local row = rows.of(step, options.now or 0)
  if rows.is_bad(step) and words.reason(step) then row.pieces[#row.pieces] = nil end
  return row
end

--- The line of a step.
---@param step luafabric.StepState
---@param lines string[]
---@param options luafabric.RunDetailsOptions
---@param width integer|nil   columns of the name
---@param indent string|nil
function M.add_row(lines, step, options, width, indent)
  local row = row_pieces(step, options)
  local tone = row.faint and "faint" or nil
  indent = indent or ""
  local pieces = { { indent }, { row.sign, row.tone }, { " " },
    { text.pad(row.name, (width or 0) - #indent), tone } }
  for _, piece in ipairs(row.pieces) do
    pieces[#pieces + 1] = { "  " }
    pieces[#pieces + 1] = { text.clean(piece[1]), piece[2] or tone }
  end
  -- Several attempts have a line, and a job, each.
  if step.job_id and #step.attempts < 2 then
    pieces[#pieces + 1] = { "  job " .. text.clean(step.job_id) }
  end
  add(lines, pieces, options)
end

local function add_step(lines, step, options, width, indent)
  M.add_row(lines, step, options, width, indent)
  local below = indent .. "    "
  if rows.is_bad(step) then M.add_reason(lines, below, words.reason(step), options) end
  if #step.attempts > 1 then add_attempts(lines, below, step, options) end
  local last = step.attempts[#step.attempts]
  local link = last and step.outcome ~= "succeeded" and words.links(last.links)[1]
  if link then lines[#lines + 1] = below .. text.clean(link.url) end
end

local function is_worth_a_line(item)
  return rows.is_bad(item) or item.phase == "running"
end

--- The items of an `each`; of many those that went wrong or run.
---@param lines string[]
---@param step luafabric.StepState
---@param options luafabric.RunDetailsOptions
---@param width integer
function M.add_items(lines, step, options, width)
  local items, shown = step.items or {}, 0
  for _, item in ipairs(items) do
    if shown < MOST_ITEMS and (#items <= MOST_ITEMS or is_worth_a_line(item)) then
      add_step(lines, item, options, width, "  ")
      shown = shown + 1
    end
  end
  if shown == #items then return end
  local how = options.show and (": %s '%s[…]' shows one"):format(options.show, step.path) or ""
  add(lines, { { ("  … %s%s"):format(words.count(#items - shown, "more item"), how), "faint" } },
    options)
end

--- The columns that the names of some steps, and of their items, take.
---@param steps luafabric.StepState[]
---@return integer
function M.name_width(steps)
  local most = 0
  for _, step in ipairs(steps) do
    most = math.max(most, text.width(text.clean(step.path)))
    for _, item in ipairs(step.items or {}) do
      most = math.max(most, text.width(text.clean(item.path)) + 2)
      if most >= MOST_NAME then return MOST_NAME end
    end
  end
  return math.min(MOST_NAME, most)
end

-- ---- the end ----

local function add_warnings(lines, state, options)
  for _, warning in ipairs(state.warnings) do
    add(lines, { { "warning", "careful" }, { ("  %s%s"):format(warning.path
      and text.clean(warning.path) .. ": " or "", text.clean(warning.message)) } }, options)
  end
end

-- While somebody runs it, what runs is in good hands.
local function add_advice(lines, state, options)
  if not state.outcome and not options.is_left then return end
  for _, entry in ipairs(advice.of(state, { next = options.next,
    look_options = options.look_options })) do
    local line = text.clean(entry.text)
    lines[#lines + 1] = entry.command and ("%s  %s"):format(line, text.clean(entry.command)) or line
  end
end

--- The lines for a run, at any time.
---@param state luafabric.WorkflowRun
---@param options luafabric.RunDetailsOptions
---@return string[] lines
function M.lines(state, options)
  local set = { now = state.now }
  for name, value in pairs(options) do set[name] = value end
  local lines = {}
  head(state, lines, set)
  lines[#lines + 1] = ""
  local width = M.name_width(state.top)
  for _, step in ipairs(state.top) do
    add_step(lines, step, set, width, "")
    M.add_items(lines, step, set, width)
  end
  if #state.top > 0 then lines[#lines + 1] = "" end
  add_warnings(lines, state, set)
  lines[#lines + 1] = summary.counts(state) .. "."
  add_advice(lines, state, set)
  return lines
end

return M
