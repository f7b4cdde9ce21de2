--- A workflow file: read, run in an environment that catches slips, and what it returns judged. A
--- .json file is one of runMultiple. Whatever is wrong with it is one sentence that names the file,
--- mostly the line, and what to do.

local definition_module = require "luafabric.workflow.definition"
local environment = require "luafabric.workflow.environment"
local errors = require "luafabric.errors"
local mistake = require "luafabric.workflow.mistake"
local source = require "luafabric.workflow.source"
local tasks = require "luafabric.tasks"

local M = {}

local ENDING = "end it with `return fabric.workflow(name, function(flow) … end)`"

local function usage(message, ...)
  return nil, errors.new { kind = "usage", message = message:format(...) }
end

local function split_path(path)
  local folder, name = path:match("^(.*/)([^/]*)$")
  return folder or "", name or path
end

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
  local text, message = source.read(path)
  if text then return text end
  return usage("%s: the workflow file cannot be read: %s", path, message)
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

-- What luafabric says to a file that runs its workflow by itself.
local function runs_itself(text, problem)
  local is_said = problem:find("workflow:run", 1, true) or problem:find("may not wait", 1, true)
  return is_said and text:find(":run%s*[%({]") ~= nil
end

-- The first line of what the file's own code raised, with a place.
local function raised(name, text, problem, caller)
  if errors.is(problem) then problem = problem.message end
  problem = tostring(problem)
  if problem:sub(1, #caller + 2) == caller .. ": " then
    problem = place_of_return(name, text) .. problem:sub(#caller + 1)
  end
  local place = problem:match("^[^\n:]+:%d+: ")
  local line = problem:match("^[^\n]*")
  if runs_itself(text, line) then
    return usage("%s: a workflow file returns its workflow, and who loads it runs it: leave out "
      .. ":run(…)", place_of_return(name, text))
  end
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

local function load_json(path, text, name)
  local definition, err = require("luafabric.workflow.run_multiple").read(text, name)
  if not definition then return nil, err end
  definition.path, definition.sources = path, { [name] = text }
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
  if source.is_compiled(text) then
    return usage("%s is compiled Lua, which is not run; give its source", path)
  end
  local sources = { [name] = text }
  local chunk, message = source.compile(text, name, environment.new(folder, sources))
  if not chunk then return usage("%s", message) end
  local ran, value = pcall(tasks.forbid_waiting, "the workflow file " .. name,
    mistake.placed(chunk))
  local caller = mistake.user_place()
  if not ran then return raised(name, text, value, caller) end
  local definition
  definition, err = judge_result(value, name, text)
  if not definition then return nil, err end
  definition.path, definition.sources = path, sources
  if definition.place == caller then
    definition.place = place_of_return(name, text)
    definition.line = tonumber(definition.place:match(":(%d+)$"))
  end
  return definition
end

return M
