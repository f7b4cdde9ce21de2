--- A runMultiple file as the Lua workflow that does the same, for people to go on from: a step for
--- each activity, names as local variables where others refer to them, and comments for what is not
--- honoured. Loaded, it gives the plan of the file. Pure.

local json = require "luafabric.json"
local run_multiple = require "luafabric.workflow.run_multiple"
local text = require "luafabric.view.text"
local types = require "luafabric.types"

local M = {}

local WIDTH = 100
local DEFAULT_CONCURRENCY = 50 -- of a workflow
local MOST_LOCALS = 150 -- Lua takes 200 in a function; beyond, the steps are kept in a table
local MAX_EXACT = 9007199254740992 -- 2^53

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch("%a+") do
  keywords[word] = true
end

-- ---- values ----

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }

local function literal(value)
  return '"' .. value:gsub('[%c"\\]', function(sign)
    return escapes[sign] or ("\\%03d"):format(sign:byte())
  end) .. '"'
end

local function key(name)
  if name:find("^[%a_][%w_]*$") and not keywords[name] then return name end
  return "[" .. literal(name) .. "]"
end

--- A duration as people write it, to the digit.
local function duration(seconds)
  if seconds % 1 ~= 0 or seconds > MAX_EXACT then return assert(json.encode(seconds)) end
  local words, rest = "", seconds
  for _, unit in ipairs { { "d", 86400 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } } do
    local count = math.floor(rest / unit[2])
    rest = rest - count * unit[2]
    if count > 0 then words = ("%s%.0f%s"):format(words, count, unit[1]) end
  end
  return '"' .. (words == "" and "0s" or words) .. '"'
end

-- Plain where every Lua types the number as the file does.
local function number(typed)
  local value = typed.value
  if type(value) == "string" then return ("fabric.types.integer %s"):format(literal(value)) end
  local digits = assert(json.encode(value))
  if (typed.type == "Integer") == (value % 1 == 0) then return digits end
  return ("fabric.types.%s(%s)"):format(typed.type:lower(), digits)
end

local function exit_value(word)
  return word .. ':exit():default("")'
end

local function value_of(value, words)
  if not types.is(value) then
    local parts = {}
    for index, part in ipairs(value) do
      parts[index] = type(part) == "string" and literal(part) or exit_value(words[part])
    end
    return table.concat(parts, " .. ")
  end
  if value.type == "Text" then return literal(value.value) end
  if value.type == "Boolean" then return tostring(value.value) end
  return number(value)
end

-- ---- names ----

local function local_name(step, taken)
  local word = step:gsub("[^%w]+", "_"):gsub("^_+", ""):gsub("_+$", ""):lower()
  if not word:find("^%a") then word = "step_" .. word end
  if word == "step_" then word = "step" end
  local name, count = word, 1
  while taken[name] or keywords[name] do
    count = count + 1
    name = ("%s_%d"):format(word, count)
  end
  taken[name] = true
  return name
end

--- How each activity that others refer to is called in the code.
---@return table<luafabric.workflow.Activity, string> words
---@return boolean in_table
local function name_all(model)
  local wanted, count = {}, 0
  for _, activity in ipairs(model.activities) do
    for _, list in ipairs { activity.after, activity.reads } do
      for _, other in ipairs(list) do
        if not wanted[other] then wanted[other], count = true, count + 1 end
      end
    end
  end
  local words, taken = {}, { fabric = true, flow = true, workspace = true }
  for _, activity in ipairs(model.activities) do
    if wanted[activity] then
      words[activity] = count > MOST_LOCALS and ("steps[%s]"):format(literal(activity.step))
        or local_name(activity.step, taken)
    end
  end
  return words, count > MOST_LOCALS
end

-- ---- lines ----

