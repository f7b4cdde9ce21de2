--- Takes up a run of the store that was cut off: from its events to the plan it was started with,
--- and the state it was in. Nothing is sent here.

local changing = require "luafabric.engine.changing"
local errors = require "luafabric.errors"
local history = require "luafabric.history"
local kept_inputs = require "luafabric.workflow.kept_inputs"
local limits = require "luafabric.workflow.limits"
local script = require "luafabric.workflow.script"

local M = {}

local kept_limits = { "timeout", "deadline", "on_deadline", "max_concurrency" }

--- The state of a run, from what was written down of it.
---@param store luafabric.SqliteStore
---@param run_id string
---@return luafabric.WorkflowRun|nil state
---@return table|luafabric.Error started  the event that began it; or the error
function M.fold(store, run_id)
  local events, err = store:events(run_id)
  if not events then return nil, err end
  local state = history.new()
  for _, event in ipairs(events) do history.apply(state, event) end
  local started = events[1]
  for _, event in ipairs(events) do
    if event.type == "plan_changed" then started = event end
  end
  return state, started
end

--- Whether the file, and the modules beside it, are what they were.
local function check_script(state, plan)
  local name = script.difference(state.script, script.of(plan.sources))
  if not name then return true end
  return nil, errors.new { kind = "usage", message = ("%s has changed since run %s began: undo the "
    .. "change, or add --changed to go on with what it says now"):format(name, state.run_id) }
end

--- Whether a client talks to the endpoint of a run: its jobs are known there, and nowhere else.
---@param state luafabric.WorkflowRun
---@param client luafabric.Client
---@return boolean|nil same
---@return luafabric.Error|nil err
function M.check_endpoint(state, client)
  if not state.endpoint or state.endpoint == client.endpoint then return true end
  return nil, errors.new { kind = "usage", message = ("run %s was started at %s, and this client "
    .. "talks to %s: give that endpoint, or start a new run"):format(state.run_id, state.endpoint,
    client.endpoint) }
end

--- The plan that a run was started with, its limits included.
local function plan_again(definition, options, run_id, key)
  local state, started = M.fold(options.store, run_id)
  if not state then return nil, started end
  local inputs, same, err
  same, err = M.check_endpoint(state, options.client)
  if not same then return nil, err end
  inputs, err = kept_inputs.again(state, options.inputs)
  if not inputs then return nil, err end
  local plan
  plan, err = definition:plan { inputs = inputs, started_at = state.started_at, run_id = run_id,
    origin = state.origin }
  if not plan then return nil, err end
  same, err = kept_inputs.check(state, plan, key)
  if not same then return nil, err end
  for _, name in ipairs(kept_limits) do plan[name] = state[name] end
  plan, err = limits.override(plan, options)
  if not plan then return nil, err end
  if options.changed then
    local change
    change, err = changing.check(plan, state, key)
    if not change then return nil, err end
    return plan, state, change
  end
  same, err = check_script(state, plan)
  if not same then return nil, err end
  same, err = require("luafabric.engine.resume").check(plan, started)
  if not same then return nil, err end
  return plan, state
end

--- Takes a run of the store, and finds where it was and what it still has to submit.
---@param definition luafabric.Definition
---@param options luafabric.WorkflowRunOptions  store, resume, client, inputs; and the limits given
---  anew
---@param port luafabric.Executor
---@param key string  of the store, 16 bytes
---@return { plan: luafabric.workflow.Plan, state: luafabric.WorkflowRun,
---  kept: luafabric.StoredRun, change: table|nil }|nil taken  kept: the caller's to close; change:
---  the event that says that the file has changed
---@return luafabric.Error|nil err
function M.take_up(definition, options, port, key)
  local store = options.store
  local row, err = store:find(options.resume)
  if not row then return nil, err end
  -- First it is ours: what another process still writes would be missing from the fold.
  local kept
  kept, err = store:open_run(row.run_id)
  if not kept then return nil, err end
  local plan, state, change = plan_again(definition, options, row.run_id, key)
  local found
  if plan then found, err = require("luafabric.engine.names").resolve(plan, port, not change
    and state or nil) end
  if found then return { plan = plan, state = state, kept = kept, change = change } end
  kept:close()
  return nil, plan and err or state
end

return M
