--- A workflow's run as lines, one for each change, for logs and whatever is no terminal. Of an
--- `each` of many items only what is out of the ordinary gets a line, and a count now and then.
--- Pure.

local duration = require "luafabric.duration"
local summary = require "luafabric.view.summary"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local M = {}

local MANY = 20 -- items; from here on those that go well get no line of their own
local PARTS = 10 -- count lines of an `each` of many items

local function parent_of(state, path)
  local step = path and state.steps[path]
  return step and step.parent and state.steps[step.parent]
end

local function is_one_of_many(state, path)
  local parent = parent_of(state, path)
  return parent ~= nil and #parent.items > MANY
end

local function quoted(reason)
  return reason and ': "' .. text.clean(reason) .. '"' or ""
end

local function counts_line(step)
  local parts = {}
  for _, piece in ipairs(words.item_pieces(step)) do parts[#parts + 1] = piece[1] end
  return table.concat(parts, "  ")
end

local quiet = {}

-- Said for each item however many there are.
local makers = {}

function makers.run_started(event)
  local parts = { ("%s started: %s"):format(words.run(event), words.count(#event.steps, "step")) }
  if event.parent then parts[#parts + 1] = "repairs run " .. event.parent end
  for _, input in ipairs(event.inputs or {}) do
    parts[#parts + 1] = ("%s=%s"):format(input.name, words.value(input.value))
  end
  return nil, table.concat(parts, "  ")
end

function makers.plan_changed(event)
  return nil, ("the workflow's file has changed: %s, judged anew"):format(
    words.count(#event.steps, "step"))
end

function quiet.step_continued(event)
  return event.path, "goes on"
end

function quiet.items_expanded(event)
  return event.path, words.count(#event.items, "item")
end

function quiet.branch_taken(event)
  return event.path, "branch " .. tostring(event.branch)
end

local ordinals = { "1st", "2nd", "3rd" }

function quiet.step_waiting(event)
  local position, seconds = event.position, event.seconds
  return event.path, ("waiting: %s%s%s"):format(words.cause(event.cause),
    position and (", %s in queue"):format(ordinals[position] or position .. "th") or "",
    seconds and ", for " .. duration.format(seconds) or "")
end

function quiet.attempt_waiting(event)
  return event.path, ("waiting: %s, next try in %s"):format(words.cause(event.cause),
    duration.format(event.seconds or 0))
end

function quiet.attempt_submitted(event, state)
  local _, of = words.attempts(state.steps[event.path])
  local again = of:find("^1") and "" or ("  attempt %s"):format(of)
  return event.path, ("submitted%s  job %s"):format(again, tostring(event.job_id))
end

function makers.attempt_doubtful(event)
  return event.path, "in doubt: " .. tostring(event.message)
end

function makers.attempt_adopted(event)
  return event.path, ("found  job %s"):format(tostring(event.job_id))
end

function makers.attempt_attached(event)
  return event.path, ("watches job %s of run %s to its end%s"):format(tostring(event.job_id),
    tostring(event.from_run), event.is_other and ", and runs then" or "")
end

function quiet.status_changed(event)
  return event.path, tostring(event.status)
end

function makers.retry_scheduled(event, state)
  local number, of = words.attempts(state.steps[event.path])
  local wait = duration.format(event.seconds or 0)
  if event.spent == false then
    return event.path, ("waiting: %s, again in %s"):format(words.cause(event.cause), wait)
  end
  local last = state.steps[event.path].attempts
  local reason = #last > 0 and words.attempt_reason(last[#last])
  return event.path, ("retry %d%s in %s: %s%s"):format(number + 1, of:match("/%d+$") or "", wait,
    words.outcome(event.cause), quoted(reason):gsub("^:", ""))
end

local function took_of(step)
  local took = words.took(step)
  return took and " in " .. took or ""
end

function makers.step_ended(event, state)
  local step = state.steps[event.path]
  if event.outcome == "skipped" then
    local reason = words.reason(step)
    return event.path, "skipped" .. (reason and ": " .. text.clean(reason) or "")
  end
  local kept = words.kept(step)
  if kept then return event.path, ("%s, %s"):format(words.outcome(event.outcome), kept) end
  local number = words.attempts(step)
  local items = step.items and "  " .. counts_line(step) or ""
  local tries = number > 1 and (" after %d attempts"):format(number) or ""
  local job = event.outcome ~= "succeeded" and step.job_id and "  job " .. step.job_id or ""
  return event.path, words.outcome(event.outcome) .. took_of(step) .. tries .. items .. job
    .. quoted(words.reason(step))
end

function makers.cancel_requested(event)
  local what = event.now and "cancel at once" or "cancel"
  return event.path, ("%s, asked for by %s"):format(what,
    ({ user = "the user", timeout = "the timeout", deadline = "the deadline",
      program = "the program" })[event.by] or tostring(event.by))
end

function makers.warning(event)
  return event.path, "warning: " .. tostring(event.message)
end

function makers.detached(_, state)
  return nil, summary.headline(state)
end

function makers.run_ended(_, state)
  local took = words.span(state.started_at, state.ended_at)
  return nil, ("%s: %s%s"):format((summary.headline(state)), summary.counts(state),
    took and " in " .. took or "")
end

local function line_of(at, path, what)
  local parts = { words.clock(at), path and text.clean(path), text.clean(what) }
  if not path then parts = { words.clock(at), text.clean(what) } end
  return table.concat(parts, "  ")
end

-- The count of an `each` of many items, when its next tenth is done.
local function count_line(event, state)
  local parent = parent_of(state, event.path)
  local ended = #parent.items - parent.open
  local size = #parent.items / PARTS
  if ended == #parent.items or math.floor(ended / size) == math.floor((ended - 1) / size) then
    return nil
  end
  return line_of(event.at, parent.path, counts_line(parent))
end

-- Items of many that went well, or were not begun, are counted only.
local function is_ordinary(event)
  return event.type == "step_ended"
    and (event.outcome == "succeeded" or event.outcome == "skipped")
end

--- The line for an event; two lines, with a line end between them, where an item's end also makes a
--- count due. Nil where there is nothing to say.
---@param event table
---@param state luafabric.WorkflowRun  after the event
---@return string|nil line  "13:28:05  ingest  submitted  job 4c1e…"
function M.of(event, state)
  local many = is_one_of_many(state, event.path)
  local make = makers[event.type] or not many and quiet[event.type]
  local line
  if make and not (many and is_ordinary(event)) then
    local path, what = make(event, state)
    line = line_of(event.at, path, what)
  end
  if not many or event.type ~= "step_ended" then return line end
  local count = count_line(event, state)
  return line and count and line .. "\n" .. count or line or count
end

return M
