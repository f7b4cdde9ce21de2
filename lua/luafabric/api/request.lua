--- The one place where URLs of Fabric are made: the configured endpoint, a path of fixed words and
--- GUIDs, a query. Nothing that a server sent becomes part of an address but a page's token. Pure.

local core = require "luafabric.core"

local M = {}

-- The largest answers are pages of job instances, about 1 KiB for each of 100.
local MAX_BODY = 4 * 1024 * 1024

local function percent(char)
  return ("%%%02X"):format(char:byte())
end

--- Percent-encodes a value of a query (RFC 3986, everything but unreserved characters).
---@param text string
---@return string
function M.encode(text)
  return (text:gsub("[^A-Za-z0-9%-._~]", percent))
end

--- A continuation token as it came: it is percent-encoded already (recorded: LDEsMTAwMDAwLDA%3D).
--- Only what would end the value or the URL is encoded.
---@param token string
---@return string
function M.encode_token(token)
  return (token:gsub("[^A-Za-z0-9%-._~%%!$'()*+,;:@/?=]", percent))
end

--- A path from a pattern with one %s for each id.
---@param pattern string   as "/workspaces/%s"
---@param ... string       GUIDs; anything else raises, so that no text of others gets into a URL
---@return string
function M.path(pattern, ...)
  for index = 1, select("#", ...) do
    local id = select(index, ...)
    if not core.is_guid(id) then
      error(("request.path: %s is not a GUID"):format(tostring(id)), 2)
    end
  end
  return pattern:format(...)
end

--- A request for a host, without the token.
---@param endpoint string  "https://api.fabric.microsoft.com/v1", no slash at the end
---@param fields { method: string?, path: string, query: string?, body: string?, purpose: string }
---        method: GET unless said; query: encoded already
---@return table request
function M.new(endpoint, fields)
  local url = endpoint .. fields.path
  if fields.query and fields.query ~= "" then url = url .. "?" .. fields.query end
  local headers = { Accept = "application/json" }
  if fields.body then headers["Content-Type"] = "application/json" end
  return { method = fields.method or "GET", url = url, headers = headers, body = fields.body,
    max_body = MAX_BODY, purpose = fields.purpose }
end

--- A query of one page of a list.
---@param token string|nil  of the page before
---@param more string|nil   encoded already
---@return string|nil query
function M.page_query(token, more)
  if not token then return more end
  local page = "continuationToken=" .. M.encode_token(token)
  return more and more .. "&" .. page or page
end

return M
