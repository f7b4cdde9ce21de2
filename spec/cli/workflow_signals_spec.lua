-- Signals and keys while `luafabric run` works, as they arrive at the real command, and the table
-- on a real terminal.

local command = require "spec.cli.command"
local json = require "luafabric.json"
local shell = require "spec.support.shell"
local world = require "spec.cli.workflow_world"

local path, write, read, start = world.path, world.write, world.read, world.start
local state, started = world.state, world.started

describe("a signal while a workflow runs #process", function()
  setup(world.prepare)
  teardown(world.clean_up)

  --- Start a workflow and wait until its endless run is on.
  local function running(name, ...)
    local before = started "Endless"
    local process = start(name, ...)
    process:says("submitted")
    process:until_true(function() return started "Endless" == before + 1 end)
    return process
  end

  it("cancels its runs, then runs finally, and lists at once what runs", function()
    for _, name in ipairs { "INT", "TERM", "HUP" } do
      local last, open = started "Last", state().runs_open
      local process = running("endless", "--report", path "cancelled.html")
      process:kill(name)
      local ended = process:finish()
      assert.are.equal(3, ended.code, ended.err)
      assert.matches("cancelling 1 run and waiting for the end.*job %x.*look with: luafabric " ..
        "notebook status %x", ended.err)
      assert.matches("cancelled by user", ended.out)
      assert.are.same({ last + 1, open }, { started "Last", state().runs_open })
      assert.matches("cancelled", assert(read "cancelled.html"))
    end
    assert.are.equal(0, started "Done")
  end)

  it("a second time cancels finally too", function()
    local process = running "stubborn"
    process:kill("INT")
    process:says("report  submitted")
    process:kill("INT")
    local ended = process:finish()
    assert.are.equal(3, ended.code, ended.err)
    assert.matches("without the finally steps", ended.err)
  end)

  it("leaves its runs with QUIT, or where that was chosen", function()
    for _, case in ipairs { { "QUIT" }, { "INT", "--on-interrupt", "detach" } } do
      local open = state().runs_open
      local process = running("endless", "--output", "json", case[2], case[3])
      process:kill(case[1])
      local ended = process:finish()
      assert.are.equal(7, ended.code, ended.err)
      local step = ended.document.steps[1]
      assert.matches("1 run of this workflow goes on in Fabric:.*notebook status [%x-]+ [%x-]+ "
        .. step.job_id:gsub("%-", "%%-"), ended.err)
      assert.matches("2 steps that had not begun do not start", ended.err)
      assert.are.same({ json.null, true, 7 },
        { ended.document.outcome, ended.document.detached, ended.document.exit_code })
      assert.are.equal(open + 1, state().runs_open)
    end
  end)

  it("a second QUIT does not wait for the answer of a submission", function()
    local before = started "HeldLong"
    local process = start("held", "--output", "json")
    process:until_true(function() return started "HeldLong" == before + 1 end)
    process:kill("QUIT")
    process:says("detaching")
    local ended = process:kill_until_end("QUIT")
    assert.are.equal(6, ended.code, ended.err)
    assert.matches("no job id yet.*notebook list", ended.err)
  end)

  it("again and again gets away in the end, and the fate of a submission is unknown", function()
    local before = started "HeldLong"
    local process = start("held", "--output", "json")
    process:until_true(function() return started "HeldLong" == before + 1 end)
    local ended = process:kill_until_end("INT")
    assert.are.same({ 6, 6 }, { ended.code, ended.document.exit_code }, ended.err)
    assert.matches("cancelling 1 run.*still waiting for the end.*detaching: waiting for the answers"
      .. ".*no job id yet", ended.err)
  end)

  it("ends the emulator of --local and its notebooks", function()
    write("sleep.lua", [[
      local fabric = require "luafabric"
      return fabric.workflow("sleep", function(flow)
        local marker = flow:input("marker")
        flow:notebook("Sleep", { workspace = "Tests", parameters = { marker = marker } })
      end)]])
    local process = start("sleep", "--local", "spec/notebooks", "-P", "marker=" .. path "pids")
    local pids
    process:until_true(function()
      pids = read "pids"
      return pids
    end)
    process:kill("QUIT")
    process:finish() -- its outputs are closed: whoever had them has ended
    assert.are.equal(3, process.code, process.err)
    assert.matches("the emulator of --local ends now, and its runs with it", process.err, 1, true)
    assert.are.equal("", process.out)
    assert.is_nil(process.err:find("in Fabric", 1, true))
    for pid in pids:gmatch("%d+") do
      process:until_true(function() return not command.is_alive(pid) end)
    end
  end)
end)

-- util-linux's script gives the command a terminal, and types on it.
local has_script = shell.run "command -v script >/dev/null" == 0

local describe_terminal = has_script and describe or pending

describe_terminal("a workflow on a terminal #process", function()
  setup(world.prepare)
  teardown(world.clean_up)

  --- What the screen got while the command ran; `types` is typed when `at` was shown.
  local function show(name, at, types)
    local core = require "luafabric.core"
    local words = { "script", "-qec", ("stty cols 100 rows 30; exec '%s' run '%s'"):format(
      command.path, path(name .. ".lua")), "/dev/null" }
    local env = { TERM = "xterm" }
    for variable, value in pairs(world.environment) do env[variable] = value end
    local child = assert(core.spawn { args = words, env = env, stdin = "pipe", stdout = "pipe",
      stderr = "null" })
    local text, limit = "", core.monotonic() + 60
    while true do
      local part = child:read()
      if not part then break end
      text = text .. part
      if types and text:find(at, 1, true) then
        child:write(types)
        types = nil
      end
      assert(core.monotonic() < limit, text)
      child:wait(0.01)
    end
    local code = assert(child:wait(10)).code
    child:close()
    return text, code
  end

  --- The cursor was hidden and is shown again; what came after that.
  local function is_clean(text)
    local hidden, shown = select(2, text:gsub("%?25l", "")), select(2, text:gsub("%?25h", ""))
    assert.are.same({ true, hidden }, { hidden > 0, shown })
    local after = text:match("^.*%?25h(.*)$")
    assert.is_nil(after:find("?25l", 1, true))
    return after
  end

  it("is a table with how to end or leave it, then the summary on a clean screen", function()
    local text, code = show "failing"
    assert.are.equal(1, code, text)
    assert.matches("Ctrl-C cancels its runs and waits for them; Ctrl-\\ leaves them running", text,
      1, true)
    assert.matches("publish", text)
    assert.matches("1 ok, 1 failed, 1 skipped", is_clean(text))
  end)

  it("is cancelled by Ctrl-C, which says what another one does", function()
    local text, code = show("endless", "submitted", "\3")
    assert.are.equal(3, code, text)
    assert.matches("cancelling 1 run and waiting for the end (Ctrl-C again skips the finally " ..
      "steps)", text, 1, true)
    assert.matches("cancelled by user", is_clean(text))
  end)

  it("is left by Ctrl-\\, which says what runs on", function()
    local text, code = show("endless", "submitted", "\28")
    assert.are.equal(7, code, text)
    assert.matches("1 run of this workflow goes on in Fabric.*luafabric notebook status",
      is_clean(text))
  end)
end)
