--- Who may use the service. Closed unless the configuration gives a check: tokens (RFC 6750), which
--- are compared in a time that tells nothing of them, or a function. Nothing of what a request gave
--- as its authorization is in any answer.

local core = require "luafabric.core"
local problem = require "luafabric.service.problem"
local tasks = require "luafabric.tasks"

local M = {}

local REALM = 'Bearer realm="luafabric"'
local SHORTEST = 16 -- characters of a token; a shorter one can be guessed
local SOMEBODY = "token" -- who has a token without a name

-- ---- tokens ----

local function read_token(token, place)
  if type(token) ~= "string" or not token:find("^[%w%-._~+/]+=*$") then
    return nil, place .. ": a token is letters, digits and -._~+/ (RFC 6750)"
  end
  if #token >= SHORTEST then return token end
  return nil, ("%s: the token is shorter than %d characters; make one with: openssl rand -hex 32")
    :format(place, SHORTEST)
end

--- The tokens of a table: a list, or by name.
---@param given table<string|integer, string>
---@return { name: string, token: string }[]|nil tokens
---@return string|nil message  which tells nothing of a token
function M.read_tokens(given)
  local list = {}
  for name, value in pairs(given) do
    local token, message = read_token(value, tostring(name))
    if not token then return nil, message end
    list[#list + 1] = { name = type(name) == "string" and name or SOMEBODY, token = token }
  end
  if #list == 0 then return nil, "there is none" end
  return list
end

--- The tokens of a file's text: lines "TOKEN" or "NAME TOKEN"; empty ones and those with a # do not
--- count.
---@param text string
---@return { name: string, token: string }[]|nil tokens
---@return string|nil message  which tells nothing of a token
function M.parse_tokens(text)
  local list, number = {}, 0
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    local words = {}
    for word in line:gsub("^%s*#.*$", ""):gmatch("%S+") do words[#words + 1] = word end
    if #words > 2 then return nil, ("line %d: expected NAME TOKEN, or TOKEN"):format(number) end
    if #words > 0 then
      local token, message = read_token(words[#words], "line " .. number)
      if not token then return nil, message end
      list[#list + 1] = { name = words[2] and words[1] or SOMEBODY, token = token }
    end
  end
  if #list == 0 then return nil, "there is no token in it" end
  return list
end

local function read_file(path)
  local file, message = io.open(path, "rb")
  local text
  if file then
    text, message = file:read("*a")
    file:close()
  end
  return text, message
end

--- The tokens of the file as it is now: one that was taken out opens nothing any more.
local function tokens_of_file(service, path)
  local text, message = read_file(path)
  local known = service.token_file
  if text and known and known.text == text then return known.list end
  local list
  if text then list, message = M.parse_tokens(text) end
  service.token_file = list and { text = text, list = list }
  if list then return list end
  service:log(("the file of tokens %s cannot be used: %s"):format(path, tostring(message)))
  return nil, problem.new("access-unavailable",
    "the service's file of tokens cannot be used; its log says why")
end

local function all_tokens(service, check)
  if not check.token_file then return M.read_tokens(check.tokens) end
  local list, err = tokens_of_file(service, check.token_file)
  if not list or not check.tokens then return list, err end
  local all = M.read_tokens(check.tokens)
  for _, entry in ipairs(list) do all[#all + 1] = entry end
  return all
end

local function unauthorized(detail, more)
  return nil, problem.new("unauthorized", detail,
    { headers = { ["WWW-Authenticate"] = REALM .. (more or "") } })
end

--- The token of a request.
local function bearer(request)
  local given = request.headers.authorization
  if not given then
    return unauthorized("give a token: Authorization: Bearer TOKEN")
  end
  local scheme, rest = given:match("^(%S+)%s*(.-)%s*$")
  if not scheme or scheme:lower() ~= "bearer" then
    return unauthorized("the authorization is of another kind: give Authorization: Bearer TOKEN")
  end
  if rest:find("^[%w%-._~+/]+=*$") then return rest end
  return nil, problem.new("bad-authorization", "what follows Bearer is not one token",
    { headers = { ["WWW-Authenticate"] = REALM .. ', error="invalid_request"' } })
end

local function check_token(service, check, request)
  local tokens, err = all_tokens(service, check)
  if not tokens then return nil, err end
  local given
  given, err = bearer(request)
  if not given then return nil, err end
  local found
  -- All of them, whichever it is.
  for _, entry in ipairs(tokens) do
    if core.equal(entry.token, given) then found = found or entry end
  end
  if found then return found.name end
  return unauthorized("the token is none that this service knows", ', error="invalid_token"')
end

-- ---- a function ----

local function check_function(service, check, request)
  local ok, who, why = pcall(tasks.forbid_waiting, "the function given as check", check, request)
  if not ok then
    service:log("the function given as check raised: " .. tostring(who))
    return nil, problem.new("access-unavailable",
      "the service's own check of access failed; its log says why")
  end
  if who == true then return "user" end
  if type(who) == "string" and who ~= "" then return who end
  return nil, problem.new("forbidden", type(why) == "string" and why
    or "the service's configuration does not let this request pass")
end

-- ---- the question ----

--- Who sends a request.
---@param service luafabric.Service
---@param request luafabric.service.Request
---@return string|nil who
---@return luafabric.service.Problem|nil err
function M.check(service, request)
  local check = service.options.check
  if not check then
    return nil, problem.new("no-access-configured", "this service is closed: its configuration "
      .. "gives no check. Add check = { token_file = \"…\" }, or a function")
  end
  if type(check) == "function" then return check_function(service, check, request) end
  return check_token(service, check, request)
end

--- Whether what holds no data is given to everybody, so that a browser gets the page into which the
--- token is typed.
---@param service luafabric.Service
---@return boolean
function M.is_page_open(service)
  return type(service.options.check) == "table"
end

return M
