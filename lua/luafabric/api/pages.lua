--- Paged lists: the token of the next page. Both `continuationToken` and `continuationUri` are
--- absent on the last page, but null and the text "null" were seen too. The uri is never fetched:
--- only the token is taken, and spliced into a URL of ours. Pure.

local M = {}

-- A list this long is no list: Fabric's pages hold 100 entries or more.
M.MAX_PAGES = 1000

local function usable(token)
  return type(token) == "string" and token ~= "" and token ~= "null"
end

--- The token of the page after this one; nil at the end.
---@param value table   the decoded page
---@param seen table    tokens of this list so far; kept here
---@return string|nil token
---@return string|nil message  why the list makes no sense; the token is nil then
function M.next_token(value, seen)
  local token, uri = value.continuationToken, value.continuationUri
  if not usable(token) then
    token = usable(uri) and uri:match("[?&]continuationToken=([^&#]*)") or nil
  end
  if not usable(token) then return nil end
  if seen[token] then return nil, "the list of pages goes round in a circle" end
  seen[token] = true
  seen.count = (seen.count or 1) + 1
  if seen.count > M.MAX_PAGES then
    return nil, ("the list has more than %d pages"):format(M.MAX_PAGES)
  end
  return token
end

--- The entries of a page that are objects.
---@param value table
---@return table[]|nil entries
---@return string|nil message
function M.entries(value)
  local list = value.value
  if type(list) ~= "table" then return nil, "a page without a list in \"value\"" end
  local entries = {}
  for _, entry in ipairs(list) do
    if type(entry) == "table" then entries[#entries + 1] = entry end
  end
  return entries
end

return M
