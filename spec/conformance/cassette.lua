-- Reads the recordings of Microsoft's fabric-cli (VCR cassettes): just the YAML that they are made
-- of, namely block maps, lists, and plain, single- and double-quoted scalars.

local M = {}

local function unquote(text)
  local quote = text:sub(1, 1)
  if quote == "'" then return (text:sub(2, -2):gsub("''", "'")) end
  if quote ~= '"' then return text end
  return (text:sub(2, -2):gsub("\\(.)", { n = "\n", ['"'] = '"', ["\\"] = "\\" }))
end

local function closed(text)
  local quote = text:sub(1, 1)
  if quote ~= "'" and quote ~= '"' then return true end
  if #text < 2 then return false end
  local inner = text:sub(2):gsub(quote == "'" and "''" or "\\.", "")
  return inner:sub(-1) == quote
end

--- The interactions of a cassette: { request = { method, uri, body }, response = { status, headers,
--- body } }, headers by their recorded names.
---@param path string
---@return table[]
function M.read(path)
  local interactions, current, part, header
  interactions = {}
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  local index = 1
  while index <= #lines do
    local line = lines[index]
    -- A quoted scalar goes on until its quote; a line break in it is a space.
    local lead, text = line:match("^(.-[:%-] )(['\"].*)$")
    while lead and not closed(text) do
      index = index + 1
      text = text:gsub("\\$", "") .. (text:sub(-1) == "\\" and "" or " ")
        .. lines[index]:gsub("^%s+\\?", "")
    end
    line = lead and lead .. text or line
    if line == "- request:" then
      current = { request = { headers = {} }, response = { headers = {} } }
      interactions[#interactions + 1], part = current, current.request
    elseif line == "  response:" then
      part = current.response
    elseif current then
      local name, value = line:match("^%s+([%w%-]+): ?(.*)$")
      local element = line:match("^%s+%- (.*)$")
      if element and header then
        part.headers[header] = unquote(element)
      elseif name == "method" or name == "uri" then
        part[name] = value
      elseif name == "code" then
        part.status = tonumber(value)
      elseif name == "string" or name == "body" and value ~= "" and part == current.request then
        part.body = value ~= "null" and unquote(value) or nil
      elseif name and value == "" then
        header = name
      end
    end
    index = index + 1
  end
  return interactions
end

return M
