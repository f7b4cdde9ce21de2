--- A place to try workflows in: Lua functions in the place of notebooks, the emulator's service in
--- the place of Fabric, virtual time. Nothing leaves the process and nothing waits, so that a night
--- of retries takes milliseconds; the client and the engine are those that run against Fabric.

local client_module = require "luafabric.client"
local duration = require "luafabric.duration"
local lab_notebooks = require "luafabric.lab.notebooks"
local nearest = require "luafabric.nearest"
local service_module = require "luafabric.emulator.service"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"
require "luafabric.workflow" -- gives definitions their `run`, also those of a .json file

local M = {}

local known_options = { notebooks = true, faults = true, seed = true, start = true,
  settings = true }

local known_run_options = { cancel_at = true, cancel_now_at = true, on_event = true,
  on_start = true, store = true, run_id = true, submission = true, exclusive = true }

-- Those that mean something here; `run` is the lab's own.
local known_settings = { queue = true, capacity = true, capacity_answer = true, quota = true,
  visibility_lag = true, status_lag = true, cancel_lag = true, retry_after = true,
  page_size = true, max_open = true }

---@class luafabric.LabOptions
---@field notebooks table<string, function|string|number|table>  "Workspace/Notebook" -> a function
---  (parameters, run) that gives the exit value and the duration (default one minute); or only a
---  duration; or only an exit value, as a table
---@field faults? table[]   what goes wrong on the way, as for the emulator
---@field seed? integer     of all that is random, default 1
---@field start? number     unix seconds at which the lab's clock starts, default 2026-01-01
---@field settings? table   of the emulated Fabric: queue, capacity, capacity_answer, quota,
---  visibility_lag, status_lag, cancel_lag, retry_after, page_size, max_open

---@class luafabric.LabRunOptions
---@field cancel_at? number|string      from the start until the run is cancelled
---@field cancel_now_at? number|string  … until it is cancelled without its `finally` steps
---@field on_event? fun(event: table, state: table)
---@field on_start? fun(control: table)
---@field store? table
---@field run_id? string
---@field submission? string  as for workflow:run
---@field exclusive? boolean

---@class luafabric.Lab
---@field events table[]  of the last run
---@field service table   the emulated Fabric
---@field host table      the virtual host
---@field client luafabric.Client
local Lab = {}
Lab.__index = Lab
Lab.__name = "luafabric.lab"

