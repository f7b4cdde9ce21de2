--- What becomes of a new run whose key an unfinished run of the store has: it is refused, it
--- becomes a look at the other one, or it takes the other one's place once that has ended.

local errors = require "luafabric.errors"
local following = require "luafabric.workflow.following"
local owning = require "luafabric.store.sqlite_owning"
local run_key = require "luafabric.workflow.run_key"
local standing = require "luafabric.store.standing"
local tasks = require "luafabric.tasks"

local M = {}

local PAUSE = 0.5 -- seconds between two looks at the store
local REPLACED = "replacement" -- who cancels a run that is replaced

---@alias luafabric.OnDuplicate "refuse"|"join"|"replace"
M.choices = { refuse = true, join = true, replace = true }

--- The key of a new run: what was said, or its name and inputs. A store of one run has none.
---@param plan luafabric.workflow.Plan
---@param options luafabric.WorkflowRunOptions
---@return string|nil key  nil without an error: none is wanted
---@return luafabric.Error|nil err
function M.key(plan, options)
  local store = options.store
  if options.key or options.key == false then return options.key or nil end
  if not store or not store.create_run then return nil end
  local fingerprint_key, err = store:fingerprint_key()
  return fingerprint_key and run_key.of(plan, fingerprint_key), err
end

local function tell(options, what, row, control)
  if not options.on_other then return end
  tasks.forbid_waiting("the function given as on_other", options.on_other, what, row, control)
end

-- ---- ending a run that nobody runs ----

--- The control of a run that is ended from here, as its replacement's owner has it: whoever uses it
--- gives up the replacement, which then does not start.
local function handed_over(control, wish)
  local handed = { state = control.state }
  function handed.cancel(_, options)
    wish.is_given_up = true
    if options and options.now then control:cancel(options) end -- it is being cancelled already
  end
  function handed.detach()
    wish.is_given_up = true
    control:detach()
  end
  return handed
end

--- It goes on with what was written down; only its secrets have to be given again.
local function secrets_of(row, inputs)
  local secrets = {}
  for _, entry in ipairs(row.inputs or {}) do
    if entry.secret and inputs then secrets[entry.name] = inputs[entry.name] end
  end
  return secrets
end

local function not_ended(row, kind, why)
  return nil, errors.new { kind = kind, store_code = "duplicate", run = row,
    message = ("run %s has the same key, nobody runs it, and it could not be ended: %s"):format(
      row.run_id, why) }
end

--- Takes it up and cancels it: what of it runs in Fabric is ended, and its finally steps run.
---@return boolean|nil ok
---@return luafabric.Error|nil err
---@return luafabric.WorkflowRun|nil report  of it, where the replacement was given up
local function end_left(definition, options, row)
  if row.workflow ~= definition.name then
    return not_ended(row, "usage", ("it is a run of the workflow %s, and this is %s"):format(
      row.workflow, definition.name))
  end
  local wish = {}
  local report, err = definition:run { client = options.client, store = options.store,
    resume = row.run_id, inputs = secrets_of(row, options.inputs),
    on_start = function(control)
      -- One that had been told to end does so by itself; a second order would skip its finally.
      if not control.state.cancelled then control:cancel { by = REPLACED } end
      tell(options, "take_up", row, handed_over(control, wish))
    end }
  if report then return true, nil, wish.is_given_up and report or nil end
  if err.store_code ~= "owned" then return not_ended(row, err.kind, err.message) end
  tasks.sleep(PAUSE) -- somebody else took it up just now
  return true
end

-- ---- replacing ----

local function ask(options, row)
  local ok, err = options.store:request(row.run_id, "cancel", REPLACED)
  if not ok and err.store_code ~= "ended" then return nil, err end
  tell(options, "replace", row)
  return true
end

--- Has the owner cancel it, and waits for its end; again for every owner that it gets.
---@return luafabric.RunRow|nil ended
---@return luafabric.Error|nil err
---@return luafabric.WorkflowRun|nil report  where the replacement was given up
local function wait_for_end(definition, options, row)
  local asked_fence, left_fence
  while row.state ~= "ended" do
    local ok, err, report = true, nil, nil
    if standing.is_left(row) then
      if row.fence ~= left_fence then tell(options, "take_up", row) end
      left_fence = row.fence
      ok, err, report = end_left(definition, options, row)
    elseif row.fence ~= asked_fence then
      ok, err = ask(options, row)
      asked_fence = row.fence
    else
      tasks.sleep(PAUSE)
    end
    if not ok or report then return nil, err, report end
    row, err = options.store:find(row.run_id)
    if not row then return nil, err end
  end
  return row
end

local function replace(definition, options, row)
  local ended, err, report = wait_for_end(definition, options, row)
  if not ended then return report, err end
  if ended.outcome ~= "unknown" then return tell(options, "replaced", ended) end
  return nil, errors.new { kind = "unknown", store_code = "duplicate", run = ended,
    message = ("run %s, which was to be replaced, has ended, and whether one of its notebooks runs "
      .. "is unknown: nothing was started. Look at it, and start anew when that is known")
      :format(row.run_id) }
end

--- Meets the unfinished run of the key; in a task. Nothing at all: the key is free now.
---@param definition luafabric.Definition
---@param options luafabric.WorkflowRunOptions
---@param row luafabric.RunRow
---@return luafabric.WorkflowRun|nil report  of the other run, which was joined, or which was to be
---  replaced by one that was given up
---@return luafabric.Error|nil err           store_code "duplicate": refused
function M.meet(definition, options, row)
  if options.on_duplicate == "replace" then return replace(definition, options, row) end
  if options.on_duplicate == "join" and not standing.is_left(row) then
    tell(options, "join", row)
    return following.follow(options.store, row.run_id, options.on_event)
  end
  return nil, owning.duplicate(row, row)
end

return M
