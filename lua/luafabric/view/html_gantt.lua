--- When everything ran: a row for each step and item, on it a bar for each attempt with its time in
--- the queue, its start-up and its running, over an axis in UTC. HTML and SVG: where something
--- lies is said by attributes, since a strict Content-Security-Policy forbids inline styles. Pure.

local core = require "luafabric.core"
local duration = require "luafabric.duration"
local escape = require "luafabric.view.escape"
local selection = require "luafabric.view.selection"
local words = require "luafabric.view.words"

local M = {}

local MOST_ROWS, MOST_ITEMS = 300, 30 -- rows: in all, and items of one `each`
local MOST_ATTEMPTS = 20 -- bars on one row: the last ones
local MOST_TICKS = 7
local DAY = 86400
local LEAST = 0.2 -- percent of the width; what took no time at all is seen, too
local HEIGHT = 14 -- of a bar, pixels

local tick_sizes = { 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600,
  43200, DAY, 2 * DAY, 7 * DAY, 30 * DAY }

local function number(value)
  return (("%.2f"):format(value):gsub(",", "."):gsub("%.?0+$", ""))
end

local function percent(scale, at)
  return math.min(100, math.max(0, (at - scale.from) / (scale.to - scale.from) * 100))
end

-- ---- the parts of an attempt ----

--- When the notebook began to run: as we saw it, or else as Fabric says, where that can be.
local function running_at(attempt, ended_at)
  if attempt.running_at then return attempt.running_at end
  local began = attempt.started_at and core.parse_time(attempt.started_at)
  local submitted = attempt.submitted_at
  if not submitted then return nil end
  if began and began >= submitted and began <= ended_at then return began end
  return attempt.state == "ended" and submitted or nil
end

