-- Answers against the interface that the service publishes: the status is one that the document has
-- for the path and method, its headers are named there, and its body has the shape.

local json = require "luafabric.json"
local openapi = require "luafabric.service.openapi"
local schema = require "spec.conformance.schema"

local M = {}

local NAME = "service"

--- The document, as a client reads it.
M.document = assert(json.decode(openapi.answer().body))
schema.add(NAME, M.document)

-- What any answer may have without being named: they are of HTTP itself.
local of_http = { ["Content-Type"] = true, ["Content-Length"] = true, Allow = true,
  ["X-Accel-Buffering"] = true }

local function matches(template, path)
  local pattern = template:gsub("[%-%.]", "%%%0"):gsub("{%w+}", "[^/]+")
  return path:find("^" .. pattern .. "$") ~= nil
end

local function operation_of(method, target)
  local path = target:match("^[^?]*")
  local name = (method == "HEAD" and "GET" or method):lower()
  for template, operations in pairs(M.document.paths) do
    if matches(template, path) then return operations[name], name .. " " .. template end
  end
end

local function check_headers(where, response, declared)
  for _, name in ipairs { "Cache-Control", "X-Content-Type-Options" } do
    assert(response.headers[name], where .. ": no header " .. name)
  end
  for name in pairs(response.headers) do
    assert(of_http[name] or declared[name], ("%s: the header %s is not published"):format(where,
      name))
  end
end

local function check_body(where, response, content)
  local kind = (response.headers["Content-Type"] or ""):match("^[^;]*")
  if response.body == nil or response.body == "" then return end
  local media = content and content[kind]
  assert(media, ("%s: a body of type %s is not published"):format(where, kind))
  local value = response.value or response.body
  local problems = schema.problems(value, media.schema, NAME)
  assert(#problems == 0, ("%s:\n  %s\n%s"):format(where, table.concat(problems, "\n  "),
    response.body))
end

-- What is no operation of the document: an unknown path, a method that the path has not.
local function check_other(where, response)
  local status = response.status
  local is_known = status == 204 or status == 304 or status >= 400 and status < 600
  assert(is_known, ("%s: %d for what is not published"):format(where, status))
  if status == 204 then return assert(response.headers.Allow, where .. ": no Allow") end
  local problems = schema.problems(response.value, M.document.components.schemas.Problem, NAME)
  assert(#problems == 0 or response.body == "", where .. ": " .. table.concat(problems, "; "))
end

--- Checks an answer; raises for what is not published.
function M.check(method, target, response)
  local where = ("%s %s -> %d"):format(method, target, response.status)
  local operation = operation_of(method, target)
  local is_other = not operation or method == "OPTIONS" or response.status == 405
  if is_other then return check_other(where, response) end
  local declared = operation.responses[("%d"):format(response.status)]
  assert(declared, where .. ": the status is not published")
  check_headers(where, response, declared.headers)
  check_body(where, response, declared.content)
end

return M
