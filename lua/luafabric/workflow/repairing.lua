--- A repair: a new run that keeps what succeeded in another one, and runs the rest. This is what is
--- found out before it begins: the run, its inputs, the plan. Nothing is sent here; what is kept is
--- decided step by step, in engine/keeping.

local core = require "luafabric.core"
local doubt_module = require "luafabric.history.doubt"
local errors = require "luafabric.errors"
local limits = require "luafabric.workflow.limits"
local nearest = require "luafabric.nearest"
local taking_up = require "luafabric.workflow.taking_up"
local tasks = require "luafabric.tasks"

local M = {}

local RUN_ID_BYTES = 6

local function usage(message, ...)
  return nil, errors.new { kind = "usage", message = message:format(...) }
end

local function by_path(paths)
  if not paths or #paths == 0 then return nil end
  local only = {}
  for _, path in ipairs(paths) do only[path] = true end
  return only
end

--- What a run keeps of the one that it repairs.
---@param state luafabric.WorkflowRun  the repaired one's
---@param only string[]|nil
---@return luafabric.Earlier
function M.earlier(state, only)
  return { state = state, run_id = state.run_id, why = "repair", only = by_path(only), fresh = {} }
end

--- What a repair left alone has its attempts in the run where it was tried.
local function inherit(store, state)
  local origins = {}
  for _, step in pairs(state.steps) do
    local kept = step.kept
    local is_left = step.outcome ~= "succeeded" and #step.attempts == 0
    if kept and kept.why == "repair" and is_left then
      local origin, err = origins[kept.run_id], nil
      if not origin then origin, err = taking_up.fold(store, kept.run_id) end
      if not origin then return nil, err end
      origins[kept.run_id], kept.state = origin, origin
      local before = origin.steps[kept.path]
      step.attempts = before and before.attempts or step.attempts
    end
  end
  return state
end

local function fold(store, run_id)
  local state, err = taking_up.fold(store, run_id)
  if not state then return nil, err end
  return inherit(store, state)
end

-- ---- the repairs that were there before ----

