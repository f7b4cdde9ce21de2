--- Which path and method is answered by whom. The published interface has the same paths, methods
--- and parameters; a spec compares them. Pure.

local nearest = require "luafabric.nearest"
local problem = require "luafabric.service.problem"

local M = {}

---@class luafabric.service.Route
---@field method string
---@field path string               with {name} where a segment can be anything
---@field room string               the module of service/ that answers
---@field answer string             its function(service, request) -> response | nil, problem
---@field query table<string, boolean>|nil  parameters that it takes
---@field is_open boolean|nil       no authorization is needed
---@field is_page boolean|nil       … where the check is one of tokens

local function set(...)
  local found = {}
  for _, name in ipairs { ... } do found[name] = true end
  return found
end

---@type luafabric.service.Route[]
M.routes = {
  { method = "GET", path = "/", room = "pages", answer = "asset", is_page = true,
    query = set("run", "before", "workflow", "state") }, -- places of the page, for its script
  { method = "GET", path = "/page.css", room = "pages", answer = "asset", is_page = true },
  { method = "GET", path = "/page.js", room = "pages", answer = "asset", is_page = true },
  { method = "GET", path = "/healthz", room = "health", answer = "answer", is_open = true },
  { method = "GET", path = "/metrics", room = "metrics", answer = "answer" },
  { method = "GET", path = "/openapi.json", room = "openapi", answer = "answer" },
  { method = "GET", path = "/workflows", room = "looking", answer = "workflows" },
  { method = "POST", path = "/workflows/{workflow}/runs", room = "placing", answer = "workflow",
    query = set "on_duplicate" },
  { method = "POST", path = "/notebooks/{workspace}/{notebook}/runs", room = "placing",
    answer = "notebook", query = set "on_duplicate" },
  { method = "GET", path = "/runs", room = "listing", answer = "answer",
    query = set("limit", "before", "workflow", "state") },
  { method = "GET", path = "/runs/{run}", room = "looking", answer = "run",
    query = set("steps", "step") },
  { method = "GET", path = "/runs/{run}/events", room = "stream", answer = "answer",
    query = set("from", "follow") },
  { method = "GET", path = "/runs/{run}/view", room = "pages", answer = "view" },
  { method = "POST", path = "/runs/{run}/cancel", room = "cancelling", answer = "answer" },
  { method = "POST", path = "/runs/{run}/repair", room = "placing", answer = "repair" },
}

for _, route in ipairs(M.routes) do
  route.segments = {}
  for segment in route.path:gmatch("[^/]+") do route.segments[#route.segments + 1] = segment end
end

--- What stands in the places of a route's names, or nil: the path is another one.
local function match(route, segments)
  if #route.segments ~= #segments then return nil end
  local params = {}
  for index, wanted in ipairs(route.segments) do
    local name = wanted:match("^{(.*)}$")
    if not name and wanted ~= segments[index] then return nil end
    if name and segments[index] == "" then return nil end
    if name then params[name] = segments[index] end
  end
  return params
end

--- Finds the route of a path, for a method.
---@param method string
---@param segments string[]
---@return luafabric.service.Route|nil route  nil: the path has no such method, or is none
---@return table<string, string>|nil params
---@return string[] methods  that the path has; none: there is no such path
function M.find(method, segments)
  local methods, found, params = {}, nil, nil
  local wanted = method == "HEAD" and "GET" or method
  for _, route in ipairs(M.routes) do
    local given = match(route, segments)
    if given then
      methods[#methods + 1] = route.method
      if route.method == "GET" then methods[#methods + 1] = "HEAD" end
      if route.method == wanted then found, params = route, given end
    end
  end
  if #methods > 0 then methods[#methods + 1] = "OPTIONS" end
  return found, params, methods
end

--- Refuses parameters that the route does not take.
---@param route luafabric.service.Route
---@param query table<string, string>
---@return boolean|nil ok
---@return luafabric.service.Problem|nil err
function M.check_query(route, query)
  local known = route.query or {}
  for name in pairs(query) do
    if not known[name] then
      local names = {}
      for word in pairs(known) do names[#names + 1] = word end
      table.sort(names)
      local near = nearest.find(name, names, 1)[1]
      local hint = near and ("did you mean %s?"):format(near)
        or #names > 0 and "there is " .. table.concat(names, ", ") or "there is none"
      return nil, problem.new("bad-query",
        ("the query has a parameter that is not known here; %s"):format(hint))
    end
  end
  return true
end

return M
