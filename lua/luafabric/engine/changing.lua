--- A run that is taken up with a file that has changed: whether it can be, before anything is sent.
--- A step that is under way is finished as it was, so it has to be there still, and what comes
--- before it has to be what it was. Everything else is kept or run anew (engine/offering).

local errors = require "luafabric.errors"
local doubt = require "luafabric.history.doubt"
local fingerprint = require "luafabric.workflow.fingerprint"
local lineage = require "luafabric.history.lineage"
local masks = require "luafabric.engine.masks"
local request_module = require "luafabric.workflow.request"
local script = require "luafabric.workflow.script"
local start_event = require "luafabric.engine.start_event"
local switch = require "luafabric.workflow.switch"
local text = require "luafabric.view.text"
local view_module = require "luafabric.engine.view"

local M = {}

--- Whether something of a step may go on in Fabric, or has ended there and is not settled.
---@param step luafabric.StepState
---@return boolean
function M.is_under_way(step)
  local last = step.attempts[#step.attempts]
  return last ~= nil and step.phase ~= "ended" and last.state ~= "waiting" and not step.retry
end

--- What a run keeps of itself.
---@param state luafabric.WorkflowRun  with `previous`
---@return luafabric.Earlier
function M.earlier(state)
  return { state = state.previous, run_id = state.run_id, why = "changed", fresh = {} }
end

-- ---- is what comes before a step what it was? ----

local function request_before(step)
  local last = step.attempts[#step.attempts]
  return step.kept and step.kept.request or last and last.request
end

local function has_same_request(given, branch, old, item, index)
  local before = request_before(old)
  if not before then return old.outcome == "skipped" end
  local request = request_module.build(branch, given.view, item, index)
  return request ~= nil and fingerprint.of(given.key, request) == before.fingerprint
end

--- What is known of an item; its label may hold a secret.
local function item_of(given, step, label)
  return given.steps[("%s[%s]"):format(step.name, label)]
    or given.steps[("%s[%s]"):format(step.name, masks.hidden(given.key, label))]
end

local function has_same_items(given, step, old)
  local list = request_module.items(step, given.view)
  if not list or not old.items or #list ~= #old.items then return false end
  for index, entry in ipairs(list) do
    local item = item_of(given, step, entry.label)
    if not item or not has_same_request(given, step, item, entry.item, index) then return false end
  end
  return true
end

local function branch_of(given, step)
  if step.kind ~= "switch" then return step end
  local key, branch = request_module.branch(step, given.view)
  return key ~= nil and branch or nil
end

local is_same

local function is_same_step(given, step)
  local old = given.steps[step.name]
  if not old or old.phase ~= "ended" or old.kind ~= step.kind then return false end
  for _, before in ipairs(step.after) do
    if not is_same(given, before) then return false end
  end
  if step.kind == "each" then return has_same_items(given, step, old) end
  local branch = branch_of(given, step)
  return branch ~= nil and has_same_request(given, branch, old)
end

function is_same(given, step)
  if given.known[step] == nil then given.known[step] = is_same_step(given, step) end
  return given.known[step]
end

-- ---- what is under way ----

local function usage(message, ...)
  return nil, errors.new { kind = "usage", message = message:format(...) }
end

local function is_there(given, step, old)
  if not step or (old.parent and step.kind ~= "each" or not old.parent and step.kind ~= old.kind)
    then return false end
  if step.kind == "switch" then return switch.taken(step, old.branch) ~= nil end
  if not old.parent then return true end
  for _, entry in ipairs(request_module.items(step, given.view) or {}) do
    if item_of(given, step, entry.label) == old then return true end
  end
  return false
end

--- Items are told by their list, which may be made of what is not written down.
local function check_list(given, step, old)
  if not step or step.kind ~= "each" or not old.parent then return true end
  local list, message = request_module.items(step, given.view)
  if list then return true end
  return usage("%s is under way in run %s, and the items of %s are not to be had: %s. Let it end "
    .. "first (--resume with the file as it was), or cancel the run", old.path, given.run_id,
    step.name, message)
end

local function check_under_way(given, old)
  local step = given.plan.by_name[old.parent or old.path]
  local ok, err = check_list(given, step, old)
  if not ok then return nil, err end
  if not is_there(given, step, old) then
    return usage("%s is under way in run %s, and is not in %s any more: let it end first (--resume "
      .. "with the file as it was), or cancel the run", old.path, given.run_id,
      given.plan.file or given.plan.name)
  end
  for _, before in ipairs(step.after) do
    if not is_same(given, before) then
      return usage("%s is under way in run %s, and %s, which comes before it, is not what it was: "
        .. "let it end first (--resume with the file as it was), or cancel the run", old.path,
        given.run_id, before.name)
    end
  end
  return true
end

--- Nothing is sent beside a submission of which nobody knows whether it runs.
local function check_step(given, old)
  if M.is_under_way(old) then return check_under_way(given, old) end
  if old.retry or not doubt.of(old) then return true end -- at_least_once: it is sent again anyway
  return usage("%s of run %s may or may not run, and is not sent again beside that. Settle it with "
    .. "`luafabric resolve %s %s --adopt JOB`, or with --not-started", old.path, given.run_id,
    given.run_id, text.shell_word(old.path))
end

-- What was under way before an earlier change, and has not gone on yet, is under way as well.
local function given_of(plan, state, key)
  local steps, paths = lineage.merged(state), {}
  for path in pairs(steps) do paths[#paths + 1] = path end
  table.sort(paths)
  return { plan = plan, run_id = state.run_id, key = key, known = {}, steps = steps,
    paths = paths, view = view_module.new({ steps = steps }, {}, function() return nil end) }
end

--- Whether a run can go on with another plan, and the event that says that it does.
---@param plan luafabric.workflow.Plan
---@param state luafabric.WorkflowRun
---@param key string  of the fingerprints, 16 bytes
---@return table|nil event  without `at`
---@return luafabric.Error|nil err
function M.check(plan, state, key)
  if plan.name ~= state.workflow then
    return usage("run %s is one of the workflow %s, and this is %s: give the file of that one",
      state.run_id, state.workflow, plan.name)
  end
  if state.parent then
    return usage("run %s repairs another one, and goes on only as it began: leave out --changed, "
      .. "and repair it when it has ended", state.run_id)
  end
  if state.cancelled then
    return usage("run %s was told to end: leave out --changed, and repair it when it has ended",
      state.run_id)
  end
  local given = given_of(plan, state, key)
  for _, path in ipairs(given.paths) do
    local ok, err = check_step(given, given.steps[path])
    if not ok then return nil, err end
  end
  return { type = "plan_changed", run_id = state.run_id, workflow = plan.name, file = plan.file,
    script = script.of(plan.sources), steps = start_event.steps(plan) }
end

return M
