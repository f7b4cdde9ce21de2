--- What Fabric, or something in front of it, answered: JSON where it is JSON, and errors in every
--- shape that was seen. Texts of others are bounded, and lose secrets and control characters. Pure.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local redaction = require "luafabric.redaction"

local M = {}

local MAX_CODE, MAX_MESSAGE, MAX_QUOTE = 200, 1000, 120 -- bytes
local MAX_ERROR_BODY = 256 * 1024
local MAX_DETAILS = 20

-- Loaded when there is something to read: the first request goes out before.
local function decode(text)
  return require("luafabric.json").decode(text)
end

--- A text of others as one line of at most `longest` bytes, cut between characters; nil when it is
--- none, or empty.
---@param value any
---@param longest integer|nil
---@return string|nil
function M.text(value, longest)
  if type(value) ~= "string" then return nil end
  longest = longest or MAX_MESSAGE
  local line = redaction.known(value) -- before a cut leaves a part of one
  if #line > longest then
    line = line:sub(1, longest):gsub("[\192-\255][\128-\191]*$", "") .. "…"
  end
  line = line:gsub("%c+", " "):match("^%s*(.-)%s*$")
  if line == "" then return nil end
  return line
end

--- A value without null.
---@param value any
---@return any
function M.present(value)
  if value == core.null then return nil end
  return value
end

--- Seconds that the answer asks to wait; nil when it asks nothing.
---@param completion table
---@return number|nil
function M.retry_after(completion)
  local headers = completion.headers or {}
  return core.parse_retry_after(headers["retry-after"], headers["retry-after-ms"], headers.date)
end

--- The id that Fabric gave the request (its header has no x-ms-; recorded).
---@param completion table
---@return string|nil
function M.request_id(completion)
  return M.text((completion.headers or {}).requestid, MAX_CODE)
end

--- The object of a 2xx answer.
---@param completion table
---@return table|nil value
---@return string|nil message
function M.object(completion)
  local value, message = decode(completion.body or "")
  if type(value) == "table" then return value end
  return nil, message or "not a JSON object"
end

-- Where a page's title or first words are looked for.
local MAX_QUOTED = 4096

--- What a body that is no JSON shows: a page's title, or its first words.
local function quote(completion)
  local body = (completion.body or ""):sub(1, MAX_QUOTED)
  local title = M.text(body:match("<[tT][iI][tT][lL][eE][^>]*>%s*([^<]*)"), MAX_QUOTE)
  if title then return ("a page titled \"%s\""):format(title) end
  local words = M.text(body, MAX_QUOTE)
  return words and ("\"%s\""):format(words)
end

local function details(value)
  if type(value) ~= "table" or #value == 0 then return nil end
  local list = {}
  for index = 1, math.min(#value, MAX_DETAILS) do list[index] = value[index] end
  return list
end

--- Fabric's error fields of an answer, whatever of them is there.
---@param completion table
---@return { code: string|nil, message: string|nil, request_id: string|nil, retriable: boolean|nil,
---  more_details: table|nil, related_resource: table|nil }
function M.error_fields(completion)
  local headers, body = completion.headers or {}, completion.body or ""
  local value = #body <= MAX_ERROR_BODY and decode(body) or nil
  local found = { code = M.text(headers["x-ms-public-api-error-code"], MAX_CODE),
    request_id = M.request_id(completion) }
  if type(value) ~= "table" then
    found.message = quote(completion)
    return found
  end
  -- The front end of Power BI nests: {"error":{"code","message"}}.
  local inner = type(value.error) == "table" and value.error or value
  found.code = M.text(inner.errorCode, MAX_CODE) or M.text(inner.code, MAX_CODE) or found.code
    or M.text(value.error, MAX_CODE)
  found.message = M.text(inner.message)
  found.request_id = M.text(inner.requestId, MAX_CODE) or found.request_id
  if type(inner.isRetriable) == "boolean" then found.retriable = inner.isRetriable end
  found.more_details = details(inner.moreDetails)
  if type(inner.relatedResource) == "table" then found.related_resource = inner.relatedResource end
  return found
end

--- An error object from an answer that was no success.
---@param completion table
---@param kind luafabric.ErrorKind
---@param head string  what was tried: `Fabric refused to run Sales/Ingest`
---@param tail string|nil  what to do
---@return luafabric.Error
function M.error(completion, kind, head, tail)
  local fields = M.error_fields(completion)
  local said = fields.message or fields.code or "no reason given"
  local message = head .. ": " .. said
  if tail then message = message:gsub("%.$", "") .. ". " .. tail end
  return errors.new { kind = kind, message = message, status = completion.status,
    code = fields.code, request_id = fields.request_id, retriable = fields.retriable,
    retry_after = M.retry_after(completion), more_details = fields.more_details,
    related_resource = fields.related_resource, sent = completion.sent }
end

return M
