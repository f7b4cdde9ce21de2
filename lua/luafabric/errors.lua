--- The one error object of luafabric: what the world did wrong, as a table with a kind, a message
--- for people and whatever Fabric said about it. Bad arguments are raised instead. An error holds
--- no secret: they are taken out when it is made.

local redaction = require "luafabric.redaction"

local M = {}

local Error = {}
Error.__index = Error
Error.__name = "luafabric.error"

--- What an error is about; the command's exit code follows from it.
---@alias luafabric.ErrorKind
---| "usage"          # bad local input: a file, a value, an option
---| "configuration"  # no token configured, a bad endpoint, a missing program or library
---| "network"        # Fabric was surely not reached, or an answer could not be read
---| "timeout"        # the time given was used up
---| "unauthorized"   # 401, 403, or no token to be had
---| "not_found"      # no such workspace, notebook or run
---| "ambiguous_name" # two things of one name
---| "rejected"       # Fabric refused the request (4xx)
---| "throttled"      # 429 for longer than allowed
---| "capacity"       # 430 for longer than allowed
---| "platform"       # 5xx, or an answer of Fabric that makes no sense
---| "cancelled"      # ended on request
---| "unknown"        # the fate of a submission is not known
---| "raised"         # Lua code raised; the message is its own, see traceback

---@class luafabric.Error
---@field kind luafabric.ErrorKind
---@field message string            one or two sentences: what happened, where, what to do
---@field status integer|nil        HTTP status
---@field code string|nil           Fabric's errorCode, or AADSTS number
---@field request_id string|nil     Fabric's requestId, for support
---@field retry_after number|nil    seconds, as the server said
---@field retriable boolean|nil     as the server said
---@field more_details table|nil    Fabric's moreDetails
---@field related_resource table|nil Fabric's relatedResource
---@field sent "no"|"maybe"|"yes"|nil whether the request may have reached the server
---@field traceback string|nil      where Lua code raised (kind "raised")

local kinds = {
  usage = true, configuration = true, network = true, timeout = true, unauthorized = true,
  not_found = true, ambiguous_name = true, rejected = true, throttled = true, capacity = true,
  platform = true, cancelled = true, unknown = true, raised = true,
}

-- What others wrote, beside the texts.
local foreign = { more_details = true, related_resource = true }

--- Makes an error of the given fields; further fields are kept as they are.
---@param fields table  kind and message are required
---@return luafabric.Error
function M.new(fields)
  if not kinds[fields.kind] then
    error("errors.new: kind: " .. tostring(fields.kind) .. " is no kind of error", 2)
  end
  if type(fields.message) ~= "string" then
    error("errors.new: message: expected a string, got " .. type(fields.message), 2)
  end
  local err = {}
  for name, value in pairs(fields) do
    if type(value) == "string" or foreign[name] then value = redaction.value(value) end
    err[name] = value
  end
  return setmetatable(err, Error)
end

--- True for a value made by `errors.new`.
---@param value any
---@return boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == Error
end

--- The message, then code, status and request id where they are there and not already said:
--- `no such notebook (ItemNotFound, HTTP 404, request 7f3a…)`.
function Error:__tostring()
  local facts = {}
  local function add(fact, shown)
    if fact ~= nil and not self.message:find(tostring(fact), 1, true) then
      facts[#facts + 1] = shown:format(tostring(fact))
    end
  end
  add(self.code, "%s")
  add(self.status, "HTTP %s")
  add(self.request_id, "request %s")
  if #facts == 0 then return self.message end
  return self.message .. " (" .. table.concat(facts, ", ") .. ")"
end

return M
