--- One question to a server that gives tokens, asked again while that may help and never earlier
--- than the server allows. What an answer means is the asker's affair.

local errors = require "luafabric.errors"
local redaction = require "luafabric.redaction"

local M = {}

local ATTEMPTS = 4
local FIRST_PAUSE, LONGEST_PAUSE = 1, 60 -- seconds
local LONGEST_ASKED = 300 -- seconds that a server can make us wait
local PATIENT_TIMEOUT, SHORT_TIMEOUT = 30, 10 -- seconds
local MAX_BODY = 65536
local LONGEST_QUOTE = 300
local DEFAULT_LIFE, LONGEST_LIFE = 300, 172800 -- seconds, for answers that make no sense

---@class luafabric.TokenQuestion
---@field where string  who is asked, for messages; holds no secret
---@field request fun(): table  a request as of tasks.request, made anew for each try
---@field read fun(completion: table): table|nil, luafabric.Error|nil  the answer for the cache
---@field attempts? integer  default 4
---@field again? fun(status: integer): boolean|number  whether a status may pass, beside 408, 429
---  and 5xx; a number is the least pause in seconds
---@field unreachable? table  fields for the error when nobody is there

--- A text in application/x-www-form-urlencoded, "%20" for a space.
---@param text string
---@return string
function M.url_encode(text)
  return (text:gsub("[^%w%-._~]", function(char) return ("%%%02X"):format(char:byte()) end))
end

--- Names and values as a query or a form, in the order given.
---@param fields string[][]
---@return string
function M.form(fields)
  local parts = {}
  for _, field in ipairs(fields) do
    parts[#parts + 1] = field[1] .. "=" .. M.url_encode(field[2])
  end
  return table.concat(parts, "&")
end

--- A server's own words, with the secrets hidden that it has no reason to repeat, before any of
--- them is cut in two: one line, not endless.
---@param text string
---@return string
function M.quote(text)
  local line = redaction.text(text):gsub("%c+", " ")
  if #line <= LONGEST_QUOTE then return line end
  return line:sub(1, LONGEST_QUOTE) .. "…"
end

--- Seconds of life as a server says them, as a number or a text; nil when they make no sense.
---@param value any
---@return number|nil
function M.seconds(value)
  local number = tonumber(value)
  if not number or number ~= number or number <= 0 then return nil end
  return math.min(number, LONGEST_LIFE)
end

--- What the cache holds of a token.
---@param token string
---@param life number|nil         seconds
---@param now number              unix seconds
---@param refresh_in number|nil   seconds
---@return { token: string, expires_at: number, refresh_at: number|nil }
function M.answer(token, life, now, refresh_in)
  return { token = token, expires_at = now + (life or DEFAULT_LIFE),
    refresh_at = refresh_in and now + refresh_in }
end

--- The JSON object of an answer; nil when it is none.
---@param completion table
---@return table|nil
function M.decode(completion)
  local value = require("luafabric.json").decode(completion.body or "")
  return type(value) == "table" and value or nil
end

local function transport_error(question, failure)
  local fields = { kind = failure.code == "timeout" and "timeout" or "network",
    message = ("no token from %s: %s"):format(question.where, tostring(failure.message)) }
  for name, value in pairs(question.unreachable or {}) do fields[name] = value end
  return errors.new(fields)
end

--- Whether another try may help, and how long it has to wait at least.
local function repeatable(question, completion)
  local failure, status = completion.failure, completion.status
  if failure then
    return not question.unreachable and failure.code ~= "tls" and failure.code ~= "too_large", 0
  end
  local own = question.again and question.again(status)
  if own then return true, type(own) == "number" and own or 0 end
  return status == 429 or status == 408 or status >= 500, 0
end

local function asked_pause(completion)
  local headers = completion.headers or {}
  return require("luafabric.core").parse_retry_after(headers["retry-after"],
    headers["retry-after-ms"], headers.date) or 0
end

local function try_once(question, io, timeout)
  local request = question.request()
  request.timeout, request.max_body, request.purpose = request.timeout or timeout, MAX_BODY, "token"
  local completion = io.request(request)
  if completion.failure then
    return nil, transport_error(question, completion.failure), completion
  end
  local answer, err = question.read(completion)
  return answer, err, completion
end

--- Asks; waits in between.
---@param question luafabric.TokenQuestion
---@param io table         { now, request, sleep, random }
---@param patient boolean  false: one short try
---@return table|nil answer
---@return luafabric.Error|nil err  `retry_after` says how long the server wants to be left alone
function M.ask(question, io, patient)
  local attempts = patient and (question.attempts or ATTEMPTS) or 1
  for attempt = 1, attempts do
    local answer, err, completion = try_once(question, io,
      patient and PATIENT_TIMEOUT or SHORT_TIMEOUT)
    if answer then return answer end
    local again, least = repeatable(question, completion)
    local asked = again and asked_pause(completion) or 0
    if asked > 0 then err.retry_after = asked end
    if asked > LONGEST_ASKED then
      err.message = ("%s; it asks to be left alone for %d s"):format(err.message, math.ceil(asked))
    end
    if not again or attempt == attempts or asked > LONGEST_ASKED then return nil, err end
    -- Full jitter, never earlier than the server asks.
    local own = io.random() * math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ^ attempt)
    io.sleep(math.max(own, least, asked))
  end
end

return M
