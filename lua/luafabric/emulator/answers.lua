-- What the emulator says: Fabric's usual headers, its times, and its error bodies with the status
-- that belongs to each code. Header names and the empty body labelled gzip are those of Microsoft's
-- recorded traffic (github.com/microsoft/fabric-cli, tests/test_commands/recordings).

local json = require "luafabric.json"

local M = {}

--- Error code -> HTTP status and message. The codes are those that Microsoft's OpenAPI files name
--- or that were recorded; where neither gives the status, it is the usual one for the meaning.
M.errors = {
  -- requests
  BadRequest = { 400, "The request could not be understood or was malformed" },
  InvalidParameter = { 400, "The value of a request parameter is invalid" },
  InvalidJobType = { 400, "The requested job type is invalid" },
  InvalidItemType = { 400, "The requested item type is invalid" },
  ComputeTypeMismatch = { 400, "The compute type provided in the request does not align with the "
    .. "compute type configured in the notebook content" },
  JobAlreadyCompleted = { 400, "The job instance has already been completed" },
  OperationNotSupportedForItem = { 400, "Operation is not supported for the requested item" },
  OperationHasNoResult = { 400, "The operation has no result" },
  PrincipalTypeNotSupported = { 400, "The operation is not supported for the principal type" },
  UnknownError = { 400, "An error occurred while processing the operation" },
  UnsupportedSku = { 400, "The capacity's SKU does not support the operation" },
  WorkspaceHasNoCapacityAssigned = { 400, "The workspace has no assigned capacity" },
  -- identity and permissions
  Unauthorized = { 401, "The caller is not authenticated to access this resource" },
  TokenExpired = { 401, "Access token has expired, resubmit with a new access token" },
  MissingMinimalPermissions = { 403,
    "The caller does not have sufficient permissions to run job instance" },
  InsufficientPrivileges = { 403,
    "The caller does not have sufficient permissions to access the requested resource" },
  InsufficientScopes = { 403,
    "The caller does not have sufficient scopes to perform this operation" },
  FeatureNotAvailable = { 403, "The feature is not available" },
  -- things
  ItemNotFound = { 404, "The requested item could not be found" },
  WorkspaceNotFound = { 404, "The requested workspace could not be found" },
  EntityNotFound = { 404, "The requested resource could not be found" },
  ScheduleNotFound = { 404, "The requested schedule could not be found" },
  FolderNotFound = { 404, "The requested folder could not be found" },
  CapacityNotActive = { 404, "The capacity is not active" },
  SparkCoreItemNotFound = { 404, "Notebook identifier does not exist" },
  SparkCoreSessionNotFound = { 404, "Livy identifier does not exist" },
  -- limits
  RequestBlocked = { 429, "Request is blocked by the upstream service" },
  TooManyRequestsForJobs = { 429, "The caller is making too many run on-demand job requests",
    retriable = true },
  TooManyRequestsForCapacity = { 430, "[TooManyRequestsForCapacity] HTTP Response code 430: this "
    .. "Spark job can't be run because you have hit a Spark compute or API rate limit. To run this "
    .. "Spark job, cancel an active Spark job through the Monitoring hub, choose a larger capacity "
    .. "SKU, or try again later" },
  -- the service
  InternalError = { 500, "An internal error occurred", retriable = true },
  SparkCoreUnexpectedException = { 500, "Unhandled exception occurred" },
  BadGateway = { 502, "The upstream service gave no usable answer", retriable = true },
  WorkloadUnavailable = { 503, "The workload is temporarily unavailable", retriable = true },
  GatewayTimeout = { 504, "The upstream service did not answer in time", retriable = true },
}

--- The code that stands for a bare status in a fault script.
M.code_of_status = {
  [400] = "BadRequest", [401] = "Unauthorized", [403] = "InsufficientPrivileges",
  [404] = "EntityNotFound", [429] = "RequestBlocked", [430] = "TooManyRequestsForCapacity",
  [500] = "InternalError", [502] = "BadGateway", [503] = "WorkloadUnavailable",
  [504] = "GatewayTimeout",
}

