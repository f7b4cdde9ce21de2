--- The words and signs for what happens in a workflow's run, the same in the live table, in lines,
--- in the summary and in the reports. Pure.

local core = require "luafabric.core"
local duration = require "luafabric.duration"
local json = require "luafabric.json"
local types = require "luafabric.types"

local M = {}

---@type table<string, { sign: string, tone: string }>
local outcomes = {
  succeeded = { sign = "✓", tone = "good" },
  skipped = { sign = "-", tone = "faint" },
  cancelled = { sign = "✗", tone = "careful" },
  timed_out = { sign = "✗", tone = "careful" },
  unknown = { sign = "?", tone = "bad" },
}
local failure = { sign = "✗", tone = "bad" }

--- The sign of an outcome and the name of its colour.
---@param outcome string
---@return string sign
---@return string tone  "good", "bad", "careful", "faint"
function M.sign(outcome)
  local known = outcomes[outcome] or failure
  return known.sign, known.tone
end

local outcome_words = { timed_out = "timed out", unauthorized = "not authorised" }

--- An outcome for people.
---@param outcome string|nil
---@return string
function M.outcome(outcome)
  return outcome_words[outcome] or outcome or "running"
end

local causes = {
  throttled = "quota (429)", capacity = "capacity (430)", network = "Fabric not reached",
  platform = "Fabric's own error", doubt = "whether Fabric took the submission",
  intent = "another process's submission is not settled",
  not_started = "Fabric did not get the submission", unknown = "the submission may be lost",
}

