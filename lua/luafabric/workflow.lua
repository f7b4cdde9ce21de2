--- A workflow, as its user holds it: defined once, planned and run as often as one likes. What it
--- says is in workflow/, what it does in engine/.

local changing = require "luafabric.engine.changing"
local definition = require "luafabric.workflow.definition"
local core = require "luafabric.core"
local duplicate = require "luafabric.workflow.duplicate"
local duration = require "luafabric.duration"
local kept_inputs = require "luafabric.workflow.kept_inputs"
local limits = require "luafabric.workflow.limits"
local nearest = require "luafabric.nearest"
local repairing = require "luafabric.workflow.repairing"
local tasks = require "luafabric.tasks"

local M = {}

local Definition = definition.Definition

--- `fabric.workflow("nightly", function(flow) … end)`; options: timeout, deadline, on_deadline,
--- max_concurrency of the whole.
M.new = definition.new

local RUN_ID_BYTES = 6

local known = { inputs = true, client = true, on_event = true, on_start = true, store = true,
  run_id = true, plan = true, exit_values = true, timeout = true, deadline = true,
  max_concurrency = true, submission = true, exclusive = true, resume = true, key = true,
  on_duplicate = true, on_other = true, on_notice = true, repair = true, only = true,
  again = true, changed = true }

local modes = { reconcile = true, at_most_once = true, at_least_once = true }

---@class luafabric.WorkflowRunOptions
---@field client luafabric.Client
---@field inputs? table<string, any>   by name
---@field on_event? fun(event: table, state: luafabric.WorkflowRun)  plain, may not wait
---@field on_start? fun(control: luafabric.WorkflowControl)  plain; before anything is sent
---@field store? table                 where the events go: luafabric.store.sqlite, or a store of
---  one run; default: nowhere, the report is all
---@field key? string|false            at most one unfinished run of the store has it; default: the
---  workflow's name and a fingerprint of its inputs; false: none
---@field on_duplicate? luafabric.OnDuplicate  when an unfinished run has the key. refuse (default):
---  an error with store_code "duplicate" and that run's row as `run`; join: the other run is
---  followed, on_event gets its events, and its report is returned (joined = true; without an
---  outcome where nobody runs it any more, and `left` says why); replace: the other is cancelled,
---  its end is awaited, and then this one starts
---@field on_other? fun(what: "join"|"replace"|"take_up"|"replaced", row: luafabric.RunRow,
---  control: luafabric.WorkflowControl|nil)  plain; told when another run is followed, was asked to
---  end, or, since nobody runs it, is to be ended from here, and when it has ended. take_up is told
---  again, with its control, once it is taken up: who uses that gives up this run, and gets the
---  report of the other one
---@field on_notice? fun(text: string)  plain; of a repair: told what it waits for, or goes by
---@field resume? string               id, or its beginning, of a run of the store that was cut off
---@field changed? boolean             true: it is resumed with a workflow that has changed: what
---  has ended is kept where its request is the same, what is under way is finished, the rest runs
---@field repair? string               id, or its beginning, of a run of the store that has ended:
---  what succeeded in it is kept, the rest runs. A run without anything to repair is given back
---@field only? string[]               of a repair: paths of steps and items; those alone run, and
---  what depends on them
---@field again? boolean               true: runs the steps that have `once`, too
---@field run_id? string               default 12 random hex digits
---@field plan? table                  of `definition:plan`, instead of inputs and run_id
---@field exit_values? boolean         true: of all steps; else of those that something needs
---@field timeout? number|string       of the whole run, instead of the workflow's own
---@field deadline? string             the same
---@field max_concurrency? integer     the same
---@field submission? "reconcile"|"at_most_once"|"at_least_once"  what follows a submission whose
---  answer is lost. reconcile (default): its run is looked for in Fabric's list, and only what is
---  proven is concluded; at_most_once: the outcome is unknown at once; at_least_once: it is sent
---  again, so that there may be two runs
---@field exclusive? boolean           nobody else runs any of the notebooks while this one does

---@class luafabric.WorkflowControl  all of it plain: may be called from a signal's handler
---@field state luafabric.WorkflowRun
local Control = {}
Control.__index = Control

--- Ends the run early: what runs in Fabric is cancelled, then the finally steps run. A second time,
--- or with `now`, they are skipped or cancelled too.
---@param options { now: boolean|nil, by: string|nil }|nil
function Control:cancel(options)
  self.engine:cancel(options)
end

--- Stops watching; what runs in Fabric is left, and no other step starts.
function Control:detach()
  self.engine:detach()
end