--- The runs that repair a run, and those that repair them: { row, state }, the latest first.
local function descendants(store, run_id, list)
  local rows, err = store:runs { parent = run_id }
  if not rows then return nil, err end
  for _, row in ipairs(rows) do
    local state
    state, err = taking_up.fold(store, row.run_id)
    if not state then return nil, err end
    list[#list + 1] = { row = row, state = state }
    local ok
    ok, err = descendants(store, row.run_id, list)
    if not ok then return nil, err end
  end
  return list
end

--- The jobs whose ends one of the runs has seen.
local function seen_jobs(list)
  local seen = {}
  for _, entry in ipairs(list) do
    for _, step in pairs(entry.state.steps) do
      for _, attempt in ipairs(step.attempts) do
        local is_over = attempt.state == "ended" and attempt.job_id and not attempt.may_run
        if is_over then seen[attempt.job_id] = true end
      end
    end
  end
  return seen
end

--- A step of the run that may still run.
local function open_step(state, seen)
  for _, path in ipairs(state.order) do
    local step = state.steps[path]
    local job_id = doubt_module.loose_job(step)
    if job_id and not seen[job_id] or doubt_module.of(step) then return path end
  end
end

-- An error that names the other repair, and its step that may run, for whoever says it otherwise.
local function in_the_way(other, message, ...)
  local _, err = usage(message, ...)
  err.other_repair, err.other_step = other[1], other[2]
  return nil, err
end

--- Another repair of the same run may have left something that runs, or is on its way: then that
--- one is to be repaired, which knows of it.
---@param store luafabric.SqliteStore
---@param state luafabric.WorkflowRun  that is to be repaired
---@param on_notice nil|fun(text: string)
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.check_others(store, state, on_notice)
  local list, err = descendants(store, state.run_id, {})
  if not list then return nil, err end
  local seen = seen_jobs(list)
  for _, entry in ipairs(list) do
    local id = entry.row.run_id
    if entry.row.state ~= "ended" then
      return in_the_way({ id }, "run %s is being repaired by run %s, which has not ended: wait for "
        .. "that one, go on with it (luafabric run --resume %s), or cancel it", state.run_id, id,
        id)
    end
    local path = open_step(entry.state, seen)
    if path then
      return in_the_way({ id, path }, "run %s was repaired by run %s, whose step %s may still run: "
        .. "repair that one: luafabric repair %s", state.run_id, id, path, id)
    end
  end
  if list[1] and on_notice then
    tasks.forbid_waiting("the function given as on_notice", on_notice, ("run %s was repaired "
      .. "before, by run %s (%s): what that one did is not kept"):format(state.run_id,
      list[1].row.run_id, tostring(list[1].row.outcome)))
  end
  return true
end

--- A run that ended, and its state.
---@param store luafabric.SqliteStore
---@param id string  of the run, or its beginning
---@return luafabric.RunRow|nil row
---@return luafabric.WorkflowRun|luafabric.Error state  or the error
function M.find(store, id)
  local row, err = store:find(id)
  if not row then return nil, err end
  if row.state ~= "ended" then
    if row.orphaned or row.state == "detached" then
      return usage("run %s has not ended: go on with it by luafabric run --resume %s, or cancel it "
        .. "first", row.run_id, row.run_id)
    end
    return usage("run %s has not ended, and is being run: wait for it, or cancel it first",
      row.run_id)
  end
  local state
  state, err = fold(store, row.run_id)
  if not state then return nil, err end
  return row, state
end

--- Whether a run leaves nothing to be repaired.
---@param state luafabric.WorkflowRun
---@param options { only: string[]|nil, inputs: table|nil }
---@return boolean
function M.is_whole(state, options)
  local asks = #(options.only or {}) > 0 or next(options.inputs or {}) ~= nil
  return state.outcome == "succeeded" and not asks
end

--- How a repair is run: as the repaired run was, unless somebody says otherwise. With the same
--- inputs it has the same key.
---@param given luafabric.WorkflowRunOptions
---@param row luafabric.RunRow                of the repaired run
---@param state luafabric.WorkflowRun
---@return luafabric.WorkflowRunOptions options
function M.options(given, row, state)
  local options = {}
  for name, value in pairs(given) do options[name] = value end
  if options.key == nil and not next(given.inputs or {}) then options.key = row.key or false end
  options.submission = given.submission or state.submission
  if options.exclusive == nil then options.exclusive = state.exclusive end
  return options
end

--- The inputs of the run, with those that are given anew.
local function inputs_of(definition, state, given)
  local declared, inputs, missing = {}, {}, {}
  for _, input in ipairs((definition:declared())) do declared[input.name] = true end
  for name, value in pairs(given or {}) do inputs[name] = value end
  for _, entry in ipairs(state.inputs) do
    if inputs[entry.name] == nil and declared[entry.name] then
      if entry.secret then
        missing[#missing + 1] = entry.name
      else
        inputs[entry.name] = entry.value
      end
    end
  end
  if #missing == 0 then return inputs end
  return usage("run %s needs its secrets again: %s; they are not written down", state.run_id,
    table.concat(missing, ", "))
end

--- Whether every path of `only` is one of the run or of the plan.
---@param state luafabric.WorkflowRun  that is to be repaired
---@param plan luafabric.workflow.Plan
---@param only string[]|nil
---@return boolean|nil ok
---@return luafabric.Error|nil err
function M.check_only(state, plan, only)
  for _, path in ipairs(only or {}) do
    if not state.steps[path] and not plan.by_name[path] then
      local paths = {}
      for _, known in ipairs(state.order) do paths[#paths + 1] = known end
      local near = nearest.find(path, paths, 1)[1]
      return usage("run %s has no step '%s'%s", state.run_id, path,
        near and ("; did you mean '%s'?"):format(near) or "")
    end
    local each = plan.by_name[path:match("^(.-)%[.*%]$") or ""]
    local step = plan.by_name[path] or each and each.kind == "each" and each
    if not step then
      return usage("the workflow has no step '%s' any more, so that nothing of it can run: leave "
        .. "it out of --only", path)
    end
    if step.is_finally then
      return usage("'%s' is a finally step, which runs in every repair: leave it out of --only",
        path)
    end
  end
  return true
end

-- An emulator on this machine has another port each time, and the same notebooks.
local function is_emulator(endpoint)
  return endpoint ~= nil and endpoint:find("^http://127%.") ~= nil
end

local function check_endpoint(state, client)
  if is_emulator(state.endpoint) and is_emulator(client.endpoint) then return true end
  return taking_up.check_endpoint(state, client)
end

--- The plan of a repair, and what it keeps.
---@param definition luafabric.Definition
---@param options luafabric.WorkflowRunOptions  store, repair, only, inputs, run_id, and limits
---@param now number  unix seconds
---@return luafabric.workflow.Plan|nil plan
---@return luafabric.Earlier|luafabric.Error earlier  or the error
function M.begin(definition, options, now)
  local row, state = M.find(options.store, options.repair)
  if not row then return nil, state end
  if definition.name ~= state.workflow then
    return usage("run %s is one of the workflow %s, and this is %s: give the file of that one",
      row.run_id, state.workflow, definition.name)
  end
  local same, err = check_endpoint(state, options.client)
  if same then same, err = M.check_others(options.store, state, options.on_notice) end
  if not same then return nil, err end
  local inputs
  inputs, err = inputs_of(definition, state, options.inputs)
  if not inputs then return nil, err end
  local plan
  plan, err = definition:plan { inputs = inputs, started_at = now,
    run_id = options.run_id or core.random_hex(RUN_ID_BYTES),
    origin = state.origin or { run_id = state.run_id, started_at = state.started_at } }
  if not plan then return nil, err end
  plan, err = limits.override(plan, options)
  if not plan then return nil, err end
  local known
  known, err = M.check_only(state, plan, options.only)
  if not known then return nil, err end
  plan.parent, plan.only = row.run_id, options.only
  return plan, M.earlier(state, options.only)
end

--- What a repair that was cut off itself keeps.
---@param store luafabric.SqliteStore
---@param state luafabric.WorkflowRun  the repair's
---@return luafabric.Earlier|nil earlier
---@return luafabric.Error|nil err  the repaired run is not in the store any more
function M.again(store, state)
  local parent, err = fold(store, state.parent)
  if not parent then return nil, err end
  if parent.started_at then return M.earlier(parent, state.only) end
  return usage("run %s repairs run %s, which is not in the store any more: start it anew",
    state.run_id, state.parent)
end

return M
