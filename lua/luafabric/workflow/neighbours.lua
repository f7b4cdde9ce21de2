--- `require` for a workflow file: what lies beside the file comes first, is held to the same rules
--- as the file itself, and is kept for this file and no other.

local libraries = require "luafabric.workflow.libraries"
local mistake = require "luafabric.workflow.mistake"
local source = require "luafabric.workflow.source"

local M = {}

-- A module of Lua's own path, or of luafabric.
local function require_elsewhere(name)
  local found, module = pcall(require, name)
  if found then return module end
  local missing = tostring(module):match("module '([^'\n]+)' not found")
  if not missing then error(module, 0) end
  if missing ~= name then
    mistake.raise_here(("the module '%s' requires '%s', which is not there"):format(name, missing))
  end
  mistake.raise_here(("there is no module '%s', neither beside the file nor where Lua looks")
    :format(name))
end

-- The text of a module beside the file, if there is one, and its name in messages.
local function read_beside(folder, name)
  local path = name:gsub("%.", "/")
  for _, ending in ipairs { ".lua", "/init.lua" } do
    local text = source.read(folder .. path .. ending)
    if text then return text, path .. ending end
  end
  return nil
end

local LOADING = {} -- in the place of a module that is being loaded

---@param folder string      the file's, "" or with a / at its end
---@param environment table  the file's
---@param view_of fun(fabric: table): table  luafabric as the file has it
---@param sources table<string, string>  gets the texts of what is loaded, by name of file
---@return fun(name: string): any require
function M.requirer(folder, environment, view_of, sources)
  local loaded = { ["luafabric.json"] = libraries.json }

  local function load_beside(name)
    local text, shown = read_beside(folder, name)
    if not text then return false end
    local chunk, message = source.compile(text, shown, environment)
    if not chunk then error(message, 0) end
    sources[shown] = text
    loaded[name] = LOADING
    local module = chunk(name)
    if module == nil then module = true end
    loaded[name] = module
    return true
  end

  return function(name)
    if type(name) ~= "string" then
      mistake.raise_here("require: expected the name of a module, got " .. mistake.show(name))
    end
    local module = loaded[name]
    if module == LOADING then
      mistake.raise_here(("the module '%s' requires itself, in a circle"):format(name))
    end
    if module ~= nil then return module end
    if name == "luafabric" then
      loaded[name] = view_of(require(name))
    elseif name:find("^luafabric%.") or not load_beside(name) then
      return require_elsewhere(name)
    end
    return loaded[name]
  end
end

return M
