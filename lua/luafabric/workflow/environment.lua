--- What a workflow file finds under its global names: Lua's own, with the slips caught that Lua
--- would let pass. A name that nobody defined, a global by accident, and what would give another
--- plan for the same inputs (the time, chance) are errors that name the line and the way out.

local nearest = require "luafabric.nearest"

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

-- A library as it is, but for some of its functions.
local function changed(library, changes)
  local copy = {}
  for name, value in pairs(library) do copy[name] = value end
  for name, value in pairs(changes) do copy[name] = value end
  return copy
end

local function refuse(what, advice)
  return function()
    error(("%s would give another plan each time; %s"):format(what, advice), 2)
  end
end

local STARTED = "use flow.started_at, the time at which the run started"

local function steady_os()
  return changed(os, {
    time = function(time, ...)
      if time ~= nil then return os.time(time, ...) end
      error("os.time() would give another plan each time; " .. STARTED, 2)
    end,
    date = function(format, time)
      if time ~= nil then return os.date(format, time) end
      error("os.date without a time would give another plan each time; "
        .. "use os.date(format, flow.started_at)", 2)
    end,
    clock = refuse("os.clock()", STARTED),
    exit = function() error("os.exit would end the whole command; use error(message)", 2) end,
  })
end

local function steady_math()
  local advice = "use flow.run_id, or an input"
  return changed(math, { random = refuse("math.random", advice),
    randomseed = refuse("math.randomseed", advice) })
end

--- `pairs` or `ipairs`, which also on Luas without __pairs says of a reference or a step that its
--- value is not there yet, where it would find nothing, or our own fields.
local function walker(walk)
  return function(value, ...)
    local meta = type(value) == "table" and getmetatable(value)
    local trap = type(meta) == "table" and rawget(meta, "__pairs")
    if trap and tostring(rawget(meta, "__name")):find("^luafabric%.") then trap(value) end
    return walk(value, ...)
  end
end

-- What a workflow file may want of luafabric, for "did you mean".
M.offered = { "workflow", "matrix", "months", "days", "secret", "types", "spark", "jupyter",
  "data_warehouse", "json", "null", "array", "duration", "errors" }

--- `require`, which gives of luafabric a view that knows a slip when it is asked for one.
local function require_strictly(name)
  local found, module = pcall(require, name)
  if not found and tostring(module):match("^[^\n]-module '([^']+)' not found") == name then
    error(("there is no module '%s', neither beside the file nor where Lua looks"):format(name), 2)
  end
  if not found then error(module, 0) end
  if name ~= "luafabric" then return module end
  return setmetatable({}, {
    __index = function(_, field)
      local value = module[field]
      if value ~= nil then return value end
      local near = nearest.find(tostring(field), M.offered, 1)[1]
      error(("fabric has no `%s`%s"):format(tostring(field),
        near and ("; did you mean `%s`?"):format(near) or ""), 2)
    end,
    __newindex = function() error("fabric cannot be changed; use a local variable", 2) end,
  })
end

--- A new environment for one file.
---@return table
function M.new()
  local base = _G
  local own = { os = steady_os(), math = steady_math(), pairs = walker(pairs),
    ipairs = walker(ipairs), require = require_strictly }
  local environment = {}
  own._G = environment
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
