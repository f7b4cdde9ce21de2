--- The steps of a run as a picture: an SVG whose columns are the distance from the start, with a
--- line for each dependency; the steps that run at the end stand apart. Pure.

local escape = require "luafabric.view.escape"
local text = require "luafabric.view.text"
local words = require "luafabric.view.words"

local M = {}

M.MOST = 300 -- steps; a picture of more helps nobody

local WIDTH, HEIGHT = 176, 50 -- of a step
local GAP, ROW_GAP = 40, 20 -- between columns, and between steps of one
local PASS = 12 -- height that a line takes where it passes a column
local MARGIN, STACK = 12, 4
local HEADING = 22 -- above the steps that stand apart
local NAME_COLUMNS, FACT_COLUMNS = 18, 22 -- that fit into a step, mostly; the rest is clipped
local INSIDE = WIDTH - 40 -- beside the sign

-- ---- where everything goes ----

local function depths(steps, inside)
  local found = {}
  local function depth_of(step, trail)
    if found[step.path] then return found[step.path] end
    local deepest = 0
    trail[step.path] = true
    for _, name in ipairs(step.after or {}) do
      local before = inside[name]
      if before and not trail[name] then deepest = math.max(deepest, depth_of(before, trail)) end
    end
    trail[step.path] = nil
    found[step.path] = deepest + 1
    return deepest + 1
  end
  for _, step in ipairs(steps) do depth_of(step, {}) end
  return found
end

local function add_cell(columns, depth, cell)
  columns[depth] = columns[depth] or {}
  cell.depth, cell.index = depth, #columns[depth] + 1
  cell.height = cell.step and HEIGHT or PASS
  cell.sources = {}
  table.insert(columns[depth], cell)
  return cell
end

--- Columns of cells: steps, and the places where a line passes a column on its way to a later one.
local function arrange(steps)
  local inside, cells, columns, passes = {}, {}, {}, {}
  for _, step in ipairs(steps) do inside[step.path] = step end
  local depth_of = depths(steps, inside)
  for _, step in ipairs(steps) do
    cells[step.path] = add_cell(columns, depth_of[step.path], { step = step })
  end
  for _, step in ipairs(steps) do
    local target = cells[step.path]
    for _, name in ipairs(step.after or {}) do
      local from = cells[name]
      if from and from.depth < target.depth then
        local start = from
        for depth = start.depth + 1, target.depth - 1 do
          local key = name .. "\0" .. depth
          if not passes[key] then
            passes[key] = add_cell(columns, depth, {})
            passes[key].sources[1] = from
          end
          from = passes[key]
        end
        table.insert(target.sources, from)
      end
    end
  end
  return columns
end

local function middle_of_sources(cell)
  if #cell.sources == 0 then return nil end
  local sum = 0
  for _, source in ipairs(cell.sources) do sum = sum + source.y + source.height / 2 end
  return sum / #cell.sources
end

-- Each cell as near to the middle of what it follows as those above it allow.
local function place(columns, left, top)
  local bottom = 0
  for depth, column in ipairs(columns) do
    for _, cell in ipairs(column) do cell.wanted = middle_of_sources(cell) or -1 end
    table.sort(column, function(a, b)
      if a.wanted ~= b.wanted then return a.wanted < b.wanted end
      return a.index < b.index
    end)
    local free = top
    for _, cell in ipairs(column) do
      cell.x = left + (depth - 1) * (WIDTH + GAP)
      cell.y = math.max(free, cell.wanted - cell.height / 2)
      free = cell.y + cell.height + ROW_GAP
      bottom = math.max(bottom, cell.y + cell.height)
    end
  end
  return bottom
end

-- ---- what is drawn ----

local function number(value)
  return (("%.1f"):format(value):gsub(",", "."):gsub("%.0$", ""))
end

local function line_between(from, to)
  local x1 = from.x + WIDTH
  local y1, x2, y2 = from.y + from.height / 2, to.x, to.y + to.height / 2
  local bend = GAP / 2
  local path = ("M%s %sC%s %s %s %s %s %s"):format(number(x1), number(y1), number(x1 + bend),
    number(y1), number(x2 - bend), number(y2), number(x2), number(y2))
  if not to.step then return path .. "h" .. WIDTH end
  return path
end

