-- Checks a JSON value against published definitions, as far as they go: Microsoft's (OpenAPI 2) and
-- our own service's (OpenAPI 3.1). References, between files too, allOf, anyOf, discriminators,
-- types, formats, enumerations, required fields; and that no field is one that the definitions
-- lack. The slips of Microsoft's specification are named here.

local json = require "luafabric.json"
local shared = require "spec.support.shared"

local M = {}

local ROOT = "specs/fabric-rest-api-specs/"
local documents = {}

-- Fields that are null in the published samples and the recordings although the schema says string
-- or object.
local NULLABLE = { failureReason = true, exitValue = true, endTimeUtc = true,
  continuationToken = true, continuationUri = true }

--- A file of the specification; nil where it is not beside the checkout.
---@param name string  e.g. "notebook/swagger.json"
function M.document(name)
  if documents[name] == nil then
    local path = shared.path(ROOT .. name)
    if not path then return nil end
    local file = assert(io.open(path, "rb"))
    documents[name] = assert(json.decode(file:read("*a")))
    file:close()
  end
  return documents[name]
end

--- Knows a document that is in no file.
function M.add(name, document)
  documents[name] = document
end

local function resolve(reference, base)
  local name, definition = reference:match("^([^#]*)#/(.+)$")
  local file = base
  if name ~= "" then
    local folder = base:match("^(.*/)") or ""
    file = folder .. name:gsub("^%./", "")
    local changes = 1
    while changes > 0 do file, changes = file:gsub("[^/]+/%.%./", "", 1) end
    file = file:gsub("^Common/", "common/") -- one reference has the wrong letter case
  end
  local found = M.document(file)
  for part in definition:gmatch("[^/]+") do found = found and found[part] end
  return assert(found, "no definition " .. reference), file
end

--- The schema that the discriminator's value chooses.
local function specialised(schema, value, base)
  local name = schema.discriminator
  if not name or type(value) ~= "table" then return nil end
  for _, candidate in pairs(M.document(base).definitions) do
    if candidate["x-ms-discriminator-value"] == value[name] then
      for _, parent in ipairs(candidate.allOf or {}) do
        if parent["$ref"] and (resolve(parent["$ref"], base)) == schema then
          return candidate, base
        end
      end
    end
  end
  return nil
end

local function is_type(value, name)
  if type(name) == "table" then
    for _, one in ipairs(name) do
      if is_type(value, one) then return true end
    end
    return false
  end
  if name == "null" then return value == json.null end
  if name == "string" then return type(value) == "string" end
  if name == "boolean" then return type(value) == "boolean" end
  if name == "number" then return type(value) == "number" end
  if name == "integer" then return type(value) == "number" and value % 1 == 0 end
  if name == "array" then return type(value) == "table" and (next(value) == nil or #value > 0) end
  return type(value) == "table" and #value == 0
end

local FORMATS = {
  uuid = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$",
  ["date-time"] = "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d[%d.]*[Z+-]",
  uri = "^https?://",
}

local check

--- All properties of a schema and its parents, each with the file it is in.
local function properties_of(schema, base, into)
  for name, property in pairs(schema.properties or {}) do into[name] = { property, base } end
  for _, parent in ipairs(schema.allOf or {}) do
    local found, file = resolve(parent["$ref"], base)
    properties_of(found, file, into)
  end
  return into
end

local function required_of(schema, base, into)
  for _, name in ipairs(schema.required or {}) do into[name] = true end
  for _, parent in ipairs(schema.allOf or {}) do
    local found, file = resolve(parent["$ref"], base)
    required_of(found, file, into)
  end
  return into
end

local function check_object(value, schema, base, path, problems)
  local special, file = specialised(schema, value, base)
  local rest = schema.additionalProperties
  if special then schema, base = special, file end
  local properties = properties_of(schema, base, {})
  for name in pairs(required_of(schema, base, {})) do
    if value[name] == nil then problems[#problems + 1] = path .. "." .. name .. ": missing" end
  end
  for name, field in pairs(value) do
    local property = properties[name]
    if not property and rest then
      if type(rest) == "table" then check(field, rest, base, path .. "." .. name, problems) end
    elseif not property then
      problems[#problems + 1] = ("%s.%s: not in the specification"):format(path, name)
    elseif field ~= json.null or not NULLABLE[name] then
      check(field, property[1], property[2], path .. "." .. name, problems)
    end
  end
end

function check(value, schema, base, path, problems)
  if schema["$ref"] then
    local found, file = resolve(schema["$ref"], base)
    return check(value, found, file, path, problems)
  end
  if schema.anyOf then
    for _, one in ipairs(schema.anyOf) do
      local found = {}
      check(value, one, base, path, found)
      if #found == 0 then return end
    end
    problems[#problems + 1] = path .. ": none of what it may be"
    return
  end
  local kind = schema.type or (schema.properties or schema.allOf) and "object"
  if not kind then return end
  if not is_type(value, kind) then
    problems[#problems + 1] = ("%s: %s is no %s"):format(path, tostring(value),
      type(kind) == "table" and table.concat(kind, " or ") or kind)
    return
  end
  local format = type(value) == "string" and FORMATS[schema.format]
  if format and not value:find(format) then
    problems[#problems + 1] = ("%s: %s is no %s"):format(path, value, schema.format)
  end
  if schema.enum then
    local known = {}
    for _, one in ipairs(schema.enum) do known[one] = true end
    if not known[value] then
      problems[#problems + 1] = ("%s: %s is not in the enumeration"):format(path, value)
    end
  end
  if type(value) ~= "table" then return end
  if schema.items and (#value > 0 or kind == "array") then
    for index, element in ipairs(value) do
      check(element, schema.items, base, ("%s[%d]"):format(path, index), problems)
    end
  elseif schema.properties or schema.allOf or schema.additionalProperties ~= nil
    or kind == "object" then
    check_object(value, schema, base, path, problems)
  end
end

--- Check a value against a schema of a file.
---@return string[] problems  sorted
function M.problems(value, schema, base)
  local problems = {}
  check(value, schema, base, "$", problems)
  table.sort(problems)
  return problems
end

--- The operation of a path and method. The paths' keys may contain the query.
---@param file string  "notebook/swagger.json"
---@return table operation
function M.operation(file, method, path)
  for key, operations in pairs(M.document(file).paths) do
    if key:match("^[^?]*") == path and operations[method] then return operations[method] end
  end
  error("no operation " .. method .. " " .. path)
end

--- Check an answer against what the specification says of its operation and status.
---@return string[] problems
function M.answer_problems(file, operation, status, value)
  local response = operation.responses[tostring(status)] or operation.responses.default
  if not response.schema then
    return value == nil and {} or { "$: a body where the specification has none" }
  end
  return M.problems(value, response.schema, file)
end

return M
