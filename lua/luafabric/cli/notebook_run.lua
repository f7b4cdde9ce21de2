-- luafabric notebook run

local duration = require "luafabric.duration"
local errors = require "luafabric.errors"
local connection_module = require "luafabric.cli.connection"
local exit_codes = require "luafabric.cli.exit_codes"
local interrupt_module = require "luafabric.cli.interrupt"
local parameters = require "luafabric.cli.parameters"
local progress = require "luafabric.cli.progress"
local results = require "luafabric.cli.results"

local M = {}

local function usage(message)
  return nil, errors.new { kind = "usage", message = message }
end

local function read_execution_data(path)
  if not path then return nil end
  local json = require "luafabric.json"
  local text, message = parameters.read_file(path, "--execution-data")
  if not text then return usage(message) end
  local value
  value, message = json.decode(text)
  if value == nil then return usage(("--execution-data %s: %s"):format(path, message)) end
  if type(value) ~= "table" then
    return usage(("--execution-data %s: expected an object with `compute`"):format(path))
  end
  return value
end

local function read_duration(text, option)
  if not text then return nil end
  local seconds, message = duration.parse(text)
  if not seconds then return usage(("%s %s: %s"):format(option, text, message)) end
  return seconds
end

--- What the client is asked for.
---@return table|nil request
---@return luafabric.Error|nil err
---@return string[]|nil hints
local function read_request(options)
  local list, message, hints = parameters.collect(options)
  if not list then return usage(message) end
  local compute, err = read_execution_data(options.execution_data)
  if err then return nil, err end
  local timeout, submit_timeout
  timeout, err = read_duration(options.timeout, "--timeout")
  if err then return nil, err end
  submit_timeout, err = read_duration(options.submit_timeout, "--submit-timeout")
  if err then return nil, err end
  return {
    workspace = options.workspace, notebook = options.notebook, parameters = list,
    compute = compute, timeout = timeout, submit_timeout = submit_timeout, route = options.route,
  }, nil, hints
end

local function submit(connection, terminal, interrupt, request, options)
  local run, err = connection.client:submit_notebook(request)
  interrupt:answered()
  if not run then return results.failure(terminal, err) end
  if run.outcome then return results.run(terminal, run, options.exit_value) end
  interrupt:accepted(run)
  if options.no_wait then return results.running(terminal, run, exit_codes.ok) end
  run:wait()
  return results.run(terminal, run, options.exit_value)
end

---@param options table  of the command line
---@param terminal table
---@return integer code
function M.run(options, terminal)
  local request, err, hints = read_request(options)
  if not request then return results.failure(terminal, err) end
  for _, hint in ipairs(hints) do terminal:say(terminal:faint("note       ") .. hint) end
  local show, interrupt = progress.new(terminal), nil
  local connection
  connection, err = connection_module.open(options, function(event)
    interrupt:note(event)
    show(event)
  end)
  if not connection then return results.failure(terminal, err) end
  interrupt = interrupt_module.new(connection.loop, terminal, options.on_interrupt)
  local ok, code, run, interrupted = pcall(interrupt.run_worker, interrupt, function()
    return submit(connection, terminal, interrupt, request, options)
  end)
  connection:close()
  if not ok then
    local raised = errors.is(code) and code.kind ~= "raised" and code
      or errors.new { kind = "usage", message = errors.is(code) and code.message or tostring(code) }
    return results.failure(terminal, raised)
  end
  if interrupted and run and run.outcome and run.outcome ~= "unknown" then
    return results.run(terminal, run, options.exit_value)
  end
  if interrupted and terminal.json then results.running(terminal, run or {}, code) end
  return code
end

return M
