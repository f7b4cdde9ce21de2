--- A run of a store as it is looked at: folded from its events, as the document that the command
--- and the service give of it, and as a line of a list.

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local history = require "luafabric.history"
local json = require "luafabric.json"
local outcome_code = require "luafabric.view.outcome_code"
local outline = require "luafabric.store.outline"
local run_document = require "luafabric.view.run_document"
local run_list = require "luafabric.view.run_list"
local standing = require "luafabric.store.standing"

local M = {}

-- ---- its state ----

-- What a row knows, in a state that does not: the first event may not be written yet.
local function complete(state, row)
  state.run_id, state.workflow = state.run_id or row.run_id, state.workflow or row.workflow
  state.file, state.started_at = state.file or row.file, state.started_at or row.started_at
  -- What a service was asked for may have ended without ever becoming a run.
  if row.state == "ended" then state.outcome = state.outcome or row.outcome end
  -- A run that was detached, and taken up again, is not detached.
  state.detached = row.state == "detached" or nil
  return state
end

--- The state of a run, from all of its events.
---@param store luafabric.SqliteStore
---@param row luafabric.RunRow
---@param known { state: luafabric.WorkflowRun, count: integer }|nil  what was found before, and
---  from how many events: it goes on from there, and is of no use after an error
---@param most integer|nil  events that are read; default all
---@return luafabric.WorkflowRun|nil state
---@return integer|luafabric.Error count  how many events are in it; or the error
function M.fold(store, row, known, most)
  local state, count = known and known.state or history.new(), known and known.count or 0
  local events, err = store:events(row.run_id, count + 1, most)
  if not events then return nil, err end
  for number, event in ipairs(events) do
    local ok, message = pcall(history.apply, state, event)
    if not ok then
      return nil, errors.new { kind = "configuration",
        message = ("event %d of run %s in %s cannot have happened: %s. Please report this")
          :format(count + number, row.run_id, store.path, tostring(message)) }
    end
  end
  return complete(state, row), count + #events
end

-- ---- its document ----

-- The steps of the document: all, or one with its items.
local function document_state(state, step)
  if not step then return state end
  local order = { step.path }
  for _, item in ipairs(step.items or {}) do order[#order + 1] = item.path end
  return setmetatable({ order = order }, { __index = state })
end

-- The requests of a step's attempts; the document of a whole run would be mostly requests.
local function requests_of(step)
  local list = json.array {}
  for index, attempt in ipairs(step.attempts) do list[index] = attempt.request or json.null end
  return list
end

--- What the store knows of a run beside its events, behind the fields of the run's document.
---@param row luafabric.RunRow
---@param state luafabric.WorkflowRun
---@param given { step: luafabric.StepState|nil, reports: string[]|nil, more: table|nil }|nil
---  step: that one alone, with its requests; more: further fields
---@return string text  one line
function M.document(row, state, given)
  given = given or {}
  local text = run_document.document(document_state(state, given.step),
    { exit_code = outcome_code.of_run(row), reports = given.reports })
  local more = { state = row.state, orphaned = row.orphaned, owner = row.owner or json.null,
    key = row.key or json.null, requests = given.step and requests_of(given.step) or json.null }
  for name, value in pairs(given.more or {}) do more[name] = value end
  return text:sub(1, -2) .. "," .. run_document.encode(more):sub(2)
end

-- ---- a line of a list ----

-- Of a run that has ended the last event has the counts; others are folded.
local function look_into(store, row, fold)
  local last, err
  if row.state == "ended" then last, err = outline.last_event(store, row.run_id) end
  if err then return nil, err end
  if last and last.type == "run_ended" and last.counts then
    return run_list.tally(last.counts), last.at
  end
  local state
  state, err = fold(store, row)
  if not state then return nil, err end
  return run_list.tally_of_state(state), state.now
end

local function owner_of(row)
  if row.state == "ended" then return nil end
  return standing.is_left(row) and "nobody" or standing.owner(row)
end

--- What a list says of a run.
---@param store luafabric.SqliteStore
---@param row luafabric.RunRow
---@param fold nil|function  in the place of `M.fold`
---@return luafabric.RunListEntry|nil entry
---@return luafabric.Error|nil err
---@return luafabric.Error|nil problem  its events cannot be read, so that it has no tally
function M.entry(store, row, fold)
  if row.entry then return row.entry end -- of a service, which has put it together
  local id, err = outline.short_id(store, row.run_id)
  if not id then return nil, err end
  local tally, heard = look_into(store, row, fold or M.fold)
  local problem = not tally and heard or nil
  if problem then heard = nil end
  local till = row.ended_at
  if not till then till = standing.is_left(row) and heard or store.now() end
  local parent
  if row.parent then parent, err = outline.short_id(store, row.parent) end
  if err then return nil, err end
  return { id = id, workflow = row.workflow, parent = parent, state = row.state,
    orphaned = row.orphaned, outcome = row.outcome, started_at = row.started_at, till = till,
    tally = tally, owner = owner_of(row) }, nil, problem
end

local function time(seconds)
  return seconds and core.format_time(seconds) or json.null
end

--- The same for machines.
---@param row luafabric.RunRow
---@param entry luafabric.RunListEntry
---@return table fields
function M.entry_fields(row, entry)
  return { run_id = row.run_id, short_id = entry.id, workflow = row.workflow, state = row.state,
    orphaned = row.orphaned, outcome = row.outcome or json.null,
    started_at = time(row.started_at), ended_at = time(row.ended_at),
    file = row.file or json.null, key = row.key or json.null, parent = row.parent or json.null,
    owner = entry.owner or json.null, steps = entry.tally or json.null }
end

return M