--- Stops as `detach` does, for another process to take the run up at once and go on with it:
--- submissions that are on their way are answered and written down, then the run is let go of, and
--- the report says `handed_over`. A second time they are not waited for.
function Control:hand_over()
  self.engine:hand_over()
end

local function check_options(options)
  if type(options) ~= "table" then
    error("workflow:run: expected a table of options, got a " .. type(options), 3)
  end
  nearest.check_fields(options, known, "workflow:run", 3)
  local client = options.client
  if type(client) ~= "table" or type(client.run_notebook) ~= "function" then
    error("workflow:run: client: expected a client (fabric.client { … })", 3)
  end
  for _, name in ipairs { "on_event", "on_start", "on_other", "on_notice" } do
    local value = options[name]
    if value ~= nil and type(value) ~= "function" then
      error(("workflow:run: %s: expected a function, got a %s"):format(name, type(value)), 3)
    end
  end
  local store, run_id = options.store, options.run_id
  local is_store = type(store) == "table" and (store.append or store.create_run)
  if store ~= nil and not is_store then
    error("workflow:run: store: expected a store (luafabric.store.*)", 3)
  end
  if run_id ~= nil and (type(run_id) ~= "string" or not run_id:find("^[%w_.-]+$")) then
    error("workflow:run: run_id: expected letters and digits", 3)
  end
  for _, name in ipairs { "resume", "repair" } do
    if options[name] ~= nil and not (store and store.open_run) then
      error(("workflow:run: %s: needs the store of the run (luafabric.store.sqlite)"):format(name),
        3)
    end
  end
  if options.only ~= nil and (type(options.only) ~= "table" or not options.repair) then
    error("workflow:run: only: expected a list of paths, beside repair", 3)
  end
  local most = options.max_concurrency
  if most ~= nil and (type(most) ~= "number" or most < 1 or most % 1 ~= 0) then
    error("workflow:run: max_concurrency: expected a whole number from 1 up", 3)
  end
  if options.submission ~= nil and not modes[options.submission] then
    error("workflow:run: submission: expected reconcile, at_most_once or at_least_once", 3)
  end
  if options.exclusive ~= nil and type(options.exclusive) ~= "boolean" then
    error("workflow:run: exclusive: expected true or false", 3)
  end
  if options.key and (type(options.key) ~= "string" or options.key == "") then
    error("workflow:run: key: expected a text, or false", 3)
  end
  if options.on_duplicate ~= nil and not duplicate.choices[options.on_duplicate] then
    error("workflow:run: on_duplicate: expected refuse, join or replace", 3)
  end
  if options.timeout ~= nil then duration.check(options.timeout, "workflow:run: timeout", 3) end
end

--- What fingerprints are made with: two runs of one store can be compared.
local function key_of(store)
  if store and store.fingerprint_key then return store:fingerprint_key() end
  return require("luafabric.store.key").random()
end

--- A new run: its plan, and of a repair what it keeps.
local function begin(self, options, host)
  if options.repair then return repairing.begin(self, options, host.wall()) end
  local plan, err = options.plan, nil
  if not plan then
    plan, err = self:plan { inputs = options.inputs, started_at = host.wall(),
      run_id = options.run_id or core.random_hex(RUN_ID_BYTES) }
  end
  if not plan then return nil, err end
  return limits.override(plan, options)
end

--- Without a store of runs there is nothing to reuse.
local function warn_of_once(plan)
  for _, step in ipairs(plan.steps) do
    if step.once then
      plan.warnings[#plan.warnings + 1] = ("%s: once has no effect: this run is kept in memory, "
        .. "where there are no earlier ones"):format(step.place)
      return
    end
  end
end

--- Where the events of a new run go; a store of runs has the first one already.
---@return table|nil kept
---@return boolean|luafabric.Error is_written  or the error
local function keep(self, plan, options, key, started)
  local store = options.store
  if not (store and store.create_run) then warn_of_once(plan) end
  if not store then return require("luafabric.store.memory").new { keep = false }, false end
  if not store.create_run then return store, false end
  local kept, err = store:create_run { run_id = plan.run_id, workflow = plan.name, key = key,
    started_at = plan.started_at, file = self.path or self.file, inputs = plan.inputs,
    parent = plan.parent, events = { started } }
  return kept, kept and true or err
end

--- The unfinished run of a key, as long as there is one, and what comes of it.
---@return luafabric.WorkflowRun|nil report  of the run that was followed
---@return luafabric.Error|nil err           nothing at all: there is none
local function meet_others(self, options, key)
  while key do
    local row, err = options.store:unfinished(key)
    if not row then return nil, err end
    local report
    report, err = duplicate.meet(self, options, row)
    if report or err then return report, err end
  end
