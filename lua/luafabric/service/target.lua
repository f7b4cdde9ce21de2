--- The target of a request, "/runs/7f3a12?limit=5": segments are parted before they are decoded, so
--- that an escaped slash parts nothing, and whatever could be a trick is refused: ways up, control
--- bytes, what is not UTF-8. Pure.

local core = require "luafabric.core"
local problem = require "luafabric.service.problem"

local M = {}

local LONGEST = 4096 -- bytes
local MOST_PAIRS = 32

---@class luafabric.service.Target
---@field path string                   as it was sent
---@field segments string[]             decoded
---@field query table<string, string>   decoded

local function refuse(kind, message, ...)
  return nil, problem.new(kind, message:format(...))
end

local function is_utf8(text)
  return core.encode_json(text) ~= nil
end

--- Decodes percents; what is there must be text.
---@param text string
---@return string|nil decoded
---@return string|nil reason
local function decode(text)
  if text:gsub("%%%x%x", ""):find("%", 1, true) then
    return nil, "has a % without two hexadecimal digits"
  end
  local decoded = text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end)
  if decoded:find("[%z\1-\31\127]") then return nil, "has a control character" end
  if not is_utf8(decoded) then return nil, "is not UTF-8" end
  return decoded
end

local function read_segment(text)
  local segment, reason = decode(text)
  if not segment then return nil, reason end
  if segment == "." or segment == ".." then return nil, "has a . or .. in it" end
  if segment:find("\\", 1, true) then return nil, "has a \\ in it" end
  return segment
end

local function read_path(path)
  if path == "/" then return {} end
  local segments = {}
  for text in path:sub(2):gsub("$", "/"):gmatch("([^/]*)/") do
    local segment, reason = read_segment(text)
    if not segment then return refuse("bad-target", "the path %s", reason) end
    segments[#segments + 1] = segment
  end
  return segments
end

local function read_query(text)
  local query, count = {}, 0
  for pair in text:gmatch("[^&]+") do
    count = count + 1
    if count > MOST_PAIRS then return refuse("bad-query", "the query has too many parameters") end
    local name, value = pair:match("^([^=]*)=?(.*)$")
    local reason
    name, reason = decode((name:gsub("+", " ")))
    if not reason then value, reason = decode((value:gsub("+", " "))) end
    if reason then return refuse("bad-query", "the query %s", reason) end
    if query[name] then return refuse("bad-query", "the query has '%s' twice", name) end
    query[name] = value
  end
  return query
end

--- Reads a target.
---@param text string
---@return luafabric.service.Target|nil target
---@return luafabric.service.Problem|nil err
function M.read(text)
  if #text > LONGEST then
    return refuse("target-too-long", "the path and query are longer than %d bytes", LONGEST)
  end
  if text:find("[%z\1-\32\127#]") then
    return refuse("bad-target", "the path has a space, a control character or a # in it")
  end
  if text:sub(1, 1) ~= "/" then
    return refuse("bad-target", "the target is no path: it must begin with /")
  end
  local path, rest = text:match("^([^?]*)%??(.*)$")
  local segments, err = read_path(path)
  if not segments then return nil, err end
  local query
  query, err = read_query(rest)
  if not query then return nil, err end
  return { path = path, segments = segments, query = query }
end

return M
