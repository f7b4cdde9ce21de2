--- A plan for eyes: the steps in order, what each waits for, and the request it would send, with
--- placeholders for what is known only later. Nothing is left out that would be sent, and no secret
--- is in it. Pure.

local core = require "luafabric.core"
local duration = require "luafabric.duration"
local mistake = require "luafabric.workflow.mistake"
local plan_parts = require "luafabric.view.plan_parts"
local reference = require "luafabric.workflow.reference"
local text = require "luafabric.view.text"

local M = {}

local known_items, names_of, request_of = plan_parts.known_items, plan_parts.names_of,
  plan_parts.request_of
local shown, sorted_keys = plan_parts.shown, plan_parts.sorted_keys

local LABELS_SHOWN = 5
local WIDTH = 100
local BESIDE = 11 -- columns of a field's name, such as "workspace"

-- ---- what is said of a step, as words ----

local function seconds(value)
  if type(value) == "number" then return duration.format(value) end
  return shown(value)
end

--- What decides whether the step runs, for a reader; nil for what is always so.
local function when_text(step)
  local when = step.when
  if not when then return nil end
  if when.kind == "condition" then return reference.describe(when.condition) end
  if when.kind == "function" then return "a function at " .. mistake.place_of(when.fn) end
  if when.kind == (step.is_finally and "all_done" or "all_succeeded") then return nil end
  return when.kind
end

local function retry_text(retry)
  if not retry or retry.attempts <= 1 then return nil end
  local on = type(retry.on) == "function" and "what a function says"
    or table.concat(sorted_keys(retry.on), ", ")
  return ("%d attempts, on %s; pauses from %s, times %s, up to %s"):format(retry.attempts, on,
    duration.format(retry.interval), shown(retry.backoff), duration.format(retry.max_interval))
end

local function deadline_text(deadline, on_deadline)
  if deadline == nil then return nil end
  local at = type(deadline) == "number" and core.format_time(deadline) or shown(deadline)
  return ("%s, then %s"):format(at, on_deadline or "cancel")
end

local function tolerate_text(tolerate)
  if not tolerate then return nil end
  if tolerate.percent then return ("%s %% may fail"):format(shown(tolerate.percent)) end
  if tolerate.count == 0 then return nil end
  return ("%s may fail"):format(shown(tolerate.count))
end

-- ---- items ----

