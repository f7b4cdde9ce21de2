--- What is wrong with a request, as RFC 9457 has it: application/problem+json. Each kind has its
--- status and its title here, and nowhere else; the published interface is made from this table.
--- A detail is one sentence for whoever sent the request, and tells nothing of this machine: no
--- path, no token, no secret. Pure.

local core = require "luafabric.core"

local M = {}

local TYPE = "urn:luafabric:problem:"

--- By the last word of a problem's type.
---@type table<string, { [1]: integer, [2]: string }>
M.kinds = {
  ["bad-target"] = { 400, "The path cannot be read" },
  ["bad-query"] = { 400, "The query cannot be read" },
  ["bad-header"] = { 400, "A header cannot be read" },
  ["bad-json"] = { 400, "The body is not JSON" },
  ["bad-authorization"] = { 400, "The authorization cannot be read" },
  ["ambiguous-run"] = { 400, "Several runs begin so" },
  ["unauthorized"] = { 401, "A token is needed" },
  ["no-access-configured"] = { 403, "No access is configured" },
  ["forbidden"] = { 403, "Access was refused" },
  ["cross-site"] = { 403, "The request comes from another site" },
  ["no-such-path"] = { 404, "There is no such path" },
  ["unknown-workflow"] = { 404, "There is no such workflow" },
  ["unknown-run"] = { 404, "There is no such run" },
  ["unknown-step"] = { 404, "The run has no such step" },
  ["method-not-allowed"] = { 405, "The path has no such method" },
  ["duplicate-run"] = { 409, "A run with the same key has not ended" },
  ["run-ended"] = { 409, "The run has ended" },
  ["run-not-ended"] = { 409, "The run has not ended" },
  ["nothing-to-repair"] = { 409, "There is nothing to repair" },
  ["being-repaired"] = { 409, "The run is being repaired, or was" },
  ["nobody-runs-it"] = { 409, "Nobody runs the run" },
  ["body-too-large"] = { 413, "The body is too large" },
  ["target-too-long"] = { 414, "The path is too long" },
  ["media-type"] = { 415, "The body is of another type" },
  ["invalid-request"] = { 422, "The request has mistakes" },
  ["invalid-inputs"] = { 422, "The inputs do not fit the workflow" },
  ["idempotency-key-reused"] = { 422, "The Idempotency-Key belongs to another request" },
  ["broken-workflow"] = { 500, "The workflow's file has a mistake" },
  ["secret-not-configured"] = { 500, "A secret of the workflow is not configured" },
  ["internal"] = { 500, "Something went wrong in the service" },
  ["store-unavailable"] = { 503, "The store of runs cannot be used" },
  ["access-unavailable"] = { 503, "Access cannot be checked" },
}

---@class luafabric.service.Problem
---@field kind string
---@field detail string
---@field errors { pointer: string, detail: string }[]|nil  places in the body (RFC 6901)
---@field headers table<string, string>|nil
---@field more table|nil  further members
local Problem = {}
Problem.__index = Problem
Problem.__name = "luafabric.service.problem"

function Problem:__tostring()
  return self.detail
end

--- A problem.
---@param kind string
---@param detail string
---@param given { errors: table[]|nil, headers: table|nil, more: table|nil }|nil
---@return luafabric.service.Problem
function M.new(kind, detail, given)
  if not M.kinds[kind] then error("problem.new: no such kind: " .. tostring(kind), 2) end
  given = given or {}
  return setmetatable({ kind = kind, detail = detail, errors = given.errors,
    headers = given.headers, more = given.more }, Problem)
end

---@param value any
---@return boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == Problem
end

--- The members of the document.
---@param problem luafabric.service.Problem
---@return table
function M.fields(problem)
  local status, title = M.kinds[problem.kind][1], M.kinds[problem.kind][2]
  local fields = { type = TYPE .. problem.kind, title = title, status = status,
    detail = problem.detail, errors = problem.errors and core.json_array(problem.errors) }
  for name, value in pairs(problem.more or {}) do fields[name] = value end
  return fields
end

--- The type of a kind, as a URI.
---@param kind string
---@return string
function M.type_of(kind)
  return TYPE .. kind
end

--- The answer.
---@param problem luafabric.service.Problem
---@return luafabric.service.Response
function M.response(problem)
  local headers = { ["Content-Type"] = "application/problem+json" }
  for name, value in pairs(problem.headers or {}) do headers[name] = value end
  local status = M.kinds[problem.kind][1]
  if status == 503 then headers["Retry-After"] = headers["Retry-After"] or "5" end
  return { status = status, headers = headers,
    body = require("luafabric.view.run_document").encode(M.fields(problem)) .. "\n" }
end

return M
