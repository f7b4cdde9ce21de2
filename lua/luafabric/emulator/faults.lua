-- The fault script: a list of rules that say at which call what goes wrong, or how a run ends. They
-- are checked when they are given; `decide` picks the one that a call meets.
--
--   { { at = "submit", notebook = "Ingest", number = 1, fault = "lost_answer" },
--     { at = "status", number = { 2, 4 }, fault = 503 },
--     { at = "submit", fault = { job = { status = "Deduped" } } } }

local answers = require "luafabric.emulator.answers"
local nearest = require "luafabric.nearest"

local M = {}

local FIELDS = { "at", "notebook", "workspace", "number", "fault", "applied", "retry_after",
  "delay" }
local PLACES = { "submit", "status", "instance", "list", "cancel", "workspaces", "notebooks",
  "token", "device_code", "identity", "livy" }
local PATCH_FIELDS = { "status", "code", "message", "headers", "body", "applied", "retry_after",
  "job" }
local JOB_FIELDS = { "status", "after", "exit_value", "failure_reason" }

-- What each named fault does: `wire` is for the socket (the virtual host knows the same names);
-- `applied` says whether Fabric had taken the request, unless the rule says so itself.
local NAMED = {
  lost_answer = { wire = "fin", applied = true },
  lost_request = { wire = "fin", applied = false },
  reset = { wire = "rst", applied = true },
  half_header = { wire = "half_header", applied = true },
  header_then_reset = { wire = "header_then_rst", applied = true },
  silence = { wire = "silence", applied = true },
  drip = { wire = "drip", applied = true },
  slow = { applied = true },
  no_id = { applied = true, drop = { "Location", "x-ms-job-id" } },
  location_only = { applied = true, drop = { "x-ms-job-id" } },
  job_id_header_only = { applied = true, drop = { "Location" } },
  location_without_id = { applied = true, location = "without_id" },
  foreign_location = { applied = true, location = "foreign" },
  redirect = { applied = false, redirect = true },
  capacity_failure = { applied = true, job = { status = "Failed", capacity = true } },
  -- of lists
  foreign_continuation = { applied = true, page = "foreign" },
  repeated_token = { applied = true, page = "repeated" },
  null_token = { applied = true, page = "null" },
  null_text_token = { applied = true, page = "null_text" },
}
NAMED.fin = NAMED.lost_answer
NAMED.rst = NAMED.reset

local function did_you_mean(word, candidates)
  local near = nearest.find(word, candidates, 1)[1]
  return near and (", did you mean %s?"):format(near) or ""
end

local function check_fields(value, allowed, path)
  local known = {}
  for _, name in ipairs(allowed) do known[name] = true end
  for name in pairs(value) do
    if not known[name] then
      error(("%s.%s: unknown field%s")
        :format(path, tostring(name), did_you_mean(tostring(name), allowed)), 0)
    end
  end
end

local function check_type(value, wanted, path, optional)
  if value == nil and optional then return end
  if type(value) ~= wanted then
    error(("%s: expected a %s, got %s"):format(path, wanted, type(value)), 0)
  end
end

--- A rule's `number` as a first and a last.
local function read_number(number, path)
  if number == nil then return 1, 1 end
  if number == "every" then return 1, math.huge end
  if type(number) == "number" and number >= 1 and number % 1 == 0 then return number, number end
  if type(number) == "table" and type(number[1]) == "number" and type(number[2]) == "number"
    and number[1] >= 1 and number[2] >= number[1] then
    return number[1], number[2]
  end
  error(path .. ': expected 1, 2, …, a pair { from, to }, or "every"', 0)
end

local function read_job(job, path)
  check_type(job, "table", path)
  local steps = job[1] and job or { job }
  for index, step in ipairs(steps) do
    local where = job[1] and ("%s[%d]"):format(path, index) or path
    check_type(step, "table", where)
    check_fields(step, JOB_FIELDS, where)
    check_type(step.status, "string", where .. ".status")
    check_type(step.after, "number", where .. ".after", true)
  end
  return steps
end

