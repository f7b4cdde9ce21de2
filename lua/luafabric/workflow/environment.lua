--- What a workflow file finds under its global names: Lua's own, with the slips caught that Lua
--- would let pass. A name that nobody defined, a global by accident, and what would give another
--- plan for the same inputs (the time, chance) are errors that name the line and the way out.

local libraries = require "luafabric.workflow.libraries"
local nearest = require "luafabric.nearest"
local neighbours = require "luafabric.workflow.neighbours"

local M = {}

-- Absent from some of the four Luas: whoever asks for one of them is asking whether it is there.
local may_be_absent = {
  unpack = true, setfenv = true, getfenv = true, loadstring = true, jit = true, utf8 = true,
  bit = true, bit32 = true, newproxy = true, module = true, warn = true,
}

-- Words of other languages, and the two names that every workflow has.
local known_slips = {
  fabric = 'add `local fabric = require "luafabric"` at the top of the file',
  flow = "it is the parameter of the workflow's function: fabric.workflow(name, function(flow) …)",
  null = "Lua writes nil; for JSON's null there is fabric.null",
  None = "Lua writes nil", undefined = "Lua writes nil",
  True = "Lua writes true", False = "Lua writes false",
  this = "inside fabric.workflow the workflow is `flow`",
  len = "Lua writes #list", str = "Lua writes tostring(value)", int = "Lua writes tonumber(text)",
  range = "Lua writes `for i = 1, 10 do`",
}

-- The names that the function at a level of the stack, seen from the caller, can see: its locals
-- and what it captured.
local function visible_names(level, names)
  level = level + 1
  local info = debug.getinfo(level, "f")
  local index = 1
  while info do
    local name = debug.getlocal(level, index)
    if not name then break end
    names[#names + 1] = name
    index = index + 1
  end
  index = 1
  while info do
    local name = debug.getupvalue(info.func, index)
    if not name then break end
    names[#names + 1] = name
    index = index + 1
  end
end

local function name_near(name, globals, level)
  if #name < 3 then return nil end
  local names = {}
  for known in pairs(globals) do names[#names + 1] = known end
  visible_names(level + 1, names)
  local candidates = {}
  for _, candidate in ipairs(names) do
    local is_name = candidate:find("^%a[%w_]*$") -- neither _ENV nor a temporary value
    if is_name and candidate ~= name then candidates[#candidates + 1] = candidate end
  end
  return nearest.find(name, candidates, 1)[1]
end

local function refuse_unknown(name, globals, level)
  local shown = tostring(name)
  local advice = known_slips[shown]
  if not advice then
    local near = name_near(shown, globals, level + 1)
    advice = near and ("did you mean `%s`?"):format(near)
      or ("write `local %s = …` above it"):format(shown)
  end
  error(("`%s` is not defined; %s"):format(shown, advice), level + 1)
end

local function refuse_assignment(_, name, value)
  local shown = tostring(name)
  local example = type(value) == "function" and ("local function %s(…)"):format(shown)
    or ("local %s = …"):format(shown)
  error(("`%s` is assigned without `local`, which would make it global; write `%s`")
    :format(shown, example), 2)
end

-- What a workflow file may want of luafabric, for "did you mean".
M.offered = { "workflow", "matrix", "months", "days", "secret", "types", "spark", "jupyter",
  "data_warehouse", "json", "null", "array", "duration", "errors" }

--- luafabric as a file has it: a view that knows a slip when it is asked for one.
local function view_of(fabric)
  return setmetatable({ json = libraries.json }, {
    __index = function(_, field)
      local value = fabric[field]
      if value ~= nil then return value end
      local near = nearest.find(tostring(field), M.offered, 1)[1]
      error(("fabric has no `%s`%s"):format(tostring(field),
        near and ("; did you mean `%s`?"):format(near) or ""), 2)
    end,
    __newindex = function() error("fabric cannot be changed; use a local variable", 2) end,
  })
end

--- A new environment for one file.
---@param folder string  the file's, "" or with a / at its end
---@param sources table<string, string>|nil  gets the texts of the modules beside it
---@return table
function M.new(folder, sources)
  local base, own, environment = _G, libraries.new(), {}
  own._G, own.require = environment, neighbours.requirer(folder, environment, view_of,
    sources or {})
  return setmetatable(environment, {
    __index = function(_, name)
      local value = own[name]
      if value == nil then value = base[name] end
      if value ~= nil or may_be_absent[name] then return value end
      refuse_unknown(name, base, 2)
    end,
    __newindex = refuse_assignment,
  })
end

return M
