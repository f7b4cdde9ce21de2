--- What need not run again, in a run that repairs another one: a step, or an item, that succeeded
--- there, whose request would be the same now, and before which nothing has changed. It ends as it
--- did, at once, and without a free slot. Where the repair is restricted (`only`), what is neither
--- named nor after something that is ends as it did, too, however that was.

local doubt_module = require "luafabric.history.doubt"
local fingerprint = require "luafabric.workflow.fingerprint"
local keeping = require "luafabric.engine.keeping"
local request_module = require "luafabric.workflow.request"
local restoring = require "luafabric.engine.restoring"
local units = require "luafabric.engine.unit"

local M = {}

---@class luafabric.Earlier  what is kept from
---@field state luafabric.WorkflowRun
---@field run_id string
---@field why "repair"|"changed"
---@field only table<string, boolean>|nil  by path
---@field fresh table<string, boolean>     what is known of steps that have ended

-- ---- has something changed before it? ----

local is_fresh

local function was_skipped(step)
  return step.outcome == "skipped" and #step.attempts == 0
end

local function differs(step, old)
  if not old or step.outcome ~= old.outcome then return true end
  if step.kept then return step.kept.why == "once" and step.kept.job_id ~= old.job_id end
  return not (was_skipped(step) and was_skipped(old))
end

local function has_fresh_items(engine, step, old)
  if not old or not old.items or #old.items ~= #step.items then return true end
  for _, item in ipairs(step.items) do
    if differs(item, engine.earlier.state.steps[item.path]) then return true end
  end
  return false
end

--- Whether what a step did is not what it did in the earlier run.
function is_fresh(engine, name)
  local known = engine.earlier.fresh
  if known[name] ~= nil then return known[name] end
  local step, old = engine.state.steps[name], engine.earlier.state.steps[name]
  if step.items then
    known[name] = has_fresh_items(engine, step, old)
  else
    known[name] = differs(step, old)
  end
  return known[name]
end

local function is_affected(engine, step)
  for _, before in ipairs(step.after) do
    if is_fresh(engine, before.name) then return true end
  end
  return false
end

-- ---- is it meant? ----

