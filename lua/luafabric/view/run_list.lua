--- Runs as a table, a line for each. Pure.

local history = require "luafabric.history"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local M = {}

local MOST_NAME = 32 -- columns of a workflow's name

--- How many steps ended well, badly and not at all, from the counts at a run's end.
---@param counts table<string, integer>  by outcome
---@return { ok: integer, failed: integer, skipped: integer, open: integer }
function M.tally(counts)
  local tally = { ok = counts.succeeded or 0, failed = 0, skipped = counts.skipped or 0, open = 0 }
  for outcome, count in pairs(counts) do
    if history.is_failure(outcome) then tally.failed = tally.failed + count end
  end
  return tally
end

--- The same of a run that goes on.
---@param state luafabric.WorkflowRun
---@return { ok: integer, failed: integer, skipped: integer, open: integer }
function M.tally_of_state(state)
  local counts, open = {}, 0
  for _, step in ipairs(state.top) do
    if step.outcome then
      counts[step.outcome] = (counts[step.outcome] or 0) + 1
    else
      open = open + 1
    end
  end
  local tally = M.tally(counts)
  tally.open = open
  return tally
end

local function steps_text(tally)
  if not tally then return "?" end
  local parts = { ("%d ok"):format(tally.ok) }
  if tally.failed > 0 then parts[#parts + 1] = ("%d failed"):format(tally.failed) end
  if tally.skipped > 0 then parts[#parts + 1] = ("%d skipped"):format(tally.skipped) end
  if tally.open > 0 then parts[#parts + 1] = ("%d open"):format(tally.open) end
  return table.concat(parts, ", ")
end

local function state_piece(entry)
  if entry.outcome then
    local sign, tone = words.sign(entry.outcome)
    return sign .. " " .. words.outcome(entry.outcome), tone
  end
  if entry.orphaned then return "? orphaned", "bad" end
  if entry.state == "detached" then return "○ detached", "careful" end
  return "● " .. tostring(entry.state)
end

---@class luafabric.RunListEntry
---@field id string              as short as it may be
---@field workflow string
---@field parent string|nil      id of the run that it repairs
---@field state "running"|"detached"|"ended"
---@field orphaned boolean|nil
---@field outcome string|nil
---@field started_at number      unix seconds
---@field till number|nil        when it ended, or was heard of last
---@field tally table|nil        see `tally`; nil: its events cannot be read
---@field owner string|nil

local columns = { "id", "workflow", "state", "started", "took", "steps", "owner" }

local heads = { id = "RUN", workflow = "WORKFLOW", state = "STATE", started = "STARTED",
  took = "TOOK", steps = "STEPS", owner = "RUN BY" }

local function cells_of(entry)
  local state, tone = state_piece(entry)
  local workflow = text.cut(text.clean(entry.workflow), MOST_NAME)
  if entry.parent then workflow = ("%s, repairs %s"):format(workflow, text.clean(entry.parent)) end
  return { id = text.clean(entry.id), workflow = workflow,
    state = state, tone = tone, started = words.time(entry.started_at) or "",
    took = words.ticking(entry.started_at, entry.till) or "", steps = steps_text(entry.tally),
    owner = text.clean(entry.owner or "") }
end

local function line_of(cells, widths, options, head)
  local pieces = {}
  for index, column in ipairs(columns) do
    local tone = head and "faint" or column == "state" and cells.tone or nil
    if index > 1 then pieces[#pieces + 1] = { "  " } end
    pieces[#pieces + 1] = { text.pad(cells[column], widths[column]), tone }
  end
  return text.line(pieces, options.width or math.huge, options.palette)
end

--- The lines of the table, its head first.
---@param entries luafabric.RunListEntry[]
---@param options { width: integer|nil, palette: luafabric.Palette|nil }
---@return string[] lines
function M.lines(entries, options)
  local rows, widths = {}, {}
  for _, column in ipairs(columns) do widths[column] = #heads[column] end
  for index, entry in ipairs(entries) do
    rows[index] = cells_of(entry)
    for _, column in ipairs(columns) do
      widths[column] = math.max(widths[column], text.width(rows[index][column]))
    end
  end
  local lines = { line_of(heads, widths, options, true) }
  for _, row in ipairs(rows) do lines[#lines + 1] = line_of(row, widths, options) end
  return lines
end

return M
