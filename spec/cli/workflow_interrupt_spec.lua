-- Signals while a workflow runs, in virtual time: what is asked of the run, what the user is told,
-- and the exit code. The run is a stand-in whose cancel takes 10 s and its finally steps 50 s.

local capture = require "spec.cli.capture"
local history = require "luafabric.history"
local interrupt_module = require "luafabric.cli.workflow_interrupt"
local story = require "spec.cli.workflow_story"
local tasks = require "luafabric.tasks"
local virtual = require "luafabric.hosts.virtual"

--- A run's control that ends its waiting worker as the engine does.
local function new_control(loop, log, options)
  local state = options.state or story.half()
  local wake = loop:condition()
  local control = { state = state, wake = wake }
  local function event(fields)
    fields.at = 2000
    history.apply(state, fields)
  end
  function control.cancel(_, given)
    log[#log + 1] = given.now and "cancel now" or "cancel"
    event { type = "cancel_requested", by = given.by, now = given.now }
    control.pause = given.now and 10 or 60
    wake:signal()
  end
  function control.detach()
    log[#log + 1] = "detach"
    if options.stuck and log[#log - 1] ~= "detach" or options.very_stuck then return end
    control.pause = 0
    local us = state.steps["clean[us]"]
    if not options.stuck and us and us.attempts[1] and us.attempts[1].state == "intended" then
      event { type = "attempt_submitted", path = "clean[us]", attempt = 1, job_id = "JOB-2" }
    end
    event { type = "detached" }
    wake:signal()
  end
  --- Waits as `definition:run` does.
  function control.wait()
    local signalled = wake:wait(100)
    while signalled do signalled = wake:wait(control.pause) end
    return state
  end
  return control
end

local function play(options)
  local host, log = virtual.new(), {}
  for _, signal in ipairs(options.signals) do
    host.post({ kind = "signal", name = signal[2] or "INT" }, signal[1])
  end
  local decision, out, err = capture.run({}, function(terminal)
    local loop = tasks.new(host)
    local interrupt = interrupt_module.new(loop, terminal, options)
    return interrupt:run_worker(function()
      tasks.sleep(5) -- an emulator starts
      local control = new_control(loop, log, options)
      interrupt[options.replaces and "replacing" or "started"](interrupt, control)
      local state = control.wait()
      if not state.detached then return state.cancelled and 3 or 0 end
      interrupt:say_what_is_left()
      return interrupt:code_of_leaving()
    end)
  end)
  return { code = decision.code, reason = decision.reason, out = out, err = err, at = host.now(),
    log = table.concat(log, ", ") }
end

local RUN = "7f3a12"

local function resume_command(run_id) return "luafabric run --resume " .. run_id end

describe("a workflow that nobody interrupts", function()
  it("ends as it does", function()
    local played = play { signals = { { 3, "PIPE" } } }
    assert.are.same({ 0, "", "", 105 }, { played.code, played.err, played.log, played.at })
  end)
end)

describe("an interruption before the workflow starts", function()
  it("submits nothing", function()
    for _, name in ipairs { "INT", "TERM", "HUP", "QUIT" } do
      local played = play { signals = { { 3, name } } }
      assert.are.same({ 3, "", 3 }, { played.code, played.log, played.at })
      assert.are.equal("interrupted: nothing was submitted\n", played.err)
    end
  end)
end)

describe("the first Ctrl-C or SIGTERM", function()
  it("cancels what runs, and waits for its end and for finally", function()
    for _, name in ipairs { "INT", "TERM", "HUP" } do
      local played = play { signals = { { 20, name } } }
      assert.are.same({ 3, "cancel", 80 }, { played.code, played.log, played.at })
    end
  end)

  it("says at once what runs and how to look at it, where nobody is there to ask", function()
    local played = play { signals = { { 20, "TERM" } } }
    assert.are.equal(("cancelling 2 runs and waiting for the end\n" ..
      "  clean[eu]  job JOB-1\n    look with: luafabric notebook status %s %s JOB-1\n" ..
      "  clean[us]  no job id yet: the answer of its submission is on its way\n" ..
      "    look with: luafabric notebook list %s %s\n"):format(story.WS, story.NB, story.WS,
      story.NB), played.err)
  end)

  it("says first of all how to finish a run that is kept", function()
    local played = play { signals = { { 20, "TERM" } }, resume_command = resume_command }
    assert.matches("^cancelling 2 runs and waiting for the end\nif this is ended before that, "
      .. "finish it with: luafabric run %-%-resume " .. RUN .. "\n  clean%[eu%]  job JOB%-1\n",
      played.err)
    played = play { signals = { { 20, "INT" } }, resume_command = resume_command, has_keys = true }
    assert.is_nil(played.err:find("--resume", 1, true))
  end)

  it("is short where somebody sees the table, and says what a second one does", function()
    local played = play { signals = { { 20, "INT" } }, has_keys = true }
    assert.are.equal("cancelling 2 runs and waiting for the end (Ctrl-C again skips the finally " ..
      "steps)\n", played.err)
    played = play { signals = { { 20, "TERM" } }, has_keys = true }
    assert.matches("job JOB%-1", played.err)
  end)

  it("promises nothing of finally steps where there are none", function()
    local state = story.half()
    state.steps.report.is_finally = false
    local signals = { { 20, "INT" }, { 22, "INT" } }
    local played = play { signals = signals, has_keys = true, state = state }
    assert.are.equal("cancelling 2 runs and waiting for the end\n"
      .. "still waiting for the end (Ctrl-C again does not wait for the end)\n", played.err)
  end)

  it("sends nobody to look at runs of an emulator that ends", function()
    local played = play { signals = { { 20, "TERM" } }, local_dir = "D" }
    assert.are.equal("cancelling 2 runs and waiting for the end\n", played.err)
  end)

  it("that arrives twice at once is one", function()
    local played = play { signals = { { 20, "TERM" }, { 20.1, "TERM" } } }
    assert.are.same({ "cancel", 80 }, { played.log, played.at })
  end)

  it("leaves the runs where that was chosen", function()
    local played = play { signals = { { 20 } }, on_interrupt = "detach" }
    assert.are.same({ 7, "detach", 20 }, { played.code, played.log, played.at })
  end)
end)

describe("a signal while a left run is ended, so that another can start", function()
  it("is about the left one, with the way to go on, and says that the new one does not start",
    function()
      local played = play { signals = { { 20, "TERM" } }, replaces = true,
        resume_command = resume_command }
      assert.are.same({ 3, "cancel" }, { played.code, played.log })
      assert.matches("^the new run does not start; of the one that was to be replaced:\ncancelling "
        .. "2 runs and waiting for the end\nif this is ended before that, finish it with: "
        .. "luafabric run %-%-resume " .. RUN, played.err)
      played = play { signals = { { 20, "QUIT" } }, replaces = true,
        resume_command = resume_command }
      assert.are.same({ 7, "detach" }, { played.code, played.log })
      assert.matches("^the new run does not start; .-:\ngo on with this run later: ", played.err)
    end)
end)

describe("the second", function()
  it("skips finally", function()
    local played = play { signals = { { 20 }, { 22 } } }
    assert.are.same({ 3, "cancel, cancel now", 32 }, { played.code, played.log, played.at })
    assert.matches("cancelling without the finally steps", played.err)
  end)
end)

describe("the third", function()
  it("leaves, and says what goes on in Fabric", function()
    local played = play { signals = { { 20 }, { 22 }, { 24 } } }
    assert.are.same({ 7, "cancel, cancel now, detach", 24 },
      { played.code, played.log, played.at })
    assert.matches("detached: 2 runs of this workflow go on in Fabric:.*clean%[eu%].*JOB%-1",
      played.err)
  end)
end)

describe("Ctrl-\\", function()
  it("leaves at once, listing what runs on and what does not start", function()
    local played = play { signals = { { 20, "QUIT" } } }
    assert.are.same({ 7, "detach", 20 }, { played.code, played.log, played.at })
    assert.matches("^detaching: waiting for the answers of submissions that are on their way\n" ..
      "detached: 2 runs of this workflow go on in Fabric:\n  clean%[eu%]  job JOB%-1", played.err)
    assert.matches("2 steps that had not begun do not start\n$", played.err)
  end)

  it("says how to go on with one that is kept, before anything is waited for", function()
    local played = play { signals = { { 20, "QUIT" } }, resume_command = resume_command }
    assert.matches("^go on with this run later: luafabric run %-%-resume " .. RUN .. "\n",
      played.err)
    assert.matches("2 steps that had not begun do not start until then\n$", played.err)
  end)

  it("says what may run, and that nobody looks for it any more", function()
    local state = story.half()
    history.apply(state, { type = "attempt_doubtful", at = 1012, path = "clean[us]", attempt = 1,
      till = 1342, message = "no answer" })
    local played = play { signals = { { 20, "QUIT" } }, state = state }
    assert.are.same({ 6, 20 }, { played.code, played.at })
    assert.matches("^detached: 2 runs of this workflow go on in Fabric, 1 of them perhaps:\n"
      .. "  clean%[eu%]  job JOB%-1", played.err)
    assert.matches("  clean[us]  may run: no answer told whether Fabric took its submission\n"
      .. "    look with: luafabric notebook list", played.err, 1, true)
  end)

  it("with nothing under way says so", function()
    local state = history.new()
    history.apply(state, story.events[1])
    local played = play { signals = { { 20, "QUIT" } }, state = state }
    assert.matches("^detached: nothing of this workflow runs in Fabric\n3 steps", played.err)
  end)

  it("cannot leave runs of --local", function()
    local played = play { signals = { { 20, "QUIT" } }, local_dir = "D" }
    assert.are.same({ 3, "detach", 20 }, { played.code, played.log, played.at })
    assert.are.equal("interrupted: the emulator of --local ends now, and its runs with it\n",
      played.err)
  end)

  it("a second time does not wait for the answer of a submission: its fate is unknown", function()
    local signals = { { 20, "QUIT" }, { 22, "QUIT" }, { 24, "INT" } }
    local played = play { signals = signals, stuck = true }
    assert.are.same({ 6, "detach, detach", 22 }, { played.code, played.log, played.at })
    played = play { signals = signals, very_stuck = true }
    assert.are.same({ 6, "detach, detach", 24 }, { played.code, played.log, played.at })
    assert.matches("without waiting", played.reason)
  end)

  it("tells of items and of what waits, which do not run", function()
    local state = history.new()
    local events = { story.events[1], story.events[2], story.events[3], story.events[4],
      { type = "attempt_waiting", at = 1002, path = "clean[eu]", attempt = 1, cause = "throttled",
        seconds = 60 } }
    for _, event in ipairs(events) do history.apply(state, event) end
    local played = play { signals = { { 20, "QUIT" } }, state = state }
    assert.are.equal("detached: nothing of this workflow runs in Fabric\n"
      .. "2 steps and 1 item that had not begun do not start\n"
      .. "1 item that waited to be submitted again is not\n", played.err)
  end)

  it("is no code of a run that goes on where the fate of another is unknown", function()
    local state = story.half()
    for _, event in ipairs { story.ending[1], { type = "attempt_ended", at = 1020,
      path = "clean[eu]", attempt = 1, outcome = "unknown" },
      { type = "step_ended", at = 1020, path = "clean[eu]", outcome = "unknown" } } do
      history.apply(state, event)
    end
    local played = play { signals = { { 20, "QUIT" } }, state = state }
    assert.are.equal(6, played.code)
    assert.is_nil(played.err:find("waiting for the answers", 1, true))
  end)
end)
