--- What became of a submission that is in doubt, from the notebook's runs as Fabric lists them.
--- Only what is proven is concluded: whose run it is, or that there is none. Everything else stays
--- unknown, and nothing is sent again. Pure.

local core = require "luafabric.core"

local M = {}

--- Seconds until an accepted run is surely listed, and the longest that a lost request may be on
--- its way before Fabric takes it: nobody promises either.
M.VISIBLE, M.LATE = 30, 300

--- Seconds for a list that cannot be read although all is settled, as after a long pause, when the
--- network may not be there yet: only then the fate stays unknown.
M.UNREADABLE = 300
local LOOK_AGAIN = 30 -- seconds

-- Without any answer that says Fabric's time: seconds that the clocks may be apart.
local UNMEASURED = 60
-- A run's time and the answer's Date come from different machines of Fabric.
local MARGIN = 5

-- ---- the clocks ----

---@class luafabric.Skew  how far Fabric's clock is ahead of ours: between low and high, seconds
---@field low number
---@field high number

--- Takes one more answer into what is known of the clocks. Where it contradicts the earlier ones, a
--- clock was set, and it alone counts.
---@param skew luafabric.Skew|nil
---@param sent number      unix seconds here, when the request went out
---@param received number  … when its answer came
---@param date number|nil  unix seconds of its Date, whole ones
---@return luafabric.Skew|nil
function M.measure(skew, sent, received, date)
  if not date or received < sent then return skew end
  local low, high = date - received, date + 1 - sent
  if not skew or low > skew.high or high < skew.low then return { low = low, high = high } end
  return { low = math.max(low, skew.low), high = math.min(high, skew.high) }
end

--- How far around an intent a run's own time may lie.
---@param skew luafabric.Skew|nil
---@return number before  seconds: it started at the intent less these, or later
---@return number after   seconds, on top of the time it may have taken
function M.bounds(skew)
  if not skew then return UNMEASURED, UNMEASURED end
  return MARGIN - skew.low, MARGIN + skew.high
end

-- ---- candidates ----

local ours = { Execute = true, RunNotebook = true }

local function is_tagged(row, tag)
  return tag ~= nil and row.name ~= nil and row.name:find(tag, 1, true) ~= nil
end

--- Whether a run can be the submission's at all: "no", "yes", or "perhaps" where Fabric does not
--- say enough. Only a "yes" is ever adopted; a "perhaps" is enough not to send again.
---@param row table
---@param given luafabric.Doubt
---@return "no"|"yes"|"perhaps"
local function fits(row, given)
  local intent = given.intent
  if given.claimed and given.claimed[row.job_id] then return "no" end
  if row.invoke_type == "Scheduled" then return "no" end
  if given.tag_proven and intent.tag and row.name and not is_tagged(row, intent.tag) then
    return "no"
  end
  local started = row.started_at and core.parse_time(row.started_at)
  if not started then return "perhaps" end
  if started < intent.at - given.before then return "no" end
  -- It may show when it began, and not when it was accepted: a queue is no proof.
  if started > given.settled + given.after then return "perhaps" end
  return ours[row.job_type] and row.invoke_type == "Manual" and "yes" or "perhaps"
end

--- The run that is the submission's, whatever else there may be.
local function proven(given)
  local intent, found, how = given.intent, nil, nil
  for _, row in ipairs(given.rows) do
    local is_free = not (given.claimed and given.claimed[row.job_id])
    local by
    local root = row.root_activity_id
    if root and intent.request_id and root:lower() == intent.request_id:lower() then
      by = "request_id"
    elseif given.tag_proven and is_tagged(row, intent.tag) then
      by = "tag"
    end
    if by and is_free then
      if found and found ~= row.job_id then return nil, nil, true end
      found, how = row.job_id, by
    end
  end
  return found, how
end

