--- What somebody can do to a run on the page, as HTML: cancel it, and repair it. Each is opened
--- first, and pressed then, so that nothing happens by a slip of the hand. Pure.

local escape = require "luafabric.view.escape"
local rows = require "luafabric.view.rows"
local selection = require "luafabric.view.selection"

local M = {}

local html = escape.html

local MOST_CHOICES = 50 -- steps and items; of more the whole run is repaired, or by the command

local function button(action, text)
  return ('<button type="button" data-action="%s">%s</button>'):format(action, text)
end

local function folded(id, title, inside)
  return ('<details class="action" id="%s"><summary>%s</summary>%s</details>'):format(id, title,
    inside)
end

-- ---- cancel ----

--- How it was asked to end, also before that is an event.
local function cancelled_of(state, asked)
  local cancelled = state.cancelled or asked and { now = asked == "cancel_now" }
  if not cancelled then return nil end
  return { now = cancelled.now or asked == "cancel_now" }
end

local function cancel(state, word, asked)
  if word == "ended" then return "" end
  if word == "queued" then
    return folded("to-cancel", "Cancel…", "<p>It has not begun: nothing is sent to Fabric.</p><p>"
      .. button("cancel", "Cancel this run") .. "</p>")
  end
  local cancelled = cancelled_of(state, asked)
  if cancelled and cancelled.now then return '<p class="note">It is being cancelled.</p>' end
  local now = button("cancel-now", "Cancel at once, without the steps at the end")
  if cancelled then
    -- An element of its own: its button is not under the finger that has just pressed another.
    return folded("to-cancel-now", "Cancel at once…", "<p>It is being cancelled; the steps at the "
      .. "end still run.</p><p>" .. now .. "</p>")
  end
  return folded("to-cancel", "Cancel…", "<p>What runs in Fabric is cancelled; the steps at the end "
    .. "still run.</p><p>" .. button("cancel", "Cancel this run") .. " " .. now .. "</p>")
end

-- ---- repair ----

--- What of a run can be named for a repair: failed items, and failed steps that have none.
local function choices_of(state)
  local list = {}
  local function add(step)
    if rows.is_bad(step) and not step.is_finally then list[#list + 1] = step.path end
  end
  for _, step in ipairs(selection.steps(state)) do
    local has_failed_items = (step.failed or 0) > 0
    if not has_failed_items then add(step) end
    for _, item in ipairs(has_failed_items and step.items or {}) do
      if not step.is_finally then add(item) end
    end
  end
  return list
end

local function choices(state)
  local list = choices_of(state)
  -- Of one there is nothing to choose.
  if #list < 2 or #list > MOST_CHOICES then return "" end
  local parts = {}
  for index, path in ipairs(list) do
    parts[index] = ('<label><input type="checkbox" name="only" value="%s"> %s</label>'):format(
      html(path), html(path))
  end
  return "<fieldset><legend>Only some of what failed; none chosen: all of it</legend>"
    .. table.concat(parts) .. "</fieldset>"
end

local function repair(state, word, can_repair)
  if word ~= "ended" or state.outcome == "succeeded" or not state.started_at then return "" end
  if not can_repair then
    return '<p class="note">It cannot be repaired here: the service has no workflow of this name '
      .. "any more.</p>"
  end
  return folded("to-repair", "Repair…", "<p>A new run keeps what succeeded, and runs the rest "
    .. "again.</p>" .. choices(state) .. "<p>" .. button("repair", "Start the repair") .. "</p>")
end

--- The actions that a run allows; empty for one that succeeded.
---@param state luafabric.WorkflowRun
---@param word "queued"|"running"|"detached"|"ended"
---@param given { can_repair: boolean, cancel: "cancel"|"cancel_now"|nil }  cancel: what was asked
---  for already
---@return string html
function M.html(state, word, given)
  local inside = cancel(state, word, given.cancel) .. repair(state, word, given.can_repair)
  if inside == "" then return "" end
  return '<section class="actions" id="actions" aria-label="What you can do">' .. inside
    .. "</section>"
end

return M
