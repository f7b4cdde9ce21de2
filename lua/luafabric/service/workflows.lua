--- The workflows of a service: the files of one folder, by their names and by nothing else. They
--- are read again whenever one is asked for, and loaded again when the file, or a module beside it,
--- has changed. What is wrong with one is told without the paths of this machine.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local nearest = require "luafabric.nearest"
local source = require "luafabric.workflow.source"
local workflow_file = require "luafabric.workflow.file"

local M = {}

local LONGEST_NAME = 128
local ENDINGS = { ".lua", ".json" }

---@class luafabric.service.Workflows
---@field folder string
local Workflows = {}
Workflows.__index = Workflows

---@param folder string
---@return luafabric.service.Workflows
function M.new(folder)
  return setmetatable({ folder = folder, loaded = {} }, Workflows)
end

-- ---- names ----

--- Whether a text can be the name of a workflow: it can be no path.
---@param name string
---@return boolean
function M.is_name(name)
  return #name <= LONGEST_NAME and name:find("^[A-Za-z0-9_-][A-Za-z0-9_.-]*$") ~= nil
end

--- The names in the folder, in order.
---@return string[]|nil names
---@return luafabric.Error|nil err
function Workflows:names()
  local entries, reason = core.list_folder(self.folder)
  if not entries then
    return nil, errors.new { kind = "configuration", message = ("the folder of workflows %s cannot "
      .. "be read: %s"):format(self.folder, reason) }
  end
  local names, seen = {}, {}
  for _, entry in ipairs(entries) do
    local name = entry:match("^(.+)%.lua$") or entry:match("^(.+)%.json$")
    if name and M.is_name(name) and not seen[name] and self:path_of(name) then
      seen[name], names[#names + 1] = true, name
    end
  end
  table.sort(names)
  return names
end

local function unknown(self, name)
  local hint = ""
  if M.is_name(name) then
    local near = nearest.find(name, self:names() or {}, 1)[1]
    if near then hint = ("; did you mean %s?"):format(near) end
  end
  return nil, errors.new { kind = "not_found",
    message = ("there is no workflow of that name%s"):format(hint) }
end

local function broken(message, ...)
  return nil, errors.new { kind = "usage", message = message:format(...) }
end

--- The file of a name; one that is a link out of the folder is none.
---@param name string
---@return string|nil path
---@return boolean|nil is_twice  both a Lua and a JSON file have the name
function Workflows:path_of(name)
  local root = core.real_path(self.folder)
  local found, is_twice
  for _, ending in ipairs(ENDINGS) do
    local path = self.folder .. "/" .. name .. ending
    local real, kind = core.real_path(path)
    local is_inside = real and root and real:sub(1, #root + 1) == root .. "/"
    if is_inside and kind == "file" then
      is_twice = found ~= nil
      found = found or path
    end
  end
  return found, is_twice
end

-- ---- loading ----

--- Whether the texts that a definition was made of are still there.
local function is_fresh(self, definition)
  for name, text in pairs(definition.sources) do
    if source.read(self.folder .. "/" .. name) ~= text then return false end
  end
  return true
end

--- A message without the folders of this machine.
---@param message string
---@return string  its first line
function Workflows:without_paths(message)
  for _, folder in ipairs { self.folder, core.real_path(self.folder) or self.folder } do
    local at = message:find(folder .. "/", 1, true)
    while at do
      message = message:sub(1, at - 1) .. message:sub(at + #folder + 1)
      at = message:find(folder .. "/", 1, true)
    end
  end
  message = message:gsub("(['\"])/[^'\"\n]*/([^'\"/\n]*)%1", "%1%2%1"):gsub("\n.*", "")
  return (message:gsub("[%w_.%-/]*/([%w_.%-]+%.lua:%d+)", "%1"))
end

--- The workflow of a name, as its file is now.
---@param name string
---@return luafabric.Definition|nil definition  kept until its file changes
---@return luafabric.Error|nil err  "not_found", or "usage": its file has a mistake
function Workflows:load(name)
  local path, is_twice
  if M.is_name(name) then path, is_twice = self:path_of(name) end
  if not path then return unknown(self, name) end
  if is_twice then
    return broken("there are a %s.lua and a %s.json: take one away", name, name)
  end
  local known = self.loaded[name]
  if known and known.path == path and is_fresh(self, known) then return known end
  local definition, err = workflow_file.load(path)
  self.loaded[name] = definition
  if definition then return definition end
  return broken("%s", self:without_paths(err.message))
end

--- What is said of the inputs, for whoever looks for a workflow.
---@param name string
---@return table fields  name, title, inputs, problem
function Workflows:describe(name)
  local definition, err = self:load(name)
  if not definition then
    return { name = name, title = core.null, inputs = core.json_array {}, problem = err.message }
  end
  local declared, problem = definition:declared()
  local inputs = core.json_array {}
  for index, input in ipairs(declared) do
    local default = input.default
    if type(default) == "table" and default.value ~= nil then default = default.value end
    inputs[index] = { name = input.name, type = input.type, required = input.required,
      secret = input.secret or false, default = default == nil and core.null or default,
      description = input.description or core.null }
  end
  return { name = name, title = definition.name, inputs = inputs,
    problem = problem and self:without_paths(problem.message) or core.null }
end

return M
