--- What the live table says of one step: sign, name, and the pieces beside it with the names of
--- their colours. Pure.

local history = require "luafabric.history"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local M = {}

local MOST_ITEMS = 5 -- failed items shown below their `each`
local MOST_AFTER = 3 -- names behind "after"

---@class luafabric.Row
---@field sign string
---@field tone string|nil     name of the sign's colour
---@field name string         clean
---@field indent string|nil
---@field faint boolean|nil
---@field pieces { [1]: string, [2]: string|nil }[]

--- Whether a step ended in a way that somebody should look at.
---@param step luafabric.StepState
---@return boolean
function M.is_bad(step)
  return step.phase == "ended" and history.is_failure(step.outcome)
end

local function add(pieces, piece, tone)
  if piece and piece ~= "" then pieces[#pieces + 1] = { piece, tone } end
end

local function quoted(reason)
  return reason and '"' .. text.clean(reason) .. '"'
end

local function attempt_piece(step)
  local number, of = words.attempts(step)
  if number > 1 then return "attempt " .. of end
  return nil
end

local function pending(step)
  local pieces, after = {}, step.after or {}
  if step.is_finally then
    add(pieces, "at the end")
  elseif #after > 0 then
    local names = {}
    for index = 1, math.min(#after, MOST_AFTER) do names[index] = after[index] end
    if #after > MOST_AFTER then names[#names + 1] = "+" .. #after - MOST_AFTER end
    add(pieces, "after " .. table.concat(names, ", "))
  end
  return { sign = "·", tone = "faint", faint = true, pieces = pieces }
end

-- The cause most items wait for, and how many do.
local function waiting_items(step)
  if (step.running or 0) == 0 then return nil end
  local counts, cause = {}, nil
  for _, item in ipairs(step.items) do
    local last = item.phase == "running" and item.attempts[#item.attempts]
    local waits = item.waiting and item.waiting.cause
      or last and last.waiting and last.waiting.cause
    if waits then
      counts[waits] = (counts[waits] or 0) + 1
      if not cause or counts[waits] > counts[cause] then cause = waits end
    end
  end
  return cause and ("%d waiting: %s"):format(counts[cause], words.cause(cause))
end

local function each_row(step, now)
  local pieces = words.item_pieces(step)
  add(pieces, waiting_items(step), "careful")
  add(pieces, words.ticking(words.begun_at(step), now))
  return { sign = "●", pieces = pieces }
end

local function retry_row(step, now)
  local _, of = words.attempts(step)
  local number = tonumber(of:match("^%d+"))
  -- The attempt that comes is the one after those that counted.
  local coming = step.retry.spent == false and number or number + 1
  local total = of:match("/%d+$") or ""
  local last = step.attempts[#step.attempts]
  local cause = words.outcome(step.retry.cause)
  local reason = quoted(last and words.attempt_reason(last))
  local pieces = {}
  local wait = words.ticking(now, step.retry.at) or "0s"
  if step.retry.spent == false then
    add(pieces, ("waiting: %s, again in %s"):format(words.cause(step.retry.cause), wait),
      "careful")
  else
    add(pieces, ("retry %d%s in %s: %s%s"):format(coming, total, wait, cause,
      reason and " " .. reason or ""), "careful")
  end
  return { sign = "↻", tone = "careful", pieces = pieces }
end

local function waiting_row(step, attempt, now)
  local pieces = {}
  local since = words.ticking(attempt.waiting.since, now)
  add(pieces, ("waiting: %s, %s"):format(words.cause(attempt.waiting.cause), since), "careful")
  if attempt.waiting.till and attempt.waiting.till > now then
    add(pieces, "next try in " .. words.ticking(now, attempt.waiting.till), "faint")
  end
  add(pieces, attempt_piece(step))
  return { sign = "○", tone = "careful", pieces = pieces }
end

local function running_row(step, now)
  local attempt = step.attempts[#step.attempts]
  if step.waiting then return waiting_row(step, step, now) end
  if step.retry then return retry_row(step, now) end
  if attempt and attempt.waiting then return waiting_row(step, attempt, now) end
  local pieces = {}
  if step.branch then add(pieces, "branch " .. tostring(step.branch)) end
  add(pieces, attempt and (attempt.status or attempt.job_id and "submitted" or "submitting"))
  add(pieces, attempt_piece(step))
  add(pieces, words.ticking(words.begun_at(step), now))
  return { sign = "●", pieces = pieces }
end

local function skipped_row(step)
  local pieces = { { "skipped", "faint" } }
  add(pieces, words.reason(step), "faint")
  return { sign = "-", tone = "faint", faint = true, pieces = pieces }
end

local function ended_row(step)
  if step.outcome == "skipped" then return skipped_row(step) end
  local sign, tone = words.sign(step.outcome)
  local pieces = {}
  if step.outcome ~= "succeeded" then add(pieces, words.outcome(step.outcome), tone) end
  if step.may_fail and M.is_bad(step) then add(pieces, "may fail", "faint") end
  if step.items then
    for _, piece in ipairs(words.item_pieces(step)) do add(pieces, piece[1], piece[2]) end
  end
  if step.branch then add(pieces, "branch " .. tostring(step.branch)) end
  add(pieces, attempt_piece(step))
  add(pieces, words.took(step))
  add(pieces, words.kept(step), "faint")
  if M.is_bad(step) then add(pieces, quoted(words.reason(step))) end
  return { sign = sign, tone = tone, pieces = pieces }
end

local function make(step, now)
  if step.phase == "ended" then return ended_row(step) end
  if step.phase == "pending" then return pending(step) end
  if step.items then return each_row(step, now) end
  if step.phase == "running" then return running_row(step, now) end
  if step.waiting then return waiting_row(step, step, now) end
  local waits = words.ticking(step.ready_at, now)
  return { sign = "○", faint = true, pieces = { { "waits for a free slot" }, { waits or "" } } }
end

--- The row of a step.
---@param step luafabric.StepState
---@param now number  unix seconds
---@return luafabric.Row
function M.of(step, now)
  local row = make(step, now)
  row.name = text.clean(step.path)
  return row
end

--- The rows of an `each`'s first failed items, and one that counts the others.
---@param step luafabric.StepState
---@return luafabric.Row[]
function M.failed_items(step)
  local list = {}
  if not step.items or (step.failed or 0) == 0 then return list end
  for _, item in ipairs(step.items) do
    if #list == MOST_ITEMS then break end
    if M.is_bad(item) then
      local row = ended_row(item)
      row.name, row.indent = text.clean(item.path), "  "
      list[#list + 1] = row
    end
  end
  if step.failed > #list then
    list[#list + 1] = { sign = "…", tone = "faint", indent = "  ", faint = true, pieces = {},
      name = ("%d more failed"):format(step.failed - #list) }
  end
  return list
end

return M
