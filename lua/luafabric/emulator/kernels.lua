-- Runs real notebooks: one Python process for each run (python_runner.lua), with one Jupyter kernel
-- below it, whose working directory is the notebook's own folder.

local json = require "luafabric.json"
local python_runner = require "luafabric.emulator.python_runner"
local secret_variables = require "luafabric.credentials.secret_variables"

local M = {}

local MAX_OUTPUT = 64 * 1024 * 1024 -- of a result: an exit value of 8 MB, escaped
local GRACE = 3000 -- ms from the end of a run's input, which ends it, to SIGKILL

local function environment(uv, scratch, hidden)
  local values = uv.os_environ()
  -- What a notebook has no business to see.
  for _, names in ipairs { secret_variables.ours, secret_variables.machine,
    { "LUAFABRIC_EMULATOR" }, hidden or {} } do
    for _, name in ipairs(names) do values[name] = nil end
  end
  -- The user's Jupyter and IPython settings do not decide how a notebook runs here.
  for _, name in ipairs { "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR",
    "IPYTHONDIR" } do
    values[name] = scratch
  end
  values.JUPYTER_PATH = nil
  values.PYDEVD_DISABLE_FILE_VALIDATION = "1"
  values.PYTHONUNBUFFERED = nil
  local list = {}
  for name, value in pairs(values) do list[#list + 1] = name .. "=" .. value end
  return list
end

-- The runner removes its folder itself; what a killed one left is removed here.
local function remove(uv, directory)
  local scan = uv.fs_scandir(directory)
  while scan do
    local name, kind = uv.fs_scandir_next(scan)
    if not name then break end
    local path = directory .. "/" .. name
    if kind == "directory" then remove(uv, path) else uv.fs_unlink(path) end
  end
  uv.fs_rmdir(directory)
end

--- Whether this Python can run notebooks. Waits for it (some 50 ms).
---@param uv table
---@param python string
---@return string|nil message  what is missing and what to do
function M.check(uv, python)
  local output, pipe, code = {}, uv.new_pipe(false), nil
  local process
  process = uv.spawn(python, { args = python_runner.check_arguments, stdio = { nil, pipe, nil } },
    function(exit_code)
      code = exit_code
      process:close()
    end)
  if not process then
    pipe:close()
    return ("there is no Python at %s: apt-get install python3, or say where it is with --python "
      .. "or LUAFABRIC_PYTHON"):format(python)
  end
  pipe:read_start(function(_, chunk)
    if chunk then output[#output + 1] = chunk else pipe:close() end
  end)
  uv.run()
  local missing = table.concat(output):gsub("%s+$", "")
  if code ~= 0 then return ("%s does not run: exit status %s"):format(python, tostring(code)) end
  if missing == "" then return nil end
  return ("the emulator runs notebooks with Jupyter, and %s lacks %s: apt-get install "
    .. "python3-nbclient python3-ipykernel"):format(python, missing:gsub(" ", ", "))
end

--- A set of running notebooks.
---@param options { uv: table, python: string, hidden: string[]|nil,
---  on_end: fun(job_id: string, result: table) }
---@return table kernels
function M.new(options)
  local uv = options.uv
  local kernels = { count = 0 }
  local by_job = {}

  local function result_of(run)
    local text = table.concat(run.output)
    local result = json.decode(text:match("([^\n]*)\n") or "")
    if type(result) == "table" then
      if result.exit_value == json.null then result.exit_value = nil end
      return result
    end
    if run.stopped then return { status = "Cancelled" } end
    return { status = "Failed", failure_reason = { errorCode = "JobInstanceStatusFailed",
      message = run.too_long and "the notebook's result is too large"
        or not run.process and "the emulator could not start Python: " .. run.how
        or ("the notebook's process ended early (%s)"):format(run.how) } }
  end

  local function settle(run)
    if not run.how or not run.eof then return end
    if run.timer then run.timer:close() end
    if not run.input:is_closing() then run.input:close() end
    if run.scratch then remove(uv, run.scratch) end
    by_job[run.job_id] = nil
    kernels.count = kernels.count - 1
    options.on_end(run.job_id, result_of(run))
    if kernels.count == 0 and kernels.on_idle then kernels.on_idle() end
  end

  local function end_run(run)
    if run.input:is_closing() then return end
    run.input:close()
    run.timer = uv.new_timer()
    run.timer:start(GRACE, 0, function()
      if not run.how then run.process:kill("sigkill") end
    end)
  end

  local function read_output(run, chunk)
    if not chunk then
      run.output_pipe:close()
      run.eof = true
      return settle(run)
    end
    run.size = run.size + #chunk
    if run.size > MAX_OUTPUT then
      run.too_long, run.output = true, {}
      return end_run(run)
    end
    run.output[#run.output + 1] = chunk
  end

  --- A run that could not begin ends soon, as all others do: later.
  local function give_up(run, message)
    run.how, run.eof = tostring(message), true
    run.output_pipe:close()
    run.timer = uv.new_timer()
    run.timer:start(0, 0, function() settle(run) end)
  end

  local function launch(run)
    return uv.spawn(options.python, {
      args = python_runner.arguments, stdio = { run.input, run.output_pipe, 2 }, detached = true,
      env = environment(uv, run.scratch, options.hidden),
    }, function(code, signal)
      run.process:close()
      run.how = signal ~= 0 and ("signal %d"):format(signal) or ("exit status %d"):format(code)
      settle(run)
    end)
  end

  --- Run a notebook; on_end says how it ended, always later.
  ---@param job table  as service:take_started gives it, with definition.path
  function kernels.start(job)
    local scratch, message = uv.fs_mkdtemp(uv.os_tmpdir() .. "/luafabric-run-XXXXXX")
    local run = { job_id = job.job_id, scratch = scratch, output = {}, size = 0,
      input = uv.new_pipe(false), output_pipe = uv.new_pipe(false) }
    by_job[job.job_id] = run
    kernels.count = kernels.count + 1
    if not scratch then return give_up(run, message) end
    local task
    task, message = json.encode { notebook = job.definition.path, body = job.body,
      source = job.source, scratch = scratch }
    if not task then return give_up(run, message) end
    run.process, message = launch(run)
    if not run.process then return give_up(run, message) end
    run.output_pipe:read_start(function(_, chunk) read_output(run, chunk) end)
    run.input:write(("%d\n%s%s\n"):format(#python_runner.source, python_runner.source, task))
  end

  --- End a notebook and its kernel; on_end follows.
  ---@param job_id string
  function kernels.stop(job_id)
    local run = by_job[job_id]
    if not run or not run.process then return end
    run.stopped = true
    end_run(run)
  end

  --- End all of them.
  ---@param on_idle fun()  when the last one has ended
  function kernels.stop_all(on_idle)
    if kernels.count == 0 then return on_idle() end
    kernels.on_idle = on_idle
    for job_id in pairs(by_job) do kernels.stop(job_id) end
  end

  return kernels
end

return M