--- Whether a step that runs waits, for another attempt or for Fabric to take this one.
---@param step luafabric.StepState
---@return boolean
function M.is_waiting(step)
  if step.phase ~= "running" or step.items then return false end
  local last = step.attempts[#step.attempts]
  return step.retry ~= nil or last ~= nil and last.state == "waiting"
end

--- How far a step is that has not ended.
---@param step luafabric.StepState
---@return "not begun"|"waiting"|"running"
function M.phase(step)
  if step.phase == "pending" then return "not begun" end
  return (step.phase == "ready" or M.is_waiting(step)) and "waiting" or "running"
end

--- A value as a text; objects and lists as JSON.
---@param value any
---@return string
function M.value(value)
  if types.is(value) then value = value.value end
  if value == json.null then return "null" end
  return type(value) == "table" and json.encode(value) or tostring(value)
end

--- What a submission waits for.
---@param cause string
---@return string
function M.cause(cause)
  return causes[cause] or tostring(cause)
end

--- A count and its noun.
---@param count integer
---@param noun string
---@return string
function M.count(count, noun)
  return ("%d %s%s"):format(count, noun, count == 1 and "" or "s")
end

--- Which run: "nightly 7f3a12". Of a GUID its first eight digits are enough.
---@param state luafabric.WorkflowRun
---@return string
function M.run(state)
  local id = tostring(state.run_id or "")
  if #id == 36 and id:find("^%x+%-%x+%-%x+%-%x+%-%x+$") then id = id:sub(1, 8) end
  return (("%s %s"):format(tostring(state.workflow or "workflow"), id):gsub(" $", ""))
end

--- The time of day in UTC.
---@param at number  unix seconds
---@return string    "13:28:05"
function M.clock(at)
  local second = math.floor(at) % 86400
  return ("%02d:%02d:%02d"):format(math.floor(second / 3600), math.floor(second % 3600 / 60),
    second % 60)
end

--- `2026-11-23 13:00:00 UTC`
---@param at number|nil  unix seconds
---@return string|nil
function M.time(at)
  if not at then return nil end
  return (core.format_time(math.max(0, at)):gsub("T", " "):gsub("Z$", " UTC"))
end

--- How long something took or takes; a clock that went back counts as no time.
---@param from number|nil
---@param to number|nil
---@return string|nil
function M.span(from, to)
  if not from or not to then return nil end
  return duration.format(math.max(0, to - from))
end

--- Like `span`, in whole seconds: for a clock that ticks before one's eyes.
---@param from number|nil
---@param to number|nil
---@return string|nil
function M.ticking(from, to)
  if not from or not to then return nil end
  return duration.format(math.floor(math.max(0, to - from)))
end

--- When a step began: with its first attempt, or when it could.
---@param step luafabric.StepState
---@return number|nil
function M.begun_at(step)
  local first = step.attempts[1]
  return first and first.intended_at or step.ready_at
end

--- Where the end of a step comes from that was not run; nil of all others.
---@param step luafabric.StepState
---@return string|nil  "kept from run 7f3a12"
function M.kept(step)
  local kept = step.kept
  if not kept then return nil end
  return ("%s from run %s"):format(kept.why == "once" and "reused" or "kept",
    tostring(kept.run_id))
end

--- How long a step took; nil of one that did nothing.
---@param step luafabric.StepState  ended
---@return string|nil
function M.took(step)
  if step.outcome == "skipped" or step.kept then return nil end
  return M.span(M.begun_at(step), step.ended_at)
end

--- Which attempts are meant by "attempt 2/3": those that a full capacity sent back do not count.
---@param step luafabric.StepState
---@return integer number
---@return string of  "2/3", or "2" where it is not known how many there may be
function M.attempts(step)
  local number = 0
  for index, attempt in ipairs(step.attempts) do
    if attempt.outcome ~= "capacity" or index == #step.attempts then number = number + 1 end
  end
  if step.max_attempts then return number, ("%d/%d"):format(number, step.max_attempts) end
  return number, tostring(number)
end

local function text_of(value)
  if value == nil or value == "" or value == json.null then return nil end
  return M.value(value)
end

--- What Fabric said of a failed run: `column day (PARSE_ERROR)`.
---@param value any  Fabric's failureReason: a table with errorCode and message, or a text
---@return string|nil
function M.failure_reason(value)
  if type(value) ~= "table" or value == json.null then return text_of(value) end
  local code, message = text_of(value.errorCode), text_of(value.message)
  if code and message and not message:find(code, 1, true) then
    return ("%s (%s)"):format(message, code)
  end
  return message or code
end

--- Why an attempt did not succeed, as somebody said it.
---@param attempt luafabric.AttemptState
---@return string|nil
function M.attempt_reason(attempt)
  local reason = M.failure_reason(attempt.failure_reason)
  if reason then return reason end
  return attempt.error and text_of(attempt.error.message)
end

-- `upstream: clean[us]`, `condition: …`; nothing is said twice.
local function skip_reason(reason)
  local said = text_of(reason.message) or text_of(reason.step)
  if not said or said == reason.kind then return reason.kind end
  if said:sub(1, #reason.kind) == reason.kind then return said end
  if reason.step and not said:find(reason.step, 1, true) then said = reason.step .. ": " .. said end
  return reason.kind .. ": " .. said
end

--- Why a step ended as it did; nil where there is nothing to say. Skipped: `upstream: clean[us]`.
---@param step luafabric.StepState
---@return string|nil
function M.reason(step)
  local reason = step.reason
  if step.outcome == "succeeded" then return nil end
  if reason and step.outcome == "skipped" then return skip_reason(reason) end
  if reason and reason.message then
    -- "cancelled" says nothing more of a step that is cancelled.
    return reason.message ~= M.outcome(step.outcome) and reason.message or nil
  end
  local last = step.attempts[#step.attempts]
  local said = last and M.attempt_reason(last)
  if said then return said end
  return reason and reason.kind ~= step.outcome and skip_reason(reason) or nil
end

--- The counts of an `each`: how many items ended, failed, were skipped.
---@param step luafabric.StepState
---@return { all: integer, ended: integer, failed: integer, skipped: integer, succeeded: integer,
---  running: integer }
function M.items(step)
  local all = step.items and #step.items or 0
  local ended = all - (step.open or all)
  local failed, succeeded = step.failed or 0, step.succeeded or 0
  return { all = all, ended = ended, failed = failed, succeeded = succeeded,
    skipped = math.max(0, ended - failed - succeeded), running = step.running or 0 }
end

--- An `each`'s counts as words: `14/24  ✗1  4 running`.
---@param step luafabric.StepState
---@return { [1]: string, [2]: string|nil }[] pieces  texts with the names of their colours
function M.item_pieces(step)
  local counts = M.items(step)
  local pieces = { { ("%d/%d"):format(counts.ended, counts.all) } }
  if counts.failed > 0 then pieces[#pieces + 1] = { "✗" .. counts.failed, "bad" } end
  if counts.skipped > 0 then
    pieces[#pieces + 1] = { ("%d skipped"):format(counts.skipped), "faint" }
  end
  if counts.running > 0 and step.phase ~= "ended" then
    pieces[#pieces + 1] = { ("%d running"):format(counts.running) }
  end
  return pieces
end

--- Whether a step's run is on in Fabric, or may be: "running", or "unknown" while the answer of its
--- submission is on its way, or was lost.
---@param step luafabric.StepState
---@return "running"|"unknown"|nil
function M.under_way(step)
  local last = step.phase == "running" and step.attempts[#step.attempts]
  if not last then return nil end
  if last.state == "submitted" then return "running" end
  return (last.state == "intended" or last.state == "unknown") and "unknown" or nil
end

--- The same run without the pages of its attempts: those of an emulator are nowhere.
---@param state luafabric.WorkflowRun
---@return luafabric.WorkflowRun
function M.without_pages(state)
  local function copy_of(from, changed)
    for name, value in pairs(from) do
      if changed[name] == nil then changed[name] = value end
    end
    return setmetatable(changed, getmetatable(from))
  end
  local steps = {}
  for path, step in pairs(state.steps) do
    local attempts = {}
    for index, attempt in ipairs(step.attempts) do
      attempts[index] = copy_of(attempt, { links = false })
    end
    steps[path] = copy_of(step, { attempts = attempts })
  end
  for _, step in pairs(steps) do
    local items = step.items and {}
    for index, item in ipairs(step.items or {}) do items[index] = steps[item.path] end
    step.items = items
  end
  return copy_of(state, { steps = steps })
end

--- The pages of an attempt in Fabric, the one that says most first. Only what is a web address.
---@param links table<string, string>|nil
---@return { name: string, url: string }[]
function M.links(links)
  local order = { executionSnapshotUrl = 1, sparkJobDetailsUrl = 2, sparkUiUrl = 3,
    driverLogUrl = 4 }
  local shown = { executionSnapshotUrl = "snapshot", sparkJobDetailsUrl = "Spark job",
    sparkUiUrl = "Spark UI", driverLogUrl = "driver log" }
  local names = {}
  for name, url in pairs(links or {}) do
    if type(url) == "string" and url:find("^[Hh][Tt][Tt][Pp][Ss]?://[^%c%s]+$") then
      names[#names + 1] = name
    end
  end
  table.sort(names, function(a, b)
    local x, y = order[a] or 9, order[b] or 9
    if x ~= y then return x < y end
    return a < b
  end)
  local list = {}
  for index, name in ipairs(names) do
    list[index] = { name = shown[name] or name, url = links[name] }
  end
  return list
end

return M
