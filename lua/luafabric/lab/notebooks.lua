--- The notebooks of a lab: Lua functions, or no more than a duration or an exit value, in the place
--- of what Fabric would run. They are checked when the lab is made; the emulator's service calls
--- them when a run begins and is told at once how it will end, and when. Knows no clock.

local duration = require "luafabric.duration"
local jobs = require "luafabric.emulator.jobs"
local json = require "luafabric.json"
local nearest = require "luafabric.nearest"
local tasks = require "luafabric.tasks"

local M = {}

local DEFAULT_SECONDS = 60

-- What ends a notebook function from inside: the run's own end, or a slip of the test's author,
-- which is the test's failure and not the notebook's.
local Ending = {}
local Misuse = {}

local function misuse(message)
  error(setmetatable({ message = message }, Misuse), 0)
end

--- The message of a slip, where an error is one.
---@param problem any
---@return string|nil message
function M.misuse_of(problem)
  return getmetatable(problem) == Misuse and problem.message or nil
end

-- ---- how a run fails ----

local statuses = { cancelled = "Cancelled", deduped = "Deduped" }

-- What Fabric says of a statement that raised.
local RAISED = "System_Cancelled_Session_Statements_Failed"

-- What a notebook can end with, beside the error codes of Fabric.
local words = { "failed", "capacity", "platform", "cancelled", "deduped" }

-- Outcomes that no notebook can bring about; whatever is not here is an error code of Fabric.
local impossible = { succeeded = true, timed_out = true, rejected = true, unauthorized = true,
  throttled = true, unknown = true, skipped = true }

local function failure(what, message)
  if statuses[what] then
    return { status = statuses[what], failure_reason = message }
  end
  if what == "capacity" then
    return { status = "Failed", failure_reason = jobs.capacity_failure }
  end
  message = message or "the notebook was made to fail: " .. what
  if what == "platform" then -- as policy/outcome knows a failure of Fabric's own
    message = ("LivyHttpRequestFailure: %s. HTTP status code: 500"):format(message)
  end
  local code = what == "failed" and RAISED or what == "platform" and "JobInstanceStatusFailed"
  return { status = "Failed", failure_reason = { errorCode = code or what, message = message } }
end

local Run = {}
Run.__index = Run

--- Ends the run; never returns.
---@param what string  "failed", "capacity", "platform", "cancelled", "deduped", or an error code
---@param message string|nil
---@param seconds number|string|nil  how long it took until then, default one minute
function Run:fail(what, message, seconds)
  if getmetatable(self) ~= Run then misuse("call it with a colon: run:fail(\"capacity\")") end
  if what == nil then what = "failed" end
  if type(what) ~= "string" or impossible[what] then
    misuse(("run:fail: %s is nothing a notebook can end with; give failed, capacity, platform, "
      .. "cancelled, deduped, or an error code of Fabric"):format(tostring(what)))
  end
  local near = nearest.find(what, words, 1)[1]
  if near and near ~= what then misuse(("run:fail: %s: did you mean %s?"):format(what, near)) end
  error(setmetatable({ result = failure(what, message), seconds = seconds }, Ending), 0)
end

-- ---- what a notebook is given and gives ----

local function plain_values(parameters)
  local values = {}
  for name, parameter in pairs(parameters) do values[name] = parameter.value end
  return values
end