--- What modules below say without a place is the caller's to read, at the caller's line.
local function at_caller(level, fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then return result end
  error(result, level + 1)
end

local function check_number(options, name, level)
  local value = options[name]
  if value == nil or type(value) == "number" and value == value and value >= 0 then return value end
  error(("lab: %s: expected a number from 0 up, got %s"):format(name,
    type(value) == "number" and tostring(value) or "a " .. type(value)), level + 1)
end

local function check_table(value, known, what, level)
  if type(value) ~= "table" then
    error(("%s: expected a table, got a %s"):format(what, type(value)), level + 1)
  end
  nearest.check_fields(value, known, what, level + 1)
end

local numbers = { queue = true, capacity = true, status_lag = true, cancel_lag = true,
  retry_after = true, page_size = true, max_open = true }

--- The settings that a lab hands on; what else they may be is the service's to say.
local function read_settings(given, run, level)
  local settings = { run = run }
  if given == nil then return settings end
  check_table(given, known_settings, "lab: settings", level + 1)
  for name, value in pairs(given) do
    local good = not numbers[name] or type(value) == "number" and value >= 0
    if not good then
      error(("lab: settings: %s: expected a number from 0 up, got %s"):format(name,
        type(value) == "number" and tostring(value) or "a " .. type(value)), level + 1)
    end
    settings[name] = value
  end
  return settings
end

--- A lab. Raises, naming the option, for what is wrong.
---@param options luafabric.LabOptions
---@return luafabric.Lab
function M.new(options)
  check_table(options, known_options, "lab", 2)
  local seed = check_number(options, "seed", 2) or 1
  local notebooks = at_caller(2, lab_notebooks.read, options.notebooks)
  local settings = read_settings(options.settings, notebooks.run, 2)
  local self = setmetatable({ notebooks = notebooks, events = {} }, Lab)
  self.service = at_caller(2, service_module.new, { workspaces = notebooks.workspaces,
    faults = options.faults, settings = settings, seed = seed })
  self.host = virtual.new { seed = seed, start_wall = check_number(options, "start", 2),
    log = false, handle = function(request, now) return self.service:handle(request, now) end }
  self.client = client_module.new { credential = "the-token-of-a-lab",
    host = function() return self.host end }
  return self
end

--- Unix seconds on the lab's clock.
---@return number
function Lab:now()
  return self.host.wall()
end

--- How many runs were started, in all runs of this lab: each would cost money.
---@param name string|nil  "Workspace/Notebook"; nil counts all
---@return integer
function Lab:started(name)
  if name ~= nil then self.notebooks.check_name(name, "lab:started", 2) end
  return self.service:started(name)
end

--- How many runs have not ended by now.
---@return integer
function Lab:open_runs()
  self.service.jobs.advance(self.host.wall())
  return self.service.jobs.open()
end

-- ---- a run ----

local function definition_of(given, level)
  if type(given) == "string" then
    local definition, err = require("luafabric.workflow.file").load(given)
    return definition, err
  end
  if type(given) == "table" and type(given.run) == "function" then return given end
  error("lab:run: expected the path of a workflow file, or what fabric.workflow gives, got a "
    .. type(given), level + 1)
end

local function read_run_options(options, level)
  if options == nil then return {} end
  check_table(options, known_run_options, "lab:run", level + 1)
  local read = {}
  for name, value in pairs(options) do read[name] = value end
  for _, name in ipairs { "cancel_at", "cancel_now_at" } do
    if read[name] ~= nil then
      read[name] = duration.check(read[name], "lab:run: " .. name, level + 1)
    end
  end
  return read
end

--- Cancels a run after a while, as somebody at the terminal would.
local function cancel_later(loop, control, seconds, now)
  if not seconds then return end
  loop:spawn(function()
    tasks.sleep(seconds)
    control:cancel { now = now, by = "user" }
  end)
end

local function run_in_task(self, definition, inputs, options)
  local _, loop = tasks.current()
  return definition:run {
    client = self.client, inputs = inputs, exit_values = true, store = options.store,
    run_id = options.run_id, submission = options.submission, exclusive = options.exclusive,
    on_event = function(event, state)
      self.events[#self.events + 1] = event
      if options.on_event then options.on_event(event, state) end
    end,
    on_start = function(control)
      cancel_later(loop, control, options.cancel_at, false)
      cancel_later(loop, control, options.cancel_now_at, true)
      if options.on_start then options.on_start(control) end
    end,
  }
end

--- Runs a workflow to its end. What a notebook function's author got wrong (a duration that is
--- none, say) raises here; what a workflow does wrong is in the report.
---@param workflow string|table  path of a workflow file (.lua, .json), or a definition
---@param inputs table<string, any>|nil
---@param options luafabric.LabRunOptions|nil
---@return table|nil report        the state of the run; `report:ok()`
---@return luafabric.Error|nil err  nothing was started
function Lab:run(workflow, inputs, options)
  if tasks.current() then
    error("lab:run: it makes a loop of its own, and cannot be called inside a task", 2)
  end
  options = read_run_options(options, 2)
  local definition, err = definition_of(workflow, 2)
  if not definition then return nil, err end
  self.events = {}
  self.notebooks.reset()
  local ok, report, problem = pcall(tasks.blocking, function() return self.host end, run_in_task,
    self, definition, inputs or {}, options)
  if ok then return report, problem end
  local message = lab_notebooks.misuse_of(report)
  if message then error("lab:run: " .. message, 2) end
  error(report, 0)
end

return M
