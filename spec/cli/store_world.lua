-- A store of runs in a scratch folder, for specs of the commands that look into one.

local capture = require "spec.cli.capture"
local cli = require "luafabric.cli"
local owners = require "luafabric.store.owner"
local shell = require "spec.support.shell"
local sqlite_store = require "luafabric.store.sqlite"
local workflow_story = require "spec.cli.workflow_story"

local World = {}
World.__index = World

local M = {}

--- A new store; `close` removes it.
function M.new()
  local folder = shell.scratch()
  local path = folder .. "/runs.db"
  return setmetatable({ folder = folder, path = path,
    store = assert(sqlite_store.open(path, { synchronous = true })) }, World)
end

function World:close()
  self.store:close()
  shell.remove(self.folder)
end

--- A run with these events, the first of which is its run_started; this process holds it.
---@param events table[]
---@param fields table|nil  more for create_run
---@return table run  the handle
function World:put(events, fields)
  local first = events[1]
  local given = { run_id = first.run_id, workflow = first.workflow, file = first.file,
    started_at = first.at }
  for name, value in pairs(fields or {}) do given[name] = value end
  local run = assert(self.store:create_run(given))
  local ticket = assert(run:append(events))
  assert(run:is_durable(ticket))
  return run
end

--- The run of workflow_story, which ended: `7f3a12`.
function World:put_whole()
  local events = {}
  for _, event in ipairs(workflow_story.events) do events[#events + 1] = event end
  for _, event in ipairs(workflow_story.ending) do events[#events + 1] = event end
  self:put(events):close()
end

--- Puts runs of a process that is gone.
---@param fn fun()
function World:as_somebody_gone(fn)
  local owner = self.store.owner
  -- A process of this number began at another time.
  self.store.owner = owners.new():gsub("^(%d+)/%d+", "%1/1")
  fn()
  self.store.owner = owner
end

--- Runs the command on this store.
---@return integer code, string out, string err
function World:luafabric(...)
  local arguments = { ... }
  arguments[#arguments + 1], arguments[#arguments + 2] = "--store", self.path
  return capture.run({}, function() return cli.main(arguments) end)
end

--- The same for one of the command's modules, with a pause of the spec's own.
function World:module(name, options, pause)
  options.store = self.path
  local pauses = 0
  local function counted(seconds)
    pauses = pauses + 1
    assert(pauses <= 20, "it waits for ever")
    return pause(seconds)
  end
  return capture.run({ output = options.output }, function(terminal)
    return require("luafabric.cli." .. name).run(options, terminal:configure(options), counted)
  end)
end

return M
