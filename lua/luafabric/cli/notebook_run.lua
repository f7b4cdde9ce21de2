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
  if type(value) ~= "table" or #value > 0 then
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
  if options.params == "-" and options.execution_data == "-" then
    return usage("--params and --execution-data cannot both be read from standard input")
  end
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

--- The worker: from the client to the run's end. Gives the exit code.
local function work(connection, terminal, interrupt, request, options, on_event)
  local client, err = connection:client(on_event)
  if not client then return results.failure(terminal, err) end
  local run
  run, err = client:submit_notebook(request)
  interrupt:answered()
  if not run then return results.failure(terminal, err) end
  if run.outcome then return results.run(terminal, run, options.exit_value) end
  interrupt:accepted(run)
  if options.no_wait then return results.running(terminal, run, exit_codes.ok) end
  run:wait()
  return results.run(terminal, run, options.exit_value)
end

-- What the client raises about its arguments carries our own place in front of it.
local function argument_message(message)
  return message:match("^[^\n]*notebook_run%.lua:%d+: (.*)$")
end

--- An error that nobody expected: what was under way is not forgotten.
local function raised(terminal, interrupt, err)
  local message = errors.is(err) and err.message or tostring(err)
  if interrupt.active_run then return results.lost_run(terminal, interrupt.active_run, message) end
  if interrupt.in_flight then return results.lost_answer(terminal, interrupt.in_flight, message) end
  if errors.is(err) and err.kind ~= "raised" then return results.failure(terminal, err) end
  local own = argument_message(message)
  if own then return results.failure(terminal, own) end
  return results.internal(terminal, message)
end

--- How the command ends after what `run_worker` gave.
local function conclude(terminal, interrupt, decision, options)
  if decision.raised then return raised(terminal, interrupt, decision.raised) end
  if not decision.interrupted then return decision.code end
  if decision.ended then return results.run(terminal, decision.run, options.exit_value) end
  return results.interrupted(terminal, decision)
end

---@param options table  of the command line
---@param terminal table
---@return integer code
function M.run(options, terminal)
  local request, err, hints = read_request(options)
  if not request then return results.failure(terminal, err) end
  for _, hint in ipairs(hints) do terminal:say(terminal:faint("note       ") .. hint) end
  local connection = connection_module.new(options)
  local show = progress.new(terminal)
  local interrupt = interrupt_module.new(connection.loop, terminal, options)
  local ok, decision = pcall(interrupt.run_worker, interrupt, function()
    return work(connection, terminal, interrupt, request, options, function(event)
      interrupt:note(event)
      show(event)
    end)
  end)
  connection:close()
  if not ok then decision = { raised = decision } end
  return conclude(terminal, interrupt, decision, options)
end

return M