local function labels_of(items)
  local labels = {}
  for index = 1, math.min(#items, LABELS_SHOWN) do labels[index] = items[index].label end
  if #items > LABELS_SHOWN then
    labels[#labels + 1] = ("… %d more"):format(#items - LABELS_SHOWN)
  end
  return table.concat(labels, ", ")
end

local function items_text(step, items)
  local parts = {}
  if items then
    parts[1] = #items == 0 and "none" or ("%d: %s"):format(#items, labels_of(items))
  else
    parts[1] = "items from " .. shown(step.items)
  end
  if step.max_concurrency then
    parts[#parts + 1] = ("%s at a time"):format(shown(step.max_concurrency))
  end
  parts[#parts + 1] = tolerate_text(step.tolerate)
  return table.concat(parts, "; ")
end

-- ---- the request ----

--- What stands in the address for a name: its id, where it is one or was looked up.
---@param ids table|nil  name -> id
local function address(name, ids)
  if core.is_guid(name) or name:find("${", 1, true) then return name end
  local id = ids and ids[name]
  return id and ("%s (\"%s\")"):format(id, name) or ("{id of \"%s\"}"):format(name)
end

-- The tokens of a JSON text without white space between them, as our encoder writes it. A text is
-- cut, never read and written again, so that every digit stays as it will be sent.
local function tokens_of(body)
  local tokens, at = {}, 1
  while at <= #body do
    local stop
    if body:sub(at, at) == '"' then
      stop = at + 1
      while stop < #body and body:sub(stop, stop) ~= '"' do
        stop = stop + (body:sub(stop, stop) == "\\" and 2 or 1)
      end
    else
      stop = body:match("^[^%[%]{},:\"]+()", at)
      stop = stop and stop - 1 or at
    end
    tokens[#tokens + 1] = body:sub(at, stop)
    at = stop + 1
  end
  return tokens
end

local spaced = { [","] = ", ", [":"] = ": " }
local opens = { ["{"] = true, ["["] = true }
local closes = { ["}"] = true, ["]"] = true }

-- The object or list that begins at a token, on one line, and its last token.
local function one_line(tokens, first)
  local parts, depth, index = {}, 0, first
  repeat
    local token = tokens[index]
    if opens[token] then depth = depth + 1 end
    if closes[token] then depth = depth - 1 end
    parts[#parts + 1] = spaced[token] or token
    index = index + 1
  until depth == 0
  return table.concat(parts), index - 1
end

--- JSON text for eyes: what fits on a line stays on one.
local function pretty(body, columns)
  local tokens, parts, depth, index = tokens_of(body), {}, 0, 1
  local function new_line() parts[#parts + 1] = "\n" .. ("  "):rep(depth) end
  while index <= #tokens do
    local token = tokens[index]
    local line, last
    if opens[token] then line, last = one_line(tokens, index) end
    if line and index > 1 and text.width(line) <= columns - 2 * depth or last == index + 1 then
      parts[#parts + 1], index = line, last
    elseif opens[token] then
      depth, parts[#parts + 1] = depth + 1, token
      new_line()
    elseif closes[token] then
      depth = depth - 1
      new_line()
      parts[#parts + 1] = token
    else
      parts[#parts + 1] = token == ":" and ": " or token
      if token == "," then new_line() end
    end
    index = index + 1
  end
  return table.concat(parts)
end

-- ---- lines ----

local Writer = {}
Writer.__index = Writer

local function writer(options)
  return setmetatable({ lines = {}, margin = "  ", width = options.width or WIDTH,
    palette = options.palette or text.plain, ids = options.ids or {} }, Writer)
end

function Writer:add(line)
  self.lines[#self.lines + 1] = line
end

--- "  after      ingest, check", wrapped beside the name; nothing where there is nothing to say.
function Writer:field(name, value)
  if not value or value == "" then return end
  local margin = self.margin
  local room = math.max(20, self.width - #margin - BESIDE)
  for index, line in ipairs(text.wrap(text.clean(value), room)) do
    local head = index == 1 and text.cut(text.clean(name), BESIDE - 2) or ""
    self:add(self.palette.faint(margin .. text.pad(head, BESIDE)) .. line)
  end
end

function Writer:body(body)
  if not body then return self:field("body", "none") end
  local head, room = "body", self.width - #self.margin - BESIDE
  for line in pretty(body, room):gmatch("[^\n]+") do
    self:add(self.palette.faint(self.margin .. text.pad(head, BESIDE)) .. text.clean(line))
    head = ""
  end
end

function Writer:request(part, items)
  local sent, problem = request_of(part, items)
  if not sent then return self:field("request", problem) end
  local workspace, notebook = sent.workspace, sent.notebook
  local ids = self.ids[workspace] or {}
  local workspace_ids = ids.id and { [workspace] = ids.id }
  self:field("request", items and #items > 0 and "of the first item")
  self:field("workspace", address(workspace, workspace_ids))
  self:field("notebook", address(notebook, ids.notebooks))
  self:body(sent.body)
end

--- What holds for each run of a step or of a branch.
function Writer:settings(part)
  self:field("timeout", part.timeout and seconds(part.timeout))
  self:field("deadline", deadline_text(part.deadline, part.on_deadline))
  self:field("retry", retry_text(part.retry))
  self:field("expect", part.expect and "a function at " .. mistake.place_of(part.expect))
  if part.priority and part.priority ~= 0 then self:field("priority", shown(part.priority)) end
  if part.exclusive == true then self:field("exclusive", "nobody else runs this notebook") end
end

function Writer:branch(key, branch)
  if not branch then return self:field(key, "skipped") end
  self:add(self.margin .. self.palette.careful(text.clean(key)))
  self.margin = "    "
  self:request(branch)
  self:settings(branch)
  self.margin = "  "
end

function Writer:branches(step)
  self:field("by", shown(step.on))
  for _, key in ipairs(sorted_keys(step.branches)) do self:branch(key, step.branches[key]) end
  if step.default ~= nil then self:branch("default", step.default) end
end

local function after_text(step)
  if #step.after > 0 then return table.concat(names_of(step.after), ", ") end
  if step.is_finally then return "everything" end
  return "nothing: it starts at once"
end

function Writer:step(step, number)
  local head = ("%d  %s"):format(number, text.clean(step.name))
  if step.kind ~= "notebook" then head = head .. "  (" .. step.kind .. ")" end
  self:add(self.palette.good(head) .. "  " .. self.palette.faint(step.place))
  self:field("after", after_text(step))
  self:field("when", when_text(step))
  if step.may_fail then self:field("may fail", "counts as success for what comes after") end
  if step.kind == "switch" then return self:branches(step) end
  local items, problem
  if step.kind == "each" then
    items, problem = known_items(step)
    self:field("each", problem or items_text(step, items))
  end
  self:request(step, items)
  self:settings(step)
end

function Writer:head(plan)
  self:add(("workflow %s  %s"):format(self.palette.good(text.clean(plan.name)),
    self.palette.faint(text.clean(plan.file or ""))))
  for _, input in ipairs(plan.inputs) do
    self:field("input", ("%s = %s (%s)"):format(input.name, shown(input.value), input.type))
  end
  self:field("timeout", plan.timeout and seconds(plan.timeout))
  self:field("deadline", deadline_text(plan.deadline, plan.on_deadline))
  self:field("runs", plan.max_concurrency and ("at most %d at a time"):format(plan.max_concurrency))
  for _, warning in ipairs(plan.warnings) do
    self:add(self.palette.careful("  warning    ") .. text.clean(warning))
  end
end

--- The plan as text.
---@param plan luafabric.workflow.Plan
---@param options { width: integer|nil, palette: luafabric.Palette|nil, ids: table|nil }|nil
---  ids: what was looked up, workspace -> { id, notebooks = { name -> id } }
---@return string
function M.text(plan, options)
  local out = writer(options or {})
  out:head(plan)
  for index, step in ipairs(plan.order) do
    out:add("")
    out:step(step, index)
  end
  if #plan.finally > 0 then
    out:add("")
    out:add("finally, whatever happened")
  end
  for index, step in ipairs(plan.finally) do
    out:add("")
    out:step(step, #plan.order + index)
  end
  return table.concat(out.lines, "\n")
end

return M