local function candidates(given)
  local list, certain = {}, true
  for _, row in ipairs(given.rows) do
    local fit = fits(row, given)
    if fit ~= "no" then list[#list + 1] = row.job_id end
    certain = certain and fit ~= "perhaps"
  end
  return list, certain
end

--- The ids of those that carry the tag: worth a word where it decides nothing.
local function evidence(given)
  local list = {}
  for _, row in ipairs(given.rows) do
    if is_tagged(row, given.intent.tag) then list[#list + 1] = row.job_id end
  end
  return list
end

-- ---- the decision ----

---@class luafabric.Doubt
---@field intent { at: number, tag: string|nil, request_id: string|nil, accepted: boolean|nil,
---  sent_by: number|nil }
---  at: unix seconds when it was sent, or intended; sent_by: … until which it may have been sent,
---  where that is not known better; request_id: of an answer that named no run;
---  accepted: it was a 202, so that there is a run, and it is never sent again
---@field rows table[]|nil    all runs that Fabric lists, of api.jobs, with `name`: of the session,
---  where it is known; nil: the list could not be read
---@field claimed table<string, boolean>|nil  ids of the runs that are known to be other attempts'
---@field unread_since number|nil  unix seconds since which no list could be read
---@field now number          unix seconds when the list was asked for
---@field V number|nil        seconds until an accepted run is listed
---@field D number|nil        seconds that a request may be late
---@field skew number|luafabric.Skew|nil  a number: seconds to either side
---@field exclusive boolean|nil   nobody else runs this notebook
---@field tag_proven boolean|nil  the tag was seen echoed in this workspace
---@field rival boolean|nil   another submission of ours to this notebook is open or in doubt

---@class luafabric.ReconcileVerdict
---@field verdict "wait"|"adopt"|"not_started"|"unknown"
---@field till number|nil         of "wait": unix seconds of the next look
---@field job_id string|nil       of "adopt"
---@field how string|nil          of "adopt": exclusive, tag, request_id, or who said it
---@field by string|nil           who settled it, where nothing was looked for
---@field candidates string[]|nil  of "unknown": ids of the runs that may be it
---@field tagged string[]|nil      of "unknown": those of them that carry the tag

--- When the submission's fate can be concluded, whatever it is: a run that starts later is not it.
---@param at number  unix seconds of the intent
---@param V number|nil
---@param D number|nil
---@return number
function M.settled_at(at, V, D)
  return at + (V or M.VISIBLE) + (D or M.LATE)
end

--- The next look: at V, 2 V, 4 V … after the intent, and the last one when all is settled.
local function next_look(given)
  local pause = given.V
  while pause > 0 and given.intent.at + pause <= given.now do pause = pause * 2 end
  if pause <= 0 then return given.settled end
  return math.min(given.intent.at + pause, given.settled)
end

local function unknown(given, list)
  return { verdict = "unknown", candidates = list, tagged = evidence(given) }
end

local function judge(given)
  local is_settled = given.now >= given.settled
  local wait = { verdict = "wait", till = next_look(given) }
  if not given.rows then
    given.rows = {}
    local patience_ends = (given.unread_since or given.now) + M.UNREADABLE
    if not is_settled then return wait end
    if given.now >= patience_ends then return unknown(given, {}) end
    return { verdict = "wait", till = math.min(given.now + LOOK_AGAIN, patience_ends) }
  end
  local job_id, how, is_twice = proven(given)
  if job_id then return { verdict = "adopt", job_id = job_id, how = how } end
  if given.now < given.intent.at + given.V then return wait end -- too early for all the rest
  local list, certain = candidates(given)
  if #list == 0 then
    if not is_settled then return wait end
    if given.intent.accepted then return unknown(given, list) end
    return { verdict = "not_started" }
  end
  -- With a tag that is echoed, the run without one is not ours: its session's name comes late.
  local can_be_told = given.tag_proven and given.intent.tag and not is_twice
  if #list == 1 and certain and given.exclusive and not given.rival then
    return { verdict = "adopt", job_id = list[1], how = "exclusive" }
  end
  local may_clear = not certain or can_be_told or given.rival
  if may_clear and not is_settled then return wait end
  return unknown(given, list)
end

--- What is to be done about a submission in doubt.
---@param doubt luafabric.Doubt
---@return luafabric.ReconcileVerdict
function M.decide(doubt)
  local given = {}
  for name, value in pairs(doubt) do given[name] = value end
  given.V, given.D = doubt.V or M.VISIBLE, doubt.D or M.LATE
  given.settled = M.settled_at(doubt.intent.sent_by or doubt.intent.at, given.V, given.D)
  if type(doubt.skew) == "number" then
    given.before, given.after = doubt.skew, doubt.skew
  else
    given.before, given.after = M.bounds(doubt.skew)
  end
  return judge(given)
end

return M
