--- From names to ids: reads the lists, all their pages, since a second thing of the same name may
--- be on the last one. Names are compared letter by letter. A GUID is never looked up, what was
--- found is kept, and tasks that ask for the same name at the same time share one search.

local call = require "luafabric.client.call"
local catalog = require "luafabric.api.catalog"
local core = require "luafabric.core"
local errors = require "luafabric.errors"
local tasks = require "luafabric.tasks"

local M = {}

local MOST_SHOWN = 5 -- names in a message

local function join(list, conjunction)
  if #list < 2 then return list[1] end
  return table.concat(list, ", ", 1, #list - 1) .. conjunction .. list[#list]
end

local function not_found(kind, name, names, where)
  local near = require("luafabric.nearest").find(name, names, MOST_SHOWN)
  local hint
  if #near > 0 then
    for index, candidate in ipairs(near) do near[index] = ("\"%s\""):format(candidate) end
    hint = "did you mean " .. join(near, " or ") .. "?"
  elseif #names == 0 then
    hint = ("there are no %ss that this identity may see"):format(kind)
  else
    table.sort(names)
    local shown = {}
    for index = 1, math.min(#names, MOST_SHOWN) do
      shown[index] = ("\"%s\""):format(names[index])
    end
    if #names > MOST_SHOWN then shown[#shown + 1] = ("%d more"):format(#names - MOST_SHOWN) end
    hint = ("there %s %s"):format(#names == 1 and "is" or "are", join(shown, " and "))
  end
  return errors.new { kind = "not_found",
    message = ("no %s is named \"%s\"%s; %s"):format(kind, name, where, hint) }
end

local function ambiguous(kind, name, ids, where)
  return errors.new { kind = "ambiguous_name", ids = ids,
    message = ("%d %ss are named \"%s\"%s: %s; give the id instead of the name")
      :format(#ids, kind, name, where, join(ids, " and ")) }
end

--- Reads a whole list as entries { id, name, value }.
local function read_all(client, make, what, deadline)
  local list = {}
  local ok, err = call.each(client, make, function(value)
    list[#list + 1] = catalog.read_entry(value)
  end, { what = what, deadline = deadline })
  if not ok then return nil, err end
  return list
end

--- All workspaces that the identity may see.
---@return { id: string, name: string, value: table }[]|nil list
---@return luafabric.Error|nil err
function M.workspaces(client, deadline)
  return read_all(client, function(token)
    return catalog.list_workspaces(client.endpoint, token)
  end, "the list of workspaces could not be read", deadline)
end

--- All notebooks of a workspace.
---@return { id: string, name: string, value: table }[]|nil list
---@return luafabric.Error|nil err
function M.notebooks(client, endpoint, workspace_id, deadline)
  return read_all(client, function(token)
    return require("luafabric.api.notebooks").list(endpoint, workspace_id, token)
  end, "the list of notebooks of workspace " .. workspace_id .. " could not be read", deadline)
end

local function pick(kind, name, where, list, err)
  if not list then return nil, err end
  local ids, names = {}, {}
  for _, entry in ipairs(list) do
    names[#names + 1] = entry.name
    if entry.name == name then ids[#ids + 1] = entry.id end
  end
  if #ids == 1 then return ids[1] end
  if #ids > 1 then return nil, ambiguous(kind, name, ids, where) end
  return nil, not_found(kind, name, names, where)
end

--- One search for all tasks of this loop that ask for the same; in a task of its own, so that
--- whoever is cancelled meanwhile takes it from nobody.
local function shared(client, key, search)
  local found = client.ids[key]
  if found then return found end
  local _, loop = tasks.current()
  local flights = client.searches[loop] or {}
  client.searches[loop] = flights
  local flight = flights[key]
  if not flight or flight:result() ~= nil then
    flight = loop:spawn(search)
    flights[key] = flight
  end
  local ok, id, err = flight:join()
  if flights[key] == flight then flights[key] = nil end
  if not ok then error(id, 0) end
  client.ids[key] = id
  return id, err
end

--- The key of a workspace's name in `client.ids`.
---@param name string
---@return string
function M.workspace_key(name)
  return "workspace\0" .. name
end

local function notebook_key(workspace_id, name)
  return ("notebook\0%s\0%s"):format(workspace_id, name)
end

--- The ids of a workspace and a notebook in it, as far as they are known without asking.
---@param client table
---@param workspace string  name or id
---@param notebook string   name or id
---@return string|nil workspace_id
---@return string|nil notebook_id
function M.known(client, workspace, notebook)
  local workspace_id = core.is_guid(workspace) and workspace:lower()
    or client.ids[M.workspace_key(workspace)]
  if core.is_guid(notebook) then return workspace_id, notebook:lower() end
  return workspace_id, workspace_id and client.ids[notebook_key(workspace_id, notebook)]
end

--- The id of a workspace.
---@param client table
---@param name string  or the id itself
---@param deadline number|nil  host time
---@return string|nil id
---@return luafabric.Error|nil err  "not_found", "ambiguous_name", or why the list was not to be had
function M.workspace(client, name, deadline)
  if core.is_guid(name) then return name:lower() end
  return shared(client, M.workspace_key(name), function()
    return pick("workspace", name, "", M.workspaces(client, deadline))
  end)
end

--- The id of a notebook.
---@param client table
---@param endpoint string      of the workspace
---@param workspace table      { id, name }
---@param name string          or the id itself
---@param deadline number|nil  host time
---@return string|nil id
---@return luafabric.Error|nil err
function M.notebook(client, endpoint, workspace, name, deadline)
  if core.is_guid(name) then return name:lower() end
  return shared(client, notebook_key(workspace.id, name), function()
    return pick("notebook", name, (" in workspace \"%s\""):format(workspace.name),
      M.notebooks(client, endpoint, workspace.id, deadline))
  end)
end

return M
