--- The text of a workflow file and of the modules beside it: read, compiled, and what Lua says of a
--- slip explained to those who come from other languages.

local M = {}

local BYTE_ORDER_MARK = "\239\187\191"
local COMPILED = "\27" -- the first byte of what luac and string.dump write

--- The text of a file, as Lua reads one by itself: without a mark of byte order and a line "#!…" at
--- its beginning.
---@param path string
---@return string|nil text
---@return string|nil reason
function M.read(path)
  local file, message = io.open(path, "rb")
  if not file then
    return nil, message:sub(1, #path + 2) == path .. ": " and message:sub(#path + 3) or message
  end
  local text, problem = file:read("*a")
  file:close()
  if not text then return nil, problem end
  if text:sub(1, #BYTE_ORDER_MARK) == BYTE_ORDER_MARK then text = text:sub(#BYTE_ORDER_MARK + 1) end
  return (text:gsub("^#[^\n]*", ""))
end

---@param text string
---@return boolean
function M.is_compiled(text)
  return text:sub(1, 1) == COMPILED
end

-- ---- compiling ----

-- What those who come from other languages write, by how Lua complains about it: patterns of the
-- word it stumbles over, of what it expects there, and of the line.
local syntax_hints = {
  { line = "=>", hint = "Lua writes function(item) return … end" },
  { line = "%f[%w]continue%f[%W]", hint = "Lua has no `continue`: put the rest of the loop into "
    .. "`if not … then … end`" },
  { near = "^=$", expected = "^then", hint = "Lua compares with ==" },
  { near = "^%d*[smhd]$", line = "%d[smhd]%f[%W]", hint = "a duration is a text, \"2h\", or a "
    .. "number of seconds" },
  { near = "^!", hint = "Lua writes ~= for \"not equal\", and `not`" },
  { near = "^&", line = "&&", hint = "Lua writes `and`" },
  { near = "^|", line = "||", hint = "Lua writes `or`" },
  { expected = "^[}=<]", line = "[%w_\"'%]]%s*:%s", hint = "in a table Lua writes `name = value`" },
  { line = "[%+%-%*/]=", hint = "Lua has no +=; write x = x + 1" },
  { line = "else%s+if", near = "^<eof>$", expected = "^end", hint = "Lua writes `elseif`" },
  { near = "^<eof>$", expected = "^end", hint = "an `end` is missing" },
  { near = "^%)", line = "^%s*end%s*%)", hint = "an `end` is missing before it" },
  { near = "^<eof>$", expected = "^%)", hint = "a `)` is missing, after the `end` of the "
    .. "workflow's function perhaps" },
  { near = "^=$", expected = "^}", hint = "a comma is missing before it; or a name with other "
    .. "signs than letters, digits and _ needs [\"name\"] = value" },
  { near = "^[%w_\"']+", expected = "^}", hint = "a comma is missing before it" },
  { near = "^{", expected = "^%)", hint = "a comma is missing before it" },
  { near = "^[%w_]+$", expected = "^%)", hint = "a `)` is missing before it" },
}

local function line_of(text, wanted)
  local number = 0
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    if number == wanted then return line end
  end
  return ""
end

local function explain_syntax(problem, line)
  local near = problem:match("near '(.*)'$") or problem:match("near (<eof>)$") or ""
  local expected = problem:match("^'?(.-)'? expected") or ""
  for _, row in ipairs(syntax_hints) do
    if near:find(row.near or "") and expected:find(row.expected or "")
      and line:find(row.line or "") then
      return "; " .. row.hint
    end
  end
  return ""
end

local function load_text(text, name, globals)
  if setfenv then
    local chunk, message = loadstring(text, "@" .. name)
    return chunk and setfenv(chunk, globals), message
  end
  return load(text, "@" .. name, "t", globals)
end

-- "nightly.lua:3: '}' expected near 'x'" as a sentence.
local function syntax_error(name, text, message)
  local line, problem = message:match(":(%d+): (.*)$")
  if not line then return ("%s is not Lua: %s"):format(name, message) end
  problem = problem:gsub("'(<%a+>)'", "%1") -- Lua 5.1 quotes them
  local hint = explain_syntax(problem, line_of(text, tonumber(line)))
  local before = line_of(text, tonumber(line) - 1)
  if hint == "" and before:find("^%s*continue%s*$") then -- Lua stumbles over the word after it
    hint = explain_syntax(problem, before)
  end
  return ("%s:%s: this is not Lua: %s%s"):format(name, line, problem, hint)
end

--- A text as a function.
---@param text string
---@param name string     of the file, in messages
---@param globals table   what it finds under its global names
---@return function|nil chunk
---@return string|nil message  one sentence, with the line
function M.compile(text, name, globals)
  local chunk, message = load_text(text, name, globals)
  if chunk then return chunk end
  return nil, syntax_error(name, text, message)
end

return M
