-- The workspaces and items that the emulator serves (rows "workspaces", "items" and "notebooks" of
-- Fabric's API), and their paged lists.

local answers = require "luafabric.emulator.answers"
local ids = require "luafabric.emulator.ids"
local pages = require "luafabric.emulator.pages"

local M = {}

-- ItemType of Microsoft's common/definitions.json, by its name in small letters.
local ITEM_TYPES = {}
for name in ([[
  Dashboard Report SemanticModel PaginatedReport Datamart Lakehouse Eventhouse Environment
  KQLDatabase KQLQueryset KQLDashboard DataPipeline Notebook SparkJobDefinition MLExperiment
  MLModel Warehouse Eventstream SQLEndpoint MirroredWarehouse MirroredDatabase Reflex GraphQLApi
  MountedDataFactory SQLDatabase CopyJob VariableLibrary Dataflow ApacheAirflowJob
  WarehouseSnapshot DigitalTwinBuilder DigitalTwinBuilderFlow MirroredAzureDatabricksCatalog Map
  AnomalyDetector UserDataFunction GraphModel GraphQuerySet SnowflakeDatabase OperationsAgent
  CosmosDBDatabase Ontology EventSchemaSet DataAgent MirroredCatalog AppBackend OrgApp
  OrgAppAudience DataBuildToolJob AzureDatabricksStorage Plan
]]):gmatch("%S+") do ITEM_TYPES[name:lower()] = name end

local COMPUTES = { Spark = true, Jupyter = true, DataWarehouse = true }

local function check_name(value, path, seen)
  if type(value) ~= "string" or value == "" then
    error(("%s: a name is missing (got %s)"):format(path, type(value)), 0)
  end
  -- Two of one name are possible in Fabric; only their ids must differ.
  seen[value] = (seen[value] or 0) + 1
  return seen[value]
end

local function new_item(given, path, workspace, seen, item_type)
  if type(given) == "string" then given = { name = given } end
  if type(given) ~= "table" then error(path .. ": expected a name or a table", 0) end
  local count = check_name(given.name, path .. ".name", seen)
  if given.compute ~= nil and not COMPUTES[given.compute] then
    error(("%s.compute: %s is not one of Spark, Jupyter, DataWarehouse")
      :format(path, tostring(given.compute)), 0)
  end
  local spelled = workspace.name .. "\0" .. given.name .. (count > 1 and "\0" .. count or "")
  return {
    id = (given.id or ids.stable(spelled)):lower(), name = given.name,
    type = given.type or item_type, workspace = workspace, compute = given.compute,
    path = given.path, description = given.description, definition = given,
    started = 0, active = {}, ended = {}, listed = nil,
  }
end

--- Build the catalog; raises naming what is wrong with it.
---@param workspaces table[]  { { name =, id =?, notebooks = { { name =, id =?, compute =? } } } }
---@return table catalog  { list, by_id }
function M.new(workspaces)
  if type(workspaces) ~= "table" then
    error(("workspaces: expected a list, got %s"):format(type(workspaces)), 0)
  end
  local catalog, seen = { list = {}, by_id = {} }, {}
  for index, given in ipairs(workspaces) do
    local path = ("workspaces[%d]"):format(index)
    if type(given) ~= "table" then error(path .. ": expected a table", 0) end
    local count = check_name(given.name, path .. ".name", seen)
    local spelled = given.name .. (count > 1 and "\0" .. count or "")
    local workspace = {
      id = (given.id or ids.stable(spelled)):lower(), name = given.name,
      description = given.description or "", items = {}, by_id = {},
    }
    local names = {}
    for _, group in ipairs { { "notebooks", "Notebook" }, { "items", "Lakehouse" } } do
      for position, notebook in ipairs(given[group[1]] or {}) do
        local item = new_item(notebook, ("%s.%s[%d]"):format(path, group[1], position), workspace,
          names, group[2])
        if workspace.by_id[item.id] then error(path .. ": two items have the id " .. item.id, 0) end
        workspace.items[#workspace.items + 1] = item
        workspace.by_id[item.id] = item
      end
    end
    if catalog.by_id[workspace.id] then
      error(path .. ": two workspaces have the id " .. workspace.id, 0)
    end
    catalog.list[#catalog.list + 1] = workspace
    catalog.by_id[workspace.id] = workspace
    workspace.listed = pages.sorted(workspace.items)
  end
  catalog.listed = pages.sorted(catalog.list)
  return catalog
end

--- Where a workspace has its own host: Fabric's form on Fabric's host, else the emulator itself, so
--- that nobody who follows it leaves this machine.
local function own_endpoint(workspace, base_url)
  local scheme, host = base_url:match("^(https?://)([^/]+)")
  if host ~= "api.fabric.microsoft.com" then return scheme .. host end
  local flat = workspace.id:gsub("-", "")
  return ("https://%s.z%s.w.%s"):format(flat, flat:sub(1, 2), host)
end

local function workspace_json(workspace, route, base_url)
  local value = {
    id = workspace.id, displayName = workspace.name, description = workspace.description,
    type = "Workspace", capacityId = ids.stable("capacity"), capacityRegion = "Central US",
  }
  if (route.query.preferworkspacespecificendpoints or ""):lower() == "true" then
    value.apiEndpoint = own_endpoint(workspace, base_url)
  end
  return value
end

local function item_json(item)
  return {
    id = item.id, type = item.type, displayName = item.name,
    description = item.description or "", workspaceId = item.workspace.id,
  }
end

--- The workspace and the item that a route names.
---@param catalog table
---@param route table
---@param context table  of answers
---@param code string|nil  error code where there is no such item, default ItemNotFound
---@return table|nil workspace, table|nil item, table|nil response  the error answer
function M.find(catalog, route, context, code)
  for _, name in ipairs { "ws", "item" } do
    if route.ids[name] and not ids.is_guid(route.ids[name]) then
      return nil, nil, answers.error(context, "InvalidParameter",
        { message = ("The value '%s' in the URL is not a GUID"):format(route.ids[name]) })
    end
  end
  local workspace = catalog.by_id[(route.ids.ws or ""):lower()]
  if not workspace then return nil, nil, answers.error(context, "WorkspaceNotFound") end
  if not route.ids.item then return workspace end
  local item = workspace.by_id[route.ids.item:lower()]
  if not item then return nil, nil, answers.error(context, code or "ItemNotFound") end
  return workspace, item
end

--- Answer one of the catalog's calls.
---@param service table
---@param route table
---@param context table
---@return table response
function M.answer(service, route, context)
  local name, base_url = route.name, service.settings.base_url
  if name == "list_workspaces" then
    return pages.answer(service, route, context, service.catalog.listed,
      function(workspace) return workspace_json(workspace, route, base_url) end)
  end
  local workspace, item, refusal = M.find(service.catalog, route, context)
  if refusal then return refusal end
  if name == "get_workspace" then
    local value = workspace_json(workspace, route, base_url)
    value.capacityAssignmentProgress = "Completed"
    return answers.ok(context, value)
  end
  if name == "get_item" or name == "get_notebook" then
    if name == "get_notebook" and item.type ~= "Notebook" then
      return answers.error(context, "ItemNotFound")
    end
    return answers.ok(context, item_json(item))
  end
  if (route.query.rootfolderid or "") ~= "" then return answers.error(context, "FolderNotFound") end
  local wanted = name == "list_notebooks" and "notebook" or route.query.type
  local item_type = wanted and ITEM_TYPES[wanted:lower()]
  if wanted and not item_type then return answers.error(context, "InvalidItemType") end
  return pages.answer(service, route, context, workspace.listed, item_json,
    function(candidate) return not item_type or candidate.type == item_type end)
end

return M