local function read_fault(fault, path)
  if type(fault) == "number" then
    if fault < 300 or fault > 599 or fault % 1 ~= 0 then
      error(("%s: %s is not a status from 300 to 599"):format(path, tostring(fault)), 0)
    end
    return { applied = false, status = fault, code = answers.code_of_status[fault] }
  end
  if type(fault) == "string" then
    local named = NAMED[fault]
    if named then return named end
    if answers.errors[fault] then
      return { applied = false, status = answers.errors[fault][1], code = fault }
    end
    local words = {}
    for name in pairs(NAMED) do words[#words + 1] = name end
    for name in pairs(answers.errors) do words[#words + 1] = name end
    table.sort(words)
    error(("%s: %q is not a fault%s"):format(path, fault, did_you_mean(fault, words)), 0)
  end
  if type(fault) ~= "table" then
    error(("%s: expected a name, a status or a table, got %s"):format(path, type(fault)), 0)
  end
  check_fields(fault, PATCH_FIELDS, path)
  check_type(fault.headers, "table", path .. ".headers", true)
  check_type(fault.body, "string", path .. ".body", true)
  check_type(fault.status, "number", path .. ".status", true)
  local effect = { applied = fault.applied, retry_after = fault.retry_after,
    message = fault.message, status = fault.status, code = fault.code, headers = fault.headers,
    body = fault.body }
  if fault.code and not fault.status then
    effect.status = (answers.errors[fault.code] or {})[1] or 400
  end
  if fault.job then effect.job = read_job(fault.job, path .. ".job") end
  if effect.applied == nil then effect.applied = effect.status == nil or effect.status < 300 end
  return effect
end

--- Check a script.
---@param script table[]|nil
---@return table faults  for decide; raises with the path of what is wrong
function M.new(script)
  local faults = { rules = {} }
  check_type(script, "table", "faults", true)
  for index, given in ipairs(script or {}) do
    local path = ("faults[%d]"):format(index)
    check_type(given, "table", path)
    check_fields(given, FIELDS, path)
    local known = {}
    for _, place in ipairs(PLACES) do known[place] = true end
    if not known[given.at] then
      error(("%s.at: %s is not one of %s%s"):format(path, tostring(given.at),
        table.concat(PLACES, ", "), did_you_mean(tostring(given.at), PLACES)), 0)
    end
    check_type(given.notebook, "string", path .. ".notebook", true)
    check_type(given.workspace, "string", path .. ".workspace", true)
    check_type(given.applied, "boolean", path .. ".applied", true)
    check_type(given.retry_after, "number", path .. ".retry_after", true)
    check_type(given.delay, "number", path .. ".delay", true)
    if given.fault == nil and given.delay == nil then error(path .. ".fault: required", 0) end
    local rule = { at = given.at, notebook = given.notebook, workspace = given.workspace, seen = 0,
      applied = given.applied, retry_after = given.retry_after, delay = given.delay,
      effect = read_fault(given.fault == nil and "slow" or given.fault, path .. ".fault") }
    if rule.applied == nil then rule.applied = rule.effect.applied end
    rule.first, rule.last = read_number(given.number, path .. ".number")
    faults.rules[index] = rule
  end
  return faults
end

local function named(wanted, thing)
  if not wanted then return true end
  return thing ~= nil and (thing.name == wanted or thing.id == wanted:lower())
end

--- Count a call and find the rule that it meets, if any: the first in the order of the script.
---@param faults table
---@param kind string  the route's kind
---@param workspace table|nil
---@param item table|nil
---@return table|nil rule
function M.decide(faults, kind, workspace, item)
  local found
  for _, rule in ipairs(faults.rules) do
    if rule.at == kind and named(rule.workspace, workspace) and named(rule.notebook, item) then
      rule.seen = rule.seen + 1
      if not found and rule.seen >= rule.first and rule.seen <= rule.last then found = rule end
    end
  end
  return found
end

local FOREIGN = "https://wabi-elsewhere.example.net/v1"
local RETRY_AFTER = 57 -- seconds; a 429 of Fabric always says how long (recorded: 57)

-- What a page says of the next one, made wrong: a continuationUri of another host, a token that
-- leads to the same page for ever, and the two ways in which "no more" was seen to be written.
local pages = {}

function pages.foreign(body, base_url)
  local wanted = '"continuationUri":"' .. base_url
  local from, to = body:find(wanted, 1, true)
  if not from then return body end
  return body:sub(1, from - 1) .. '"continuationUri":"' .. FOREIGN .. body:sub(to + 1)
end

local function with_token(body, token, uri)
  local bare = body:gsub('"continuation%u%l+":"[^"]*",?', ""):gsub(",}$", "}")
  return (bare:gsub("}$", function()
    return (',"continuationToken":%s,"continuationUri":%s}'):format(token, uri)
  end))
end

function pages.repeated(body, base_url)
  return with_token(body, '"LDE%3D"', '"' .. base_url .. '/workspaces?continuationToken=LDE%3D"')
end

function pages.null(body)
  if body:find('"continuationToken"', 1, true) then return body end
  return with_token(body, "null", "null")
end

function pages.null_text(body)
  if body:find('"continuationToken"', 1, true) then return body end
  return with_token(body, '"null"', '"null"')
end

--- The answer under a fault.
---@param rule table
---@param context table
---@param response table|nil  what Fabric would have answered; nil where it was not applied
---@param base_url string
---@return table response
function M.spoil(rule, context, response, base_url)
  local effect = rule.effect
  local retry_after = rule.retry_after or effect.retry_after
  if effect.redirect then
    response = { status = 307, headers = { ["Location"] = FOREIGN .. "/elsewhere",
      ["Content-Length"] = "0" }, body = "" }
  elseif effect.status and effect.status >= 300 then
    if effect.code == "RequestBlocked" and not effect.message then
      response = answers.blocked(context, retry_after or RETRY_AFTER)
    elseif effect.code then
      response = answers.error(context, effect.code, { status = effect.status,
        message = effect.message, retry_after = effect.status == 429 and RETRY_AFTER or nil })
    else
      response = answers.plain(context, effect.status, { message = effect.message or "no" })
    end
  end
  response = response or { status = 503, headers = {}, body = "" }
  if effect.status and effect.status < 300 then response.status = effect.status end
  if retry_after then response.headers["Retry-After"] = ("%d"):format(math.ceil(retry_after)) end
  for _, name in ipairs(effect.drop or {}) do response.headers[name] = nil end
  local location = response.headers["Location"]
  if location and effect.location == "without_id" then
    response.headers["Location"] = location:gsub("/[%x-]+$", "?jobType=RunNotebook")
    response.headers["x-ms-job-id"] = nil
  elseif location and effect.location == "foreign" then
    response.headers["Location"] = FOREIGN .. location:sub(#base_url + 1)
  end
  for name, value in pairs(effect.headers or {}) do response.headers[name] = value or nil end
  if effect.page and response.status == 200 then
    response.body = pages[effect.page](response.body, base_url)
  end
  response.body = effect.body or response.body
  response.delay = rule.delay
  response.wire = effect.wire
  return response
end

return M
