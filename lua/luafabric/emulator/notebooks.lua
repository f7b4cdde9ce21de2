-- Finds notebooks on disk: DIR/<workspace>/<notebook>.ipynb becomes a workspace and a notebook.

local json = require "luafabric.json"

local M = {}

local MAX_READ = 32 * 1024 * 1024 -- Fabric's limit; a larger one is listed, and refused when run

local function entries(uv, directory)
  local scan, message = uv.fs_scandir(directory)
  if not scan then return nil, message end
  local list = {}
  while true do
    local name = uv.fs_scandir_next(scan)
    if not name then break end
    local found = uv.fs_stat(directory .. "/" .. name)
    if found and name:sub(1, 1) ~= "." then list[#list + 1] = { name = name, type = found.type } end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

--- The compute that a notebook's metadata says, as Fabric writes it; nil where it says none, and
--- then any compute is accepted.
---@param document table  of the .ipynb
---@return "Spark"|"Jupyter"|"DataWarehouse"|nil
function M.compute_of(document)
  local metadata = document.metadata
  if type(metadata) ~= "table" then return nil end
  local names = {}
  for _, group in ipairs { "kernel_info", "kernelspec", "microsoft" } do
    if type(metadata[group]) == "table" then
      names[#names + 1] = metadata[group].name
      names[#names + 1] = metadata[group].language_group
    end
  end
  for _, name in ipairs(names) do
    name = tostring(name)
    if name:find("^synapse_") then return "Spark" end
    if name:find("^jupyter") then return "Jupyter" end
    if name:find("^sqldatawarehouse") then return "DataWarehouse" end
  end
  return nil
end

--- A notebook as JSON; an empty table where it is too large to be one of Fabric's.
local function read(path)
  local file, problem = io.open(path, "rb")
  if not file then return nil, ("%s: it cannot be read"):format(problem) end
  local text = file:read(MAX_READ + 1) or ""
  file:close()
  if #text > MAX_READ then return {} end
  local document, message = json.decode(text)
  if type(document) == "table" and type(document.cells) == "table" then return document end
  return nil, ("%s is not a notebook: %s"):format(path, message
    or "it is JSON, but has no list of cells (format 4)")
end

local function notebooks_in(uv, directory)
  local notebooks = {}
  local list, message = entries(uv, directory)
  if not list then return nil, ("%s cannot be read: %s"):format(directory, message) end
  for _, entry in ipairs(list) do
    local name = entry.name:match("^(.+)%.ipynb$")
    if name and entry.type == "file" and json.encode(name) then
      local path = directory .. "/" .. entry.name
      local document, problem = read(path)
      if not document then return nil, problem .. "; mend it, or move it away" end
      notebooks[#notebooks + 1] = { name = name, path = path, compute = M.compute_of(document) }
    end
  end
  return notebooks
end

--- Find what is below a directory.
---@param uv table  luv
---@param directory string
---@return table[]|nil workspaces  for service.new; each notebook with the `path` of its file
---@return string|nil message  what is wrong and what to do
function M.discover(uv, directory)
  local shape = "notebooks are looked for as DIR/<workspace>/<notebook>.ipynb"
  local found = uv.fs_stat(directory)
  if not found then return nil, ("%s: there is no such folder; %s"):format(directory, shape) end
  if found.type ~= "directory" then
    return nil, ("%s is not a folder; %s"):format(directory, shape)
  end
  local root = uv.fs_realpath(directory) or directory
  local list, message = entries(uv, root)
  if not list then return nil, ("%s cannot be read: %s"):format(directory, message) end
  local workspaces, count, astray = {}, 0, false
  for _, entry in ipairs(list) do
    if entry.type == "directory" and json.encode(entry.name) then
      local notebooks
      notebooks, message = notebooks_in(uv, root .. "/" .. entry.name)
      if not notebooks then return nil, message end
      count = count + #notebooks
      if #notebooks > 0 then
        workspaces[#workspaces + 1] = { name = entry.name, notebooks = notebooks }
      end
    end
    astray = astray or entry.name:find("%.ipynb$") ~= nil
  end
  if count > 0 then return workspaces end
  if astray then
    return nil, ("%s holds notebooks, but in no workspace: %s, so move them one folder down, or "
      .. "name the folder above"):format(directory, shape)
  end
  return nil, ("%s holds no notebooks: %s"):format(directory, shape)
end

return M
