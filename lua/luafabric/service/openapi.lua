--- The published interface of the service, as an OpenAPI 3.1 document: every path, parameter,
--- status and shape. The specs check every answer against it.

local core = require "luafabric.core"
local json = require "luafabric.json"
local looking = require "luafabric.service.looking"
local operations = require "luafabric.service.openapi_operations"
local problem = require "luafabric.service.problem"
local router = require "luafabric.service.router"
local schemas = require "luafabric.service.openapi_schemas"
local version = require "luafabric.version"

local M = {}

local array = core.json_array

local DESCRIPTION = [[
Orders, shows, cancels and repairs runs of workflows of Microsoft Fabric notebooks. What is ordered
is on the disk before the answer; one worker carries it out. What is wrong is told as
application/problem+json.]]

local header_names = { "Cache-Control", "X-Content-Type-Options" }

local function headers_of(more)
  local headers = {}
  for _, list in ipairs { header_names, more or {} } do
    for _, name in ipairs(list) do
      headers[name] = { ["$ref"] = "#/components/headers/" .. name }
    end
  end
  return headers
end

-- ---- problems ----

-- What can be wrong wherever the store, the check, a query or a body is looked at.
local common = { "bad-target", "target-too-long", "bad-query", "internal" }
local guarded = { "bad-authorization", "unauthorized", "no-access-configured", "forbidden",
  "access-unavailable" }
local posted = { "cross-site", "body-too-large", "media-type", "bad-json", "invalid-request" }

local headers_by_status = { [400] = { "WWW-Authenticate" }, [401] = { "WWW-Authenticate" },
  [503] = { "Retry-After" } }

local function kinds_of(route, operation)
  local kinds = {}
  local function add(list)
    for _, kind in ipairs(list) do kinds[kind] = true end
  end
  add(common)
  if not route.is_open then add(guarded) end
  if route.method == "POST" then add(posted) end
  if operation.uses_store then add { "store-unavailable" } end
  add(operation.problems or {})
  return kinds
end

local function add_problems(responses, kinds)
  local by_status = {}
  for kind in pairs(kinds) do
    local status = problem.kinds[kind][1]
    by_status[status] = by_status[status] or {}
    table.insert(by_status[status], kind)
  end
  for status, list in pairs(by_status) do
    table.sort(list)
    local titles, examples = {}, {}
    for index, kind in ipairs(list) do
      local title = problem.kinds[kind][2]
      titles[index] = title
      examples[kind] = { value = { type = problem.type_of(kind), title = title, status = status,
        detail = title } }
    end
    responses[("%d"):format(status)] = { description = table.concat(titles, "; ") .. ".",
      headers = headers_of(headers_by_status[status]),
      content = { ["application/problem+json"] = { schema = schemas.ref "Problem",
        examples = examples } } }
  end
end

-- ---- operations ----

local function response_of(given)
  local response = { description = given.description, headers = headers_of(given.headers) }
  if given.schema then
    response.content = { [given.type or "application/json"] = {
      schema = type(given.schema) == "string" and schemas.ref(given.schema) or given.schema,
      example = given.example } }
  end
  for name, schema in pairs(given.also or {}) do
    response.content[name] = { schema = type(schema) == "string" and schemas.ref(schema) or schema }
  end
  return response
end

local function parameters_of(route)
  local list = array {}
  for _, segment in ipairs(route.segments) do
    local name = segment:match("^{(.*)}$")
    if name then
      list[#list + 1] = { name = name, ["in"] = "path", required = true,
        description = operations.parameters[name].description,
        schema = operations.parameters[name].schema }
    end
  end
  local names = {}
  for name in pairs(route.query or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    list[#list + 1] = { name = name, ["in"] = "query",
      description = operations.query[name].description, schema = operations.query[name].schema }
  end
  return list
end

local function operation_of(route, given)
  local parameters = parameters_of(route)
  for _, name in ipairs(given.headers or {}) do
    parameters[#parameters + 1] = { ["$ref"] = "#/components/parameters/" .. name }
  end
  local responses = {}
  for status, response in pairs(given.responses) do
    responses[("%d"):format(status)] = response_of(response)
  end
  add_problems(responses, kinds_of(route, given))
  local operation = { operationId = given.id, summary = given.summary,
    description = given.description, tags = array { given.tag }, parameters = parameters,
    responses = responses }
  if route.is_open or route.is_page then operation.security = array {} end
  if given.body then
    operation.requestBody = { required = false, content = { ["application/json"] = {
      schema = schemas.ref(given.body), example = given.body_example } } }
  end
  return operation
end

local function paths()
  local found = {}
  for _, route in ipairs(router.routes) do
    local given = operations.all[route.method .. " " .. route.path]
    found[route.path] = found[route.path] or {}
    found[route.path][route.method:lower()] = operation_of(route, given)
  end
  return found
end

-- ---- the document ----

local function header(description, more)
  local schema = { type = "string" }
  for name, value in pairs(more or {}) do schema[name] = value end
  return { description = description, schema = schema }
end

local function components()
  return {
    schemas = schemas.all(), parameters = operations.headers,
    securitySchemes = { token = { type = "http", scheme = "bearer",
      description = "A token of the service's configuration (RFC 6750); a configured function may "
        .. "ask for something else." } },
    headers = {
      ["Cache-Control"] = header "Runs change all the time: no-store.",
      ["X-Content-Type-Options"] = header("", { enum = { "nosniff" } }),
      ["Cross-Origin-Opener-Policy"] = header "same-origin.",
      ETag = header "Of what it is now.", ["Referrer-Policy"] = header "no-referrer.",
      ["Content-Security-Policy"] = header "Nothing but what the service itself gives.",
      Location = header "The run: /runs/{run}.",
      ["WWW-Authenticate"] = header "As RFC 6750 has it.",
      ["Retry-After"] = header("Seconds.", { pattern = "^[0-9]+$" }),
    },
  }
end

--- The document.
---@return table
function M.document()
  return { openapi = "3.1.0", info = { title = "luafabric", version = version,
    description = DESCRIPTION, license = { name = "MIT", identifier = "MIT" } },
    servers = { { url = "/" } }, security = array { { token = array {} } },
    tags = { { name = "runs", description = "Order, look, cancel, repair." },
      { name = "workflows", description = "What can be run." },
      { name = "service", description = "The service itself." },
      { name = "page", description = "For browsers." } },
    paths = paths(), components = components() }
end

local encoded -- it is the same as long as the process lives

--- GET /openapi.json
---@return luafabric.service.Response
function M.answer()
  encoded = encoded or assert(json.encode(M.document()))
  return looking.json(200, encoded)
end

return M