--- { class, from, to, what } for each part of a step's attempts.
local function parts_of(step, now)
  local list, last_end = {}, step.ready_at
  local first = math.max(1, #step.attempts - MOST_ATTEMPTS + 1)
  for index = first, #step.attempts do
    local attempt = step.attempts[index]
    local finish = attempt.ended_at or now
    local queued_from = index == 1 and (step.ready_at or attempt.intended_at)
      or attempt.intended_at
    if index > first and last_end and last_end < attempt.intended_at then
      list[#list + 1] = { "pause", last_end, attempt.intended_at, "paused" }
    end
    local submitted = attempt.submitted_at or finish
    list[#list + 1] = { "queue", queued_from, submitted, "queued" }
    if attempt.submitted_at then
      local running = running_at(attempt, finish)
      list[#list + 1] = { "start", submitted, running or finish, "starting" }
      if running then
        list[#list + 1] = { "work " .. (attempt.outcome or "running"), running, finish,
          attempt.outcome and words.outcome(attempt.outcome) .. " after" or "running for" }
      end
    end
    last_end = finish
  end
  if #step.attempts == 0 and step.phase == "ready" then
    list[1] = { "queue", step.ready_at or now, now, "queued" }
  end
  return list
end

local function rectangle(class, left, right, top, height, inside)
  return ('<rect class="%s" x="%s%%" y="%d" width="%s%%" height="%d">%s</rect>'):format(
    escape.html(class), number(left), top, number(right - left), height, inside)
end

local function stroke(class, left, right, inside)
  return ('<line class="%s" x1="%s%%" x2="%s%%" y1="%d" y2="%d">%s</line>'):format(class,
    number(left), number(right), HEIGHT / 2, HEIGHT / 2, inside)
end

--- The shape of one part, from and to in percent of the width.
local function shape(class, left, right, title)
  local inside = title and "<title>" .. escape.html(title) .. "</title>" or ""
  if class == "pause" then return stroke(class, left, right, inside) end
  if class:find("^span") then return rectangle(class, left, right, 5, 4, inside) end
  local drawn = rectangle(class, left, right, 0, HEIGHT, inside)
  -- Who cannot tell the colours apart sees the stripes.
  if class ~= "work failed" and class ~= "work unknown" then return drawn end
  return drawn .. stroke("stripes", left, right, inside)
end

local function bar(scale, class, from, to, title)
  local left = math.min(percent(scale, from), 100 - LEAST)
  return shape(class, left, math.max(left + LEAST, percent(scale, to)), title)
end

local function row(scale, step, now, id)
  local bars, said = {}, {}
  if step.items and step.ready_at then
    local finish = step.ended_at or now
    bars[1] = bar(scale, "span " .. (step.outcome or "running"), step.ready_at, finish,
      "all items, " .. words.span(step.ready_at, finish))
    said[1] = "all items in " .. words.span(step.ready_at, finish)
  end
  for _, part in ipairs(parts_of(step, now)) do
    if part[3] > part[2] or part[1]:find("^work") then
      local what = part[4] .. " " .. duration.format(math.max(0, part[3] - part[2]))
      bars[#bars + 1] = bar(scale, part[1], part[2], part[3],
        ("%s, %s to %s UTC"):format(what, words.clock(part[2]), words.clock(part[3])))
      said[#said + 1] = what
    end
  end
  if #bars == 0 then return nil end
  local name = escape.html(step.kind == "item" and step.label or step.path)
  local sign = step.outcome and words.sign(step.outcome) or "●"
  return ('<div class="row%s"><a class="who" href="#%s" title="%s">%s %s</a>'
    .. '<svg class="track" role="img" aria-label="%s">%s</svg></div>'):format(
    step.kind == "item" and " item" or "", id, escape.html(step.path), sign, name,
    escape.html(step.path .. ": " .. table.concat(said, ", ")), table.concat(bars))
end

-- ---- the axis ----

local function tick_label(at, size, span)
  local clock = words.clock(at)
  if size >= 60 then clock = clock:sub(1, 5) end
  if size >= DAY then return core.format_time(at):sub(6, 10) end
  if span > DAY then return core.format_time(at):sub(6, 10) .. " " .. clock end
  return clock
end

local function axis(scale)
  local span = scale.to - scale.from
  local size = tick_sizes[#tick_sizes]
  for _, candidate in ipairs(tick_sizes) do
    if span / candidate <= MOST_TICKS then
      size = candidate
      break
    end
  end
  local ticks, at = {}, math.ceil(scale.from / size) * size
  while at <= scale.to and #ticks <= 2 * MOST_TICKS do
    local left = percent(scale, at)
    local class = left > 92 and ' class="edge"' or left > 75 and ' class="late"' or ""
    ticks[#ticks + 1] = ('<line x1="%s%%" x2="%s%%" y1="18" y2="100%%"/>'
      .. '<text%s x="%s%%" y="12">%s</text>'):format(number(left), number(left),
      class, number(left), tick_label(at, size, span))
    at = at + size
  end
  return '<svg class="axis" aria-hidden="true">' .. table.concat(ticks) .. "</svg>"
end

-- ---- all of it ----

local function scale_of(state, now)
  local from, to = state.started_at or now, state.ended_at or now
  if to - from < 1 then to = from + 1 end
  return { from = from, to = to }
end

local function legend()
  local parts = {}
  for index, pair in ipairs { { "queue", "queued" }, { "start", "starting" },
    { "work succeeded", "ran, succeeded" }, { "work failed", "ran, failed" },
    { "work running", "running" }, { "pause", "pause before a retry" } } do
    parts[index] = ('<span><svg class="key" aria-hidden="true">%s</svg> %s</span>'):format(
      shape(pair[1], 0, 100), pair[2])
  end
  return '<p class="legend">' .. table.concat(parts) .. "</p>"
end

local function item_rows(scale, step, now, ids, list)
  if not step.items then return 0 end
  local chosen = selection.of(step, MOST_ITEMS, math.max(0, MOST_ITEMS - (step.failed or 0)))
  local in_order = {}
  for _, item in ipairs(chosen.items) do in_order[item] = true end
  for _, item in ipairs(step.items) do
    if in_order[item] then list[#list + 1] = row(scale, item, now, ids[step.path]) end
  end
  return chosen.failed_left_out + chosen.others_left_out
end

--- The steps that are drawn, in their own order: failed ones are kept before all others.
local function chosen_steps(state)
  local kept, left_out, count = {}, 0, 0
  for _, step in ipairs(selection.failed_first(state)) do
    count = count + 1 + math.min(MOST_ITEMS, step.items and #step.items or 0)
    if count <= MOST_ROWS then
      kept[step] = true
    elseif step.ready_at then
      left_out = left_out + 1 + (step.items and #step.items or 0)
    end
  end
  local list = {}
  for _, step in ipairs(selection.steps(state)) do
    if kept[step] then list[#list + 1] = step end
  end
  return list, left_out
end

--- The chart.
---@param state luafabric.WorkflowRun
---@param ids table<string, string>  path -> id of the element that tells more
---@param now number
---@return string html
function M.html(state, ids, now)
  local scale, list = scale_of(state, now), {}
  local steps, left_out = chosen_steps(state)
  for _, step in ipairs(steps) do
    local line = row(scale, step, now, ids[step.path])
    if line then
      list[#list + 1] = line
      left_out = left_out + item_rows(scale, step, now, ids, list)
    end
  end
  if #list == 0 then return "<p>Nothing ran.</p>" end
  local note = left_out > 0 and ('<p class="note">%s not drawn.</p>'):format(
    left_out == 1 and "1 step or item is" or left_out .. " steps and items are") or ""
  return legend() .. '<div class="gantt">' .. axis(scale) .. table.concat(list) .. "</div>" .. note
end

return M
