--- Lua's libraries as a workflow file has them: without what would give another plan for the same
--- inputs (the time, chance, the order of `pairs`), and with a sentence where a value is wanted
--- that is not there yet.

local handle = require "luafabric.workflow.handle"
local json = require "luafabric.json"
local mistake = require "luafabric.workflow.mistake"
local ordered = require "luafabric.workflow.ordered"
local reference = require "luafabric.workflow.reference"
local secret = require "luafabric.workflow.secret"

local M = {}

-- What a function of Lua's own gave, called by pcall: what it raises gets the place of the user's
-- line, and not ours.
local function finish(name, ok, ...)
  if ok then return ... end
  local problem = ...
  if type(problem) == "string" and not problem:find("^[^\n]-:%d+: ") then
    problem = ("%s: %s"):format(mistake.user_place(),
      (problem:gsub("^(bad argument #%d+ to )'[^']*'", ("%%1'%s'"):format(name))))
  end
  error(problem, 0)
end

-- A library as it is, but for some of its functions.
local function changed(library, changes)
  local copy = {}
  for name, value in pairs(library) do copy[name] = value end
  for name, value in pairs(changes) do copy[name] = value end
  return copy
end

-- ---- values that are not there yet ----

-- What such a value is and what to do; nil for all others.
local function absence(value, advice)
  if reference.is(value) then
    local shown = reference.describe(value)
    return ("%s has no value yet: %s"):format(shown, advice:format(shown))
  end
  if handle.is(value) then
    local step = handle.step(value)
    return ("step \"%s\" is no value: its exit value is %s:exit()"):format(step.name,
      handle.word(step))
  end
  if secret.is(value) then
    return "a secret can be a parameter's value and be joined to text with .., and nothing else"
  end
  return nil
end

-- A function that says so where one of its arguments has no value yet.
local function wanting_values(name, fn, advice)
  return function(...)
    for index = 1, select("#", ...) do
      local message = absence(select(index, ...), advice)
      if message then mistake.raise_here(name .. ": " .. message) end
    end
    return finish(name, pcall(fn, ...))
  end
end

local JOIN = "join it with .., as in \"Files/\" .. %s, or use :map(function(value) … end)"
local CALCULATE = "use %s:map(function(value) … end)"

local function library_wanting_values(name, library, advice)
  local own = {}
  for word, value in pairs(library) do
    own[word] = type(value) == "function"
      and wanting_values(("%s.%s"):format(name, word), value, advice) or value
  end
  return own
end

-- Its metatable is the one of all texts, whose methods stay as they are.
local function own_string()
  return library_wanting_values("string", string, JOIN)
end

local function own_table()
  return changed(table, {
    concat = function(list, ...)
      for _, value in ipairs(type(list) == "table" and list or {}) do
        local message = absence(value, JOIN)
        if message then mistake.raise_here("table.concat: " .. message) end
      end
      return finish("table.concat", pcall(table.concat, list, ...))
    end,
  })
end

-- The first value in a table that JSON would not show.
local function find_absent(value, advice, seen)
  local message = absence(value, advice)
  if message or type(value) ~= "table" or seen[value] then return message end
  seen[value] = true
  for _, inner in ordered.pairs(value) do
    message = find_absent(inner, advice, seen)
    if message then return message end
  end
  return nil
end

--- luafabric.json for a workflow file.
M.json = changed(json, {
  encode = function(value)
    local message = find_absent(value, "use %s:map(function(value) return fabric.json.encode "
      .. "{ name = value } end)", {})
    if message then mistake.raise_here("json.encode: " .. message) end
    return json.encode(value)
  end,
})

-- ---- the time, and chance ----

local function refuse(what, advice)
  return function()
    error(("%s would give another plan each time; %s"):format(what, advice), 2)
  end
end

local STARTED = "use flow.started_at, the time at which the run started"

local function steady_os()
  return changed(os, {
    time = function(time, ...)
      if time ~= nil then return finish("os.time", pcall(os.time, time, ...)) end
      error("os.time() would give another plan each time; " .. STARTED, 2)
    end,
    date = function(format, time)
      if time ~= nil then return finish("os.date", pcall(os.date, format, time)) end
      error("os.date without a time would give another plan each time; "
        .. "use os.date(format, flow.started_at)", 2)
    end,
    clock = refuse("os.clock()", STARTED),
    exit = function() error("os.exit would end the whole command; use error(message)", 2) end,
  })
end

local function steady_math()
  local advice = "use flow.run_id, or an input"
  return changed(library_wanting_values("math", math, CALCULATE), {
    random = refuse("math.random", advice), randomseed = refuse("math.randomseed", advice) })
end

-- ---- walking through tables ----

-- Also on Luas without __pairs it is said of a reference or a step that its value is not there yet,
-- where nothing would be found, or our own fields.
local function check_walk(name, value)
  if type(value) ~= "table" then
    mistake.raise_here(("%s: expected a table, got %s"):format(name, mistake.show(value)))
  end
  local meta = getmetatable(value)
  local trap = type(meta) == "table" and rawget(meta, "__pairs")
  if trap and tostring(rawget(meta, "__name")):find("^luafabric%.") then trap(value) end
  return trap
end

local function own_pairs(value)
  local has_own_way = check_walk("pairs", value)
  if has_own_way then return pairs(value) end
  return ordered.pairs(value)
end

local function own_ipairs(value)
  check_walk("ipairs", value)
  return ipairs(value)
end

local function own_next()
  local following = ordered.new_next()
  return function(value, key)
    check_walk("next", value)
    return following(value, key)
  end
end

--- Lua's global names, as far as they are others.
---@return table
function M.new()
  return {
    os = steady_os(), math = steady_math(), string = own_string(), table = own_table(),
    pairs = own_pairs, ipairs = own_ipairs, next = own_next(),
    tonumber = wanting_values("tonumber", tonumber, "use %s:map(tonumber)"),
  }
end

return M