--- Parameters in one order, so that the same ones make the same text.
local function text_of(parameters)
  local names, parts = {}, {}
  for name in pairs(parameters) do names[#names + 1] = name end
  table.sort(names)
  for index, name in ipairs(names) do
    parts[index] = ("%s=%s"):format(name, (json.encode(parameters[name].value)))
  end
  return table.concat(parts, "\0")
end

local function read_seconds(value, where)
  if value == nil then return DEFAULT_SECONDS end
  local seconds, message = duration.parse(value)
  if not seconds then misuse(("%s: the duration: %s"):format(where, message)) end
  return seconds
end

--- An exit value as the text that Fabric keeps.
local function read_exit(value, where)
  if value == nil or value == json.null then return nil end
  if type(value) == "string" then return value end
  local text, message = json.encode(value)
  if not text then misuse(("%s: the exit value: %s"):format(where, message)) end
  return text
end

local function ending_of(problem, where)
  local kind = getmetatable(problem)
  if kind == Misuse then misuse(where .. ": " .. problem.message) end
  if kind ~= Ending then return failure("failed", tostring(problem)), DEFAULT_SECONDS end
  return problem.result, read_seconds(problem.seconds, where)
end

--- Runs a notebook function.
---@param fn function
---@param job table  described by the service
---@param attempt integer
---@param now number  unix seconds
---@return table result  { status, exit_value, failure_reason }
---@return number seconds
local function call(fn, job, attempt, now)
  local where = ("the notebook function of \"%s/%s\""):format(job.workspace, job.notebook)
  local run = setmetatable({ attempt = attempt, workspace = job.workspace,
    notebook = job.notebook, started_at = now }, Run)
  local ok, value, seconds = pcall(tasks.forbid_waiting, where, fn, plain_values(job.parameters),
    run)
  if not ok then return ending_of(value, where) end
  seconds = read_seconds(seconds, where)
  return { exit_value = read_exit(value, where) }, seconds
end

-- ---- the table of a lab ----

local function read_notebook(value, path)
  local kind = type(value)
  if kind == "function" then return value end
  if kind == "table" then
    local text, message = json.encode(value)
    if not text then error(("%s: the exit value: %s"):format(path, message), 0) end
    return function() return text end
  end
  local seconds, message = duration.parse(value)
  if not seconds then
    error(("%s: %s; an exit value is a table, or what a function returns"):format(path, message), 0)
  end
  return function() return nil, seconds end
end

---@class luafabric.LabNotebooks
---@field workspaces table[]  for the service
---@field run fun(job: table, now: number): table, number  for the service
---@field reset fun()  attempts are counted from one again

--- Reads the table of notebooks; raises, naming the entry, for what is wrong.
---@param given table<string, function|string|number|table>
---@return luafabric.LabNotebooks
function M.read(given)
  if type(given) ~= "table" then
    error("lab: notebooks: expected a table, got a " .. type(given), 0)
  end
  local names, functions, by_workspace, workspaces = {}, {}, {}, {}
  for name in pairs(given) do
    if type(name) ~= "string" or not name:find("^[^/]+/.") then
      error(("lab: notebooks: %s: expected \"Workspace/Notebook\""):format(tostring(name)), 0)
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local workspace, notebook = name:match("^([^/]+)/(.+)$")
    functions[name] = read_notebook(given[name], ("lab: notebooks: %s"):format(name))
    if not by_workspace[workspace] then
      by_workspace[workspace] = { name = workspace, notebooks = {} }
      workspaces[#workspaces + 1] = by_workspace[workspace]
    end
    table.insert(by_workspace[workspace].notebooks, notebook)
  end

  local attempts = {}
  local notebooks = { workspaces = workspaces, names = names }

  function notebooks.reset() attempts = {} end

  function notebooks.run(job, now)
    local name = job.workspace .. "/" .. job.notebook
    local key = name .. "\0" .. text_of(job.parameters)
    attempts[key] = (attempts[key] or 0) + 1
    return call(functions[name], job, attempts[key], now)
  end

  --- Raises where a lab has no such notebook, with the nearest that it has.
  function notebooks.check_name(name, what, level)
    if type(name) == "string" and functions[name] then return end
    local shown = type(name) == "string" and ("\"%s\""):format(name) or "a " .. type(name)
    local near = type(name) == "string" and nearest.find(name, names, 1)[1]
    error(("%s: the lab has no notebook %s%s"):format(what, shown,
      near and (", did you mean \"%s\"?"):format(near) or ""), level + 1)
  end

  return notebooks
end

return M
