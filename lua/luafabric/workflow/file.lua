--- A workflow file: read, run in an environment that catches slips, and what it returns judged. A
--- .json file is one of runMultiple. Whatever is wrong with it is one sentence that names the file,
--- mostly the line, and what to do.

local definition_module = require "luafabric.workflow.definition"
local environment = require "luafabric.workflow.environment"
local errors = require "luafabric.errors"
local mistake = require "luafabric.workflow.mistake"
local tasks = require "luafabric.tasks"

local M = {}

local BYTE_ORDER_MARK = "\239\187\191"
local COMPILED = "\27" -- the first byte of what luac and string.dump write

local ENDING = "end it with `return fabric.workflow(name, function(flow) … end)`"

local function usage(message, ...)
  return nil, errors.new { kind = "usage", message = message:format(...) }
end

local function split_path(path)
  local folder, name = path:match("^(.*/)([^/]*)$")
  return folder or "", name or path
end

-- ---- reading ----

-- What is surely no workflow by its name.
local function judge_name(path, name)
  if name:find("%.ipynb$") then
    return usage("%s is a notebook, not a workflow: run it with `luafabric notebook run WORKSPACE "
      .. "NOTEBOOK`, or give a Lua file that returns fabric.workflow(…)", path)
  end
  return true
end

--- Whether a file is JSON by its name: runMultiple's, and no Lua.
---@param path string
---@return boolean
function M.is_json(path)
  return path:lower():find("%.json$") ~= nil
end

--- The text of a file.
---@param path string
---@return string|nil text
---@return luafabric.Error|nil err
function M.read(path)
  local file, message = io.open(path, "rb")
  if not file then
    local reason = message:sub(1, #path + 2) == path .. ": " and message:sub(#path + 3) or message
    return usage("%s: the workflow file cannot be read: %s", path, reason)
  end
  local text, problem = file:read("*a")
  file:close()
  if not text then return usage("%s: the workflow file cannot be read: %s", path, problem) end
  return text
end

--- As Lua reads a file by itself: without a mark of byte order and a line "#!…" at its beginning.
local function clean(text)
  if text:sub(1, #BYTE_ORDER_MARK) == BYTE_ORDER_MARK then text = text:sub(#BYTE_ORDER_MARK + 1) end
  return (text:gsub("^#[^\n]*", ""))
end

-- ---- compiling ----

-- What those who come from other languages write, by how Lua complains about it: patterns of the
-- word it stumbles over, of what it expects there, and of the line.
local syntax_hints = {
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

local function compile(text, name, globals)
  if setfenv then
    local chunk, message = loadstring(text, "@" .. name)
    return chunk and setfenv(chunk, globals), message
  end
  return load(text, "@" .. name, "t", globals)
end

-- "nightly.lua:3: '}' expected near 'x'" as a sentence.
local function syntax_error(name, text, message)
  local line, problem = message:match(":(%d+): (.*)$")
  if not line then return usage("%s is not Lua: %s", name, message) end
  problem = problem:gsub("'(<%a+>)'", "%1") -- Lua 5.1 quotes them
  return usage("%s:%s: this is not Lua: %s%s", name, line, problem,
    explain_syntax(problem, line_of(text, tonumber(line))))
end

-- ---- running ----

--- The line of the only call of `fabric.workflow` in a text, if it has exactly one.
local function only_call(text)
  local found, number = nil, 0
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    if line:gsub("%-%-.*", ""):find("[.:]workflow%s*%(") then
      if found then return nil end
      found = number
    end
  end
  return found
end

--- Where `return fabric.workflow(…)` stands. It is a tail call, which has left the stack when it
--- is judged, so that the place in its message is the one of our own caller.
local function place_of_return(name, text)
  local line = only_call(text)
  return line and ("%s:%d"):format(name, line) or name
end

-- The first line of what the file's own code raised, with a place.
local function raised(name, text, problem, caller)
  if errors.is(problem) then problem = problem.message end
  problem = tostring(problem)
  if problem:sub(1, #caller + 2) == caller .. ": " then
    problem = place_of_return(name, text) .. problem:sub(#caller + 1)
  end
  local missing = problem:match("module '([^']+)' not found")
  local place = problem:match("^[^\n:]+:%d+: ")
  if missing then
    return usage("%sthere is no module '%s', neither beside the file nor where Lua looks",
      place or name .. ": ", missing)
  end
  local line = problem:match("^[^\n]*")
  if not place and line:sub(1, #name + 2) ~= name .. ": " then line = name .. ": " .. line end
  return usage("%s", line)
end

local function judge_result(value, name, text)
  if definition_module.is(value) then return value end
  if value ~= nil then
    return usage("%s returns a %s, not a workflow; %s", name, type(value), ENDING)
  end
  local line = only_call(text)
  if line then
    return usage("%s returns nothing; write `return` before the fabric.workflow(…) of line %d",
      name, line)
  end
  return usage("%s returns nothing; %s", name, ENDING)
end

--- Lets the file, and the functions in it later on, require what lies beside it.
local function look_beside(folder)
  if folder == "" then folder = "./" end
  local entry = folder .. "?.lua;" .. folder .. "?/init.lua"
  if package.path:sub(1, #entry) == entry then return end
  package.path = entry .. ";" .. package.path
end

local function load_json(path, text, name)
  local definition, err = require("luafabric.workflow.run_multiple").read(text, name)
  if not definition then return nil, err end
  definition.path = path
  return definition
end

--- Loads a workflow file. Its code is run; the function of the workflow is not.
---@param path string
---@return luafabric.Definition|nil definition  with `path`, as given
---@return luafabric.Error|nil err              "usage"
function M.load(path)
  local folder, name = split_path(path)
  local ok, err = judge_name(path, name)
  if not ok then return nil, err end
  local text
  text, err = M.read(path)
  if not text then return nil, err end
  if M.is_json(name) then return load_json(path, text, name) end
  text = clean(text)
  if text:sub(1, 1) == COMPILED then
    return usage("%s is compiled Lua, which is not run; give its source", path)
  end
  local chunk, message = compile(text, name, environment.new())
  if not chunk then return syntax_error(name, text, message) end
  look_beside(folder)
  local ran, value = pcall(tasks.forbid_waiting, "the workflow file " .. name, chunk)
  local caller = mistake.user_place()
  if not ran then return raised(name, text, value, caller) end
  local definition
  definition, err = judge_result(value, name, text)
  if not definition then return nil, err end
  definition.path = path
  if definition.place == caller then
    definition.place = place_of_return(name, text)
    definition.line = tonumber(definition.place:match(":(%d+)$"))
  end
  return definition
end

return M
