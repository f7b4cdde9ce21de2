--- The retry of a step, read from what the user wrote; the engine goes by it. Pure.

local duration = require "luafabric.duration"
local mistake = require "luafabric.workflow.mistake"
local ordered = require "luafabric.workflow.ordered"
local tasks = require "luafabric.tasks"

local M = {}

local known = { attempts = true, on = true, interval = true, backoff = true, max_interval = true }

-- What others call them.
local other_words = { delay = "interval", wait = "interval", pause = "interval", count = "attempts",
  max_attempts = "attempts", times = "attempts", tries = "attempts", retries = "attempts",
  factor = "backoff", max_delay = "max_interval" }

-- Outcomes after which a notebook may run again without the risk of a second run.
local allowed = { failed = true, cancelled = true, deduped = true, timed_out = true,
  capacity = true, throttled = true, platform = true }

local refused = {
  unknown = "the run may have started, and a second one would be paid for too",
  unauthorized = "it would be refused again",
  rejected = "it would be refused again",
  succeeded = "there is nothing to repeat",
  skipped = "it did not run",
}

local transient = { "capacity", "throttled", "platform" }

---@class luafabric.workflow.Retry
---@field attempts integer     counts the first
---@field on table<string, boolean>|fun(outcome: string): boolean
---@field interval number      seconds before the second attempt
---@field backoff number       factor from one pause to the next
---@field max_interval number  seconds

M.default = { attempts = 1, on = { failed = true, platform = true }, interval = 30, backoff = 2,
  max_interval = 600 }

local function read_outcome(word, into)
  if word == "transient" then
    for _, outcome in ipairs(transient) do into[outcome] = true end
    return true
  end
  if allowed[word] then
    into[word] = true
    return true
  end
  if refused[word] then
    return nil, ("retry.on: %s cannot be repeated: %s"):format(word, refused[word])
  end
  local near = { transient = true }
  for outcome in pairs(allowed) do near[outcome] = true end
  return nil, ("retry.on: %s is no outcome that can be repeated%s; those are transient (capacity, "
    .. "throttled, platform), failed, cancelled, deduped, timed_out"):format(mistake.show(word),
    mistake.suggest(word, near))
end

local function read_on(on)
  if on == nil then return M.default.on end
  if type(on) == "function" then return on end
  local words = on
  if type(on) == "string" then words = { on } end
  if type(words) ~= "table" then
    return nil, "retry.on: expected an outcome, a list of outcomes, or a function of the outcome, "
      .. "got " .. mistake.show(on)
  end
  local set, count = {}, 0
  for _ in pairs(words) do count = count + 1 end
  if count ~= #words or count == 0 then
    return nil, "retry.on: expected a list of outcomes, as in { \"failed\", \"platform\" }"
  end
  for _, word in ipairs(words) do
    local ok, message = read_outcome(word, set)
    if not ok then return nil, message end
  end
  return set
end

local function read_number(given, field, least, most, whole)
  local value = given[field]
  if value == nil then return M.default[field] end
  local good = type(value) == "number" and value >= least and value <= most
    and (not whole or value % 1 == 0)
  if good then return value end
  return nil, ("retry.%s: expected a %snumber from %d to %d, got %s"):format(field,
    whole and "whole " or "", least, most, mistake.show(value))
end

local function read_seconds(given, field)
  if given[field] == nil then return M.default[field] end
  local seconds, message = duration.parse(given[field])
  if not seconds then return nil, ("retry.%s: %s"):format(field, message) end
  return seconds
end

--- A retry, whole, from what the user gave.
---@param given any
---@return luafabric.workflow.Retry|nil retry
---@return string|nil message
function M.read(given)
  if type(given) ~= "table" then
    local attempts = type(given) == "number" and given or 3
    return nil, ("retry: expected a table: write retry = { attempts = %s }"):format(attempts)
  end
  for name in ordered.pairs(given) do
    if not known[name] then
      local word = other_words[name]
      return nil, ("retry.%s: unknown field%s"):format(tostring(name),
        word and (", did you mean %s?"):format(word) or mistake.suggest(name, known))
    end
  end
  local retry, message = {}
  retry.attempts, message = read_number(given, "attempts", 1, 100, true)
  if not retry.attempts then return nil, message end
  retry.on, message = read_on(given.on)
  if not retry.on then return nil, message end
  retry.interval, message = read_seconds(given, "interval")
  if not retry.interval then return nil, message end
  retry.backoff, message = read_number(given, "backoff", 1, 100)
  if not retry.backoff then return nil, message end
  retry.max_interval, message = read_seconds(given, "max_interval")
  if not retry.max_interval then return nil, message end
  if given.attempts == nil then
    return nil, "retry: attempts is missing: attempts = 3 is two more tries"
  end
  return retry
end

--- Whether an outcome is one after which the step may be attempted again.
---@param retry luafabric.workflow.Retry
---@param outcome string
---@return boolean|nil wanted  nil when the user's function did not say
---@return string|nil message
function M.wants(retry, outcome)
  if not allowed[outcome] then return false end
  if type(retry.on) == "table" then return retry.on[outcome] == true end
  local ok, result = pcall(tasks.forbid_waiting, "the function given as retry.on", retry.on,
    outcome)
  if not ok then return nil, mistake.caught(result, "in the function given as retry.on: ") end
  if type(result) == "boolean" then return result end
  return nil, ("the function given as retry.on must return true or false, it returned %s")
    :format(mistake.show(result))
end

return M