local function facts(step, now)
  if step.phase == "pending" then return "not begun" end
  local parts = { step.outcome and words.outcome(step.outcome)
    or step.phase == "ready" and "waiting" or "running" }
  if step.items then
    local counts = words.items(step)
    parts[1] = ("%d/%d"):format(counts.ended, counts.all)
    if counts.failed > 0 then parts[#parts + 1] = "✗" .. counts.failed end
  end
  if step.branch then
    -- What happened is told by sign and colour, too; there is no room for both words.
    parts[step.outcome == "succeeded" and 1 or 2] = "→ " .. tostring(step.branch)
  end
  if step.kept then
    parts[#parts + 1] = step.kept.why == "once" and "reused" or "kept"
  elseif step.outcome ~= "skipped" then
    parts[#parts + 1] = words.span(words.begun_at(step), step.ended_at or now)
  end
  return table.concat(parts, " · ")
end

local function tooltip(step, now)
  local reason = words.reason(step)
  return step.path .. ": " .. facts(step, now) .. (reason and ": " .. reason or "")
end

local function sign_of(step)
  if step.outcome then return (words.sign(step.outcome)) end
  return step.phase == "pending" and "·" or "●"
end

local function draw_step(cell, ids, now, parts)
  local step, x, y = cell.step, cell.x, cell.y
  local class = step.outcome or step.phase
  parts[#parts + 1] = ('<a href="#%s"><g class="node %s"><title>%s</title>'):format(
    ids[step.path] or "", escape.html(class), escape.html(tooltip(step, now)))
  local shape = '<rect class="%s" x="%s" y="%s" width="%d" height="%d" rx="%d"/>'
  local radius = step.kind == "switch" and 24 or 7
  for back = step.kind == "each" and 2 or 0, 1, -1 do
    parts[#parts + 1] = shape:format("box", number(x + back * STACK), number(y + back * STACK),
      WIDTH, HEIGHT, radius)
  end
  parts[#parts + 1] = shape:format("box", number(x), number(y), WIDTH, HEIGHT, radius)
  local line = '<text class="%s" x="%s" y="%s">%s</text>'
  parts[#parts + 1] = line:format("sign", number(x + 13), number(y + 30), sign_of(step))
  -- An SVG of its own clips what is too wide after all.
  parts[#parts + 1] = ('<svg x="%s" y="%s" width="%d" height="%d">'):format(number(x + 34),
    number(y), INSIDE, HEIGHT)
  parts[#parts + 1] = line:format("name", 0, 21,
    escape.html(text.cut(text.clean(step.path), NAME_COLUMNS)))
  parts[#parts + 1] = line:format("fact", 0, 38,
    escape.html(text.cut(text.clean(facts(step, now)), FACT_COLUMNS)))
  parts[#parts + 1] = "</svg>"
  parts[#parts + 1] = "</g></a>"
end

local function draw(columns, ids, now, parts)
  for _, column in ipairs(columns) do
    for _, cell in ipairs(column) do
      for _, source in ipairs(cell.sources) do
        parts[#parts + 1] = ('<path class="line" d="%s"/>'):format(line_between(source, cell))
      end
    end
  end
  for _, column in ipairs(columns) do
    for _, cell in ipairs(column) do
      if cell.step then draw_step(cell, ids, now, parts) end
    end
  end
end

local function describe(steps)
  local parts = {}
  for index, step in ipairs(steps) do
    local after = step.after or {}
    parts[index] = step.path .. (#after > 0 and " after " .. table.concat(after, ", ")
      or step.is_finally and " at the end" or "")
  end
  return table.concat(parts, "; ") .. "."
end

--- The picture.
---@param steps luafabric.StepState[]   without items
---@param ids table<string, string>     path -> id of the element that tells more
---@param now number
---@return string svg
function M.svg(steps, ids, now)
  local normal, last = {}, {}
  for _, step in ipairs(steps) do
    local target = step.is_finally and last or normal
    target[#target + 1] = step
  end
  local parts = {}
  local columns, final = arrange(normal), arrange(last)
  local bottom = place(columns, MARGIN, MARGIN)
  local right = MARGIN + #columns * (WIDTH + GAP) - GAP
  if #normal == 0 then right = MARGIN - GAP end
  if #last > 0 then
    local left = right + 1.5 * GAP
    bottom = math.max(bottom, place(final, left, MARGIN + HEADING))
    parts[1] = ('<path class="apart" d="M%s %sV%s"/>'):format(number(right + 0.75 * GAP), MARGIN,
      number(bottom + 8))
    parts[2] = ('<text class="fact" x="%s" y="%s">at the end</text>'):format(
      number(left), MARGIN + 12)
    right = left + #final * (WIDTH + GAP) - GAP
  end
  draw(columns, ids, now, parts)
  draw(final, ids, now, parts)
  -- A middle of several is no whole number.
  local width = math.ceil(right + MARGIN + 2 * STACK)
  local height = math.ceil(bottom + MARGIN + 2 * STACK + 8)
  return ('<svg class="graph" role="group" aria-labelledby="graph-title graph-desc" width="%d" '
    .. 'height="%d" viewBox="0 0 %d %d"><title id="graph-title">Steps and their order</title>'
    .. '<desc id="graph-desc">%s</desc>%s</svg>'):format(width, height, width, height,
    escape.html(describe(steps)), table.concat(parts))
end

return M
