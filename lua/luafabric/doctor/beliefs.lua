--- What is believed of Fabric and promised by nobody, and what one run says about it: each belief
--- is a question, whose answer reconciliation may go by. Where the run does not tell, there is
--- none. Pure.

local core = require "luafabric.core"
local duration = require "luafabric.duration"

local M = {}

---@class luafabric.ProofFacts  what was seen of one run
---@field route "typed"|"generic"
---@field accepted boolean|nil       there was a 202
---@field refusal luafabric.Error|nil  there was another answer
---@field sent_ids table<string, string>  header in small letters -> the id that we sent in it
---@field headers table<string, string>|nil  of the answer
---@field request_id string|nil      its RequestId
---@field row table|nil              of the list, of api.jobs
---@field visible_after number|nil   seconds from the answer until it was listed
---@field unlisted_for number|nil    it was looked for so long in vain, seconds
---@field enough number              seconds that are waited for usually (visible_after of a client)
---@field tag string|nil             that was sent
---@field tag_question string|nil    the question that it answers
---@field session_name string|nil    the last one that was shown for its session
---@field had_other_name boolean|nil  it had another one at first
---@field outcome string|nil         how it ended
---@field details_read boolean|nil   its notebook instance was to be had
---@field exit_value string|nil

-- What Fabric says of a thing that is not there; of a route that is not, it says something else.
local missing_things = { ItemNotFound = true, WorkspaceNotFound = true }

local readers = {}

function readers.typed_route(facts)
  if facts.route ~= "typed" then return nil end
  if facts.accepted then return true, "the typed route is there" end
  local err = facts.refusal
  if not err then return nil end
  local is_absent = err.status == 405 or err.status == 501 or err.code == "FeatureNotAvailable"
    or err.status == 404 and not missing_things[err.code]
  if not is_absent then return nil end
  return false, "the typed route is not there", "run with --route generic (in Lua: route = "
    .. "\"generic\"), and prove the rest with it"
end

function readers.request_id_is_root(facts)
  local root = facts.row and facts.row.root_activity_id
  if not root or not facts.request_id then return nil end
  if root:lower() == facts.request_id:lower() then
    return true, "a run's rootActivityId is the RequestId of its submission"
  end
  return false, "a run's rootActivityId is not the RequestId of its submission",
    "an answer that names no run leaves it unknown"
end

local function echo_of(facts, id)
  if facts.row and facts.row.root_activity_id and facts.row.root_activity_id:lower() == id then
    return "rootActivityId"
  end
  for name, value in pairs(facts.headers or {}) do
    if type(value) == "string" and value:lower():find(id, 1, true) then return name end
  end
end

function readers.client_request_id(facts)
  if not facts.accepted then return nil end
  local sent = {}
  for name in pairs(facts.sent_ids) do sent[#sent + 1] = name end
  table.sort(sent)
  for _, name in ipairs(sent) do
    local place = echo_of(facts, facts.sent_ids[name])
    if place then
      return { header = name, place = place },
        ("an id that is sent as %s comes back as %s"):format(name, place)
    end
  end
  -- The run itself may show it.
  if not facts.row then return nil end
  return false, "an id that is sent with a request comes back nowhere"
end

function readers.visible_after(facts)
  local seconds = facts.visible_after
  if not seconds and facts.unlisted_for then
    return facts.unlisted_for, ("the run was not listed within %s"):format(
      duration.format(facts.unlisted_for)), "a lost run may not be found: settle what is unknown "
      .. "with luafabric resolve"
  end
  if not seconds then return nil end
  local message = ("the run was listed %.1f s after its submission was answered"):format(seconds)
  if seconds <= facts.enough then return seconds, message end
  return seconds, message, ("that is more than the %s that are waited for: twice as long is from "
    .. "now on (in Lua: visible_after)"):format(duration.format(facts.enough))
end

local function tag(facts)
  if not facts.tag or not facts.accepted then return nil end
  if not facts.session_name then return nil end
  local is_shown = facts.session_name:find(facts.tag, 1, true)
  if is_shown and facts.had_other_name then
    -- Who looks in between would take it for somebody else's run.
    return false, "livySessions shows the name that a run gives its session, but another one at "
      .. "first", "where nobody else runs a notebook, exclusive = true finds a lost run"
  end
  if is_shown then
    return true, "livySessions shows the name that a run gives its session: a lost run is found by "
      .. "its tag"
  end
  return false, "livySessions shows another name than the run gave its session",
    "where nobody else runs a notebook, exclusive = true finds a lost run"
end

function readers.exit_value(facts)
  if facts.outcome ~= "succeeded" then return nil end
  if not facts.details_read then
    return false, "the run's exit value could not be read", "steps that use exit values would fail"
  end
  if facts.exit_value then return true, "the run's exit value can be read" end
  return true, "the run's exit value can be read: this notebook gave none"
end

-- In this order; the second name is that of the check.
local questions = { { "typed_route", "route" }, { "request_id_is_root", "root id" },
  { "client_request_id", "sent id" }, { "visible_after", "listed" }, { "tag", "tag" },
  { "exit_value", "exit value" } }

local unknown = {
  request_id_is_root = "whether rootActivityId is the RequestId is still open",
  client_request_id = "whether an id that is sent comes back is still open",
  visible_after = "how long it takes until a run is listed is still open",
  tag = "whether livySessions shows the name of a session is still open: none was seen for the run",
  exit_value = "whether exit values can be read is still open: the run did not succeed",
}

--- What a run has settled, and what it has not; in the order of the questions.
---@param facts luafabric.ProofFacts
---@return luafabric.Check[] checks  each with `question`, and `answer` where there is one
function M.judge(facts)
  local checks = {}
  for _, entry in ipairs(questions) do
    local name = entry[1]
    local read, question = readers[name], name
    if name == "tag" then read, question = tag, facts.tag_question end
    local answer, message, advice = read(facts)
    local check = { name = entry[2], question = question, answer = answer, message = message,
      advice = advice, state = advice and "warning" or "ok" }
    if answer == nil then
      check.state, check.message = "note", facts.accepted and unknown[name] or nil
    end
    if check.message and question then checks[#checks + 1] = check end
  end
  return checks
end

--- The answers to be kept.
---@param checks luafabric.Check[]
---@return table<string, any> answers  by question
function M.answers(checks)
  local answers = {}
  for _, check in ipairs(checks) do
    if check.answer ~= nil then answers[check.question] = check.answer end
  end
  return answers
end

local titles = { typed_route = "typed route", request_id_is_root = "RequestId = rootActivityId",
  client_request_id = "sent ids come back", exit_value = "exit values" }

local function title_of(finding)
  local compute = finding.question:match("^tag/(.+)$")
  return compute and ("tags of %s sessions"):format(compute) or titles[finding.question]
end

--- What was found before, in a line.
---@param findings luafabric.Finding[]  of one workspace
---@return string
function M.summary(findings)
  local words, latest = {}, 0
  for _, finding in ipairs(findings) do
    latest = math.max(latest, finding.at)
    local title = title_of(finding)
    if title then
      words[#words + 1] = title .. (finding.answer and ": yes" or ": no")
    elseif finding.question == "visible_after" and type(finding.answer) == "number" then
      words[#words + 1] = ("listed after %.1f s"):format(finding.answer)
    end
  end
  return ("as of %s, %s"):format(core.format_time(latest), table.concat(words, ", "))
end

return M
