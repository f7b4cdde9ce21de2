--- Mistakes in a workflow, told where they were made: the place in the user's file, one sentence.
--- They are raised as error objects of kind "usage", so that whoever runs the user's function can
--- tell them from what that function raised by itself. Pure.

local errors = require "luafabric.errors"

local M = {}

local getinfo = debug.getinfo

-- Where luafabric's own files are; nil where the source names no file.
local own_folder = getinfo(1, "S").source:match("^(@.*[/\\])workflow[/\\]")

-- Function -> { source = its name, [line] = "name:line" }: a loop that declares 100,000 steps
-- builds the text of its line once.
local known = setmetatable({}, { __mode = "k" })

local function text_of(fn, line)
  local texts = known[fn]
  if not texts then
    texts = { source = getinfo(fn, "S").short_src }
    known[fn] = texts
  end
  local text = texts[line]
  if not text then
    text = texts.source .. ":" .. line
    texts[line] = text
  end
  return text
end

local given -- the place that M.at says

--- Calls a function; whatever it declares, and every mistake it makes, has this place and not one
--- in Lua code: a workflow that comes from a file of another kind. It may not wait.
---@param place string  "dag.json:12"
---@param fn function
---@return any result  its first
function M.at(place, fn, ...)
  local before = given
  given = place
  local ok, result = pcall(fn, ...)
  given = before
  if not ok then error(result, 0) end
  return result
end

--- The place that called, "nightly.lua:12".
---@param level integer  as for `error`: 1 is the function that calls `place`
---@return string place
function M.place(level)
  if given then return given end
  level = level + 1
  local info = getinfo(level, "fl")
  -- C functions, and the frames that Lua 5.1 leaves for tail calls, have no line.
  while info and (not info.func or info.currentline < 1) do
    level = level + 1
    info = getinfo(level, "fl")
  end
  return info and text_of(info.func, info.currentline) or "?"
end

--- The nearest place outside of luafabric.
---@return string place
function M.user_place()
  if given then return given end
  local level = 2
  local info = getinfo(level, "Sl")
  while info do
    local own = own_folder and info.source:sub(1, #own_folder) == own_folder
    if info.currentline > 0 and not own then
      return ("%s:%d"):format(info.short_src, info.currentline)
    end
    level = level + 1
    info = getinfo(level, "Sl")
  end
  return "?"
end

--- Where a function stands in its file, "nightly.lua:12".
---@param fn function
---@return string place
function M.place_of(fn)
  local info = getinfo(fn, "S")
  if info.linedefined < 1 then return info.short_src end
  return text_of(fn, info.linedefined)
end

---@param message string
---@return luafabric.Error
function M.new(message)
  return errors.new { kind = "usage", message = message }
end

--- Raises a mistake.
---@param place string  "nightly.lua:12"
---@param message string
function M.raise(place, message)
  error(M.new(place .. ": " .. message), 0)
end

--- Raises a mistake at the user's line, wherever that is up the stack.
---@param message string
function M.raise_here(message)
  M.raise(M.user_place(), message)
end

--- What a value is, for a message.
---@param value any
---@return string
function M.show(value)
  local kind = type(value)
  if kind == "string" then
    if #value > 60 then value = value:sub(1, 57) .. "..." end
    return ('"%s"'):format((value:gsub("%c", "?")))
  end
  if kind == "number" or kind == "boolean" or kind == "nil" then return tostring(value) end
  return "a " .. kind
end

--- ", did you mean retry?", or nothing.
---@param word any
---@param known_words table<string, any>
---@return string
function M.suggest(word, known_words)
  local words = {}
  for name in pairs(known_words) do words[#words + 1] = name end
  local near = require("luafabric.nearest").find(tostring(word), words, 1)[1]
  return near and (", did you mean %s?"):format(near) or ""
end

local function has_text(problem)
  local meta = getmetatable(problem)
  return type(meta) == "table" and rawget(meta, "__tostring") ~= nil
end

-- How the four Luas say that a text was added to something.
local adds_texts = { "perform arithmetic on a string", "attempt to %a+ a 'string' with",
  "attempt to %a+ a '%a+' with a 'string'" }

-- What was raised, in one line.
local function first_line(problem)
  if type(problem) == "table" and not has_text(problem) then
    return "a table was raised, which says nothing: write error(\"what is wrong\")"
  end
  local line = tostring(problem):match("^[^\n]*")
  for _, pattern in ipairs(adds_texts) do
    if line:find(pattern) then return line .. "; texts are joined with .." end
  end
  return line
end

--- What the user's code raised, in one line: its own place, then the context.
---@param problem any       what was caught
---@param context string    'in workflow "nightly": '
---@return string
function M.caught(problem, context)
  local text = first_line(problem)
  local place, rest = text:match("^(.-:%d+: )(.*)$")
  if not place then return context .. text end
  return place .. context .. rest
end

--- A function that raises, where the one given raises a table without a text, an error object in
--- its place: only there and then is it known where that was.
---@param fn function
---@return function
function M.placed(fn)
  local function judge(problem)
    if type(problem) ~= "table" or has_text(problem) then return problem end
    return M.new(("%s: a table was raised, which says nothing: write error(\"what is wrong\")")
      :format(M.user_place()))
  end
  return function(argument)
    local ok, result = xpcall(function() return fn(argument) end, judge)
    if not ok then error(result, 0) end
    return result
  end
end

-- ---- texts in which something was written that has no text ----

-- What tostring and %s give of a reference, a step or a secret begins so: the text is refused
-- wherever it turns up.
local MARKER = "<luafabric:"

--- What stands for an object in a text.
---@param shown string
---@return string
function M.marker(shown)
  return MARKER .. shown .. ">"
end

--- Whether a reference, a step or a secret was written into a text by %s or tostring.
---@param text string
---@return boolean
function M.is_marked(text)
  return text:find(MARKER, 1, true) ~= nil
end

-- ---- objects that stand for something that is not there yet ----

local binary = { "__add", "__sub", "__mul", "__div", "__mod", "__pow", "__idiv", "__band", "__bor",
  "__bxor", "__shl", "__shr", "__unm", "__bnot" }

--- Metamethods that refuse what such an object cannot do.
---@param meta table
---@param is fun(value: any): boolean
---@param advise fun(object: table, deed: string): string  deed: "arithmetic", "comparison", …
function M.trap(meta, is, advise)
  local function refuse(deed)
    return function(a, b) M.raise_here(advise(is(a) and a or b, deed)) end
  end
  for _, name in ipairs(binary) do meta[name] = refuse "arithmetic" end
  for _, name in ipairs { "__lt", "__le", "__eq" } do meta[name] = refuse "comparison" end
  meta.__len, meta.__call, meta.__newindex = refuse "#", refuse "a call", refuse "an assignment"
  meta.__pairs = refuse "pairs"
end

return M