local function headers(context, exposed)
  return {
    ["Date"] = os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(context.now)),
    ["RequestId"] = context.request_id,
    ["Access-Control-Expose-Headers"] = exposed or "RequestId",
    ["Cache-Control"] = "no-store, must-revalidate, no-cache",
    ["Pragma"] = "no-cache",
    ["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains",
    ["X-Content-Type-Options"] = "nosniff",
    ["X-Frame-Options"] = "deny",
    ["home-cluster-uri"] = "https://wabi-emulator-redirect.analysis.windows.net/",
    ["request-redirected"] = "true",
  }
end

--- A 200 with a JSON body.
---@param context { request_id: string, now: number }
---@param value table
---@return table response
function M.ok(context, value)
  local body, message = json.encode(value)
  if not body then return M.error(context, "InternalError", { message = message }) end
  local response = { status = 200, headers = headers(context), body = body }
  response.headers["Content-Type"] = "application/json; charset=utf-8"
  return response
end

--- A 202 as recorded: no body, yet labelled gzip.
---@param context table
---@param location string
---@param retry_after number  seconds
---@return table response
function M.accepted(context, location, retry_after)
  local response = {
    status = 202,
    headers = headers(context, "RequestId,Location,Retry-After"),
    body = "",
  }
  response.headers["Content-Type"] = "application/octet-stream"
  response.headers["Content-Encoding"] = "gzip"
  response.headers["Location"] = location
  response.headers["Retry-After"] = ("%d"):format(math.ceil(retry_after))
  return response
end

--- A message may quote a request that is not UTF-8.
local function valid(text)
  if json.encode(text) then return text end
  return (text:gsub("[\128-\255]", "?"))
end

--- An error of Fabric.
---@param context table
---@param code string  errorCode, of M.errors or any other (then status is needed)
---@param options { status: integer?, message: string?, retry_after: number?,
---  more_details: table? }|nil
---@return table response
function M.error(context, code, options)
  options = options or {}
  local known = M.errors[code] or {}
  local response = { status = options.status or known[1] or 400, headers = headers(context) }
  local body = {
    requestId = context.request_id,
    errorCode = code,
    message = valid(options.message or known[2] or "The request failed"),
    moreDetails = options.more_details and json.array(options.more_details) or nil,
  }
  if code ~= "RequestBlocked" then body.isRetriable = known.retriable or false end
  if options.retry_after then
    response.headers["Retry-After"] = ("%d"):format(math.ceil(options.retry_after))
  end
  if response.status == 401 then
    response.headers["WWW-Authenticate"] = 'Bearer realm="emulator"'
  end
  response.headers["Content-Type"] = "application/json; charset=utf-8"
  response.headers["x-ms-public-api-error-code"] = code
  response.body = assert(json.encode(body))
  return response
end

--- The quota's 429: its message carries a date of local form, the header carries seconds.
---@param context table
---@param seconds number  until the window ends
---@return table response
function M.blocked(context, seconds)
  local wait = math.max(1, math.ceil(seconds))
  local at = os.date("!*t", math.floor(context.now) + wait)
  local hour = at.hour % 12
  local clock = ("%d:%02d:%02d %s"):format(hour == 0 and 12 or hour, at.min, at.sec,
    at.hour < 12 and "AM" or "PM")
  local message = ("Request is blocked by the upstream service until: %d/%d/%d %s (UTC)")
    :format(at.month, at.day, at.year, clock)
  return M.error(context, "RequestBlocked", { message = message, retry_after = wait })
end

--- An answer of something in front of Fabric, or of Entra: JSON, with none of Fabric's headers.
---@param context table
---@param status integer
---@param value table
---@return table response
function M.plain(context, status, value)
  return {
    status = status,
    headers = {
      ["Date"] = headers(context).Date,
      ["Content-Type"] = "application/json; charset=utf-8",
      ["Cache-Control"] = "no-store",
    },
    body = assert(json.encode(value)),
  }
end

--- startTimeUtc and endTimeUtc: no zone, 0 to 7 digits of fraction, trailing zeros dropped.
---@param at number  unix seconds
---@return string
function M.time(at)
  local whole = math.floor(at)
  local text = os.date("!%Y-%m-%dT%H:%M:%S", whole)
  local fraction = ("%07d"):format(math.floor((at - whole) * 1e7)):gsub("0+$", "")
  if fraction == "" then return text end
  return text .. "." .. fraction
end

--- The Livy times, which do carry an offset.
---@param at number  unix seconds
---@return string
function M.time_with_offset(at)
  return M.time(at) .. "+00:00"
end

return M
