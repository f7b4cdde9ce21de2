--- A workflow's run as a table for a terminal: which run it is and how to leave it, then a row for
--- each step. Pure: `frame` makes the lines of one moment, luafabric.view.live draws them.

local rows = require "luafabric.view.rows"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local M = {}

local MOST_NAME = 32 -- columns of a name, where there is room for more beside it
local MOST_LINES = 1000 -- no terminal has more

--- Which step is worth a line when there are fewer lines than steps; small numbers come first.
local ranks = { running = 1, failed = 2, item = 3, next = 4, done = 5, waiting = 6 }

local function rank_of(state, step)
  if step.phase == "ready" or step.phase == "running" then return "running" end
  if step.phase == "ended" then
    return rows.is_bad(step) and "failed" or "done"
  end
  for _, name in ipairs(step.after or {}) do
    local before = state.steps[name]
    if before and before.phase == "pending" then return "waiting" end
  end
  return step.is_finally and "waiting" or "next"
end

local fold_words = { { "done", "done" }, { "failed", "failed" }, { "item", "failed items" },
  { "running", "running" } }

local function fold_line(totals, shown)
  for _, entry in ipairs(shown) do totals[entry.rank] = totals[entry.rank] - 1 end
  local parts = {}
  for _, pair in ipairs(fold_words) do
    local count = totals[pair[1]] or 0
    if count > 0 then parts[#parts + 1] = ("%d %s"):format(count, pair[2]) end
  end
  local waiting = (totals.next or 0) + (totals.waiting or 0)
  if waiting > 0 then parts[#parts + 1] = ("%d waiting"):format(waiting) end
  return "… " .. table.concat(parts, ", ")
end

local function comes_before(rank, ended_at, other)
  if rank ~= other.rank then return ranks[rank] < ranks[other.rank] end
  -- Of what went well, the last.
  return rank == "done" and ended_at > other.ended_at
end

--- Calls `offer(rank, step | nil, row | nil)` for whatever could have a line: steps, and failed
--- items below their `each`.
local function offer_all(state, offer)
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    if step.kind ~= "item" then
      offer(rank_of(state, step), step)
      if step.items and (step.failed or 0) > 0 then
        for _, row in ipairs(rows.failed_items(step)) do offer("item", nil, row) end
      end
    end
  end
end

--- What is shown, in the order of the steps, and the line for what is not. Of a hundred thousand
--- steps only those that may be shown cost more than a look: this is done at each draw.
local function choose(state, lines)
  lines = math.min(lines, MOST_LINES)
  local best, totals, count = {}, {}, 0
  offer_all(state, function(rank, step, row)
    count = count + 1
    totals[rank] = (totals[rank] or 0) + 1
    local place, ended_at = #best + 1, step and step.ended_at
    while place > 1 and comes_before(rank, ended_at, best[place - 1]) do place = place - 1 end
    if place > lines then return end
    table.insert(best, place, { index = count, rank = rank, step = step, row = row,
      ended_at = ended_at })
    best[lines + 1] = nil
  end)
  local fold
  if count > #best then
    best[#best] = nil
    fold = lines > 0 and fold_line(totals, best) or nil
  end
  table.sort(best, function(a, b) return a.index < b.index end)
  return best, fold
end

local function name_width(list, width)
  local most = 0
  for _, entry in ipairs(list) do
    most = math.max(most, text.width(entry.row.name) + #(entry.row.indent or ""))
  end
  return math.min(most, MOST_NAME, math.max(8, math.floor(width * 0.4)))
end

local function row_line(row, columns, options)
  local pieces = { { (row.indent or "") .. row.sign, row.tone }, { " " } }
  local room = columns - text.width(row.indent or "")
  local name = text.pad(text.cut(row.name, room), room)
  local name_tone = row.faint and "faint" or nil
  pieces[#pieces + 1] = { name, name_tone }
  for _, piece in ipairs(row.pieces) do
    pieces[#pieces + 1] = { "  " }
    pieces[#pieces + 1] = { text.clean(piece[1]), piece[2] or name_tone }
  end
  return text.line(pieces, options.width, options.palette)
end

--- The first lines: the run, how long it takes, and the hint, below where it does not fit beside.
local function head(state, options, now)
  local title = text.clean(words.run(state))
  local elapsed = words.ticking(state.started_at, state.ended_at or now)
  local beside = elapsed and "  " .. elapsed or ""
  local ending = state.outcome and "  " .. words.outcome(state.outcome)
    or state.cancelled and "  cancelling" or state.detached and "  detached" or ""
  local tone = state.outcome and select(2, words.sign(state.outcome)) or "careful"
  local pieces = { { title }, { beside }, { ending, tone } }
  local hint = options.hint and text.clean(options.hint)
  if not hint then return { text.line(pieces, options.width, options.palette) } end
  local used = text.width(title .. beside .. ending)
  if used + 2 + text.width(hint) <= options.width then
    pieces[4], pieces[5] = { "  " }, { hint, "faint" }
    return { text.line(pieces, options.width, options.palette) }
  end
  local lines = { text.line(pieces, options.width, options.palette) }
  -- On a small screen the steps matter more than the rest of the hint.
  local most = math.max(0, math.min(3, math.floor(options.height / 4)))
  local wrapped = text.wrap(hint, options.width)
  for index = 1, math.min(most, #wrapped) do
    local part = wrapped[index]
    if index == most and #wrapped > most then part = text.cut(part .. " …", options.width) end
    lines[#lines + 1] = text.line({ { part, "faint" } }, options.width, options.palette)
  end
  return lines
end

---@class luafabric.FrameOptions
---@field width integer                columns
---@field height integer|nil           lines; as many as it takes where it is nil
---@field now number|nil               unix seconds; default: the time of the last event
---@field palette luafabric.Palette|nil
---@field hint string|nil              how to detach or cancel

--- The lines of one moment: never wider than `width`, never more than `height`.
---@param state luafabric.WorkflowRun
---@param options luafabric.FrameOptions
---@return string[] lines
function M.frame(state, options)
  local now = options.now or state.now or 0
  local height = options.height or math.huge
  local set = { width = options.width, palette = options.palette, hint = options.hint,
    height = height }
  local lines = head(state, set, now)
  local shown, fold = choose(state, height - #lines)
  for _, entry in ipairs(shown) do entry.row = entry.row or rows.of(entry.step, now) end
  local columns = name_width(shown, options.width)
  for _, entry in ipairs(shown) do lines[#lines + 1] = row_line(entry.row, columns, set) end
  if fold then
    lines[#lines + 1] = text.line({ { fold, "faint" } }, options.width, options.palette)
  end
  return lines
end

return M