end

--- A plan's place in the store. Its key is asked for before Fabric is, and taken when the run is
--- made: who came in between is met again.
---@return table|nil given                   everything that the engine needs for it
---@return luafabric.Error|nil err
---@return luafabric.WorkflowRun|nil report  of another run, which was followed
local function place(self, plan, options, port, host, fingerprint_key)
  local submission = options.submission or "reconcile"
  local key, err = duplicate.key(plan, options)
  if err then return nil, err end
  local is_resolved
  while true do
    local report, kept, is_written
    report, err = meet_others(self, options, key)
    if report or err then return nil, err, report end
    if not is_resolved then
      is_resolved, err = require("luafabric.engine.names").resolve(plan, port)
      if not is_resolved then return nil, err end
    end
    local started = require("luafabric.engine.start_event").of(plan, { at = host.wall(),
      inputs = kept_inputs.told(plan, fingerprint_key), submission = submission,
      exclusive = options.exclusive, endpoint = options.client.endpoint })
    kept, is_written = keep(self, plan, options, key, started)
    if kept then
      return { plan = plan, store = kept, started = started, is_written = is_written,
        submission = submission, exclusive = options.exclusive }
    end
    if is_written.store_code ~= "duplicate" then return nil, is_written end
  end
end

local function start_anew(self, options, port, host, key)
  local plan, earlier = begin(self, options, host)
  if not plan then return nil, earlier end
  local ok, given, err, report
  if earlier then
    ok, err = require("luafabric.workflow.settling").settle_all(options.store, earlier.state, port,
      plan, options.on_notice)
    if not ok then return nil, err end
  end
  given, err, report = place(self, plan, options, port, host, key)
  if given then given.earlier = earlier end
  return given, err, report
end

--- The same for a repair: it is run as the repaired run was, unless somebody says otherwise. Where
--- nothing is to be repaired, that run is the report.
local function start_repair(self, options, port, host, key)
  local row, state = repairing.find(options.store, options.repair)
  if not row then return nil, state end
  if repairing.is_whole(state, options) then return nil, nil, state end
  return start_anew(self, repairing.options(options, row, state), port, host, key)
end

--- The same for one that is taken up again: it goes on as it was meant to, unless somebody says
--- otherwise.
local function start_again(self, options, port, key)
  local taken, err = require("luafabric.workflow.taking_up").take_up(self, options, port, key)
  if not taken then return nil, err end
  local state, exclusive, earlier = taken.state, options.exclusive, nil
  if state.parent then
    earlier, err = repairing.again(options.store, state)
    if not earlier then taken.kept:close() end
    if not earlier then return nil, err end
  end
  if taken.change or state.previous then earlier = changing.earlier(state) end
  if exclusive == nil then exclusive = state.exclusive end
  return { plan = taken.plan, store = taken.kept, state = state, exclusive = exclusive,
    submission = options.submission or state.submission, earlier = earlier,
    change = taken.change }
end

--- Tells the caller that it can begin; an error of its function is the caller's, and the run can be
--- taken up at once.
local function tell_start(engine, options)
  if not options.on_start then return end
  local ok, problem = pcall(tasks.forbid_waiting, "the function given as on_start",
    options.on_start, setmetatable({ engine = engine, state = engine.state }, Control))
  if ok then return end
  if engine.let_go then engine.let_go() end
  error(problem, 0)
end

local function run(self, options)
  local _, loop = tasks.current()
  local port = require("luafabric.client.executor").new(options.client)
  local key, given, err, report
  key, err = key_of(options.store)
  if not key then return nil, err end
  if options.store and options.store.shared then port:share(options.store:shared()) end
  port:trust(options.store)
  if options.resume then
    given, err = start_again(self, options, port, key)
  elseif options.repair then
    given, err, report = start_repair(self, options, port, loop.host, key)
  else
    given, err, report = start_anew(self, options, port, loop.host, key)
  end
  if not given then return report, err end
  local kept = given.store
  given.port, given.loop, given.on_event = port, loop, options.on_event
  given.key, given.all_exits = key, options.exit_values
  given.again = options.again
  given.let_go = kept.close and function() return kept:close() end
  local engine = require("luafabric.engine").new(given)
  tell_start(engine, options)
  return engine:run()
end

--- Runs the workflow to its end: in the running task, or in a loop of its own.
---@param options luafabric.WorkflowRunOptions
---@return luafabric.WorkflowRun|nil report
---@return luafabric.Error|nil err  nothing was sent
function Definition:run(options)
  check_options(options)
  return options.client:blocking(run, self, options)
end

return M
