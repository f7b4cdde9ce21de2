--- Before a repair: what became of the submissions that the repaired run left in doubt. By now
--- Fabric's list may prove it. What it proves is written down in that run; what stays unknown is
--- the user's to settle, since a repair sends nothing beside a run that may be there.

local core = require "luafabric.core"
local doubt_module = require "luafabric.history.doubt"
local errors = require "luafabric.errors"
local history = require "luafabric.history"
local reconcile = require "luafabric.policy.reconcile"
local taking_up = require "luafabric.workflow.taking_up"
local tasks = require "luafabric.tasks"
local text = require "luafabric.view.text"

local M = {}

local MOST_NAMED = 5

--- The runs in the list that other attempts of the store have.
local function claimed_among(store, intent, rows)
  local claimed = {}
  for id in pairs(intent:claimed()) do claimed[id] = true end
  for _, row in ipairs(rows or {}) do
    local owner, err = store:job(row.job_id)
    if err then return nil, err end
    claimed[row.job_id] = claimed[row.job_id] or owner ~= nil or nil
  end
  return claimed
end

local function decide(store, state, port, attempt, run, doubt)
  local _, loop = tasks.current()
  local now = loop.host.wall()
  local rows, problem = port:list_runs(run, doubt.tag)
  doubt.unread_since = not rows and (doubt.unread_since or now) or nil
  local claimed, err = claimed_among(store, doubt.intent, rows)
  if not claimed then return nil, err end
  local settings = port:reconciliation(run, doubt)
  local verdict = reconcile.decide {
    intent = { at = doubt.at, tag = doubt.tag, request_id = doubt.request_id,
      accepted = doubt.accepted },
    rows = rows, now = now, claimed = claimed, rival = doubt.intent:has_rival(), V = settings.V,
    D = settings.D, skew = settings.skew, tag_proven = settings.tag_proven,
    unread_since = doubt.unread_since,
    exclusive = state.exclusive or attempt.request.exclusive }
  return verdict, problem
end

local function tell(on_notice, step, problem)
  if not on_notice then return end
  local message = ("%s: what became of its submission is looked for before anything is sent%s")
    :format(step.path, problem and ("; the runs cannot be listed now (%s)"):format(
      tostring(problem)) or "")
  tasks.forbid_waiting("the function given as on_notice", on_notice, message)
end

local function conclude(store, state, port, step, attempt, on_notice)
  local _, loop = tasks.current()
  local run, doubt = port:in_doubt(attempt.request, attempt.repeated_at or attempt.intended_at,
    attempt)
  local is_told
  while true do
    local verdict, problem = decide(store, state, port, attempt, run, doubt)
    if not verdict or verdict.verdict ~= "wait" then
      doubt.intent:close()
      return verdict, problem
    end
    if not is_told then tell(on_notice, step, problem) end
    is_told = true
    tasks.sleep(math.max(1, verdict.till - loop.host.wall()))
  end
end

local function still_unknown(state, step, attempt, verdict, problem)
  local list, names = verdict.candidates or {}, {}
  for index = 1, math.min(#list, MOST_NAMED) do names[index] = list[index] end
  local seen = "no run that can be it is listed"
  if #list > 0 then seen = "job " .. table.concat(names, ", ") .. " may be it" end
  if problem then seen = ("the runs could not be listed (%s)"):format(tostring(problem)) end
  return errors.new { kind = "unknown", message = ("%s: whether its submission at %s started a run "
    .. "is still not known: %s. Settle it with `luafabric resolve %s %s --adopt %s`, or with "
    .. "--not-started"):format(step.path, core.format_time(attempt.intended_at), seen,
    step.kept and step.kept.run_id or state.run_id,
    text.shell_word(step.kept and step.kept.path or step.path), #list == 1 and list[1] or "JOB") }
end

--- Whether nobody settled it since it was looked at: by then the run may not have been ours.
local function still_in_doubt(store, state, event)
  local now, err = taking_up.fold(store, state.run_id)
  if not now then return nil, err end
  local attempt, why = doubt_module.of(now.steps[event.path])
  if attempt and attempt.number == event.attempt then return true end
  return nil, errors.new { kind = "usage", message = ("run %s: %s: there is nothing to resolve: %s")
    :format(state.run_id, event.path, why or "it was submitted again") }
end

local function write(store, handle, event)
  local ticket, err = handle:append { event }
  if not ticket then return nil, err end
  store:flush()
  return handle:is_durable(ticket)
end

--- Writes down in a run what became of one of its submissions.
---@param store luafabric.SqliteStore
---@param state luafabric.WorkflowRun  gets it, too
---@param event table  of history.doubt, without `at`
---@return boolean|nil ok
---@return luafabric.Error|nil err  kind "usage": it is settled already
function M.record(store, state, event)
  local handle, err = store:open_run(state.run_id, { ended = state.ended_at ~= nil })
  if not handle then return nil, err end
  event.at = store.now()
  local ok
  ok, err = still_in_doubt(store, state, event)
  if ok then ok, err = write(store, handle, event) end
  handle:close()
  if not ok then return nil, err end
  history.apply(state, event)
  return true
end

local function settle(store, state, port, step, attempt, on_notice)
  local verdict, problem = conclude(store, state, port, step, attempt, on_notice)
  if not verdict then return nil, problem end
  if verdict.verdict == "unknown" then
    return nil, still_unknown(state, step, attempt, verdict, problem)
  end
  local kept = step.kept
  return M.record(store, kept and kept.state or state, doubt_module.event(
    kept and kept.path or step.path, attempt, { by = "listing",
      how = verdict.how, job_id = verdict.job_id }))
end

local function each_of(path)
  return path:match("^(.-)%[.*%]$") or path
end

--- What a restricted repair may run, by path: what is named, and all that comes after it.
local function meant_by(plan, only)
  local meant, touched = {}, {}
  for _, path in ipairs(only) do meant[path], touched[each_of(path)] = true, true end
  local has_grown
  repeat
    has_grown = false
    for _, step in ipairs(plan.steps) do
      local follows = step.is_finally
      for _, before in ipairs(step.after or {}) do follows = follows or touched[before.name] end
      if follows and not meant[step.name] then
        meant[step.name], touched[step.name], has_grown = true, true, true
      end
    end
  until not has_grown
  return meant
end

--- Settles what a run left in doubt, as far as a repair may run it; in a task.
---@param store luafabric.SqliteStore
---@param state luafabric.WorkflowRun  of the run, which has ended
---@param port luafabric.Executor
---@param plan luafabric.workflow.Plan  of the repair
---@param on_notice nil|fun(text: string)  told once what has to be waited for
---@return boolean|nil ok
---@return luafabric.Error|nil err  kind "unknown": it is still not known
function M.settle_all(store, state, port, plan, on_notice)
  local meant = plan.only and #plan.only > 0 and meant_by(plan, plan.only) or nil
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    local is_meant = not meant or meant[path] or meant[step.parent]
    local attempt = step.outcome == "unknown" and is_meant and doubt_module.of(step)
    if attempt then
      local ok, err = settle(store, state, port, step, attempt, on_notice)
      if not ok then return nil, err end
    end
  end
  return true
end

return M