--- Whether a restricted repair names the step, or one of its items.
local function names_part(only, name)
  if only[name] then return true end
  for path in pairs(only) do
    if path:sub(1, #name + 1) == name .. "[" then return true end
  end
  return false
end

--- The item that a restricted repair names, and that is not there.
---@param engine table
---@param step table
---@param items { path: string }[]
---@return string|nil path
function M.missing_item(engine, step, items)
  local only = engine.earlier and engine.earlier.only
  if not only then return nil end
  local there = {}
  for _, item in ipairs(items) do there[item.path] = true end
  for path in pairs(only) do
    if path:sub(1, #step.name + 1) == step.name .. "[" and not there[path] then return path end
  end
end

-- ---- keeping ----

local function without_body(request)
  return request and { workspace = request.workspace, notebook = request.notebook,
    workspace_id = request.workspace_id, notebook_id = request.notebook_id,
    fingerprint = request.fingerprint }
end

--- Where an end that is kept comes from.
local function source_of(earlier, old)
  local last, kept = old.attempts[#old.attempts] or {}, old.kept or {}
  return { run_id = kept.run_id or earlier.run_id, path = kept.path or old.path,
    job_id = old.job_id, ran_at = kept.ran_at or old.ended_at, attempt = last.number,
    exit_value = old.exit_value, is_exit_masked = old.is_exit_masked,
    exit_read = kept.exit_read or last.exit_read,
    request = without_body(kept.request or last.request) }
end

-- What was cut off there is no success here.
local function end_of(old, run_id)
  if old.outcome == "skipped" and old.reason.kind ~= "condition" then
    return "cancelled", { kind = "cancelled", message = ("it did not run in run %s (%s), and is "
      .. "left out of this repair"):format(run_id, old.reason.message or old.reason.kind) }
  end
  return old.outcome, old.reason
end

local left_out = { kind = "cancelled", message = "it is new, and is left out of this repair" }

--- The end of what a restricted repair leaves alone.
local function carry(engine, path, old, finish)
  if not old then return finish("cancelled", left_out) end
  local earlier = engine.earlier
  keeping.record(engine, path, source_of(earlier, old), earlier.why)
  local outcome, reason = end_of(old, earlier.run_id)
  finish(outcome, reason, old.exit_value, old.is_exit_masked)
end

--- A step that a restricted repair leaves alone as a whole; items are judged one by one.
---@param engine table
---@param node table
---@return boolean taken  it has ended
function M.offer_step(engine, node)
  local earlier, step = engine.earlier, node.step
  local only = earlier and node.phase ~= "finally" and earlier.only
  if not only or names_part(only, step.name) or is_affected(engine, step) then return false end
  local old = earlier.state.steps[step.name]
  if old and (old.items or old.outcome == "succeeded") then return false end
  carry(engine, step.name, old, function(...) engine:end_step(step.name, ...) end)
  return true
end

--- Whether the request would go to the same notebook, and say the same.
local function is_same(engine, unit, source)
  local request, before = unit.built, source.request
  if not before or not before.fingerprint then return false end
  local function is_place(given, name, id)
    return given == name or given:lower() == id
  end
  if not is_place(request.workspace, before.workspace, before.workspace_id)
    or not is_place(request.notebook, before.notebook, before.notebook_id) then return false end
  local workspace_id, notebook_id = engine.port:known_ids(request.workspace, request.notebook)
  if workspace_id and workspace_id ~= before.workspace_id then return false end
  if notebook_id and notebook_id ~= before.notebook_id then return false end
  return fingerprint.of(engine.masks.key, request) == before.fingerprint
end

local function build(engine, unit)
  local request, _, masks = request_module.build(unit.branch, engine.view, unit.item, unit.index)
  engine.masks:add(request and request.masks or masks)
  unit.built = request
  return request ~= nil
end

local function keep_or_run(engine, unit, source, why)
  if keeping.keep(engine, unit, source, why) then return end
  unit.task = nil
  engine:enqueue(unit)
end

--- A success: kept at once, or when its exit value has been read.
local function offer_success(engine, unit, old)
  local source = source_of(engine.earlier, old)
  if not build(engine, unit) or not is_same(engine, unit, source) then return false end
  if not keeping.lacks_exit(unit, source) then
    return keeping.keep(engine, unit, source, engine.earlier.why)
  end
  engine.units[unit.path] = unit
  engine:hold_place(unit)
  units.spawn(engine, unit, keep_or_run, source, engine.earlier.why)
  return true
end

--- A run whose end was not seen is watched to it, before anything is sent beside it. It is this
--- one's where the same is asked for, and nothing has changed before it.
local function attach_loose(engine, unit, old)
  local job_id, attempt = doubt_module.loose_job(old)
  if not job_id then return false end
  local is_ours = engine.nodes[unit.step.name].phase ~= "finally"
    and not is_affected(engine, unit.step) and build(engine, unit)
    and is_same(engine, unit, attempt)
  restoring.attach(engine, unit, attempt, job_id, { is_other = not is_ours or nil,
    from_run = old.kept and old.kept.run_id or engine.earlier.run_id })
  return true
end

--- In a run whose file has changed: what had ended is kept where its request is the same, however
--- it had ended. What was under way goes on already (engine/continuing).
local function offer_changed(engine, unit)
  local old = engine.earlier.state.steps[unit.path]
  if not old then return false end
  if old.phase ~= "ended" or is_affected(engine, unit.step) then return false end
  if old.outcome == "succeeded" then return offer_success(engine, unit, old) end
  local source = source_of(engine.earlier, old)
  if not build(engine, unit) or not is_same(engine, unit, source) then return false end
  carry(engine, unit.path, old, function(...) units.drop(engine, unit, ...) end)
  return true
end

--- Ends a unit without a run, where it need not run again.
---@param engine table
---@param unit table
---@return boolean taken  it has ended, or will in its own task
function M.offer(engine, unit)
  local earlier, step = engine.earlier, unit.step
  if not earlier then return false end
  local old = earlier.state.steps[unit.path]
  if old and attach_loose(engine, unit, old) then return true end
  if earlier.why == "changed" then return offer_changed(engine, unit) end
  if engine.nodes[step.name].phase == "finally" then return false end
  if is_affected(engine, step) then return false end
  if keeping.is_chosen(engine, unit) then return false end
  if old and old.outcome == "succeeded" then
    if offer_success(engine, unit, old) then return true end
    return false
  end
  if not earlier.only then return false end
  carry(engine, unit.path, old, function(...) units.drop(engine, unit, ...) end)
  return true
end

return M