local function comment(lines, indent, sentence)
  for _, line in ipairs(text.wrap(text.clean(sentence), WIDTH - #indent - 3)) do
    lines[#lines + 1] = indent .. "-- " .. line
  end
end

-- A table on one line, or with a line for each entry.
local function table_of(entries, indent, room)
  local line = "{ " .. table.concat(entries, ", ") .. " }"
  if #line <= room then return line end
  local inner = indent .. "  "
  return ("{\n%s%s,\n%s}"):format(inner, table.concat(entries, ",\n" .. inner), indent)
end

local function field(name, value, entries)
  return { name = name, value = value, entries = entries }
end

local function fields_of(activity, words, common_workspace)
  local list = {}
  if activity.notebook ~= activity.step then
    list[#list + 1] = field("notebook", literal(activity.notebook))
  end
  if activity.workspace and activity.workspace ~= common_workspace then
    list[#list + 1] = field("workspace", literal(activity.workspace))
  end
  local entries, after, is_read = {}, {}, {}
  for index, arg in ipairs(activity.args) do
    entries[index] = ("%s = %s"):format(key(arg.name), value_of(arg.value, words))
  end
  if #entries > 0 then list[#list + 1] = field("parameters", nil, entries) end
  -- A reference is the dependency.
  for _, other in ipairs(activity.reads) do is_read[other] = true end
  for _, other in ipairs(activity.after) do
    if not is_read[other] then after[#after + 1] = words[other] end
  end
  if #after == 1 then list[#list + 1] = field("after", after[1]) end
  if #after > 1 then list[#list + 1] = field("after", nil, after) end
  local retry = run_multiple.retry(activity)
  if retry then
    local parts = { ("attempts = %d"):format(retry.attempts), "interval = "
      .. duration(retry.interval), "backoff = 1" }
    if retry.max_interval then parts[4] = "max_interval = " .. duration(retry.max_interval) end
    list[#list + 1] = field("retry", nil, parts)
  end
  return list
end

local function shown_field(entry, indent)
  local head = entry.name .. " = "
  if not entry.entries then return head .. entry.value end
  return head .. table_of(entry.entries, indent, WIDTH - #indent - #head - 1)
end

local function call(head, activity, fields)
  local start = ("%sflow:notebook(%s"):format(head, literal(activity.step))
  if #fields == 0 then return start .. ")" end
  local shown = {}
  for index, entry in ipairs(fields) do
    shown[index] = entry.entries and ("%s = { %s }"):format(entry.name,
      table.concat(entry.entries, ", ")) or shown_field(entry, "")
  end
  local line = ("%s, { %s })"):format(start, table.concat(shown, ", "))
  if #line <= WIDTH then return line end
  for index, entry in ipairs(fields) do shown[index] = shown_field(entry, "    ") end
  return ("%s, {\n    %s,\n  })"):format(start, table.concat(shown, ",\n    "))
end

local function head_of(activity, words, in_table)
  local word = words[activity]
  if not word then return "  " end
  return (in_table and "  %s = " or "  local %s = "):format(word)
end

-- The workspace that all activities name; nil where they differ, or some name none.
local function shared_workspace(model)
  local first = model.activities[1] and model.activities[1].workspace
  for _, activity in ipairs(model.activities) do
    if activity.workspace ~= first then return nil end
  end
  return first
end

local function add_head(lines, model)
  comment(lines, "", ("What runMultiple would run of %s, as a workflow (luafabric convert). Each "
    .. "notebook is a job of its own."):format(model.file))
  if not model.timeout_given then
    comment(lines, "", "The timeout is runMultiple's, which gives a DAG 12 hours.")
  end
  if model.unlimited then
    comment(lines, "", "Its concurrency is 0, no limit: max_concurrency is the number of steps.")
  end
  if #model.warnings > 0 then
    lines[#lines + 1] = "--"
    for _, warning in ipairs(model.warnings) do comment(lines, "", warning.message .. ".") end
  end
end

local function add_workspace(lines, model, common)
  if model.asks_workspace then
    lines[#lines + 1] = ("  local workspace = flow:input(\"workspace\", { description = %s })")
      :format(literal(run_multiple.WORKSPACE))
    lines[#lines + 1] = "  flow:defaults { workspace = workspace }"
  elseif common then
    lines[#lines + 1] = ("  flow:defaults { workspace = %s }"):format(literal(common))
  end
end

local function options_of(model)
  local options = { "timeout = " .. duration(model.timeout) }
  if model.max_concurrency ~= DEFAULT_CONCURRENCY then
    options[2] = ("max_concurrency = %d"):format(model.max_concurrency)
  end
  return "{ " .. table.concat(options, ", ") .. " }"
end

--- The Lua text.
---@param model luafabric.workflow.RunMultiple
---@return string
function M.source(model)
  local lines = {}
  add_head(lines, model)
  lines[#lines + 1] = '\nlocal fabric = require "luafabric"\n'
  lines[#lines + 1] = ("return fabric.workflow(%s, %s, function(flow)"):format(
    literal(model.name), options_of(model))
  local common = shared_workspace(model)
  add_workspace(lines, model, common)
  local words, in_table = name_all(model)
  if in_table then lines[#lines + 1] = "  local steps = {}" end
  for _, activity in ipairs(model.activities) do
    if #activity.notes > 0 then
      comment(lines, "  ", "not honoured: " .. table.concat(activity.notes, "; "))
    end
    lines[#lines + 1] = call(head_of(activity, words, in_table), activity,
      fields_of(activity, words, common))
  end
  lines[#lines + 1] = "end)\n"
  return table.concat(lines, "\n")
end

return M
